"""Tables of violations that changed, of a bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..figures import rounded
from ..tables import Listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .changes import Changes
    from .pairs import Pairs

MOST_OF_A_KIND = 125
"""Most rows of each kind of change that the tables of a comparison list."""

VIOLATIONS = {
    "change": ("change", None),
    "element": ("element", None),
    "name": ("name", None),
    "contingency": ("after", None),
    "scenario": ("scenario", None),
    "snapshot": ("in snapshot", None),
    "unit": ("unit", None),
    "before": ("before", 3),
    "now": ("now", 3),
    "difference": ("difference", 3),
    "states": ("states", 0),
}

KINDS = ("element", "contingency", "scenario", "snapshot")
"""Columns that lead somewhere."""


def pair_listings(
    pairs: Mapping[str, Pairs], reference: str, names: Mapping[str, str]
) -> Iterator[Listing]:
    """Yield for each group the violations that are otherwise than in the reference.

    Args:
        pairs: group -> it and the reference, state by state.
        reference: name of the reference.
        names: ``line:12`` -> name of the element.
    """
    most = MOST_OF_A_KIND // max(len(pairs), 1)
    for number, (group, one) in enumerate(pairs.items(), 1):
        told = violation_listing(one.changes, names, f"pairs_{number}", group, most)
        if told.content["rows"]:
            title = f"{group} against {reference}, state by state"
            yield Listing(told.name, told.content, title, told.text)


def violation_listing(
    told: Changes,
    names: Mapping[str, str],
    name: str,
    difference: str,
    most: int | None = None,
) -> Listing:
    """Return the violations that are new, worse, gone and better, those furthest outside first.

    Args:
        told: how violations differ, indexed by scenario, too.
        names: ``line:12`` -> name of the element.
        name: name of the table.
        difference: name of the difference that the map shows of a row.
        most: most rows of each kind, or None for as many as a table alone may have.
    """
    most = MOST_OF_A_KIND if most is None else most
    found = [(what, getattr(told, what)) for what in ("new", "worse", "gone", "better")]
    rows = [
        [what, *_violation(row, what, names)]
        for what, own in found
        for row in own.head(most).reset_index().to_dict("records")
    ]
    text = counted([len(own) for _, own in found], most)
    content = _without_empty({"columns": list(columns_of(VIOLATIONS)), "rows": rows})
    return Listing(name, content | {"difference": difference}, "Violations that changed", text)


def _violation(row: Mapping[Any, Any], what: str, names: Mapping[str, str]) -> Iterator[Any]:
    element = f"{row['element']}:{int(row['id'])}"
    now = None if what == "gone" else float(row["value"])
    before = float(row["value"]) if what == "gone" else row.get("reference")
    yield element
    yield names.get(element)
    yield row["contingency"] or None
    yield row["scenario"]
    yield row["snapshot"] or None
    yield "p.u." if row["element"] == "bus" else "%"
    yield rounded(before)
    yield rounded(now)
    yield None if now is None or before is None else rounded(now - float(before))
    yield int(row["states"])


def columns_of(columns: Mapping[str, tuple[str, int | None]]) -> Iterator[dict[str, Any]]:
    """Yield columns of a table from their titles and digits."""
    for key, (title, digits) in columns.items():
        kind = key if key in KINDS else "plain"
        told = {"key": key, "title": title, "meaning": "", "kind": kind}
        yield told if digits is None else told | {"digits": digits}


def _without_empty(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out columns in which no row has anything, and states if each row is of one."""
    rows = content["rows"]
    told = [n for n in range(len(VIOLATIONS)) if any(row[n] is not None for row in rows)]
    if all(row[-1] == 1 for row in rows):
        told = [n for n in told if n != len(VIOLATIONS) - 1]
    columns = [content["columns"][n] for n in told]
    return {"columns": columns, "rows": [[row[n] for n in told] for row in rows]}


def counted(counts: list[int], most: int) -> str:
    """Say so if rows are left out."""
    if max(counts, default=0) <= most:
        return ""
    return f"At most {most} of each kind; {sum(counts):,} in all."
