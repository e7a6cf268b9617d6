"""Optimal power flow: states of a grid in, the cheapest dispatch of each out."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..powerflow.admittances import SHAPING, admittances_of, cached_admittances
from ..powerflow.injections.state_columns import Columns
from ..powerflow.plain.results import blackout
from ..powerflow.solve import topology_of
from .dispatch import dispatch_of
from .opf_results import solution_at
from .optimum import Optimum

TIED = "it has a solution of its own, but not one together with the other snapshots"

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel
    from ..model.solution import Solution
    from ..model.state import State
    from .dispatch import Dispatch


def solve_opf(
    model: GridModel,
    states: Sequence[State],
    solver: str,
    options: Mapping[str, Any],
    *,
    before: Solution | None = None,
) -> list[Solution] | str:
    """Solve the optimal power flow of a state, or of several that ramps tie together.

    Args:
        model: the model; its network is afterwards as before.
        states: the states, which have the same elements in service.
        solver: ``dc_opf`` or ``ac_opf``.
        options: solver options.
        before: the solution of an earlier state of the same scenario, to start from.

    Returns:
        A solution for each state, or why only pandapower can solve this grid.

    Raises:
        SolverError: if the study can't be posed.
    """
    from ..grids.slack import has_slack, references
    from ..model.state import applied

    shape = {name: value for name, value in options.items() if name in SHAPING}
    if solver == "ac_opf":
        shape = {"calculate_voltage_angles": True, **shape}
    kind = solver.removesuffix("_opf")
    kept = cached_admittances(model, kind, shape, dispatched=True)
    if isinstance(kept, str):
        return kept
    admittances: AdmittanceModel | str | None = topology_of(
        kept, Columns(model, states[0]), held=False
    )
    # Where the islands change, the equations are made anew from the network itself.
    changed = admittances is None
    with applied(model.net, states[0]) if changed else nullcontext():
        if changed:
            if not (has_slack(model.net) or references(model.net)):
                return [blackout(model) for _ in states]
            admittances = admittances_of(model.net, kind, shape, dispatched=True)
        if isinstance(admittances, str):
            return admittances
        assert admittances is not None  # noqa: S101 - made anew where it was
        dispatches = [dispatch_of(model, state, admittances, options) for state in states]
        optima = _optima(model, dispatches, solver, before.start if before else None)
        loading = str(options.get("trafo_loading", "current"))
        return [
            solution_at(model, dispatch, optimum, dc=solver == "dc_opf", trafo_loading=loading)
            for dispatch, optimum in zip(dispatches, optima, strict=True)
        ]


def _optima(model: GridModel, dispatches: list[Dispatch], solver: str, start: Any) -> list[Optimum]:
    from .infeasibility import crossed, description, least_violations

    dc = solver == "dc_opf"
    contradictions = [crossed(model, dispatch) for dispatch in dispatches]
    if any(contradictions):
        return [Optimum("infeasible", detail=text or TIED) for text in contradictions]
    optimise = _optimiser(solver)
    optima = optimise(dispatches, before=start)
    if optima[0].status == "ok" or optima[0].unbounded:
        return optima
    found = [least_violations(dispatch, dc=dc) for dispatch in dispatches]
    if any(violations is None for violations in found):
        return optima
    known = [violations for violations in found if violations is not None]
    if not any(violations.any for violations in known):
        if dc or len(known) > 1:
            return [replace(one, detail=TIED) for one in optima] if len(known) > 1 else optima
        # A point that keeps all limits: the optimiser may go on from there.
        return optimise(dispatches, before=known[0].point)
    return [
        replace(
            one,
            status="infeasible",
            detail=description(model, dispatch, violations) if violations.any else TIED,
        )
        for one, dispatch, violations in zip(optima, dispatches, known, strict=True)
    ]


def _optimiser(solver: str) -> Callable[..., list[Optimum]]:
    """Imported late: each costs a process time."""
    if solver == "dc_opf":
        from .dc import solve_dc_opf

        return solve_dc_opf
    from .ac import solve_ac_opf

    return solve_ac_opf
