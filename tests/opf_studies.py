"""What the tests of optimal power flow share: grids, states, and an independent formulation."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

import numpy as np
import pandapower
import pandapower.networks
from pandapower.pypower import idx_bus as bi
from pandapower.pypower.makePTDF import makePTDF
from scipy.optimize import linprog

from gat_batch.grids.bundled import read_bundled
from gat_batch.grids.case.to_network import network_of
from gat_batch.grids.elements import ElementIndex
from gat_batch.grids.matpower.reader import _case as case_of
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State, scenario_states
from gat_batch.solvers.study import solve

logging.getLogger("pandapower").setLevel(logging.CRITICAL)

AS_GIVEN = State(None, ())


@cache
def prepared(name):
    """A bundled grid, read and prepared once; tests leave it as it is."""
    return prepare(read_bundled(name))


def published(case):
    """A case of the pypower package, which has the data as they were published."""
    tables = {name: case[name] for name in ("bus", "gen", "branch")}
    return network_of(
        case_of("case", float(case["baseMVA"]), tables, case["gencost"], Path("case")), "case"
    )


def change(element, column, values):
    return Change(element, column, np.asarray(values))


def states_of(model, study, **tables):
    return list(scenario_states(ElementIndex(model.net), study, None, None, **tables))


def optimum(model, solver, *changes, costs=None, **options):
    return solve(model, State(None, tuple(changes), costs or {}), solver, options)


def cheapest_by_ptdf(net, near=None, *, gap=1e-9):
    """The cost of a DC optimal power flow, found in injections alone by scipy's HiGHS.

    Flows are a dense matrix of power transfer distribution factors times injections. Convex
    quadratic costs are tangents, to which each round adds those at its optimum until the gap
    between the bound and the true cost is closed. Whatever the tangents, the bound holds: those
    at a solution ``near`` the optimum only make it close sooner.
    """
    pandapower.rundcpp(net)
    ppc = net["_ppc"]
    base = ppc["baseMVA"]
    internal = ppc["internal"]
    bus, branch = internal["bus"], internal["branch"]
    rows = net["_pd2ppc_lookups"]["bus"]
    ptdf = makePTDF(base, bus, branch, int(internal["ref"][0]))
    demand = bus[:, bi.PD] + bus[:, bi.GS] + internal["Pbusinj"].real * base
    chosen = net.sgen.iloc[:0]
    if "controllable" in net.sgen:
        chosen = net.sgen[net.sgen["controllable"].isin([True])]
    np.add.at(demand, rows[chosen["bus"]], chosen["p_mw"])
    tables = [
        table.assign(et=et)
        for et, table in (("ext_grid", net.ext_grid), ("gen", net.gen), ("sgen", chosen))
    ]
    units = [
        (rows[unit.bus], unit.min_p_mw, unit.max_p_mw, costs_of(net, unit.et, unit.Index))
        for table in tables
        for unit in table.itertuples()
        if unit.in_service
    ]
    names = [
        (unit.et, unit.Index) for table in tables for unit in table.itertuples() if unit.in_service
    ]
    at = np.array([unit[0] for unit in units])
    bounds = [(low, high) for _, low, high, _ in units]
    c0, c1, c2 = np.array([unit[3] for unit in units]).T
    live = internal["branch_is"]
    rating = ratings_of(net)[live]
    limited = np.flatnonzero(np.isfinite(rating))
    offset = -ptdf @ demand + internal["Pfinj"].real * base
    flow = ptdf[:, at][limited]
    n = len(units)
    a_ub = [np.hstack([flow, np.zeros((len(limited), n))])]
    a_ub.append(-a_ub[0])
    b_ub = [rating[limited] - offset[limited], rating[limited] + offset[limited]]
    a_eq = np.hstack([np.ones(n), np.zeros(n)])[None]
    low = np.array([one for one, _ in bounds])
    high = np.array([one for _, one in bounds])
    points = list(np.linspace(low, high, 5))
    if near is not None:
        known = {
            (table["et"].iloc[0], index): power
            for table in tables
            if len(table)
            for index, power in zip(
                net[table["et"].iloc[0]].index,
                near.elements[table["et"].iloc[0]]["p_mw"],
                strict=True,
            )
        }
        points.append(np.array([known[name] for name in names]))
    while True:
        a_ub, b_ub = list(a_ub), list(b_ub)
        for p in points:
            a_ub.append(np.hstack([np.diag(c1 + 2 * c2 * p), -np.eye(n)]))
            b_ub.append(c2 * p**2)
        points = []
        for method in ("highs-ds", "highs-ipm"):
            found = linprog(
                np.concatenate([np.zeros(n), np.ones(n)]),
                A_ub=np.vstack(a_ub),
                b_ub=np.concatenate(b_ub),
                A_eq=a_eq,
                b_eq=[demand.sum()],
                bounds=[*bounds, *[(None, None)] * n],
                method=method,
            )
            if found.status in (0, 2):
                break
        assert found.status == 0, found.message
        p = found.x[:n]
        cost = c0.sum() + c1 @ p + c2 @ p**2
        if cost - found.fun - c0.sum() <= gap * abs(cost):
            return cost
        points = [p]


def costs_of(net, et, index):
    own = net.poly_cost[(net.poly_cost["et"] == et) & (net.poly_cost["element"] == index)]
    if not len(own):
        return 0.0, 0.0, 0.0
    return tuple(own[["cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2"]].iloc[0])


def ratings_of(net):
    """Ratings of the branches in MVA, in pandapower's order, for lines and transformers."""
    line, trafo = net.line, net.trafo
    kv = net.bus["vn_kv"].loc[line["from_bus"]].to_numpy()
    line_mva = np.sqrt(3) * kv * line["max_i_ka"] * line["df"] * line["parallel"]
    trafo_mva = trafo["sn_mva"] * trafo["df"] * trafo["parallel"]
    mva = np.concatenate(
        [
            line_mva * line.get("max_loading_percent", 100.0) / 100,
            trafo_mva * trafo.get("max_loading_percent", 100.0) / 100,
        ]
    )
    rating = np.full(len(net["_ppc"]["branch"]), np.inf)
    rating[: len(mva)] = np.where(mva < 99999, mva, np.inf)
    return rating


def angle_across(solution, net, line):
    """Angle across a line in degrees."""
    angle = dict(zip(net.bus.index, solution.elements["bus"]["va_degree"], strict=True))
    ends = net.line.loc[line]
    return angle[ends["from_bus"]] - angle[ends["to_bus"]]


def rating_of(model, line):
    """Rating of a line in MVA, at 100 percent."""
    table = model.net.line.iloc[line]
    return np.sqrt(3) * model.net.bus["vn_kv"].loc[table["from_bus"]] * table["max_i_ka"]


RATED = change("line", "max_loading_percent", [20.0, *[100.0] * 40])


TIGHT = (RATED, change("gen", "max_p_mw", [20.0, 50.0, 55.0, 30.0, 40.0]))


def day(model, ramp, *, every=1):
    """Hours of a day, or every so many of them, with a ramp in MW for every generator."""
    load = model.net.load["p_mw"].to_numpy()
    ramps = tuple(
        change(element, "max_ramp_mw", np.full(len(model.net[element]), ramp))
        for element in ("gen", "ext_grid")
    )
    return [
        State(f"h{hour}", (change("load", "p_mw", load * (0.8 + 0.2 * wave)), *ramps))
        for hour, wave in enumerate(np.sin(np.arange(0, 24, every) * 2 * np.pi / 24))
    ]


def powers(solutions):
    return np.array(
        [np.concatenate([s.elements[e]["p_mw"] for e in ("gen", "ext_grid")]) for s in solutions]
    )


def hour_by_hour(model, states, ramp, solver):
    """Cost of a schedule made an hour after the other, each within reach of the one before it."""
    capacity = [model.net[e][["min_p_mw", "max_p_mw"]].to_numpy() for e in ("gen", "ext_grid")]
    cost, before = 0.0, None
    for state in states:
        limits = []
        if before is not None:
            for element, own, power in zip(("gen", "ext_grid"), capacity, before, strict=True):
                low = np.maximum(own[:, 0], power - ramp)
                high = np.minimum(own[:, 1], power + ramp)
                limits += [change(element, "min_p_mw", low), change(element, "max_p_mw", high)]
        solution = solve(model, State(None, (*state.changes, *limits)), solver, {})
        assert solution.status == "ok"
        before = [solution.elements[element]["p_mw"] for element in ("gen", "ext_grid")]
        cost += solution.objective
    return cost
