"""What an attack on planning studies found: each fault once, as it would come again."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy

import numpy as np
import pandapower
import pandapower.networks
import pandas as pd
import pytest

from gat_batch.contingency.solver import ContingencySolver
from gat_batch.errors import InputErrors
from gat_batch.grids.bundled import read_bundled
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.actions import actions_of
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State
from gat_batch.model.violations import Limits
from gat_batch.solvers.study import Study, solve
from gat_batch.study.manifest import batch_of
from gat_batch.study.scenario import Category, Contingencies

HEADER = "action,change,element,id,value,contingency,condition\n"
GRID = "pandapower:case24_ieee_rts"


def case24():
    return read_bundled("case24_ieee_rts")


def by_pandapower(net, solver):
    (pandapower.runpp if solver == "ac" else pandapower.rundcpp)(net, numba=False)
    return net.res_line["loading_percent"].to_numpy()


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize(
    ("first", "done"),
    [
        ("set_tap,trafo,0,3", ("trafo", 0, "tap_pos", 3)),
        ("set_step,shunt,0,0", ("shunt", 0, "step", 0)),
        ("open,line,5,", ("line", 5, "in_service", False)),
    ],
)
def test_an_action_keeps_what_the_one_before_did(first, done, solver, tmp_path):
    net = case24()
    net.trafo[["tap_neutral", "tap_min", "tap_max", "tap_pos"]] = 0, -9, 9, 0
    net.trafo["tap_side"], net.trafo["tap_step_percent"] = "hv", 1.5
    net.trafo["tap_changer_type"] = "Ratio"
    net.shunt["max_step"] = 1
    table = tmp_path / "actions.csv"
    rows = [f"first,{first},,always", "second,change_mw,load,0,-1,,always"]
    table.write_text(HEADER + "\n".join(rows) + "\n")
    model, index = prepare(deepcopy(net)), ElementIndex(net)
    criteria = {"": Criteria.of(model.net, Limits())}
    study = Study(solver, {"tolerance_mva": 1e-9} if solver == "ac" else {})
    contingencies = ContingencySolver(model, State(None, ()), study, criteria)
    (one,) = [
        one
        for one in contingencies_of(index, Contingencies(types=("line",)))
        if one.name == "line:3"
    ]
    found = dict(contingencies.relieved(one, actions_of(index, table), "in_order"))
    net.line.loc[3, "in_service"] = False
    element, index, column, value = done
    net[element].loc[index, column] = value
    for name, change in (("first", 0), ("second", 1)):
        net.load.loc[0, "p_mw"] -= change
        ours = found[name].elements["line"]["loading_percent"]
        np.testing.assert_allclose(ours, by_pandapower(net, solver), atol=1e-6)


@pytest.mark.parametrize(
    ("element", "column", "value"),
    [("trafo", "tap_pos", 1.0), ("switch", "closed", 0.0), ("line", "in_service", 1.0)],
)
def test_a_state_that_changes_the_equations_is_left_to_pandapower(element, column, value):
    """The equations at hand never pass over what they don't have."""
    net = pandapower.networks.example_multivoltage()
    net.line.loc[2, "in_service"] = False
    model = prepare(net)
    values = net[element][column].to_numpy(float, copy=True)
    values[-1 if element == "trafo" else 2] = value
    if column in ("closed", "in_service"):
        values = values.astype(bool)
    solution = solve(model, State(None, (Change(element, column, values),)), "ac", {})
    assert (solution.engine, solution.left != "") == ("pandapower", True)
    plain = deepcopy(net)
    plain[element][column] = values
    pandapower.runpp(plain, numba=False)
    np.testing.assert_allclose(
        solution.elements["bus"]["vm_pu"], plain.res_bus["vm_pu"], rtol=0, atol=1e-8
    )


LISTS = {
    "a rule and a sequence": [{"rules": ("P1", "P3")}, {"rules": ("P7",)}],
    "all rules": [{"rules": ("P1", "P2", "P6", "P7")}, {"depth": 1, "types": ("load",)}],
    "two sequences": [
        {
            "sequence": (Contingencies(types=("line",)), Contingencies(types=("trafo", "gen"))),
            "adjust": "redispatch",
            "category": "X",
        },
        {
            "sequence": (Contingencies(types=("line",)), Contingencies(types=("trafo",))),
            "category": "Y",
        },
    ],
    "pairs twice": [
        {"depth": 2, "types": ("trafo",), "category": "C"},
        {"depth": 2, "types": ("trafo", "line"), "category": "D"},
        {"depth": 2, "types": ("trafo", "line"), "category": "D"},
    ],
}


@pytest.mark.parametrize("parts", LISTS.values(), ids=LISTS)
def test_lists_keep_all_their_contingencies_under_names_of_their_own(parts):
    index = ElementIndex(case24())
    each = [Contingencies(**part) for part in parts]
    found = contingencies_of(index, Contingencies(parts=tuple(each)))
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    count = Counter(one.category for one in found)
    for part in each:
        for category, own in Counter(one.category for one in contingencies_of(index, part)).items():
            assert count[category] >= own


def study(contingencies, **manifest):
    return {"grid": GRID, "contingencies": contingencies, "scenarios": [{"id": "b"}], **manifest}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"categories": {"a|b": {}}}, "'a|b' can't be the name of a category"),
        ({"categories": {"none": {}}}, "'none' can't be the name of a category"),
        ({"contingencies": {"depth": 1, "category": "a|b"}}, "'a|b' can't be the name"),
        ({"categories": {"P1": {"voltage_band_pu": [1.1, 0.9]}}}, "1.1 is above 0.9"),
        ({"categories": {"p1": {}}}, "no contingency has the category 'p1'"),
    ],
)
def test_odd_categories_are_refused(change, told, tmp_path):
    manifest = study([{"rules": ["P1"]}]) | change
    with pytest.raises(InputErrors) as caught:
        batch_of(manifest, tmp_path / "manifest.json", {})
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1,shed_percent,load,6,40,,", "'1' can't be the name of an action"),
        ("none,shed_percent,load,6,40,,", "'none' can't be the name of an action"),
        ("a,shed_percent,load,6,150,,", "150 % can't be shed"),
        ("a,set_step,shunt,0,5,,", "5 is no step that it has"),
        ("a,open,line,1,,,foo:3", "the condition 'foo:3' is no element with a limit"),
        ("a,open,line,1,,,bus:99", "there is no bus"),
    ],
)
def test_odd_actions_are_refused(row, told, tmp_path):
    net = case24()
    net.shunt["max_step"] = 1
    table = tmp_path / "actions.csv"
    table.write_text(HEADER + row + "\n")
    with pytest.raises(InputErrors) as caught:
        actions_of(ElementIndex(net), table)
    assert told in str(caught.value)


def test_a_redispatch_keeps_the_limit_by_which_it_is_judged(tmp_path):
    """By the ratings of the category, and by a DC power flow, which counts at held voltages."""
    net = case24()
    net.bus[["min_vm_pu", "max_vm_pu"]] = 0.5, 1.5
    table = tmp_path / "actions.csv"
    groups = [("gen", n) for n in net.gen.index] + [("sgen", n) for n in net.sgen.index]
    rows = [f"shift,redispatch,{element},{n},,,loading" for element, n in groups]
    table.write_text(HEADER + "\n".join(rows) + "\n")
    index, model = ElementIndex(net), prepare(deepcopy(net))
    category = Category("A", rating_percent=95.0)
    common = Criteria.of(model.net, Limits(100.0, (0.5, 1.5)))
    criteria = {"": common, "A": common.for_category(index, category)}
    solver = ContingencySolver(model, State(None, ()), Study("dc", {}), criteria)
    asked = Contingencies(types=("line", "trafo"), category="A", categories=(category,))
    relieved = 0
    for one in contingencies_of(index, asked):
        for _, solution in solver.relieved(one, actions_of(index, table), "in_order"):
            if "MW redispatched" not in solution.detail:
                continue
            worst = solution.system["max_loading_percent"]
            assert worst <= 100 + 1e-3, (one.name, solution.detail)
            relieved += 1
    assert relieved


@pytest.mark.workflow
def test_verdicts_hold_what_base_cases_and_last_actions_say(workspace):
    workspace.write(
        "actions.csv",
        HEADER + "shed,shed_percent,load,6,40,,\n" + "undo,change_mw,load,6,100,A,always\n",
    )
    net = case24()
    band = {"voltage_band_pu": [0.92, 1.055]}
    wide = {"rating_percent": 300, "voltage_band_pu": [0.5, 2]}
    manifest = study(
        [
            {"depth": 1, "types": ["line"], "category": "A"},
            {"depth": 1, "types": ["line"], "category": "B"},
            {"depth": 1, "types": ["trafo"], "category": "C"},
        ],
        solver="ac",
        categories={"A": band, "B": band, "C": wide},
        actions="actions.csv",
        scenarios=[{"id": "b"}, {"id": "dark", "load_scale": 5}],
    )
    workspace.write("manifest.json", manifest)
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    summary = workspace.batch / "summary"
    found = pd.read_parquet(summary / "categories.parquet")
    whole = found[found["scenario"].isna()].set_index("category")
    # A base case without a solution isn't passed over.
    assert (whole["scenarios_unsolved"] == 1).all()
    assert whole.loc["C", "verdict"] == "fail"
    rows = pd.read_parquet(summary / "aggregated_results.parquet")
    base = rows[rows["contingency"].isna() & (rows["scenario"] == "b")]
    rows = rows[rows["contingency"].notna()]
    first, _, action = zip(*rows["contingency"].str.partition("|").to_numpy(), strict=True)
    rows = rows.assign(first=first, action=action)
    # What the last action leaves counts.
    state = rows.groupby(["category", "first", "action"], sort=False)["limit"].count() > 0
    for category in ("A", "B"):
        own = state[category].reset_index()
        last = own.groupby("first", sort=False)["limit"].last()
        alone = own[own["action"] == ""].set_index("first")["limit"]
        assert whole.loc[category, "failing"] == (alone | last).sum()
        assert whole.loc[category, "relieved"] == (alone & ~last).sum()
    assert whole.loc["A", "failing"] > whole.loc["B", "failing"] > 0
    # What was before is told, and what is new follows from it.
    vm = base[base["element"] == "bus"].set_index("id")["vm_pu"]
    broken = rows[rows["limit"].notna() & (rows["element"] == "bus")]
    np.testing.assert_array_equal(broken["before"], vm[broken["id"]])
    low, high = band["voltage_band_pu"]
    kept = broken["before"].between(low, high)
    listed = pd.read_parquet(summary / "contingencies.parquet").set_index("contingency")
    loading = rows[rows["limit"].notna() & (rows["element"] != "bus")]
    fresh = set(broken.loc[kept, "contingency"])
    fresh |= set(loading.loc[loading["before"] <= 100, "contingency"])
    new = listed["new"].astype(bool)
    assert set(new.index[new]) == fresh
    assert (net.bus["max_vm_pu"] < 1.06).any()
    # The bus that is named is one that is outside.
    worst = broken.assign(off=(broken["vm_pu"] - broken["limit"]).abs())
    for category in ("A", "B"):
        own = worst[(worst["category"] == category) & (worst["action"] == "")]
        assert whole.loc[category, "worst_vm_bus"] in set(own["id"])
        top = own.loc[own["off"].idxmax()]
        assert whole.loc[category, "worst_vm_pu"] == top["vm_pu"]
