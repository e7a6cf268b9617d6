"""AC contingencies in blocks: Newton steps with one factorisation, corrected for each contingency.

The Jacobian at the base case's solution is factorised once. What a contingency takes out changes
few of its rows, so each step is one solve for many contingencies and a correction of low rank
(Woodbury's formula) for each. The Jacobian stays that of the base voltages, the mismatch is the
true one: steps converge to the same solution, if more slowly. Where they don't, nothing is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from ..powerflow.injections.demand import injection_of
from ..powerflow.outages import branch_admittances, stub_admittances
from .jacobian import Changes, jacobian, slots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..powerflow.injections.demand import Demand
    from .outage_effect import OutageEffect

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

MOST_STEPS = 15
"""Steps after which Newton's method with a Jacobian of its own is the better choice."""


@dataclass(frozen=True)
class AcBlock:
    """Solutions of a block of contingencies.

    Attributes:
        solved: which of them are solved, shape (contingencies,).
        values: complex voltages in p.u., shape (contingencies, buses); of no use where a
            contingency cuts buses off or isn't solved.
    """

    solved: NDArray[np.bool_]
    values: Complexes
    _steps: Rows

    def voltage(self, number: int) -> Complexes:
        """Return voltages of one contingency in p.u., shape (buses,)."""
        voltage: Complexes = self.values[number]
        return voltage

    def iterations(self, number: int) -> int:
        """Return steps that one contingency took."""
        return int(self._steps[number])


class AcContingencies:
    """Solves contingencies of one state.

    Args:
        admittances: the equations, with nothing taken out of them.
        demand: what the state asks of them.
        voltage: their solution in p.u., shape (buses,).
        tolerance: largest mismatch of a solution in p.u.
        most_steps: most steps for one contingency.

    Raises:
        RuntimeError: if the Jacobian is singular.
    """

    def __init__(
        self,
        admittances: AdmittanceModel,
        demand: Demand,
        voltage: Complexes,
        tolerance: float,
        most_steps: int = MOST_STEPS,
    ) -> None:
        self._admittances = admittances
        self._voltage = voltage
        self._tolerance = tolerance
        self._most_steps = most_steps
        self._power = injection_of(admittances, demand)
        self._bus = admittances.bus.tocsr()
        count = admittances.buses
        self._held = np.zeros(2 * count, bool)
        self._held[admittances.ref] = True
        self._held[count + admittances.ref] = True
        self._held[count + admittances.pv] = True
        self._free = jacobian(self._bus, voltage)
        kept = sparse.diags(np.where(self._held, 0.0, 1.0))
        matrix = kept @ self._free + sparse.diags(np.where(self._held, 1.0, 0.0))
        self._lu = linalg.splu(matrix.tocsc())
        self._own = branch_admittances(admittances)

    def solve(self, block: Sequence[OutageEffect]) -> AcBlock:
        """Solve a block of contingencies.

        Args:
            block: the contingencies.
        """
        count = self._admittances.buses
        voltage = np.repeat(self._voltage[None], len(block), axis=0)
        solved = np.zeros(len(block), bool)
        steps = np.zeros(len(block), np.int64)
        working = np.arange(len(block))
        changes = self._changes(block)
        before = taken = np.zeros((len(block), 2 * count))
        while len(working):
            now = voltage[working]
            mismatch = self._mismatch(now, changes)
            worst = np.abs(mismatch).max(axis=1)
            # Even a mismatch within the tolerance is worth one step: linear convergence stops short
            # of what Newton's own last step would reach.
            step = self._step(mismatch, changes)
            before, taken = step, _accelerated(step, before, taken)
            with np.errstate(all="ignore"):
                magnitude = np.abs(now)
                turned = now * ((magnitude - taken[:, count:]) / magnitude)
                turned *= np.cos(taken[:, :count]) - 1j * np.sin(taken[:, :count])
            voltage[working] = turned
            steps[working] += 1
            done = worst <= self._tolerance
            solved[working] = done & np.isfinite(turned).all(axis=1)
            more = ~done & np.isfinite(worst) & (steps[working] < self._most_steps)
            working = working[more]
            changes = changes.of(more)
            before, taken = before[more], taken[more]
        return AcBlock(solved, voltage, steps)

    def _mismatch(self, voltage: Complexes, changes: Changes) -> Reals:
        """Return the mismatch of the equations in p.u., shape (contingencies, equations)."""
        current = np.ascontiguousarray((self._bus @ voltage.T).T)
        near = voltage[changes.number[:, None], changes.ends]
        added = np.einsum("cij,cj->ci", changes.admittance, near)
        for side in range(2):
            np.add.at(current, (changes.number, changes.ends[:, side]), added[:, side])
        power = voltage * np.conj(current) - changes.power
        mismatch: Reals = np.concatenate([power.real, power.imag], axis=1)
        mismatch[changes.held] = 0.0
        return mismatch

    def _step(self, mismatch: Reals, changes: Changes) -> Reals:
        step = np.ascontiguousarray(self._lu.solve(mismatch.T).T)
        across = np.zeros(changes.basis.shape)
        np.add.at(
            across,
            (changes.owner, changes.slot),
            changes.value * step[changes.owner, changes.column],
        )
        factor = np.einsum("cij,cj->ci", changes.small, across)
        for slot, basis in enumerate(changes.basis.T):
            # Few have as many slots as the bus with the most branches.
            own = np.flatnonzero(basis)
            mine = slice(None) if 2 * len(own) > len(basis) else own
            step[mine] -= factor[mine, slot, None] * changes.solutions[basis[mine]]
        return step

    def _changes(self, block: Sequence[OutageEffect]) -> Changes:
        count = self._admittances.buses
        number, place, admittance = self._branch_changes(block)
        ends = self._admittances.ends[self._admittances.live[place]]
        held = np.repeat(self._held[None], len(block), axis=0)
        dead = np.zeros((len(block), count), bool)
        power = np.repeat(self._power[None], len(block), axis=0)
        freed: list[tuple[int, int]] = []
        for n, one in enumerate(block):
            dead[n, one.cut.dead] = True
            for here, injected in one.injected:
                power[n, here] += injected
            freed += [(n, count + here) for here in one.cut.holders]
        held[:, :count] |= dead
        held[:, count:] |= dead
        owner, row = np.array(freed, np.int64).reshape(-1, 2).T
        held[owner, row] = False
        parts = [
            *self._branch_entries(number, ends, admittance, held, dead),
            *self._freed_entries(owner, row),
        ]
        owner, row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
        slot, basis, vectors = slots(owner, row, len(block), 2 * count)
        unit = np.zeros((2 * count, len(vectors) + 1), order="F")
        unit[vectors, np.arange(1, len(vectors) + 1)] = 1.0
        solutions = np.ascontiguousarray(self._lu.solve(unit).T)
        small = np.zeros((len(block), basis.shape[1], basis.shape[1]))
        for other in range(basis.shape[1]):
            known = solutions[basis[owner, other], column]
            np.add.at(small[:, :, other], (owner, slot), value * known)
        small = np.linalg.inv(small + np.eye(basis.shape[1])).astype(np.float64)
        return Changes(
            number, ends, admittance, owner, slot, column, value, basis, solutions,
            small, power, held,
        )  # fmt: skip

    def _branch_changes(self, block: Sequence[OutageEffect]) -> tuple[Rows, Rows, Complexes]:
        """Return the contingency, branch and added admittances of each change of a branch."""
        gone = [(n, place) for n, one in enumerate(block) for place in one.cut.gone]
        stubs = [(n, *stub) for n, one in enumerate(block) for stub in one.cut.hanging]
        number, place = np.array([*gone, *(stub[:2] for stub in stubs)], np.int64).reshape(-1, 2).T
        added = -self._own[place]
        if stubs:
            lines, sides = np.array(stubs, np.int64)[:, 1:].T
            left = stub_admittances(self._admittances, lines, sides)
            added[np.arange(len(gone), len(place)), sides, sides] += left
        return number, place, added

    def _branch_entries(
        self,
        number: Rows,
        ends: Rows,
        admittance: Complexes,
        held: NDArray[np.bool_],
        dead: NDArray[np.bool_],
    ) -> list[tuple[Any, ...]]:
        """What changes of branches add to the rows of the Jacobian: owner, row, column, value."""
        count = self._admittances.buses
        parts = []
        for side in range(2):
            near, far = ends[:, side], ends[:, 1 - side]
            here, there = self._voltage[near], self._voltage[far]
            across = here * np.conj(admittance[:, side, 1 - side] * there)
            own = np.abs(here) ** 2 * np.conj(admittance[:, side, side])
            derivatives = (
                (near, 1j * across),
                (far, -1j * across),
                (count + near, (2 * own + across) / np.abs(here)),
                (count + far, across / np.abs(there)),
            )
            for row, part in ((near, np.real), (count + near, np.imag)):
                live = ~held[number, row] & ~dead[number, near]
                parts += [
                    (number[live], row[live], column[live], part(value)[live])
                    for column, value in derivatives
                ]
        return parts

    def _freed_entries(self, owner: Rows, row: Rows) -> list[tuple[Any, ...]]:
        """Return the same for rows in which reactive power takes the place of a held voltage."""
        full = self._free[row].tocoo()
        ones = np.ones(len(row))
        return [(owner[full.row], row[full.row], full.col, full.data), (owner, row, row, -ones)]


def _accelerated(step: Reals, before: Reals, taken: Reals) -> Reals:
    """Return a step that makes use of the one before (Anderson's acceleration of depth one).

    Args:
        step: the step as it comes, shape (contingencies, unknowns).
        before: the one before as it came.
        taken: the one before as it was taken.
    """
    if not before.any():
        return step
    fresh = step - before
    with np.errstate(all="ignore"):
        share = np.einsum("cu,cu->c", fresh, step) / np.einsum("cu,cu->c", fresh, fresh)
    fresh += taken
    fresh *= -share[:, None]
    fresh += step
    return fresh
