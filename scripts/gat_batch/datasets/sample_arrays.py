"""Samples as arrays: what was asked of every bus, branch and generator, and how it was solved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

    Number = TypeVar("Number", np.float64, np.complex128)


@dataclass(frozen=True)
class Prices:
    """Prices of optima per MWh, MVArh and so on, as results have them; NaN where they have none.

    Attributes:
        p, q: what one more MW or MVAr drawn at a row costs, shape (samples, rows).
        vm: what one more p.u. of a voltage limit saves, shape (samples, rows).
        generator_p, generator_q: the same of limits of power, shape (samples, generators).
        flow, angle: the same of ratings and limits of angles, shape (samples, branches).
    """

    p: Reals
    q: Reals
    vm: Reals
    generator_p: Reals
    generator_q: Reals
    flow: Reals
    angle: Reals


@dataclass(frozen=True)
class DcArrays:
    """DC solutions beside samples, NaN where a sample has none.

    Attributes:
        va: voltage angles in degrees, shape (samples, rows).
        generation: what generators feed in, in MW, shape (samples, generators).
        flow: power into the first end of each branch in MW, shape (samples, branches).
        seconds: time that each took, shape (samples,).
        prices: their prices, or None.
    """

    va: Reals
    generation: Reals
    flow: Reals
    seconds: Reals
    prices: Prices | None = None


@dataclass(frozen=True)
class SampleArrays:
    """Some samples of one grid. Powers are in MW and MVAr, admittances in p.u.

    Attributes:
        base_mva: the system base.
        number: number of each sample, -1 for what no table holds, shape (samples,).
        load: number of its loads, shape (samples,).
        seconds: time that it took, shape (samples,).
        kv: nominal voltage of each row in kV, shape (rows,).
        demand: what each row draws beside generators and shunts, shape (samples, rows).
        voltage: complex voltage in p.u., shape (samples, rows).
        type: 1 where powers are given, 2 where generators hold the voltage, 3 for references,
            shape (samples, rows).
        vm: lowest and highest voltage in p.u., shape (samples, rows, 2).
        shunt: admittance of shunts in p.u., shape (samples, rows).
        generator_row: row of each generator, shape (generators,).
        generation: what each feeds in, shape (samples, generators).
        running: whether it is in service, shape (samples, generators).
        p, q: its limits, shape (samples, generators, 2).
        cost: coefficients of 1, p and p squared, shape (samples, generators, 3).
        ends: rows of either end of each branch, shape (branches, 2).
        live: whether it is in service, shape (samples, branches).
        impedance, charging, tap, shift: its parameters, as in ``Branches``, with samples first.
        admittance: its admittances from-from, from-to, to-from and to-to, 0 out of service, shape
            (samples, branches, 4).
        beyond: what else it has at its ends, a part of ``shunt``, shape (samples, branches, 2).
        flow: power into its ends, without that, shape (samples, branches, 2).
        rating: the most apparent power in MVA, 0 without a limit, shape (samples, branches).
        angle: lowest and highest angle across it in degrees, shape (samples, branches, 2).
        dc: DC solutions beside, or None.
        prices: prices of optima, or None.
    """

    base_mva: float
    number: Rows
    load: Rows
    seconds: Reals
    kv: Reals
    demand: Complexes
    voltage: Complexes
    type: NDArray[np.int8]
    vm: Reals
    shunt: Complexes
    generator_row: Rows
    generation: Complexes
    running: Flags
    p: Reals
    q: Reals
    cost: Reals
    ends: Rows
    live: Flags
    impedance: Complexes
    charging: Reals
    tap: Reals
    shift: Reals
    admittance: Complexes
    beyond: Complexes
    flow: Complexes
    rating: Reals
    angle: Reals
    dc: DcArrays | None = None
    prices: Prices | None = None

    @property
    def generation_at(self) -> Complexes:
        """What all generators at each row feed in, shape (samples, rows)."""
        return summed(self.generation, self.generator_row, self.voltage.shape[1])

    @property
    def dc_generation_at(self) -> Reals:
        """The same of the DC solutions, in MW; NaN where a sample has none."""
        if self.dc is None:
            return np.full(self.voltage.shape, np.nan)
        return summed(self.dc.generation, self.generator_row, self.voltage.shape[1])

    def mismatch(self) -> Complexes:
        """Return what the power of each row is off balance in p.u., shape (samples, rows)."""
        rows = self.voltage.shape[1]
        injected = self.generation_at - self.demand
        leaving = summed(self.flow.reshape(len(self.flow), -1), self.ends.ravel(), rows)
        drawn = np.conj(self.shunt) * np.abs(self.voltage) ** 2
        found: Complexes = (injected - leaving) / self.base_mva - drawn
        return found


def summed(values: NDArray[Number], rows: Rows, count: int) -> NDArray[Number]:
    """Return sums of values at rows.

    Args:
        values: shape (samples, elements).
        rows: row of each element, shape (elements,).
        count: number of rows.

    Returns:
        Shape (samples, count).
    """
    total = np.zeros((count, len(values)), values.dtype)
    np.add.at(total, rows, values.T)
    return total.T


def branch_admittances(
    live: Flags, impedance: Complexes, charging: Reals, tap: Reals, shift: Reals
) -> Complexes:
    """Return admittances of branches (MATPOWER User's Manual, section 3.2).

    Args:
        live: whether each is in service; all arrays have the same shape, (..., branches).
        impedance: series impedance in p.u.
        charging: susceptance of both ends together in p.u.
        tap: ratio.
        shift: phase shift in degrees.

    Returns:
        From-from, from-to, to-from and to-to, in p.u., shape (..., branches, 4).
    """
    series = np.where(live, 1 / impedance, 0.0)
    own = series + np.where(live, 0.5j * charging, 0.0)
    ratio = tap * np.exp(1j * np.radians(shift))
    return np.stack([own / tap**2, -series / np.conj(ratio), -series / ratio, own], axis=-1)


def branch_flows(admittance: Complexes, ends: Rows, voltage: Complexes) -> Complexes:
    """Return power into the ends of branches in p.u., shape (samples, branches, 2).

    Args:
        admittance: as from :func:`branch_admittances`.
        ends: rows of either end, shape (branches, 2).
        voltage: complex voltages in p.u., shape (samples, rows).
    """
    first, second = voltage[:, ends[:, 0]], voltage[:, ends[:, 1]]
    own, across, back, other = np.moveaxis(admittance, -1, 0)
    into = [first * np.conj(own * first + across * second)]
    into.append(second * np.conj(back * first + other * second))
    return np.stack(into, axis=-1)
