"""All that ties the units of snapshots together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from .dc_lines import dc_line_ties
from .ramps import ramp_ties
from .storage import storage_ties
from .ties import Ties, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..dispatch import Dispatch


def ties_of(snapshots: Sequence[Dispatch]) -> Ties:
    """Return the rows of storages, DC lines and ramps, in this order."""
    # Most have none, and a thousand states a second would wait for empty matrices.
    parts = []
    if len(snapshots[0].stores.unit):
        parts.append(storage_ties(snapshots))
    if any(len(dispatch.dc_lines.lost) for dispatch in snapshots):
        parts.append(dc_line_ties(snapshots))
    if any(np.isfinite(dispatch.units.ramp).any() for dispatch in snapshots[1:]):
        parts.append(ramp_ties(snapshots))
    return joined(parts) if parts else NOTHING


_NO_ROWS = sparse.csr_matrix((0, 0))

NOTHING = Ties(_NO_ROWS, _NO_ROWS, *np.zeros((4, 0)))
"""No rows at all."""
