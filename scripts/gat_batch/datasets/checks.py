"""What is checked of every sample: the worst value of each, over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .dataset_grid import DatasetGrid
    from .result_values import Values
    from .sample_arrays import DcArrays, SampleArrays

    Reals = NDArray[np.float64]

CHECKS = {
    "power_balance_p_pu": "active power off balance at a bus, from admittances and injections",
    "power_balance_q_pu": "reactive power off balance at a bus",
    "branch_flow_mva": "flow at an end of a branch against the result's",
    "generation_limit_mw": "active power of a generator beyond its limits, slacks aside",
    "generation_limit_mvar": "reactive power of a generator beyond its limits, slacks aside",
    "voltage_limit_pu": "voltage beyond a bus's limits",
    "rating_mva": "apparent power of a branch beyond its rating",
    "angle_limit_degree": "angle across a branch beyond its limits",
    "dc_flow_mw": "DC flow at the first end of a branch against the result's",
}
"""Checks, and what the worst value of each is. Limits are kept by optimal power flows alone."""

HELD = {"power_balance_p_pu": 1e-6, "power_balance_q_pu": 1e-6, "branch_flow_mva": 1e-3}
"""Checks without which a dataset is wrong, and the most that each may come to."""

ENDS = (("from", 0), ("to", 1))


def worst_values(
    arrays: SampleArrays, grid: DatasetGrid, values: Values, beside: Values
) -> dict[str, float]:
    """Return the worst value of each check.

    Args:
        arrays: the samples.
        grid: their grid.
        values: the results that they were made of.
        beside: those of their DC counterparts.
    """
    mismatch = arrays.mismatch()
    vm = np.abs(arrays.voltage)
    slack = arrays.type[:, arrays.generator_row] == 3
    held = arrays.running & ~slack
    angle = np.degrees(np.angle(arrays.voltage))
    across = (angle[:, arrays.ends[:, 0]] - angle[:, arrays.ends[:, 1]] + 180) % 360 - 180
    size = np.abs(arrays.flow).max(axis=2, initial=0.0)
    found = {
        "power_balance_p_pu": np.abs(mismatch.real),
        "power_balance_q_pu": np.abs(mismatch.imag),
        "branch_flow_mva": _flow_differences(arrays, grid, values),
        "generation_limit_mw": _beyond(arrays.generation.real, arrays.p)[held],
        "generation_limit_mvar": _beyond(arrays.generation.imag, arrays.q)[held],
        "voltage_limit_pu": _beyond(vm, arrays.vm),
        "rating_mva": np.where(arrays.rating > 0, size - arrays.rating, 0.0),
        "angle_limit_degree": _beyond(across, arrays.angle)[arrays.live],
    }
    if arrays.dc is not None:
        found["dc_flow_mw"] = _dc_differences(arrays.dc, grid, beside)
    return {name: max(0.0, float(np.nanmax(one, initial=0.0))) for name, one in found.items()}


def joined(found: Iterable[dict[str, float]]) -> dict[str, float]:
    """Return the worst values of several parts."""
    worst: dict[str, float] = {}
    for part in found:
        for name, value in part.items():
            worst[name] = max(worst.get(name, 0.0), value)
    return worst


def _beyond(values: Reals, limits: Reals) -> Reals:
    return np.fmax(limits[..., 0] - values, values - limits[..., 1])


def _flow_differences(arrays: SampleArrays, grid: DatasetGrid, values: Values) -> Reals:
    """Return how far flows are from those that results have, as far as they kept them."""
    voltage = np.abs(arrays.voltage[:, arrays.ends]) ** 2
    flow = arrays.flow + np.conj(arrays.beyond) * voltage * arrays.base_mva
    parts = [np.zeros((len(flow), 1))]
    for element in ("line", "trafo", "impedance"):
        own = np.flatnonzero(grid.grid.kind == element)
        for end, side in ENDS:
            for unit, power in (("p_{}_mw", flow.real), ("q_{}_mvar", flow.imag)):
                known = values.get((element, unit.format(end)))
                if known is not None:
                    there = np.nan_to_num(known[:, grid.grid.position[own]])
                    parts.append(np.abs(power[:, own, side] - there))
    return np.concatenate(parts, axis=1)


def _dc_differences(dc: DcArrays, grid: DatasetGrid, values: Values) -> Reals:
    parts = [np.zeros((len(dc.flow), 1))]
    for element in ("line", "trafo"):
        own = np.flatnonzero(grid.grid.kind == element)
        known = values.get((element, "p_from_mw"))
        if known is not None:
            there = np.nan_to_num(known[:, grid.grid.position[own]])
            parts.append(np.abs(dc.flow[:, own] - there))
    return np.concatenate(parts, axis=1)
