"""Solutions equal those of plain pandapower, on every kind of grid and state."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandapower
import pandapower.networks
import pytest
from numpy.testing import assert_allclose

from gat_batch.elements import ElementIndex
from gat_batch.errors import SolverError
from gat_batch.manifest import Outage
from gat_batch.model import prepare
from gat_batch.solvers import solve
from gat_batch.solvers.options import OPTIONS
from gat_batch.solvers.solution import COLUMNS, REACTIVE
from gat_batch.state import State, scenario_states

GRIDS = [
    "case14",
    "case118",
    "case300",
    "case1354pegase",
    "mv_oberrhein",
    "example_multivoltage",
    "create_cigre_network_mv",
]

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


def our_solution(net, study, solver, **options):
    model = prepare(net)
    (state,) = scenario_states(ElementIndex(net), study, None, None)
    return model, solve(model, state, solver, options)


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


def assert_same(model, solution, net, solver):
    for element, columns in COLUMNS.items():
        for quantity, column in columns.items():
            ours = solution.quantities[quantity][model.spans[element]]
            if solver == "dc" and quantity in REACTIVE:
                assert np.isnan(ours).all()
                continue
            plain = net[f"res_{element}"][column].to_numpy(float)
            tolerance = TOLERANCE[quantity.rsplit("_", 1)[-1]]
            assert_allclose(ours, plain, rtol=0, atol=tolerance, err_msg=f"{element} {quantity}")


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


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("name", GRIDS)
def test_grid_as_given_is_solved_as_by_pandapower(name, solver):
    net = grid(name)
    model, solution = our_solution(net, Study(), solver)
    assert solution.status == "ok"
    assert_same(model, solution, plain_solution(net, Study(), solver), solver)


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", GRIDS)
def test_outages_and_scales_are_solved_as_by_pandapower(name, seed, solver):
    net = grid(name)
    study = random_study(net, seed)
    assert study.outages
    model, solution = our_solution(net, study, solver)
    assert solution.status == "ok"
    assert_same(model, solution, plain_solution(net, study, solver), solver)


@pytest.fixture
def odd_net():
    """Shared buses, disabled elements, gaps in the indices, tap, shift, switch and shunt."""
    net = pandapower.create_empty_network()
    for index, kv in ((3, 110.0), (7, 110.0), (20, 20.0), (21, 20.0), (40, 110.0)):
        pandapower.create_bus(net, kv, index=index, name=f"bus {index}")
    net.bus.loc[40, "in_service"] = False
    pandapower.create_ext_grid(net, 3, vm_pu=1.02)
    pandapower.create_line(net, 3, 7, 30, "243-AL1/39-ST1A 110.0", index=11)
    pandapower.create_line(net, 3, 7, 35, "243-AL1/39-ST1A 110.0", index=5, in_service=False)
    pandapower.create_line(net, 7, 40, 10, "243-AL1/39-ST1A 110.0", index=6)
    pandapower.create_transformer(net, 7, 20, "25 MVA 110/20 kV", index=9, tap_pos=3)
    pandapower.create_switch(net, 20, 21, et="b", closed=True)
    pandapower.create_shunt(net, 20, q_mvar=-1.2, step=2)
    for index, p_mw, live in ((2, 4.0, True), (8, 2.5, True), (9, 50.0, False)):
        pandapower.create_load(net, 21, p_mw, 0.3 * p_mw, index=index, in_service=live, scaling=0.9)
    pandapower.create_sgen(net, 21, 1.5, 0.2, index=4)
    pandapower.create_gen(net, 7, 6.0, vm_pu=1.01, index=13)
    return net


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("outages", [(), (Outage("load", 8),), (Outage("gen", 13),)])
def test_odd_grid_is_solved_as_by_pandapower(odd_net, solver, outages):
    study = Study(outages, load_scale=1.1)
    model, solution = our_solution(odd_net, study, solver)
    assert solution.status == "ok"
    assert_same(model, solution, plain_solution(odd_net, study, solver), solver)


@pytest.mark.parametrize(
    "options",
    [
        {"enforce_q_lims": True},
        {"trafo_model": "pi"},
        {"trafo_loading": "power"},
        {"algorithm": "iwamoto_nr"},
        {"init": "flat", "max_iteration": 25},
        {"calculate_voltage_angles": False},
        {"distributed_slack": True},
        {"tolerance_mva": 1e-3},
    ],
)
def test_options_reach_pandapower(options):
    net = grid("case118")
    model, solution = our_solution(net, Study(), "ac", **options)
    assert_same(model, solution, plain_solution(net, Study(), "ac", **options), "ac")


@pytest.mark.parametrize("solver", OPTIONS)
def test_every_documented_option_is_one_that_pandapower_takes(solver):
    net = grid("case9")
    given = {"bool": False, "int": 20, "float": 1.0}
    for name, option in OPTIONS[solver].items():
        value = option.choices[0] if option.choices else given[option.kind.__name__]
        _, solution = our_solution(net, Study(), solver, **{name: value})
        assert solution.status == "ok", name


def test_numba_changes_nothing():
    net = grid("case118")
    model = prepare(net)
    slow, fast = (solve(model, AS_GIVEN, "ac", {}, many=many) for many in (False, True))
    for quantity, values in slow.quantities.items():
        assert_allclose(values, fast.quantities[quantity], rtol=0, atol=1e-9)


def test_overload_does_not_converge_and_leaves_no_quantities():
    _, solution = our_solution(grid("case118"), Study(load_scale=50.0), "ac")
    assert solution.status == "not_converged"
    assert solution.iterations == 10
    assert not solution.quantities


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_cut_off_load_is_islanded_and_the_rest_is_solved(odd_net, solver):
    study = Study((Outage("trafo", 9),))
    model, solution = our_solution(odd_net, study, solver)
    assert solution.status == "islanded"
    assert solution.system["unserved_mw"] == pytest.approx((4.0 + 2.5) * 0.9)
    assert_same(model, solution, plain_solution(odd_net, study, solver), solver)


def test_load_at_a_bus_that_is_out_counts_as_unserved(odd_net):
    _, solution = our_solution(odd_net, Study((Outage("bus", 21), Outage("load", 2))), "ac")
    assert solution.system["unserved_mw"] == pytest.approx(2.5 * 0.9)


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_without_the_slack_everything_is_unserved(odd_net, solver):
    _, solution = our_solution(odd_net, Study((Outage("bus", 3),)), solver)
    assert solution.status == "islanded"
    assert not solution.quantities
    assert solution.system == {"unserved_mw": pytest.approx((4.0 + 2.5) * 0.9)}


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_system_figures_balance(solver):
    net = grid("case118")
    model, solution = our_solution(net, Study(load_scale=0.9), solver)
    system, plain = solution.system, plain_solution(net, Study(load_scale=0.9), solver)
    shunt_mw = plain.res_shunt["p_mw"].sum()
    supplied = system["load_mw"] + system["loss_mw"] + shunt_mw
    assert system["generation_mw"] == pytest.approx(supplied, abs=1e-6)
    assert system["load_mw"] == pytest.approx(0.9 * net.load["p_mw"].sum(), abs=1e-9)
    loading = plain.res_line["loading_percent"]
    if loading.max() > plain.res_trafo["loading_percent"].max():
        assert system["max_loading_element"] == f"line:{loading.idxmax()}"
        assert system["max_loading_percent"] == pytest.approx(loading.max())
    if solver == "ac":
        assert system["min_vm_bus"] == plain.res_bus["vm_pu"].idxmin()
        assert system["max_vm_pu"] == pytest.approx(plain.res_bus["vm_pu"].max())
    assert model.row_name(0) == "bus:0"


def test_data_that_pandapower_rejects_are_named_and_the_grid_is_restored():
    net = grid("case9")
    net.line["x_ohm_per_km"] = net.line["x_ohm_per_km"].astype(object)
    net.line.loc[0, "x_ohm_per_km"] = "long"
    before = net.load["p_mw"].copy()
    with pytest.raises(SolverError, match="pandapower can't solve this grid"):
        our_solution(net, Study(load_scale=2.0), "ac")
    assert net.load["p_mw"].equals(before)
