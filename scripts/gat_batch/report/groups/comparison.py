"""The section of the report that answers: how groups of scenarios stand, in words and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..section import Figure, Section
from . import drawings
from .sentences import verdict
from .side_by_side import figures_of, side_by_side
from .violation_listing import pair_listings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from ..summary_tables import Summary
    from .judging import Asked, Judged
    from .standing import Standing


def comparison(summary: Summary, asked: Asked, judged: Judged) -> Section | None:
    """Return how groups of scenarios stand, and what is otherwise than in the first of them.

    Args:
        summary: the summary.
        asked: what is asked; if there are no groups, all scenarios are one.
        judged: how they stand.

    Returns:
        The section, or None if nothing is asked.
    """
    groups, found = asked.groups, judged.standings
    if not found:
        return None
    names = names_of(summary.elements)
    reference = next(iter(found.items()))
    verdicts = {
        name: verdict(
            one, names, None if name == reference[0] else reference, judged.pairs.get(name)
        )
        for name, one in found.items()
    }
    title = asked.question or "Comparison"
    text = _text(len(summary.scenarios), groups) if groups else ""
    tables = (
        figures_of(found, names),
        *pair_listings(judged.pairs, reference[0], names),
        *side_by_side(found, names),
    )
    drawn = _figures(summary, found, names)
    return Section("answer", title, text, drawn, tables, verdicts=verdicts, short="Answer")


def _text(total: int, groups: Mapping[str, Sequence[str]]) -> str:
    """Return a sentence on scenarios that aren't compared, if there are any."""
    left = total - len({one for ids in groups.values() for one in ids})
    return f"{left:,} of {total:,} scenarios are in none of these groups." if left else ""


def names_of(elements: pd.DataFrame) -> dict[str, str]:
    """Return the name of each element that has one, where all grids agree."""
    named = elements[elements["name"].notna() & (elements["name"] != "")]
    known = named.groupby(["element", "id"])["name"].agg(["first", "nunique"])
    same = known[known["nunique"] == 1]["first"]
    keys = same.index.get_level_values("element") + ":" + same.index.get_level_values("id").map(str)
    return dict(zip(keys, same.map(str), strict=True))


def _figures(
    summary: Summary, found: Mapping[str, Standing], names: Mapping[str, str]
) -> tuple[Figure, ...]:
    limits = summary.limits
    dashed = f"Dashed: the limit of {limits.loading_percent:g} %."
    over = drawings.course(found, limits, names)
    if over is not None:
        text = "Worst loading of a branch in each snapshot, before and after all contingencies; "
        return (Figure("groups", over, f"{text}a point leads to its scenario. {dashed}"),)
    branches = drawings.worst_branches(found, limits, names)
    if branches is None:
        return ()
    text = "Worst loading of the highest loaded branches, before and after all contingencies. A "
    text += "group without a point keeps the limit there. "
    return (Figure("groups", branches, f"{text}{dashed}"),)
