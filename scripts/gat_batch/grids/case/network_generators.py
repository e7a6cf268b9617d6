"""Generators of a case -> generators, static generators and external grids, with their costs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pandapower as pp

from ..slack import REFERENCE
from .case import UNLIMITED, Case

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet


def add_generators(net: pandapowerNet, case: Case) -> None:
    """Add the generators of a case to a network that has its buses."""
    bus = case.bus.set_index("id")
    slack = set(bus.index[bus["type"] == "Slack"])
    gen = case.gen.assign(external=_external(case, slack))
    gen["vm"] = gen["vm"].fillna(bus["vm"][gen["bus"]].set_axis(gen.index))
    for name in ("pmin", "pmax", "qmin", "qmax"):
        gen[name] = gen[name].where(gen[name].abs() < UNLIMITED)
    lone = slack.difference(gen["bus"][gen["external"] & gen["status"]])
    if lone:
        angle = bus["va_degree"].where(bus.index.isin(lone))
        net.bus[REFERENCE] = angle.reindex(net.bus.index).to_numpy()
    for index, grid in gen[gen["external"]].iterrows():
        pp.create_ext_grid(
            net,
            int(grid["bus"]),
            vm_pu=float(grid["vm"]),
            va_degree=float(bus["va_degree"][grid["bus"]]),
            name=grid["name"],
            index=index,
            in_service=bool(grid["status"]),
            min_p_mw=grid["pmin"],
            max_p_mw=grid["pmax"],
            min_q_mvar=grid["qmin"],
            max_q_mvar=grid["qmax"],
        )
    held = bus["type"][gen["bus"]].to_numpy() != "PQ"
    static = gen[~gen["external"] & gen["status"] & ~held]
    own = gen[~gen["external"]].drop(static.index)
    if len(static):
        # Without limits of its own a static generator could only be curtailed.
        limit = static[["pmin", "pmax", "qmin", "qmax"]].fillna(
            {"pmin": -UNLIMITED, "pmax": UNLIMITED, "qmin": -UNLIMITED, "qmax": UNLIMITED}
        )
        pp.create_sgens(
            net,
            static["bus"].to_numpy(),
            p_mw=static["p_mw"].to_numpy(),
            q_mvar=static["q_mvar"].to_numpy(),
            sn_mva=static["mbase"].to_numpy(),
            name=static["name"].tolist(),
            index=static.index.to_numpy(),
            controllable=True,
            min_p_mw=limit["pmin"].to_numpy(),
            max_p_mw=limit["pmax"].to_numpy(),
            min_q_mvar=limit["qmin"].to_numpy(),
            max_q_mvar=limit["qmax"].to_numpy(),
        )
    if len(own):
        pp.create_gens(
            net,
            own["bus"].to_numpy(),
            p_mw=own["p_mw"].to_numpy(),
            vm_pu=own["vm"].to_numpy(),
            sn_mva=own["mbase"].to_numpy(),
            name=own["name"].tolist(),
            index=own.index.to_numpy(),
            in_service=own["status"].to_numpy(bool),
            min_p_mw=own["pmin"].to_numpy(),
            max_p_mw=own["pmax"].to_numpy(),
            min_q_mvar=own["qmin"].to_numpy(),
            max_q_mvar=own["qmax"].to_numpy(),
        )
    for element, table in (("ext_grid", gen[gen["external"]]), ("gen", own), ("sgen", static)):
        _add_costs(net, element, table["cost"].dropna())


def _external(case: Case, slack: set[int]) -> NDArray[np.bool_]:
    """Return whether each generator becomes an external grid.

    Those marked external do, and the first one in service at each slack bus without one.
    """
    marked = set(case.gen["bus"][case.gen["external"].astype(bool)])
    taken: set[int] = set()
    result = []
    for bus, status, external in zip(
        case.gen["bus"], case.gen["status"], case.gen["external"], strict=True
    ):
        first = bus in slack and bus not in marked | taken and bool(status)
        if first:
            taken.add(int(bus))
        result.append(bool(external) or first)
    return np.array(result, bool)


def _add_costs(net: pandapowerNet, element: str, costs: pd.Series) -> None:
    polynomial = {index: cost.coefficients for index, cost in costs.items() if cost.coefficients}
    if polynomial:
        c0, c1, c2 = np.array([(*c, 0.0, 0.0, 0.0)[:3] for c in polynomial.values()]).T
        pp.create_poly_costs(
            net,
            list(polynomial),
            element,
            cp1_eur_per_mw=c1,
            cp0_eur=c0,
            cp2_eur_per_mw2=c2,
        )
    for index, cost in costs.items():
        slopes = [
            [p1, p2, (c2 - c1) / (p2 - p1)]
            for (p1, c1), (p2, c2) in itertools.pairwise(cost.points)
            if p2 > p1
        ]
        if slopes:
            pp.create_pwl_cost(net, index, element, slopes)
