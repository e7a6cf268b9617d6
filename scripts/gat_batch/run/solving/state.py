"""One state of a scenario, without contingencies: solved, made into rows, verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...breakdown import Breakdown, contained
from ...errors import GatBatchError
from ...model.solution import Solution
from ...solvers.verification import Deviation, chosen, verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from ...model.contingencies.actions import Action
    from ...model.contingencies.contingency import Contingency
    from ...model.criteria import Criteria
    from ...model.grid_model import GridModel
    from ...model.state import State
    from ...results.kept import KeptRows
    from ...solvers.study import Study
    from ...study.scenario import Cascade, Outage


@dataclass(frozen=True)
class Run:
    """What the states and contingencies of a scenario have in common.

    Attributes:
        scenario: its id.
        model: the grid.
        study: how states are solved.
        states: makes the scenario's states, in the same order each time; arguments ``start`` and
            ``stop`` ask for those from one number up to another.
        contingencies: what is solved on top of each of them.
        criteria: by what contingencies of each category are judged; ``""`` is for states.
        kept: which rows are kept.
        outages: what is out of service in all states.
        cascade: how branches trip in turn after a contingency, or None.
        actions: remedial actions after contingencies.
        choose: how they are taken, as in a manifest.
        screen: whether to solve by AC only what DC finds severe.
        verify: share of states and contingencies that pandapower solves too.
        timeout_secs: time limit of the scenario, in seconds.
        count: how many states there are.
        threads: workers that solve contingencies or states at the same time.
        memory_mb: memory that they may take together, in MB; None for no limit.
    """

    scenario: str
    model: GridModel
    study: Study
    states: Callable[..., Iterator[State]]
    contingencies: Sequence[Contingency]
    criteria: Mapping[str, Criteria]
    kept: KeptRows
    screen: bool
    verify: float
    timeout_secs: float
    outages: Sequence[Outage] = ()
    cascade: Cascade | None = None
    actions: Sequence[Action] = ()
    choose: str = "in_order"
    count: int = 1
    threads: int = 1
    memory_mb: float | None = None


@dataclass(frozen=True)
class SolvedState:
    """One state, solved.

    Attributes:
        solution: its solution.
        rows: its rows of the result.
        deviation: how far the solution is from pandapower's, if that was asked for.
        breakdown: the bug that left it without a solution, or None.
    """

    solution: Solution
    rows: pa.Table
    deviation: Deviation
    breakdown: Breakdown | None = None


def solved_state(run: Run, state: State, solve: Callable[[], Solution | Breakdown]) -> SolvedState:
    """Solve one state, make its rows, and verify it if its turn has come.

    Args:
        run: what to solve.
        state: the state.
        solve: solves it.

    Returns:
        What was found. After a bug in any of this, the state counts as not converged.

    Raises:
        GatBatchError: if the data are at fault, or the solution deviates from pandapower's.
        MemoryError, OSError: as raised by any of this.
    """
    keys = (run.scenario, state.snapshot, None)

    def whole() -> SolvedState | Breakdown:
        solution = solve()
        if isinstance(solution, Breakdown):
            return solution
        deviation = Deviation()
        if chosen(run.verify, run.scenario, state.snapshot, None):
            study = run.study
            deviation = verified(run.model, state, study.solver, study.options, solution)
        return SolvedState(solution, run.kept.of_state(run.model, keys, solution), deviation)

    try:
        found = contained(whole)
    except GatBatchError as fault:
        raise fault.at(field=state.snapshot and f"snapshot {state.snapshot}") from None
    if isinstance(found, SolvedState):
        return found
    solution = Solution("not_converged", "", detail=found.detail)
    return SolvedState(solution, run.kept.of_state(run.model, keys, solution), Deviation(), found)
