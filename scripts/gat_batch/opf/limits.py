"""Limits of voltages, flows and angles that an optimal power flow keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .units import given_or

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel
    from ..powerflow.injections.state_columns import Columns

    Reals = NDArray[np.float64]
    Flags = NDArray[np.bool_]

NO_RATING_MVA = 99999.0
"""Ratings from here on are none: what converters write for a branch without one."""

NO_ANGLE_DEGREE = 360.0


def voltage_limits(admittances: AdmittanceModel, column: Columns, *, held: bool) -> Reals:
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


def ratings(model: GridModel, admittances: AdmittanceModel, column: Columns) -> Reals:
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


def angle_limits(admittances: AdmittanceModel, column: Columns) -> Reals:
    """Return lowest and highest angles across the live branches in radians, shape (live, 2)."""
    angle = np.tile([-np.inf, np.inf], (len(admittances.ends), 1))
    for element in ("line", "trafo"):
        if element in admittances.span:
            span = slice(*admittances.span[element])
            angle[span, 0] = given_or(column.numbers(element, "min_angle_degree"), -np.inf)
            angle[span, 1] = given_or(column.numbers(element, "max_angle_degree"), np.inf)
    angle[np.abs(angle) >= NO_ANGLE_DEGREE] *= np.inf
    limits: Reals = np.radians(angle)[admittances.live]
    return limits
