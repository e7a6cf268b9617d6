"""Cascades: branches above a level trip, islands balance themselves, until nothing trips."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...files.words import numbered
from ...model.contingencies.contingency import Contingency, after, service_of
from ...study.scenario import BRANCHES
from .islands import Balanced, balanced, islands_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...model.grid_model import GridModel
    from ...model.solution import Solution
    from ...model.state import State
    from ...solvers.study import Study
    from ...study.scenario import Cascade
    from .islands import Island

    Judge = Callable[[Solution], Solution]

MOST_NAMED = 6

OVER_MW = 1e-3
"""How far a slack may be above its limit, in MW."""

MOST_TRIES = 8
"""Times that load is shed until the slack of an island keeps its limit."""


def rounds(
    model: GridModel,
    study: Study,
    cascade: Cascade,
    first: tuple[State, State, Solution],
    judged: Judge,
) -> Iterator[Solution]:
    """Yield the solutions of the rounds that follow a contingency, until nothing trips.

    Args:
        model: the model, with no state laid over its network.
        study: how states are solved.
        cascade: the level at which branches trip, and the most rounds.
        first: the state before the contingency, that after it, and its solution, whose loadings
            are those that count.
        judged: puts the loadings of a solution in percent of the ratings that count.

    Yields:
        A solution for each round: ``detail`` tells what tripped, load that is shed counts as
        unserved. The last one rests, or is out of rounds, or has no solution.
    """
    before, state, solution = first
    dc = study.solver == "dc"
    at = Balanced(state, islands_of(model, before))
    parted = not islands_of(model, state) <= at.islands
    for number in range(1, cascade.max_rounds + 1):
        tripped = tripping(solution, cascade.trip_above_percent)
        if not tripped and not (number == 1 and parted):
            return
        out = Contingency("", tuple(tripped))
        state = after(out, at.state, service_of(model.net, at.state))
        following = balanced(model, at, state, solution, dc=dc)
        at, solution = _solved(model, study, following, judged)
        rest = not tripping(solution, cascade.trip_above_percent)
        told = [_names(model, tripped)] if tripped else []
        if len(at.islands) > 1:
            told.append(numbered(len(at.islands), "island"))
        if at.shed_mw:
            told.append(f"{at.shed_mw:.4g} MW shed")
        if solution.elements and rest:
            told.append("it rests")
        elif number == cascade.max_rounds:
            told.append("it still trips")
        yield replace(
            solution,
            detail="; ".join(filter(None, [f"round {number}", *told, solution.detail])),
        )
        if not solution.elements:
            return


def tripping(solution: Solution, level_percent: float) -> list[tuple[str, int]]:
    """Return branches loaded above a level: element and position of each."""
    return [
        (element, position)
        for element in BRANCHES
        for position in np.flatnonzero(
            solution.elements.get(element, {}).get("loading_percent", np.zeros(0)) > level_percent
        ).tolist()
    ]


def _solved(
    model: GridModel, study: Study, at: Balanced, judged: Judge
) -> tuple[Balanced, Solution]:
    """Solve a balanced state; shed more where a slack is above its limit for what is lost."""
    dc = study.solver == "dc"
    # Slacks of its own making are known to pandapower's power flow alone.
    plain = replace(study, engine="pandapower") if at.own_slack else study
    solution = plain.solve(model, at.state)
    for _ in range(MOST_TRIES):
        over = set() if dc else _over(model, at, solution)
        if not over:
            break
        at = balanced(model, replace(at, islands=at.islands - over), at.state, solution, dc=dc)
        solution = plain.solve(model, at.state)
    if solution.elements and at.shed_mw:
        unserved = float(solution.system.get("unserved_mw") or 0.0) + at.shed_mw
        solution = replace(solution, system={**solution.system, "unserved_mw": unserved})
    return at, judged(solution)


def _over(model: GridModel, at: Balanced, solution: Solution) -> set[Island]:
    """Return the islands with a generator above its limit, as a slack may be for what is lost."""
    found: set[Island] = set()
    for element in ("ext_grid", "gen") if solution.elements else ():
        table = model.net[element]
        if "max_p_mw" not in table or not len(table):
            continue
        over = np.nan_to_num(solution.elements[element]["p_mw"]) - table["max_p_mw"].to_numpy(float)
        buses = model.position[element][over > OVER_MW].tolist()
        found |= {island for island in at.islands if island.intersection(buses)}
    return found


def _names(model: GridModel, tripped: list[tuple[str, int]]) -> str:
    names = [f"{element}:{model.ids[element][place]}" for element, place in tripped]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more} trip"
