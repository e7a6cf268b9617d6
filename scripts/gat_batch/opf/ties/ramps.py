"""Ramps: how much a unit's power may change from one snapshot to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from .ties import Ties, rows_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..dispatch import Dispatch


def ramp_ties(snapshots: Sequence[Dispatch]) -> Ties:
    """Return a row for each limited change of a unit's power."""
    ramp = np.array([dispatch.units.ramp for dispatch in snapshots[1:]])
    count = len(snapshots[0].units.row)
    step, slow = np.nonzero(np.isfinite(ramp.reshape(-1, count)))
    limit = ramp[step, slow] if len(step) else np.empty(0)
    rows = np.arange(len(step))
    now, before = (step + 1) * count + slow, step * count + slow
    return Ties(
        units=rows_over(
            [(1.0, rows, now), (-1.0, rows, before)], len(rows), len(snapshots) * count
        ),
        own=sparse.csr_matrix((len(rows), 0)),
        low=np.empty(0),
        high=np.empty(0),
        row_low=-limit,
        row_high=limit,
    )
