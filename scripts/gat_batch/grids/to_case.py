"""A pandapower network -> a case in MATPOWER's conventions with the same power flow.

The branch parameters are pandapower's own: those of the internal model that its power flow
solves. So whatever pandapower knows comes out as buses, branches and shunts; what loses its
identity on the way is said.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandapower
import pandas as pd
from pandapower.auxiliary import LoadflowNotConverged
from pandapower.pypower import idx_brch as br
from pandapower.pypower import idx_bus as bi

from ..errors import GridError
from .case import BUS_TYPES, UNLIMITED, Case, Cost, frame

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

UNSUPPORTED = ("svc", "tcsc", "ssc", "vsc", "dcline", "b2b_vsc")
"""Elements with controls of their own, which no table of a case can hold."""

MERGED = ("sgen", "storage", "motor", "asymmetric_load", "asymmetric_sgen", "ward", "xward")
"""Elements whose power is added to that of their bus."""

NO_RATING_KA = 9e4
"""A current limit from here on is a way to say that there is none."""


def case_of(net: pandapowerNet) -> Case:
    """Make a case of a network.

    Args:
        net: the network; it isn't changed.

    Returns:
        The case, with what it can't hold in ``dropped``.

    Raises:
        GridError: if the network holds elements that no case can.
    """
    for element in UNSUPPORTED:
        if element in net and len(net[element]):
            raise GridError(f"{len(net[element])} {element} can't be written in this form")
    internal = _internal_model(net)
    return _Writer(net, internal).case()


def _internal_model(net: pandapowerNet) -> pandapowerNet:
    """A copy of the network with the arrays that its power flow starts from."""
    copy = deepcopy(net)
    copy.user_pf_options = {}
    # Loads at constant impedance or current would be left out of the buses' power.
    for column in [name for name in copy.load if str(name).startswith("const_")]:
        copy.load[column] = 0.0
    try:
        pandapower.runpp(copy, init="flat", max_iteration=1, numba=False, lightsim2grid=False)
    except LoadflowNotConverged:
        pass  # the arrays are there before the first iteration, and nothing else is wanted
    except Exception as error:
        raise GridError(f"pandapower can't model this grid: {error}") from error
    return copy


class _Writer:
    """Collects the tables of one case."""

    def __init__(self, net: pandapowerNet, internal: pandapowerNet) -> None:
        self.net = net
        self.ppc = internal["_ppc"]
        self.lookups = lookups = internal["_pd2ppc_lookups"]
        self.row_of_bus = pd.Series(lookups["bus"][net.bus.index], index=net.bus.index)
        self.branch_rows = lookups["branch"]
        self.base_mva = float(self.ppc["baseMVA"])
        self.dropped: list[str] = []
        first = self.row_of_bus.reset_index().groupby(0)["index"].min()
        known = dict(zip(first.index, first.to_numpy(), strict=True))
        fresh = iter(range(int(net.bus.index.max()) + 1, 2**62))
        self.bus_id = [
            int(known[row]) if row in known else next(fresh) for row in range(len(self.ppc["bus"]))
        ]
        self.merged_buses = len(net.bus) - len(known)
        self.g = np.zeros(len(self.bus_id))
        self.b = np.zeros(len(self.bus_id))

    def case(self) -> Case:
        self._note_losses()
        branch = self._branches()
        load, shunt = self._loads(), self._shunts()
        gen = self._generators()
        return Case(
            name=str(self.net.name or ""),
            base_mva=self.base_mva,
            frequency_hz=float(self.net.f_hz),
            bus=self._buses(),
            load=load,
            shunt=shunt,
            gen=gen,
            branch=branch,
            dropped=self.dropped,
        )

    def _at(self, bus: int) -> int:
        """Id of the bus that a pandapower bus became."""
        return self.bus_id[int(self.row_of_bus[bus])]

    def _in_service(self, table: pd.DataFrame) -> np.ndarray:
        live = self.net.bus["in_service"].reindex(table["bus"]).to_numpy(bool)
        return np.asarray(table["in_service"].to_numpy(bool) & live)

    def _buses(self) -> pd.DataFrame:
        own = {row: index for index, row in reversed(list(self.row_of_bus.items()))}
        slack = {self._at(bus) for bus in self._slack_buses()}
        rows = []
        for row, values in enumerate(self.ppc["bus"]):
            index = own.get(row)
            data = self.net.bus.loc[index] if index is not None else {}
            kind = int(values[bi.BUS_TYPE].real)
            ident = self.bus_id[row]
            # pandapower merges in-service flag and supply into one type; keep the flag only.
            isolated = not bool(data["in_service"]) if index is not None else kind == bi.NONE
            rows.append(
                {
                    "id": ident,
                    "name": str(data.get("name") or ident),
                    "kv": float(values[bi.BASE_KV].real),
                    "vm": 1.0,
                    "va_degree": self._slack_angle(ident),
                    "type": BUS_TYPES[
                        3 if isolated else 2 if ident in slack else 1 if kind == bi.PV else 0
                    ],
                    "vmin": _number(data.get("min_vm_pu")),
                    "vmax": _number(data.get("max_vm_pu")),
                    "area": _number(data.get("area")),
                    "zone": _number(data.get("zone")),
                }
            )
        return frame("bus", rows)

    def _slack_buses(self) -> list[int]:
        net = self.net
        slack = net.gen["slack"].astype(bool) & net.gen["in_service"].astype(bool)
        grids = net.ext_grid["in_service"].astype(bool)
        return [*net.ext_grid["bus"][grids], *net.gen["bus"][slack]]

    def _slack_angle(self, ident: int) -> float:
        grid = self.net.ext_grid
        here = [n for n, bus in enumerate(grid["bus"]) if self._at(bus) == ident]
        return float(grid["va_degree"].iloc[here[0]]) if here else 0.0

    def _loads(self) -> pd.DataFrame:
        load = self.net.load
        live = self._in_service(load)
        scale = load["scaling"].to_numpy(float)
        p, q = load["p_mw"].to_numpy(float) * scale, load["q_mvar"].to_numpy(float) * scale
        rows = [
            {
                "id": int(index),
                "index": int(index),
                "name": _name(load["name"].iloc[n], f"load {index}"),
                "bus": self._at(load["bus"].iloc[n]),
                "status": bool(load["in_service"].iloc[n]),
                "p_mw": p[n],
                "q_mvar": q[n],
            }
            for n, index in enumerate(load.index)
        ]
        rest_p = self.ppc["bus"][:, bi.PD].real.copy()
        rest_q = self.ppc["bus"][:, bi.QD].real.copy()
        positions = self.row_of_bus[load["bus"]].to_numpy()
        np.subtract.at(rest_p, positions[live], p[live])
        np.subtract.at(rest_q, positions[live], q[live])
        return self._with_rest("load", rows, {"p_mw": rest_p, "q_mvar": rest_q})

    def _shunts(self) -> pd.DataFrame:
        shunt = self.net.shunt
        live = self._in_service(shunt)
        positions = self.row_of_bus[shunt["bus"]].to_numpy()
        kv = self.ppc["bus"][positions, bi.BASE_KV].real
        scale = shunt["step"].to_numpy(float) * (kv / shunt["vn_kv"].to_numpy(float)) ** 2
        g, b = shunt["p_mw"].to_numpy(float) * scale, -shunt["q_mvar"].to_numpy(float) * scale
        rows = [
            {
                "id": int(index),
                "index": int(index),
                "name": _name(shunt["name"].iloc[n], f"shunt {index}"),
                "bus": self._at(shunt["bus"].iloc[n]),
                "status": bool(shunt["in_service"].iloc[n]),
                "g_mw": g[n],
                "b_mvar": b[n],
            }
            for n, index in enumerate(shunt.index)
        ]
        rest_g = self.ppc["bus"][:, bi.GS].real + self.g
        rest_b = self.ppc["bus"][:, bi.BS].real + self.b
        np.subtract.at(rest_g, positions[live], g[live])
        np.subtract.at(rest_b, positions[live], b[live])
        return self._with_rest("shunt", rows, {"g_mw": rest_g, "b_mvar": rest_b})

    def _with_rest(
        self, table: str, rows: list[dict[str, object]], rest: dict[str, np.ndarray]
    ) -> pd.DataFrame:
        """Append what a bus has beyond the elements of its own: one row a bus."""
        first = max((int(str(row["id"])) for row in rows), default=-1) + 1
        there = np.flatnonzero(np.any([np.abs(values) > 1e-12 for values in rest.values()], axis=0))
        rows += [
            {
                "id": first + n,
                "index": first + n,
                "name": f"rest of bus {self.bus_id[row]}",
                "bus": self.bus_id[row],
                "status": True,
                **{name: float(values[row]) for name, values in rest.items()},
            }
            for n, row in enumerate(there)
        ]
        return frame(table, rows)

    def _branches(self) -> pd.DataFrame:
        net, rows = self.net, []
        lines = self.branch_rows.get("line", (0, 0))[0]
        for n, index in enumerate(net.line.index):
            line = net.line.loc[index]
            kv = float(net.bus["vn_kv"][line["from_bus"]])
            ka = _number(line.get("max_i_ka")) * float(line["df"]) * float(line["parallel"])
            rate = ka * kv * np.sqrt(3) if ka < NO_RATING_KA else np.nan
            row = self._branch(lines + n, index, _name(line["name"], f"line {index}"), rate)
            rows.append(row | self._status("l", index, row, line))
        offset = max((int(str(row["id"])) for row in rows), default=-1) + 1
        trafos = self.branch_rows.get("trafo", (0, 0))[0]
        for n, index in enumerate(net.trafo.index):
            trafo = net.trafo.loc[index]
            mva = float(trafo["sn_mva"]) * float(trafo["df"]) * float(trafo["parallel"])
            rate = mva if mva < NO_RATING_KA else np.nan
            row = self._branch(trafos + n, index, _name(trafo["name"], f"trafo {index}"), rate)
            row |= {"id": offset + int(index), "transformer": True}
            rows.append(row | self._status("t", index, row, trafo))
        rows += self._other_branches(offset + int(net.trafo.index.max() if len(net.trafo) else -1))
        return frame("branch", rows)

    def _status(
        self, kind: str, index: int, row: dict[str, object], element: pd.Series
    ) -> dict[str, bool]:
        """Switches may disconnect a branch that is in service; a dead bus doesn't count."""
        switches = self.net.switch
        switched = ((switches["et"] == kind) & (switches["element"] == index)).any()
        return {"status": bool(row["status"] if switched else element["in_service"])}

    def _other_branches(self, last: int) -> list[dict[str, object]]:
        """Windings, impedances and whatever else became a branch."""
        rows: list[dict[str, object]] = []
        next_index = int(self.net.trafo.index.max()) + 1 if len(self.net.trafo) else 0
        for kind, (start, end) in self.branch_rows.items():
            if kind in ("line", "trafo"):
                continue
            for row in range(start, end):
                name = f"{kind} {row - start}"
                branch = self._branch(row, next_index + len(rows), name, np.nan)
                branch |= {"id": last + 1 + len(rows), "transformer": True}
                rows.append(branch)
            self.dropped.append(f"{end - start} branches of {kind} are written as transformers")
        return rows

    def _branch(self, row: int, index: int, name: str, rate: float) -> dict[str, object]:
        values = self.ppc["branch"][row]
        ends = [int(values[br.F_BUS].real), int(values[br.T_BUS].real)]
        tap = float(values[br.TAP].real) or 1.0
        status = bool(values[br.BR_STATUS].real)
        if status:
            # What the second end has more than the first finds room in a shunt there.
            self.g[ends[1]] += values[br.BR_G_ASYM].real / 2 * self.base_mva
            self.b[ends[1]] += values[br.BR_B_ASYM].real / 2 * self.base_mva
        if values[br.BR_R_ASYM].real or values[br.BR_X_ASYM].real:
            self.dropped.append(f"{name}: different impedances in its two directions")
        return {
            "id": int(index),
            "index": int(index),
            "name": name,
            "transformer": False,
            "from_bus": self.bus_id[ends[0]],
            "to_bus": self.bus_id[ends[1]],
            "status": status,
            "r": float(values[br.BR_R].real),
            "x": float(values[br.BR_X].real),
            "b": float(values[br.BR_B].real),
            "g": float(values[br.BR_G].real),
            "tap": tap,
            "shift_degree": float(values[br.SHIFT].real),
            "rate_a": rate,
        }

    def _generators(self) -> pd.DataFrame:
        net, rows = self.net, []
        for index, gen in net.gen.iterrows():
            rows.append(self._generator(index, gen, "gen") | {"p_mw": gen["p_mw"] * gen["scaling"]})
        offset = int(net.gen.index.max()) + 1 if len(net.gen) else 0
        for index, grid in net.ext_grid.iterrows():
            row = self._generator(index, grid, "ext_grid")
            rows.append(row | {"id": offset + int(index), "external": True})
        rows += self._inner_voltages(
            offset + int(net.ext_grid.index.max() if len(net.ext_grid) else 0)
        )
        return frame("gen", rows)

    def _inner_voltages(self, last: int) -> list[dict[str, object]]:
        """The voltage sources inside extended wards, each at a bus of its own."""
        xward = self.net.xward
        buses = self.lookups["bus"][self.lookups["aux"].get("xward", [])]
        first = int(self.net.gen.index.max()) + 1 if len(self.net.gen) else 0
        return [
            {
                "id": last + 1 + n,
                "index": first + n,
                "name": f"xward {index}",
                "bus": self.bus_id[int(buses[n])],
                "status": bool(xward["in_service"].iloc[n]),
                "p_mw": 0.0,
                "q_mvar": 0.0,
                "pmin": 0.0,
                "pmax": 0.0,
                "qmin": -UNLIMITED,
                "qmax": UNLIMITED,
                "vm": float(xward["vm_pu"].iloc[n]),
                "external": False,
            }
            for n, index in enumerate(xward.index)
        ]

    def _generator(self, index: int, gen: pd.Series, element: str) -> dict[str, object]:
        return {
            "id": int(index),
            "index": int(index),
            "name": _name(gen["name"], f"{element} {index}"),
            "bus": self._at(gen["bus"]),
            "status": bool(gen["in_service"]),
            "p_mw": 0.0,
            "q_mvar": 0.0,
            "pmin": _number(gen.get("min_p_mw"), -UNLIMITED),
            "pmax": _number(gen.get("max_p_mw"), UNLIMITED),
            "qmin": _number(gen.get("min_q_mvar"), -UNLIMITED),
            "qmax": _number(gen.get("max_q_mvar"), UNLIMITED),
            "vm": float(gen["vm_pu"]),
            "mbase": _number(gen.get("sn_mva")),
            "external": False,
            "cost": self._cost(index, element),
        }

    def _cost(self, index: int, element: str) -> Cost | None:
        poly, pwl = self.net.poly_cost, self.net.pwl_cost
        found = poly[(poly["element"] == index) & (poly["et"] == element)]
        if len(found):
            names = ("cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2")
            return Cost(coefficients=tuple(float(found[name].iloc[0]) for name in names))
        found = pwl[(pwl["element"] == index) & (pwl["et"] == element)]
        if not len(found):
            return None
        pieces = found["points"].iloc[0]
        points = [(float(pieces[0][0]), 0.0)]
        for start, end, slope in pieces:
            points.append((float(end), points[-1][1] + (float(end) - float(start)) * float(slope)))
        return Cost(points=tuple(points))

    def _note_losses(self) -> None:
        net = self.net
        for element in MERGED:
            if element in net and len(net[element]):
                self.dropped.append(f"{len(net[element])} {element} are added to their buses")
        if self.merged_buses:
            what = "buses joined by closed switches are merged with their neighbours"
            self.dropped.append(f"{self.merged_buses} {what}")
        if len(net.switch):
            self.dropped.append(
                f"{len(net.switch)} switches; their position is kept in the branches"
            )
        if len(net.line) and ((net.line["length_km"] != 1) | (net.line["parallel"] != 1)).any():
            self.dropped.append("length, type and parallel circuits of lines; impedances are kept")
        if len(net.trafo) and (net.trafo["tap_pos"].fillna(0) != 0).any():
            self.dropped.append("tap changers of transformers; their ratios are kept")
        slack = net.gen["slack"].astype(bool)
        if slack.any():
            what = "generators marked as slack are read back as external grids"
            self.dropped.append(f"{int(slack.sum())} {what}")
        const = [name for name in net.load if str(name).startswith("const_")]
        if (net.load[const] != 0).any().any():
            self.dropped.append("voltage dependence of loads; they are written at constant power")
        if len(net.poly_cost) and (net.poly_cost.filter(like="mvar") != 0).any().any():
            self.dropped.append("cost of reactive power")


def _number(value: object, missing: float = float("nan")) -> float:
    try:
        number = float(value)  # type: ignore[arg-type] # anything may stand in a column
    except (TypeError, ValueError):
        return missing
    return missing if np.isnan(number) else number


def _name(value: Any, missing: str) -> str:
    return missing if pd.isna(value) else str(value)
