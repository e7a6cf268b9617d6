"""Tables of ratings that branches have after contingencies of a category."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import GatBatchError, TableError
from ..files.columns import raise_faults, read_texts

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("element", "id")

UNITS = {"line": ("rating_ka", "rating_mva"), "trafo": ("rating_mva",)}
"""Element -> columns that its rating may stand in; a row has one of them."""

OPTIONAL = ("rating_ka", "rating_mva")


@dataclass(frozen=True)
class RatingRow:
    """One row of a table: the rating of a branch in kA or MVA; ``row`` is for messages."""

    element: str
    id: str
    rating: float
    unit: str
    row: int


def read_ratings(path: Path) -> list[RatingRow]:
    """Read a table of ratings.

    Args:
        path: CSV, Parquet or Excel.

    Returns:
        Its rows, in their order.

    Raises:
        InputErrors: if rows are at fault.
        TableError, UnreadableError: if it can't be read, or has other columns.
    """
    faults: list[GatBatchError] = []
    rows = []
    for number, (element, label, *cells) in enumerate(read_texts(path, COLUMNS, OPTIONAL), 2):
        given = {unit: cell for unit, cell in zip(OPTIONAL, cells, strict=True) if cell}
        fault = _fault(element, given)
        if fault is not None:
            faults.append(TableError(f"row {number}: {fault}", file=path))
            continue
        ((unit, cell),) = given.items()
        rows.append(RatingRow(element, label, float(cell), unit, number))
    raise_faults(faults, path)
    return rows


def _fault(element: str, given: dict[str, str]) -> str | None:
    """Return what is wrong with a row, if anything."""
    if element not in UNITS:
        return f"{element!r} has no rating here; {' and '.join(UNITS)} have"
    units = UNITS[element]
    if len(given) != 1 or next(iter(given)) not in units:
        return f"a {element} has one rating, as {' or '.join(units)}"
    (cell,) = given.values()
    try:
        rating = float(cell)
    except ValueError:
        return f"{cell!r} is no number"
    return None if 0 < rating < math.inf else f"a rating is above 0 and finite, not {cell}"
