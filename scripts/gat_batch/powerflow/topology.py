"""What outages take out of the admittance model: branches, rows that are cut off, held voltages.

Cuts are found from the structure alone. Every branch beside a spanning tree gets a random label of
64 bits, and every branch of the tree the labels' sum modulo 2 over the cycles that it closes.
Branches cut something off exactly if some of their labels add up to zero: a bridge has the label
zero, the two branches of a pair that cuts have the same one. A false alarm has a chance of 2**-64
and does no harm, as the islands are then looked up in the graph.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from .branch_flows import branches_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..model.admittance_model import AdmittanceModel

    Rows = NDArray[np.int64]

NONE = np.empty(0, np.int64)


class Cut(NamedTuple):
    """What outages take out of equations.

    Attributes:
        gone: branches that carry nothing any more, positions among the live ones.
        hanging: lines that lost the bus at one end, as (position, side that is still connected).
        dead: rows that are no longer supplied.
        holders: rows that are supplied but no longer hold their voltage.
    """

    gone: tuple[int, ...] = ()
    hanging: tuple[tuple[int, int], ...] = ()
    dead: Rows = NONE
    holders: tuple[int, ...] = ()


class Topology:
    """The graph of some equations.

    Args:
        admittances: the equations, with nothing taken out of them.
        net: the network that they are of.
    """

    def __init__(self, admittances: AdmittanceModel, net: pandapowerNet) -> None:
        self._admittances = admittances
        place = np.full(len(admittances.ends), -1)
        place[admittances.live] = np.arange(len(admittances.live))
        self._live = {
            element: [
                tuple(branch for branch in own if branch >= 0)
                for own in place[branches_of(admittances, element)].tolist()
            ]
            for element in ("line", "trafo", "trafo3w")
        }
        self._ends = admittances.ends[admittances.live]
        self._lines = admittances.span.get("line", (0, 0))
        self._refs = set(admittances.ref.tolist())
        units = admittances.units
        self._first_gen = units.span["gen"].start
        self._units_at = Counter(units.row[units.on].tolist())
        self._slacks_at = Counter(units.row[units.on & units.slack].tolist())
        in_service = net.bus["in_service"].to_numpy(bool)
        self._buses_at = np.bincount(
            admittances.row["bus"][in_service], minlength=len(admittances.kv)
        )
        self._grow()

    def _grow(self) -> None:
        """Grow a spanning tree from the references, and label all branches by it."""
        admittances = self._admittances
        ground = admittances.buses
        ends = self._ends.copy()
        ends[np.isin(ends, admittances.ref)] = ground
        order, above = _tree(ends, ground)
        rng = np.random.default_rng(0)
        labels = rng.integers(1, 2**63, len(ends), dtype=np.uint64)
        low, high = ends.min(axis=1), ends.max(axis=1)
        keys, first = np.unique(low * (ground + 1) + high, return_index=True)
        grown = order[1:]
        pairs = np.sort(np.column_stack([grown, above[grown]]), axis=1)
        edge = np.full(ground + 1, -1)
        edge[grown] = first[np.searchsorted(keys, pairs[:, 0] * (ground + 1) + pairs[:, 1])]
        labels[edge[grown]] = 0
        sums = np.zeros(ground + 1, np.uint64)
        for side in range(2):
            np.bitwise_xor.at(sums, ends[:, side], labels)
        total, parent, size = sums.tolist(), above.tolist(), [1] * (ground + 1)
        for row in reversed(grown.tolist()):
            total[parent[row]] ^= total[row]
            size[parent[row]] += size[row]
        labels[edge[grown]] = np.array(total, np.uint64)[grown]
        begin, free = [0] * (ground + 1), [1] * (ground + 1)
        for row in grown.tolist():
            begin[row] = free[parent[row]]
            free[parent[row]] += size[row]
            free[row] = begin[row] + 1
        # Rows in an order in which those behind each branch of the tree lie side by side.
        self._order = np.zeros(ground + 1, np.int64)
        self._order[np.array(begin)[order]] = order
        self._label = labels.tolist()
        branches = edge[grown].tolist()
        self._behind = {
            branch: slice(begin[row], begin[row] + size[row])
            for branch, row in zip(branches, grown.tolist(), strict=True)
        }

    def cut(self, outages: Mapping[str, Sequence[int]]) -> Cut | None:
        """Tell what outages take out.

        Args:
            outages: element -> positions in its table of what fails; elements that the equations
                don't have are no matter.

        Returns:
            That, or None if a reference is lost, buses that are one in the equations part, or a
            shunt fails, which the equations hold as a part of its bus.
        """
        if len(outages.get("shunt", ())):
            return None
        admittances = self._admittances
        gone: set[int] = set()
        holders: list[int] | None = []
        hanging: dict[int, int] = {}
        for element, positions in outages.items():
            if element in self._live:
                for position in positions:
                    gone.update(self._live[element][position])
            elif element == "gen":
                holders = self._freed(positions)
        if outages.get("bus"):
            rows = {int(row) for row in admittances.row["bus"][list(outages["bus"])]}
            if rows & self._refs or any(self._buses_at[row] > 1 for row in rows):
                return None
            hanging = self._stubs(rows, gone)
        if holders is None:
            return None
        out = (*gone, *hanging)
        dead = self._cut_off(out) if out else NONE
        if len(dead):
            lost = set(dead.tolist())
            holders = [row for row in holders if row not in lost]
            hanging = {n: side for n, side in hanging.items() if self._ends[n, side] not in lost}
        return Cut(tuple(sorted(gone)), tuple(sorted(hanging.items())), dead, tuple(holders))

    def _freed(self, generators: Sequence[int]) -> list[int] | None:
        """Return rows that nothing holds any more without some generators.

        None if a reference is lost, be it that other generators hold its voltage still.
        """
        units = self._admittances.units
        failing = [self._first_gen + n for n in generators if units.on[self._first_gen + n]]
        rows = units.row[failing].tolist()
        slacks = Counter(units.row[[n for n in failing if units.slack[n]]].tolist())
        if any(self._slacks_at[row] == lost for row, lost in slacks.items()):
            return None
        return [row for row, lost in Counter(rows).items() if self._units_at[row] == lost]

    def _stubs(self, rows: set[int], gone: set[int]) -> dict[int, int]:
        """Return lines that hang on one end when buses fail; other branches there are gone.

        pandapower leaves a line under voltage if only one of its buses is out of service.
        """
        admittances = self._admittances
        hanging = {}
        out = np.isin(self._ends, list(rows))
        for place in np.flatnonzero(out.any(axis=1)).tolist():
            is_line = self._lines[0] <= admittances.live[place] < self._lines[1]
            if is_line and place not in gone and not out[place].all():
                hanging[place] = int(out[place, 0])
            else:
                gone.add(place)
        return hanging

    def _cut_off(self, branches: Sequence[int]) -> Rows:
        """Return rows that are no longer supplied without some branches."""
        labels = [self._label[branch] for branch in branches]
        if len(labels) > 1 and not _independent([label for label in labels if label]):
            return self._searched(branches)
        parts = [
            self._order[self._behind[branch]]
            for branch, label in zip(branches, labels, strict=True)
            if not label
        ]
        if len(parts) == 1:
            return parts[0]
        return np.unique(np.concatenate(parts)) if parts else NONE

    def _searched(self, branches: Sequence[int]) -> Rows:
        admittances = self._admittances
        kept = np.ones(len(self._ends), bool)
        kept[list(branches)] = False
        part = _parts(admittances.buses, self._ends[kept])
        return np.flatnonzero(~np.isin(part, part[admittances.ref]))


def _independent(labels: Sequence[int]) -> bool:
    """Tell whether no labels among these add up to zero modulo 2."""
    basis: list[int] = []
    for label in labels:
        rest = label
        for known in basis:
            rest = min(rest, rest ^ known)
        if not rest:
            return False
        basis.append(rest)
    return True


def _links(count: int, ends: NDArray[np.int64]) -> Any:
    return sparse.coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count)).tocsr()


def _parts(count: int, ends: NDArray[np.int64]) -> Rows:
    part: Rows = csgraph.connected_components(_links(count, ends), directed=False)[1]
    return part


def _tree(ends: NDArray[np.int64], root: int) -> tuple[Rows, Rows]:
    """Return rows in an order from the root outwards, and the row above each one."""
    order, above = csgraph.breadth_first_order(_links(root + 1, ends), root, directed=False)
    return order.astype(np.int64), above.astype(np.int64)
