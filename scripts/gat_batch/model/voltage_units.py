"""What holds the voltage of buses: external grids, generators, ends of DC lines, extended wards.

They stand in pandapower's order, which decides whose setpoint counts where several hold one bus.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..upstream.pandapower import array_rows, solved_arrays
from .nodal_power import within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from .nodal_power import Read

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Flags = NDArray[np.bool_]

KINDS = ("ext_grid", "gen", "dcline", "xward")
"""In this order. A DC line has two units, one after the other: its second end, its first end."""

UNLIMITED_MVAR = 1e9
"""What pandapower takes for a missing limit of reactive power."""


@dataclass(frozen=True)
class VoltageUnits:
    """Units of a grid, and at which rows of its equations they are.

    Attributes:
        count: kind -> number of its units.
        row: row of each one's bus, shape (units,); an extended ward's is its inner bus.
        on: units that take part in the equations as they were posed, shape (units,).
        slack: units whose power follows from the others', shape (units,).
        weight: share of each in a distributed slack, shape (units,).
    """

    count: Mapping[str, int]
    row: Rows
    on: Flags
    slack: Flags
    weight: Reals

    @cached_property
    def span(self) -> dict[str, slice]:
        """Kind -> its units."""
        ends = np.cumsum([0, *(self.count[kind] for kind in KINDS)])
        return {
            kind: slice(int(first), int(last))
            for kind, first, last in zip(KINDS, ends, ends[1:], strict=False)
        }

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that there are."""
        return tuple(kind for kind in KINDS if self.count[kind])

    @cached_property
    def shared(self) -> bool:
        """Whether several of them may hold one bus."""
        return len(np.unique(self.row)) < len(self.row)


def voltage_units_of(net: pandapowerNet) -> VoltageUnits:
    """Return what holds voltages in a network that pandapower has just solved, or begun to."""
    lookups, buses = array_rows(net), len(solved_arrays(net)["internal"]["bus"])
    at = lookups["bus"]
    rows = {
        "ext_grid": at[net.ext_grid["bus"].to_numpy(np.int64)],
        "gen": at[net.gen["bus"].to_numpy(np.int64)],
        "dcline": at[net.dcline[["to_bus", "from_bus"]].to_numpy(np.int64).ravel()],
        "xward": at[lookups["aux"]["xward"]] if len(net.xward) else np.empty(0, np.int64),
    }
    turns = {kind: 2 if kind == "dcline" else 1 for kind in KINDS}
    row = np.concatenate([rows[kind] for kind in KINDS]).astype(np.int64)
    live = [np.repeat(net[kind]["in_service"].to_numpy(bool), turns[kind]) for kind in KINDS]
    external, generators = len(net.ext_grid), net.gen["slack"].fillna(0).to_numpy(bool)
    slack, weight = np.zeros(len(row), bool), np.zeros(len(row))
    slack[:external], slack[external : external + len(generators)] = True, generators
    weight[:external] = net.ext_grid["slack_weight"].fillna(0.0)
    weight[external : external + len(generators)] = net.gen["slack_weight"].fillna(0.0)
    return VoltageUnits(
        count={kind: len(rows[kind]) for kind in KINDS},
        row=row,
        on=np.concatenate(live) & (row < buses),
        slack=slack,
        weight=weight,
    )


@dataclass(frozen=True)
class UnitState:
    """Units as a state has them.

    Attributes:
        in_service: shape (units,).
        p_mw: active power in MW, of slack units what they are given, shape (..., units).
        vm_pu: voltage held in p.u., shape (..., units).
    """

    in_service: Flags
    p_mw: Reals
    vm_pu: Reals


def unit_state(units: VoltageUnits, read: Read, options: Mapping[str, object]) -> UnitState:
    """Return what units are given in a state.

    Args:
        units: the units.
        read: returns columns of the grid's tables as the state has them.
        options: solver options; ``enforce_p_lims`` holds generators within their limits.
    """
    parts = [_given(kind, read, options) for kind in units.kinds]
    if not parts:
        return UnitState(np.empty(0, bool), np.empty(0), np.empty(0))
    in_service, p_mw, vm_pu = (_side_by_side(values) for values in zip(*parts, strict=True))
    return UnitState(in_service.astype(bool), p_mw, vm_pu)


def _side_by_side(parts: tuple[Reals, ...]) -> Reals:
    """Return values of units of all kinds, of one state or of each state of a block."""
    if all(part.ndim == 1 for part in parts):
        return np.concatenate(parts)
    states = max(len(part) for part in parts if part.ndim > 1)
    wide = [np.broadcast_to(part, (states, part.shape[-1])) for part in parts]
    return np.concatenate(wide, axis=-1)


def _given(kind: str, read: Read, options: Mapping[str, object]) -> tuple[Reals, Reals, Reals]:
    """Return whether units of a kind are in service, their power and their setpoints."""
    live = read(kind, "in_service").astype(float)
    if kind == "dcline":
        first, second = _dc_line_power(read)
        setpoints = read(kind, "vm_to_pu"), read(kind, "vm_from_pu")
        return np.repeat(live, 2, axis=-1), _interleaved(second, first), _interleaved(*setpoints)
    setpoint = read(kind, "vm_pu").astype(float)
    if kind != "gen":
        return live, np.zeros(live.shape), setpoint
    power = read(kind, "p_mw").astype(float)
    if options.get("enforce_p_lims"):
        power = within(power, read(kind, "min_p_mw"), read(kind, "max_p_mw"))
    return live, power * read(kind, "scaling"), setpoint


def _dc_line_power(read: Read) -> tuple[Reals, Reals]:
    """Return what DC lines inject at their first and second ends in MW.

    The end that draws draws ``p_mw``, the other one injects what losses leave.
    """
    power = read("dcline", "p_mw").astype(float)
    sent = np.abs(power)
    left = sent * (1 - read("dcline", "loss_percent") / 100) - read("dcline", "loss_mw")
    forward = power > 0
    return np.where(forward, -sent, left), np.where(forward, left, -sent)


def _interleaved(first: Reals, second: Reals) -> Reals:
    pairs = np.stack(np.broadcast_arrays(first, second), axis=-1).astype(np.float64)
    return pairs.reshape(*pairs.shape[:-2], -1)


def reactive_limits(units: VoltageUnits, read: Read, delta_mvar: float) -> Reals:
    """Return the lowest and highest reactive power of each unit in MVAr, shape (units, 2).

    Args:
        units: the units.
        read: returns columns of the grid's tables as the state has them.
        delta_mvar: how far generators and DC lines may be over their limits.
    """
    parts = [_limits(kind, units.count[kind], read, delta_mvar) for kind in units.kinds]
    return np.concatenate(parts) if parts else np.empty((0, 2))


def _limits(kind: str, count: int, read: Read, delta_mvar: float) -> Reals:
    if kind == "ext_grid":
        # As pandapower has it: what other units at the bus can, they take.
        return np.zeros((count, 2))
    if kind == "xward":
        return np.tile([-UNLIMITED_MVAR, UNLIMITED_MVAR], (count, 1))
    if kind == "gen":
        low, high = read(kind, "min_q_mvar"), read(kind, "max_q_mvar")
    else:
        low, high = (
            _interleaved(read(kind, f"{end}_q_to_mvar"), read(kind, f"{end}_q_from_mvar"))
            for end in ("min", "max")
        )
    limits = np.column_stack([low - delta_mvar, high + delta_mvar]).astype(np.float64)
    return np.where(np.isnan(limits), [-UNLIMITED_MVAR, UNLIMITED_MVAR], limits)
