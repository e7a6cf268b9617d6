"""Values of the states that are shown, taken from the rows of all results as they pass by."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...study.scenario import BRANCHES
from .choice import CHOSEN_BY, choose
from .reading import taken

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from .choice import Choice

    Reals = NDArray[np.float32]

MOST_BYTES = 3_200_000
"""Bytes of the page for the values of all states."""

MOST_STATES = 4000
"""Most states of a grid that are shown."""

BYTES_PER_VALUE = 2 * 4 / 3
BYTES_PER_STATE = 110
"""What a value takes in the page, and what a state takes beside its values."""

MOST_GRIDS = 4
MOST_UNITS = 2000
"""Most units of a grid whose power is shown."""

SYSTEM = (
    *("status", "load_mw", "generation_mw", "loss_mw", "unserved_mw", "objective"),
    *("max_loading_percent", "max_loading_element", "min_vm_pu", "min_vm_bus"),
    *("max_vm_pu", "max_vm_bus"),
)
"""Columns of a state's ``system`` row that are shown."""

UNITS = ("gen", "ext_grid", "sgen", "storage")
"""Elements whose power is shown where it was optimised."""

UNRATED = ("impedance", "dcline", "tcsc")
"""Branches that have no loading; of them the power at their first end is shown, in MW."""

SHOWN = {
    "bus": "vm_pu",
    **dict.fromkeys(BRANCHES, "loading_percent"),
    **dict.fromkeys(UNRATED, "p_from_mw"),
}
"""Kind of element -> the quantity that is shown of it."""


@dataclass(frozen=True)
class ShownStates:
    """The states of a grid that are shown.

    Attributes:
        total: how many states it has in all.
        table: a row for each state shown: ``scenario``, ``snapshot``, ``even`` (whether it was
            chosen without regard to how bad it is) and :data:`SYSTEM`.
        values: kind of element and quantity -> its value for each element, in the order of the
            table of elements; NaN where there is none, shape (states, elements). Where voltages
            aren't computed a bus that is supplied has 1.
        after: a row for each limit that a contingency breaks: ``scenario``, ``snapshot``,
            ``contingency``, ``element``, ``id``, ``value`` and the one ``before`` it, percent or
            p.u.
        before: values as another batch has them in the same states, as ``values``; empty without
            one.
    """

    total: int
    table: pd.DataFrame
    values: dict[tuple[str, str], Reals]
    after: pd.DataFrame
    before: dict[tuple[str, str], Reals] = field(default_factory=dict)


@dataclass
class _Grid:
    """What is known of a grid's states so far."""

    choice: Choice
    ids: dict[tuple[str, str], pd.Index]
    states: list[pd.DataFrame] = field(default_factory=list)
    values: dict[tuple[str, str], list[Reals]] = field(default_factory=dict)


class StateGathering:
    """Gathers the states that are shown.

    Args:
        scenarios: the table of scenarios, indexed by id.
        elements: the table of elements.
        contingencies: the contingencies that are shown.
    """

    def __init__(
        self, scenarios: pd.DataFrame, elements: pd.DataFrame, contingencies: pd.DataFrame
    ) -> None:
        self._grids: dict[str, _Grid] = {}
        self._grid_of = scenarios["grid"]
        self._optimised = bool(scenarios["objective"].notna().any())
        self._angles = bool(scenarios["solver"].isin(["dc", "dc_opf"]).any())
        self._unrated = bool(elements["element"].isin(UNRATED).any())
        names = elements["grid"].unique()[:MOST_GRIDS]
        for name in names:
            own = elements[elements["grid"] == name]
            ids = {key: pd.Index(found) for key, found in self._shown(own)}
            each = BYTES_PER_STATE + BYTES_PER_VALUE * sum(map(len, ids.values()))
            most = min(MOST_STATES, int(MOST_BYTES / len(names) / each))
            choice = choose(scenarios.loc[scenarios["grid"] == name, CHOSEN_BY], own, most)
            self._grids[name] = _Grid(choice, ids)
        self._wanted = {
            scenario: name
            for name, grid in self._grids.items()
            for scenario in grid.choice.scenarios()
        }
        self._seen: dict[str, int] = {}
        keys = contingencies[["scenario", "snapshot", "contingency"]]
        self._ranked = pd.MultiIndex.from_frame(keys.astype(object).fillna(""))
        self._after: list[pd.DataFrame] = []

    def _shown(self, elements: pd.DataFrame) -> list[tuple[tuple[str, str], Any]]:
        found = []
        for kind, own in elements.groupby("element", sort=False):
            name = str(kind)
            if name in SHOWN:
                found.append(((name, SHOWN[name]), own["id"]))
            if self._optimised and name == "bus":
                found.append(((name, "lam_p"), own["id"]))
            if self._optimised and name in UNITS and len(own) <= MOST_UNITS:
                found.append(((name, "p_mw"), own["id"]))
        return found

    @property
    def columns(self) -> list[str]:
        """Columns of the results that are needed."""
        more = ["lam_p", "p_mw"] if self._optimised else []
        more += ["va_degree"] if self._angles else []
        more += ["limit", "before"] if len(self._ranked) else []
        more += ["p_from_mw"] if self._unrated else []
        return ["scenario", "snapshot", "element", "id", "vm_pu", "loading_percent", *SYSTEM, *more]

    def add(self, table: pa.Table) -> None:
        """Add rows without contingencies, in their order; kinds and scenarios are categories."""
        scenario = table["scenario"].combine_chunks()
        names = scenario.dictionary.to_pylist()
        wanted = np.array([name in self._wanted for name in names], bool)
        rows = np.flatnonzero(wanted[scenario.indices.to_numpy()])
        if not len(rows):
            return
        # Rows of whole scenarios lie together.
        whole = table.slice(rows[0], rows[-1] - rows[0] + 1)
        code = whole["scenario"].combine_chunks().indices.to_numpy()
        kinds = whole["element"].combine_chunks()
        system = kinds.indices.to_numpy() == kinds.dictionary.index("system").as_py()
        starts = np.flatnonzero(system)
        sizes = np.diff(starts, append=len(whole))
        heads = taken(whole.select(["scenario", "snapshot", *SYSTEM]), starts)
        heads["scenario"] = heads["scenario"].astype(object)
        keep, even = self._chosen(code[starts], heads)
        for name, grid in self._grids.items():
            own = keep & (self._grid_of.reindex(heads["scenario"]).to_numpy() == name)
            if own.any():
                place = np.where(own, np.cumsum(own) - 1, -1)
                chosen = heads.loc[own, ["scenario", "snapshot", *SYSTEM]]
                grid.states.append(chosen.assign(even=even[own]))
                at = np.repeat(place, sizes)
                self._take(grid, whole, at, int(own.sum()))

    def _chosen(
        self, code: NDArray[Any], heads: pd.DataFrame
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which states are shown, and which of them are among those spread evenly."""
        keep, even = np.zeros(len(heads), bool), np.zeros(len(heads), bool)
        borders = [*np.flatnonzero(np.diff(code, prepend=-1)).tolist(), len(heads)]
        scenarios, snapshots = (heads[key].to_numpy() for key in ("scenario", "snapshot"))
        for start, end in pairwise(borders):
            name = scenarios[start]
            seen = self._seen.get(name, 0)
            self._seen[name] = seen + end - start
            if name not in self._wanted:
                continue
            choice = self._grids[self._wanted[name]].choice
            first = choice.first[name] + seen
            own = slice(start, end)
            even[own] = _within(choice.even, first, end - start)
            keep[own] = even[own] | _within(choice.worst, first, end - start)
            if choice.named:
                keep[own] |= [(name, snapshot) in choice.named for snapshot in snapshots[own]]
        return keep, even

    def _take(self, grid: _Grid, table: pa.Table, at: NDArray[np.int64], count: int) -> None:
        """Take the values of the rows that belong to a state shown, at its position."""
        for key, ids in grid.ids.items():
            into = {key: np.full((count, len(ids)), np.nan, np.float32)}
            values_at(table, at, key, ids, into, supplied=self._angles)
            grid.values.setdefault(key, []).append(into[key])

    def add_after(self, table: pa.Table) -> None:
        """Add rows of contingencies, of which those that break a limit count."""
        if not len(table):
            return
        names = ["scenario", "snapshot", "contingency", "element", "id"]
        rows = table.select([*names, "vm_pu", "loading_percent", "before"]).to_pandas()
        rows = rows.astype({"scenario": object, "element": object})
        keys = pd.MultiIndex.from_frame(rows[names[:3]].fillna(""))
        rows = rows[keys.isin(self._ranked)]
        value = rows["vm_pu"].where(rows["element"] == "bus", rows["loading_percent"])
        self._after.append(rows[names].assign(value=value, before=rows["before"]))

    def shown(self) -> dict[str, ShownStates]:
        """Return the states of each grid."""
        empty = pd.DataFrame(columns=["scenario"])
        after = pd.concat(self._after, ignore_index=True) if self._after else empty
        grids = self._grid_of.reindex(after["scenario"]).to_numpy()
        return {
            name: ShownStates(
                grid.choice.total,
                pd.concat(grid.states, ignore_index=True),
                {key: np.concatenate(parts) for key, parts in grid.values.items()},
                after[grids == name],
            )
            for name, grid in self._grids.items()
            if grid.states
        }


def _within(numbers: NDArray[np.int64], first: int, count: int) -> NDArray[np.bool_]:
    """Tell which numbers from ``first`` on are among some, shape (count,)."""
    found = np.zeros(count, bool)
    low, high = np.searchsorted(numbers, [first, first + count])
    found[numbers[low:high] - first] = True
    return found


def values_at(
    table: pa.Table,
    at: NDArray[np.int64],
    key: tuple[str, str],
    ids: pd.Index,
    into: dict[tuple[str, str], Reals],
    *,
    supplied: bool = False,
) -> None:
    """Write the values that elements of a kind have into those of states.

    Args:
        table: rows of results; kinds of elements are categories.
        at: position of the state that each row belongs to, -1 for none, shape (rows,).
        key: the kind of element, and the quantity.
        ids: the elements whose values are wanted.
        into: key -> values, shape (states, elements).
        supplied: whether a bus without a voltage whose angle is known has 1 p.u.
    """
    kind, quantity = key
    kinds = table["element"].combine_chunks()
    codes = {name: n for n, name in enumerate(kinds.dictionary.to_pylist())}
    rows = np.flatnonzero((kinds.indices.to_numpy() == codes.get(kind, -1)) & (at >= 0))
    column = table[quantity].to_numpy()[rows]
    if quantity == "vm_pu" and supplied:
        angle = table["va_degree"].to_numpy()[rows]
        column = np.where(np.isnan(column) & np.isfinite(angle), 1.0, column)
    place = ids.get_indexer(table["id"].to_numpy()[rows].astype(np.int64))
    known = place >= 0
    into[key][at[rows][known], place[known]] = column[known]
