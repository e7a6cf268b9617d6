"""How much more load a grid can serve: its loadability limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...errors import SolverError
from ...model.grid_model import prepare
from ...model.state import Change, State
from ...powerflow.admittances import cached_admittances
from ..dispatch import dispatch_of
from .programs import largest_ac_factor, largest_dc_factor

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

Study = Literal["dc_opf", "ac_opf"]

DECIMALS = 6
"""The limit is rounded down to these, as later digits differ between machines."""


def loadability_limit(net: pandapowerNet, study: Study) -> float:
    """Return the largest factor on all loads of a grid that can still be served.

    It multiplies active and reactive power of every load. All else is as the optimal power flow of
    the grid as given has it, with the solver's own options: generators are chosen within their
    limits, ratings and voltage limits are kept. What is found for AC is a local maximum.

    Args:
        net: the grid; its results and options are lost.
        study: the optimal power flow that is to have a solution.

    Raises:
        SolverError: if there is no such factor, or none was found.
    """
    table = net["load"]
    if "controllable" in table and (table["controllable"].isin([True]) & table["in_service"]).any():
        what = "its loads have no common limit: some are chosen by the optimal power flow"
        raise SolverError(what, hint="take `controllable` off them, or give a number")
    model = prepare(net)
    shape = {} if study == "dc_opf" else {"calculate_voltage_angles": True}
    admittances = cached_admittances(model, study.removesuffix("_opf"), shape, dispatched=True)
    if isinstance(admittances, str):
        raise SolverError(f"its loadability limit can't be found: {admittances}")
    nothing = np.zeros(len(table))
    unloaded = State(None, tuple(Change("load", name, nothing) for name in ("p_mw", "q_mvar")))
    loaded, empty = (
        dispatch_of(model, state, admittances, {}) for state in (State(None, ()), unloaded)
    )
    loads = loaded.demand - empty.demand
    if not loads.any():
        raise SolverError("has no loads to be scaled")
    largest = largest_dc_factor if study == "dc_opf" else largest_ac_factor
    steps = 10.0**DECIMALS
    return math.floor(largest(empty, loads) * steps) / steps
