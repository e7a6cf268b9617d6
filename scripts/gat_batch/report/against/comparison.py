"""The section of the report that compares a batch with another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from ...analytics.comparison import CHANGES
from ..groups.changes import THIS_BATCH
from ..groups.comparison import names_of
from ..groups.violation_listing import violation_listing
from ..section import Section, Verdict
from .listings import figure_listing
from .scenario_changes import FIGURES, figure_changes, status_changes
from .sentences import figure_sentence, scenario_sentence, status_sentence, violation_sentence
from .violation_changes import violation_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..groups.changes import Changes
    from ..groups.judging import Judged
    from ..summary_tables import Summary
    from .scenario_changes import Compared
    from .violation_changes import ViolationChanges


@dataclass(frozen=True)
class Comparison:
    """A batch compared with another one.

    Attributes:
        violations: how violations differ.
        statuses: scenarios with another status, as from ``status_changes``.
        figures: figure -> scenarios in which it differs, as from ``figure_changes``.
    """

    violations: ViolationChanges
    statuses: pd.DataFrame
    figures: dict[Compared, pd.DataFrame]

    @property
    def worse(self) -> int:
        """How many violations are new or worse, and how many scenarios have a worse status."""
        told = self.violations.changes
        lost = self.violations.newly_lost
        return len(told.new) + len(told.worse) + lost + int(self.statuses["worse"].sum())

    @property
    def better(self) -> int:
        """How many violations are gone or better, and how many scenarios have a better status."""
        told = self.violations.changes
        found = self.violations.found_now
        return len(told.gone) + len(told.better) + found + int((~self.statuses["worse"]).sum())

    def table(self) -> pa.Table:
        """Return all that changed, with the schema ``CHANGES`` of the comparison of results.

        ``change`` is ``new``, ``gone``, ``worse`` or ``better``.
        """
        rows = pd.concat([*_status_rows(self.statuses), *_violation_rows(self.violations.changes)])
        figures = [_figure_rows(one, rows_) for one, rows_ in self.figures.items()]
        every = pd.concat([rows, *figures], ignore_index=True)
        every = every.reindex(columns=CHANGES.names)
        return pa.Table.from_pandas(every, CHANGES, preserve_index=False)


def compare(summary: Summary, other: Summary, judged: Judged) -> Comparison:
    """Compare the scenarios of a batch with those of the same ids in another one.

    Args:
        summary: the summary of the batch.
        other: that of the other one, to be judged by the same limits.
        judged: how the batch stands.
    """
    figures = {figure: figure_changes(summary, other, figure) for figure in FIGURES}
    found = violation_changes(judged.common, summary, other)
    return Comparison(found, status_changes(summary, other), figures)


def against(summary: Summary, other: Summary, found: Comparison) -> Section:
    """Return what is new, gone, better and worse than in another batch, in words and tables.

    Args:
        summary: the summary of the batch.
        other: that of the other one.
        found: both compared.
    """
    names = names_of(summary.elements)
    reasons = {
        "scenarios:": scenario_sentence(summary, other),
        "statuses:": status_sentence(found.statuses),
        "violations:": violation_sentence(found.violations, names),
        **{
            f"{figure.title}:": figure_sentence(figure, rows, summary, other)
            for figure, rows in found.figures.items()
        },
    }
    verdict = Verdict(
        _headline(found) if summary.common else "no scenario is solved in both",
        not found.worse,
        {lead: text for lead, text in reasons.items() if text},
    )
    tables = (
        violation_listing(found.violations.changes, names, "against_violations", THIS_BATCH),
        figure_listing(found.statuses, found.figures),
    )
    return Section(
        "against",
        f"Against {other.name}",
        "Scenarios with the same id are compared, by the limits of this batch. All that changed is "
        "in summary/against.parquet; by how much each element differs is shown on the map, under "
        "difference.",
        tables=tuple(one for one in tables if one.content["rows"]),
        verdicts={f"{summary.name} against {other.name}": verdict},
        short="Against",
    )


def _headline(found: Comparison) -> str:
    told = found.violations.changes
    parts = [
        f"{len(rows):,} violation{' is' if len(rows) == 1 else 's are'} {what}"
        for rows, what in (
            (told.new, "new"),
            (told.worse, "worse"),
            (told.better, "better"),
            (told.gone, "gone"),
        )
        if len(rows)
    ]
    if len(found.statuses):
        one = len(found.statuses) == 1
        have = "has another status" if one else "have other statuses"
        parts.append(f"{len(found.statuses):,} scenario{'s' * (not one)} {have}")
    changed = sum(bool(len(rows)) for rows in found.figures.values())
    if not parts:
        return "as before" + (", but for figures that break no limit" if changed else "")
    lead = {
        (True, True): "better and worse",
        (True, False): "worse",
        (False, True): "better",
    }.get((bool(found.worse), bool(found.better)), "otherwise")
    return f"{lead}: {'; '.join(parts)}"


def _status_rows(statuses: pd.DataFrame) -> Iterator[pd.DataFrame]:
    yield pd.DataFrame(
        {
            "scenario": statuses.index,
            "change": _better_or_worse(statuses),
            "element": "system",
            "quantity": "status",
            "here_text": statuses["status"].to_numpy(),
            "there_text": statuses["before"].to_numpy(),
        }
    )


def _violation_rows(told: Changes) -> Iterator[pd.DataFrame]:
    for change in ("new", "worse", "gone", "better"):
        rows: pd.DataFrame = getattr(told, change)
        if rows.empty:
            continue
        own = rows.reset_index()
        here = own["value"] if change != "gone" else float("nan")
        there = own.get("reference", own["value"] if change == "gone" else float("nan"))
        bus = own["element"] == "bus"
        quantity = bus.map({True: "vm_pu", False: "loading_percent"})
        known = {name: own[name].replace("", None) for name in ("snapshot", "contingency")}
        made = own[["scenario", "element", "id"]].astype({"id": "int64"})
        values: dict[str, Any] = {"here": here, "there": there}
        made = made.assign(change=change, quantity=quantity, **known, **values)
        yield made.assign(difference=made["here"] - made["there"])


def _figure_rows(figure: Compared, rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "scenario": rows.index,
            "change": _better_or_worse(rows),
            "element": "system",
            "quantity": figure.column,
            "here": rows["value"].to_numpy(),
            "there": rows["before"].to_numpy(),
            "difference": rows["difference"].to_numpy(),
        }
    )


def _better_or_worse(rows: pd.DataFrame) -> list[str]:
    return ["worse" if worse else "better" for worse in rows["worse"]]
