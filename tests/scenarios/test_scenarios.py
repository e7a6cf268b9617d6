"""Specifications of scenarios: what they are made into, and that none ends in a traceback."""

from __future__ import annotations

import json
from itertools import combinations

import networkx as nx
import numpy as np
import pandapower.networks
import pandas as pd
import pytest
import yaml

from gat_batch.errors import GatBatchError
from gat_batch.files.workflow_files import SCHEMAS
from gat_batch.scenarios.product import make
from gat_batch.study.injection_tables import read_injections
from gat_batch.study.manifest import read_manifest

SCHEMA = json.loads((SCHEMAS / "manifest.schema.json").read_text())


@pytest.fixture
def made(tmp_path):
    """Makes the scenarios of a specification: entries by id, and the folder."""

    def run(specification, name="study.yaml"):
        file = tmp_path / name
        file.write_text(yaml.safe_dump(specification, sort_keys=False), encoding="utf-8")
        out = tmp_path / "out"
        count = make(file, out)
        batch = read_manifest(out / "manifest.json", SCHEMA)
        assert len(batch.scenarios) == count
        return {scenario.id: scenario for scenario in batch.scenarios}

    return run


def specification(*scenarios, **top):
    return {"version": 1, "grid": "pandapower:case118", **top, "scenarios": list(scenarios)}


def rows_of(scenario, kind="load"):
    path, rows = next((p, r) for k, p, r in scenario.injections if k == kind)
    table = read_injections(path, kind, rows)
    frame = pd.DataFrame({"id": [int(table.labels[n]) for n in table.label], **table.values})
    if table.snapshots:
        frame["snapshot"] = [table.snapshots[n] for n in table.snapshot]
    return frame


def outages(scenario):
    return [(outage.type, outage.id) for outage in scenario.outages]


def fault_of(made, *arguments, **keywords):
    with pytest.raises(GatBatchError) as caught:
        made(specification(*arguments, **keywords))
    return str(caught.value)


def test_scenarios_inherit_from_their_base_and_the_defaults(made):
    scenarios = made(
        specification(
            {"id": "peak", "base": "frame", "load_scale": 1.2, "metadata": {"b": 2}},
            {"id": "frame", "template": True, "tags": ["x"], "metadata": {"a": 1}},
            {"id": "worse", "base": "peak", "outages": [{"type": "line", "id": 7}], "tags": ["y"]},
            defaults={"solver": "ac", "load_scale": 0.9, "tags": ["d"]},
            timeout_secs=5,
            max_jobs=3,
        )
    )
    assert list(scenarios) == ["peak", "worse"]
    peak, worse = scenarios.values()
    assert (peak.load_scale, peak.tags, peak.metadata) == (1.2, ("x",), {"a": 1, "b": 2})
    assert (worse.load_scale, worse.tags, worse.metadata) == (1.2, ("y",), {"a": 1, "b": 2})
    assert (worse.solver, worse.timeout_secs) == ("ac", 5)
    assert outages(worse) == [("line", 7)]


def test_sweep_makes_every_combination_and_zip_goes_in_lockstep(made):
    scenarios = made(
        specification(
            {
                "id": "s",
                "sweep": {"load_scale": [0.8, 1.0], "solver": ["dc", "ac"]},
                "zip": {"gen_scale": [1, 2], "weight": [0.25, 0.75]},
            }
        )
    )
    assert len(scenarios) == 8
    assert scenarios["s-0.8-ac-2-0.75"].load_scale == 0.8
    found = {(s.load_scale, s.solver, s.gen_scale, s.weight) for s in scenarios.values()}
    assert found == {
        (load, solver, *pair)
        for load in (0.8, 1.0)
        for solver in ("dc", "ac")
        for pair in ((1, 0.25), (2, 0.75))
    }


def test_scaling_reaches_the_chosen_elements_only(made):
    net = pandapower.networks.case118()
    scenarios = made(
        specification(
            {
                "id": "s",
                "scale": {
                    "high": {"of": "load", "where": {"vn_kv": {"min": 200}}, "by": 1.5},
                    "tagged": {"of": "load", "where": {"tag": "mine"}, "by": 2},
                },
                "sweep": {"scale.high": [1.5, 0.5]},
            },
            element_tags={"mine": {"load": [0, 1]}},
        )
    )
    high = net.bus["vn_kv"].loc[net.load["bus"]].to_numpy() >= 200
    assert 0 < high.sum() < len(net.load)
    for name, by in (("s-1.5", 1.5), ("s-0.5", 0.5)):
        table = rows_of(scenarios[name]).set_index("id")
        factor = np.where(high, by, 1.0) * np.where(net.load.index < 2, 2.0, 1.0)
        named = high | (net.load.index < 2)
        assert list(table.index) == list(net.load.index[named])
        for column in ("p_mw", "q_mvar"):
            wanted = (net.load[column] * factor)[named]
            assert np.allclose(table[column], wanted, rtol=0, atol=1e-6)


def test_each_outage_is_a_scenario(made):
    net = pandapower.networks.case118()
    one = made(specification({"id": "n1", "each_outage": {}}))
    branches = [("line", n) for n in range(len(net.line))]
    branches += [("trafo", n) for n in range(len(net.trafo))]
    assert [outages(s) for s in one.values()] == [[branch] for branch in branches]
    assert one["n1-line-7"].outages[0].id == 7

    two = made(
        specification(
            {"id": "n2", "each_outage": {"depth": 2, "types": ["gen"]}, "load_scale": 0.5}
        )
    )
    pairs = list(combinations(range(len(net.gen)), 2))
    assert [[n for _, n in outages(s)] for s in two.values()] == [list(pair) for pair in pairs]
    assert f"n2-gen-{pairs[0][0]}+gen-{pairs[0][1]}" in two
    assert {s.load_scale for s in two.values()} == {0.5}


def test_outages_by_filter_by_list_and_without_those_that_cut_off(made, tmp_path):
    net = pandapower.networks.case118()
    high = set(net.bus.index[net.bus["vn_kv"] == 345])
    where = {"vn_kv": 345}
    chosen = made(specification({"id": "f", "each_outage": {"types": ["line"], "where": where}}))
    wanted = [
        n for n, line in net.line.iterrows() if line["from_bus"] in high or line["to_bus"] in high
    ]
    assert [outages(s)[0][1] for s in chosen.values()] == wanted

    (tmp_path / "sets.csv").write_text("contingency,type,id\na,line,1\na,gen,2\nb,bus,3\n")
    listed = made(specification({"id": "l", "each_outage": {"sets": "sets.csv"}}))
    assert {name: outages(s) for name, s in listed.items()} == {
        "l-line-1+gen-2": [("line", 1), ("gen", 2)],
        "l-bus-3": [("bus", 3)],
    }

    (tmp_path / "excel.csv").write_text("type;contingency;id\nline;a;1\n\ngen;a;2\nbus;b;3\n")
    again = made(specification({"id": "l", "each_outage": {"sets": "excel.csv"}}))
    assert {name: outages(s) for name, s in again.items()} == {
        name: outages(s) for name, s in listed.items()
    }

    (tmp_path / "planning.sub").write_text("SUBSYSTEM A\nBUS 2\nBUS 3\nEND\n")
    (tmp_path / "planning.con").write_text(
        "SINGLE BUS IN SUBSYSTEM A\n"
        "CONTINGENCY X\nREMOVE LOAD 1 FROM BUS 1\nDISCONNECT BUS 3\nEND\n"
    )
    planned = specification({"id": "p", "each_outage": {"sets": "planning.con"}})
    assert {name: outages(s) for name, s in made(planned).items()} == {
        "p-bus-2": [("bus", 2)],
        "p-bus-3": [("bus", 3)],
        "p-bus-3+load-1": [("bus", 3), ("load", 1)],
    }

    whole = made(specification({"id": "c", "each_outage": {"connected": True}}))
    ends = pd.concat(
        [
            net.line[["from_bus", "to_bus"]],
            net.trafo[["hv_bus", "lv_bus"]].set_axis(["from_bus", "to_bus"], axis=1),
        ]
    )
    pairs = [frozenset(pair) for pair in ends.itertuples(index=False)]
    bridges = {frozenset(pair) for pair in nx.bridges(nx.Graph(map(tuple, pairs)))}
    alone = [pair for pair in pairs if pair in bridges and pairs.count(pair) == 1]
    assert 0 < len(alone) == len(pairs) - len(whole)


@pytest.mark.parametrize(
    ("scenario", "top", "fragments"),
    [
        ({"id": "a", "base": "aa"}, {}, ["'a'", "base", "no scenario 'aa'"]),
        ({"id": "a", "base": "a"}, {}, ["goes in a circle"]),
        ({"id": "a", "template": True}, {}, ["only templates"]),
        ({"id": "a", "lod_scale": 1}, {}, ["lod_scale", "did you mean 'load_scale'"]),
        ({"id": "a", "sweep": {"load_scal": [1]}}, {}, ["sweep.load_scal", "'load_scale'"]),
        ({"id": "a", "sweep": {"load_scale": ["x"]}}, {}, ["'x' is not a value"]),
        ({"id": "a", "sweep": {"scale.no": [1]}}, {}, ["there is no scale 'no'"]),
        ({"id": "a", "zip": {"load_scale": [1], "weight": [1, 2]}}, {}, ["different lengths"]),
        ({"id": "a", "scale": {"x": {"of": "load", "where": {"zone": 9}}}}, {}, ["no load meets"]),
        ({"id": "a", "scale": {"x": {"of": "load", "where": {"area": 1}}}}, {}, ["have no area"]),
        ({"id": "a", "scale": {"x": {"of": "sgen"}}}, {}, ["has no sgen"]),
        ({"id": "a", "each_outage": {"types": ["trafo3w"]}}, {}, ["each_outage", "no element"]),
        ({"id": "a", "each_outage": {"sets": "no.csv"}}, {}, ["no.csv", "can't be read"]),
        ({"id": "a", "outages": [{"type": "branch", "id": "x"}]}, {}, ["no branch 'x'"]),
        ({"id": "a", "outages": [{"type": "branch", "id": 3}]}, {}, ["is a line and trafo"]),
        ({"id": "a", "options": {"tol": 1}}, {}, ["no option 'tol'"]),
        ({"id": "a", "time_slices": "all"}, {}, ["no profiles"]),
        ({"id": "a", "grid": "no.json"}, {}, ["no.json", "no such file"]),
        ({"id": "a", "draws": {"count": 1, "random": {"x": {"of": "load"}}}}, {}, ["std: missing"]),
        ({"id": "x" * 128, "sweep": {"weight": [1]}}, {}, ["leads to the id"]),
        ({"id": "a"}, {"solver": "acc"}, ["solver", "did you mean 'ac'"]),
        ({"id": "a"}, {"version": 2}, ["version"]),
    ],
)
def test_faults_say_what_is_wrong_and_where(made, scenario, top, fragments):
    message = fault_of(made, scenario, **top)
    own = any(".csv" in fragment or ".json" in fragment for fragment in fragments)
    for fragment in fragments if own else ["study.yaml", *fragments]:
        assert fragment in message


def test_all_faults_are_told_together(made):
    message = fault_of(
        made,
        {"id": "a", "base": "none"},
        {"id": "b", "base": "nil"},
    )
    assert len(message.splitlines()) == 2
    message = fault_of(
        made,
        {"id": "a", "scale": {"x": {"of": "load", "where": {"zone": 7}}}},
        {"id": "b", "outages": [{"type": "branch", "id": "none"}]},
        {"id": "c"},
    )
    assert [line.split("'")[1] for line in message.splitlines()] == ["a", "b"]


def test_fault_found_late_leaves_the_product_as_it_was(made, tmp_path):
    many = {"id": "m", "scale": {"x": {"of": "load"}}, "sweep": {"scale.x": [1.0] * 3}}
    draws = {"count": 1100, "random": {"noise": {"of": "load", "std": 0.1}}}
    made(specification({"id": "d", "draws": draws}, grid="pandapower:case9"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {"loads_0001.parquet", "loads_0002.parquet"} <= set(before)
    wrong = {"id": "w", "outages": [{"type": "branch", "id": "none"}]}
    message = fault_of(
        made, {"id": "d", "draws": draws}, many, wrong, grid="pandapower:case9", seed=2
    )
    assert "no branch 'none'" in message
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    made(specification({"id": "d"}, grid="pandapower:case9"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "manifest.json",
        "made_from.json",
    }


def test_what_is_out_anyway_is_no_further_outage(made):
    own = [{"type": "line", "id": 1}]
    each = {"types": ["line"]}
    scenarios = made(
        specification({"id": "s", "outages": own, "each_outage": each}, grid="pandapower:case9")
    )
    lines = len(pandapower.networks.case9().line)
    assert [outages(s) for s in scenarios.values()] == [
        [("line", 1), ("line", n)] for n in range(lines) if n != 1
    ]
