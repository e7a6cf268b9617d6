"""A solution read out of a solved pandapower network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...model.grid_model import supplied_buses
from ...model.nodal_power import UNSERVED, given_power
from ...model.quantities import COLUMNS, REACTIVE
from ...model.solution import Solution
from ...model.unharmed import ENGINE
from ..extremes import voltage_extremes, worst_loading

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ...model.grid_model import GridModel


GENERATION = ("ext_grid", "gen", "sgen", "asymmetric_sgen")
CONSUMPTION = (
    "load", "asymmetric_load", "motor", "storage", "shunt", "ward", "xward", "vsc",
)  # fmt: skip
LOSSY = ("line", "trafo", "trafo3w", "impedance", "tcsc", "dcline")
"""What the totals count, so that generation = load + loss. A storage is a load, negative while it
discharges; a converter to DC buses draws what its DC grid takes."""


def blackout(model: GridModel) -> Solution:
    """Return the solution of a network that has lost every slack.

    Args:
        model: the model, with a state laid over its network.

    Returns:
        All load unserved, no element.
    """
    nowhere = np.zeros(len(model.cut_off), dtype=bool)
    return Solution(
        "islanded",
        ENGINE,
        system={**cut_off_mw(model, nowhere)},
        detail="no slack is left in service: nothing is supplied",
    )


def results_of_network(model: GridModel, *, dc: bool) -> Solution:
    """Read the solution of the model's network, just solved, out of its result tables.

    Args:
        model: the model, with a state laid over its network.
        dc: whether the network was solved by a DC power flow.

    Returns:
        The solution.
    """
    net = model.net
    elements = {
        element: {
            quantity: net[f"res_{element}"][column].to_numpy(np.float64, copy=True)
            for quantity, column in columns.items()
            if not (dc and quantity in REACTIVE)
        }
        for element, columns in COLUMNS.items()
        if len(model.ids.get(element, ()))
    }
    supplied = supplied_buses(net)
    if not np.isfinite(elements["bus"]["va_degree"][supplied]).all():
        return Solution("not_converged", ENGINE, detail="the equations are singular")
    lost = net.bus["in_service"].to_numpy(bool) & ~supplied & ~model.cut_off
    count = int(lost.sum())
    return Solution(
        status="islanded" if count else "ok",
        engine=ENGINE,
        elements=elements,
        system={
            "load_mw": _total(net, CONSUMPTION, "p_mw"),
            "generation_mw": _total(net, GENERATION, "p_mw"),
            "loss_mw": _total(net, LOSSY, "pl_mw") + _total(net, ("switch",), *THROUGH),
            **cut_off_mw(model, supplied),
            **worst_loading(model, elements),
            **({} if dc else voltage_extremes(model, elements["bus"]["vm_pu"])),
        },
        detail=cut_off(count),
    )


def cut_off(buses: int) -> str:
    """Tell what is said of a solution in which buses are cut off."""
    return f"{buses} {'bus is' if buses == 1 else 'buses are'} cut off" if buses else ""


THROUGH = ("p_from_mw", "p_to_mw")
"""What goes into the ends of an element between two buses."""


def cut_off_mw(model: GridModel, supplied: NDArray[np.bool_]) -> dict[str, float]:
    """Load and generation that the state laid over the network cuts off.

    Args:
        model: the model.
        supplied: buses that are supplied, shape (buses,).

    Returns:
        ``unserved_mw`` and ``lost_generation_mw``: what is in service, in MW, where the grid as
        given supplies and this state doesn't.
    """
    lost = ~supplied & ~model.cut_off
    if not lost.any():
        return {"unserved_mw": 0.0, "lost_generation_mw": 0.0}
    net = model.net

    def read(element: str, column: str) -> NDArray[Any]:
        values: NDArray[np.float64] = net[element][column].to_numpy(np.float64)
        return values

    def at_lost(element: str) -> NDArray[np.float64]:
        out = lost[model.position[element]]
        if element == "gen":
            live = read(element, "in_service").astype(bool)
            power = (read(element, "p_mw") * read(element, "scaling"))[out & live]
        else:
            power = given_power(element, read, {}).real[out]
        return np.asarray(power, np.float64)

    stored = at_lost("storage")
    load = sum(at_lost(element).sum() for element in UNSERVED)
    generation = sum(at_lost(element).sum() for element in ("gen", "sgen", "asymmetric_sgen"))
    return {
        "unserved_mw": float(load + np.maximum(stored, 0.0).sum()),
        "lost_generation_mw": float(generation - np.minimum(stored, 0.0).sum()),
    }


def _total(net: pandapowerNet, elements: tuple[str, ...], *columns: str) -> float:
    """Sum over elements in MW; pandapower has 0 or no value for those that aren't supplied."""
    tables = [net[f"res_{element}"] for element in elements if len(net[element])]
    parts = (table[column].to_numpy(np.float64) for table in tables for column in columns)
    return float(sum(np.nansum(part) for part in parts))
