"""What any grid must have, whatever it was read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import GridError
from .slack import has_slack, references

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

REQUIRED = {
    "bus": ("vn_kv",),
    "line": ("length_km", "r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km"),
    "trafo": ("sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent", "vkr_percent"),
    "load": ("p_mw", "q_mvar", "scaling"),
    "sgen": ("p_mw", "q_mvar", "scaling"),
    "gen": ("p_mw", "vm_pu", "scaling"),
    "ext_grid": ("vm_pu", "va_degree"),
    "shunt": ("p_mw", "q_mvar"),
}
"""Columns that a power flow can't do without."""

BUS_COLUMNS = {
    "line": ("from_bus", "to_bus"),
    "trafo": ("hv_bus", "lv_bus"),
    "trafo3w": ("hv_bus", "mv_bus", "lv_bus"),
    **dict.fromkeys(("load", "sgen", "gen", "ext_grid", "shunt"), ("bus",)),
}
"""Columns that name buses."""


def check_network(net: pandapowerNet, source: str) -> None:
    """Check that a network has all that a power flow reads.

    Args:
        net: the network.
        source: where it was read from, for the messages.

    Raises:
        GridError: if it has no buses, an index is given twice, a parameter is missing or no finite
            number, or an element is at a bus that doesn't exist.
    """
    if not len(net.bus):
        raise GridError("has no buses", file=source)
    for element in REQUIRED | BUS_COLUMNS:
        table = net[element]
        if not table.index.is_unique:
            raise GridError(f"gives an index to two {element}s", file=source, field=element)
        for column in BUS_COLUMNS.get(element, ()):
            known = table[column].isin(net.bus.index).to_numpy(bool)
            _demand(known, net, (element, column, "is no bus of the grid"), source)
        for column in REQUIRED.get(element, ()):
            numbers = _numbers(net, element, column, source)
            _demand(np.isfinite(numbers), net, (element, column, "is not a finite number"), source)


def check_study(net: pandapowerNet, source: str, solver: str) -> None:
    """Check that a network has what a kind of study needs.

    Args:
        net: the network.
        source: where it was read from, for the messages.
        solver: ``dc``, ``ac``, ``dc_opf`` or ``ac_opf``.

    Raises:
        GridError: if there is no bus to count angles from, or for DC if a transformer has no
            reactance.
    """
    optimal = solver.endswith("_opf")
    if not (has_slack(net) or (optimal and references(net))):
        if optimal:
            hint = "an optimal power flow needs a generator in service"
            raise GridError("has nothing that feeds it", file=source, hint=hint)
        hint = (
            "a power flow needs an external grid, or a generator marked as slack, in service;"
            " optimal power flows do without"
        )
        raise GridError("has no slack", file=source, hint=hint)
    if solver.startswith("dc"):
        reactance = net.trafo["vk_percent"].abs() - net.trafo["vkr_percent"].abs()
        none = net.trafo.index[net.trafo["in_service"].astype(bool) & (reactance == 0)]
        if len(none):
            what = f"trafo {none[0]} has no reactance, by which DC divides"
            hint = "solve it by AC, or give it a small reactance"
            raise GridError(what, file=source, hint=hint)


def _numbers(net: pandapowerNet, element: str, column: str, source: str) -> np.ndarray:
    try:
        return np.asarray(net[element][column], dtype=np.float64)
    except KeyError:
        raise GridError("the column is missing", file=source, field=f"{element}.{column}") from None
    except (TypeError, ValueError):
        what = "holds something else than numbers"
        raise GridError(what, file=source, field=f"{element}.{column}") from None


def _demand(good: np.ndarray, net: pandapowerNet, place: tuple[str, str, str], source: str) -> None:
    element, column, what = place
    if not good.all():
        first = int(np.argmin(good))
        index, value = net[element].index[first], net[element][column].iloc[first]
        raise GridError(f"{element} {index}: {column} = {value} {what}", file=source, field=element)
