"""DC lines: what one end draws, the other one feeds, less what is lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from .ties import Ties, rows_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..dispatch import Dispatch


def dc_line_ties(snapshots: Sequence[Dispatch]) -> Ties:
    """Return a row for each DC line and snapshot."""
    count = len(snapshots[0].units.row)
    every = [dispatch.dc_lines for dispatch in snapshots]
    first = np.repeat(np.arange(len(every)) * count, [len(lines.lost) for lines in every])
    draws, feeds, arrives, lost = (
        np.concatenate([getattr(lines, name) for lines in every])
        for name in ("draws", "feeds", "arrives", "lost")
    )
    rows = np.arange(len(lost))
    entries = [(1.0, rows, first + feeds), (arrives, rows, first + draws)]
    return Ties(
        units=rows_over(entries, len(rows), len(every) * count),
        own=sparse.csr_matrix((len(rows), 0)),
        low=np.empty(0),
        high=np.empty(0),
        row_low=-lost,
        row_high=-lost,
    )
