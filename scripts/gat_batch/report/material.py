"""What a report is made of: the summary of a batch, its status, and maps of its grids."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import GatBatchError
from ..grids import read_grid
from ..grids.connections import connections_of, read_connections
from ..model.violations import Limits
from ..study.scenario import BRANCHES
from .against.comparison import compare
from .groups.comparison import Asked
from .maps.one_line_diagram import one_line_diagram
from .sections import sections_of
from .summary_tables import read_summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..plan.plan import Plan
    from ..study.scenario import Scenario
    from .against.comparison import Comparison
    from .maps.one_line_diagram import OneLineDiagram
    from .section import Section
    from .summary_tables import Summary

MOST_MAPS = 4
MOST_BRANCHES_DRAWN = 20_000
"""Most maps, and most branches on all of them."""


@dataclass(frozen=True)
class Material:
    """What a report is made of.

    Attributes:
        plan: the batch.
        summary: its summary.
        status: the content of ``batch_manifest.json``.
    """

    plan: Plan
    summary: Summary
    status: Mapping[str, Any]

    def sections(self) -> Iterator[Section]:
        """Yield the sections of the report, each made when it is asked for."""
        hashes = {
            grid: self.plan.grid(scenario).content_hash()
            for grid, scenario in self._first().items()
        }
        batch = self.plan.batch
        unkept = frozenset(
            one.id for one in batch.scenarios if not tells_limits(self.plan.keep(one))
        )
        asked = Asked(batch.question, batch.groups, unkept)
        maps, compared = self.maps(), self.compared
        return sections_of(self.summary, self.status, maps, hashes, asked, compared=compared)

    @cached_property
    def compared(self) -> Comparison | None:
        """How the batch differs from the one that it is compared with, None without one."""
        other = self.summary.other
        return compare(self.summary, other) if other else None

    def maps(self) -> dict[str, OneLineDiagram]:
        """Return the maps of the grids that aren't too large to look at."""
        maps: dict[str, OneLineDiagram] = {}
        left = MOST_BRANCHES_DRAWN
        for grid, scenario in list(self._first().items())[:MOST_MAPS]:
            try:
                # They aren't kept if the results come from elsewhere, a batch that was moved say.
                wiring = read_connections(self.plan.connections(scenario)) or connections_of(
                    read_grid(self.plan.grid(scenario))
                )
            except GatBatchError:
                continue  # every scenario on it failed for the same reason, which the report says
            if len(wiring.branches) <= left:
                left -= len(wiring.branches)
                maps[grid] = one_line_diagram(wiring)
        return maps

    def _first(self) -> dict[str, Scenario]:
        """Return the first scenario on each grid."""
        first: dict[str, Scenario] = {}
        for scenario in self.plan.batch.scenarios:
            first.setdefault(self.plan.grid_name(scenario), scenario)
        return first


def tells_limits(keep: Any) -> bool:
    """Return whether the rows that are kept have all violations of limits among them."""
    if isinstance(keep, str):
        return keep != "system"
    loadings = all("loading_percent" in keep.get(branch, ()) for branch in BRANCHES)
    return loadings and "vm_pu" in keep.get("bus", ())


def read_material(plan: Plan) -> Material:
    """Read what the report of a batch is made of.

    Args:
        plan: the batch; its summary must be there.

    Raises:
        OSError: if the summary or the status can't be read.
    """
    limits = Limits(plan.config.loading_limit_percent, plan.config.voltage_band_pu)
    folder = plan.summary("report.html").parent
    summary = read_summary(
        folder,
        limits,
        groups=plan.batch.groups,
        other=plan.config.against,
        outages={one.id: one.outages for one in plan.batch.scenarios if one.outages},
    )
    return Material(plan, summary, json.loads(plan.status.read_text(encoding="utf-8")))
