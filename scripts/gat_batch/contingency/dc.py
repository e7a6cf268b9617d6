"""DC contingencies in blocks: one factorisation, corrected for what each one takes out.

A branch that is taken out carries c in the end. Its effect on the others is that of injecting c
where it left the part of the grid that is still supplied, and of drawing it where it came in. With
several such branches the c of each depends on those of the others: a small system of equations a
contingency. Bridges need no case of their own, as nothing is injected at buses that are cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ..powerflow.injections.demand import injection_of
from .partitioned_inverse import PartitionedInverse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..powerflow.injections.demand import Demand
    from .outage_effect import OutageEffect

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]

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
        """Return angles of one contingency in radians, shape (buses,)."""
        voltage: NDArray[np.complex128] = self.values[number].astype(np.complex128)
        return voltage

    def iterations(self, _number: int) -> None:
        """Nothing is iterated."""
        return


class DcContingencies:
    """Solves contingencies of one state.

    Args:
        admittances: the equations, with nothing taken out of them.
        demand: what the state asks of them.

    Raises:
        RuntimeError: if the equations are singular.
    """

    def __init__(self, admittances: AdmittanceModel, demand: Demand) -> None:
        self._admittances = admittances
        count = admittances.buses
        free = np.ones(count)
        free[admittances.ref] = 0.0
        angle = np.where(free, 0.0, np.angle(admittances.start))
        power = (
            injection_of(admittances, demand).real - admittances.bus_shift - admittances.bus @ angle
        )
        only = sparse.diags(free)
        self._inverse = PartitionedInverse(only @ admittances.bus @ only + sparse.diags(1.0 - free))
        self._free = free
        self.angle: Reals = angle + self._inverse.solve(power * free)
        self._ends = live_ends(admittances)
        self._live = admittances.live.tolist()
        self._pairs = self._ends.tolist()
        self._slope = slopes(admittances)
        first, second = self._ends.T
        driven = (self.angle[first] - self.angle[second]) * self._slope
        self._flow = driven + shifts(admittances)

    def solve(self, block: Sequence[OutageEffect]) -> DcBlock:
        """Solve a block of contingencies.

        Args:
            block: the contingencies.
        """
        branch, column, turns = self._posed(block)
        known = branch >= 0
        first, second = np.moveaxis(self._ends[branch], -1, 0)
        slope = self._slope[branch] * known
        # The last column of each row of `column` is what the contingency itself injects.
        response = turns[first[:, :, None], column[:, None, :]]
        response -= turns[second[:, :, None], column[:, None, :]]
        response *= slope[:, :, None]
        amount = self._flow[branch] * known + response[:, :, -1]
        system = np.eye(branch.shape[1]) - response[:, :, :-1] * known[:, None, :]
        factor, solved = _solved(system, amount)
        factor = np.column_stack([factor, np.ones(len(block))])
        angle = _mixed(self.angle, turns, column, factor)
        return DcBlock(solved & np.isfinite(angle[0]), angle.T)

    def _posed(self, block: Sequence[OutageEffect]) -> tuple[Rows, Rows, Reals]:
        """Pose the equations for what each contingency takes out.

        Returns:
            Branches that each takes out, -1 where it has no more; columns of the injections that
            stand for them, and of its own; what these turn the angles by, shape (buses, columns).
        """
        widest = max((len(one.branches) for one in block), default=0)
        branch = np.full((len(block), widest), -1)
        # Column 0 injects nothing.
        column = np.zeros((len(block), widest + 1), np.int64)
        places: dict[object, int] = {}
        rows: list[int] = []
        values: list[float] = []
        # Where the entries of each column begin; the first has none.
        begin = [0]
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
                    begin.append(len(rows))
                    for row, value, there in ((first, 1.0, sides[0]), (second, -1.0, sides[1])):
                        if there:
                            rows.append(row)
                            values.append(value)
                column[number, slot] = places[key]
            if one.injected:
                places[number] = column[number, -1] = len(places) + 1
                begin.append(len(rows))
                rows += [row for row, _ in one.injected]
                values += [power.real for _, power in one.injected]
        entries = np.array(values) * self._free[rows], rows, [*begin, len(rows)]
        drawn = sparse.csc_matrix(entries, (len(self._free), len(places) + 1))
        return branch, column, self._inverse.solve_sparse(drawn)


def live_ends(admittances: AdmittanceModel) -> Rows:
    """Return rows at the ends of each branch.

    Of those that aren't live, which carry nothing, any rows.
    """
    return np.where(
        np.isin(np.arange(len(admittances.ends)), admittances.live)[:, None], admittances.ends, 0
    )


def slopes(admittances: AdmittanceModel) -> Reals:
    """Return power in p.u. that a radian drives through each branch, 0 where it isn't live."""
    slope = np.zeros(len(admittances.ends))
    first = admittances.ends[admittances.live, 0]
    slope[admittances.live] = np.asarray(admittances.at_from[np.arange(len(first)), first]).ravel()
    return slope


def shifts(admittances: AdmittanceModel) -> Reals:
    """Return power in p.u. that a phase shift drives through each branch."""
    shift = np.zeros(len(admittances.ends))
    shift[admittances.live] = admittances.branch_shift
    return shift


def _solved(system: Reals, amount: Reals) -> tuple[Reals, NDArray[np.bool_]]:
    """Return solutions of small systems, and which of them are sound."""
    if system.shape[1] == 1:
        pivot = system[:, 0]
        sound: NDArray[np.bool_] = np.abs(pivot[:, 0]) > LEAST
        return np.divide(amount, pivot, out=np.zeros_like(amount), where=sound[:, None]), sound
    sound = np.abs(np.linalg.det(system)) > LEAST
    system = np.where(sound[:, None, None], system, np.eye(system.shape[1]))
    solution = np.linalg.solve(system, amount[..., None])[..., 0]
    return solution.astype(np.float64), sound


def _mixed(angle: Reals, turns: Reals, column: Rows, factor: Reals) -> Reals:
    """Return angles after each contingency in radians, shape (buses, contingencies)."""
    mixed: Reals = turns[:, _run(column[:, 0])] * factor[:, 0]
    mixed += angle[:, None]
    for places, factors in zip(column.T[1:], factor.T[1:], strict=True):
        # Few have as many branches as the bus that has the most.
        own = np.flatnonzero(places)
        if len(own):
            turned = turns[:, _run(places[own])] * factors[own]
            mixed[:, own if len(own) < len(column) else slice(None)] += turned
    return mixed


def _run(columns: Rows) -> Rows | slice:
    """Return columns as a slice if they lie side by side, so that nothing is copied."""
    first, count = int(columns[0]), len(columns)
    side_by_side = bool((columns == np.arange(first, first + count)).all())
    return slice(first, first + count) if side_by_side else columns
