"""Branches that contingencies overload, by category, the most often overloaded first.

A large grid has millions of pairs of a contingency and a branch that it overloads. They are kept as
numbers, 20 bytes each; names are kept once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..study.scenario import FOLLOWS

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    Codes = NDArray[np.int64]
    Reals = NDArray[np.float64]

OVERLOAD_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "element": (pa.string(), "kind of branch"),
    "id": (pa.int64(), "its index"),
    "name": (pa.string(), "its name"),
    "category": (pa.string(), "category of these contingencies; null if they have none"),
    "overloads": (pa.int64(), "contingencies on top of any state that overload it"),
    "max_loading_percent": (pa.float64(), "its worst loading in any of them, percent"),
    "scenario": (pa.string(), "where that was"),
    "snapshot": (pa.string(), "its snapshot"),
    "contingency": (pa.string(), "the contingency that did it"),
    "contingencies": (pa.string(), "those that overload it most often, joined by semicolons"),
}
"""Columns of the table of overloaded branches: type and meaning."""

MOST_NAMED = 5
"""Most contingencies that are named for an overloaded branch."""

MOST_PAIRS = 5_000_000
"""Pairs that are kept before equal ones are merged."""

_SCHEMA = pa.schema([(name, kind) for name, (kind, _) in OVERLOAD_COLUMNS.items()])


class Overloads:
    """Collects branches that contingencies overload."""

    def __init__(self) -> None:
        self._branches: dict[Hashable, int] = {}
        self._names: list[str | None] = []
        self._contingencies: dict[Hashable, int] = {}
        self._worst: list[tuple[float, str, str | None, str]] = []
        self._pairs: list[tuple[Codes, NDArray[np.int32], Reals]] = []
        self._waiting = 0

    def add(self, rows: pa.Table) -> None:
        """Add rows of overloaded branches, with their contingency and its state.

        What follows after a contingency, a round of a cascade or an action, isn't counted.
        """
        rows = rows.filter(pc.invert(pc.match_substring(rows["contingency"], FOLLOWS)))
        if not len(rows):
            return
        branch = self._branch_codes(rows)
        contingency = _codes(rows["contingency"], self._contingencies)
        loading: Reals = rows["loading_percent"].to_numpy()
        self._note_worst(rows, branch, loading)
        self._pairs.append(_merged((branch << 32) + contingency, None, loading))
        self._waiting += len(self._pairs[-1][0])
        if self._waiting > MOST_PAIRS:
            self._merge()

    def table(self) -> pa.Table:
        """Return the branches, those most often overloaded first."""
        if not self._branches:
            return _SCHEMA.empty_table()
        self._merge()
        ((key, times, loading),) = self._pairs
        branch = key >> 32
        overloads = np.bincount(branch, times, minlength=len(self._branches)).astype(np.int64)
        # Of those that overload a branch equally often the worse comes first, then the earlier.
        order = np.lexsort((key, -loading, -times, branch))
        begins = np.searchsorted(branch[order], np.arange(len(self._branches)))
        names = list(self._contingencies)
        named = [
            ";".join(str(names[code]) for code in (key[order[begin:end]] & 0xFFFFFFFF).tolist())
            for begin, end in zip(begins, _ends(begins, len(order)), strict=True)
        ]
        branches: list[Any] = list(self._branches)
        columns = {
            "element": [element for element, _, _ in branches],
            "id": [index for _, _, index in branches],
            "name": self._names,
            "category": [category for _, category, _ in branches],
            "overloads": overloads,
            "max_loading_percent": [worst[0] for worst in self._worst],
            "scenario": [worst[1] for worst in self._worst],
            "snapshot": [worst[2] for worst in self._worst],
            "contingency": [worst[3] for worst in self._worst],
            "contingencies": named,
        }
        most = [("overloads", "descending"), ("max_loading_percent", "descending")]
        return pa.table(columns, _SCHEMA).sort_by(most)

    def _branch_codes(self, rows: pa.Table) -> Codes:
        kind, kinds = _encoded(rows["element"])
        category, categories = _encoded(rows["category"])
        index: Codes = rows["id"].to_numpy()
        key = (kind * len(categories) + category) * (int(index.max()) + 1) + index
        found, first, place = np.unique(key, return_index=True, return_inverse=True)
        codes = np.empty(len(found), np.int64)
        for n, row in enumerate(first.tolist()):
            branch = kinds[kind[row]], categories[category[row]], int(index[row])
            codes[n] = self._branches.setdefault(branch, len(self._branches))
            if codes[n] == len(self._names):
                self._names.append(rows["name"][row].as_py())
                self._worst.append((-np.inf, "", None, ""))
        return codes[place]

    def _note_worst(self, rows: pa.Table, branch: Codes, loading: Reals) -> None:
        order = np.lexsort((-loading, branch))
        _, first = np.unique(branch[order], return_index=True)
        for row in order[first].tolist():
            if loading[row] > self._worst[branch[row]][0]:
                where = (
                    rows[name][row].as_py() for name in ("scenario", "snapshot", "contingency")
                )
                self._worst[branch[row]] = (float(loading[row]), *where)

    def _merge(self) -> None:
        keys, times, loadings = (np.concatenate(parts) for parts in zip(*self._pairs, strict=True))
        self._pairs = [_merged(keys, times, loadings)]
        self._waiting = 0


def _encoded(column: pa.ChunkedArray) -> tuple[Codes, list[str | None]]:
    """Return a number for each text, and the texts."""
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _codes(column: pa.ChunkedArray, known: dict[Hashable, int]) -> Codes:
    """Return a number for each text, always the same for the same text; ``known`` grows."""
    code, texts = _encoded(column)
    numbers = np.array([known.setdefault(text, len(known)) for text in texts], np.int64)
    codes: Codes = numbers[code]
    return codes


def _merged(
    keys: Codes, times: NDArray[np.int32] | None, loadings: Reals
) -> tuple[Codes, NDArray[np.int32], Reals]:
    """Merge equal keys: return each key once, how often it occurs, and its highest loading."""
    order = np.argsort(keys, kind="stable")
    keys, loadings = keys[order], loadings[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    if times is None:
        count = np.diff(starts, append=len(keys)).astype(np.int32)
    else:
        count = np.add.reduceat(times[order], starts, dtype=np.int32)
    return keys[starts], count, np.maximum.reduceat(loadings, starts)


def _ends(begins: Codes, count: int) -> Codes:
    ends: Codes = np.minimum(begins + MOST_NAMED, np.append(begins[1:], count))
    return ends
