"""What a solver hands back, and how it is read out of a solved pandapower network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..model import BRANCHES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model import Model

Status = Literal["ok", "not_converged", "infeasible", "islanded"]

QUANTITIES = (
    "vm_pu",
    "va_degree",
    "p_mw",
    "q_mvar",
    "p_from_mw",
    "q_from_mvar",
    "p_to_mw",
    "q_to_mvar",
    "pl_mw",
    "i_ka",
    "loading_percent",
    "lam_p",
    "lam_q",
)
"""Quantities of a solution, under pandapower's names and in its units."""

_NODE = {name: name for name in ("vm_pu", "va_degree", "p_mw", "q_mvar")}
_POWER = {name: name for name in ("p_mw", "q_mvar")}
_BRANCH = {"pl_mw": "pl_mw", "loading_percent": "loading_percent"}


def _ends(first: str, second: str) -> dict[str, str]:
    return {
        "p_from_mw": f"p_{first}_mw",
        "q_from_mvar": f"q_{first}_mvar",
        "p_to_mw": f"p_{second}_mw",
        "q_to_mvar": f"q_{second}_mvar",
    }


COLUMNS: dict[str, dict[str, str]] = {
    "bus": _NODE,
    "line": {**_ends("from", "to"), **_BRANCH, "i_ka": "i_ka"},
    "trafo": {**_ends("hv", "lv"), **_BRANCH, "i_ka": "i_hv_ka"},
    "trafo3w": {**_ends("hv", "mv"), **_BRANCH, "i_ka": "i_hv_ka"},
    "gen": _NODE,
    "sgen": _POWER,
    "ext_grid": _POWER,
    "load": _POWER,
}
"""For each element: quantity -> column of pandapower's result table."""

REACTIVE = ("vm_pu", "q_mvar", "q_from_mvar", "q_to_mvar")
"""Quantities that a DC power flow assumes and doesn't compute."""

GENERATION = ("ext_grid", "gen", "sgen", "asymmetric_sgen")
CONSUMPTION = ("load", "asymmetric_load", "motor", "storage")
LOSSY = ("line", "trafo", "trafo3w", "impedance", "dcline", "tcsc")


@dataclass(frozen=True)
class Solution:
    """One state of a grid, solved or not.

    Attributes:
        status: ``ok``; ``islanded`` if buses were cut off and the rest was solved;
            ``not_converged`` or ``infeasible`` without any quantities.
        engine: what solved it.
        iterations: iterations of the solver, or None where it has none.
        objective: cost of an optimum, or None.
        quantities: arrays over the model's rows, NaN where a quantity doesn't apply; empty if
            nothing was solved.
        system: MW of load, generation, loss and unserved load, worst loading, voltage extremes.
    """

    status: Status
    engine: str
    iterations: int | None = None
    objective: float | None = None
    quantities: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    system: dict[str, float | int | str | None] = field(default_factory=dict)


def read_out(model: Model, *, dc: bool) -> Solution:
    """Read the solution of the model's network, just solved, out of its result tables.

    Args:
        model: the model, with a state laid over its network.
        dc: whether the network was solved by a DC power flow.

    Returns:
        The solution; ``not_converged`` if the equations turned out to be singular.
    """
    net = model.net
    quantities = {name: np.full(model.rows, np.nan) for name in QUANTITIES}
    for element, columns in COLUMNS.items():
        table = net[f"res_{element}"]
        if not len(table):
            continue
        for quantity, column in columns.items():
            if not (dc and quantity in REACTIVE):
                quantities[quantity][model.spans[element]] = table[column].to_numpy(np.float64)
    supplied = np.isfinite(quantities["va_degree"][model.spans["bus"]])
    if dc and not np.isfinite(_total(model, GENERATION[:2])):
        return Solution("not_converged", "pandapower")
    cut_off = net.bus["in_service"].to_numpy(bool) & ~supplied & ~model.cut_off
    return Solution(
        status="islanded" if cut_off.any() else "ok",
        engine="pandapower",
        quantities=quantities,
        system={
            "load_mw": _total(model, CONSUMPTION),
            "generation_mw": _total(model, GENERATION),
            "loss_mw": _total(model, LOSSY, "pl_mw"),
            "unserved_mw": unserved_mw(model, supplied),
            **_worst_loading(model, quantities["loading_percent"]),
            **_voltage_extremes(model, quantities["vm_pu"][model.spans["bus"]]),
        },
    )


def unserved_mw(model: Model, supplied: NDArray[np.bool_]) -> float:
    """Load in service at buses that the grid as given supplies, but this state doesn't.

    Args:
        model: the model, with a state laid over its network.
        supplied: which buses are supplied in this state, shape (buses,).

    Returns:
        The load in MW.
    """
    load = model.net.load
    lost = ~supplied[model.load_bus] & ~model.cut_off[model.load_bus]
    lost &= load["in_service"].to_numpy(bool)
    return float((load["p_mw"] * load["scaling"]).to_numpy()[lost].sum())


def _total(model: Model, elements: tuple[str, ...], column: str = "p_mw") -> float:
    """Sum over result tables; elements that aren't supplied count for nothing."""
    tables = (model.net.get(f"res_{element}") for element in elements)
    parts = [table[column].sum() for table in tables if table is not None and len(table)]
    return float(sum(parts))


def _worst_loading(model: Model, loading: NDArray[np.float64]) -> dict[str, float | str | None]:
    first, last = model.spans[BRANCHES[0]].start, model.spans[BRANCHES[-1]].stop
    loading = loading[first:last]
    if not np.isfinite(loading).any():
        return {"max_loading_percent": None, "max_loading_element": None}
    row = int(np.nanargmax(loading))
    return {
        "max_loading_percent": float(loading[row]),
        "max_loading_element": model.row_name(first + row),
    }


def _voltage_extremes(model: Model, vm: NDArray[np.float64]) -> dict[str, float | int | None]:
    names = ("min_vm_pu", "min_vm_bus", "max_vm_pu", "max_vm_bus")
    if not np.isfinite(vm).any():
        return dict.fromkeys(names)
    low, high = int(np.nanargmin(vm)), int(np.nanargmax(vm))
    values = (float(vm[low]), int(model.index[low]), float(vm[high]), int(model.index[high]))
    return dict(zip(names, values, strict=True))
