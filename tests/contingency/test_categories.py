"""Categories of contingencies: rules, ratings, voltage bands, one loss after another."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandapower
import pandapower.networks
import pandas as pd
import pytest
from conftest import ROOT
from plain import switched_off
from scipy.optimize import linprog

from gat_batch.contingency.adjustment import redispatched
from gat_batch.contingency.solver import ContingencySolver
from gat_batch.grids import grid_ref, read_grid
from gat_batch.grids.bundled import read_bundled
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.contingency import Contingency, after, is_possible, service_of
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import State
from gat_batch.model.violations import Limits
from gat_batch.results.contingency_rows import ContingencyRows
from gat_batch.results.kept import KeptRows
from gat_batch.solvers.study import Study
from gat_batch.study.scenario import Category, Contingencies

RTS = ROOT.parent / "shared" / "grids" / "matpower" / "case_RTS_GMLC.m"
AS_GIVEN = State(None, ())
RATINGS = {"P1": "normal", "P2": "long_term", "P7": "short_term"}
CATEGORIES = (
    Category("P1", rating_percent=100.0, voltage_band_pu=(0.97, 1.04)),
    Category("P2", "long_term"),
    Category("P7", "short_term", rating_percent=90.0, voltage_band_pu=(0.9, 1.1)),
)


def rts():
    if not RTS.is_file():
        pytest.skip("the shared grids aren't here")
    return read_grid(grid_ref(str(RTS), Path()))


def asked(**given):
    return Contingencies(categories=CATEGORIES, **given)


def solved_rows(net, found, solver, *, loading=100.0):
    """Rows of violations of some contingencies, and the criteria of each category."""
    model = prepare(deepcopy(net))
    common = Criteria.of(model.net, Limits(loading, (0.95, 1.05)))
    criteria = {"": common} | {
        one.name: common.for_category(ElementIndex(model.net), one) for one in CATEGORIES
    }
    solver = ContingencySolver(model, AS_GIVEN, Study(solver, {}), criteria)
    kept = KeptRows("all", "violations", criteria)
    tables = [
        ContingencyRows.of(model, ("x", None), solver.solve(found[n : n + 64]), kept).rows(model)
        for n in range(0, len(found), 64)
    ]
    return pd.concat([table.to_pandas() for table in tables])


# ---- Rules -----------------------------------------------------------------------------------


def count_by_hand(net):
    """How many contingencies each rule makes, from the tables alone."""
    part = set()
    if "part_of" in net.shunt:
        part = set(net.shunt.index[net.shunt["part_of"].notna() & (net.shunt["part_of"] != "")])
    generators = len(net.gen) + len(net.sgen)
    circuits = len(net.line) + len(net.trafo) + len(net.trafo3w) + len(net.dcline)
    circuits += len(net.shunt) - len(part)
    alike = Counter(
        tuple(sorted((int(line.from_bus), int(line.to_bus)))) for line in net.line.itertuples()
    )
    return {
        "P1": generators + circuits,
        "P2": len(net.bus),
        "P3": generators * (generators + circuits),
        "P6": circuits * circuits,
        "P7": sum(count * (count - 1) // 2 for count in alike.values()),
    }


@pytest.mark.parametrize("name", ["case118", "RTS_GMLC"])
def test_rules_make_as_many_contingencies_as_a_count_by_hand(name):
    net = rts() if name == "RTS_GMLC" else read_bundled(name)
    index = ElementIndex(net)
    for rule, count in count_by_hand(net).items():
        found = contingencies_of(index, asked(rules=(rule,)))
        assert len(found) == count, rule
        assert {one.category for one in found[:50]} == {rule}
        assert len({one.name for one in found[:500]}) == min(count, 500)
    everything = contingencies_of(index, asked(rules=("P1", "P2", "P4", "P7")))
    assert len({one.name for one in everything}) == len(everything)
    assert f"bus:{net.bus.index[5]}@P4" in {one.name for one in everything}


def test_filters_hold_for_rules_and_a_breaker_takes_both_its_buses_out():
    net = pandapower.networks.example_multivoltage()
    index = ElementIndex(net)
    high = contingencies_of(index, asked(rules=("P1",), vn_kv=(100.0, 400.0)))
    kv = net.bus["vn_kv"]
    lines = [int(one.name[5:]) for one in high if one.name.startswith("line")]
    assert (kv[net.line.loc[lines, "from_bus"]] >= 100).all()
    assert 0 < len(high) < len(contingencies_of(index, asked(rules=("P1",))))
    breakers = net.switch[(net.switch["et"] == "b") & (net.switch["type"] == "CB")]
    closed = breakers[breakers["closed"]]
    buses = contingencies_of(index, asked(rules=("P2",)))
    assert len(buses) == len(net.bus) + len(closed)
    first = closed.iloc[0]
    pair = sorted((int(first["bus"]), int(first["element"])))
    assert f"bus:{pair[0]}+bus:{pair[1]}" in {one.name for one in buses}


def test_a_table_and_con_labels_give_categories(tmp_path):
    index = ElementIndex(read_bundled("case14"))
    table = tmp_path / "sets.csv"
    table.write_text("contingency,type,id,category\na,line,3,P7\na,line,4,P7\nb,gen,1,\n")
    found = contingencies_of(index, asked(sets=table, category="P1"))
    assert [(one.name, one.category) for one in found] == [("line:3+line:4", "P7"), ("gen:1", "P1")]
    parts = (Contingencies(sets=table), Contingencies(depth=1, types=("gen",), category="P1"))
    both = contingencies_of(index, Contingencies(parts=parts))
    assert [one.name for one in both][:3] == ["line:3+line:4", "gen:1", "gen:0"]
    assert "gen:1@P1" in {one.name for one in both}


# ---- Judged by ratings and bands ------------------------------------------------------------


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("name", ["RTS_GMLC", "case118"])
def test_random_contingencies_are_judged_as_by_pandapower(name, solver):
    """Elements switched off one by one, and the right rating applied by hand."""
    net = rts() if name == "RTS_GMLC" else read_bundled(name)
    rng = np.random.default_rng(7)
    if name == "case118":  # it has no ratings of its own for emergencies, nor any that bind
        net.line["max_i_ka"] = rng.uniform(0.2, 0.9, len(net.line))
        net.line["rate_b_ka"] = net.line["max_i_ka"] * rng.uniform(1.0, 1.5, len(net.line))
        net.line["rate_c_ka"] = np.where(rng.random(len(net.line)) < 0.5, np.nan, 1.2)
        net.trafo["rate_b_mva"] = 300.0
    net.bus[["min_vm_pu", "max_vm_pu"]] = 0.94, 1.06
    index = ElementIndex(net)
    every = contingencies_of(index, asked(rules=("P1", "P2", "P7")))
    chosen = sorted(rng.choice(len(every), 75, replace=False).tolist())
    found = [every[n] for n in chosen] + [one for one in every if one.category == "P7"][:15]
    service = service_of(net, AS_GIVEN)
    found = [one for one in dict.fromkeys(found) if is_possible(one, service)]
    rows = solved_rows(net, found, solver, loading=60.0)
    by_name = dict(list(rows.groupby("contingency")))
    violations = 0
    for one in found:
        own = by_name[one.name]
        system = own[own["element"] == "system"].iloc[0]
        assert system["category"] == one.category
        assert system["rating"] == RATINGS[one.category]
        expected = by_pandapower(net, one, solver)
        if expected is None:
            assert system["status"] in ("not_converged", "islanded")
            continue
        loading, vm = expected
        worst = loading.max()
        assert system["max_loading_percent"] == pytest.approx(worst, rel=1e-6, abs=1e-5)
        branches = own[own["element"].isin(["line", "trafo"])]
        over = loading[loading > 60.0 + 1e-4]
        assert len(branches) == len(over)
        for row in branches.itertuples():
            assert row.loading_percent == pytest.approx(over[row.element, row.id], rel=1e-6)
            assert row.limit == 60.0
        violations += len(over)
        if solver == "ac":
            low, high = {"P1": (0.97, 1.04), "P2": (0.94, 1.06), "P7": (0.9, 1.1)}[one.category]
            buses = own[own["element"] == "bus"]
            outside = vm[(vm < low - 1e-9) | (vm > high + 1e-9)]
            assert sorted(buses["id"]) == sorted(outside.index)
            assert set(buses["limit"]) <= {low, high}
    assert violations > 20


def by_pandapower(net, contingency, solver):
    """Loadings in percent of the category's rating, and voltages; None without a solution."""
    outages = [(element, net[element].index[position]) for element, position in contingency.outages]
    with switched_off(net, outages):
        try:
            if solver == "dc":
                pandapower.rundcpp(net)
            else:
                pandapower.runpp(net, init="dc", numba=False, tolerance_mva=1e-9)
        except Exception:  # noqa: BLE001 - whatever it is, there is nothing to hold against
            return None
    # Singular, as pandapower puts it.
    if net.res_bus["va_degree"].isna().sum() > len(net.bus) // 2:
        return None
    suffix = {"P1": None, "P2": "b", "P7": "c"}[contingency.category]
    usable = 0.9 if contingency.category == "P7" else 1.0
    parts = {}
    for element, rated, unit in (("line", "max_i_ka", "ka"), ("trafo", "sn_mva", "mva")):
        loading = net[f"res_{element}"]["loading_percent"].fillna(0.0)
        column = f"rate_{suffix}_{unit}"
        if suffix and column in net[element]:
            other = net[element][column]
            known = other.notna() & (other > 0)
            loading = loading * (net[element][rated] / other).where(known, 1.0)
        parts[element] = loading / usable
    return pd.concat(parts), net.res_bus["vm_pu"].dropna()


# ---- One loss after another -----------------------------------------------------------------


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_all_pairs_of_branches_of_case118_are_states_with_both_out(solver):
    net = read_bundled("case118")
    index = ElementIndex(net)
    types = ("line", "trafo")
    sequence = (Contingencies(1, types), Contingencies(1, types))
    found = contingencies_of(index, asked(sequence=sequence, category="P6"))
    branches = len(net.line) + len(net.trafo)
    assert len(found) == branches * branches
    rng = np.random.default_rng(3)
    chosen = [found[n] for n in sorted(rng.choice(len(found), 150, replace=False).tolist())]
    rows = solved_rows(net, chosen, solver, loading=1.0)
    system = rows[rows["element"] == "system"].set_index("contingency")
    assert len(system) == 150
    for one in chosen:
        expected = by_pandapower(net, replace(one, category="P1"), solver)
        if expected is not None and system.loc[one.name, "status"] == "ok":
            assert system.loc[one.name, "max_loading_percent"] == pytest.approx(
                expected[0].max(), rel=1e-6
            )


def least_redispatch(net, lost):
    """The fewest MW to be moved after a loss so that ratings hold, by distribution factors.

    External grids count as they stand in the power flow after the loss.
    """
    plain = deepcopy(net)
    element, position = lost
    plain[element].loc[plain[element].index[position], "in_service"] = False
    pandapower.rundcpp(plain)
    live = plain.gen["in_service"].to_numpy(bool)
    given = np.concatenate([plain.res_ext_grid["p_mw"], plain.gen["p_mw"][live]])
    low = np.concatenate([plain.ext_grid["min_p_mw"], plain.gen["min_p_mw"][live]])
    high = np.concatenate([plain.ext_grid["max_p_mw"], plain.gen["max_p_mw"][live]])
    base = plain.res_line["p_from_mw"].to_numpy(copy=True)
    turned = []
    for number in range(len(given)):
        if number == 0:  # what the external grid gives more is taken up nowhere else
            turned.append(np.zeros(len(base)))
            continue
        place = plain.gen.index[live][number - 1]
        before = plain.gen.loc[place, "p_mw"]
        plain.gen.loc[place, "p_mw"] += 1.0
        pandapower.rundcpp(plain)
        plain.gen.loc[place, "p_mw"] = before
        turned.append(plain.res_line["p_from_mw"].to_numpy() - base)
    kv = net.bus["vn_kv"].loc[net.line["from_bus"]].to_numpy()
    rating = np.sqrt(3) * kv * net.line["max_i_ka"].to_numpy()
    effect = np.nan_to_num(np.column_stack(turned))
    base = np.nan_to_num(base)
    count = len(given)
    found = linprog(
        np.ones(2 * count),
        A_ub=np.vstack([np.hstack([effect, -effect]), np.hstack([-effect, effect])]),
        b_ub=np.concatenate([rating - base, rating + base]),
        A_eq=np.hstack([np.ones(count), -np.ones(count)])[None],
        b_eq=[0.0],
        bounds=[(0.0, room) for room in np.concatenate([high - given, given - low])],
    )
    return (None, 0.0) if found.status else (found.x[:count] - found.x[count:], found.fun)


@pytest.mark.parametrize("name", ["case14", "case30"])
def test_between_two_losses_the_least_is_moved_that_keeps_ratings(name):
    """By an explicit program after each first loss, and each second loss by pandapower."""
    net = read_bundled(name)
    pandapower.rundcpp(net)
    # Ratings that some first losses break, and that hold before.
    net.line["max_i_ka"] = np.maximum(net.res_line["i_ka"] * 1.15, 0.05)
    net.gen["p_mw"] = net.gen["p_mw"].clip(net.gen["min_p_mw"], net.gen["max_p_mw"])
    index, model = ElementIndex(net), prepare(deepcopy(net))
    service = service_of(net, AS_GIVEN)
    first = Contingencies(1, ("line",))
    then = Contingencies(1, ("line", "gen"))
    found = contingencies_of(index, asked(sequence=(first, then), adjust="redispatch"))
    moved = 0
    for position in range(len(net.line)):
        lost = ("line", position)
        one = next(c for c in found if c.outages == (lost,))
        state, told = redispatched(model, after(one, AS_GIVEN, service), {})
        _, least = least_redispatch(net, lost)
        if told.startswith("not adjusted"):
            assert least is None or least == 0.0
            continue
        plain = deepcopy(net)
        for change in state.changes:
            plain[change.element][change.column] = change.values
        pandapower.rundcpp(plain)
        supplied = plain.res_line["loading_percent"].fillna(0.0)
        assert supplied.max() <= 100 + 1e-4
        amount = np.abs(plain.gen["p_mw"] - net.gen["p_mw"]).sum()
        if amount > 1e-6:
            moved += 1
            assert told == f"after a redispatch of {amount:.4g} MW"
            lost_net = deepcopy(net)
            lost_net.line.loc[net.line.index[position], "in_service"] = False
            pandapower.rundcpp(lost_net)
            slack = abs(
                float(plain.res_ext_grid["p_mw"].sum() - lost_net.res_ext_grid["p_mw"].sum())
            )
            assert amount + slack == pytest.approx(least, abs=1e-5)
        seconds = [c for c in found if c.before == (lost,)][::5]
        rows = solved_rows(net, seconds, "dc", loading=20.0)
        system = rows[rows["element"] == "system"].set_index("contingency")
        for second in seconds:
            (outage,) = [o for o in second.outages if o != lost]
            element, place = outage
            with switched_off(plain, [(element, plain[element].index[place])]):
                pandapower.rundcpp(plain)
            worst = plain.res_line["loading_percent"].max()
            ours = system.loc[second.name, "max_loading_percent"]
            assert ours == pytest.approx(worst, abs=1e-5, nan_ok=True)
            assert (system.loc[second.name, "detail"] or "").endswith(told)
    assert moved > 3


# ---- From the manifest to the summary -------------------------------------------------------


@pytest.mark.workflow
def test_a_study_by_category(workspace):
    """Rules, a table, one loss after another; verdicts that pandas finds in the rows, too."""
    workspace.write("towers.csv", "contingency,type,id,category\nt,line,3,P7\nt,line,4,P7\n")
    losses = [{"types": ["gen"]}, {"types": ["line"]}]
    manifest = {
        "grid": "pandapower:case14",
        "contingencies": [
            {"rules": ["P1", "P2"]},
            {"sequence": losses, "category": "P3", "adjust": "redispatch"},
            "towers.csv",
            {"depth": 1, "types": ["load"]},
        ],
        "categories": {
            "P1": {"rating_percent": 0.5},
            "P2": {"rating": "long_term", "voltage_band_pu": [0.5, 1.5]},
            "P7": {"voltage_band_pu": [1.0, 1.02]},
        },
        "scenarios": [
            {"id": "day", "solver": "ac"},
            {"id": "dc", "solver": "dc", "load_scale": 0.5},
            {
                "id": "secure",
                "solver": "dc_opf",
                "options": {"secure": True},
                "contingencies": {"rules": ["P1"], "names": "*"},
                "categories": {"P1": {"rating_percent": 500}},
            },
        ],
    }
    workspace.write("manifest.json", manifest)
    workspace.configure(workers_per_job=2)
    run = workspace.run()
    assert run.returncode == 1, run.stderr  # case14 has no names
    assert "the grid has no contingency of P1" in run.stderr
    del manifest["scenarios"][2]["contingencies"]["names"]
    workspace.write("manifest.json", manifest)
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    summary = workspace.batch / "summary"
    found = pd.read_parquet(summary / "categories.parquet")
    rows = pd.read_parquet(summary / "aggregated_results.parquet")
    rows = rows[rows["contingency"].notna()]
    system = rows[rows["element"] == "system"]
    assert set(system["status"]) <= {"ok", "islanded", "not_converged"}
    assert list(found.loc[found["scenario"].isna(), "category"].fillna("none")) == [
        "P1", "P2", "P3", "P7", "none",
    ]  # fmt: skip
    for row in found[found["scenario"].notna()].itertuples():
        category = rows["category"].fillna("") == (row.category or "")
        own = rows[category & (rows["scenario"] == row.scenario)]
        own_system = own[own["element"] == "system"]
        assert row.contingencies == len(own_system)
        broken = own[own["limit"].notna()]
        assert row.loading_violations == (broken["element"] != "bus").sum()
        assert row.voltage_violations == (broken["element"] == "bus").sum()
        bad = set(broken["contingency"])
        bad |= set(own_system.loc[own_system["status"] == "not_converged", "contingency"])
        assert row.failing == len(bad)
        assert row.verdict == ("fail" if bad else "pass")
        assert row.max_loading_percent == pytest.approx(own_system["max_loading_percent"].max())
    verdicts = found[found["scenario"].isna()].set_index("category")["verdict"]
    assert verdicts["P1"] == "fail"  # half a percent of the rating is soon reached
    assert verdicts["P2"] == "pass"
    towers = system[system["category"] == "P7"]
    assert list(towers["contingency"]) == ["line:3+line:4"] * 2
    assert "gen:0>line:4" in set(system["contingency"])
    again = workspace.run()
    assert "Nothing to be done" in again.stderr + again.stdout
    manifest["categories"]["P7"]["rating_percent"] = 50
    workspace.write("manifest.json", manifest)
    dry = workspace.run("-n")
    assert "3 to solve" in dry.stderr + dry.stdout
    page = (summary / "report.html").read_text()
    first = page[page.index('id="categories"') : page.index('id="categories"') + 4000]
    assert "break limits that hold before them" in first
    assert "passes: " in first


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_a_dc_line_that_fails_carries_nothing(solver):
    net = read_bundled("case30")
    pandapower.create_dcline(net, 0, 20, 8.0, 2.0, 0.1, 1.0, 1.0, max_p_mw=20)
    index = ElementIndex(net)
    found = contingencies_of(index, asked(rules=("P1",)))
    found = [one for one in found if one.name in ("dcline:0", "line:3")]
    rows = solved_rows(net, found, solver, loading=1.0)
    system = rows[rows["element"] == "system"].set_index("contingency")
    for one in found:
        loading, _ = by_pandapower(deepcopy(net), replace(one, category="P1"), solver)
        assert system.loc[one.name, "max_loading_percent"] == pytest.approx(loading.max(), rel=1e-6)


def test_names_are_unique_in_any_list():
    index = ElementIndex(read_bundled("case14"))
    every = contingencies_of(index, asked(rules=("P1", "P3", "P6", "P2", "P4", "P7")))
    names = [one.name for one in every]
    assert len(set(names)) == len(names)
    parts = (
        asked(rules=("P1",)),
        asked(sequence=(Contingencies(1, ("gen",)), Contingencies(1, ("line",))), category="P3"),
        asked(depth=2, types=("line",)),
        asked(depth=1, types=("line",), category="P1"),
    )
    joined = contingencies_of(index, Contingencies(parts=parts))
    names = [one.name for one in joined]
    assert len(set(names)) == len(names)
    assert "gen:1@P3" in names
    assert names.count("line:3") == 1


def test_an_adjustment_counts_dc_lines_and_ratings_that_aren_t_written_down():
    net = read_bundled("case30")
    pandapower.rundcpp(net)
    net.line["max_i_ka"] = np.maximum(net.res_line["i_ka"] * 1.1, 0.02)
    net.line = net.line.drop(columns="max_loading_percent", errors="ignore")
    pandapower.create_dcline(net, 0, 20, 1.0, 0.0, 0.0, 1.0, 1.0, max_p_mw=20)
    model = prepare(deepcopy(net))
    told = []
    for position in range(12):
        lost = after(Contingency("", (("line", position),)), AS_GIVEN, service_of(net, AS_GIVEN))
        state, text = redispatched(model, lost, {})
        told.append(text)
        if not text.startswith("after"):
            continue
        plain = deepcopy(net)
        for one in state.changes:
            plain[one.element][one.column] = one.values
        pandapower.rundcpp(plain)
        assert plain.res_line["loading_percent"].max() <= 100 + 1e-3
    assert any(text.startswith("after a redispatch") for text in told)


@pytest.mark.workflow
def test_verdicts_of_what_keeps_system_rows_alone_or_has_no_solution(workspace):
    common = {"grid": "pandapower:case14", "contingencies": [{"rules": ["P1"]}]}
    categories = {"P1": {"rating_percent": 1}}
    scenarios = [
        {"id": "system", "solver": "dc", "keep": "system", "categories": categories},
        {"id": "rows", "solver": "dc", "categories": categories},
        {
            "id": "opf", "solver": "dc_opf", "load_scale": 2.5,
            "contingencies": {"depth": 1, "types": ["gen"], "category": "P3"},
        },
    ]  # fmt: skip
    workspace.write("manifest.json", {**common, "scenarios": scenarios})
    workspace.configure(voltage_band_pu=[0.5, 1.5])
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    found = pd.read_parquet(workspace.batch / "summary" / "categories.parquet")
    each = found[found["scenario"].notna()].set_index("scenario")
    assert each.loc["system", "verdict"] == each.loc["rows", "verdict"] == "fail"
    assert each.loc["system", "failing"] == each.loc["rows", "failing"]
    assert each.loc["opf", "verdict"] == "fail"
    assert each.loc["opf", "failing"] >= each.loc["opf", "not_converged"] >= 1
    workspace.write(
        "manifest.json", {**common, "contingencies": {"rules": ["P7"]}, "scenarios": [{"id": "x"}]}
    )
    refused = workspace.run()
    assert refused.returncode == 1
    assert "the grid has no contingency of P7" in refused.stderr
