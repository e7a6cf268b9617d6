"""The files of a summary, as the report reads them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..model.solution import SOLVED
from .digest import Digest, digest
from .states.again import StatesAgain
from .states.extremes import QUANTITIES, Extremes
from .states.reading import BATCH_ROWS, base_rows
from .tables import FINGERPRINT_SHOWN, MOST_CONTINGENCIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..model.violations import Limits
    from ..study.scenario import Outage
    from .states.gathering import Reals


@dataclass(frozen=True)
class ContingencyCounts:
    """How many contingencies there are on top of all states.

    Attributes:
        total: all.
        new: those that break a limit that holds before them; None if rows don't tell.
        lost: those without a solution.
        cut: those that cut buses off.
    """

    total: int = 0
    new: int | None = None
    lost: int = 0
    cut: int = 0


@dataclass(frozen=True)
class Summary:
    """The files of a summary, read.

    Attributes:
        scenarios: the table of scenarios, indexed by id.
        elements: the table of elements.
        contingencies: the worst contingencies, and those that newly break a limit.
        counted: how many contingencies there are of some kinds.
        categories: the table of categories.
        overloads: the branches that contingencies overload, by category.
        remedies: the table of remedial actions.
        aggregated: the file of all rows.
        limits: what counts as a violation.
        groups: name -> ids of scenarios that are compared with each other, the reference first.
        name: name of the batch.
        other: the summary of another batch that this one is compared with, if any.
        outages: scenario -> what is out of service in it.
    """

    scenarios: pd.DataFrame
    elements: pd.DataFrame
    contingencies: pd.DataFrame
    counted: ContingencyCounts
    categories: pd.DataFrame
    overloads: pd.DataFrame
    remedies: pd.DataFrame
    aggregated: Path
    limits: Limits
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name: str = ""
    other: Summary | None = None
    outages: Mapping[str, Sequence[Outage]] = field(default_factory=dict)

    @cached_property
    def found(self) -> Digest:
        """What the rows of all results come to; they are read when it is first asked for."""
        groups = {**self.groups, "": self.common} if self.other else self.groups
        return digest(
            self.aggregated,
            self.scenarios,
            self.elements,
            self.contingencies,
            self.limits,
            groups=groups,
        )

    @cached_property
    def common(self) -> list[str]:
        """Ids of the scenarios that are solved whole in both batches, in the order of this one."""
        if self.other is None:
            return []
        mine, theirs = (
            one.scenarios.index[one.scenarios["status"].isin(SOLVED)] for one in (self, self.other)
        )
        return [str(name) for name in mine[mine.isin(theirs)]]

    @cached_property
    def before(self) -> Before:
        """What the other batch has in the states that are shown; its rows are read for it."""
        again, extremes = StatesAgain(self.found.states, self.elements), Extremes(self.common)
        if self.other is not None:
            columns = ["scenario", "snapshot", "contingency", "element", "id", *QUANTITIES]
            for table, _ in base_rows(self.other.aggregated, columns):
                again.add(table)
                extremes.add(table)
        return Before({grid: again.values(grid) for grid in self.found.states}, extremes.table())


@dataclass(frozen=True)
class Before:
    """What another batch has where this one is shown.

    Attributes:
        values: grid -> kind and quantity -> values in the states shown, as in ``ShownStates``.
        extremes: of each element in the scenarios that both have solved, as from ``Extremes``.
    """

    values: dict[str, dict[tuple[str, str], Reals]]
    extremes: pd.DataFrame


def read_summary(
    folder: Path,
    limits: Limits,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    other: Path | None = None,
    outages: Mapping[str, Sequence[Outage]] | None = None,
) -> Summary:
    """Read the tables of a summary.

    Args:
        folder: the folder of the summary, in that of its batch.
        limits: what counts as a violation.
        groups: name -> ids of scenarios that are compared with each other.
        other: the folder of another batch that this one is compared with.
        outages: scenario -> what is out of service in it.
    """
    scenarios = _scenarios(folder / "scenarios.parquet")
    # Not by set_index, which makes a copy.
    scenarios.index = pd.Index(scenarios["scenario"], name=None)
    elements = pd.read_parquet(folder / "elements.parquet")
    ranked, counted = _contingencies(folder / "contingencies.parquet")
    names = ("categories", "overloads", "remedies")
    categories, overloads, remedies = (
        pd.read_parquet(folder / f"{name}.parquet") for name in names
    )
    rows = folder / "aggregated_results.parquet"
    return Summary(
        scenarios,
        elements,
        ranked,
        counted,
        categories,
        overloads,
        remedies,
        rows,
        limits,
        groups or {},
        folder.absolute().parent.name,
        read_summary(other / "summary", limits) if other else None,
        outages or {},
    )


def _contingencies(file: Path) -> tuple[pd.DataFrame, ContingencyCounts]:
    """Read the contingencies that are shown: half of them may be those that newly break limits."""
    counts, fresh, rows, told = Counter[str](), list[int](), 0, False
    with pq.ParquetFile(file) as ranked:
        for batch in ranked.iter_batches(BATCH_ROWS, columns=["new", "status", "last"]):
            # What an action leaves, or the last round of a cascade, is what counts.
            last = batch.filter(batch["last"])
            counts.update(last["status"].to_pylist())
            counts["new"] += pc.sum(last["new"]).as_py() or 0
            told |= last["new"].null_count < len(last)
            new = pc.and_(batch["last"], batch["new"].fill_null(fill_value=False))
            place = np.flatnonzero(new.to_numpy(zero_copy_only=False))
            fresh += (rows + 1 + place[: MOST_CONTINGENCIES // 2 - len(fresh)]).tolist()
            rows += len(batch)
    known = set(fresh)
    others = [rank for rank in range(1, MOST_CONTINGENCIES + 1) if rank not in known]
    ranks = [*fresh, *others[: MOST_CONTINGENCIES - len(fresh)]]
    statuses = {name: count for name, count in counts.items() if name != "new"}
    total = sum(statuses.values())
    lost = total - sum(statuses.get(status, 0) for status in SOLVED)
    found = ContingencyCounts(
        total, counts["new"] if told else None, lost, statuses.get("islanded", 0)
    )
    return pd.read_parquet(file, filters=[("rank", "in", ranks)]), found


def _scenarios(file: Path) -> pd.DataFrame:
    """Read the table of scenarios, of which there may be a million."""
    table = pq.read_table(file)
    place = table.schema.get_field_index("fingerprint")
    shown = pc.utf8_slice_codeunits(table["fingerprint"], 0, FINGERPRINT_SHOWN)
    table = table.set_column(place, "fingerprint", shown)
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame
