"""The case of a PGLearn dataset: the grid as given, in p.u. and radians, elements counted from 1.

See ``OPFData`` of PGLearn.jl (https://github.com/AI4OPT/PGLearn.jl).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..sample_arrays import branch_admittances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..sample_arrays import SampleArrays

    Reals = NDArray[np.float64]
    Rows = NDArray[np.int64]

NO_LIMIT = 1e9
"""A limit in p.u. that is none, as JSON has no infinite numbers."""


def case_values(arrays: SampleArrays) -> dict[str, Reals]:
    """Return the quantities of a case that samples may have other values of, samples first.

    Args:
        arrays: the samples.
    """
    base = arrays.base_mva
    series = 1 / arrays.impedance
    every = np.ones_like(arrays.live)
    parameters = arrays.impedance, arrays.charging, arrays.tap, arrays.shift
    admittance = branch_admittances(every, *parameters)
    limits = {
        "pg": arrays.p / base,
        "qg": arrays.q / base,
        "v": arrays.vm,
        "dva": np.radians(arrays.angle),
    }
    found = {"g": series.real, "b": series.imag}
    for at, pair in enumerate(("ff", "ft", "tf", "tt")):
        found[f"g{pair}"] = admittance[..., at].real
        found[f"b{pair}"] = admittance[..., at].imag
    found["smax"] = np.where(arrays.rating > 0, arrays.rating / base, NO_LIMIT)
    for name, ends in limits.items():
        for end, side in (("min", 0), ("max", 1)):
            found[f"{name}{end}"] = np.clip(ends[..., side], -NO_LIMIT, NO_LIMIT)
    found |= {"gs": arrays.shunt.real, "bs": arrays.shunt.imag}
    for power in range(3):
        found[f"c{power}"] = arrays.cost[..., power] * base**power
    return found


def case_data(
    name: str, arrays: SampleArrays, loads: Rows, values: Mapping[str, Reals]
) -> dict[str, Any]:
    """Return a case as plain values.

    Args:
        name: its name.
        arrays: the grid as given, as if it were a sample.
        loads: row of the bus of each load, shape (loads,).
        values: its quantities, from :func:`case_values`.
    """
    rows, generators, branches = len(arrays.kv), len(arrays.generator_row), len(arrays.ends)
    first, second = arrays.ends.T
    nothing = np.zeros(generators)
    plain = {
        "vnom": arrays.kv,
        "pd": arrays.demand[0, loads].real / arrays.base_mva,
        "qd": arrays.demand[0, loads].imag / arrays.base_mva,
        "gen_status": arrays.running[0],
        "branch_status": arrays.live[0],
        "bus_fr": first + 1,
        "bus_to": second + 1,
        # No reserves are asked for.
        "rmin": nothing,
        "rmax": nothing,
        **{name: own[0] for name, own in values.items()},
    }
    places = np.concatenate([first, second]), np.tile(np.arange(branches), 2)
    ends = np.repeat([1.0, -1.0], branches)
    at = arrays.generator_row, np.arange(generators)
    running = arrays.running[0].astype(float)
    return {
        "case": name,
        "base_mva": arrays.base_mva,
        "N": rows,
        "E": branches,
        "G": generators,
        "L": len(loads),
        "ref_bus": int(np.flatnonzero(arrays.type[0] == 3)[0]) + 1,
        "reserve_requirement": 0.0,
        "A": _sparse(places[1], places[0], ends, (branches, rows)),
        "Ag": _sparse(*at, running, (rows, generators)),
        "bus_arcs_fr": _at_rows(first, rows),
        "bus_arcs_to": _at_rows(second, rows),
        "bus_gens": _at_rows(arrays.generator_row, rows),
        "bus_loads": _at_rows(loads, rows),
        **{name: own.tolist() for name, own in plain.items()},
    }


def _at_rows(row: Rows, count: int) -> list[list[int]]:
    """Return the numbers of what is at each row, from 1."""
    found: list[list[int]] = [[] for _ in range(count)]
    for number, place in enumerate(row.tolist(), 1):
        found[place].append(number)
    return found


def _sparse(row: Rows, column: Rows, values: Reals, shape: tuple[int, int]) -> dict[str, Any]:
    """Return a matrix by what isn't zero in it, column by column, counted from 1."""
    order = np.lexsort((row, column))
    order = order[values[order] != 0]
    return {
        "I": (row[order] + 1).tolist(),
        "J": (column[order] + 1).tolist(),
        "V": values[order].tolist(),
        "M": shape[0],
        "N": shape[1],
    }
