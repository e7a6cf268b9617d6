"""Contingencies solved in blocks equal pandapower with the elements switched off, one by one."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandapower
import pandapower.topology
import pyarrow as pa
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain import solved_without
from power_flow_studies import AS_GIVEN, Study, assert_same, every_element, grid

from gat_batch.contingency.screening import ScreenedSolver
from gat_batch.contingency.solver import ContingencySolver
from gat_batch.grids.elements import ElementIndex
from gat_batch.grids.matpower.reader import read_matpower
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import scenario_states
from gat_batch.model.violations import Limits, voltage_bands
from gat_batch.powerflow.admittances import cached_admittances
from gat_batch.powerflow.topology import Topology
from gat_batch.results.contingency_rows import ContingencyRows
from gat_batch.results.kept import KeptRows
from gat_batch.solvers import study as solving
from gat_batch.study.scenario import Contingencies, Outage

ALL = ("line", "trafo", "trafo3w", "gen", "sgen", "load", "bus")
RTS_GMLC = ROOT.parent / "shared" / "grids" / "matpower" / "case_RTS_GMLC.m"
BRANCHES = ("line", "trafo", "trafo3w")
LIMITS = Limits(50.0, (0.98, 1.03))


@dataclass(frozen=True)
class Case:
    """Contingencies of a grid, and what solves them."""

    net: object
    solver: ContingencySolver
    contingencies: list

    @property
    def model(self):
        return self.solver._model

    def solve(self, *, whole=False):
        return self.solver.solve(self.contingencies, whole=whole)


def rows_kept(model, solved, limits, bands):
    criteria = {"": Criteria(limits or Limits(), bands)}
    kept = KeptRows("all", "violations" if limits else "all", criteria)
    return ContingencyRows.of(model, ("x", None), solved, kept).rows(model)


def case(given, solver, types, *, depth=1, sample=None, outages=(), **options):
    """Contingencies of a network, or of a bundled one by its name."""
    net = grid(given) if isinstance(given, str) else deepcopy(given)
    net.bus[["min_vm_pu", "max_vm_pu"]] = np.nan
    model = prepare(net)
    index = ElementIndex(net)
    (state,) = scenario_states(index, Study(outages), None, None)
    found = contingencies_of(index, Contingencies(depth, types))
    chosen = range(len(found))
    if sample is not None:
        chosen = sorted(np.random.default_rng(5).choice(len(found), sample, replace=False))
    study = solving.Study(solver, options)
    picked = [found[int(n)] for n in chosen]
    return Case(deepcopy(net), ContingencySolver(model, state, study, judged(model)), picked)


def judged(model, limits=LIMITS):
    return {"": Criteria.of(model.net, limits)}


def outages_of(name):
    parts = (part.split(":") for part in name.split("+"))
    return tuple(Outage(element, int(number)) for element, number in parts)


def without(case, outages):
    """The case's network, solved by pandapower without some elements; None if it can't be."""
    study = case.solver.study
    pairs = [(outage.type, outage.id) for outage in outages]
    return solved_without(case.net, study.solver, pairs, **study.options)


def by_pandapower(case, name, solution):
    """pandapower's own solution of a contingency, and whether it needed a hint.

    With a bus out of service pandapower takes its transformers for links still, and so doesn't
    notice what is cut off behind them. It is told, as those buses are taken out too.
    """
    outages = outages_of(name)
    plain = without(case, outages)
    if all(outage.type != "bus" for outage in outages) or not solution.elements:
        return plain, False
    lost = np.isnan(solution.elements["bus"]["va_degree"])
    if plain is not None and (plain.res_bus["va_degree"].isna() == lost).all():
        return plain, False
    gone = {int(bus) for bus in case.net.bus.index[lost]}
    behind = {Outage("bus", bus) for bus in gone}
    for number, buses in case.net.trafo3w[["hv_bus", "mv_bus", "lv_bus"]].iterrows():
        if gone.issuperset(buses):
            behind.add(Outage("trafo3w", int(number)))
    return without(case, (*outages, *behind)), True


def assert_equal_to_pandapower(case):
    """Whole solutions are pandapower's; what is kept of them says what those whole ones say."""
    solved = case.solve(whole=True)
    hinted = 0
    for number, solution in solved.single:
        name = solved.names[number]
        if solution.status == "not_converged" or not solution.elements:
            assert without(case, outages_of(name)) is None, name
            continue
        plain, hint = by_pandapower(case, name, solution)
        hinted += hint
        if hint:
            for quantity in ("p_mw", "q_mvar"):
                # Buses that are out have none, buses that are cut off draw nothing.
                shown = solution.elements["bus"].get(quantity)
                if shown is not None:
                    shown[np.isnan(plain.res_bus[quantity])] = np.nan
        assert_same(solution, plain, case.solver.study.solver)
    bands = voltage_bands(case.model.net, LIMITS)
    reduced, kept = (
        rows_kept(case.model, rows, LIMITS, bands).to_pandas() for rows in (case.solve(), solved)
    )
    assert list(reduced["contingency"]) == list(kept["contingency"])
    for column in reduced:
        if reduced[column].dtype == float:
            np.testing.assert_allclose(
                reduced[column], kept[column], rtol=1e-9, atol=2e-7, err_msg=column
            )
        else:
            assert reduced[column].equals(kept[column]), column
    return reduced[reduced["element"] == "system"], hinted


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_every_outage_of_a_small_grid_is_solved_as_by_pandapower(solver):
    system, hinted = assert_equal_to_pandapower(case("case14", solver, ALL))
    # The bus of the slack, of which nothing is left to be solved.
    assert list(system.loc[system["engine"] == "pandapower", "contingency"]) == ["bus:0"]
    assert hinted == 1
    assert set(system["status"]) == {"ok", "islanded"}


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize(
    ("name", "types", "sample"),
    [
        ("case118", BRANCHES, 20),
        ("case300", ("line", "trafo", "gen", "bus"), 20),
        ("create_cigre_network_mv", ("line", "trafo", "load", "bus"), 15),
        ("example_multivoltage", BRANCHES, 3),
    ],
)
def test_outages_are_solved_as_by_pandapower(name, types, sample, solver):
    assert_equal_to_pandapower(case(name, solver, types, sample=sample))


@pytest.mark.skipif(not RTS_GMLC.is_file(), reason="shared/grids isn't beside the checkout")
@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_every_outage_of_a_grid_with_several_generators_at_a_bus(solver):
    types = ("line", "trafo", "gen", "sgen", "load")
    system, _ = assert_equal_to_pandapower(case(read_matpower(RTS_GMLC), solver, types))
    assert set(system["status"]) == {"ok", "islanded"}
    assert len(system) > 200


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_pairs_are_solved_as_by_pandapower(solver):
    pairs = case("case118", solver, ("line", "trafo"), depth=2, sample=20)
    system, _ = assert_equal_to_pandapower(pairs)
    assert set(system["engine"]) == {"scipy"}
    mixed = case("create_cigre_network_mv", solver, ALL, depth=2, sample=20)
    assert_equal_to_pandapower(mixed)


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_options_count_in_contingencies(solver):
    options = {"trafo_loading": "power", "trafo_model": "pi"}
    assert_equal_to_pandapower(case("case14", solver, BRANCHES, **options))


@pytest.fixture
def with_three_windings():
    """A meshed grid with three-winding transformers, which two buses hang on."""
    net = grid("case14")
    for hv_bus in (3, 4):
        buses = [pandapower.create_bus(net, kv) for kv in (20.0, 10.0)]
        pandapower.create_transformer3w_from_parameters(
            net, hv_bus, *buses, float(net.bus.at[hv_bus, "vn_kv"]), 20.0, 10.0,
            sn_hv_mva=60, sn_mv_mva=30, sn_lv_mva=30, vk_hv_percent=10, vk_mv_percent=11,
            vk_lv_percent=12, vkr_hv_percent=0.3, vkr_mv_percent=0.3, vkr_lv_percent=0.4,
            pfe_kw=30, i0_percent=0.1, shift_mv_degree=30,
        )  # fmt: skip
        for bus in buses:
            pandapower.create_load(net, bus, 1.0, 0.2)
    return net


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_three_winding_transformers_fail_as_in_pandapower(with_three_windings, solver):
    net = with_three_windings
    model = prepare(deepcopy(net))
    found = contingencies_of(ElementIndex(net), Contingencies(1, ("trafo3w", "line", "bus")))
    study = solving.Study(solver, {})
    solver = ContingencySolver(model, AS_GIVEN, study, judged(model))
    system, _ = assert_equal_to_pandapower(Case(net, solver, list(found)))
    lost = system.set_index("contingency").loc["trafo3w:0"]
    assert (lost["engine"], lost["status"], lost["unserved_mw"]) == ("scipy", "islanded", 2.0)


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_contingencies_add_to_the_outages_of_the_state(solver):
    outages = (Outage("line", 5), Outage("bus", 9), Outage("gen", 3), Outage("load", 2))
    combined = case("case118", solver, ("line", "trafo", "gen", "bus"), sample=20, outages=outages)
    solved = combined.solve(whole=True)
    assert not {"line:5", "bus:9", "gen:3"} & set(solved.names)
    for number, solution in solved.single:
        if solution.status != "not_converged" and solution.elements:
            name = "+".join(["line:5", "bus:9", "gen:3", "load:2", solved.names[number]])
            plain, _ = by_pandapower(combined, name, solution)
            for element in ("line", "trafo"):
                np.testing.assert_allclose(
                    solution.elements[element]["p_from_mw"],
                    plain[f"res_{element}"][{"line": "p_from_mw", "trafo": "p_hv_mw"}[element]],
                    rtol=0,
                    atol=1e-6,
                )


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_a_bus_that_fails_where_nothing_was_supplied_is_not_cut_off_too(solver):
    net = grid("case118")
    assert list(net.line.index[(net.line[["from_bus", "to_bus"]] == 110).any(axis=1)]) == [163]
    model = prepare(net)
    (state,) = scenario_states(ElementIndex(net), Study((Outage("line", 163),)), None, None)
    one = ContingencySolver(model, state, solving.Study(solver, {}), judged(model))
    found = [
        contingency
        for contingency in contingencies_of(ElementIndex(net), Contingencies(1, ("bus", "load")))
        if contingency.name in ("bus:110", "load:0")
    ]
    bands = voltage_bands(net, LIMITS)
    rows = rows_kept(model, one.solve(found), LIMITS, bands).to_pandas()
    told = rows[rows["element"] == "system"].set_index("contingency")["detail"].to_dict()
    whole = one.solve(found, whole=True)
    assert told == {"bus:110": None, "load:0": "1 bus is cut off"}
    for number, solution in whole.single:
        assert told[whole.names[number]] == (solution.detail or None)


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_outages_among_every_element_are_solved_as_by_pandapower(solver):
    rich = case(every_element(), solver, ("line", "trafo", "gen", "load"))
    system, _ = assert_equal_to_pandapower(rich)
    assert set(system["engine"]) == {"scipy"}
    used = system["load_mw"] + system["loss_mw"]
    if solver == "ac":
        np.testing.assert_allclose(system["generation_mw"], used, rtol=0, atol=1e-6)


@pytest.mark.parametrize("options", [{"enforce_q_lims": True}, {"distributed_slack": True}])
def test_options_that_follow_the_solution_solve_contingencies_one_by_one(options):
    net = grid("case14")
    net.gen["slack_weight"] = 1.0
    system, _ = assert_equal_to_pandapower(case(net, "ac", ("line", "gen"), **options))
    assert set(system.loc[system["status"] == "ok", "engine"]) == {"lightsim2grid"}


def test_what_the_equations_cannot_represent_goes_to_pandapower_one_by_one():
    decoupled = case("case14", "ac", ("line",), algorithm="iwamoto_nr")
    system, _ = assert_equal_to_pandapower(decoupled)
    assert set(system["engine"]) == {"pandapower"}


@pytest.fixture
def feeders(request):
    """A radial grid with generation, of which the bundled one has none or keeps it at zero."""
    net = grid(request.param)
    net.sgen["scaling"] = 0.5
    for bus in net.load["bus"].iloc[[3, -1]]:
        pandapower.create_sgen(net, bus, 0.2)
    pandapower.create_gen(net, net.load["bus"].iloc[-1], 0.3)
    return net


def graph_of(net):
    """Buses, and what links them: lines and transformers with closed switches, closed couplers."""
    graph = nx.MultiGraph()
    graph.add_nodes_from(net.bus.index)
    links = net.switch[net.switch["closed"] & (net.switch["et"] == "b")]
    graph.add_edges_from(links[["bus", "element"]].itertuples(index=False, name=None))
    for branch, ends in (("line", ["from_bus", "to_bus"]), ("trafo", ["hv_bus", "lv_bus"])):
        apart = net.switch.loc[~net.switch["closed"] & (net.switch["et"] == branch[0]), "element"]
        usable = net[branch].loc[~net[branch].index.isin(apart), ends]
        graph.add_edges_from(
            (first, second, (branch, number))
            for number, first, second in usable.itertuples(name=None)
        )
    return graph


def reached(net, graph):
    """Buses that a search from the external grids reaches."""
    sources = set(net.ext_grid["bus"]).intersection(graph)
    return set().union(*(nx.node_connected_component(graph, source) for source in sources))


def searched(net):
    """What a graph search finds for every outage: status, load and generation cut off in MW."""
    whole = graph_of(net)
    edges = {key: (first, second) for first, second, key in whole.edges(keys=True)}
    supplied = reached(net, whole)
    power = {
        (kind, number): (bus, mw * scaling)
        for kind in ("load", "sgen", "gen")
        for number, bus, mw, scaling in net[kind][["bus", "p_mw", "scaling"]].itertuples()
    }
    for element, number in ((kind, n) for kind in ALL for n in net[kind].index):
        graph = whole.copy() if element in ("line", "trafo", "bus") else whole
        if (element, number) in edges:
            graph.remove_edge(*edges[element, number], key=(element, number))
        elif element == "bus":
            graph.remove_node(number)
        lost = set() if graph is whole else supplied - reached(net, graph)
        unserved, generation = (
            sum(mw for one, (bus, mw) in power.items() if bus in lost and one[0] in kinds)
            for kinds in (("load",), ("sgen", "gen"))
        )
        beyond = lost - {number} if element == "bus" else lost
        yield f"{element}:{number}", "islanded" if beyond else "ok", unserved, generation


@pytest.mark.parametrize("feeders", ["mv_oberrhein", "create_cigre_network_mv"], indirect=True)
def test_radial_feeders_lose_what_lies_behind_any_outage(feeders):
    expected = list(searched(feeders))
    for solver in ("dc", "ac"):
        every = case(feeders, solver, ALL)
        bands = voltage_bands(feeders, LIMITS)
        rows = rows_kept(every.model, every.solve(), LIMITS, bands).to_pandas()
        system = rows[rows["element"] == "system"]
        told = system[["contingency", "status", "unserved_mw", "lost_generation_mw"]]
        for row, one in zip(told.itertuples(index=False), expected, strict=True):
            assert tuple(row) == (*one[:2], *(pytest.approx(mw, abs=1e-9) for mw in one[2:]))
    assert all(max(megawatts) > 0.5 for megawatts in list(zip(*expected, strict=True))[2:])


@st.composite
def graphs(draw):
    """A grid of random lines on few buses, parallel ones and islands included, and outages."""
    buses = draw(st.integers(2, 9))
    pairs = st.tuples(st.integers(0, buses - 1), st.integers(0, buses - 1))
    ends = draw(st.lists(pairs.filter(lambda pair: pair[0] != pair[1]), min_size=1, max_size=16))
    lines = st.sets(st.integers(0, len(ends) - 1), max_size=4)
    return buses, ends, draw(lines), draw(st.sets(st.integers(1, buses - 1), max_size=2))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_what_is_cut_off_is_what_a_graph_search_misses(drawn):
    count, ends, lines, buses = drawn
    net = pandapower.create_empty_network()
    pandapower.create_buses(net, count, 110.0)
    pandapower.create_ext_grid(net, 0)
    for first, second in ends:
        pandapower.create_line_from_parameters(net, first, second, 1, 0.1, 1.0, 0, 1)
    model = prepare(net)
    admittances = cached_admittances(model, "dc", {})
    topology = Topology(admittances, net)
    outages = {"line": sorted(lines), "bus": sorted(buses)}
    graph = nx.MultiGraph(ends)
    graph.add_nodes_from(range(count))
    before = nx.node_connected_component(graph, 0)
    graph.remove_edges_from([(*ends[n], key) for n, key in _keys(ends, lines)])
    graph.remove_nodes_from(buses)
    missed = before - nx.node_connected_component(graph, 0)
    rows = admittances.row["bus"]
    assert {bus for bus in before if rows[bus] in topology.cut(outages).dead} == missed


def _keys(ends, lines):
    """The numbers that parallel lines have in a multigraph."""
    seen = {}
    for n, pair in enumerate(ends):
        key = frozenset(pair)
        seen[key] = seen.get(key, -1) + 1
        if n in lines:
            yield n, seen[key]


def test_screening_solves_by_ac_what_dc_finds_severe():
    model = prepare(grid("case118"))
    found = contingencies_of(ElementIndex(model.net), Contingencies())
    limits = Limits(3.0, (0.9, 1.1))
    bands = voltage_bands(model.net, limits)
    criteria = judged(model, limits)
    exact = ContingencySolver(model, AS_GIVEN, solving.Study("ac", {}), criteria)
    screened = ScreenedSolver(model, AS_GIVEN, exact, criteria)
    all_ac, some_ac = (
        rows_kept(model, solver.solve(found), limits, bands).to_pandas()
        for solver in (exact, screened)
    )
    system = some_ac[some_ac["element"] == "system"]
    assert list(system["contingency"]) == [one.name for one in found]
    by_ac = set(system.loc[system["min_vm_pu"].notna(), "contingency"])
    assert 0 < len(by_ac) < len(found) / 2
    ours, theirs = (rows[rows["contingency"].isin(by_ac)] for rows in (some_ac, all_ac))
    assert_close(ours, theirs)
    # Overloads that contingencies make, and how many of them DC doesn't see coming.
    worse = all_ac[all_ac["element"].isin(BRANCHES)]
    base = exact.base.elements
    before = [
        base[element]["loading_percent"][int(id_)]
        for element, id_ in zip(worse["element"], worse["id"], strict=True)
    ]
    worse = set(worse.loc[worse["loading_percent"] > np.add(before, 1.0), "contingency"])
    assert len(worse) >= 5
    assert len(worse - by_ac) <= 1


def assert_close(first, second):
    assert len(first) == len(second)
    for column in first:
        if first[column].dtype == float:
            np.testing.assert_allclose(first[column], second[column], rtol=1e-9, atol=2e-7)
        else:
            assert list(first[column].fillna("")) == list(second[column].fillna("")), column


def test_blocks_of_any_size_give_the_same_rows():
    whole = case("case300", "ac", ("line", "trafo", "gen"), sample=40)
    bands = voltage_bands(whole.model.net, LIMITS)

    def rows(size):
        parts = [whole.contingencies[n : n + size] for n in range(0, 40, size)]
        tables = [rows_kept(whole.model, whole.solver.solve(p), LIMITS, bands) for p in parts]
        return pa.concat_tables(tables).to_pandas()

    assert_close(rows(40), rows(7))


def test_a_solver_that_raises_costs_its_contingency(monkeypatch):
    broken = case("case14", "ac", ("line",), enforce_q_lims=True)
    expected = broken.solve()
    original = solving.solve

    def solve(model, state, *arguments, **keywords):
        if not state.changes[0].values[3]:
            raise ZeroDivisionError("division by zero")
        return original(model, state, *arguments, **keywords)

    monkeypatch.setattr(solving, "solve", solve)
    solved = broken.solve()
    told = {solved.names[n]: (s.status, s.detail) for n, s in solved.single}
    assert told["line:3"] == ("not_converged", "internal: ZeroDivisionError: division by zero")
    for number, solution in expected.single:
        if expected.names[number] != "line:3":
            assert told[expected.names[number]] == (solution.status, solution.detail)


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_an_outage_that_leaves_singular_equations_costs_itself(solver):
    net = pandapower.create_empty_network()
    pandapower.create_buses(net, 3, 110.0)
    pandapower.create_ext_grid(net, 0)
    # A series capacitor beside two lines: with one of them out, nothing links the bus in the end.
    for bus, ohms in ((1, 1.0), (1, -1.0), (1, 1.0), (2, 1.0), (2, 1.0)):
        pandapower.create_line_from_parameters(net, 0, bus, 1, 0.0, ohms, 0, 1)
    for bus in (1, 2):
        pandapower.create_load(net, bus, 1.0, 0.1)
    lines = case(net, solver, ("line",))
    bands = voltage_bands(net, LIMITS)
    rows = rows_kept(lines.model, lines.solve(), LIMITS, bands).to_pandas()
    system = rows[rows["element"] == "system"]
    assert list(system["status"]) == ["not_converged", "ok", "not_converged", "ok", "ok"]
