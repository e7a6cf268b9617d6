"""DC contingencies in blocks: one factorisation, corrected for what each one takes out.

A branch that is taken out carries c in the end. Its effect on the others is that of injecting c
where it left the part of the grid that is still supplied, and of drawing it where it came in. With
several such branches the c of each depends on those of the others: a small system of equations a
contingency. Bridges need no case of their own, as nothing is injected at buses that are cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from .fast import injection_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .arrays import Arrays
    from .contingent import Contingent
    from .fast import Demand

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]

PIVOT = 0.01
"""How small a diagonal pivot may be beside the largest entry of its column: reactances of one sign
need no other, those of series capacitors may."""

LEAST = 1e-6
"""A correction by less than this is next to singular: such contingencies are solved alone."""


@dataclass(frozen=True)
class DcBlock:
    """Solutions of a block of contingencies.

    Attributes:
        solved: which of them are solved, shape (contingencies,).
        values: angles in radians, shape (contingencies, buses); of no use where a contingency cuts
            buses off or isn't solved.
    """

    solved: NDArray[np.bool_]
    values: Reals

    def voltage(self, number: int) -> NDArray[np.complex128]:
        """Angles of one contingency in radians, shape (buses,)."""
        voltage: NDArray[np.complex128] = self.values[number].astype(np.complex128)
        return voltage

    def iterations(self, _number: int) -> None:
        """Nothing is iterated."""
        return


class DcContingencies:
    """Solves contingencies of one state.

    Args:
        arrays: the equations, with nothing taken out of them.
        demand: what the state asks of them.

    Raises:
        RuntimeError: if the equations are singular.
    """

    def __init__(self, arrays: Arrays, demand: Demand) -> None:
        self._arrays = arrays
        count = arrays.buses
        free = np.ones(count)
        free[arrays.ref] = 0.0
        angle = np.where(free, 0.0, np.angle(arrays.start))
        power = injection_of(arrays, demand).real - arrays.bus_shift - arrays.bus @ angle
        only = sparse.diags(free)
        matrix = (only @ arrays.bus @ only + sparse.diags(1.0 - free)).tocsc()
        self._lu = linalg.splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=PIVOT,
            options={"SymmetricMode": True},
        )
        self.angle: Reals = angle + self._lu.solve(power * free)
        self._ends = live_ends(arrays)
        self._live = arrays.live.tolist()
        self._pairs = self._ends.tolist()
        self._slope = slopes(arrays)
        first, second = self._ends.T
        driven = (self.angle[first] - self.angle[second]) * self._slope
        self._flow = driven + shifts(arrays)

    def solve(self, block: Sequence[Contingent]) -> DcBlock:
        """Solve a block of contingencies.

        Args:
            block: the contingencies.
        """
        branch, column, drawn = self._posed(block)
        turns = self._lu.solve(drawn).T
        known = branch >= 0
        first, second = np.moveaxis(self._ends[branch], -1, 0)
        slope = self._slope[branch] * known
        # The last column of each row of `column` is what the contingency itself injects.
        response = turns[column[:, None, :], first[:, :, None]]
        response -= turns[column[:, None, :], second[:, :, None]]
        response *= slope[:, :, None]
        amount = self._flow[branch] * known + response[:, :, -1]
        system = np.eye(branch.shape[1]) - response[:, :, :-1] * known[:, None, :]
        factor, solved = _solved(system, amount)
        factor = np.column_stack([factor, np.ones(len(block))])
        angle = self.angle + _mixed(turns, column, factor)
        return DcBlock(solved & np.isfinite(angle[:, 0]), angle)

    def _posed(self, block: Sequence[Contingent]) -> tuple[Rows, Rows, Reals]:
        """Pose the equations for what each contingency takes out.

        Returns:
            Branches that each takes out, -1 where it has no more; columns of the injections that
            stand for them, and of its own; these columns.
        """
        arrays = self._arrays
        widest = max((len(one.branches) for one in block), default=0)
        branch = np.full((len(block), widest), -1)
        # Column 0 injects nothing.
        column = np.zeros((len(block), widest + 1), np.int64)
        places: dict[object, int] = {}
        rows: list[int] = []
        columns: list[int] = []
        values: list[float] = []
        live = self._live
        for number, one in enumerate(block):
            lost = one.lost_rows
            for slot, place in enumerate(one.branches):
                where = live[place]
                first, second = self._pairs[where]
                sides = (first not in lost, second not in lost)
                if not any(sides):
                    continue
                branch[number, slot] = where
                key = (where, sides)
                if key not in places:
                    places[key] = len(places) + 1
                    for row, value, there in ((first, 1.0, sides[0]), (second, -1.0, sides[1])):
                        if there:
                            rows.append(row)
                            columns.append(places[key])
                            values.append(value)
                column[number, slot] = places[key]
            if one.injected:
                places[number] = column[number, -1] = len(places) + 1
                for row, power in one.injected:
                    rows.append(row)
                    columns.append(places[number])
                    values.append(power.real)
        drawn = np.zeros((arrays.buses, len(places) + 1), order="F")
        np.add.at(drawn, (rows, columns), values)
        drawn[arrays.ref] = 0.0
        return branch, column, drawn


def live_ends(arrays: Arrays) -> Rows:
    """Rows at the ends of each branch; of those that aren't live, which carry nothing, any rows."""
    return np.where(np.isin(np.arange(len(arrays.ends)), arrays.live)[:, None], arrays.ends, 0)


def slopes(arrays: Arrays) -> Reals:
    """Power in p.u. that a radian drives through each branch, 0 where it isn't live."""
    slope = np.zeros(len(arrays.ends))
    first = arrays.ends[arrays.live, 0]
    slope[arrays.live] = np.asarray(arrays.at_from[np.arange(len(first)), first]).ravel()
    return slope


def shifts(arrays: Arrays) -> Reals:
    """Power in p.u. that a phase shift drives through each branch."""
    shift = np.zeros(len(arrays.ends))
    shift[arrays.live] = arrays.branch_shift
    return shift


def _solved(system: Reals, amount: Reals) -> tuple[Reals, NDArray[np.bool_]]:
    """Solutions of small systems, and which of them are sound."""
    if system.shape[1] == 1:
        pivot = system[:, 0]
        sound: NDArray[np.bool_] = np.abs(pivot[:, 0]) > LEAST
        return np.divide(amount, pivot, out=np.zeros_like(amount), where=sound[:, None]), sound
    sound = np.abs(np.linalg.det(system)) > LEAST
    system = np.where(sound[:, None, None], system, np.eye(system.shape[1]))
    solution = np.linalg.solve(system, amount[..., None])[..., 0]
    return solution.astype(np.float64), sound


def _mixed(parts: Reals, column: Rows, factor: Reals) -> Reals:
    """Sum of parts for each contingency, shape (contingencies, values)."""
    used = [slot for slot in range(column.shape[1]) if column[:, slot].any()]
    total: Any = 0.0
    for slot in used:
        total = total + factor[:, slot, None] * parts[column[:, slot]]
    return np.broadcast_to(total, (len(column), parts.shape[1]))
