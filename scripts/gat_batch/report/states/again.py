"""The states that the page shows once more, as another batch has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .gathering import SHOWN, values_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from .gathering import Reals, ShownStates


class StatesAgain:
    """Gathers what elements have in the same scenarios and snapshots of another batch.

    Args:
        shown: grid -> the states that the page shows of it.
        elements: the page's table of elements.
    """

    def __init__(self, shown: Mapping[str, ShownStates], elements: pd.DataFrame) -> None:
        self._place: dict[str, dict[str | None, int]] = {}
        self._grid: dict[str, str] = {}
        self._ids: dict[str, dict[tuple[str, str], pd.Index]] = {}
        self._values: dict[str, dict[tuple[str, str], Reals]] = {}
        for grid, own in shown.items():
            rows = zip(own.table["scenario"], own.table["snapshot"], strict=True)
            for n, (scenario, snapshot) in enumerate(rows):
                when = snapshot if isinstance(snapshot, str) else None
                self._place.setdefault(scenario, {})[when] = n
                self._grid[scenario] = grid
            self._ids[grid], self._values[grid] = {}, {}
            for kind, told in elements[elements["grid"] == grid].groupby("element", sort=False):
                key = (str(kind), SHOWN.get(str(kind), ""))
                if key in own.values:
                    self._ids[grid][key] = told.set_index("id").index
                    self._values[grid][key] = np.full_like(own.values[key], np.nan)

    def add(self, table: pa.Table) -> None:
        """Add rows of base cases and snapshots; kinds and scenarios are categories."""
        scenario = table["scenario"].combine_chunks()
        names = scenario.dictionary.to_pylist()
        wanted = np.array([name in self._place for name in names], bool)
        rows = np.flatnonzero(wanted[scenario.indices.to_numpy()])
        if not len(rows):
            return
        part = table.take(rows)
        whose = part["scenario"].combine_chunks().indices.to_numpy()
        snapshot = part["snapshot"].combine_chunks().dictionary_encode()
        when = np.array([*snapshot.dictionary.to_pylist(), None], object)
        code = snapshot.indices.fill_null(len(when) - 1).to_numpy()
        pairs, owner = np.unique(whose.astype(np.int64) * len(when) + code, return_inverse=True)
        keys = [(names[pair // len(when)], when[pair % len(when)]) for pair in pairs.tolist()]
        place = np.array([self._place[name].get(at, -1) for name, at in keys], np.int64)[owner]
        grids = np.array([self._grid[name] for name, _ in keys], object)[owner]
        for grid, ids in self._ids.items():
            at: NDArray[np.int64] = np.where(grids == grid, place, -1)
            for (kind, quantity), index in ids.items():
                if quantity in part.column_names:
                    values_at(part, at, (kind, quantity), index, self._values[grid])

    def values(self, grid: str) -> dict[tuple[str, str], Reals]:
        """Return the values of a grid, shaped as those of the page's states; NaN for none."""
        return self._values.get(grid, {})
