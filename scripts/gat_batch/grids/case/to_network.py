"""A case in MATPOWER's conventions -> a pandapower network with the same power flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandapower as pp
import pandas as pd

from ..elements import PART_OF
from .case import Case, check_case, frame
from .network_generators import add_generators

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

CREATED = ("bus", "load", "shunt", "line", "trafo", "gen", "sgen", "ext_grid")
"""Tables of the elements that a case becomes."""

UNLIMITED_KA = 99999.0
UNLIMITED_MVA = 99999.0
"""What pandapower's own converters write for a branch without a rating."""


def network_of(case: Case, source: str) -> pandapowerNet:
    """Make a network of a case.

    A bus, load, shunt, line or generator keeps its id as its pandapower index, unless the table
    has indices of its own. At a slack bus the generators marked external become external grids, or
    else the first one in service; without any, the bus keeps its angle in a column of its own. At a
    bus of type PQ, whose voltage nothing holds, a generator in service becomes a static one with
    the reactive power it has; an optimal power flow may still choose both its powers.

    Args:
        case: the grid.
        source: where it comes from, for the messages.

    Returns:
        The network.

    Raises:
        GridError: if the case contradicts itself.
    """
    check_case(case, source)
    net = pp.create_empty_network(
        name=case.name, f_hz=case.frequency_hz, sn_mva=case.base_mva, add_stdtypes=False
    )
    _add_buses(net, case)
    _add_loads(net, case)
    shunts = [case.shunt]
    _add_lines(net, case)
    shunts.append(_add_transformers(net, case))
    _add_shunts(net, case, pd.concat([table for table in shunts if len(table)] or shunts[:1]))
    add_generators(net, case)
    _leave_nameless(net)
    return net


def _leave_nameless(net: pandapowerNet) -> None:
    """Replace empty names and zones by None, as pandapower's creators write empty texts."""
    texts = [("bus", "zone"), *((element, "name") for element in CREATED)]
    for element, column in texts:
        values = net[element][column].astype(object)
        net[element][column] = values.where(values.notna() & (values != ""), None)


def _add_buses(net: pandapowerNet, case: Case) -> None:
    bus = case.bus
    pp.create_buses(
        net,
        len(bus),
        vn_kv=bus["kv"].to_numpy(),
        index=bus["id"].to_numpy(),
        name=bus["name"].tolist(),
        in_service=(bus["type"] != "Isolated").to_numpy(),
        min_vm_pu=bus["vmin"].to_numpy(),
        max_vm_pu=bus["vmax"].to_numpy(),
        zone=[None if np.isnan(zone) else int(zone) for zone in bus["zone"]],
    )
    if bus["area"].notna().any():
        net.bus["area"] = bus["area"].to_numpy()


def _add_loads(net: pandapowerNet, case: Case) -> None:
    load = case.load
    if len(load):
        pp.create_loads(
            net,
            buses=load["bus"].to_numpy(),
            p_mw=load["p_mw"].to_numpy(),
            q_mvar=load["q_mvar"].to_numpy(),
            name=load["name"].tolist(),
            index=load.index.to_numpy(),
            in_service=load["status"].to_numpy(),
        )


def _add_shunts(net: pandapowerNet, case: Case, shunt: pd.DataFrame) -> None:
    if len(shunt):
        kv = case.bus.set_index("id")["kv"]
        pp.create_shunts(
            net,
            buses=shunt["bus"].to_numpy(),
            q_mvar=-shunt["b_mvar"].to_numpy(),
            p_mw=shunt["g_mw"].to_numpy(),
            vn_kv=kv[shunt["bus"]].to_numpy(),
            name=shunt["name"].tolist(),
            index=np.where(
                np.arange(len(shunt)) < len(case.shunt),
                shunt.index,
                np.arange(len(shunt)) + (case.shunt.index.max() + 1 if len(case.shunt) else 0),
            ),
            in_service=shunt["status"].to_numpy(),
        )
        branch = shunt.get("part_of_index", pd.Series(np.nan, shunt.index)).to_numpy()
        if np.isfinite(branch).any():
            net.shunt[PART_OF[0]] = [None if np.isnan(index) else "trafo" for index in branch]
            net.shunt[PART_OF[1]] = branch


def _plain(case: Case) -> pd.Series:
    """Return whether each branch has neither a ratio nor a shift, so that it can be a line."""
    branch = case.branch
    return ~branch["transformer"] & branch["tap"].isin([0.0, 1.0]) & (branch["shift_degree"] == 0)


def _add_lines(net: pandapowerNet, case: Case) -> None:
    line = case.branch[_plain(case)]
    if not len(line):
        return
    kv = case.bus.set_index("id")["kv"][line["from_bus"]].to_numpy()
    base_ohm = kv**2 / case.base_mva
    rate = line["rate_a"].to_numpy()
    pp.create_lines_from_parameters(
        net,
        from_buses=line["from_bus"].to_numpy(),
        to_buses=line["to_bus"].to_numpy(),
        length_km=1.0,
        r_ohm_per_km=line["r"].to_numpy() * base_ohm,
        x_ohm_per_km=line["x"].to_numpy() * base_ohm,
        c_nf_per_km=line["b"].to_numpy() / base_ohm / (2 * np.pi * case.frequency_hz) * 1e9,
        g_us_per_km=line["g"].fillna(0.0).to_numpy() / base_ohm * 1e6,
        max_i_ka=np.where(rate > 0, rate / np.sqrt(3) / kv, UNLIMITED_KA),
        name=line["name"].tolist(),
        index=line.index.to_numpy(),
        in_service=line["status"].to_numpy(),
        max_loading_percent=100.0,
    )
    _rate_further(net.line, line, "ka", 1 / np.sqrt(3) / kv)
    _limit_angles(net.line, line, np.zeros(len(line), bool))


def _rate_further(
    table: pd.DataFrame, branch: pd.DataFrame, unit: str, factor: NDArray[np.float64]
) -> None:
    """Set the ratings for emergencies, ``rate_b_ka`` of a line, say, if there are any.

    Args:
        table: the table of the elements, which gets the columns.
        branch: their branches, with ratings in MVA.
        unit: unit of the columns.
        factor: what makes MVA into that unit, shape (branches,).
    """
    for name in ("rate_b", "rate_c"):
        rate = branch[name].to_numpy()
        if (rate > 0).any():
            table[f"{name}_{unit}"] = np.where(rate > 0, rate * factor, np.nan)


def _limit_angles(table: pd.DataFrame, branch: pd.DataFrame, turned: np.ndarray) -> None:
    """Set the limits of the angle across branches, in degrees, if there are any.

    Args:
        table: the table of the elements, which gets the columns.
        branch: their branches.
        turned: whether each element goes from the branch's to-bus to its from-bus.
    """
    low, high = branch["angle_min"].to_numpy(), branch["angle_max"].to_numpy()
    # Zeros stand for no limit in MATPOWER's format, and so does a full turn.
    none = (low == 0) & (high == 0)
    low = np.where(none | (low <= -360), np.nan, low)
    high = np.where(none | (high >= 360), np.nan, high)
    if np.isfinite([low, high]).any():
        table["min_angle_degree"] = np.where(turned, -high, low)
        table["max_angle_degree"] = np.where(turned, -low, high)


def _add_transformers(net: pandapowerNet, case: Case) -> pd.DataFrame:
    """Add the branches that aren't lines.

    pandapower has the ratio at the high-voltage bus and the impedance at the low-voltage one, so a
    branch from low to high voltage is turned round: seen from its from-bus the impedance is
    ``tap**2`` times and the admittance ``tap**-2`` times as large.

    Returns:
        Shunts for the charging that a pandapower transformer can't have: its magnetisation is
        never capacitive.
    """
    trafo = case.branch[~_plain(case)]
    if not len(trafo):
        return case.shunt.iloc[:0]
    kv = case.bus.set_index("id")["kv"]
    tap = trafo["tap"].replace(0.0, 1.0).to_numpy()
    turned = kv[trafo["from_bus"]].to_numpy() < kv[trafo["to_bus"]].to_numpy()
    hv = np.where(turned, trafo["to_bus"], trafo["from_bus"])
    lv = np.where(turned, trafo["from_bus"], trafo["to_bus"])
    scale = np.where(turned, tap**2, 1.0)
    ratio = np.where(turned, 1 / tap, tap)
    z_pi = (trafo["r"].to_numpy() + 1j * trafo["x"].to_numpy()) * scale
    y_end = (trafo["g"].fillna(0.0).to_numpy() + 1j * trafo["b"].to_numpy()) / 2 / scale
    capacitive = _t_circuit(z_pi, y_end)[1].imag > 0
    z_t, y_m = _t_circuit(z_pi, np.where(capacitive, y_end.real, y_end))
    sn_mva = np.where(trafo["rate_a"] > 0, trafo["rate_a"], UNLIMITED_MVA)
    percent = 100 * sn_mva / case.base_mva
    pp.create_transformers_from_parameters(
        net,
        hv_buses=hv,
        lv_buses=lv,
        sn_mva=sn_mva,
        vn_hv_kv=kv[hv].to_numpy() * ratio,
        vn_lv_kv=kv[lv].to_numpy(),
        vkr_percent=z_t.real * percent,
        vk_percent=np.where(z_t.imag < 0, -1, 1) * np.abs(z_t) * percent,
        pfe_kw=y_m.real * case.base_mva * 1e3,
        i0_percent=np.abs(y_m) * case.base_mva / sn_mva * 100,
        shift_degree=np.where(turned, -1, 1) * trafo["shift_degree"].to_numpy(),
        name=trafo["name"].tolist(),
        index=trafo.index.to_numpy(),
        in_service=trafo["status"].to_numpy(),
        max_loading_percent=100.0,
    )
    _rate_further(net.trafo, trafo, "mva", np.ones(len(trafo)))
    _limit_angles(net.trafo, trafo, turned)
    charged = np.flatnonzero(capacitive & trafo["status"].to_numpy())
    b_mvar = y_end.imag * case.base_mva
    rows: list[dict[str, object]] = [
        {
            "name": f"charging of {trafo['name'].iloc[n]}",
            "bus": bus,
            "status": True,
            "g_mw": 0.0,
            "b_mvar": b,
            "part_of_index": trafo.index[n],
        }
        for n in charged
        for bus, b in ((hv[n], b_mvar[n] / ratio[n] ** 2), (lv[n], b_mvar[n]))
    ]
    return frame("shunt", [{"id": n, **row} for n, row in enumerate(rows)])


def _t_circuit(z_pi: np.ndarray, y_end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the T circuit with equal arms that is equivalent to a symmetric pi circuit.

    pandapower's default transformer is a T circuit with arms z/2 and the magnetisation y between
    them; by the star-delta transformation its pi circuit has the series impedance
    z + z**2 y / 4 and y / (2 + z y / 2) at each end, which is solved for z and y here.

    Args:
        z_pi: series impedances, p.u.
        y_end: admittance at each end, p.u.

    Returns:
        Series impedance and magnetisation of the T circuit, p.u.
    """
    arm = z_pi / (2 + z_pi * y_end)
    return 2 * arm, 2 * y_end / (1 - arm * y_end)
