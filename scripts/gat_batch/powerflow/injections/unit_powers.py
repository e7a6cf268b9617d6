"""Power of the units that hold voltages: what a bus needs, shared among those at it.

As pandapower shares it: reactive power in proportion to the units' ranges, active power of a slack
in equal parts. Compare ``pandapower.pypower.pfsoln``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..at_buses import add_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...model.voltage_units import VoltageUnits

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Flags = NDArray[np.bool_]


def active_powers(
    units: VoltageUnits,
    given: tuple[Flags, Reals],
    needed_mw: Reals,
    ref: Rows,
    *,
    dc: bool = False,
) -> Reals:
    """Return active power of units in MW, 0 of those that take no part, shape (..., units).

    Slacks give in equal parts what others at their bus leave; in a DC power flow these parts come
    on top of what the slacks themselves are given.

    Args:
        units: the units.
        given: units that take part, shape (units,), and active power that they are given in MW,
            shape (..., units).
        needed_mw: what the units of each row have to inject in MW, shape (..., rows).
        ref: rows whose voltage is given.
        dc: whether it is a DC power flow.
    """
    running, given_mw = given
    size = needed_mw.shape[-1]
    power = np.zeros((*needed_mw.shape[:-1], len(running)))
    power[...] = np.where(running, given_mw, 0.0)
    held = np.zeros(size, bool)
    held[ref] = True
    slack = np.flatnonzero(running & units.slack)
    slack = slack[held[units.row[slack]]]
    row = units.row[slack]
    counted = running.copy()
    counted[slack] = dc
    covered = np.zeros(needed_mw.shape)
    add_at(covered, units.row[counted], given_mw[..., counted])
    sharing = np.bincount(row, minlength=size)
    part = (needed_mw[..., row] - covered[..., row]) / sharing[row]
    power[..., slack] = power[..., slack] + part if dc else part
    return power


def weighted_powers(units: VoltageUnits, given: tuple[Flags, Reals], needed_mw: Reals) -> Reals:
    """Return active power of units in MW where many share the slack by their weights.

    Arguments as for :func:`active_powers`.
    """
    running, given_mw = given
    power = np.where(running, given_mw, 0.0)
    size = len(needed_mw)
    balancing = running & ((units.weight != 0) | units.slack)
    row = units.row[balancing]
    held = running & ~balancing
    covered = np.bincount(units.row[held], power[held], minlength=size)
    weights = units.weight[balancing]
    total = np.bincount(row, weights, minlength=size)[row]
    rest = (needed_mw - covered - np.bincount(row, power[balancing], minlength=size))[row]
    equal = (needed_mw - covered)[row] / np.bincount(row, minlength=size)[row]
    by_weight = power[balancing] + np.divide(
        rest * weights, total, out=np.zeros_like(rest), where=total > 0
    )
    power[balancing] = np.where(total > 0, by_weight, equal)
    return power


def reactive_shares(row: Rows, limits: Reals | None, on: Rows, needed_mvar: Reals) -> Reals:
    """Return reactive power of units in MVAr, shape (..., units that take part).

    Args:
        row: row of each unit that takes part.
        limits: lowest and highest reactive power in MVAr of all units, or None if no two units
            share a bus.
        on: which of all units these are.
        needed_mvar: what the units of each row have to inject, in MVAr, shape (..., rows).
    """
    total: Reals = needed_mvar[..., row]
    if limits is None:
        return total
    size = needed_mvar.shape[-1]
    count = np.bincount(row, minlength=size)[row]
    low, high = limits[on].T
    middle, reach = (low + high) / 2, high - low
    middles = np.bincount(row, middle, minlength=size)[row]
    reaches = np.bincount(row, reach, minlength=size)[row]
    ranged = np.broadcast_to(reaches != 0, total.shape)
    # By the middle of the ranges: with the lower ends, large ranges would cost digits.
    share = np.divide(total - middles, reaches, out=np.zeros_like(total), where=ranged)
    several = np.where(ranged, middle + share * reach, total / count)
    return np.where(count > 1, several, total)
