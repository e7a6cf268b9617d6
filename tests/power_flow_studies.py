"""Grids and states for tests of power flows, and the same solved by plain pandapower."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandapower
import pandapower.networks
from numpy.testing import assert_allclose

from gat_batch.model.quantities import COLUMNS, REACTIVE
from gat_batch.model.state import State
from gat_batch.study.scenario import Outage

AS_GIVEN = State(None, ())


TOLERANCE = {"mw": 1e-6, "mvar": 1e-6, "pu": 1e-8, "degree": 1e-6, "ka": 1e-8, "percent": 1e-6}


@dataclass(frozen=True)
class Study:
    """What a state is made of."""

    outages: tuple[Outage, ...] = ()
    load_scale: float = 1.0
    gen_scale: float = 1.0


def grid(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(pandapower.networks, name)()


def plain_solution(net, study, solver, **options):
    """The same by hand, on a copy of the network."""
    net = deepcopy(net)
    for column in ("p_mw", "q_mvar"):
        net.load[column] *= study.load_scale
        net.sgen[column] *= study.gen_scale
    net.gen["p_mw"] *= study.gen_scale
    for outage in study.outages:
        net[outage.type].loc[outage.id, "in_service"] = False
    run = pandapower.runpp if solver == "ac" else pandapower.rundcpp
    run(net, **options)
    return net


def assert_same(solution, net, solver):
    for element, columns in COLUMNS.items():
        for quantity, column in columns.items():
            if solver == "dc" and quantity in REACTIVE:
                assert quantity not in solution.elements.get(element, {})
                continue
            if not len(net[element]):
                assert element not in solution.elements
                continue
            ours = solution.elements[element][quantity]
            plain = net[f"res_{element}"][column].to_numpy(float)
            tolerance = TOLERANCE[quantity.rsplit("_", 1)[-1]]
            # Grids with nominal voltages of 1 kV have currents of many kA.
            rtol = 1e-8 if quantity == "i_ka" else 0
            text = f"{element} {quantity}"
            assert_allclose(ours, plain, rtol=rtol, atol=tolerance, err_msg=text)


def random_study(net, seed):
    """A few outages that leave the grid in one piece, and scaled injections."""
    rng = np.random.default_rng(seed)
    outages = []
    kept = deepcopy(net)
    before = pandapower.topology.unsupplied_buses(kept)
    candidates = [("line", 4), ("trafo", 2), ("gen", 1), ("load", 3), ("sgen", 1)]
    for kind, count in candidates:
        live = kept[kind].index[kept[kind]["in_service"].astype(bool)].to_numpy()
        for index in rng.permutation(live)[:count]:
            kept[kind].loc[index, "in_service"] = False
            if pandapower.topology.unsupplied_buses(kept) == before:
                outages.append(Outage(kind, int(index)))
            else:
                kept[kind].loc[index, "in_service"] = True
    load, gen = rng.uniform(0.85, 1.05, 2)
    return Study(tuple(outages), float(load), float(gen))
