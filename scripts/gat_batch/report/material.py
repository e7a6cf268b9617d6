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
from ..study.batch.scenarios import Members
from ..study.scenario import BRANCHES
from .against.comparison import against, compare
from .groups.comparison import comparison
from .groups.judging import Asked, judge
from .maps.differences import differences
from .maps.one_line_diagram import one_line_diagram
from .sections import sections_of
from .summary_tables import read_summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..plan.plan import Plan
    from ..study.scenario import Scenario
    from .against.comparison import Comparison
    from .groups.judging import Judged
    from .maps.differences import Difference
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
        asked: what its manifest asks of the report.
    """

    plan: Plan
    summary: Summary
    status: Mapping[str, Any]
    asked: Asked

    def sections(self) -> Iterator[Section]:
        """Yield the sections of the report, each made when it is asked for."""
        hashes = {
            grid: self.plan.grid(scenario).content_hash()
            for grid, scenario in self._first().items()
        }
        summary, other, compared = self.summary, self.summary.other, self.compared
        answer = comparison(summary, self.asked, self.judged)
        changed = against(summary, other, compared) if other and compared else None
        return sections_of(summary, self.status, self.maps(), hashes, (answer, changed))

    @cached_property
    def judged(self) -> Judged:
        """How its groups and scenarios stand; rows are read for it when it is first asked for."""
        return judge(self.summary, self.asked)

    @cached_property
    def compared(self) -> Comparison | None:
        """How the batch differs from the one that it is compared with, None without one."""
        other = self.summary.other
        return compare(self.summary, other, self.judged) if other else None

    def differences(self) -> list[Difference]:
        """Return what its maps can show the difference of."""
        violations = self.compared.violations if self.compared else None
        return list(differences(self.summary, self.judged, violations))

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
        batch = self.plan.batch
        codes = batch.outlines.codes
        numbers = sorted(codes.index(code) for code in range(len(batch.outlines.kinds)))
        first: dict[str, Scenario] = {}
        for scenario in map(batch.scenarios.__getitem__, numbers):
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
    batch = plan.batch
    groups = batch.groups
    outlines = batch.outlines
    silent = outlines.numbers(
        lambda kind: not tells_limits(json.loads(kind.keep) if kind.keep else plan.config.keep)
    )
    unkept = frozenset(outlines.ids[number] for number in silent)
    naming = Members(batch.scenarios, outlines.numbers(lambda kind: not kind.plain))
    summary = read_summary(
        folder,
        limits,
        groups=groups,
        other=plan.config.against,
        outages={one.id: one.outages for one in naming if one.outages},
    )
    asked = Asked(batch.question, groups, unkept, batch.counterparts(groups))
    status = json.loads(plan.status.read_text(encoding="utf-8"))
    return Material(plan, summary, status, asked)
