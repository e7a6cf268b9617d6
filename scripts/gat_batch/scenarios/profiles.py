"""Profiles: factors over time, from CSV, Parquet or Excel, SimBench's files included.

The column named ``time``, or else the first, has the times; every other one is a profile. SimBench
separates cells by semicolons, writes times as 01.01.2016 00:15, and gives loads two columns, one
with the suffix ``_pload`` for active power and one with ``_qload`` for reactive power.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GatBatchError, TableError
from ..files.columns import numbers, raise_faults, read_columns
from ..files.times import time_name
from ..files.words import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from .selection import Elements


@dataclass(frozen=True)
class Profiles:
    """A file of profiles.

    Attributes:
        file: where it was read from.
        times: the times in the order of the file, in ISO form where they are dates.
        columns: profile -> its factors, shape (times,).
    """

    file: Path
    times: tuple[str, ...]
    columns: Mapping[str, NDArray[np.float64]]

    @cached_property
    def _position(self) -> dict[str, int]:
        return {time: position for position, time in enumerate(self.times)}

    def rows(self, times: tuple[str, ...]) -> NDArray[np.int64]:
        """Return the positions of some times.

        Raises:
            TableError: if there is no such time.
        """
        for time in times:
            if time not in self._position:
                hint = f"it goes from {self.times[0]} to {self.times[-1]}"
                raise TableError(f"has no time {time}", file=self.file, field="time", hint=hint)
        return np.array([self._position[time] for time in times], dtype=np.int64)

    def factors(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a profile's factors of active and of reactive power, each of shape (times,).

        Raises:
            TableError: if there is no such profile.
        """
        if name in self.columns:
            return self.columns[name], self.columns[name]
        active = self.columns.get(f"{name}_pload")
        if active is None:
            hint = nearest(name, list(self.columns))
            raise TableError("there is no such column", file=self.file, field=name, hint=hint)
        return active, self.columns.get(f"{name}_qload", active)


def read_profiles(path: Path) -> Profiles:
    """Read a file of profiles.

    Args:
        path: CSV, with commas or semicolons, Parquet or Excel.

    Raises:
        TableError: if it can't be read or has a time twice.
        InputErrors: if factors are no finite numbers.
    """
    raw = read_columns(path)
    names = raw.column_names
    if not len(raw) or len(names) < 2 or len(set(names)) < len(names):
        hint = "a column of times and at least one of factors, all with different names"
        raise TableError("holds no profiles", file=path, hint=hint)
    key = "time" if "time" in names else names[0]
    cells = raw[key].to_pylist()
    for position, cell in enumerate(cells):
        if cell is None or not str(cell).strip():
            raise TableError(f"row {position + 2}: {key} is empty", file=path)
    times = tuple(map(time_name, cells))
    if len(set(times)) < len(times):
        raise TableError("has a time twice", file=path, field=key)
    faults: list[GatBatchError] = []
    columns = {name: numbers(raw[name], name, path, faults) for name in names if name != key}
    faults += [
        TableError("has empty cells", file=path, field=name or f"column {number}, without a name")
        for number, (name, values) in enumerate(columns.items(), 2)
        if np.isnan(values).any()
    ]
    raise_faults(faults, path)
    return Profiles(path, times, columns)


def profile_factors(
    elements: Elements,
    entry: Mapping[str, Any],
    profiles: Profiles,
    times: tuple[str, ...],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the factors that a profile of the specification gives to elements.

    Args:
        elements: the grid's elements.
        entry: the profile as specified.
        profiles: its file.
        times: the time slices.

    Returns:
        Positions of the elements, shape (chosen,); factors of active and of reactive power, each
        of shape (times, chosen).

    Raises:
        GatBatchError: if elements, times or profiles don't exist.
    """
    element = entry["of"]
    chosen = elements.chosen(element, entry.get("where"))
    rows = profiles.rows(times)
    if "column" in entry:
        active, reactive = profiles.factors(entry["column"])
        shape = (len(times), len(chosen))
        return (
            chosen,
            np.broadcast_to(active[rows, None], shape),
            np.broadcast_to(reactive[rows, None], shape),
        )
    table = elements.net[element]
    if "profile" not in table:
        hint = "give the profile a column, or the grid's elements a column profile"
        raise TableError(f"the grid's {element}s name no profiles", file=profiles.file, hint=hint)
    names = table["profile"].iloc[chosen]
    named = names.notna().to_numpy()
    pairs = [profiles.factors(str(name)) for name in names[named]]
    if not pairs:
        raise TableError(f"none of these {element}s names a profile", file=profiles.file)
    active, reactive = (np.column_stack(columns)[rows] for columns in zip(*pairs, strict=True))
    return chosen[named], active, reactive
