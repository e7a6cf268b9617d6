"""The lowest and highest value that each element has in the states of a group of scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from .gathering import SHOWN

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_PARTS = 32
"""Most tables that are kept before they are summed up."""

QUANTITIES = tuple(dict.fromkeys(SHOWN.values()))


class Extremes:
    """Finds the extremes of a group, without contingencies.

    Args:
        scenarios: ids of its scenarios.
    """

    def __init__(self, scenarios: Collection[str]) -> None:
        self._scenarios = set(scenarios)
        self._parts: list[pd.DataFrame] = []

    def add(self, table: pa.Table) -> None:
        """Add rows of base cases and snapshots; kinds and scenarios are categories."""
        scenario, kind = (table[name].combine_chunks() for name in ("scenario", "element"))
        mine = [name in self._scenarios for name in scenario.dictionary.to_pylist()]
        shown = [name in SHOWN for name in kind.dictionary.to_pylist()]
        if not (any(mine) and any(shown)):
            return
        rows = np.array(mine)[scenario.indices.to_numpy()]
        rows &= np.array(shown)[kind.indices.to_numpy()]
        names = [name for name in QUANTITIES if name in table.column_names]
        own = table.select(["element", "id", *names]).filter(pa.array(rows))
        found = own.group_by(["element", "id"], use_threads=False).aggregate(
            [(name, how) for name in names for how in ("min", "max")]
        )
        self._parts.append(_of_shown(found.to_pandas()))
        if len(self._parts) > MOST_PARTS:
            self._parts = [self.table()]

    def table(self) -> pd.DataFrame:
        """Return a row an element, indexed by kind and id: ``low`` and ``high``.

        They are in percent, p.u. or MW; elements that never had a value are left out.
        """
        if not self._parts:
            return pd.DataFrame(columns=["low", "high"], dtype=np.float64)
        groups = pd.concat(self._parts).groupby(level=[0, 1], sort=False)
        found: pd.DataFrame = groups.agg({"low": "min", "high": "max"}).dropna()
        return found


def _of_shown(found: pd.DataFrame) -> pd.DataFrame:
    """Return the extremes of the quantity of each kind that counts."""
    kind = found["element"].astype(str)
    quantity = kind.map(SHOWN)
    made = pd.DataFrame(index=pd.MultiIndex.from_arrays([kind, found["id"].astype(np.int64)]))
    for column, how in (("low", "min"), ("high", "max")):
        value = np.full(len(found), np.nan)
        for name in QUANTITIES:
            own = (quantity == name).to_numpy()
            if own.any() and f"{name}_{how}" in found:
                value[own] = found[f"{name}_{how}"].to_numpy(float)[own]
        made[column] = value
    return made
