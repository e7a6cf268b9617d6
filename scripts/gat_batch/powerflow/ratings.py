"""What branches may carry, by pandapower's formulas (compare ``pandapower.results_branch``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..model.admittance_model import AdmittanceModel

    Reals = NDArray[np.float64]

SQRT3 = np.sqrt(3.0)

WINDINGS = (("hv", 0), ("mv", 1), ("lv", 1))
"""Windings of a three-winding transformer, and the end of their branch that is outside: the three
lie one after the other, the high-voltage one turned the other way."""


def ratings(net: pandapowerNet, admittances: AdmittanceModel, trafo_loading: str) -> Reals:
    """Return the loading that a current means at either end of each branch.

    Args:
        net: the network.
        admittances: its equations.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.

    Returns:
        Percent per kA, or for transformers by ``power`` percent per MVA; 0 at ends that don't
        count, infinite where nothing may flow; shape (branches, 2). Kept, as no state changes it.
    """
    key = ("percent", trafo_loading)
    if key not in admittances.shared:
        admittances.shared[key] = _percent(net, admittances, trafo_loading)
    kept: Reals = admittances.shared[key]
    return kept


def _percent(net: pandapowerNet, admittances: AdmittanceModel, trafo_loading: str) -> Reals:
    percent = np.zeros((len(admittances.ends), 2))
    line, trafo, trafo3w = (net[name] for name in ("line", "trafo", "trafo3w"))
    if len(line):
        limit = [line[name].to_numpy(float) for name in ("max_i_ka", "df", "parallel")]
        with np.errstate(divide="ignore"):
            percent[slice(*admittances.span["line"])] = (100.0 / np.prod(limit, axis=0))[:, None]
    if len(trafo):
        rated = trafo["sn_mva"].to_numpy(float)[:, None]
        units = (trafo["parallel"].to_numpy(float) * trafo["df"].to_numpy(float))[:, None]
        kv = trafo[["vn_hv_kv", "vn_lv_kv"]].to_numpy(float) * SQRT3
        per_unit = kv if trafo_loading == "current" else 1.0
        percent[slice(*admittances.span["trafo"])] = 100.0 * per_unit / rated / units
    if len(trafo3w):
        first, count = admittances.span["trafo3w"][0], len(trafo3w)
        for n, (side, end) in enumerate(WINDINGS):
            kv = trafo3w[f"vn_{side}_kv"].to_numpy(float) * SQRT3
            per_unit = kv if trafo_loading == "current" else 1.0
            own = slice(first + n * count, first + (n + 1) * count)
            percent[own, end] = 100.0 * per_unit / trafo3w[f"sn_{side}_mva"].to_numpy(float)
    return percent


def by_power(admittances: AdmittanceModel, trafo_loading: str) -> NDArray[np.bool_]:
    """Return branches whose loading refers to power and not to current, shape (branches,)."""
    found = np.zeros(len(admittances.ends), bool)
    if trafo_loading == "power":
        for element in ("trafo", "trafo3w"):
            found[slice(*admittances.span.get(element, (0, 0)))] = True
    return found
