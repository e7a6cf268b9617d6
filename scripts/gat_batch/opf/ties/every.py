"""All that ties the units of snapshots together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dc_lines import dc_line_ties
from .ramps import ramp_ties
from .storage import storage_ties
from .ties import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..dispatch import Dispatch
    from .ties import Ties


def ties_of(snapshots: Sequence[Dispatch]) -> Ties:
    """Return the rows of storages, DC lines and ramps, in this order."""
    return joined([kind(snapshots) for kind in (storage_ties, dc_line_ties, ramp_ties)])
