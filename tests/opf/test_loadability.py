"""The loadability limit: the largest factor on all loads that can still be served."""

from __future__ import annotations

import numpy as np
import pandapower
import pandapower.networks
import pytest
from opf_studies import change, optimum, prepared, ratings_of
from pandapower.pypower import idx_bus as bi
from pandapower.pypower.makePTDF import makePTDF
from scipy.optimize import linprog

from gat_batch.errors import SolverError
from gat_batch.grids.bundled import read_bundled
from gat_batch.opf.loadability.limit import DECIMALS, loadability_limit


def scaled(net, factor):
    """Changes that multiply all loads."""
    return [change("load", name, net.load[name].to_numpy() * factor) for name in ("p_mw", "q_mvar")]


def by_ptdf(net):
    """The limit of a DC optimal power flow: generation and a factor, by scipy's HiGHS."""
    pandapower.rundcpp(net)
    internal, base = net["_ppc"]["internal"], net["_ppc"]["baseMVA"]
    bus, rows = internal["bus"], net["_pd2ppc_lookups"]["bus"]
    ptdf = makePTDF(base, bus, internal["branch"], int(internal["ref"][0]))
    load = np.zeros(len(bus))
    np.add.at(load, rows[net.load["bus"]], net.load["p_mw"] * net.load["scaling"])
    other = bus[:, bi.PD] + bus[:, bi.GS] + internal["Pbusinj"].real * base - load
    units = [
        (rows[unit.bus], unit.min_p_mw, unit.max_p_mw)
        for unit in [*net.ext_grid.itertuples(), *net.gen.itertuples()]
    ]
    at = np.array([row for row, _, _ in units])
    rating = ratings_of(net)[internal["branch_is"]]
    limited = np.flatnonzero(np.isfinite(rating))
    flow = np.column_stack([ptdf[:, at], -ptdf @ load])[limited]
    offset = (-ptdf @ other + internal["Pfinj"].real * base)[limited]
    found = linprog(
        np.append(np.zeros(len(units)), -1.0),
        A_ub=np.vstack([flow, -flow]),
        b_ub=np.concatenate([rating[limited] - offset, rating[limited] + offset]),
        A_eq=np.append(np.ones(len(units)), -load.sum())[None],
        b_eq=[other.sum()],
        bounds=[*((low, high) for _, low, high in units), (0, None)],
    )
    assert found.status == 0, found.message
    return found.x[-1]


@pytest.mark.parametrize("name", ["case14", "case30", "case39"])
def test_of_dc_it_is_that_of_another_formulation(name):
    net = read_bundled(name)
    assert loadability_limit(net, "dc_opf") == pytest.approx(by_ptdf(net), abs=2e-6)


@pytest.mark.parametrize("name", ["case9", "case14", "case57"])
def test_of_ac_it_is_where_optimal_power_flows_cease_to_have_a_solution(name):
    limit = loadability_limit(read_bundled(name), "ac_opf")
    model = prepared(name)
    for factor, solved in (
        *((factor, True) for factor in (0.3, 0.8, 0.98)),
        *((factor, False) for factor in (1.02, 1.5)),
    ):
        found = optimum(model, "ac_opf", *scaled(model.net, factor * limit))
        assert (found.status == "ok") == solved, factor
    for off, solved in ((-2e-4, True), (2e-4, False)):
        found = optimum(model, "ac_opf", *scaled(model.net, limit + off))
        assert (found.status == "ok") == solved, off


@pytest.mark.parametrize("name", ["case14", "case30"])
def test_pandapower_has_an_optimum_just_below_it_and_none_above(name):
    limit = loadability_limit(read_bundled(name), "ac_opf")
    for factor, solved in ((0.995, True), (1.005, False)):
        net = read_bundled(name)
        net.load[["p_mw", "q_mvar"]] *= factor * limit
        if solved:
            pandapower.runopp(net)
            assert net["OPF_converged"]
        else:
            with pytest.raises(pandapower.OPFNotConverged):
                pandapower.runopp(net)


def test_scalings_count_and_what_is_no_load_stays():
    net = read_bundled("case14")
    given = loadability_limit(net, "ac_opf")
    net.load["p_mw"] /= 2
    net.load["q_mvar"] /= 2
    net.load["scaling"] = 2.0
    assert loadability_limit(net, "ac_opf") == pytest.approx(given, abs=2e-6)
    pandapower.create_sgen(net, 8, 20.0, 5.0)
    assert loadability_limit(net, "ac_opf") > given + 0.01


def test_dc_lines_keep_their_losses():
    net = pandapower.networks.case9()
    limits = {"min_q_from_mvar": 0, "max_q_from_mvar": 0, "min_q_to_mvar": 0, "max_q_to_mvar": 0}
    pandapower.create_dcline(net, 0, 8, 20, 10, 1, 1.0, 1.0, max_p_mw=50, **limits)
    given = loadability_limit(pandapower.networks.case9(), "dc_opf")
    pandapower.rundcpp(net)
    most = loadability_limit(net, "dc_opf")
    # All that is generated is served, or lost on the DC line: 1 MW, and a tenth of what it carries.
    generated = net.gen["max_p_mw"].sum() + net.ext_grid["max_p_mw"].sum()
    assert most * net.load["p_mw"].sum() <= generated - 1 + 1e-6
    assert most != given


def test_a_limit_is_rounded_down():
    limit = loadability_limit(read_bundled("case9"), "dc_opf")
    assert limit == round(limit, DECIMALS)
    assert 0 <= 22 / 9 - limit < 1e-6


def without_loads(net):
    net.load = net.load.iloc[:0]


def with_choosable_loads(net):
    net.load["controllable"] = True


def without_limits(net):
    net.gen["max_p_mw"] = np.inf
    net.line["max_i_ka"] = 1e6


@pytest.mark.parametrize(
    ("broken", "study", "told"),
    [
        (without_loads, "ac_opf", "no loads"),
        (with_choosable_loads, "ac_opf", "are chosen"),
        (without_limits, "dc_opf", "nothing limits"),
    ],
)
def test_grids_without_a_limit_are_refused(broken, study, told):
    net = read_bundled("case9")
    broken(net)
    with pytest.raises(SolverError, match=told):
        loadability_limit(net, study)


def test_a_grid_that_has_no_dispatch_whatever_its_loads_says_so():
    net = read_bundled("case9")
    net.gen["min_p_mw"] = 500.0
    net.gen["max_p_mw"] = 600.0
    net.line["max_i_ka"] = 0.01
    for study, told in (("dc_opf", "no dispatch"), ("ac_opf", "was found")):
        with pytest.raises(SolverError, match=told):
            loadability_limit(net, study)
