"""Ratings of a category's own, and contingencies of settled states, against pandapower."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandapower
import pandapower.control
import pandas as pd
import pytest

from gat_batch.contingency.solver import ContingencySolver
from gat_batch.errors import GatBatchError
from gat_batch.grids.bundled import read_bundled
from gat_batch.grids.elements import ElementIndex
from gat_batch.grids.pandapower_json import read_json
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import State
from gat_batch.model.violations import Limits
from gat_batch.results.contingency_rows import ContingencyRows
from gat_batch.results.kept import KeptRows
from gat_batch.solvers.study import Study
from gat_batch.study.scenario import Category, Contingencies

AS_GIVEN = State(None, ())
TABLE = "element,id,rating_ka,rating_mva\nline,3,0.02,\nline,4,,4\ntrafo,1,,8\n"
OWN_KA = {3: 0.02}
OWN_MVA = {("line", 4): 4.0, ("trafo", 1): 8.0}


def rated():
    """A grid of 30 buses, with transformers, and ratings that outages come near."""
    net = read_bundled("case30")
    pandapower.runpp(net, numba=False)
    net.line["max_i_ka"] = np.maximum(net.res_line["i_ka"] * 1.3, 0.03)
    for hv, lv in ((0, 1), (3, 11)):
        pandapower.create_transformer_from_parameters(
            net, hv, lv, 60.0, *net.bus.loc[[hv, lv], "vn_kv"], 0.2, 10.0, 0.0, 0.0
        )
    return net


def violations_of(net, category, solver="ac"):
    """Rows of violations after each outage of a branch, judged by a category."""
    index = ElementIndex(net)
    asked = Contingencies(types=("line", "trafo"), category="P", categories=(category,))
    found = contingencies_of(index, asked)
    model = prepare(deepcopy(net))
    common = Criteria.of(model.net, Limits(100.0, (0.5, 1.5)))
    criteria = {"": common, "P": common.for_category(index, category)}
    contingencies = ContingencySolver(model, AS_GIVEN, Study(solver, {}), criteria)
    kept = KeptRows("all", "violations", criteria)
    rows = ContingencyRows.of(model, ("x", None), contingencies.solve(found), kept).rows(model)
    return rows.to_pandas()


def expected(net, ratings_ka, ratings_mva, solver):
    """Loading of every branch after each outage, by pandapower and ratings put in by hand."""
    solved = pandapower.runpp if solver == "ac" else pandapower.rundcpp
    net = deepcopy(net)
    for line, rating in ratings_ka.items():
        net.line.loc[line, "max_i_ka"] = rating
    for (element, one), rating in ratings_mva.items():
        kv = net.bus.loc[net.line.loc[one, "from_bus"], "vn_kv"] if element == "line" else 1.0
        column = "max_i_ka" if element == "line" else "sn_mva"
        net[element].loc[one, column] = rating / (np.sqrt(3) * kv if element == "line" else 1.0)
    # A transformer's rating stands in its impedance, too, which stays as it is.
    for name in ("vk_percent", "vkr_percent"):
        net.trafo[name] *= net.trafo["sn_mva"] / 60.0
    found = {}
    for element in ("line", "trafo"):
        for one in net[element].index:
            after = deepcopy(net)
            after[element].loc[one, "in_service"] = False
            try:
                solved(after, numba=False)
            except pandapower.LoadflowNotConverged:
                continue
            for branch in ("line", "trafo"):
                loading = after[f"res_{branch}"]["loading_percent"]
                for index in loading.index[loading > 100]:
                    found[(f"{element}:{one}", branch, index)] = loading[index]
    return found


@pytest.mark.parametrize("solver", ["ac", "dc"])
@pytest.mark.parametrize("form", ["table", "columns"])
def test_ratings_of_a_category_s_own_are_as_if_the_grid_had_them(solver, form, tmp_path):
    net = rated()
    table = tmp_path / "emergency.csv"
    table.write_text(TABLE)
    category = Category("P", "emergency.csv", table=table)
    if form == "columns":
        net.line["winter_ka"] = np.nan
        net.trafo["winter_mva"] = np.nan
        net.line.loc[3, "winter_ka"] = 0.02
        kv = net.bus.loc[net.line.loc[4, "from_bus"], "vn_kv"]
        net.line.loc[4, "winter_ka"] = 4 / (np.sqrt(3) * kv)
        net.trafo.loc[1, "winter_mva"] = 8.0
        columns = (("line", "winter_ka"), ("trafo", "winter_mva"))
        category = Category("P", "winter_ka, winter_mva", columns=columns)
    rows = violations_of(net, category, solver)
    broken = rows[rows["limit"].notna()]
    assert set(broken["rating"]) == {category.rating}
    found = {
        (row.contingency, row.element, row.id): row.loading_percent
        for row in broken[broken["element"] != "bus"].itertuples()
    }
    by_hand = expected(net, OWN_KA, OWN_MVA, solver)
    assert found.keys() == by_hand.keys()
    assert len(found) > 10
    assert {key[1:] for key in found} >= {("line", 3), ("line", 4), ("trafo", 1)}
    for key, loading in by_hand.items():
        assert found[key] == pytest.approx(loading, rel=1e-6), key
    half = violations_of(net, replace(category, rating_percent=50.0), solver)
    assert half["loading_percent"].max() == pytest.approx(2 * rows["loading_percent"].max())


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("bus,1,,5", "row 2: 'bus' has no rating here; line and trafo have"),
        ("line,1,,", "row 2: a line has one rating, as rating_ka or rating_mva"),
        ("line,1,1,5", "row 2: a line has one rating"),
        ("trafo,1,5,", "row 2: a trafo has one rating, as rating_mva"),
        ("line,1,,much", "row 2: 'much' is no number"),
        ("line,1,,-5", "row 2: a rating is above 0"),
        ("line,1,,nan", "row 2: a rating is above 0"),
        ("line,1,,5\nline,1,,6", "row 3: line 1 has a rating above"),
        ("line,777,,5", "row 2: there is no line '777'"),
    ],
)
def test_ratings_at_fault_are_named(row, told, tmp_path):
    table = tmp_path / "emergency.csv"
    table.write_text("element,id,rating_ka,rating_mva\n" + row + "\n")
    net = rated()
    common = Criteria.of(net, Limits())
    with pytest.raises(GatBatchError) as caught:
        common.for_category(ElementIndex(net), Category("P", table.name, table=table))
    assert told in str(caught.value)
    assert "emergency.csv" in str(caught.value)


@pytest.mark.workflow
def test_ratings_from_a_manifest(workspace):
    workspace.write("emergency.csv", TABLE.replace("trafo,1,,8\n", ""))
    categories = {"A": {"rating": {"table": "emergency.csv"}}, "B": {"rating": {"line": "none"}}}
    manifest = {
        "grid": "pandapower:case30",
        "solver": "dc",
        "contingencies": [
            {"depth": 1, "types": ["line"], "category": "A"},
            {"depth": 1, "types": ["load"], "category": "B"},
        ],
        "categories": categories,
        "scenarios": [{"id": "one"}],
    }
    workspace.write("manifest.json", manifest)
    refused = workspace.run()
    assert refused.returncode == 1
    assert "categories.B.rating: line has no column 'none' with ratings" in refused.stderr
    categories["B"] = {"rating": {"line": "std_type"}}
    workspace.write("manifest.json", manifest)
    refused = workspace.run()
    assert refused.returncode == 1
    assert "categories.B.rating: the column 'std_type' of line has no ratings" in refused.stderr
    del categories["B"], manifest["contingencies"][1]
    workspace.write("manifest.json", manifest)
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    rows = pd.read_parquet(workspace.result("one"))
    assert set(rows["rating"].dropna()) == {"emergency.csv"}
    assert "Nothing to be done" in (again := workspace.run()).stderr + again.stdout
    workspace.write("emergency.csv", "element,id,rating_mva\nline,3,15\n")
    assert "1 to solve" in (dry := workspace.run("-n")).stderr + dry.stdout


def test_contingencies_of_settled_states_are_pandapower_s(tmp_path):
    """Reactive limits, tap changers and a shared slack settle after each outage."""
    net = read_bundled("case118")
    held = set(net.gen["bus"]) | set(net.ext_grid["bus"])
    for index in net.trafo.index[~net.trafo["lv_bus"].isin(held)][:4]:
        row = {"tap_side": "hv", "tap_neutral": 0, "tap_min": -9, "tap_max": 9, "tap_pos": 0}
        for name, value in row.items():
            net.trafo.loc[index, name] = value
        net.trafo.loc[index, ["tap_step_percent", "tap_changer_type"]] = [1.25, "Ratio"]
        pandapower.control.DiscreteTapControl(net, int(index), 0.97, 1.0, side="lv")
    net.gen["slack_weight"] = 1.0
    path = tmp_path / "net.json"
    path.write_text(pandapower.to_json(net), encoding="utf-8")
    model = prepare(read_json(path))
    options = {"enforce_q_lims": True, "tap_control": True, "distributed_slack": True}
    index = ElementIndex(model.net)
    found = [
        one
        for one in contingencies_of(index, Contingencies(types=("line", "trafo", "gen")))
        if one.name in ("line:3", "line:30", "line:100", "trafo:1", "trafo:5", "gen:4", "gen:40")
    ]
    assert len(found) == 7
    criteria = {"": Criteria.of(model.net, Limits())}
    study = Study("ac", options | {"tolerance_mva": 1e-9}, criteria=criteria)
    solver = ContingencySolver(model, AS_GIVEN, study, criteria)
    solved = solver.solve(found)
    assert not solved.found
    moved = 0
    for number, solution in solved.single:
        ((element, position),) = found[number].outages
        plain = deepcopy(net)
        plain[element].loc[plain[element].index[position], "in_service"] = False
        pandapower.runpp(
            plain,
            run_control=True,
            numba=False,
            tolerance_mva=1e-9,
            enforce_q_lims=True,
            distributed_slack=True,
        )
        assert solution.status == "ok"
        vm = solution.elements["bus"]["vm_pu"]
        np.testing.assert_allclose(vm, plain.res_bus["vm_pu"], rtol=0, atol=1e-8)
        p = solution.elements["line"]["p_from_mw"]
        np.testing.assert_allclose(
            np.nan_to_num(p), np.nan_to_num(plain.res_line["p_from_mw"]), rtol=0, atol=1e-6
        )
        taps = solution.elements["trafo"]["tap_pos"]
        np.testing.assert_array_equal(taps, plain.trafo["tap_pos"])
        moved += int((taps != net.trafo["tap_pos"]).sum())
    assert moved > 3
