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
from .units import DISPATCHED, UNSERVED, given_or, joined, units_of, unserved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..model.admittance_model import AdmittanceModel
    from ..model.costs import Costs
    from ..model.grid_model import GridModel
    from ..model.state import State
    from ..powerflow.injections.demand import Demand
    from .units import Units

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Flags = NDArray[np.bool_]

NO_RATING_MVA = 99999.0
"""Ratings from here on are none: what converters write for a branch without one."""

NO_ANGLE_DEGREE = 360.0


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
) -> Dispatch:
    """Put an optimal power flow into numbers.

    Args:
        model: the model.
        state: what differs from the grid as given.
        admittances: the equations of the state.
        options: options of an optimal power flow.

    Returns:
        The numbers.

    Raises:
        SolverError: if a cost isn't convex.
    """
    column = Columns(model, state)
    asked = demand_of(model, admittances, column)
    parts = {element: units_of(element, admittances, column) for element in DISPATCHED}
    demand = asked.bus[: admittances.buses] / admittances.base_mva
    for element, given in (("sgen", -asked.power["sgen"]), ("load", asked.power["load"])):
        chosen = parts[element]
        np.subtract.at(demand, chosen.row, given[chosen.position] / admittances.base_mva)
    lost_load = options.get("value_of_lost_load")
    if lost_load is not None:
        parts[UNSERVED] = unserved(admittances, asked, parts["load"])
    units = joined(list(parts.values()))
    held = options.get("ext_grid_voltage") == "held"
    costs = {**model.costs, **state.costs} if state.costs else model.costs
    if options.get("objective") == "redispatch":
        costs = state.costs
    prices = _kept_prices(admittances, units, costs, lost_load or 0.0)
    fixed = _cost_of_the_fixed(admittances, column, asked, units, costs)
    return Dispatch(
        admittances=admittances,
        asked=asked,
        units=units,
        prices=replace(prices, constant=prices.constant + fixed),
        demand=demand,
        vm=_voltage_limits(admittances, column, held=held),
        rating=_ratings(model, admittances, column),
        angle=_angle_limits(admittances, column),
        ref=admittances.ref if held else _references(admittances),
        by_current=options.get("flow_limit") == "current",
    )


def _kept_prices(
    admittances: AdmittanceModel, units: Units, costs: Costs, lost_load: float
) -> Prices:
    """Return the prices of the last state, where they hold for this one too."""
    key = (units.element.tobytes(), units.position.tobytes(), units.live.tobytes(), lost_load)
    last = admittances.solvers.get("prices")
    if last is None or last[0] is not costs or last[1] != key:
        last = (costs, key, _prices(units, costs, admittances.base_mva, lost_load))
        admittances.solvers["prices"] = last
    prices: Prices = last[2]
    return prices


def _cost_of_the_fixed(
    admittances: AdmittanceModel, column: Columns, asked: Demand, units: Units, costs: Costs
) -> float:
    """Tell what static generators and loads cost that can't be chosen, in currency an hour."""
    total = 0.0
    for element in ("sgen", "load"):
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


def _prices(units: Units, costs: Costs, base_mva: float, lost_load: float) -> Prices:
    count = len(units.row)
    constant, linear, quadratic = 0.0, np.zeros(2 * count), np.zeros(2 * count)
    lines: list[tuple[int, float, float]] = []
    for n, (element, position) in enumerate(zip(units.element, units.position, strict=True)):
        if element == UNSERVED:
            linear[n] = lost_load * base_mva
            continue
        sign = -1.0 if element == "load" else 1.0
        for power, place in (("p", n), ("q", n + count)):
            curve = costs.get((element, int(position), power))
            if curve is not None:
                c0, c1, c2 = curve.polynomial
                constant += c0 * units.live[n]
                linear[place] = sign * c1 * base_mva
                quadratic[place] = c2 * base_mva**2
                lines += [(place, sign * slope * base_mva, c) for slope, c in curve.lines]
    unit, slope, offset = np.array(lines, float).reshape(-1, 3).T
    return Prices(constant, linear, quadratic, unit.astype(np.int64), slope, offset)


def _voltage_limits(admittances: AdmittanceModel, column: Columns, *, held: bool) -> Reals:
    """Limits of the rows: the narrowest of their buses and generators, 0 to 2 without any."""
    vm = np.tile([0.0, 2.0], (admittances.buses, 1))

    def narrow(element: str, low: Reals, high: Reals, live: Flags) -> None:
        rows = admittances.row[element]
        there = live & (rows < admittances.buses)
        np.maximum.at(vm[:, 0], rows[there], given_or(low, 0.0)[there])
        np.minimum.at(vm[:, 1], rows[there], given_or(high, 2.0)[there])

    for element in ("bus", "gen"):
        live = column(element, "in_service").astype(bool)
        low, high = (column.numbers(element, name) for name in ("min_vm_pu", "max_vm_pu"))
        narrow(element, low, high, live)
    for element in ("gen", "ext_grid"):
        fixed = ~column.flags(element, "controllable", default=element == "gen" or not held)
        fixed &= column(element, "in_service").astype(bool) & (
            admittances.row[element] < admittances.buses
        )
        if element == "gen" or held:
            setpoint = column(element, "vm_pu").astype(float)
            vm[admittances.row[element][fixed]] = setpoint[fixed, None]
    return vm


def _references(admittances: AdmittanceModel) -> Rows:
    """Return the first reference of each island: more would fix what flows between them."""
    if len(admittances.ref) == 1:
        return admittances.ref
    ends = admittances.ends[admittances.live][~admittances.open]
    joins = sparse.csr_matrix((np.ones(len(ends)), ends.T), (admittances.buses, admittances.buses))
    _, island = connected_components(joins, directed=False)
    _, first = np.unique(island[admittances.ref], return_index=True)
    return admittances.ref[first]


def _ratings(model: GridModel, admittances: AdmittanceModel, column: Columns) -> Reals:
    """Return ratings of the live branches in p.u., as pandapower has them."""
    rating = np.full(len(admittances.ends), np.inf)
    for element in ("line", "trafo", "trafo3w"):
        if element in admittances.span:
            if ("size", element) not in admittances.shared:
                admittances.shared["size", element] = _sizes(model.net, element)
            most = column.numbers(element, "max_loading_percent") / 100
            sizes = admittances.shared["size", element] * most
            rating[slice(*admittances.span[element])] = sizes.ravel()
    limited = (rating > 0) & (rating < NO_RATING_MVA)
    return np.where(limited, rating / admittances.base_mva, np.inf)[admittances.live]


def _sizes(net: pandapowerNet, element: str) -> Reals:
    """Return power at 100 % loading in MVA.

    A row for each winding of a three-winding transformer.
    """
    table = net[element]
    if element == "trafo3w":
        sides = [table[f"sn_{side}_mva"] for side in ("hv", "mv", "lv")]
        return np.array(sides, dtype=np.float64)
    if element == "line":
        kv = net.bus["vn_kv"].loc[table["from_bus"]].to_numpy(float)
        size = np.sqrt(3) * kv * table["max_i_ka"].to_numpy(float)
    else:
        size = table["sn_mva"].to_numpy(float)
    units = table["df"].to_numpy(float) * table["parallel"].to_numpy(float)
    rated: Reals = (size * units)[None]
    return rated


def _angle_limits(admittances: AdmittanceModel, column: Columns) -> Reals:
    angle = np.tile([-np.inf, np.inf], (len(admittances.ends), 1))
    for element in ("line", "trafo"):
        if element in admittances.span:
            span = slice(*admittances.span[element])
            angle[span, 0] = given_or(column.numbers(element, "min_angle_degree"), -np.inf)
            angle[span, 1] = given_or(column.numbers(element, "max_angle_degree"), np.inf)
    angle[np.abs(angle) >= NO_ANGLE_DEGREE] *= np.inf
    limits: Reals = np.radians(angle)[admittances.live]
    return limits
