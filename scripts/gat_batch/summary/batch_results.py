"""The results of a batch, as a summary is made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..study.batch.scenarios import Scenarios
from .result_parts import Results

if TYPE_CHECKING:
    from ..plan.plan import Plan
    from ..study.scenario import Scenario


def batch_results(plan: Plan) -> Results:
    """Return the scenarios of a batch, with the names of their grids in tables, and their files.

    Args:
        plan: the batch.
    """
    scenarios = plan.batch.scenarios

    def named(number: int) -> Scenario:
        scenario = scenarios[number]
        name = plan.grid_name(scenario)
        return scenario if name == scenario.grid else replace(scenario, grid=name)

    return Results(plan.batch.outlines.ids, Scenarios(range(len(scenarios)), named), _paths(plan))


def _paths(plan: Plan) -> list[Path]:
    if not plan.in_blocks:
        return plan.results()
    paths = [Path()] * len(plan.batch.outlines)
    for shard in plan.shards:
        result = plan.result(shard.ids[0])
        for number in shard.numbers:
            paths[number] = result
    return paths
