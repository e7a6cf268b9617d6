"""Optimal power flow: states of a grid in, the cheapest dispatch of each out."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import SolverError
from ..files.words import numbered
from ..model.solution import Solution
from ..powerflow.admittances import SHAPING, admittances_of, cached_admittances
from ..powerflow.injections.state_columns import Columns
from ..powerflow.plain.results import blackout
from ..powerflow.solve import topology_of
from .dispatch import dispatch_of
from .opf_results import solution_at
from .optimum import Optimum
from .redispatch import with_deviations
from .ties.storage import both_ways, stored_at, turned_one_way

SHAPING_DC = ("trafo_model", "trafo3w_losses", "switch_rx_ratio")
"""Options that shape the equations of a DC power flow."""

MOST_TURNS = 10
"""Rounds in which storages lose one of their ways; each leaves fewer with both."""

ONE_WAY = (
    "storages that would charge and discharge at once, as losses pay, were held to one of the two: "
    "there may be a cheaper way"
)

BOTH_WAYS = "storages would charge and discharge at once, as losses pay, and no other way was found"

TIED = "it has a solution of its own, but not one together with the other snapshots"

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel
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
    """Solve the optimal power flow of a state, or of several that are tied together.

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

    if options.get("objective") == "redispatch":
        deviating = [
            with_deviations(model, state, options, dc=solver == "dc_opf") for state in states
        ]
        why = next((one for one in deviating if isinstance(one, str)), "")
        if why:
            return [Solution("not_converged", "", detail=why) for _ in states]
        states = [one for one in deviating if not isinstance(one, str)]
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
        dispatches = _dispatches(model, states, admittances, options)
        dc_points = partial(_dc_points, model, states, options) if not changed else _nothing
        begin = before.start if before else None
        optima = _stored(
            dispatches, partial(_optima, model, solver=solver, start=begin, dc_points=dc_points)
        )
        hourly = map(_per_hour, dispatches, optima)
        loading = str(options.get("trafo_loading", "current"))
        return [
            solution_at(model, dispatch, optimum, dc=solver == "dc_opf", trafo_loading=loading)
            for dispatch, optimum in zip(dispatches, hourly, strict=True)
        ]


def _nothing() -> None:
    """Return no points: the network as it stands has no equations of its own kept."""


def _dc_points(
    model: GridModel, states: Sequence[State], options: Mapping[str, Any]
) -> list[tuple[Any, Any]] | None:
    """Return angles in radians and injections in p.u. of each state's DC optimum, if there are."""
    from .dc.solve import solve_dc_opf

    shape = {name: value for name, value in options.items() if name in SHAPING_DC}
    kept = cached_admittances(model, "dc", shape, dispatched=True)
    if isinstance(kept, str):
        return None
    admittances = topology_of(kept, Columns(model, states[0]), held=False)
    if admittances is None:
        return None
    optima = solve_dc_opf(_dispatches(model, states, admittances, options))
    if optima[0].status != "ok":
        return None
    return [(one.angle, one.p) for one in optima]


def _dispatches(
    model: GridModel,
    states: Sequence[State],
    admittances: AdmittanceModel,
    options: Mapping[str, Any],
) -> list[Dispatch]:
    """Return states in numbers; costs of several count by the hours that each lasts."""
    every = hours_of(options, len(states))
    mean = sum(every) / len(every)
    dispatches = [
        dispatch_of(model, state, admittances, options, hours=hours, weight=hours / mean)
        for state, hours in zip(states, every, strict=True)
    ]
    units = dispatches[0].units
    for dispatch in dispatches[1:]:
        own = dispatch.units
        alike = len(own.row) == len(units.row) and bool((own.element == units.element).all())
        if not alike or not (own.position == units.position).all():
            what = "what may be chosen differs from one snapshot to the other"
            raise SolverError(what, hint="snapshots that are tied need the same controllable")
    return dispatches


def _per_hour(dispatch: Dispatch, optimum: Optimum) -> Optimum:
    """Return an optimum whose cost and prices are those of an hour, without its weight."""
    if dispatch.weight == 1 or optimum.status != "ok":
        return optimum
    names = ("objective", "lam_p", "lam_q", "mu_p", "mu_q", "mu_vm", "mu_flow", "mu_angle")
    known = {name: getattr(optimum, name) for name in names}
    return replace(
        optimum,
        **{name: one / dispatch.weight for name, one in known.items() if one is not None},
    )


def hours_of(options: Mapping[str, Any], count: int) -> list[float]:
    """Return how long each of some snapshots lasts.

    Raises:
        SolverError: if ``snapshot_hours`` has another number of them.
    """
    hours = options.get("snapshot_hours", 1.0)
    if not isinstance(hours, list):
        return [float(hours)] * count
    if len(hours) != count:
        what = f"snapshot_hours has {len(hours)} entries for {numbered(count, 'snapshot')}"
        raise SolverError(what, hint="give one for each, or a number for all")
    return [float(one) for one in hours]


def _stored(
    snapshots: list[Dispatch], optimise: Callable[[list[Dispatch]], list[Optimum]]
) -> list[Optimum]:
    """Return optima in which no storage with losses charges and discharges at once."""
    optima = optimise(snapshots)
    if not len(snapshots[0].stores.unit):
        return optima
    limited = ""
    for _ in range(MOST_TURNS):
        if optima[0].status != "ok":
            break
        stored = stored_at(snapshots, optima[0].tied)
        if not both_ways(snapshots, stored).any():
            return [
                replace(one, stored=content, detail=limited)
                for one, content in zip(optima, stored.content, strict=True)
            ]
        snapshots, limited = turned_one_way(snapshots, stored), ONE_WAY
        optima = optimise(snapshots)
    if not limited:
        return optima
    return [Optimum("not_converged", detail=BOTH_WAYS, engine=one.engine) for one in optima]


def _optima(
    model: GridModel,
    dispatches: list[Dispatch],
    *,
    solver: str,
    start: Any,
    dc_points: Callable[[], list[tuple[Any, Any]] | None],
) -> list[Optimum]:
    from .infeasibility import crossed, description, least_violations

    dc = solver == "dc_opf"
    contradictions = [crossed(model, dispatch) for dispatch in dispatches]
    if any(contradictions):
        return [Optimum("infeasible", detail=text or TIED) for text in contradictions]
    optimise = _optimiser(solver)
    optima = optimise(dispatches, before=start)
    if optima[0].status == "ok" or optima[0].unbounded:
        return optima
    if not dc:
        from .ac.ladder import RUNGS, SECOND_OPINION, climbed

        # Where a point is found that breaks limits least, further starts end there, too.
        rungs = SECOND_OPINION if optima[0].status == "infeasible" else tuple(RUNGS)
        optima = climbed(dispatches, dc_points, rungs) or optima
    if optima[0].status == "ok":
        return optima
    found = [least_violations(dispatch, dc=dc) for dispatch in dispatches]
    known = [violations for violations in found if violations is not None]
    if len(known) < len(found):
        return optima
    if not any(violations.any for violations in known) and len(known) == 1:
        # A point that keeps all limits: the optimiser may go on from there.
        return optima if dc else optimise(dispatches, before=known[0].point)
    texts = [
        description(model, dispatch, violations, dc=dc) if violations.any else TIED
        for dispatch, violations in zip(dispatches, known, strict=True)
    ]
    broken = any(violations.any for violations in known)
    return [
        replace(one, status="infeasible" if broken else one.status, detail=text)
        for one, text in zip(optima, texts, strict=True)
    ]


def _optimiser(solver: str) -> Callable[..., list[Optimum]]:
    """Imported late: each costs a process time."""
    if solver == "dc_opf":
        from .dc.solve import solve_dc_opf

        return solve_dc_opf
    from .ac.solve import solve_ac_opf

    return solve_ac_opf
