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


def every_element(*, wards=True):
    """A meshed grid with several generators at a bus, and a few of every other element."""
    net = grid("case30")
    holder, slack = net.gen.iloc[0], net.ext_grid.iloc[0]
    vm_pu = float(holder["vm_pu"])
    pandapower.create_gen(net, holder["bus"], 1.0, vm_pu=vm_pu, min_q_mvar=-4, max_q_mvar=9)
    pandapower.create_gen(net, holder["bus"], 2.0, vm_pu=vm_pu, max_q_mvar=3, scaling=0.5)
    vm_pu = float(slack["vm_pu"])
    pandapower.create_gen(net, slack["bus"], 3.0, vm_pu=vm_pu, min_q_mvar=-4, max_q_mvar=9)
    pandapower.create_ext_grid(net, slack["bus"], vm_pu=vm_pu)
    if wards:
        pandapower.create_xward(net, 5, 1, 1, 1, 1, 0.1, 0.5, 1.0)
        pandapower.create_xward(net, 12, 1, 0.3, 0.2, -1, 0.2, 0.7, 1.01, in_service=False)
    pandapower.create_ward(net, 7, 1, 1, 1, 1, index=4)
    pandapower.create_ward(net, 7, 1, 0.5, 1, 1, in_service=False)
    pandapower.create_dcline(net, 4, 5, 10, 1, 0.1, 1.0, 1.0, index=2)
    pandapower.create_dcline(
        net, 14, 20, -3, 2, 0.05, 1.0, 1.01, min_q_from_mvar=-5, max_q_from_mvar=5
    )
    pandapower.create_dcline(net, 14, 21, 3, 2, 0.05, 1.0, 1.01, in_service=False)
    pandapower.create_storage(net, 8, 1.2, 5, q_mvar=0.1, scaling=0.8)
    pandapower.create_storage(net, 8, -0.5, 5, index=7)
    pandapower.create_motor(net, 10, 1.0, 0.9, efficiency_percent=90, loading_percent=80)
    pandapower.create_shunt(net, 13, 1.0, 0.2, vn_kv=130, step=2)
    pandapower.create_impedance(net, 3, 9, 0.01, 0.1, 100.0)
    pandapower.create_impedance(net, 3, 8, 0.01, 0.1, 100.0, in_service=False)
    return net


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
    graph = pandapower.topology.create_nxgraph(net)
    before = pandapower.topology.unsupplied_buses(net, mg=graph)
    candidates = [("line", 4), ("trafo", 2), ("gen", 1), ("load", 3), ("sgen", 1)]
    for kind, count in candidates:
        live = net[kind].index[net[kind]["in_service"].astype(bool)].to_numpy()
        for index in rng.permutation(live)[:count]:
            edges = [edge for edge in graph.edges(keys=True, data=True) if edge[2] == (kind, index)]
            graph.remove_edges_from(edges)
            if pandapower.topology.unsupplied_buses(net, mg=graph) == before:
                outages.append(Outage(kind, int(index)))
            else:
                graph.add_edges_from(edges)
    load, gen = rng.uniform(0.85, 1.05, 2)
    return Study(tuple(outages), float(load), float(gen))
