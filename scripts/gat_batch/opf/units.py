"""The injections that an optimal power flow may choose: generators, loads and unserved load."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..powerflow.injections.demand import Demand
    from ..powerflow.injections.state_columns import Columns

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Flags = NDArray[np.bool_]

DISPATCHED = ("ext_grid", "gen", "sgen", "load", "storage")
"""Elements that may be chosen; the last three if their column ``controllable`` says so."""

FIXED = ("sgen", "load", "storage")
"""Elements that stay as they are given unless their column ``controllable`` says otherwise."""

DRAWING = ("load", "storage", "dcline_from", "dcline_to")
"""Elements whose power counts as positive where they draw it."""

DC_LINE_ENDS = ("dcline_from", "dcline_to")

UNSERVED = "unserved"
"""Stands for the load of a bus that isn't served."""


@dataclass(frozen=True)
class Units:
    """Injections that may be chosen.

    Attributes:
        element: one of :data:`DISPATCHED`, :data:`DC_LINE_ENDS` or ``unserved``, shape (units,).
        position: position in the element's table, or for ``unserved`` the row, shape (units,).
        row: row of each one's bus, shape (units,).
        live: whether it is in service, shape (units,).
        p, q: lowest and highest injection in p.u., shape (units, 2).
        follows: whether q follows p in a fixed ratio, shape (units,).
        ratio: that ratio, else 0.
        ramp: most change of p from one snapshot to the next in p.u., infinite without a limit.
    """

    element: NDArray[np.str_]
    position: Rows
    row: Rows
    live: Flags
    p: Reals
    q: Reals
    follows: Flags
    ratio: Reals
    ramp: Reals

    def of(self, element: str) -> Rows:
        """Return the units of one kind."""
        return np.flatnonzero(self.element == element)


def units_of(
    element: str, admittances: AdmittanceModel, column: Columns, *, storage: bool = False
) -> Units:
    """Return the units of one kind of element.

    Args:
        element: one of :data:`DISPATCHED`.
        admittances: the equations.
        column: the state.
        storage: whether storages are chosen of which ``controllable`` says nothing.
    """
    rows = admittances.row[element]
    chosen = rows < admittances.buses
    always = ("ext_grid", "gen", "storage") if storage else ("ext_grid", "gen")
    free = column.flags(element, "controllable", default=element in always)
    if element in FIXED:
        chosen &= free & column(element, "in_service").astype(bool)
    position = np.flatnonzero(chosen)
    live = column(element, "in_service").astype(bool)[position]
    low, high = column.numbers(element, "min_p_mw"), column.numbers(element, "max_p_mw")
    q_low, q_high = column.numbers(element, "min_q_mvar"), column.numbers(element, "max_q_mvar")
    ratio = np.zeros(len(rows))
    follows = np.zeros(len(rows), bool)
    if element != "ext_grid":
        power = column(element, "p_mw").astype(float) * column(element, "scaling")
    if element == "gen":
        low, high = np.where(free, low, power), np.where(free, high, power)
    if element == "storage":
        size = column.numbers(element, "sn_mva")
        low, high = given_or(low, -size), given_or(high, size)
    if element in FIXED:
        # What they have is the most they can have, and their power factor stays.
        low = np.where(np.isnan(low), np.minimum(power, 0.0), low)
        high = np.where(np.isnan(high), np.maximum(power, 0.0), high)
        reactive = column(element, "q_mvar").astype(float) * column(element, "scaling")
        bound = np.isnan(q_low) & np.isnan(q_high)
        # A storage turns its power around, and its reactive power doesn't follow.
        follows = bound & (power != 0) & (element != "storage")
        ratio = np.divide(reactive, power, out=ratio, where=follows)
        q_low, q_high = np.where(bound, reactive, q_low), np.where(bound, reactive, q_high)
    p = np.stack([given_or(low, -np.inf), given_or(high, np.inf)], axis=1)[position]
    q = np.stack([given_or(q_low, -np.inf), given_or(q_high, np.inf)], axis=1)[position]
    p[~live], q[~live] = 0.0, 0.0
    if element in DRAWING:
        p, q = -p[:, ::-1], -q[:, ::-1]
    return Units(
        element=np.full(len(position), element, dtype="<U11"),
        position=position,
        row=rows[position],
        live=live,
        p=p / admittances.base_mva,
        q=q / admittances.base_mva,
        follows=follows[position] & live,
        ratio=ratio[position],
        ramp=given_or(column.numbers(element, "max_ramp_mw"), np.inf)[position]
        / admittances.base_mva,
    )


def dc_line_end(element: str, admittances: AdmittanceModel, column: Columns) -> Units:
    """Return one end of each DC line, whose power flows in the direction that is given.

    Args:
        element: one of :data:`DC_LINE_ENDS`.
        admittances: the equations.
        column: the state.
    """
    rows = {end: admittances.row[end] for end in DC_LINE_ENDS}
    position = np.flatnonzero(np.max([*rows.values()], axis=0) < admittances.buses)
    live = column("dcline", "in_service").astype(bool)[position]
    forward = column.numbers("dcline", "p_mw")[position] > 0
    most = given_or(column.numbers("dcline", "max_p_mw")[position], np.inf)
    nothing = np.zeros(len(position))
    draws = forward == (element == "dcline_from")
    # What arrives follows from what is drawn, and may be less than nothing by what is lost.
    p = np.stack([-most, np.where(draws, nothing, most)], axis=1)
    side = element.removeprefix("dcline_")
    low, high = (column.numbers("dcline", f"{end}_q_{side}_mvar") for end in ("min", "max"))
    q = np.stack([given_or(low, -np.inf), given_or(high, np.inf)], axis=1)[position]
    p[~live], q[~live] = 0.0, 0.0
    return Units(
        element=np.full(len(position), element, dtype="<U11"),
        position=position,
        row=rows[element][position],
        live=live,
        p=p / admittances.base_mva,
        q=q / admittances.base_mva,
        follows=np.zeros(len(position), bool),
        ratio=nothing,
        ramp=np.full(len(position), np.inf),
    )


def unserved(admittances: AdmittanceModel, asked: Demand, dispatched: Units) -> Units:
    """The load of each bus as an injection: what consumes power and can't be chosen anyway."""
    load = asked.power["load"]
    power = np.where(load.real > 0, load, 0.0)
    power[dispatched.position] = 0.0
    total = np.zeros(admittances.buses, complex)
    rows = admittances.row["load"]
    supplied = rows < admittances.buses
    np.add.at(total, rows[supplied], power[supplied] / admittances.base_mva)
    loaded = np.flatnonzero(np.bincount(rows[supplied], minlength=admittances.buses) > 0)
    share = total[loaded]
    p = np.stack([np.zeros(len(loaded)), share.real], axis=1)
    some = share.real > 0
    ratio = np.divide(share.imag, share.real, out=np.zeros(len(loaded)), where=some)
    return Units(
        element=np.full(len(loaded), UNSERVED, dtype="<U11"),
        position=loaded,
        row=loaded,
        live=np.ones(len(loaded), bool),
        p=p,
        q=np.zeros((len(loaded), 2)),
        follows=np.ones(len(loaded), bool),
        ratio=ratio,
        ramp=np.full(len(loaded), np.inf),
    )


def joined(parts: list[Units]) -> Units:
    """Return units one after the other."""
    return Units(
        *(
            np.concatenate([getattr(part, column.name) for part in parts])
            for column in fields(Units)
        )
    )


def given_or(values: Reals, default: float | Reals) -> Reals:
    """Return values, and the default where there are none."""
    return np.where(np.isnan(values), default, values)
