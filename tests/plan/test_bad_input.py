"""Faulty input ends a run before it starts: one line a fault, exit code 1, nothing written."""

from __future__ import annotations

import json

import pytest

from gat_batch.errors import InputErrors
from gat_batch.plan import study_check
from gat_batch.run.start import open_batch

GRID = "pandapower:case14"


def manifest(*scenarios, **top):
    return {"scenarios": list(scenarios) or [{"id": "a"}], "grid": GRID, **top}


def scenario(**keys):
    return {"id": "a", **keys}


def table(rows, name="loads.csv"):
    return {name: "\n".join(rows) + "\n"}


# name: (manifest as text or data, other files, what the message must say)
CASES = {
    # the document
    "no manifest": (None, {}, ["manifest.json", "no such file"]),
    "empty manifest": ("", {}, ["manifest.json", "line 1, column 1"]),
    "malformed json": ('{"scenarios": [\n  {"id": "a",}\n]}', {}, ["line 2, column"]),
    "not utf-8": (b"\xff\xfe{}", {}, ["manifest.json", "UTF-8"]),
    "a text": ('"x"', {}, ["manifest.json", '"x" must be a set of keys with values']),
    "an empty list": ([], {}, ["manifest.json", "scenarios", "too few"]),
    "key twice": ('{"scenarios": [{"id": "a", "id": "b"}]}', {}, ["id", "given twice"]),
    "nan": ('{"scenarios": [{"id": "a", "load_scale": NaN}]}', {}, ["NaN"]),
    "infinite": ('{"scenarios": [{"id": "a", "load_scale": 1e999}]}', {}, ["1e999"]),
    "huge integer": ('{"scenarios": [{"id": "a"}], "max_jobs": 1' + "0" * 30 + "}", {}, ["large"]),
    # keys and types
    "no scenarios": ({"solver": "dc"}, {}, ["scenarios", "missing"]),
    "empty scenarios": ({"scenarios": []}, {}, ["scenarios", "too few"]),
    "unknown key": (manifest(sover="dc"), {}, ["sover", "did you mean 'solver'"]),
    "unknown scenario key": (manifest(scenario(load="x")), {}, ["'a'", "did you mean 'loads'"]),
    "no id": (manifest({"grid": GRID}), {}, ["'#1'", "id", "missing"]),
    "id a number": (manifest({"id": 7}), {}, ["'#1'", "id: 7 must be text (put it in quotes)"]),
    "id leaves the folder": (manifest({"id": "../x"}), {}, ["'../x'", "not a safe name"]),
    "id with newline": (manifest({"id": "a\nb"}), {}, ["not a safe name"]),
    "id too long": (manifest({"id": "a" * 129}), {}, ["not a safe name"]),
    "id twice, and another fault": (
        manifest(scenario(), scenario(), {"id": "b", "weight": -1}, sover="dc"),
        {},
        [["'a'", "id", "2 scenarios"], ["'b'", "weight"], ["sover", "unknown key"]],
    ),
    "id twice": (manifest(scenario(), scenario()), {}, ["'a'", "id", "2 scenarios"]),
    "ids differ by case": (manifest(scenario(), {"id": "A"}), {}, ["upper and lower case"]),
    "unknown solver": (
        manifest(solver="acpf"),
        {},
        ["solver", "acpf", "did you mean 'ac'?", "known are dc, ac, dc_opf, ac_opf"],
    ),
    "key like several": (
        manifest(scenario(scale=0.6)),
        {},
        ["'a'", "scale: unknown key (did you mean 'gen_scale' or 'load_scale'"],
    ),
    "negative timeout": (manifest(timeout_secs=-1), {}, ["timeout_secs", "more than 0"]),
    "timeout without end": (manifest(timeout_secs=1e308), {}, ["timeout_secs", "31536000"]),
    "timeout of zero": (manifest(scenario(timeout_secs=0)), {}, ["'a'", "timeout_secs"]),
    "max_jobs of zero": (manifest(max_jobs=0), {}, ["max_jobs", "at least 1"]),
    "max_jobs a fraction": (manifest(max_jobs=1.5), {}, ["max_jobs: 1.5 must be a whole number"]),
    "compare a tag that none has": (
        manifest(scenario(tags=["today"]), compare=["today", "tomorow"]),
        {},
        ["compare", "no scenario has the tag 'tomorow'", "known are today"],
    ),
    "compare tags where there are none": (
        manifest(compare=["a", "b"]),
        {},
        ["compare", "no scenario has the tag 'a'", "give scenarios tags"],
    ),
    "compare a single tag": (manifest(compare=["a"]), {}, ["compare", "too few"]),
    "compare metadata that none has": (
        manifest(scenario(metadata={"variant": 1}), compare="varient"),
        {},
        ["compare", "no scenario has metadata 'varient'", "did you mean 'variant'?"],
    ),
    "compare metadata where there are none": (
        manifest(compare="variant"),
        {},
        ["compare", "no scenario has metadata 'variant'", "name tags in a list"],
    ),
    "compare metadata that are all the same": (
        manifest(scenario(metadata={"variant": 1}), compare="variant"),
        {},
        ["compare", "scenarios have 1 value of 'variant'", "2 to 6 groups"],
    ),
    "compare too many groups": (
        manifest(*({"id": f"s{n}", "metadata": {"n": n}} for n in range(7)), compare="n"),
        {},
        ["compare", "scenarios have 7 values of 'n'", "2 to 6 groups"],
    ),
    "an empty question": (manifest(question=""), {}, ["question", "too few"]),
    "scale a text": (
        manifest(scenario(load_scale="1")),
        {},
        ["'a'", "load_scale", "must be a number (take it out of its quotes)"],
    ),
    "negative scale": (
        manifest(scenario(load_scale=-1)),
        {},
        ["'a'", "load_scale: -1 is out of range (at least 0)"],
    ),
    "negative weight": (manifest(scenario(weight=-1)), {}, ["'a'", "weight"]),
    "tags a text": (
        manifest(scenario(tags="x")),
        {},
        ["'a'", 'tags: "x" must be a list (a single entry needs brackets too'],
    ),
    "no grid": ({"scenarios": [scenario()]}, {}, ["'a'", "grid", "missing"]),
    "unknown option": (
        manifest(scenario(solver="ac", options={"tolerance": 1e-6})),
        {},
        ["'a'", "options", "tolerance_mva"],
    ),
    "option of wrong type": (
        manifest(scenario(solver="ac", options={"max_iteration": "many"})),
        {},
        ["'a'", "max_iteration"],
    ),
    "unknown outage type": (
        manifest(scenario(outages=[{"type": "cable", "id": 1}])),
        {},
        ["'a'", "outages.0.type", "cable"],
    ),
    "outage without id": (manifest(scenario(outages=[{"type": "line"}])), {}, ["outages.0.id"]),
    "outage twice": (
        manifest(scenario(outages=[{"type": "line", "id": 1}] * 2)),
        {},
        ["'a'", "outages", "2 times"],
    ),
    "limits for a power flow": (
        manifest(scenario(solver="ac", limits="limits.csv")),
        {"limits.csv": "element,id,max_p_mw\ngen,0,5\n"},
        ["'a'", "limits", "means nothing to ac"],
    ),
    "unknown form of contingencies": (
        manifest(contingencies="n-3"),
        {},
        ["'a'", "contingencies", "n-1, n-2"],
    ),
    "contingencies of voltages upside down": (
        manifest(contingencies={"depth": 1, "vn_kv": [400, 200]}),
        {},
        ["'a'", "contingencies", "400 is above 200"],
    ),
    "contingencies screened by what solves them": (
        manifest(contingencies={"depth": 1, "screen": "dc"}),
        {},
        ["'a'", "contingencies", "screen", "solver dc"],
    ),
    "contingencies of a misspelt type": (
        manifest(contingencies={"types": ["lines"]}),
        {},
        ["contingencies.types.0", "did you mean 'line'?"],
    ),
    "contingencies that don't say which": (
        manifest(contingencies={"types": ["line"]}),
        {},
        ["'a'", "contingencies", "depth, rules, sequence, sets", "none of them (depth 1 is one"],
    ),
    "contingencies of a list that don't say which": (
        manifest(contingencies=["n-1", {"types": ["line"]}]),
        {},
        ["'a'", "contingencies: entry 2 of the list: one of depth, rules"],
    ),
    "contingencies of a list with a misspelt key": (
        manifest(contingencies=["n-1", {"depht": 1}]),
        {},
        ["contingencies.1.depht: unknown key (did you mean 'depth'?)"],
    ),
    "contingencies in two ways": (
        manifest(contingencies={"depth": 1, "rules": ["P1"]}),
        {},
        ["'a'", "contingencies", "depth and rules"],
    ),
    "rules with types": (
        manifest(contingencies=[{"rules": ["P1"], "types": ["line"]}]),
        {},
        ["'a'", "contingencies", "types means nothing to rules"],
    ),
    "a rule that isn't one": (
        manifest(contingencies={"rules": ["P5"]}),
        {},
        ["contingencies.rules.0", "P5"],
    ),
    "a category of unknown ratings": (
        manifest(categories={"P1": {"rating": "emergency"}}),
        {},
        ["categories.P1.rating", "emergency"],
    ),
    "contingencies in capitals": (
        manifest(contingencies="N-1"),
        {},
        ["'a'", "contingencies", "did you mean 'n-1'?"],
    ),
    "contingencies too deep": (manifest(contingencies={"depth": 3}), {}, ["contingencies"]),
    "contingencies of a voltage that the grid hasn't got": (
        manifest(
            grid="pandapower:case24_ieee_rts", contingencies={"depth": 1, "vn_kv": [300, 400]}
        ),
        {},
        [
            "manifest.json: scenario 'a'",
            "contingencies.vn_kv",
            "no line or trafo",
            "300 to 400 kV",
            "138, 230 kV",
        ],
    ),
    "contingencies of a name that no element has": (
        manifest(grid="pandapower:mv_oberrhein", contingencies={"depth": 1, "names": "Tei *"}),
        {},
        ["'a'", "contingencies.names", "no line or trafo has a name like 'Tei *'", "'Line 0'"],
    ),
    "contingencies of a type that the grid hasn't got": (
        manifest(contingencies={"depth": 2, "types": ["trafo3w"]}),
        {},
        ["'a'", "contingencies", "the grid has no trafo3w", "line, trafo, gen"],
    ),
    "pairs of one element": (
        manifest(
            grid="pandapower:example_multivoltage",
            contingencies={"depth": 2, "types": ["trafo3w"]},
        ),
        {},
        ["'a'", "contingencies", "only one element is meant", "depth 1"],
    ),
    "missing outage sets": (
        manifest(contingencies="x.csv"),
        {},
        ["'a'", "contingencies", "x.csv", "no such file"],
    ),
    # grids
    "missing grid": (manifest(scenario(grid="no.json")), {}, ["'a'", "grid", "no.json"]),
    "unknown kind of grid": (manifest(grid="net.xyz"), {"net.xyz": "x"}, ["'a'", "net.xyz"]),
    "unknown bundled grid": (manifest(grid="pandapower:case119"), {}, ["'a'", "case118"]),
    "bundled grid cut short": (
        manifest(grid="pandapower:case24"),
        {},
        ["'a'", "pandapower has no grid 'case24' (did you mean 'case24_ieee_rts'?)"],
    ),
    "broken grid": (manifest(grid="net.json"), {"net.json": "{"}, ["'a'", "net.json"]),
    "grid that runs code": (
        manifest(grid="net.json"),
        {"net.json": {"_module": "os", "_class": "system", "_object": "touch pwned"}},
        ["'a'", "net.json"],
    ),
    # elements
    "outage of no line": (
        manifest(scenario(outages=[{"type": "line", "id": 999}])),
        {},
        ["manifest.json: scenario 'a'", "outages", "999"],
    ),
    # tables
    "missing table": (manifest(scenario(loads="x.csv")), {}, ["'a'", "loads", "x.csv"]),
    "table a folder": (manifest(scenario(loads="config")), {}, ["'a'", "loads", "folder"]),
    "table with braces": (
        manifest(scenario(loads="loads_{0}.csv")),
        table(["load,p_mw", "1,1"], "loads_{0}.csv"),
        ["'a'", "manifest.json", "braces"],
    ),
    "empty table": (manifest(scenario(loads="loads.csv")), {"loads.csv": ""}, ["'a'", "loads.csv"]),
    "unknown column": (
        manifest(scenario(loads="loads.csv")),
        table(["load,p_kw", "0,1"]),
        ["'a'", "loads.csv", "p_mw"],
    ),
    "column in capitals": (
        manifest(scenario(loads="loads.csv")),
        table(["load,P_MW", "0,1"]),
        ["'a'", "loads.csv", "P_MW: unknown column (did you mean 'p_mw'?)"],
    ),
    "table for another grid": (
        manifest(scenario(loads="loads.csv")),
        table(["load,p_mw", "77,1"]),
        ["'a'", "loads.csv", "77"],
    ),
    "several wrong rows": (
        manifest(scenario(loads="loads.csv", gens="gens.csv")),
        table(["load,p_mw", "1,lots", "77,5", "2,3", "2,4"]) | {"gens.csv": "gen,p_mw\n88,1\n"},
        [["row 2", "lots"], ["row 3", "77"], ["row 5", "'2'", "row 4"], ["gens.csv", "88"]],
    ),
    "row without a value": (
        manifest(scenario(loads="loads.csv")),
        table(["load,p_mw,q_mvar", "1,2,", "2,,", "3,,1"]),
        ["'a'", "loads.csv", "row 3 gives no value", "p_mw or q_mvar", "take the row out"],
    ),
    "row twice": (
        manifest(scenario(loads="loads.csv")),
        table(["load,p_mw", "1,1", "1,2"]),
        ["'a'", "loads.csv", "row 3"],
    ),
    "nan in a table": (
        manifest(scenario(loads="loads.csv")),
        table(["load,p_mw", "1,nan"]),
        ["'a'", "loads.csv", "row 2", "p_mw"],
    ),
    "text in a table": (
        manifest(scenario(loads="loads.csv")),
        table(["load,p_mw", "1,lots"]),
        ["loads.csv: scenario 'a': row 2: p_mw is 'lots' (a finite number is needed)"],
    ),
    "broken parquet": (
        manifest(scenario(gens="gens.parquet")),
        {"gens.parquet": b"PAR1 not really"},
        ["'a'", "gens.parquet"],
    ),
}


def assert_refused(workspace, *fragments):
    """What each line must say, or, in a list for each, what each of several lines must say."""
    before = sorted(workspace.path.rglob("*"))
    run = workspace.run()
    output = run.stdout + run.stderr
    assert run.returncode == 1, output
    assert "Traceback" not in output
    assert ".smk" not in output  # it is the input that is at fault, not the workflow
    for parts in fragments if isinstance(fragments[0], list) else [fragments]:
        lines = [line for line in output.splitlines() if all(part in line for part in parts)]
        assert lines, f"no line with {parts} in:\n{output}"
    after = [path for path in workspace.path.rglob("*") if ".snakemake" not in path.parts]
    assert sorted(after) == before


@pytest.mark.parametrize("name", CASES)
def test_faulty_input_is_refused_in_one_line(workspace, name):
    content, files, fragments = CASES[name]
    if content is not None:
        workspace.write("manifest.json", content)
    for file, text in files.items():
        workspace.write(file, text)
    assert_refused(workspace, *fragments)


@pytest.mark.parametrize(
    ("config", "fragments"),
    [
        ({"retry_attempts": 0}, ["config", "retry_attempts", "at least 1"]),
        ({"max_workers": 3}, ["config", "max_workers", "unknown key"]),
        ({"output_dir": "runs/{batch}"}, ["config", "output_dir", "braces"]),
        ({"name": "../elsewhere"}, ["config", "name", "not a safe name"]),
        ({"scenarios_per_job": "some"}, ["config", "scenarios_per_job"]),
        ({"voltage_band_pu": [1.1, 0.9]}, ["config", "voltage_band_pu"]),
    ],
)
def test_faulty_configuration_is_refused_in_one_line(workspace, config, fragments):
    workspace.write("manifest.json", manifest())
    workspace.configure(**config)
    assert_refused(workspace, *fragments)


def test_a_specification_without_its_version_is_told_so_in_one_line(workspace):
    scenarios = [
        {"id": "a", "template": True, "scale": {"north": {"of": "load"}}},
        {"id": "b", "base": "a", "sweep": {"load_scale": [1, 2]}},
    ]
    workspace.write("study.yaml", {"grid": GRID, "seed": 1, "scenarios": scenarios})
    workspace.configure(manifest="study.yaml")
    run = workspace.run("-n")
    assert run.returncode == 1
    assert "did you forget `version: 1`?" in run.stderr
    assert "unknown key" not in run.stderr


def test_malformed_yaml_is_refused_with_its_line(workspace):
    workspace.write("manifest.yaml", "scenarios:\n  - id: a\n   - id: b\n")
    workspace.configure(manifest="manifest.yaml")
    assert_refused(workspace, "manifest.yaml", "line 3")


def test_all_faults_are_reported_together(workspace):
    workspace.write("loads.csv", "load,pp_mw\n0,1\n")
    workspace.write(
        "manifest.json",
        manifest(
            scenario(loads="x.csv"),
            {"id": "b", "grid": "no.m"},
            {"id": "c", "gens": "y.parquet"},
            {"id": "d", "weight": -1},
            {"id": "e", "contingencies": "n-3"},
            {"id": "f", "loads": "loads.csv"},
            {"id": "g", "outages": [{"type": "line", "id": 77}]},
            {"id": "h", "options": {"foo": 1}},
        ),
    )
    output = workspace.run().stderr
    for fragment in ("'a': loads", "'b': grid", "'c': gens", "'d': weight", "'e': contingencies"):
        assert fragment in output
    for fragment in ("pp_mw", "'g': outages", "'h': options"):
        assert fragment in output
    assert len([line for line in output.splitlines() if "scenario '" in line]) == 9


def test_a_fault_of_many_scenarios_is_told_once(workspace):
    scenarios = [{"id": f"s{n}", "loads": "loads.csv"} for n in range(200)]
    scenarios += [{"id": "other", "loads": "other.csv"}]
    workspace.write("manifest.json", manifest(*scenarios))
    workspace.configure()
    workspace.write("loads.csv", "load,p_mw\n0,many\n")
    workspace.write("other.csv", "load,p_mw\n99,1\n")
    ended = workspace.run()
    assert ended.returncode == 1
    first, second = (line for line in ended.stderr.splitlines() if ".csv" in line)
    assert "loads.csv: scenarios 's0', 's1' and 198 more: row 2: p_mw is 'many'" in first
    assert "other.csv: scenario 'other': " in second


def test_manifest_in_json_and_yaml_is_the_same(workspace):
    content = manifest(scenario(load_scale=1.1, outages=[{"type": "line", "id": 2}]), solver="ac")
    paths = [workspace.write("m.json", json.dumps(content)), workspace.write("m.yaml", content)]
    plans = [open_batch({"manifest": str(path)}, main=False) for path in paths]
    first, second = (tuple(plan.batch.scenarios) for plan in plans)
    assert first == second


def test_faults_are_the_same_when_processes_share_the_check(workspace, monkeypatch):
    for number in range(7):
        workspace.write(
            f"{number}.csv", f"load,p_mw\n{number % 3 or 99},{'many' if number == 5 else 1}\n"
        )
    scenarios = [{"id": f"s{number}", "loads": f"{number}.csv"} for number in range(7)]
    workspace.write("manifest.json", manifest(*scenarios))
    monkeypatch.chdir(workspace.path)
    monkeypatch.setattr(study_check, "cores", lambda: 3)
    told = []
    for part in 1000, 1:
        monkeypatch.setattr(study_check, "PART", part)
        with pytest.raises(InputErrors) as error:
            open_batch({"manifest": "manifest.json"}, main=True)
        told.append(str(error.value))
    assert told[0] == told[1]
    named = [line.split("'")[1] for line in told[0].splitlines()]
    assert named == ["s0", "s3", "s5", "s6"]
