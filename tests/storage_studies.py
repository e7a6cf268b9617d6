"""A day with storages as one linear program of scipy's, to hold other formulations against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandapower
from opf_studies import costs_of, ratings_of
from pandapower.pypower import idx_bus as bi
from pandapower.pypower.makePTDF import makePTDF
from scipy import sparse
from scipy.optimize import linprog


@dataclass
class Day:
    """Columns of each snapshot: powers, their costs, charging, discharging, content."""

    net: object
    loads: list
    hours: float

    def __post_init__(self):
        pandapower.rundcpp(self.net)
        ppc = self.net["_ppc"]
        self.base, self.internal = ppc["baseMVA"], ppc["internal"]
        bus, branch = self.internal["bus"], self.internal["branch"]
        self.rows = self.net["_pd2ppc_lookups"]["bus"]
        self.ptdf = makePTDF(self.base, bus, branch, int(self.internal["ref"][0]))
        units = [
            (self.rows[unit.bus], unit.min_p_mw, unit.max_p_mw, *costs_of(self.net, et, unit.Index))
            for et in ("ext_grid", "gen")
            for unit in self.net[et].itertuples()
        ]
        at, self.low, self.high, self.c0, self.c1, self.c2 = np.array(units).T
        self.at = at.astype(int)
        count, stores = len(units), len(self.net.storage)
        self.size = 2 * count + 3 * stores
        self.p, self.cost, self.charge, self.discharge, self.held = np.split(
            np.arange(self.size), np.cumsum([count, count, stores, stores])
        )
        store = self.net.storage
        self.first = (store["soc_percent"] / 100 * store["max_e_mwh"]).to_numpy()

    def demand(self, load):
        demand = self.internal["bus"][:, bi.GS] + self.internal["Pbusinj"].real * self.base
        live = self.net.load["in_service"]
        np.add.at(demand, self.rows[self.net.load["bus"]], np.where(live, load, 0.0))
        return demand

    def blank(self, rows):
        return np.zeros((rows, len(self.loads) * self.size))

    def flows(self):
        """Rows and their most, for either direction of all rated branches."""
        rating = ratings_of(self.net)[self.internal["branch_is"]]
        limited = np.flatnonzero(np.isfinite(rating))
        at_stores = self.ptdf[:, self.rows[self.net.storage["bus"]]][limited]
        rows, most = [], []
        for step, load in enumerate(self.loads):
            own, flow = step * self.size, self.blank(len(limited))
            flow[:, own + self.p] = self.ptdf[:, self.at][limited]
            flow[:, own + self.charge], flow[:, own + self.discharge] = -at_stores, at_stores
            shift = self.internal["Pfinj"].real * self.base
            offset = (shift - self.ptdf @ self.demand(load))[limited]
            flow = sparse.csr_matrix(flow)
            rows += [flow, -flow]
            most += [rating[limited] - offset, rating[limited] + offset]
        return rows, most

    def balances(self):
        """Rows and their values: of power, and of what each storage holds."""
        store = self.net.storage
        eta_in = store["charge_efficiency_percent"].to_numpy() / 100
        eta_out = store["discharge_efficiency_percent"].to_numpy() / 100
        left = (1 - store["self_discharge_percent_per_hour"].to_numpy() / 100) ** self.hours
        rows, values = [], []
        for step, load in enumerate(self.loads):
            own, balance = step * self.size, self.blank(1)
            balance[0, own + self.p] = balance[0, own + self.discharge] = 1
            balance[0, own + self.charge] = -1
            rows.append(balance)
            values.append([self.demand(load).sum()])
            for k in range(len(store)):
                row = self.blank(1)
                row[0, own + self.held[k]] = 1.0
                row[0, own + self.charge[k]] = -self.hours * eta_in[k]
                row[0, own + self.discharge[k]] = self.hours / eta_out[k]
                given = step == 0 and not np.isnan(self.first[k])
                if not given:
                    before = (step - 1) % len(self.loads) * self.size
                    row[0, before + self.held[k]] -= left[k]
                rows.append(row)
                values.append([left[k] * self.first[k] if given else 0.0])
        return rows, values

    def bounds(self):
        store = self.net.storage
        bounds = []
        for step in range(len(self.loads)):
            last = step == len(self.loads) - 1
            least = np.fmax(store["min_e_mwh"], self.first if last else 0.0)
            bounds += [*zip(self.low, self.high, strict=True), *[(None, None)] * len(self.p)]
            bounds += [(0, power) for power in store["max_p_mw"]]
            bounds += [(0, -power) for power in store["min_p_mw"]]
            bounds += zip(least, store["max_e_mwh"], strict=True)
        return bounds

    def tangents(self, powers):
        """Rows that hold costs above the tangents at powers of each snapshot, and their most."""
        rows, most = [], []
        for step, power in enumerate(powers):
            row = self.blank(len(power))
            row[:, step * self.size + self.p] = np.diag(self.c1 + 2 * self.c2 * power)
            row[:, step * self.size + self.cost] = -np.eye(len(power))
            rows.append(sparse.csr_matrix(row))
            most.append(self.c2 * power**2)
        return rows, most


def cheapest_day(net, loads, hours, *, gap=1e-8):
    """The cost of a day with storages, all snapshots at once.

    Flows are power transfer distribution factors times injections, quadratic costs are tangents
    that each round adds to. ``loads`` are the loads of each snapshot, which last ``hours``.
    """
    day = Day(net, loads, hours)
    (below, most), (equal, values) = day.flows(), day.balances()
    points = [np.tile(point, (len(loads), 1)) for point in np.linspace(day.low, day.high, 9)]
    objective = np.tile(np.isin(np.arange(day.size), day.cost).astype(float), len(loads))
    while True:
        for powers in points:
            rows, more = day.tangents(powers)
            below += rows
            most += more
        found = linprog(
            objective,
            A_ub=sparse.vstack(below, format="csr"),
            b_ub=np.concatenate(most),
            A_eq=np.vstack(equal),
            b_eq=np.concatenate(values),
            bounds=day.bounds(),
            method="highs",
        )
        assert found.status == 0, found.message
        powers = found.x.reshape(len(loads), day.size)[:, day.p]
        beyond = (powers @ day.c1 + powers**2 @ day.c2).sum()
        if beyond - found.fun <= gap * abs(beyond):
            return beyond + len(loads) * day.c0.sum()
        points = [powers]
