"""Contingencies from the manifest to the summary."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from power_flow_studies import AS_GIVEN, grid

from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.contingency import is_possible, service_of
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.violations import Limits, violations, voltage_bands
from gat_batch.results.kept import KeptRows
from gat_batch.results.reader import read_result
from gat_batch.solvers.study import solve
from gat_batch.study.scenario import Contingencies
from gat_batch.summary import overloads
from gat_batch.summary.contingency_ranking import ContingencyRanking


def test_elements_that_are_out_already_are_no_contingency():
    net = grid("case14")
    net.line.loc[3, "in_service"] = False
    service = service_of(net, AS_GIVEN)
    found = contingencies_of(ElementIndex(net), Contingencies())
    names = [one.name for one in found if is_possible(one, service)]
    assert "line:3" not in names
    assert len(names) == len(net.line) + len(net.trafo) - 1


def test_filters_leave_what_is_of_a_voltage_or_a_name():
    net = grid("case118")
    index = ElementIndex(net)
    net.line["name"] = [f"{'tie' if n % 5 else 'own'} {n}" for n in range(len(net.line))]

    def names(**asked):
        return [one.name for one in contingencies_of(index, Contingencies(**asked))]

    high = net.bus.index[net.bus["vn_kv"] > 200]
    types = ("line", "trafo", "load", "bus")
    assert names(types=types, vn_kv=(200, 400)) == [
        *(f"line:{n}" for n in net.line.index[net.line["from_bus"].isin(high)]),
        *(f"trafo:{n}" for n in net.trafo.index[net.trafo["hv_bus"].isin(high)]),
        *(f"load:{n}" for n in net.load.index[net.load["bus"].isin(high)]),
        *(f"bus:{n}" for n in high),
    ]
    assert 0 < len(high) < len(net.bus)
    own = [f"line:{n}" for n in range(0, len(net.line), 5)]
    assert names(types=types, names="own *") == own
    assert names(depth=2, names="own 1?") == ["line:10+line:15"]


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_pairs_are_all_pairs_each_once(count):
    net = grid("case118")
    net.load = net.load.iloc[:count]
    pairs = contingencies_of(ElementIndex(net), Contingencies(2, ("load",)))
    expected = ["+".join(pair) for pair in combinations([f"load:{n}" for n in range(count)], 2)]
    assert [pair.name for pair in pairs] == expected
    assert [pair.name for pair in pairs[2:5]] == expected[2:5]


def test_sets_fail_together_under_names_in_a_fixed_order(tmp_path):
    table = tmp_path / "sets.csv"
    table.write_text("contingency,type,id\nstorm,trafo,2\nstorm,line,7\nstorm,line,3\nx,gen,1\n")
    found = contingencies_of(ElementIndex(grid("case14")), Contingencies(sets=table))
    assert [contingency.name for contingency in found] == ["line:3+line:7+trafo:2", "gen:1"]


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "is empty"),
        ("contingency,type,id\n", "has no rows"),
        ("name,type,id\na,line,1\n", "columns"),
        ("contingency,type,id\na,cable,1\n", "row 2: 'cable' is none of"),
        ("contingency,type,id\na,line,99\n", "row 2: there is no line"),
        ("contingency,type,id\na,line,1\na,line,1\n", "row 3: line 1 is in the set twice"),
        ("contingency,type,id\na,line\n", "line 2 has 2 cells"),
        ("contingency;type;id\na;;1\n", "row 2: type is empty"),
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


@pytest.mark.workflow
def test_tables_of_sets_may_be_of_any_form(workspace):
    """CSV with semicolons, Parquet and Excel mean the same contingencies."""
    pytest.importorskip("openpyxl", reason="openpyxl isn't installed")
    rows = [("storm", "line", "3"), ("storm", "line", "7"), ("x", "gen", "1")]
    table = pd.DataFrame(rows, columns=["contingency", "type", "id"])
    table.to_csv(workspace.path / "sets.csv", index=False, sep=";")
    table.to_parquet(workspace.path / "sets.parquet", index=False)
    table.to_excel(workspace.path / "sets.xlsx", index=False)
    scenarios = [
        {"id": form, "grid": "pandapower:case14", "contingencies": f"sets.{form}"}
        for form in ("csv", "parquet", "xlsx")
    ]
    workspace.write("manifest.json", {"scenarios": scenarios})
    workspace.configure()
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    for form in ("csv", "parquet", "xlsx"):
        found = pd.read_parquet(workspace.result(form))["contingency"].dropna().unique()
        assert list(found) == ["line:3+line:7", "gen:1"]


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


@pytest.mark.workflow
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
    assert_overloads_are_counted(workspace, aggregated)
    assert len(aggregated) == sum(
        len(read_result(workspace.result(scenario["id"]))) for scenario in scenarios
    )
    rerun = workspace.run()
    assert "Nothing to be done" in rerun.stdout + rerun.stderr


def assert_overloads_are_counted(workspace, aggregated):
    """The table of overloaded branches, by hand."""
    rows = aggregated[aggregated["contingency"].notna() & (aggregated["loading_percent"] > 0.05)]
    table = pd.read_parquet(workspace.batch / "summary" / "overloads.parquet")
    assert (np.diff(table["overloads"]) <= 0).all()
    assert set(zip(table["element"], table["id"], strict=True)) == set(
        zip(rows["element"], rows["id"], strict=True)
    )
    for row in table.itertuples():
        own = rows[(rows["element"] == row.element) & (rows["id"] == row.id)]
        assert row.overloads == len(own)
        worst = own.loc[own["loading_percent"].idxmax()]
        assert row.max_loading_percent == worst["loading_percent"]
        times = own["contingency"].value_counts()
        named = row.contingencies.split(";")
        assert len(named) == min(5, len(times))
        assert [times[name] for name in named] == sorted(times, reverse=True)[: len(named)]


@pytest.mark.parametrize("most", [1, 50, 10**6])
def test_overloads_are_those_that_pandas_counts(monkeypatch, most):
    monkeypatch.setattr(overloads, "MOST_PAIRS", most)
    rng = np.random.default_rng(most)
    count = 400
    kinds, ids = rng.choice(["line", "trafo"], count), rng.integers(0, 9, count)
    rows = pd.DataFrame(
        {
            "element": kinds,
            "id": ids,
            "name": [
                f"{kind} at {n}" if n % 2 else None for kind, n in zip(kinds, ids, strict=True)
            ],
            "category": rng.choice(["P1", "P6", None], count),
            "contingency": [f"line:{n}" for n in rng.integers(0, 30, count)],
            "scenario": rng.choice(["a", "b"], count),
            "snapshot": rng.choice(["h1", "h2"], count),
            "loading_percent": rng.permutation(count) / 3 + 100,
        }
    )
    found = overloads.Overloads()
    for start in range(0, count, 37):
        found.add(pa.Table.from_pandas(rows[start : start + 37], preserve_index=False))
    table = found.table().to_pandas()
    assert (np.diff(table["overloads"]) <= 0).all()
    groups = rows.fillna({"category": ""}).groupby(["element", "id", "category"])
    assert len(table) == len(groups)
    for row in table.itertuples():
        own = groups.get_group((row.element, row.id, row.category or ""))
        worst = own.loc[own["loading_percent"].idxmax()]
        told = ["name", "scenario", "snapshot", "contingency"]
        assert [getattr(row, name) for name in told] == worst[told].tolist()
        assert (row.overloads, row.max_loading_percent) == (len(own), worst["loading_percent"])
        pairs = own.groupby("contingency")["loading_percent"].agg(["size", "max"])
        often = pairs.sort_values(["size", "max"], ascending=False).index[:5]
        assert row.contingencies == ";".join(often)


def test_a_hair_outside_the_band_is_no_violation_where_everything_is_kept():
    model = prepare(grid("case14"))
    solution = solve(model, AS_GIVEN, "ac", {})
    low = np.full(14, 0.9)
    low[3] = solution.elements["bus"]["vm_pu"][3] + 5e-10
    low[4] = solution.elements["bus"]["vm_pu"][4] + 5e-9
    criteria = {"": Criteria(Limits(), (low, np.full(14, 1.2)))}
    kept = KeptRows("all", "all", criteria)
    ranking = ContingencyRanking(Limits())
    ranking.add(kept.of_contingency(model, ("a", None, "line:1"), solution))
    assert ranking.table()["voltage_violations"].to_pylist() == [1]


@pytest.mark.workflow
def test_a_base_case_without_solution_is_told_once(workspace):
    scenario = {"id": "a", "solver": "ac", "load_scale": 50, "contingencies": "n-1"}
    workspace.write("manifest.json", {"grid": "pandapower:case14", "scenarios": [scenario]})
    assert workspace.run().returncode == 0
    table = read_result(workspace.result("a")).to_pandas()
    assert list(table["status"]) == ["not_converged"]
