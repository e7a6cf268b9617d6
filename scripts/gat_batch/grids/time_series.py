"""Time series that a grid comes with: what its elements draw, feed in or may at most, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

KEY = "time_series"
"""Key of a network's time series."""


class TimeSeries(Protocol):
    """Columns of a network's tables over time."""

    @property
    def file(self) -> Path:
        """Where they come from, for messages."""

    @property
    def times(self) -> tuple[str, ...]:
        """Names of the times, in order."""

    def values(
        self, net: pandapowerNet, times: Sequence[int]
    ) -> Mapping[tuple[str, str], NDArray[np.float64]]:
        """Return what varies, at some times.

        Args:
            net: the network that they came with.
            times: positions of the times.

        Returns:
            Whole columns by (element, column), each of shape (times, elements).
        """
