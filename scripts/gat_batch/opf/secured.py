"""The secured dispatch of a state: its optimum with ratings kept after every contingency."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..errors import SolverError
from ..model.state import Change, State
from ..powerflow.admittances import SHAPING, cached_admittances
from ..powerflow.branch_flows import at_branches
from ..powerflow.injections.state_columns import Columns
from ..powerflow.solve import solve_power_flow, topology_of
from .dc.program import elastic, layout_of, program_of, with_rows, with_ties
from .dc.solve import linear_optimum, solve_dc_opf
from .dispatch import dispatch_of
from .infeasibility import branch_name, crossed, description, least_violations
from .opf_results import solution_at
from .redispatch import with_deviations
from .security import Security
from .ties.every import ties_of
from .units import FIXED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..model.contingencies.contingency import Contingency
    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.solution import Solution
    from .dispatch import Dispatch
    from .optimum import Optimum
    from .security import Guard

    Reals = NDArray[np.float64]

MOST_ROUNDS = 50
"""Rounds of adding ratings; each adds some, so that there is an end."""

MOST_NAMED = 5

BINDING = 1e-6
"""Price of a rating in p.u. above which it binds."""


def solve_secured(
    model: GridModel,
    state: State,
    options: Mapping[str, Any],
    contingencies: Sequence[Contingency],
    criteria: Mapping[str, Criteria],
) -> Solution:
    """Solve a DC optimal power flow that keeps all ratings after every contingency.

    Args:
        model: the model, with no state laid over its network.
        state: the state.
        options: solver options.
        contingencies: what it is secured against.
        criteria: by category, the set of ratings that each keeps.

    Returns:
        The optimum; ``detail`` tells what security costs, which contingencies bind and what isn't
        guarded against.

    Raises:
        SolverError: if the equations can't represent the grid or the state, or there are no
            contingencies.
    """
    if not contingencies:
        hint = "give the scenario contingencies, or leave secure out"
        raise SolverError("there are no contingencies to be secure against", hint=hint)
    if options.get("objective") == "redispatch":
        deviating = with_deviations(model, state, options, dc=True)
        if isinstance(deviating, str):
            raise SolverError(deviating)
        state = deviating
    dispatch = _dispatch(model, state, options)
    text = crossed(model, dispatch)
    ratings = {name: _ratings_by(one, dispatch) for name, one in criteria.items()}
    security = Security(dispatch, contingencies, {"": dispatch.rating} | ratings)
    guards: list[Guard] = []
    optimum, free_cost = _optimum(dispatch, guards), np.nan
    for _ in range(MOST_ROUNDS):
        if optimum.status != "ok":
            break
        free_cost = optimum.objective if np.isnan(free_cost) else free_cost
        known = {(guard.contingency, guard.branch) for guard in guards}
        broken = security.broken(optimum.angle, optimum.p)
        added = [one for one in broken if (one.contingency, one.branch) not in known]
        if not added:
            break
        guards += added
        optimum = _optimum(dispatch, guards)
    loading = str(options.get("trafo_loading", "current"))
    if optimum.status != "ok":
        if optimum.status == "infeasible":
            why = text or _why(model, dispatch, guards, contingencies)
            optimum = replace(optimum, detail=why)
        return solution_at(model, dispatch, optimum, dc=True, trafo_loading=loading)
    solution = solution_at(model, dispatch, optimum, dc=True, trafo_loading=loading)
    names = [
        f"{contingencies[guard.contingency].name} on {branch_name(model, dispatch, guard.branch)}"
        for guard in guards
    ]
    told = [f"secured against {len(contingencies)} contingencies"]
    told[0] += f" at {optimum.objective - free_cost:.6g} an hour"
    told += _binding(names, optimum) if guards else []
    if security.parting:
        told.append(f"{len(security.parting)} part the grid")
    if security.unguarded:
        told.append(f"{len(security.unguarded)} can't be guarded against")
    return replace(solution, detail="; ".join([*filter(None, [solution.detail]), *told]))


def _why(
    model: GridModel,
    dispatch: Dispatch,
    guards: Sequence[Guard],
    contingencies: Sequence[Contingency],
) -> str:
    """Return why there is no secured dispatch: by how much ratings give way at the least."""
    if not guards:
        least = least_violations(dispatch, dc=True)
        return description(model, dispatch, least, dc=True) if least and least.any else ""
    verdict = "no dispatch keeps all ratings after every contingency"
    breaches = _least_breaches(dispatch, guards)
    if breaches is None:
        return verdict
    worst = [n for n in np.argsort(-breaches)[:MOST_NAMED].tolist() if breaches[n] > BINDING]
    named = [
        f"{branch_name(model, dispatch, guards[n].branch)} is "
        f"{breaches[n] * dispatch.admittances.base_mva:.4g} MW above its rating after "
        f"{contingencies[guards[n].contingency].name}"
        for n in worst
    ]
    more = int((breaches > BINDING).sum()) - len(worst)
    named += [f"and {more} more"] if more else []
    return f"{verdict}; at the least: {', '.join(named)}"


def _least_breaches(dispatch: Dispatch, guards: Sequence[Guard]) -> Reals | None:
    """Return by how much ratings after contingencies are exceeded in p.u., in sum the least."""
    layout = layout_of(dispatch)
    program = with_ties(program_of(dispatch, layout), ties_of([dispatch]), [layout])
    program = with_rows(program, *_guarding(guards))
    rows, columns = program.matrix.shape
    value = linear_optimum(elastic(program, rows - len(guards), len(guards)))
    return None if value is None else value[columns:].reshape(2, -1).sum(axis=0)


def _guarding(guards: Sequence[Guard]) -> tuple[Any, Reals, Reals]:
    """Return the rows of ratings after contingencies, and their lowest and highest values."""
    rating = np.array([guard.rating for guard in guards])
    shift = np.array([guard.shift for guard in guards])
    rows = sparse.vstack([guard.row for guard in guards], format="csr")
    return rows, -rating - shift, rating - shift


def _ratings_by(criteria: Criteria, dispatch: Dispatch) -> Reals:
    """Return the ratings of the live branches in p.u. that criteria have."""
    admittances = dispatch.admittances
    rating: Reals = dispatch.rating / at_branches(admittances, criteria.share)[admittances.live]
    return rating


def _dispatch(model: GridModel, state: State, options: Mapping[str, Any]) -> Dispatch:
    shape = {name: value for name, value in options.items() if name in SHAPING}
    kept = cached_admittances(model, "dc", shape, dispatched=True)
    if isinstance(kept, str):
        raise SolverError(f"a secured dispatch can't be found: {kept}")
    admittances = topology_of(kept, Columns(model, state), held=False)
    if admittances is None:
        what = "a secured dispatch can't be found: outages of the scenario change the islands"
        raise SolverError(what, hint="leave secure or these outages out")
    return dispatch_of(model, state, admittances, options)


def _optimum(dispatch: Dispatch, guards: Sequence[Guard]) -> Optimum:
    """Return the optimum that keeps some ratings after contingencies."""
    if not guards:
        return solve_dc_opf([dispatch])[0]
    return solve_dc_opf([dispatch], guarded=_guarding(guards))[0]


def _binding(names: Sequence[str], optimum: Optimum) -> list[str]:
    """Return which contingencies bind on which branches, those that cost most first."""
    prices = np.abs(optimum.mu_guarded)
    binding = np.flatnonzero(prices > BINDING)
    binding = binding[np.argsort(-prices[binding])]
    if not len(binding):
        return []
    more = f" and {len(binding) - MOST_NAMED} more" if len(binding) > MOST_NAMED else ""
    return [f"binding: {', '.join(names[n] for n in binding[:MOST_NAMED])}{more}"]


def dispatched(model: GridModel, state: State, solution: Solution) -> State:
    """Return a state in which units give what an optimum has chosen; slacks balance the rest."""
    column = Columns(model, state)
    changes = []
    for element in ("gen", *FIXED):
        if not len(model.net[element]):
            continue
        scaling = column(element, "scaling").astype(float)
        given = column(element, "p_mw").astype(float)
        chosen = np.nan_to_num(solution.elements[element]["p_mw"])
        live = column(element, "in_service").astype(bool) & (scaling != 0)
        power = np.divide(chosen, scaling, out=given.copy(), where=live)
        changes.append(Change(element, "p_mw", power))
    if len(model.net.dcline):
        changes.append(Change("dcline", "p_mw", dc_line_power(column, solution)))
    named = {(change.element, change.column) for change in changes}
    kept = [one for one in state.changes if (one.element, one.column) not in named]
    return replace(state, changes=(*kept, *changes), costs={})


def dc_line_power(column: Columns, solution: Solution) -> Reals:
    """Return what an optimum has DC lines draw in MW, with the sign of their direction."""
    ends = solution.elements["dcline"]
    forward = column.numbers("dcline", "p_mw") > 0
    drawn = np.nan_to_num(np.where(forward, ends["p_from_mw"], ends["p_to_mw"]))
    # A line that carries nothing keeps its direction, as zero would turn it around.
    power: Reals = np.where(forward, np.maximum(drawn, SMALLEST_MW), -np.maximum(drawn, 0.0))
    return power


SMALLEST_MW = 1e-9
"""Power of a DC line that carries nothing and keeps its direction, in MW."""


def ac_check(model: GridModel, state: State) -> str:
    """Return what an AC power flow says of a dispatch, for people."""
    kept = cached_admittances(model, "ac", {})
    found = None if isinstance(kept, str) else solve_power_flow(model, state, kept, {}, dc=False)
    if found is None or not found.elements:
        return "by AC it has no power flow"
    highest = found.system["max_loading_percent"]
    return f"by AC {found.system['max_loading_element']} is loaded by {highest:.4g} %"
