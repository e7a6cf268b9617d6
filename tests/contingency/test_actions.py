"""Remedial actions, each against a state that pandapower solves with the same done by hand."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pandapower
import pandas as pd
import pytest
from conftest import ROOT

from gat_batch.contingency.solver import ContingencySolver
from gat_batch.errors import InputErrors
from gat_batch.grids import grid_ref, read_grid, write_grid
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.actions import actions_of
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import State
from gat_batch.model.violations import Limits
from gat_batch.solvers.study import Study
from gat_batch.study.scenario import Contingencies

RTS = ROOT.parent / "shared" / "grids" / "matpower" / "case_RTS_GMLC.m"
HEADER = "action,change,element,id,value,contingency,condition\n"


def rts(solver="ac"):
    """The grid, with a line whose outage overloads the one beside it."""
    if not RTS.is_file():
        pytest.skip("the shared grids aren't here")
    net = read_grid(grid_ref(str(RTS), Path()))
    pandapower.runpp(net, numba=False)
    ends = net.line[["from_bus", "to_bus"]].to_numpy()
    pairs = [
        (n, m)
        for n in range(len(ends))
        for m in range(n)
        if set(ends[n]) == set(ends[m]) and net.res_line["i_ka"].iloc[n] > 0.1
    ]
    lost, other = pairs[0]
    # What it then carries alone is a tenth too much.
    alone = deepcopy(net)
    alone.line.loc[alone.line.index[lost], "in_service"] = False
    (pandapower.runpp if solver == "ac" else pandapower.rundcpp)(alone)
    carried = alone.res_line["i_ka"].iloc[other]
    net.line.loc[net.line.index[other], "max_i_ka"] = carried / 1.1
    net.bus[["min_vm_pu", "max_vm_pu"]] = 0.5, 1.5
    return net, net.line.index[lost], net.line.index[other]


def relieved(net, lost, text, tmp_path, *, solver="ac", choose="in_order"):
    table = tmp_path / "actions.csv"
    table.write_text(HEADER + text)
    model, index = prepare(deepcopy(net)), ElementIndex(net)
    criteria = {"": Criteria.of(model.net, Limits(100.0, (0.5, 1.5)))}
    study = ContingencySolver(model, State(None, ()), Study(solver, {}), criteria)
    name = f"line:{lost}"
    one = next(c for c in contingencies_of(index, Contingencies()) if c.name == name)
    actions = [action for action in actions_of(index, table) if action.is_for(one)]
    return list(study.relieved(one, actions, choose))


def by_hand(net, lost, change, *, solver="ac"):
    plain = deepcopy(net)
    plain.line.loc[lost, "in_service"] = False
    change(plain)
    if solver == "dc":
        pandapower.rundcpp(plain)
    else:
        pandapower.runpp(plain, numba=False, tolerance_mva=1e-9)
    return plain


def same(solution, plain):
    for element in ("line", "trafo"):
        ours = solution.elements[element]["loading_percent"]
        theirs = plain[f"res_{element}"]["loading_percent"].to_numpy()
        np.testing.assert_allclose(np.nan_to_num(ours), np.nan_to_num(theirs), atol=1e-4)


@pytest.mark.parametrize("solver", ["ac", "dc"])
def test_switching_shedding_and_power_are_those_done_by_hand(tmp_path, solver):
    net, lost, other = rts()
    near = net.line.loc[other, "to_bus"]
    loads = net.load.index[net.load["bus"] == near]
    generator = net.gen.index[net.gen["in_service"]][3]
    third = net.line.index[20]
    text = (
        f"open,open,line,{third},,,always\n"
        f"shed,shed_percent,load,{net.load.index[5]},40,,always\n"
        f"down,change_mw,gen,{generator},-20,,always\n"
        f"set,set_mw,gen,{generator},33,,always\n"
        f"back,close,line,{third},,,always\n"
    )
    found = dict(relieved(net, lost, text, tmp_path, solver=solver))
    assert list(found) == ["open", "shed", "down", "set", "back"]
    done = []

    def opened(plain):
        plain.line.loc[third, "in_service"] = False

    def shed(plain):
        plain.load.loc[net.load.index[5], ["p_mw", "q_mvar"]] *= 0.6

    def down(plain):
        plain.gen.loc[generator, "p_mw"] -= 20

    def set_to(plain):
        plain.gen.loc[generator, "p_mw"] = 33.0

    def closed(plain):
        plain.line.loc[third, "in_service"] = True

    steps = {"open": opened, "shed": shed, "down": down, "set": set_to, "back": closed}
    for name, step in steps.items():
        done.append(step)
        same(found[name], by_hand(net, lost, lambda p: [do(p) for do in done], solver=solver))
    assert loads is not None


def test_a_tap_and_a_shunt_step_are_those_done_by_hand(tmp_path):
    net, lost, _ = rts()
    shunt, trafo = net.shunt.index[0], net.trafo.index[0]
    net.shunt["max_step"] = 3
    net.trafo.loc[trafo, ["tap_neutral", "tap_pos", "tap_step_percent"]] = 0, 0, 1.25
    net.trafo["tap_side"] = net.trafo["tap_side"].astype(object)
    net.trafo.loc[trafo, "tap_side"] = "hv"
    net.trafo["tap_changer_type"] = net.trafo.get("tap_changer_type", pd.Series(dtype=object))
    net.trafo["tap_changer_type"] = net.trafo["tap_changer_type"].astype(object)
    net.trafo.loc[trafo, "tap_changer_type"] = "Ratio"
    text = f"tap,set_tap,trafo,{trafo},3,,always\nstep,set_step,shunt,{shunt},2,,always\n"
    found = dict(relieved(net, lost, text, tmp_path))

    def tapped(plain):
        plain.trafo.loc[trafo, "tap_pos"] = 3

    def stepped(plain):
        tapped(plain)
        plain.shunt.loc[shunt, "step"] = 2

    same(found["tap"], by_hand(net, lost, tapped))
    same(found["step"], by_hand(net, lost, stepped))


@pytest.mark.parametrize("solver", ["ac", "dc"])
def test_a_redispatch_of_a_group_relieves_and_moves_the_group_alone(tmp_path, solver):
    net, lost, _ = rts(solver)
    group = net.gen.index[net.gen["in_service"]][::2]
    text = "".join(f"move,redispatch,gen,{index},,,loading\n" for index in group)
    ((name, end),) = relieved(net, lost, text, tmp_path, solver=solver)
    assert name == "move"
    assert "MW redispatched" in end.detail
    power = end.elements["gen"]["p_mw"]
    still = ~net.gen.index.isin(group) & net.gen["in_service"].to_numpy()
    np.testing.assert_allclose(power[still], net.gen["p_mw"].to_numpy()[still], atol=1e-6)
    if solver == "dc":
        assert "nothing is violated" in end.detail

    def moved(plain):
        plain.gen["p_mw"] = np.nan_to_num(power)

    same(end, by_hand(net, lost, moved, solver=solver))


def test_order_conditions_and_contingencies_are_honoured(tmp_path):
    net, lost, other = rts()
    load = net.load.index[0]
    text = (
        f"elsewhere,open,line,{other},,line:999999,always\n"
        f"voltage,open,line,{other},,,voltage\n"
        f"other,shed_percent,load,{load},10,,line:{lost}\n"
        f"mine,open,line,{other},,,line:{other}\n"
        f"late,shed_percent,load,{load},50,,violation\n"
    )
    found = relieved(net, lost, text, tmp_path)
    assert found[0][0] == "mine"
    assert "elsewhere" not in dict(found)
    end = dict(found)["mine"]
    broken = np.nan_to_num(end.elements["line"]["loading_percent"]) > 100
    assert ("late" in dict(found)) == bool(broken.any())
    assert ("nothing is violated" in end.detail) == (not broken.any())


def test_the_best_of_all_actions_is_found_and_hopeless_ones_are_said(tmp_path):
    net, lost, other = rts()
    text = (
        f"little,shed_percent,load,{net.load.index[40]},1,,\n"
        f"open it,open,line,{other},,,\n"
        f"much,shed_percent,load,{net.load.index[0]},90,,\n"
    )
    ((name, end),) = relieved(net, lost, text, tmp_path, choose="best")
    burdens = {}
    for action in text.splitlines():
        ((one, found),) = relieved(net, lost, action.replace(",,,", ",,,always"), tmp_path) or [
            (action.split(",")[0], None)
        ]
        loading = np.concatenate(
            [np.nan_to_num(found.elements[e]["loading_percent"]) for e in ("line", "trafo")]
        )
        burdens[one] = np.maximum(loading - 100, 0)[loading > 100].sum()
    assert name == min(burdens, key=burdens.get)
    assert f"{name} relieves most of 3 actions" in end.detail
    nothing = f"nothing,shed_percent,load,{net.load.index[40]},0,,\n"
    ((name, end),) = relieved(net, lost, nothing, tmp_path, choose="best")
    assert name == "none"
    assert "none of 1 action helps" in end.detail


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,opened,line,1,,,", "'opened' is no change"),
        ("a,open,lines,1,,,", "open isn't for 'lines'"),
        ("a,set_mw,gen,1,,,", "set_mw needs a value"),
        ("a,open,line,1,5,,", "open has no value"),
        ("a,set_mw,gen,1,much,,", "'much' is no number"),
        ("a,open,line,1,,,sometimes", "'sometimes' is no condition"),
        ("a,open,line,999999,,,", "no line"),
    ],
)
def test_rows_at_fault_are_named(tmp_path, row, told):
    table = tmp_path / "actions.csv"
    table.write_text(HEADER + row + "\n")
    net = pandapower.networks.case14()
    with pytest.raises(InputErrors, match="row 2") as caught:
        actions_of(ElementIndex(net), table)
    assert told in str(caught.value)


@pytest.mark.workflow
def test_a_study_with_actions(workspace):
    net, lost, other = rts()
    write_grid(net, workspace.path / "rts.json")
    text = HEADER + f"drop,open,line,{other},,line:{lost},loading\n"
    workspace.write("actions.csv", text)
    manifest = {
        "grid": "rts.json",
        "solver": "ac",
        "contingencies": {"depth": 1, "types": ["line"], "category": "P1"},
        "actions": "actions.csv",
        "scenarios": [
            {"id": "one"},
            {"id": "best", "actions": {"table": "actions.csv", "choose": "best"}},
        ],
    }
    workspace.write("manifest.json", manifest)
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    assert "summary/categories.parquet  " in run.stderr
    assert "summary/remedies.parquet  " in run.stderr
    rows = pd.read_parquet(workspace.result("one"))
    names = rows.loc[rows["element"] == "system", "contingency"].dropna().tolist()
    assert names.index(f"line:{lost}|drop") == names.index(f"line:{lost}") + 1
    found = pd.read_parquet(workspace.batch / "summary" / "categories.parquet")
    each = found[found["scenario"].notna()].set_index("scenario")
    assert each.loc["one", "contingencies"] == sum("|" not in name for name in names)
    cleared = rows.loc[rows["contingency"] == f"line:{lost}|drop", "limit"].isna().all()
    assert each.loc["one", "relieved"] == int(cleared)
    assert_remedies_are_told(workspace)
    workspace.write("actions.csv", text.replace("loading", "sometimes"))
    refused = workspace.run()
    assert refused.returncode == 1
    assert "actions.csv" in refused.stderr
    assert "row 2: 'sometimes' is no condition" in refused.stderr


def assert_remedies_are_told(workspace):
    """What actions did, by hand from the rows; what follows isn't counted as an overload."""
    summary = workspace.batch / "summary"
    rows = pd.read_parquet(summary / "aggregated_results.parquet")
    rows = rows[rows["contingency"].notna()]
    first, _, action = zip(*rows["contingency"].str.partition("|").to_numpy(), strict=True)
    rows = rows.assign(first=first, action=action)
    keys = ["scenario", "first", "action"]
    state = rows.groupby(keys).agg(broken=("limit", "count"), status=("status", "first"))
    state["failing"] = (state["broken"] > 0) | ~state["status"].isin(["ok", "islanded"])
    state = state.reset_index()
    remedies = pd.read_parquet(summary / "remedies.parquet")
    (drop,) = remedies[remedies["action"] == "drop"].itertuples()
    taken = state[state["action"] == "drop"]
    assert (drop.category, drop.contingencies) == ("P1", len(taken))
    assert drop.relieved == (~taken["failing"]).sum()
    assert drop.violations == taken["broken"].sum()
    helped = set(zip(taken["scenario"], taken["first"], ~taken["failing"], strict=True))
    alone = state[(state["action"] == "") & state["failing"]]
    followed = state[state["action"] != ""]
    tried = set(zip(followed["scenario"], followed["first"], strict=True))
    left = [
        (row.scenario, row.first) for row in alone.itertuples()
        if (row.scenario, row.first, True) not in helped and (row.scenario, row.first) in tried
    ]  # fmt: skip
    none = remedies[remedies["action"].isna()]
    assert none["contingencies"].sum() == len(left)
    overloads = pd.read_parquet(summary / "overloads.parquet")
    own = rows[(rows["action"] == "") & rows["limit"].notna() & (rows["element"] != "bus")]
    assert set(overloads["category"]) == {"P1"}
    assert overloads["overloads"].sum() == len(own)
    page = (summary / "report.html").read_text()
    assert "what helps:" in page
    assert f"what is tried doesn&#39;t suffice after {len(left)}" in page
