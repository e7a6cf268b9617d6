"""What results tell of elements: quantities, under pandapower's names and in its units."""

from __future__ import annotations

QUANTITIES = (
    "vm_pu",
    "va_degree",
    "p_mw",
    "q_mvar",
    "p_from_mw",
    "q_from_mvar",
    "p_to_mw",
    "q_to_mvar",
    "pl_mw",
    "i_ka",
    "loading_percent",
    "tap_pos",
    "lam_p",
    "lam_q",
    "mu_p",
    "mu_q",
    "mu_vm",
    "mu_flow",
    "mu_angle",
    "e_mwh",
)
"""Quantities of elements, under pandapower's names and in its units."""

_NODE = {name: name for name in ("vm_pu", "va_degree", "p_mw", "q_mvar")}


_POWER = {name: name for name in ("p_mw", "q_mvar")}


_AT_VOLTAGE = {name: name for name in ("vm_pu", "p_mw", "q_mvar")}


_COMPENSATOR = {name: name for name in ("vm_pu", "va_degree", "q_mvar")}


_THROUGH = {name: name for name in ("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar", "pl_mw")}


def _branch(first: str, second: str, current: str) -> dict[str, str]:
    return {
        "p_from_mw": f"p_{first}_mw",
        "q_from_mvar": f"q_{first}_mvar",
        "p_to_mw": f"p_{second}_mw",
        "q_to_mvar": f"q_{second}_mvar",
        "pl_mw": "pl_mw",
        "i_ka": current,
        "loading_percent": "loading_percent",
    }


COLUMNS: dict[str, dict[str, str]] = {
    "bus": _NODE,
    "line": _branch("from", "to", "i_ka"),
    "trafo": _branch("hv", "lv", "i_hv_ka"),
    "trafo3w": _branch("hv", "mv", "i_hv_ka"),
    "gen": _NODE,
    "sgen": _POWER,
    "ext_grid": _POWER,
    "load": _POWER,
    "storage": _POWER,
    "shunt": _AT_VOLTAGE,
    "ward": _AT_VOLTAGE,
    "xward": _AT_VOLTAGE,
    "motor": _POWER,
    "asymmetric_load": _POWER,
    "asymmetric_sgen": _POWER,
    "dcline": _THROUGH,
    "impedance": {**_THROUGH, "i_ka": "i_from_ka"},
    "tcsc": {**_THROUGH, "i_ka": "i_ka"},
    "svc": _COMPENSATOR,
    "ssc": _COMPENSATOR,
    "vsc": _NODE,
    "bus_dc": {"vm_pu": "vm_pu", "p_mw": "p_mw"},
    "line_dc": {
        name: name for name in ("p_from_mw", "p_to_mw", "pl_mw", "i_ka", "loading_percent")
    },
    "load_dc": {"p_mw": "p_dc_mw"},
    "source_dc": {"p_mw": "p_dc_mw"},
}
"""Element -> quantity -> column of pandapower's result table.

The current of a line is the larger one of its ends, that of a transformer the one on its
high-voltage side, that of an impedance the one at its first end; ``loading_percent`` is the worst
side's. A three-winding transformer's third
power is ``pl_mw - p_from_mw - p_to_mw``.
"""


REACTIVE = ("vm_pu", "q_mvar", "q_from_mvar", "q_to_mvar")
"""Quantities that a DC power flow assumes or leaves alone; its results don't have them."""
