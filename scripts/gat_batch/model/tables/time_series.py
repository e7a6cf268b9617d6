"""A grid's own time series as snapshots of a scenario."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import GridError
from ...files.times import chosen_times
from ...grids.time_series import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ...grids.time_series import TimeSeries

SCALED: dict[str, tuple[str, ...]] = {
    "load": ("p_mw", "q_mvar"),
    "gen": ("p_mw",),
    "sgen": ("p_mw", "q_mvar"),
}
"""Columns that the scales of a scenario multiply."""

AT_ONCE = 1000
"""Times whose values are computed together: a year of a large grid doesn't fit in memory."""


class GridCourse:
    """The snapshots of a scenario that follows its grid's time series.

    Args:
        series: the time series.
        chosen: positions of the times wanted.
    """

    def __init__(self, series: TimeSeries, chosen: list[int]) -> None:
        self._series, self._chosen = series, chosen
        self._begin = -1
        self._values: Mapping[tuple[str, str], NDArray[np.float64]] = {}

    @property
    def file(self) -> Path:
        """Where the time series come from."""
        return self._series.file

    @cached_property
    def snapshots(self) -> tuple[str, ...]:
        """Names of the snapshots, in order."""
        return tuple(self._series.times[position] for position in self._chosen)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.snapshots)}

    def columns(
        self, net: pandapowerNet, snapshot: str | None
    ) -> dict[tuple[str, str], NDArray[np.float64]]:
        """Return columns as the time series have them in one snapshot.

        Args:
            net: the grid as given.
            snapshot: the snapshot, one of ``snapshots``.

        Returns:
            Whole columns by (element, column): what varies, and the grid's other powers of the same
            elements.
        """
        assert snapshot is not None  # noqa: S101 - each has a name
        begin, within = divmod(self._number[snapshot], AT_ONCE)
        if begin != self._begin:
            first = begin * AT_ONCE
            self._values = self._series.values(net, self._chosen[first : first + AT_ONCE])
            self._begin = begin
        varying = {place: values[within] for place, values in self._values.items()}
        steady = {
            (element, column): net[element][column].to_numpy(np.float64, copy=True)
            for element in dict.fromkeys(element for element, _ in varying)
            for column in SCALED.get(element, ())
        }
        return steady | varying


def course_of(net: pandapowerNet, asked: Any) -> GridCourse | None:
    """Return the snapshots that a scenario has of its grid's time series.

    Args:
        net: the grid.
        asked: the scenario's ``time_slices``; None if it has none.

    Raises:
        GridError: if the grid has no time series.
        TableError: if they have no such times.
    """
    if asked is None:
        return None
    series: TimeSeries | None = net.get(KEY)
    if series is None:
        hint = "time_slices are times of the grid's own series; others stand in tables"
        raise GridError("the grid has no time series", field="time_slices", hint=hint)
    return GridCourse(series, chosen_times(asked, series.times, series.file))
