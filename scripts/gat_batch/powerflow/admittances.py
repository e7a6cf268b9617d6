"""Whether a study can be solved on the admittance model, and those equations."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pandapower
from pandapower.auxiliary import LoadflowNotConverged

from ..errors import SolverError
from ..grids.slack import has_slack, referenced
from ..model.admittance_model import admittance_model_of, obstacle
from ..model.state import Change, State, applied
from ..model.unharmed import run_dc, unharmed
from ..upstream.pandapower import solved_arrays, usual_start
from .impedances.own_equations import with_impedances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandapower.auxiliary import pandapowerNet

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel

SHAPING = (
    "trafo_model",
    "trafo3w_losses",
    "switch_rx_ratio",
    "calculate_voltage_angles",
    "neglect_open_switch_branches",
    "consider_line_temperature",
)
"""Options that shape the equations."""

SOLVING = (
    "trafo_loading",
    "init",
    "init_vm_pu",
    "init_va_degree",
    "max_iteration",
    "tolerance_mva",
    "enforce_p_lims",
    "enforce_q_lims",
    "delta_q",
    "distributed_slack",
    "voltage_depend_loads",
    "tap_control",
    "tdpf_delay_s",
    "tdpf_update_r_theta",
)
"""Options that have no influence on them: on their solution, or on what is asked of them."""

OFF: dict[str, Any] = {
    "algorithm": "nr",
    "tdpf": False,
}
"""Options that leave a study to pandapower, unless they have these values."""


def cached_admittances(
    model: GridModel, solver: str, options: Mapping[str, Any], *, dispatched: bool = False
) -> AdmittanceModel | str:
    """Return the equations of the grid as given, made once for each set of options that shape them.

    Args:
        model: the model, with no state laid over its network.
        solver: ``dc`` or ``ac``.
        options: solver options.
        dispatched: whether powers and voltages of generators are chosen and not given.

    Returns:
        The equations, or why pandapower has to solve such studies of this grid.
    """
    for name, value in options.items():
        if OFF.get(name, value) != value:
            return f"it is solved with {name}: {value}"
        if name not in (*SHAPING, *SOLVING, *OFF):
            return f"it is solved with {name}"
    shape = {name: value for name, value in options.items() if name in SHAPING}
    key = (solver, dispatched, tuple(sorted(shape.items())))
    if key not in model.equations:
        model.equations[key] = _from_given(
            model, solver, shape, dispatched=dispatched
        ) or admittances_of(model.net, solver, shape, dispatched=dispatched)
    return model.equations[key]


def _from_given(
    model: GridModel, solver: str, shape: Mapping[str, Any], *, dispatched: bool
) -> AdmittanceModel | None:
    """Return equations as they follow from those of the grid given; None if they don't."""
    if model.given is None:
        return None
    given = cached_admittances(model.given, solver, shape, dispatched=dispatched)
    return (
        None
        if isinstance(given, str)
        else with_impedances(given, model.given.net, model.net, shape)
    )


def admittances_of_state(
    model: GridModel, state: State, solver: str, options: Mapping[str, Any]
) -> AdmittanceModel | str:
    """Return the equations of a state's own topology, with nothing left to be taken out of them.

    Args:
        model: the model, with no state laid over its network.
        state: the state.
        solver: ``dc`` or ``ac``.
        options: solver options.

    Returns:
        The equations, or why pandapower has to solve the state. Those of the last outages are
        kept: the snapshots of a scenario have the same.
    """
    given = cached_admittances(model, solver, options)
    outages = {
        change.element: change.values
        for change in state.changes
        if change.column == "in_service" and change.element not in ("load", "sgen")
    }
    if isinstance(given, str) or not outages:
        return given
    key = {element: values.tobytes() for element, values in outages.items()}
    if given.solvers.get("own outages") != key:
        changes = tuple(Change(name, "in_service", values) for name, values in outages.items())
        shape = {name: value for name, value in options.items() if name in SHAPING}
        with applied(model.net, State(None, changes)):
            if not has_slack(model.net):
                return "no slack is left in service"
            given.solvers["own equations"] = admittances_of(model.net, solver, shape)
        given.solvers["own outages"] = key
    own: AdmittanceModel | str = given.solvers["own equations"]
    return own


def admittances_of(
    net: pandapowerNet, solver: str, options: Mapping[str, Any], *, dispatched: bool = False
) -> AdmittanceModel | str:
    """Return the equations of a network as it stands.

    Arguments as in :func:`cached_admittances`.
    """
    if net["user_pf_options"]:
        return "its file holds options for power flows"
    dc = solver == "dc"
    with referenced(net) if dispatched else nullcontext():
        _solve_once(net, options, dc=dc)
        if "bus" not in solved_arrays(net).get("internal", {}):
            return "there is nothing to solve: references are its only buses"
        why = obstacle(net, dc=dc, dispatched=dispatched)
        if why:
            return why
    # Read with the tables as they were: a reference without a generator is no external grid.
    return admittance_model_of(net, dc=dc)


def _solve_once(net: pandapowerNet, options: Mapping[str, Any], *, dc: bool) -> None:
    """Have pandapower pose the equations; where they don't converge they are there all the same."""
    if dc:
        run_dc(net, options)
        return
    plain = {"numba": False, "lightsim2grid": False, **options}
    with suppress(LoadflowNotConverged):
        try:
            with unharmed(net):
                pandapower.runpp(net, **usual_start(net, options), **plain)
        except SolverError:
            # As for a branch without reactance, by which the DC power flow at its start divides.
            with unharmed(net):
                pandapower.runpp(net, init="flat", **plain)
