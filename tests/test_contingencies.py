"""Contingencies equal pandapower with the elements switched off, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import networkx as nx
import numpy as np
import pandapower.topology
import pandas as pd
import pytest
from test_solvers import AS_GIVEN, assert_same, grid, plain_solution

from gat_batch.contingencies import contingencies_of, contingent_states
from gat_batch.elements import ElementIndex
from gat_batch.manifest import Contingencies, Outage
from gat_batch.model import prepare
from gat_batch.results import read_result
from gat_batch.solvers import solve
from gat_batch.violations import Limits, violations, voltage_bands

ALL = ("line", "trafo", "trafo3w", "gen", "sgen", "load", "bus")


@dataclass(frozen=True)
class Study:
    """A state of outages only."""

    outages: tuple[Outage, ...]
    load_scale: float = 1.0
    gen_scale: float = 1.0


def cases(model, asked, sample=None):
    index = ElementIndex(model.net)
    found = list(contingent_states(index, AS_GIVEN, contingencies_of(index, asked)))
    if sample is None:
        return found
    chosen = np.random.default_rng(5).choice(len(found), sample, replace=False)
    return [found[n] for n in chosen]


def outages(name):
    parts = (part.split(":") for part in name.split("+"))
    return tuple(Outage(element, int(number)) for element, number in parts)


def assert_equal_to_pandapower(name, types, solver, depth=1, sample=None):
    model = prepare(grid(name))
    net = grid(name)
    engines = set()
    for n, (contingency, state) in enumerate(cases(model, Contingencies(depth, types), sample)):
        solution = solve(model, state, solver, {})
        plain = solve(model, state, solver, {}, engine="pandapower")
        assert solution.status == plain.status, contingency
        engines.add(solution.engine)
        if solution.status == "not_converged" or not solution.elements:
            continue
        assert solution.system["unserved_mw"] == pytest.approx(plain.system["unserved_mw"])
        # plain is our reading of pandapower; every tenth is held against pandapower itself.
        if n % 10 == 0 or name == "case14":
            # What is left to pandapower is as exact as pandapower is.
            fast = solver == "ac" and solution.engine != "pandapower"
            tight = {"tolerance_mva": 1e-10} if fast else {}
            study = Study(outages(contingency))
            assert_same(solution, plain_solution(net, study, solver, **tight), solver)
    return engines


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("name", ["case14", "case118"])
def test_every_single_outage_is_solved_as_by_pandapower(name, solver):
    engines = assert_equal_to_pandapower(name, ALL, solver)
    assert engines == {"pandapower", {"dc": "scipy", "ac": "lightsim2grid"}[solver]}


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("name", ["case300", "case1354pegase", "example_multivoltage"])
def test_outages_of_larger_grids_are_solved_as_by_pandapower(name, solver):
    sample = None if name == "example_multivoltage" else 60
    assert_equal_to_pandapower(name, ("line", "trafo", "trafo3w", "gen"), solver, sample=sample)


def test_pairs_are_solved_as_by_pandapower():
    assert_equal_to_pandapower("case118", ("line", "trafo"), "dc", depth=2, sample=80)
    model = prepare(grid("case118"))
    assert len(cases(model, Contingencies(2))) == 186 * 185 // 2


@pytest.mark.parametrize("name", ["mv_oberrhein", "create_cigre_network_mv"])
def test_radial_feeders_lose_what_lies_behind_the_outage(name):
    net = grid(name)
    model = prepare(grid(name))
    supplied = set(net.bus.index) - pandapower.topology.unsupplied_buses(net)
    sources = set(net.ext_grid["bus"])
    some = False
    for contingency, state in cases(model, Contingencies()):
        (outage,) = outages(contingency)
        net[outage.type].loc[outage.id, "in_service"] = False
        graph = pandapower.topology.create_nxgraph(net)
        net[outage.type].loc[outage.id, "in_service"] = True
        reached = set().union(*(nx.node_connected_component(graph, s) for s in sources))
        lost = net.load["bus"].isin(supplied - reached) & net.load["in_service"]
        unserved = float((net.load["p_mw"] * net.load["scaling"])[lost].sum())
        solution = solve(model, state, "dc", {})
        assert solution.system["unserved_mw"] == pytest.approx(unserved, abs=1e-9), contingency
        some |= unserved > 0
    assert some


def test_elements_that_are_out_already_are_no_contingency():
    net = grid("case14")
    net.line.loc[3, "in_service"] = False
    index = ElementIndex(net)
    names = [
        name
        for name, _ in contingent_states(index, AS_GIVEN, contingencies_of(index, Contingencies()))
    ]
    assert "line:3" not in names
    assert len(names) == len(net.line) + len(net.trafo) - 1


def test_sets_fail_together_under_names_in_a_fixed_order(tmp_path):
    table = tmp_path / "sets.csv"
    table.write_text("contingency,type,id\nstorm,trafo,2\nstorm,line,7\nstorm,line,3\nx,gen,1\n")
    found = contingencies_of(ElementIndex(grid("case14")), Contingencies(sets=table))
    assert [contingency.name for contingency in found] == ["line:3+line:7+trafo:2", "gen:1"]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "columns"),
        ("contingency,type,id\n", "no rows"),
        ("name,type,id\na,line,1\n", "columns"),
        ("contingency,type,id\na,cable,1\n", "row 2: 'cable' is none of"),
        ("contingency,type,id\na,line,99\n", "row 2: there is no line"),
        ("contingency,type,id\na,line,1\na,line,1\n", "row 3: line 1 is in the set twice"),
        ("contingency,type,id\na,line\n", "row 2: it doesn't have three"),
    ],
)
def test_faulty_tables_of_sets_are_refused(workspace, text, fragment):
    workspace.write("sets.csv", text)
    scenario = {"id": "a", "grid": "pandapower:case14", "contingencies": "sets.csv"}
    workspace.write("manifest.json", {"scenarios": [scenario]})
    run = workspace.run()
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert any("'a'" in l and "sets.csv" in l and fragment in l for l in run.stderr.splitlines())  # noqa: E741


def test_violations_are_those_of_branches_and_of_each_bus_own_band():
    model = prepare(grid("case118"))
    limits = Limits(90.0, (0.97, 1.03))
    model.net.bus.loc[model.net.bus.index[:60], ["min_vm_pu", "max_vm_pu"]] = np.nan
    solution = solve(model, AS_GIVEN, "ac", {})
    found = violations(solution, limits, voltage_bands(model.net, limits))
    vm = solution.elements["bus"]["vm_pu"]
    expected = [n for n, v in enumerate(vm) if n < 60 and not 0.97 - 1e-9 <= v <= 1.03 + 1e-9]
    assert list(found["bus"]) == expected
    assert expected
    loading = solution.elements["line"]["loading_percent"]
    assert list(found.get("line", [])) == [n for n, v in enumerate(loading) if v > 90]


@pytest.mark.parametrize("rows", ["violations", "all"])
def test_a_batch_with_contingencies_ranks_them(workspace, rows):
    hours = [f"{load},{factor},h{hour}" for hour, factor in enumerate((20, 60)) for load in (0, 3)]
    workspace.write("hours.csv", "\n".join(["load,p_mw,snapshot", *hours]) + "\n")
    scenarios = [
        {"id": "day", "loads": "hours.csv", "solver": "ac"},
        {"id": "dc", "solver": "dc", "contingencies": {"depth": 1, "types": ["gen", "line"]}},
    ]
    content = {"grid": "pandapower:case14", "scenarios": scenarios, "contingencies": "n-1"}
    workspace.write("manifest.json", content)
    workspace.configure(contingency_rows=rows, loading_limit_percent=0.05)
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    assert "contingencies.parquet" in run.stderr
    net = grid("case14")
    table = read_result(workspace.result("day")).to_pandas()
    system = table[table["element"] == "system"]
    assert len(system) == 2 * (1 + len(net.line) + len(net.trafo))
    assert list(system["contingency"].iloc[:3]) == [None, "line:0", "line:1"]
    ranking = pd.read_parquet(workspace.batch / "summary" / "contingencies.parquet")
    assert list(ranking["rank"]) == list(range(1, len(ranking) + 1))
    assert set(ranking["scenario"]) == {"day", "dc"}
    assert len(ranking) == 2 * (len(net.line) + len(net.trafo)) + len(net.line) + len(net.gen)
    one = ranking[(ranking["snapshot"] == "h1") & (ranking["contingency"] == "line:2")].iloc[0]
    own = table[(table["snapshot"] == "h1") & (table["contingency"] == "line:2")]
    assert one["loading_violations"] == (own["loading_percent"] > 0.05).sum() > 0
    assert (own["element"] == "load").any() == (rows == "all")
    worst = ranking["unserved_mw"].fillna(0).to_numpy()
    lost = (ranking["status"] == "not_converged").to_numpy()
    assert (np.diff(worst[~lost]) <= 1e-12).all()
    aggregated = pd.read_parquet(workspace.batch / "summary" / "aggregated_results.parquet")
    assert len(aggregated) == sum(
        len(read_result(workspace.result(scenario["id"]))) for scenario in scenarios
    )
    rerun = workspace.run()
    assert "Nothing to be done" in rerun.stdout + rerun.stderr


def test_a_base_case_without_solution_is_told_once(workspace):
    scenario = {"id": "a", "solver": "ac", "load_scale": 50, "contingencies": "n-1"}
    workspace.write("manifest.json", {"grid": "pandapower:case14", "scenarios": [scenario]})
    assert workspace.run().returncode == 0
    table = read_result(workspace.result("a")).to_pandas()
    assert list(table["status"]) == ["not_converged"]


def test_pairs_are_all_pairs_of_single_outages():
    index = ElementIndex(grid("case14"))
    single, pairs = (contingencies_of(index, Contingencies(depth)) for depth in (1, 2))
    names = [contingency.name for contingency in single]
    assert [pair.name for pair in pairs] == ["+".join(pair) for pair in combinations(names, 2)]
