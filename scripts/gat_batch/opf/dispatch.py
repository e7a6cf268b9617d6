"""What an optimal power flow may choose, what that costs, and within which limits.

Powers are injections in p.u. of the system base: a load that may be chosen is a negative one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ..powerflow.injections.demand import demand_of
from ..powerflow.injections.state_columns import Columns
from .dc_lines import dc_lines_of
from .limits import angle_limits, ratings, voltage_limits
from .stores import stores_of
from .units import (
    DC_LINE_ENDS,
    DISPATCHED,
    DRAWING,
    FIXED,
    UNSERVED,
    dc_line_end,
    joined,
    units_of,
    unserved,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.costs import Costs
    from ..model.grid_model import GridModel
    from ..model.state import State
    from ..powerflow.injections.demand import Demand
    from .dc_lines import DcLines
    from .stores import Stores
    from .units import Units

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Prices:
    """Cost of the units' active and then reactive injections, in currency an hour.

    Attributes:
        constant: what is due for whatever is in service.
        linear, quadratic: coefficients of injections in p.u., shape (2 * units,).
        unit: injection that each straight line is for, shape (lines,); an injection costs
            the maximum of its lines.
        slope, offset: of each line, in p.u., shape (lines,).
    """

    constant: float
    linear: Reals
    quadratic: Reals
    unit: Rows
    slope: Reals
    offset: Reals


@dataclass(frozen=True)
class Dispatch:
    """An optimal power flow in numbers.

    Attributes:
        admittances: the equations.
        asked: what the state demands of them.
        units: what may be chosen.
        prices: what that costs.
        demand: demand of each row that can't be chosen, p.u., shape (buses,).
        vm: lowest and highest voltage of each row in p.u., shape (buses, 2).
        rating: most flow of each live branch in p.u., infinite without a limit.
        angle: lowest and highest angle across each live branch in radians, shape (live, 2).
        ref: rows that keep their angle.
        stores: storages whose content counts.
        dc_lines: DC lines.
        weight: by how much its costs count among those of other snapshots.
        by_current: whether ratings are for the current, at 1 p.u. voltage, and not the power.
    """

    admittances: AdmittanceModel
    asked: Demand
    units: Units
    prices: Prices
    demand: NDArray[np.complex128]
    vm: Reals
    rating: Reals
    angle: Reals
    ref: Rows
    stores: Stores
    dc_lines: DcLines
    weight: float = 1.0
    by_current: bool = False

    @property
    def buses(self) -> int:
        """Number of supplied buses."""
        return self.admittances.buses

    @property
    def ends(self) -> Rows:
        """Rows at either end of the live branches."""
        return self.admittances.ends[self.admittances.live]


def dispatch_of(
    model: GridModel,
    state: State,
    admittances: AdmittanceModel,
    options: Mapping[str, Any],
    *,
    hours: float = 1.0,
    weight: float = 1.0,
) -> Dispatch:
    """Put an optimal power flow into numbers.

    Args:
        model: the model.
        state: what differs from the grid as given.
        admittances: the equations of the state.
        options: options of an optimal power flow.
        hours: how long the state lasts, for what storages hold.
        weight: by how much its costs count among those of other states.

    Returns:
        The numbers.

    Raises:
        SolverError: if a cost isn't convex.
    """
    column = Columns(model, state)
    asked = demand_of(model, admittances, column)
    stored = bool(options.get("storage"))
    parts = {
        element: units_of(element, admittances, column, storage=stored)
        for element in DISPATCHED
        if element in admittances.row
    }
    demand = asked.bus[: admittances.buses] / admittances.base_mva
    for element in parts.keys() & set(FIXED):
        chosen = parts[element]
        given = asked.power[element] * (1.0 if element in DRAWING else -1.0)
        np.subtract.at(demand, chosen.row, given[chosen.position] / admittances.base_mva)
    for end in DC_LINE_ENDS:
        parts[end] = dc_line_end(end, admittances, column)
    lost_load = options.get("value_of_lost_load")
    if lost_load is not None:
        parts[UNSERVED] = unserved(admittances, asked, parts["load"])
    units = joined(list(parts.values()))
    if not options.get("ramps"):
        units = replace(units, ramp=np.full(len(units.row), np.inf))
    stores = stores_of(units, column, admittances.base_mva, hours)
    if not stored:
        stores = stores.none
    held = options.get("ext_grid_voltage") == "held"
    costs = state.costs
    if options.get("objective") != "redispatch":
        costs = {**model.costs, **state.costs} if state.costs else model.costs
    dc_lines = dc_lines_of(units, column, admittances.base_mva)
    prices = _kept_prices(admittances, units, dc_lines, costs, lost_load or 0.0)
    fixed = _cost_of_the_fixed(admittances, column, asked, units, costs)
    return Dispatch(
        admittances=admittances,
        asked=asked,
        units=units,
        prices=_weighted(replace(prices, constant=prices.constant + fixed), weight),
        weight=weight,
        demand=demand,
        vm=voltage_limits(admittances, column, held=held),
        rating=ratings(model, admittances, column),
        angle=angle_limits(admittances, column),
        ref=admittances.ref if held else _references(admittances),
        stores=stores,
        dc_lines=dc_lines,
        by_current=options.get("flow_limit") == "current",
    )


def _weighted(prices: Prices, weight: float) -> Prices:
    """Return prices that count by a weight."""
    if weight == 1:
        return prices
    names = ("constant", "linear", "quadratic", "slope", "offset")
    return replace(prices, **{name: getattr(prices, name) * weight for name in names})


def _kept_prices(
    admittances: AdmittanceModel, units: Units, lines: DcLines, costs: Costs, lost_load: float
) -> Prices:
    """Return the prices of the last state, where they hold for this one too."""
    parts = (units.element, units.position, units.live, lines.draws)
    key = (*(part.tobytes() for part in parts), lost_load)
    last = admittances.solvers.get("prices")
    if last is None or last[0] is not costs or last[1] != key:
        last = (costs, key, _prices(units, lines, costs, admittances.base_mva, lost_load))
        admittances.solvers["prices"] = last
    prices: Prices = last[2]
    return prices


def _cost_of_the_fixed(
    admittances: AdmittanceModel, column: Columns, asked: Demand, units: Units, costs: Costs
) -> float:
    """Tell what static generators and loads cost that can't be chosen, in currency an hour."""
    total = 0.0
    for element in asked.power.keys() & set(FIXED):
        values = asked.power[element]
        live = column(element, "in_service").astype(bool) & (
            admittances.row[element] < admittances.buses
        )
        live[units.position[units.of(element)]] = False
        for position in np.flatnonzero(live).tolist():
            for kind, own in (("p", values[position].real), ("q", values[position].imag)):
                curve = costs.get((element, position, kind))
                if curve is not None:
                    total += curve.at(own)
    return total


def _prices(
    units: Units, dc_lines: DcLines, costs: Costs, base_mva: float, lost_load: float
) -> Prices:
    count = len(units.row)
    drawing = set(dc_lines.draws.tolist())
    constant, linear, quadratic = 0.0, np.zeros(2 * count), np.zeros(2 * count)
    lines: list[tuple[int, float, float]] = []
    for n, (element, position) in enumerate(zip(units.element, units.position, strict=True)):
        if element == UNSERVED:
            linear[n] = lost_load * base_mva
            continue
        sign = -1.0 if element in DRAWING else 1.0
        # What a DC line costs is for what goes in, at whichever end that is.
        priced = "dcline" if n in drawing else element
        for power, place in (("p", n), ("q", n + count)):
            curve = costs.get((priced, int(position), power))
            if curve is not None:
                c0, c1, c2 = curve.polynomial
                constant += c0 * units.live[n]
                linear[place] = sign * c1 * base_mva
                quadratic[place] = c2 * base_mva**2
                if units.live[n]:
                    lines += [(place, sign * slope * base_mva, c) for slope, c in curve.lines]
    unit, slope, offset = np.array(lines, float).reshape(-1, 3).T
    return Prices(constant, linear, quadratic, unit.astype(np.int64), slope, offset)


def _references(admittances: AdmittanceModel) -> Rows:
    """Return the first reference of each island: more would fix what flows between them."""
    if len(admittances.ref) == 1:
        return admittances.ref
    ends = admittances.ends[admittances.live][~admittances.open]
    joins = sparse.csr_matrix((np.ones(len(ends)), ends.T), (admittances.buses, admittances.buses))
    _, island = connected_components(joins, directed=False)
    _, first = np.unique(island[admittances.ref], return_index=True)
    return admittances.ref[first]
