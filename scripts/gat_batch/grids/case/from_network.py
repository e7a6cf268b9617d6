"""A pandapower network -> a case in MATPOWER's conventions with the same power flow.

The branch parameters are those of the internal model that pandapower's power flow solves. So
whatever pandapower knows comes out as buses, branches and shunts; ``Case.dropped`` says what loses
its identity on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import GridError
from ...upstream.pandapower import bus_columns
from ..slack import REFERENCE
from .branches import branches_of
from .case import Case, frame
from .generators import dispatchable_sgens, generators_of
from .losses import losses
from .solved_network import Source, name_or, number
from .to_network import network_of

if TYPE_CHECKING:
    import pandas as pd
    from pandapower.auxiliary import pandapowerNet

bi = bus_columns()

UNSUPPORTED = ("svc", "tcsc", "ssc", "vsc", "dcline", "b2b_vsc")
"""Elements with controls of their own, which no table of a case can hold."""

MERGED = ("sgen", "storage", "motor", "asymmetric_load", "asymmetric_sgen", "ward", "xward")
"""Elements whose power is added to that of their bus."""


def case_of(net: pandapowerNet) -> Case:
    """Make a case of a network.

    Args:
        net: the network; it isn't changed.

    Returns:
        The case, with what it can't hold in ``dropped``.

    Raises:
        GridError: if the network holds what no case can.
    """
    for element in UNSUPPORTED:
        if element in net and len(net[element]):
            raise GridError(f"{len(net[element])} {element} can't be written in this form")
    case = _Writer(Source(net)).case()
    case.dropped += losses(net, network_of(case, case.name))
    return case


class _Writer:
    """Collects the tables of one case."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.net, self.ppc = source.net, source.ppc
        self.row_of_bus, self.bus_id = source.row_of_bus, source.bus_id
        self.dropped = source.dropped

    def case(self) -> Case:
        self._note_losses()
        # Branches come first: they leave something for the shunts.
        branch = branches_of(self.source)
        return Case(
            name=str(self.net.name or ""),
            base_mva=self.source.base_mva,
            frequency_hz=float(self.net.f_hz),
            bus=self._buses(),
            load=self._loads(),
            shunt=self._shunts(),
            gen=generators_of(self.source),
            branch=branch,
            dropped=self.dropped,
        )

    def _in_service(self, table: pd.DataFrame) -> np.ndarray:
        live = self.net.bus["in_service"].reindex(table["bus"]).to_numpy(bool)
        return np.asarray(table["in_service"].to_numpy(bool) & live)

    def _buses(self) -> pd.DataFrame:
        own = {row: index for index, row in reversed(list(self.row_of_bus.items()))}
        slack = {self.source.at(bus) for bus in self._slack_buses()}
        rows = []
        for row, values in enumerate(self.ppc["bus"]):
            index = own.get(row)
            data = self.net.bus.loc[index] if index is not None else {}
            code = int(values[bi.BUS_TYPE].real)
            ident = self.bus_id[row]
            # pandapower merges in-service flag and supply into one type; keep the flag only.
            isolated = not bool(data["in_service"]) if index is not None else code == bi.NONE
            kind = "Slack" if ident in slack else "PV" if ident in self.source.held else "PQ"
            rows.append(
                {
                    "id": ident,
                    "name": name_or(data.get("name"), ""),
                    "kv": float(values[bi.BASE_KV].real),
                    "vm": 1.0,
                    "va_degree": self._slack_angle(ident),
                    "type": "Isolated" if isolated else kind,
                    "vmin": number(data.get("min_vm_pu")),
                    "vmax": number(data.get("max_vm_pu")),
                    "area": number(data.get("area")),
                    "zone": number(data.get("zone")),
                }
            )
        return frame("bus", rows)

    def _slack_buses(self) -> list[int]:
        net = self.net
        slack = net.gen["slack"].astype(bool) & net.gen["in_service"].astype(bool)
        grids = net.ext_grid["in_service"].astype(bool)
        named = net.bus.index[net.bus[REFERENCE].notna()] if REFERENCE in net.bus else ()
        return [*net.ext_grid["bus"][grids], *net.gen["bus"][slack], *named]

    def _slack_angle(self, ident: int) -> float:
        grid = self.net.ext_grid
        here = [n for n, bus in enumerate(grid["bus"]) if self.source.at(bus) == ident]
        if here:
            return float(grid["va_degree"].iloc[here[0]])
        return number(self.net.bus[REFERENCE].get(ident), 0.0) if REFERENCE in self.net.bus else 0.0

    def _loads(self) -> pd.DataFrame:
        load = self.net.load
        live = self._in_service(load)
        scale = load["scaling"].to_numpy(float)
        p, q = load["p_mw"].to_numpy(float) * scale, load["q_mvar"].to_numpy(float) * scale
        rows = [
            {
                "id": int(index),
                "index": int(index),
                "name": name_or(load["name"].iloc[n], ""),
                "bus": self.source.at(load["bus"].iloc[n]),
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
        # What is a generator of its own isn't part of its bus's demand.
        sgen = dispatchable_sgens(self.source)
        places = self.row_of_bus[sgen["bus"]].to_numpy()
        np.add.at(rest_p, places, (sgen["p_mw"] * sgen["scaling"]).to_numpy(float))
        np.add.at(rest_q, places, (sgen["q_mvar"] * sgen["scaling"]).to_numpy(float))
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
                "name": name_or(shunt["name"].iloc[n], ""),
                "bus": self.source.at(shunt["bus"].iloc[n]),
                "status": bool(shunt["in_service"].iloc[n]),
                "g_mw": g[n],
                "b_mvar": b[n],
            }
            for n, index in enumerate(shunt.index)
        ]
        rest_g = self.ppc["bus"][:, bi.GS].real + self.source.g
        rest_b = self.ppc["bus"][:, bi.BS].real + self.source.b
        np.subtract.at(rest_g, positions[live], g[live])
        np.subtract.at(rest_b, positions[live], b[live])
        return self._with_rest("shunt", rows, {"g_mw": rest_g, "b_mvar": rest_b})

    def _with_rest(
        self, table: str, rows: list[dict[str, object]], rest: dict[str, np.ndarray]
    ) -> pd.DataFrame:
        """Append a row for each bus that has more than its elements of this kind account for."""
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

    def _note_losses(self) -> None:
        net = self.net
        for element in MERGED:
            own = len(dispatchable_sgens(self.source)) if element == "sgen" else 0
            count = len(net[element]) - own if element in net else 0
            if count:
                self.dropped.append(f"{count} {element} are added to their buses")
        if self.source.merged_buses:
            what = "buses joined by closed switches are merged with their neighbours"
            self.dropped.append(f"{self.source.merged_buses} {what}")
        if len(net.switch):
            self.dropped.append(
                f"{len(net.switch)} switches; their position is kept in the branches"
            )
        if len(net.line) and ((net.line["length_km"] != 1) | (net.line["parallel"] != 1)).any():
            self.dropped.append("length, type and parallel circuits of lines; impedances are kept")
        if len(net.trafo) and net.trafo["tap_pos"].notna().any():
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
