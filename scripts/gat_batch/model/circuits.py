"""What the live branches of a grid are made of, per unit.

A branch is an impedance with a half of its admittance across at either end, behind a ratio
(MATPOWER User's Manual, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..upstream.pandapower import branch_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

br = branch_columns()

ASYMMETRIC = [br.BR_R_ASYM, br.BR_X_ASYM, br.BR_G_ASYM, br.BR_B_ASYM]


@dataclass(frozen=True)
class Circuits:
    """What live branches are made of.

    Attributes:
        impedance: in p.u., shape (live,).
        across: admittance across in p.u., of both ends together, shape (live,).
        tap: ratio, shape (live,).
        shift: phase shift in radians, shape (live,).
        alike: whether both directions and ends are alike, shape (live,).
    """

    impedance: Complexes
    across: Complexes
    tap: Reals
    shift: Reals
    alike: NDArray[np.bool_]

    @property
    def susceptance(self) -> Reals:
        """What a DC power flow makes of them, behind the ratio, in p.u., shape (live,)."""
        reactance = self.impedance.imag * self.tap
        return np.divide(1, reactance, out=np.zeros(len(reactance)), where=reactance != 0)

    def admittances(self) -> tuple[Complexes, Complexes, Complexes, Complexes]:
        """Return admittances from-from, from-to, to-from, to-to in p.u., each (live,)."""
        series, own = 1 / self.impedance, 1 / self.impedance + self.across / 2
        ratio = self.tap * np.exp(1j * self.shift)
        return own / self.tap**2, -series / np.conj(ratio), -series / ratio, own


def circuits_of(branch: Any) -> Circuits:
    """Return what branches are made of.

    Args:
        branch: PYPOWER's table of live branches.
    """
    tap = branch[:, br.TAP].real
    return Circuits(
        impedance=branch[:, br.BR_R].real + 1j * branch[:, br.BR_X].real,
        across=branch[:, br.BR_G].real + 1j * branch[:, br.BR_B].real,
        tap=np.where(tap == 0, 1.0, tap),
        shift=np.radians(branch[:, br.SHIFT].real),
        alike=~(branch[:, ASYMMETRIC] != 0).any(axis=1),
    )
