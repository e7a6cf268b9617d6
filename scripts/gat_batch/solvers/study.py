"""Solvers: a model and a state in, a solution out. Nothing here knows about files.

Importing this package is cheap: a manifest's options are checked long before anything is solved.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import SolverError
from ..study.scenario import OPTIMAL, Engine
from ..study.solver_options import TYING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..model.contingencies.contingency import Contingency
    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.solution import BlockSolution, Solution
    from ..model.state import State


def solve(
    model: GridModel,
    state: State,
    solver: str,
    options: Mapping[str, Any],
    *,
    engine: Engine = "auto",
    ladder: Sequence[str] = (),
    before: Solution | None = None,
) -> Solution:
    """Solve one state of a grid.

    Args:
        model: the prepared grid; its element tables are afterwards as before.
        state: what differs from the grid as given.
        solver: kind of study: ``dc``, ``ac``, ``dc_opf`` or ``ac_opf``.
        options: solver options by pandapower's names, as :func:`options.check_options` passes
            them.
        engine: ``auto`` solves on the admittance model what that represents exactly and leaves
            the rest to pandapower; ``pandapower`` leaves it everything; ``lightsim2grid`` leaves
            it nothing.
        ladder: what an AC power flow tries where it doesn't converge, names of
            :data:`options.RUNGS`.
        before: the solution of an earlier state of the same scenario, that an optimal power flow
            may start from.

    Returns:
        The solution. Without any slack left there is nothing to solve: the status is then
        ``islanded``, with all load unserved and no element in it.

    Raises:
        SolverError: if the solver is unknown or the study can't be posed: bad data, not bad
            convergence; or if the engine can't solve it exactly and may not leave it.
    """
    from ..grids.slack import has_slack
    from ..model.state import State, applied
    from ..powerflow.plain.ac import solve_ac
    from ..powerflow.plain.dc import solve_dc
    from ..powerflow.plain.results import blackout

    if solver in OPTIMAL:
        return solve_together(model, (state,), solver, options, engine=engine, before=before)[0]
    if solver not in ("dc", "ac"):
        raise SolverError(f"there is no solver {solver!r}", hint="known are dc, ac, dc_opf, ac_opf")
    if "dispatch" in options:
        given = _dispatched(model, state, options)
        if not isinstance(given, State):
            return given
        state = given
        options = {name: value for name, value in options.items() if name != "dispatch"}
    reason = ""
    if engine != "pandapower":
        solution, reason = _on_admittance_model(model, state, solver, options)
        if solution is not None:
            return solution
        if engine != "auto":
            raise _refusal(engine, reason)
    with applied(model.net, state):
        if not has_slack(model.net):
            return blackout(model)
        if solver == "dc":
            return replace(solve_dc(model, options), left=reason)
        return replace(solve_ac(model, options, ladder=ladder), left=reason)


def solve_together(
    model: GridModel,
    states: Sequence[State],
    solver: str,
    options: Mapping[str, Any],
    *,
    engine: Engine = "auto",
    before: Solution | None = None,
) -> list[Solution]:
    """Solve an optimal power flow over states that follow each other, tied by ramps.

    Args:
        model: the prepared grid; its element tables are afterwards as before.
        states: the states, which have the same elements in service.
        solver: ``dc_opf`` or ``ac_opf``.
        options: solver options.
        engine: as for :func:`solve`.
        before: the solution of an earlier state of the same scenario, to start from.

    Returns:
        A solution for each state.

    Raises:
        SolverError: as for :func:`solve`.
    """
    from ..grids.slack import has_slack, references
    from ..model.solution import Solution
    from ..model.state import applied
    from ..opf.pandapower_opf import solve_by_pandapower
    from ..opf.solve import solve_opf
    from ..powerflow.plain.results import blackout

    reason = ""
    if engine != "pandapower":
        found = solve_opf(model, states, solver, options, before=before)
        if not isinstance(found, str):
            return found
        if engine != "auto":
            raise _refusal(engine, found)
        reason = found
    solutions = []
    for state in states:
        with applied(model.net, state):
            if has_slack(model.net):
                dc = solver == "dc_opf"
                solution = solve_by_pandapower(model, state.costs, options, dc=dc)
                solutions.append(replace(solution, left=reason))
            elif references(model.net):
                detail = "pandapower's optimal power flow needs a slack in service"
                solutions.append(Solution("not_converged", "", detail=detail))
            else:
                solutions.append(blackout(model))
    return solutions


def _dispatched(model: GridModel, state: State, options: Mapping[str, Any]) -> State | Solution:
    """Return a state with the dispatch that its options ask for, or why there is none."""
    from .dispatched import dispatched

    def optimise(whole: State, solver: str, own: dict[str, Any]) -> Solution:
        # Whatever the engine: a power flow by another one must meet the same dispatch.
        return solve_together(model, (whole,), solver, own)[0]

    return dispatched(model, state, options, optimise)


def _refusal(engine: str, reason: str) -> SolverError:
    hint = "engine: auto leaves such scenarios to pandapower"
    return SolverError(f"{engine} can't solve this exactly: {reason}", hint=hint)


def _on_admittance_model(
    model: GridModel, state: State, solver: str, options: Mapping[str, Any]
) -> tuple[Solution | None, str]:
    from ..powerflow.admittances import cached_admittances
    from ..powerflow.solve import solve_power_flow

    equations = cached_admittances(model, solver, options)
    if isinstance(equations, str):
        return None, equations
    solution = solve_power_flow(model, state, equations, options, dc=solver == "dc")
    return solution, "its outages change the islands, or it did not converge"


@dataclass(frozen=True)
class Study:
    """How states are solved; as the arguments of :func:`gat_batch.solvers.study.solve`.

    Attributes:
        contingencies: what a dispatch is secured against, with the option ``secure``.
        criteria: by what contingencies of each category are judged.
    """

    solver: str
    options: Mapping[str, Any]
    engine: Engine = "auto"
    ladder: Sequence[str] = ()
    contingencies: Sequence[Contingency] = ()
    criteria: Mapping[str, Criteria] = field(default_factory=dict)

    @property
    def secure(self) -> bool:
        """Whether a dispatch is secured against the contingencies."""
        return self.solver == "dc_opf" and bool(self.options.get("secure"))

    @property
    def ties(self) -> bool:
        """Whether an optimal power flow ties the states together."""
        return any(self.options.get(name) for name in TYING)

    @property
    def in_blocks(self) -> bool:
        """Whether states may be solved together."""
        alone = self.solver in OPTIMAL or "dispatch" in self.options
        return not alone and self.engine != "pandapower"

    def solve_block(
        self, model: GridModel, states: Sequence[State]
    ) -> tuple[NDArray[np.int64], BlockSolution | None]:
        """Solve states together where that can be done; as ``powerflow.solve.solve_block``."""
        from ..powerflow.admittances import cached_admittances
        from ..powerflow.block import no_block
        from ..powerflow.solve import solve_block

        equations = cached_admittances(model, self.solver, self.options)
        if isinstance(equations, str):
            return no_block()
        return solve_block(model, states, equations, self.options, dc=self.solver == "dc")

    def solve(self, model: GridModel, state: State, before: Solution | None = None) -> Solution:
        """Solve one state."""
        if self.secure:
            from ..opf.secured import solve_secured

            found = self.contingencies
            return solve_secured(model, state, self.options, found, self.criteria)
        return solve(
            model,
            state,
            self.solver,
            self.options,
            engine=self.engine,
            ladder=self.ladder,
            before=before,
        )
