"""Loads that draw a constant current or follow a constant impedance, as pandapower takes them.

Its equations apply to all that a bus draws the mean shares of the loads at it; its results give
each load its own shares. Compare ``pandapower.build_bus`` and ``pandapower.pypower.makeSbus``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...model.admittance_model import AdmittanceModel
    from .state_columns import Columns

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

SHARES = ("const_i_p_percent", "const_z_p_percent", "const_i_q_percent", "const_z_q_percent")


@dataclass(frozen=True)
class VaryingLoads:
    """How demand follows the voltage.

    Attributes:
        own: shares of constant current and impedance of each load, of active and then of reactive
            power, shape (4, loads).
        bus: the same of each row, shape (4, buses).
    """

    own: Reals
    bus: Reals

    def at_buses(self, demand: Complexes, vm: Reals) -> Complexes:
        """Return the demand of rows at some voltages, from what it is at 1 p.u."""
        return _scaled(demand, self.bus, vm)

    def of_loads(self, power: Complexes, vm: Reals) -> Complexes:
        """Return the power of loads at the voltages of their buses, 0 where there is none."""
        return _scaled(power, self.own, np.nan_to_num(vm))


def _scaled(power: Complexes, shares: Reals, vm: Reals) -> Complexes:
    current_p, impedance_p, current_q, impedance_q = shares
    real = power.real * (1 - current_p - impedance_p + current_p * vm + impedance_p * vm**2)
    reactive = power.imag * (1 - current_q - impedance_q + current_q * vm + impedance_q * vm**2)
    scaled: Complexes = real + 1j * reactive
    return scaled


def _shares(column: Columns) -> Reals | None:
    """Return shares of constant current and impedance of each load, None if all are zero."""
    key = ("load", "shares")
    if not any(("load", name) in column.changed for name in SHARES):
        given = column.once(key, lambda: _read(column))
    else:
        given = _read(column)
    return given if given.any() else None


def _read(column: Columns) -> Reals:
    own: Reals = np.nan_to_num(np.array([column.numbers("load", name) for name in SHARES]) / 100)
    return own


def varying_loads(admittances: AdmittanceModel, column: Columns) -> VaryingLoads | None:
    """Return how a state's demand follows the voltage, None if it doesn't.

    Args:
        admittances: the equations of the state's topology.
        column: the state.
    """
    own = _shares(column)
    if own is None:
        return None
    rows, position = admittances.row["load"], column.model.position["load"]
    live = column("load", "in_service").astype(bool) & admittances.supplied[rows]
    loads = np.bincount(position[live], minlength=len(column.model.cut_off))
    bus = np.zeros((4, admittances.buses))
    for shares, of_bus in zip(own, bus, strict=True):
        sums = np.bincount(position[live], shares[live], minlength=len(loads))
        mean = np.divide(sums, loads, out=np.zeros(len(loads)), where=loads > 0)
        of_bus[rows[live]] = mean[position[live]]
    return VaryingLoads(own, bus)
