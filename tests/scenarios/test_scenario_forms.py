"""Time slices, dispatch, the namesake's files, looking before writing, and any content at all."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandapower.networks
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import make_scenarios
from gat_batch.errors import GatBatchError
from gat_batch.files.documents import read_document
from gat_batch.files.workflow_files import SCHEMAS
from gat_batch.scenarios.product import make, plan_product
from gat_batch.study.injection_tables import read_injections
from gat_batch.study.manifest import batch_of, read_manifest

SCHEMA = json.loads((SCHEMAS / "manifest.schema.json").read_text())


def made(folder, content):
    """Scenarios by id of a specification, in any of its forms."""
    file = folder / "study.json"
    file.write_text(json.dumps(content))
    make(file, folder / "out")
    batch = read_manifest(folder / "out" / "manifest.json", SCHEMA)
    return {scenario.id: scenario for scenario in batch.scenarios}


def rows_of(path, kind, rows):
    table = read_injections(path, kind, rows)
    frame = pd.DataFrame({"id": [int(table.labels[n]) for n in table.label], **table.values})
    frame["snapshot"] = [table.snapshots[n] if table.snapshots else "" for n in table.snapshot]
    return frame


def study(*scenarios, **top):
    return {"version": 1, "grid": "pandapower:case9", **top, "scenarios": list(scenarios)}


CARRIED = {
    "solver": "ac",
    "timeout_secs": 7,
    "options": {"tolerance_mva": 1e-6},
    "contingencies": [{"rules": ["P1"]}, {"sets": "t.csv"}, "t.csv", "n-1"],
    "categories": {"P1": {"rating": {"table": "t.csv"}}, "P2": {"rating": {"line": "grid"}}},
    "cascade": {"trip_above_percent": 120, "max_rounds": 4},
    "actions": {"table": "t.csv", "choose": "best"},
    "keep": "system",
    "impedances": "t.csv",
    "loads": "t.csv",
    "gens": "t.csv",
    "load_scale": 1.5,
    "gen_scale": 0.5,
    "outages": [{"type": "line", "id": 1}],
    "weight": 2,
    "tags": ["a"],
    "description": "b",
    "metadata": {"table": "as it is"},
}


TOP = {"max_jobs": 3, "layout": "block", "question": "does t.csv hold?", "compare": ["a", "b"]}
"""Keys that only the whole has."""
PRICED = {"costs": "t.csv", "limits": "t.csv"}
"""What only optimal power flows have, which haven't all of the others."""


def test_tables_of_costs_and_limits_reach_the_manifest(tmp_path):
    (tmp_path / "t.csv").write_text("id,p_mw\n4,1\n")
    swept = {"solver": "ac_opf", "limits": "t.csv", "sweep": {"costs": ["t.csv", "more/u.csv"]}}
    file = tmp_path / "study.json"
    file.write_text(json.dumps(study({"id": "a", **swept})))
    make(file, tmp_path / "out")
    entries = json.loads((tmp_path / "out" / "manifest.json").read_text())["scenarios"]
    assert [entry["id"] for entry in entries] == ["a-t.csv", "a-more.u.csv"]
    assert [entry["costs"] for entry in entries] == ["../t.csv", "../more/u.csv"]
    assert {entry["limits"] for entry in entries} == {"../t.csv"}


def test_what_a_manifest_knows_too_reaches_it_with_paths_seen_from_there(tmp_path):
    known = json.loads((SCHEMAS / "scenario_specification.schema.json").read_text())
    both = known["$defs"]["scenario"]["properties"].keys()
    both &= SCHEMA["$defs"]["scenario"]["properties"].keys()
    assert both - {"id", "grid", "time_slices", *PRICED} == CARRIED.keys()
    both = known["properties"].keys() & SCHEMA["properties"].keys()
    assert both - {"scenarios", "grid"} <= CARRIED.keys() | TOP.keys()
    (tmp_path / "t.csv").write_text("id,p_mw\n4,1\n")
    for place in ("scenario", "defaults", "top"):
        top = known["properties" if place == "top" else "$defs"]
        if place == "defaults":
            top = known["properties"]["defaults"]["properties"]
        given = CARRIED
        if place != "scenario":
            given = {key: value for key, value in CARRIED.items() if key in top}
        if place == "top":
            given |= TOP
            content = study({"id": "a", "tags": ["a"]}, {"id": "b", "tags": ["b"]}, **given)
        elif place == "defaults":
            content = study({"id": "a"}, defaults=given)
        else:
            content = study({"id": "a", **given})
        file = tmp_path / "study.json"
        file.write_text(json.dumps(content))
        make(file, tmp_path / "out")
        manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
        entry = manifest if place == "top" else manifest["scenarios"][0]
        text = json.dumps({key: given[key] for key in given})
        seen = json.loads(text.replace('"t.csv"', '"../t.csv"'))
        assert {key: entry.get(key) for key in seen} == seen, place


HOURS = "time,H0\n2030-01-01 00:00:00,0.5\n2030-01-01 01:00:00,0.75\n2030-01-01 02:00:00,1.25\n"


def test_profiles_make_snapshots(tmp_path):
    (tmp_path / "p.csv").write_text(HOURS)
    profiles = {"demand": {"file": "p.csv", "of": "load", "column": "H0"}}
    scenario = made(
        tmp_path,
        study(
            {"id": "day", "time_slices": "all", "scale": {"x": {"of": "load", "by": 2}}},
            profiles=profiles,
        ),
    )["day"]
    table = rows_of(scenario.loads, "load", scenario.load_rows)
    own = pandapower.networks.case9().load
    assert list(table["snapshot"].unique()) == [f"2030-01-01T0{n}:00:00" for n in range(3)]
    for time, factor in zip(table["snapshot"].unique(), (0.5, 0.75, 1.25), strict=True):
        part = table[table["snapshot"] == time].set_index("id")
        assert np.allclose(part["p_mw"], own["p_mw"] * 2 * factor, rtol=0, atol=1e-6)
        assert np.allclose(part["q_mvar"], own["q_mvar"] * 2 * factor, rtol=0, atol=1e-6)


def test_each_slice_is_a_scenario_and_slices_are_chosen(tmp_path):
    (tmp_path / "p.csv").write_text(HOURS)
    top = {"profiles": {"demand": {"file": "p.csv", "of": "load", "column": "H0"}}}
    each = {"id": "h", "each_slice": True, "time_slices": {"first": "2030-01-01T01:00"}}
    scenarios = made(tmp_path, study(each, **top))
    assert list(scenarios) == ["h-2030-01-01T01.00.00", "h-2030-01-01T02.00.00"]
    last = scenarios["h-2030-01-01T02.00.00"]
    table = rows_of(last.loads, "load", last.load_rows)
    own = pandapower.networks.case9().load["p_mw"]
    assert np.allclose(table["p_mw"], own * 1.25, rtol=0, atol=1e-6)
    assert last.metadata["time"] == "2030-01-01T02:00:00"
    one = made(tmp_path, study({"id": "h", "time_slices": ["2030-01-01T01:00"]}, **top))["h"]
    assert set(rows_of(one.loads, "load", one.load_rows)["snapshot"]) == {"2030-01-01T01:00:00"}
    other = made(tmp_path, study({"id": "h", "time_slices": {"every": 2}}, **top))["h"]
    assert rows_of(other.loads, "load", other.load_rows)["snapshot"].nunique() == 2
    back = {"first": "2030-01-01T01:00", "last": "2030-01-01T00:00"}
    with pytest.raises(GatBatchError, match="time_slices go from"):
        made(tmp_path, study({"id": "h", "time_slices": back}, **top))
    with pytest.raises(GatBatchError, match="is not a value of this parameter"):
        made(tmp_path, study({"id": "h", "sweep": {"timeout_secs": [5, 1e99]}}, **top))
    with pytest.raises(GatBatchError, match="-1 is not a value of this parameter"):
        made(tmp_path, study({"id": "h", "sweep": {"load_scale": [1, -1]}}, **top))
    with pytest.raises(GatBatchError, match="has no time 2031"):
        made(tmp_path, study({"id": "h", "time_slices": ["2031-01-01"]}, **top))


def test_simbench_profiles_are_read_as_they_come(tmp_path):
    """Semicolons, German dates, _pload and _qload, and profiles named by the elements."""
    net = pandapower.networks.case9()
    net.load["profile"] = ["H0-A", "G1-B", None]
    pandapower.create_sgen(net, 5, p_mw=10.0, q_mvar=2.0)
    net.sgen["profile"] = "PV3"
    pandapower.to_json(net, str(tmp_path / "net.json"))
    (tmp_path / "LoadProfile.csv").write_text(
        "time;H0-A_pload;H0-A_qload;G1-B_pload;G1-B_qload\n"
        "01.01.2016 00:00;0.1;0.2;0.3;0.4\n01.01.2016 00:15;0.5;0.6;0.7;0.8\n"
    )
    (tmp_path / "RESProfile.csv").write_text(
        "time;PV3;WP1\n01.01.2016 00:00;0;0.9\n01.01.2016 00:15;0.4;0.9\n"
    )
    profiles = {
        "demand": {"file": "LoadProfile.csv", "of": "load"},
        "sun": {"file": "RESProfile.csv", "of": "sgen"},
    }
    scenario = made(
        tmp_path,
        study({"id": "s", "time_slices": "all"}, grid="net.json", profiles=profiles),
    )["s"]
    loads = rows_of(scenario.loads, "load", scenario.load_rows)
    assert list(loads["snapshot"].unique()) == ["2016-01-01T00:00:00", "2016-01-01T00:15:00"]
    second = loads[loads["snapshot"] == "2016-01-01T00:15:00"].set_index("id")
    own = net.load.iloc[:2]
    assert np.allclose(second["p_mw"], own["p_mw"] * [0.5, 0.7], rtol=0, atol=1e-6)
    assert np.allclose(second["q_mvar"], own["q_mvar"] * [0.6, 0.8], rtol=0, atol=1e-6)
    sun = rows_of(scenario.gens, "gen", scenario.gen_rows)
    assert list(sun["p_mw"]) == [0.0, 4.0]
    assert list(sun["q_mvar"]) == [0.0, 0.8]


def test_dispatch_holds_after_scaling(tmp_path):
    net = pandapower.networks.case9()
    orders = [{"id": 0, "max_p_mw": 100}, {"id": 1, "type": "gen", "p_mw": 50}]
    scenarios = made(
        tmp_path,
        study({"id": "d", "dispatch": orders, "sweep": {"gen_scale": [0.5, 2]}}),
    )
    for name, scale in (("d-0.5", 0.5), ("d-2", 2)):
        scenario = scenarios[name]
        table = rows_of(scenario.gens, "gen", scenario.gen_rows)
        first = min(net.gen["p_mw"].iloc[0] * scale, 100)
        assert np.allclose(table["p_mw"] * scale, [first, 50], rtol=0, atol=1e-5)
    for order, fragment in (
        ({"id": 7, "p_mw": 1}, "no generator 7"),
        ({"id": 0, "min_p_mw": 2, "max_p_mw": 1}, "min_p_mw is above max_p_mw"),
    ):
        with pytest.raises(GatBatchError, match=fragment):
            made(tmp_path, study({"id": "d", "dispatch": [order]}))


NAMESAKE = {
    "version": 1,
    "grid_file": "net.json",
    "defaults": {
        "load_scale": 0.9,
        "renewable_scale": 0.8,
        "time_slices": ["2025-01-01T12:00:00Z"],
        "weight": 2.0,
        "metadata": {"study": "n-1"},
    },
    "scenarios": [
        {"scenario_id": "base", "description": None},
        {
            "scenario_id": "out",
            "tags": ["n-1"],
            "load_scale": 1.1,
            "outages": [
                {"type": "branch", "id": "tie"},
                {"type": "gen", "id": "1"},
                {"type": "bus", "id": "8"},
            ],
            "dispatch_overrides": [
                {"resource_id": "0", "p_max_mw": 40, "must_run": None, "cost_multiplier": 1.5}
            ],
        },
    ],
}


def test_namesakes_specification_is_read_as_it_is(tmp_path):
    net = pandapower.networks.case9()
    net.line.loc[2, "name"] = "tie"
    pandapower.to_json(net, str(tmp_path / "net.json"))
    base, out = made(tmp_path, NAMESAKE).values()
    assert (base.load_scale, base.gen_scale, base.weight, base.loads) == (0.9, 0.8, 2, None)
    assert base.metadata == {"study": "n-1", "time_slices": ["2025-01-01T12:00:00"]}
    assert (out.load_scale, out.gen_scale, out.tags) == (1.1, 0.8, ("n-1",))
    assert [(o.type, o.id) for o in out.outages] == [("line", 2), ("gen", 1), ("bus", 8)]
    table = rows_of(out.gens, "gen", out.gen_rows)
    assert np.allclose(table["p_mw"] * 0.8, [40], rtol=0, atol=1e-5)

    several = {**NAMESAKE, "scenarios": [{"scenario_id": "t", "time_slices": ["a", "b"]}]}
    day = made(tmp_path, several)["t"]
    assert list(rows_of(day.loads, "load", day.load_rows)["snapshot"].unique()) == ["a", "b"]


def test_namesakes_manifest_is_read_as_it_is(tmp_path):
    """Its grids have the scenarios laid over them already: nothing is scaled again."""
    pandapower.to_json(pandapower.networks.case9(), str(tmp_path / "net.json"))
    entry = {
        "scenario_id": "a",
        "description": None,
        "grid_file": "net.json",
        "time_slices": ["2025-01-01T12:00:00Z"],
        "load_scale": 1.2,
        "renewable_scale": 0.5,
        "weight": 0.25,
        "tags": ["x"],
        "metadata": {"k": "v"},
    }
    scenario = made(tmp_path, [entry])["a"]
    assert (scenario.load_scale, scenario.gen_scale, scenario.weight) == (1, 1, 0.25)
    assert scenario.metadata["load_scale"] == 1.2
    assert scenario.metadata["k"] == "v"
    assert (tmp_path / "out" / scenario.grid).resolve() == (tmp_path / "net.json").resolve()


@pytest.fixture
def look(tmp_path, monkeypatch, capsys):
    """Runs the command on a specification: exit code, stdout and stderr."""

    def run(content, *flags):
        file = tmp_path / "study.json"
        file.write_text(json.dumps(content))
        monkeypatch.setattr(sys, "argv", ["make_scenarios.py", str(file), *flags])
        code = make_scenarios.main()
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_looking_tells_and_writes_nothing(look, tmp_path):
    content = study(
        {"id": "heavy", "load_scale": 9},
        {"id": "n1", "each_outage": {}, "contingencies": {"depth": 1, "types": ["gen"]}},
    )
    code, counted, warned = look(content, "--expand")
    assert code == 0
    assert "heavy: 1 scenario\nn1: 9 scenarios\n10 scenarios, 28 states" in counted
    assert "MB of results" in counted
    assert "1 scenario with more load than generators can give" in warned
    assert "3 scenarios with buses cut off; most of all n1-line-0" in warned
    listed = look(content, "--list")[1].split()
    assert (len(listed), listed[:2]) == (10, ["heavy", "n1-line-0"])
    assert look(content, "--validate")[:2] == (0, "valid: 10 scenarios\n")
    code, _, told = look(study({"id": "a", "outages": [{"type": "line", "id": 99}]}), "--validate")
    assert code == 1
    assert "scenario 'a': outages: there is no line 99" in told
    manifest = {"grid": "pandapower:case9", "scenarios": [{"id": "a"}]}
    code, _, told = look(manifest, "--validate")
    assert code == 1
    assert "study.json: is a manifest, no specification (run it as it is" in told
    with pytest.raises(SystemExit):
        look(content)
    assert [path.name for path in tmp_path.iterdir()] == ["study.json"]


def test_balance_counts_what_tables_and_outages_change(look):
    """Load 315 MW; limits 270 and 300 MW of the gens, 250 MW of the external grid."""
    net = pandapower.networks.case9()
    limits = [*net.gen["max_p_mw"], *net.ext_grid["max_p_mw"]]
    assert (net.load["p_mw"].sum(), sum(limits)) == (315, 820)
    scaled = {"scale": {"x": {"of": "load", "where": {"id": 0}, "by": 7.2}}}  # 873 MW
    fine = {"scale": {"x": {"of": "load", "where": {"id": 0}, "by": 6.5}}}  # 810 MW
    out = {"load_scale": 1.8, "outages": [{"type": "gen", "id": 1}]}  # 567 of 550 or 520 MW
    for body, short in ((scaled, True), (fine, False), (out, True)):
        _, _, told = look(study({"id": "a", **body}), "--validate")
        assert ("more load than generators" in told) == short, told


SMALL = st.sampled_from([0, 1, 2, 0.5, -1, "all", "load", "gen", "x", "a", True, None, [], {}])
NAMES = st.sampled_from(["a", "b", "x"])
WHERE = st.fixed_dictionaries(
    {},
    optional={
        "zone": st.sampled_from([1, 5, [1, "x"]]),
        "vn_kv": st.sampled_from([345, {"min": 1}, {"max": 2}, [345.0]]),
        "id": st.sampled_from([0, [0, 1], 99, "x"]),
        "tag": NAMES,
    },
)
INJECTIONS = st.sampled_from(["load", "load", "load", "gen", "sgen"])
OUTAGE = st.fixed_dictionaries(
    {"type": st.sampled_from(["branch", "line", "gen", "bus", "trafo"]), "id": st.integers(0, 9)}
)
FACTORS = st.fixed_dictionaries(
    {"of": INJECTIONS | st.sampled_from(["load_scale", "gen_scale", "scale.x", "y"])},
    optional={"std": st.floats(0, 3), "mean": st.floats(0, 3), "where": WHERE},
) | st.builds(
    lambda shape, more: {"of": "load", **shape, **more},
    st.sampled_from(
        [
            {"distribution": "uniform", "low": 0, "high": 2},
            {"distribution": "triangular", "low": 0, "mode": 0, "high": 1},
            {"distribution": "beta", "alpha": 0.1, "beta": 9},
            {"distribution": "beta", "alpha": 1},
            {"distribution": "weibull", "shape": 1, "scale": 9, "rated": 9},
            {"distribution": "lognormal", "mean": 0.1, "std": 50},
            {"std": 1e300},
        ]
    ),
    st.sampled_from([{}, {"correlation": 0}, {"correlation": 1}, {"correlation": "t.csv"}]),
)
RATES = st.fixed_dictionaries(
    {
        "of": st.sampled_from(["line", "gen", "load", "trafo", "bus"]),
        "rate": st.sampled_from([0, 0.5, 1, "none.csv", "p.csv"]),
    },
    optional={"where": WHERE, "drawn_rate": st.floats(0.01, 0.99)},
)
BODY = {
    "template": st.booleans(),
    "load_scale": st.floats(0, 2),
    "gen_scale": st.floats(0, 2),
    "solver": st.sampled_from(["dc", "ac", "ac", "dc_opf"]),
    "scale": st.fixed_dictionaries(
        {"x": st.fixed_dictionaries({"of": INJECTIONS}, optional={"where": WHERE})}
    ),
    "outages": st.lists(OUTAGE, max_size=2),
    "dispatch": st.lists(
        st.fixed_dictionaries(
            {"id": st.integers(0, 2)},
            optional={
                "p_mw": st.floats(0, 9),
                "max_p_mw": st.floats(0, 9),
                "min_p_mw": st.floats(0, 9),
                "must_run": st.booleans(),
            },
        ),
        max_size=2,
    ),
    "time_slices": st.sampled_from(["all", ["0", "1"], [0, 7], {"every": 2}, {"last": "9"}]),
    "each_slice": st.booleans(),
    "sweep": st.sampled_from(
        [
            {"load_scale": [0.5, 1]},
            {"scale.x": [1, 2.5], "solver": ["dc", "ac"]},
            {"solver": ["dc", 1]},
            {"options.init": ["dc", "flat", 3]},
            {"grid": ["pandapower:case9", "pandapower:case14", "none.json"]},
            {"z": [1]},
        ]
    ),
    "zip": st.dictionaries(
        st.sampled_from(["weight", "gen_scale"]),
        st.lists(st.floats(0, 2), min_size=1, max_size=2),
        min_size=1,
    ),
    "each_outage": st.fixed_dictionaries(
        {},
        optional={
            "depth": st.integers(1, 2),
            "types": st.sampled_from([["line"], ["gen", "load"], ["trafo"], ["bus"]]),
            "where": WHERE,
            "sets": st.lists(st.lists(OUTAGE, min_size=1, max_size=2), min_size=1, max_size=2),
            "connected": st.booleans(),
            "count": st.integers(1, 3),
            "sizes": st.lists(st.floats(0, 1), min_size=1, max_size=3),
        },
    ),
    "draws": st.fixed_dictionaries(
        {
            "count": st.integers(1, 3),
            "random": st.dictionaries(NAMES, FACTORS | RATES, min_size=1, max_size=2),
        },
        optional={
            "method": st.sampled_from(["random", "latin_hypercube", "sobol"]),
            "seed": st.integers(0, 2**63 - 1),
        },
    ),
    "weight": st.floats(0, 3),
    "options": st.sampled_from([{"init": "dc"}, {"trafo_model": "pi"}, {"init": []}]),
}


@st.composite
def bodies(draw, least=0):
    """A few keys of a scenario, so that most combinations come to something."""
    names = draw(st.lists(st.sampled_from(sorted(BODY)), min_size=least, max_size=4, unique=True))
    return {name: draw(BODY[name]) for name in names}


@st.composite
def documents(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    scenarios = [{"id": name, **draw(bodies(1))} for name in names]
    if draw(st.booleans()):
        scenarios[-1]["base"] = draw(st.sampled_from(["a", names[0]]))
    profile = {"file": draw(st.sampled_from(["p.csv", "p.csv", "q.csv"])), "of": draw(INJECTIONS)}
    optional = {
        "profiles": st.just({"p": profile | draw(st.sampled_from([{"column": "a"}, {}]))}),
        "element_tags": st.sampled_from([{"a": {"load": [0]}}, {"x": {"gen": ["no"]}}, "t.csv"]),
        "seed": st.integers(0, 2**63 - 1),
    }
    top = {"version": 1, "grid": "pandapower:case9", "scenarios": scenarios}
    content = top | draw(st.fixed_dictionaries({}, optional=optional))
    if draw(st.sampled_from([False, False, False, True])):
        where = draw(st.sampled_from([content, *scenarios]))
        where[draw(st.sampled_from(sorted(where)))] = draw(SMALL)
    return content


THEIRS = st.fixed_dictionaries(
    {"scenario_id": NAMES},
    optional=dict.fromkeys(("grid_file", "load_scale", "metadata", "outages", "tags"), SMALL),
)
ANYTHING = st.recursive(
    SMALL | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=10,
)


def test_a_specification_without_a_scenario_says_so(tmp_path):
    outages = {"types": ["line"], "connected": True, "sets": [[{"type": "branch", "id": 0}]]}
    family = {"id": "a", "each_outage": outages}
    file = tmp_path / "study.json"
    content = {"version": 1, "grid": "pandapower:case9", "scenarios": [family]}
    file.write_text(json.dumps(content))
    with pytest.raises(GatBatchError, match=r"study\.json: makes no scenario \(no outage"):
        plan_product(read_document(file), file, tmp_path / "out")


@settings(max_examples=120, deadline=None)
@given(
    content=documents()
    | st.lists(THEIRS | ANYTHING, max_size=2)
    | st.fixed_dictionaries({"grid_file": SMALL, "scenarios": st.lists(THEIRS) | ANYTHING})
)
def test_no_specification_ends_in_a_traceback(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("s")
    (folder / "p.csv").write_text("time,a,x\n0,0.5,1\n1,1,1\n2,0,1\n")
    (folder / "q.csv").write_text("time,a\n0,none\n")
    (folder / "t.csv").write_text("tag,type,id\na,load,1\nx,sgen,0\n")
    file = folder / "study.json"
    file.write_text(json.dumps(content))
    try:
        manifest, product = plan_product(read_document(file), file, folder / "out")
    except GatBatchError:
        return
    # As one that people write.
    manifest = {**manifest, "scenarios": [*manifest["scenarios"]]}
    batch = batch_of(manifest, product.manifest, SCHEMA)
    assert batch.scenarios
    for scenario in batch.scenarios:
        for _, path, rows in scenario.injections:
            assert path is None or rows in product.tables[path]
