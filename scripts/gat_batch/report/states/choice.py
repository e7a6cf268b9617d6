"""Which states of a grid, and which rows, are shown where there are too many for a page."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

SHARE_OF_WORST = 1 / 3
"""Share of the states shown that are chosen as the worst ones."""

BESIDE_NAMES = 150
"""Characters that a row of a figure takes beside names."""

SCENARIOS_SHOWN_WHOLE = 20
"""If so many scenarios can be shown with all their snapshots, scenarios are chosen, not states."""


@dataclass(frozen=True)
class Choice:
    """States chosen. The states of a grid are numbered scenario by scenario.

    Attributes:
        first: scenario -> number of its first state, of those with a result.
        total: how many states there are.
        even: numbers of those chosen evenly, ascending, shape (chosen,); all if all are shown.
        worst: numbers of those chosen as the worst, ascending, shape (chosen,).
        named: scenarios and snapshots chosen as the worst, where their numbers aren't known.
    """

    first: dict[str, int]
    total: int
    even: NDArray[np.int64]
    worst: NDArray[np.int64]
    named: frozenset[tuple[str, str | None]]

    def scenarios(self) -> set[str]:
        """Return the scenarios with a state that is chosen."""
        names = np.array(list(self.first), object)
        starts = np.array(list(self.first.values()))
        numbers = np.concatenate([self.even, self.worst])
        own = names[np.unique(np.searchsorted(starts, numbers, side="right") - 1)]
        return {*own.tolist(), *(scenario for scenario, _ in self.named)}


RESPECTS = (
    ("max_loading_percent", "max_loading_snapshot", False),
    ("min_vm_pu", "min_vm_snapshot", True),
    ("max_vm_pu", "max_vm_snapshot", False),
)
"""By what states are bad: a column, that of the snapshot, and whether low values are bad."""

CHOSEN_BY = [
    "scenario",
    "snapshots",
    *(name for column, snapshot, _ in RESPECTS for name in (column, snapshot)),
]
"""Columns of the table of scenarios that are needed: whole copies of a million rows are large."""


def choose(scenarios: pd.DataFrame, elements: pd.DataFrame, most: int) -> Choice:
    """Choose states of a grid: all, or the worst ones and others spread evenly.

    Args:
        scenarios: its rows of the table of scenarios, with :data:`CHOSEN_BY`.
        elements: its rows of the table of elements.
        most: most states to choose.
    """
    solved = scenarios[scenarios["snapshots"] > 0]
    count = solved["snapshots"].to_numpy(np.int64)
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    first = dict(zip(solved["scenario"], (ends - count).tolist(), strict=True))
    size = dict(zip(solved["scenario"], count.tolist(), strict=True))
    if total <= most:
        return Choice(first, total, np.arange(total), np.arange(0), frozenset())
    whole = count.max() * SCENARIOS_SHOWN_WHOLE <= most
    worst: set[int] = set()
    named: set[tuple[str, str | None]] = set()
    for scenario, snapshot in _worst_first(solved, elements):
        if len(worst) + len(named) >= SHARE_OF_WORST * most:
            break
        if whole or size.get(scenario) == 1:
            worst.update(range(first[scenario], first[scenario] + size[scenario]))
        elif scenario in first:
            named.add((scenario, snapshot))
    left = most - len(worst) - len(named)
    if whole:
        chosen = _spread(len(count), int(left / count.mean()))
        even = np.concatenate([np.arange(ends[n] - count[n], ends[n]) for n in chosen])
    else:
        even = _spread(total, left)
    return Choice(first, total, even, np.array(sorted(worst), np.int64), frozenset(named))


def fitting(names: pd.Series, most: int, room: int) -> int:
    """Return how many rows fit into a room that hold each a name twice and some numbers.

    Args:
        names: the names.
        most: most rows.
        room: characters for all of them.
    """
    longest = int(names.str.len().quantile(0.9)) if len(names) else 0
    return max(2, min(most, room // (2 * longest + BESIDE_NAMES)))


def thinned(table: pd.DataFrame, most: int, column: str) -> pd.DataFrame:
    """Return the rows of a table, or if there are too many the highest and others evenly chosen."""
    if len(table) <= most:
        return table
    order = np.argsort(-table[column].to_numpy(), kind="stable")
    others = np.linspace(most // 2, len(order) - 1, most - most // 2).astype(np.int64)
    return table.iloc[np.sort(np.concatenate([order[: most // 2], order[others]]))]


def _worst_first(
    scenarios: pd.DataFrame, elements: pd.DataFrame
) -> Iterator[tuple[str, str | None]]:
    """Yield scenarios and snapshots that are bad in one respect or another, in turns."""
    lists = [
        _named(
            scenarios[["scenario", snapshot, column]].sort_values(column, ascending=rising),
            "scenario",
            snapshot,
        )
        for column, snapshot, rising in RESPECTS
    ]
    limited = elements[elements["quantity"].isin(["loading_percent", "vm_pu"])]
    places = limited.dropna(subset=["worst_scenario"])
    often = places.value_counts(["worst_scenario", "worst_snapshot"], dropna=False)
    lists.append(_named(often.reset_index(), "worst_scenario", "worst_snapshot"))
    for found in chain.from_iterable(zip_longest(*lists)):
        if found is not None:
            yield found


def _named(table: pd.DataFrame, scenario: str, snapshot: str) -> list[tuple[str, str | None]]:
    rows = zip(table[scenario], table[snapshot], strict=True)
    found: dict[tuple[Any, Any], None] = {}
    for name, when in islice(rows, 5000):
        found[name, when if isinstance(when, str) else None] = None
    return list(found)


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Return numbers below ``count``, evenly spread, at most so many."""
    numbers = (np.arange(max(most, 1)) + 0.5) * count / max(most, 1)
    return np.unique(numbers.astype(np.int64))
