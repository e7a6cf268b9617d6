"""What an optimal power flow may choose, what that costs, and within which limits.

Powers are injections in p.u. of the system base: a load that may be chosen is a negative one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ..powerflow.sweep import Columns, demand_of
from .units import DISPATCHED, UNSERVED, given_or, joined, units_of, unserved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..model.admittances import Arrays
    from ..model.costs import Costs
    from ..model.grid_model import Model
    from ..model.state import State
    from ..powerflow.sweep import Demand
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
        arrays: the equations.
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

    arrays: Arrays
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
        return self.arrays.buses

    @property
    def ends(self) -> Rows:
        """Rows at either end of the live branches."""
        return self.arrays.ends[self.arrays.live]


def dispatch_of(
    model: Model,
    state: State,
    arrays: Arrays,
    options: Mapping[str, Any],
) -> Dispatch:
    """Put an optimal power flow into numbers.

    Args:
        model: the model.
        state: what differs from the grid as given.
        arrays: the equations of the state.
        options: options of an optimal power flow.

    Returns:
        The numbers.

    Raises:
        SolverError: if a cost isn't convex.
    """
    column = Columns(model, state)
    asked = demand_of(model, arrays, column)
    parts = {element: units_of(element, arrays, column) for element in DISPATCHED}
    demand = asked.bus[: arrays.buses] / arrays.base_mva
    for element, given in (("sgen", -asked.sgen), ("load", asked.load)):
        chosen = parts[element]
        np.subtract.at(demand, chosen.row, given[chosen.position] / arrays.base_mva)
    lost_load = options.get("value_of_lost_load")
    if lost_load is not None:
        parts[UNSERVED] = unserved(arrays, asked, parts["load"])
    units = joined(list(parts.values()))
    held = options.get("ext_grid_voltage") == "held"
    costs = {**model.costs, **state.costs} if state.costs else model.costs
    prices = _kept_prices(arrays, units, costs, lost_load or 0.0)
    fixed = _cost_of_the_fixed(arrays, column, asked, units, costs)
    return Dispatch(
        arrays=arrays,
        asked=asked,
        units=units,
        prices=replace(prices, constant=prices.constant + fixed),
        demand=demand,
        vm=_voltage_limits(arrays, column, held=held),
        rating=_ratings(model, arrays, column),
        angle=_angle_limits(arrays, column),
        ref=arrays.ref if held else _references(arrays),
        by_current=options.get("flow_limit") == "current",
    )


def _kept_prices(arrays: Arrays, units: Units, costs: Costs, lost_load: float) -> Prices:
    """The prices of the last state, where they hold for this one too."""
    key = (units.element.tobytes(), units.position.tobytes(), units.live.tobytes(), lost_load)
    last = arrays.solvers.get("prices")
    if last is None or last[0] is not costs or last[1] != key:
        last = (costs, key, _prices(units, costs, arrays.base_mva, lost_load))
        arrays.solvers["prices"] = last
    prices: Prices = last[2]
    return prices


def _cost_of_the_fixed(
    arrays: Arrays, column: Columns, asked: Demand, units: Units, costs: Costs
) -> float:
    """What static generators and loads cost that can't be chosen, in currency an hour."""
    total = 0.0
    power = {"sgen": asked.sgen, "load": asked.load}
    for element, values in power.items():
        live = column(element, "in_service").astype(bool) & (arrays.row[element] < arrays.buses)
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


def _voltage_limits(arrays: Arrays, column: Columns, *, held: bool) -> Reals:
    """Limits of the rows: the narrowest of their buses and generators, 0 to 2 without any."""
    vm = np.tile([0.0, 2.0], (arrays.buses, 1))

    def narrow(element: str, low: Reals, high: Reals, live: Flags) -> None:
        rows = arrays.row[element]
        there = live & (rows < arrays.buses)
        np.maximum.at(vm[:, 0], rows[there], given_or(low, 0.0)[there])
        np.minimum.at(vm[:, 1], rows[there], given_or(high, 2.0)[there])

    for element in ("bus", "gen"):
        live = column(element, "in_service").astype(bool)
        low, high = (column.numbers(element, name) for name in ("min_vm_pu", "max_vm_pu"))
        narrow(element, low, high, live)
    for element in ("gen", "ext_grid"):
        fixed = ~column.flags(element, "controllable", default=element == "gen" or not held)
        fixed &= column(element, "in_service").astype(bool) & (arrays.row[element] < arrays.buses)
        if element == "gen" or held:
            setpoint = column(element, "vm_pu").astype(float)
            vm[arrays.row[element][fixed]] = setpoint[fixed, None]
    return vm


def _references(arrays: Arrays) -> Rows:
    """The first reference of each island: more would fix what flows between them."""
    if len(arrays.ref) == 1:
        return arrays.ref
    ends = arrays.ends[arrays.live][~arrays.open]
    joins = sparse.csr_matrix((np.ones(len(ends)), ends.T), (arrays.buses, arrays.buses))
    _, island = connected_components(joins, directed=False)
    _, first = np.unique(island[arrays.ref], return_index=True)
    return arrays.ref[first]


def _ratings(model: Model, arrays: Arrays, column: Columns) -> Reals:
    """Ratings of the live branches in p.u., as pandapower has them."""
    rating = np.full(len(arrays.ends), np.inf)
    for element in ("line", "trafo", "trafo3w"):
        if element in arrays.span:
            if ("size", element) not in arrays.shared:
                arrays.shared["size", element] = _sizes(model.net, element)
            most = column.numbers(element, "max_loading_percent") / 100
            sizes = arrays.shared["size", element] * most
            rating[slice(*arrays.span[element])] = sizes.ravel()
    limited = (rating > 0) & (rating < NO_RATING_MVA)
    return np.where(limited, rating / arrays.base_mva, np.inf)[arrays.live]


def _sizes(net: pandapowerNet, element: str) -> Reals:
    """Power at 100 % loading in MVA; a row for each winding of a three-winding transformer."""
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


def _angle_limits(arrays: Arrays, column: Columns) -> Reals:
    angle = np.tile([-np.inf, np.inf], (len(arrays.ends), 1))
    for element in ("line", "trafo"):
        if element in arrays.span:
            span = slice(*arrays.span[element])
            angle[span, 0] = given_or(column.numbers(element, "min_angle_degree"), -np.inf)
            angle[span, 1] = given_or(column.numbers(element, "max_angle_degree"), np.inf)
    angle[np.abs(angle) >= NO_ANGLE_DEGREE] *= np.inf
    limits: Reals = np.radians(angle)[arrays.live]
    return limits
