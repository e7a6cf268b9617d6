"""What storages hold: contents, limits and losses, as a state has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SolverError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..powerflow.injections.state_columns import Columns
    from .units import Units

    Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Stores:
    """The storages of a snapshot that may be chosen, energies in hours at 1 p.u. of power.

    Attributes:
        unit: which of the units each is, shape (stores,).
        size: content at 100 %, infinite where it isn't known, shape (stores,).
        low, high: least and most content after the snapshot, shape (stores,).
        first: content before the first snapshot, NaN for that after the last, shape (stores,).
        last: least content after the last snapshot, shape (stores,).
        charging, discharging: efficiencies from 0 to 1, shape (stores,).
        left: share of the content that a snapshot leaves, shape (stores,).
        hours: how long the snapshot is.
        way: 1 where a storage may only discharge, -1 only charge, 0 both, shape (stores,).
    """

    unit: NDArray[np.int64]
    size: Reals
    low: Reals
    high: Reals
    first: Reals
    last: Reals
    charging: Reals
    discharging: Reals
    left: Reals
    hours: float
    way: NDArray[np.int64]

    @property
    def none(self) -> Stores:
        """No storages."""
        values = {name: part for name, part in vars(self).items() if name != "hours"}
        return replace(self, **{name: part[:0] for name, part in values.items()})


def stores_of(units: Units, column: Columns, base_mva: float, hours: float) -> Stores:
    """Return the storages among the units as a state has them.

    Args:
        units: what may be chosen.
        column: the state.
        base_mva: system base in MVA.
        hours: how long the snapshot is.

    Raises:
        SolverError: if an efficiency isn't more than 0 and at most 100 %.
    """
    unit = units.of("storage")
    unit = unit[units.live[unit]]
    position = units.position[unit]

    def given(name: str, default: float) -> Reals:
        values = column.numbers("storage", name)[position]
        return np.where(np.isnan(values), default, values)

    held = ("soc_percent", "end_soc_percent", "self_discharge_percent_per_hour")
    for name in held:
        values = given(name, 0.0)
        unbounded = np.isinf(given("max_e_mwh", np.inf)) & (values != 0) & (name != held[2])
        wrong = position[(values < 0) | (values > 100) | unbounded]
        if len(wrong):
            what = f"{name} of storage {column.net.storage.index[wrong[0]]} is out of range"
            hint = "0 to 100 is needed, and max_e_mwh for what is held"
            raise SolverError(what, hint=hint)
    efficiencies = []
    for name in ("charge_efficiency_percent", "discharge_efficiency_percent"):
        values = given(name, 100.0)
        wrong = position[(values <= 0) | (values > 100)]
        if len(wrong):
            what = f"{name} of storage {column.net.storage.index[wrong[0]]} is out of range"
            raise SolverError(what, hint="more than 0 and at most 100 is needed")
        efficiencies.append(values / 100)
    size = given("max_e_mwh", np.inf) / base_mva
    low = given("min_e_mwh", 0.0) / base_mva
    with np.errstate(invalid="ignore"):
        first = given("soc_percent", np.nan) / 100 * size
        last = given("end_soc_percent", np.nan) / 100 * size
    return Stores(
        unit=unit,
        size=size,
        low=low,
        high=size,
        first=first,
        # No less than at first, so that what is sold was bought.
        last=np.where(np.isnan(last), np.where(np.isnan(first), low, first), last),
        charging=efficiencies[0],
        discharging=efficiencies[1],
        left=(1 - given("self_discharge_percent_per_hour", 0.0) / 100) ** hours,
        hours=hours,
        way=np.zeros(len(unit), np.int64),
    )
