"""The highest loading and the extreme voltages of a state, or of each state of a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..study.scenario import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.grid_model import GridModel

    Reals = NDArray[np.float64]

DIGITS = 9
"""Of values that agree so far, the first element's counts as the extreme: many generators hold one
setpoint, and the last digits are noise."""


def worst_loading(model: GridModel, elements: Mapping[str, Mapping[str, Reals]]) -> dict[str, Any]:
    """Return the highest loading of a branch in percent, and which one it is.

    Args:
        model: the grid.
        elements: element -> quantity -> values, shape (..., elements).

    Returns:
        Columns of the system row, of a block with a value for each state; none without branches,
        or where no branch has a loading.
    """
    loadings = {
        element: elements[element]["loading_percent"]
        for element in BRANCHES
        if "loading_percent" in elements.get(element, {})
    }
    if not loadings:
        return {}
    loading = np.concatenate(list(loadings.values()), axis=-1)
    rounded = np.round(loading, DIGITS)
    rounded[np.isnan(loading)] = -np.inf
    at = rounded.argmax(axis=-1)
    highest = _taken(loading, at)
    if np.isnan(highest).all():
        return {}
    named = _labels(model, tuple(loadings))[at]
    if highest.ndim == 0:
        return {"max_loading_percent": float(highest), "max_loading_element": str(named)}
    named[np.isnan(highest)] = None
    return {"max_loading_percent": highest, "max_loading_element": named}


def voltage_extremes(model: GridModel, vm_pu: Reals) -> dict[str, Any]:
    """Return the lowest and the highest voltage of a bus in p.u., and where they are.

    Args:
        model: the grid.
        vm_pu: voltage of each bus, NaN where there is none, shape (..., buses).
    """
    rounded = np.round(vm_pu, DIGITS)
    missing = np.isnan(vm_pu)
    buses = model.ids["bus"]
    found: dict[str, Any] = {}
    for extreme, away in (("min", np.inf), ("max", -np.inf)):
        known = np.where(missing, away, rounded)
        at = known.argmin(axis=-1) if extreme == "min" else known.argmax(axis=-1)
        value, bus = _taken(vm_pu, at), buses[at]
        if value.ndim == 0:
            value, bus = float(value), int(bus)
        found |= {f"{extreme}_vm_pu": value, f"{extreme}_vm_bus": bus}
    return found


def _taken(values: Reals, at: Any) -> Any:
    """Return the value at a position of each state, shape (...)."""
    if values.ndim == 1:
        return values[at]
    return values[np.arange(len(values)), at]


def _labels(model: GridModel, kinds: tuple[str, ...]) -> NDArray[Any]:
    """Return names of branches as ``line:3``; kept for all states."""
    key = ("labels", kinds)
    if key not in model.columns:
        named = [f"{element}:{index}" for element in kinds for index in model.ids[element]]
        model.columns[key] = np.array(named, object)
    return model.columns[key]
