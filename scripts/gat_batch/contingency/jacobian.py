"""The Jacobian of AC equations, and what contingencies change in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]


@dataclass(frozen=True)
class Changes:
    """What contingencies change in admittances and in rows of the Jacobian.

    Attributes:
        number: contingency of each change of a branch.
        ends: rows at its ends, shape (changes, 2).
        admittance: what is added to its admittances, shape (changes, 2, 2).
        owner, slot, column, value: entries that are added to rows of the Jacobian: contingency,
            which of its changed rows, column and value.
        basis: where the solution for each changed row of a contingency is found among
            `solutions`, 0 where it has no more, shape (contingencies, slots).
        solutions: the base Jacobian's solutions for unit vectors, the first one zero, shape
            (vectors, unknowns).
        small: inverses of the small systems, shape (contingencies, slots, slots).
        power: injections in p.u., shape (contingencies, buses).
        held: equations that are no equations of power, and so have no mismatch.
    """

    number: Rows
    ends: Rows
    admittance: Complexes
    owner: Rows
    slot: Rows
    column: Rows
    value: Reals
    basis: Rows
    solutions: Reals
    small: Reals
    power: Complexes
    held: NDArray[np.bool_]

    def of(self, kept: NDArray[np.bool_]) -> Changes:
        """Return the changes of some of the contingencies."""
        place = np.cumsum(kept) - 1
        mine, own = kept[self.number], kept[self.owner]
        return replace(
            self,
            number=place[self.number[mine]],
            ends=self.ends[mine],
            admittance=self.admittance[mine],
            owner=place[self.owner[own]],
            slot=self.slot[own],
            column=self.column[own],
            value=self.value[own],
            basis=self.basis[kept],
            small=self.small[kept],
            power=self.power[kept],
            held=self.held[kept],
        )


def slots(owner: Rows, row: Rows, contingencies: int, equations: int) -> tuple[Rows, Rows, Rows]:
    """Number the changed rows of each contingency.

    Returns:
        The slot of each entry; where each slot's unit vector is found, from 1; the unit vectors.
    """
    pairs, entry = np.unique(owner * equations + row, return_inverse=True)
    whose, which = np.divmod(pairs, equations)
    begin = np.searchsorted(whose, np.arange(contingencies))
    own = np.arange(len(pairs)) - begin[whose]
    vectors, found = np.unique(which, return_inverse=True)
    basis = np.zeros((contingencies, int(own.max(initial=-1)) + 1), np.int64)
    basis[whose, own] = found + 1
    return own[entry], basis, vectors


def jacobian(bus: Any, voltage: Complexes) -> Any:
    """Return derivatives of injected powers by angles and magnitudes, in p.u. and radians."""
    magnitude = np.abs(voltage)
    here, unit = sparse.diags(voltage), sparse.diags(voltage / magnitude)
    current = sparse.diags(bus @ voltage)
    by_angle = 1j * here @ (current - bus @ here).conj()
    by_magnitude = here @ (bus @ unit).conj() + current.conj() @ unit
    return sparse.bmat(
        [[by_angle.real, by_magnitude.real], [by_angle.imag, by_magnitude.imag]], format="csr"
    )
