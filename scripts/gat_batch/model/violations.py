"""What counts as a violation, and where a solution has any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..study.scenario import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from .solution import Solution


HAIR_PU, HAIR_PERCENT = 1e-9, 1e-4
"""By how much a limit may be exceeded without any violation: setpoints lie on the edge of their
band, and optima on the edge of their ratings."""


@dataclass(frozen=True)
class Limits:
    """What counts as a violation.

    Attributes:
        loading_percent: loading of a branch above this, in percent.
        voltage_band_pu: voltage of a bus outside this band, in p.u.
    """

    loading_percent: float = 100.0
    voltage_band_pu: tuple[float, float] = (0.9, 1.1)

    @property
    def most_percent(self) -> float:
        """The loading limit and a hair's breadth, in percent."""
        return self.loading_percent + HAIR_PERCENT

    @property
    def band_pu(self) -> tuple[float, float]:
        """The voltage band and a hair's breadth on either side, in p.u."""
        low, high = self.voltage_band_pu
        return low - HAIR_PU, high + HAIR_PU


def voltage_bands(net: pandapowerNet, limits: Limits) -> tuple[NDArray[np.float64], ...]:
    """The lowest and highest voltage of each bus in p.u.: its own, or else the common band."""
    return tuple(
        net.bus[name].fillna(common).to_numpy(np.float64)
        if name in net.bus
        else np.full(len(net.bus), common)
        for name, common in zip(("min_vm_pu", "max_vm_pu"), limits.voltage_band_pu, strict=True)
    )


def violations(
    solution: Solution, limits: Limits, bands: tuple[NDArray[np.float64], ...]
) -> dict[str, NDArray[np.int64]]:
    """Return elements in violation.

    Args:
        solution: the solution.
        limits: what counts as one.
        bands: as from :func:`voltage_bands`.

    Returns:
        Element -> positions in its table; elements without any are left out.
    """
    found = {
        element: np.flatnonzero(broken)
        for element, broken in in_violation(solution.elements, limits, bands).items()
    }
    return {element: positions for element, positions in found.items() if len(positions)}


def in_violation(
    elements: Mapping[str, Mapping[str, NDArray[np.float64]]],
    limits: Limits,
    bands: tuple[NDArray[np.float64], ...],
) -> dict[str, NDArray[np.bool_]]:
    """Tell which elements are in violation, in one state or in each state of a block.

    Args:
        elements: element -> quantity -> values, shape (..., elements).
        limits: what counts as a violation.
        bands: as from :func:`voltage_bands`.

    Returns:
        Element -> whether each is, shape (..., elements); only those that have what is judged.
    """
    found = {}
    vm = elements.get("bus", {}).get("vm_pu")
    if vm is not None:
        found["bus"] = (vm < bands[0] - HAIR_PU) | (vm > bands[1] + HAIR_PU)
    for branch in BRANCHES:
        loading = elements.get(branch, {}).get("loading_percent")
        if loading is not None:
            found[branch] = loading > limits.most_percent
    return found
