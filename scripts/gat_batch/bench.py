"""The bench on which one scenario after another is solved: grid prepared once, results written.

:func:`prepare` runs in the shard before its workers are forked; :func:`solve_member` runs in a
worker, on the bench that it inherited. Only names and small records cross between the two.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .contingencies import contingencies_of, contingent_states
from .elements import ElementIndex
from .grids import read_grid
from .model import Model
from .model import prepare as prepare_model
from .plan import solver_versions
from .results import ResultWriter
from .solvers import solve
from .solvers.solution import SEVERITY
from .solvers.verify import Deviation, chosen, verified
from .state import scenario_states
from .tables import read_injections
from .violations import Limits, violations, voltage_bands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .journal import Journal
    from .manifest import Scenario
    from .plan import Plan
    from .solvers.solution import Solution
    from .state import State

KILL_MARGIN_SECS = 10.0
"""How long after its deadline an attempt may still be reported as running."""


@dataclass(frozen=True)
class Solved:
    """What the shard needs to know of a solved scenario.

    Attributes:
        status: the worst status of its snapshots.
        iterations: most iterations of any snapshot, or None.
        duration_secs: reading tables, solving and writing, in seconds.
        verified: largest deviations from pandapower, as :class:`~.solvers.verify.Deviation`.
    """

    status: str
    iterations: int | None
    duration_secs: float
    verified: dict[str, float]


@dataclass(frozen=True)
class _Bench:
    plan: Plan
    journal: Journal
    members: dict[str, Scenario]
    model: Model
    index: ElementIndex


_bench: _Bench | None = None


def prepare(plan: Plan, members: Sequence[Scenario], journal: Journal) -> None:
    """Read and prepare the grid that the members share.

    Args:
        plan: the batch.
        members: scenarios with the same grid.
        journal: where attempts are noted.

    Raises:
        GridError: if the grid can't be read.
    """
    global _bench  # noqa: PLW0603 - forked workers inherit it; a pickled grid costs more than a solve
    net = read_grid(plan.grid(members[0]))
    by_id = {member.id: member for member in members}
    _bench = _Bench(plan, journal, by_id, prepare_model(net), ElementIndex(net))


def solve_member(scenario_id: str, attempt: int) -> Solved:
    """Solve one scenario and write its result. Runs in a worker.

    Args:
        scenario_id: a member that the bench was prepared for.
        attempt: number of the attempt, from 1.

    Returns:
        The record of the solve.

    Raises:
        GatBatchError: if the scenario's data are at fault.
        OSError: if a file can't be read or written.
    """
    assert _bench is not None, "prepare() comes first"  # noqa: S101 - not for users
    began = time.time()
    scenario = _bench.members[scenario_id]
    until = began + scenario.timeout_secs + KILL_MARGIN_SECS
    _bench.journal.write("started", scenario_id, attempt=attempt, until=until)
    loads, gens = (
        read_injections(path, kind, rows) if path else None
        for kind, path, rows in scenario.injections
    )
    plan, model = _bench.plan, _bench.model
    metadata: dict[str, Any] = {
        "fingerprint": plan.fingerprint(scenario),
        "scenario": scenario_id,
        "solver": scenario.solver,
        "attempt": attempt,
        "versions": solver_versions(),
    }
    worst, iterations = 0, None
    asked = scenario.contingencies
    contingencies = contingencies_of(_bench.index, asked) if asked else ()
    limits = Limits(plan.config.loading_limit_percent, plan.config.voltage_band_pu)
    bands = voltage_bands(model.net, limits)

    deviation = Deviation()

    def solved(state: State, contingency: str | None = None) -> Solution:
        nonlocal deviation
        study = (model, state, scenario.solver, scenario.options)
        solution = solve(*study, engine=plan.config.engine, ladder=plan.config.ac_ladder)
        if chosen(plan.config.verify, scenario_id, state.snapshot, contingency):
            deviation |= verified(*study, solution)
        return solution

    with ResultWriter(plan.result(scenario_id), scenario_id, model, metadata) as writer:
        for state in scenario_states(_bench.index, scenario, loads, gens):
            base = solved(state)
            writer.add(state.snapshot, None, base)
            worst = max(worst, SEVERITY.index(base.status))
            if base.iterations is not None:
                iterations = max(iterations or 0, base.iterations)
            if not base.elements:
                continue  # nothing can be said of what comes on top of no solution
            for name, after in contingent_states(_bench.index, state, contingencies):
                solution = solved(after, name)
                kept = None
                if plan.config.contingency_rows == "violations":
                    kept = violations(solution, limits, bands)
                writer.add(state.snapshot, name, solution, kept)
        metadata |= {
            "verified": asdict(deviation),
            "status": SEVERITY[worst],
            "iterations": iterations,
            "duration_secs": time.time() - began,
            "solved": began,
        }
    return Solved(SEVERITY[worst], iterations, time.time() - began, asdict(deviation))
