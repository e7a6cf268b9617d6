"""Whole runs through Snakemake: what is solved, what is written, what a rerun does."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pandapower
import pandapower.networks
import pandas as pd
import pytest
from conftest import ROOT, Workspace, run_script

from gat_batch.results.reader import read_metadata, read_result

pytestmark = pytest.mark.workflow

PROMISED = {
    "scenarios": [
        {"id": "base", "grid": "base.arrow", "loads": "loads_base.csv"},
        {"id": "peak_demand", "grid": "base.arrow", "loads": "loads_peak.csv"},
    ],
    "solver": "dc",
    "timeout_secs": 60,
    "max_jobs": 4,
}


def succeed(run):
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def small_batch(count=6, **top):
    scenarios = [
        {"id": f"s{n}", "grid": "pandapower:case9", "loads": f"loads_{n}.csv"} for n in range(count)
    ]
    return {"scenarios": scenarios, "solver": "ac", **top}


def write_small_batch(workspace, count=6, **top):
    for n in range(count):
        workspace.write(f"loads_{n}.csv", f"load,p_mw\n0,{90 + n}\n")
    workspace.write("manifest.json", small_batch(count, **top))


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_promised_manifest_runs_to_the_letter(workspace, solver):
    made = run_script("convert_grid", "pandapower:case118", "base.arrow", cwd=workspace.path)
    assert made.returncode == 0, made.stderr
    net = pandapower.networks.case118()
    for name, factor in (("base", 1.0), ("peak", 1.05)):
        table = pd.DataFrame({"load": net.load.index, "p_mw": net.load["p_mw"] * factor})
        table.to_csv(workspace.path / f"loads_{name}.csv", index=False)
    workspace.write("manifest.json", PROMISED | {"solver": solver})
    output = succeed(workspace.run())
    assert "2 of 2 scenarios solved" in output

    for scenario, factor in (("base", 1.0), ("peak_demand", 1.05)):
        plain = pandapower.networks.case118()
        plain.load[["p_mw", "q_mvar"]] *= factor
        (pandapower.runpp if solver == "ac" else pandapower.rundcpp)(plain)
        table = read_result(workspace.result(scenario)).to_pandas()
        lines = table[table["element"] == "line"].set_index("id")
        assert (lines["p_from_mw"] - plain.res_line["p_from_mw"]).abs().max() < 1e-6
        buses = table[table["element"] == "bus"].set_index("id")
        assert (buses["va_degree"] - plain.res_bus["va_degree"]).abs().max() < 1e-6

    for name in ("aggregated_results.parquet", "scenarios.parquet", "elements.parquet"):
        assert len(pd.read_parquet(workspace.batch / "summary" / name))
    with (workspace.batch / "summary" / "scenarios.csv").open() as file:
        assert [row["scenario"] for row in csv.DictReader(file)] == ["base", "peak_demand"]
    status = workspace.status()
    assert (status["total"], status["completed"], status["failed"]) == (2, 2, 0)
    assert [job["status"] for job in status["jobs"]] == ["ok", "ok"]
    assert status["duration_ms"]["max"] >= status["duration_ms"]["median"] > 0
    assert re.fullmatch("[0-9a-f]{64}", status["manifest_sha256"])


def planned(workspace):
    """What a dry run says is to be solved, and whether Snakemake would run anything."""
    output = succeed(workspace.run("-n"))
    match = re.search(r"(\d+) solved already, (nothing to solve|(\d+) to solve)", output)
    assert match, output
    return int(match[3] or 0), "Nothing to be done" not in output


def test_rerun_solves_exactly_what_changed(workspace):
    write_small_batch(workspace)
    workspace.configure(scenarios_per_job=3)
    assert planned(workspace) == (6, True)
    assert not workspace.batch.exists()
    succeed(workspace.run())
    first = workspace.solved()
    assert len(first) == 6

    assert planned(workspace) == (0, False)
    assert "Nothing to be done" in succeed(workspace.run())
    assert workspace.solved() == first

    workspace.write("loads_1.csv", "load,p_mw\n0,77\n")
    assert planned(workspace) == (1, True)
    succeed(workspace.run())
    second = workspace.solved()
    assert {name for name in second if second[name] != first[name]} == {"s1"}

    workspace.result("s4").unlink()
    assert planned(workspace) == (1, True)
    succeed(workspace.run())
    third = workspace.solved()
    assert {name for name in third if third[name] != second[name]} == {"s4"}

    write_small_batch(workspace, count=7)
    workspace.write("loads_1.csv", "load,p_mw\n0,77\n")
    assert planned(workspace) == (1, True)
    succeed(workspace.run())
    fourth = workspace.solved()
    assert {name for name in fourth if fourth[name] != third.get(name)} == {"s6"}
    assert len(pd.read_parquet(workspace.batch / "summary" / "scenarios.parquet")) == 7
    assert planned(workspace) == (0, False)


def tables_in_records(workspace):
    """The tables that Snakemake's records of results name, by result."""
    found = {}
    for file in (workspace.path / ".snakemake" / "metadata").rglob("*"):
        if file.is_file():
            names = json.loads(file.read_text())["input"] or ()
            found[file.name] = [name for name in names if re.fullmatch(r"t\d+\.csv", name)]
    return {name: tables for name, tables in found.items() if tables}


def test_records_do_not_grow_with_the_square_of_scenarios(workspace):
    write_tables(workspace, count=20)
    succeed(workspace.run())
    records = tables_in_records(workspace)
    assert len(records) == 20
    assert {len(tables) for tables in records.values()} == {1}


def write_tables(workspace, count):
    """A batch in one job, a load table each, the first ones changed last."""
    scenarios = [
        {"id": f"s{n}", "grid": "pandapower:case9", "loads": f"t{n}.csv"} for n in range(count)
    ]
    workspace.write("manifest.json", {"scenarios": scenarios})
    workspace.configure(scenarios_per_job=count)
    old = time.time() - 10_000
    for n in range(count):
        os.utime(workspace.write(f"t{n}.csv", f"load,p_mw\n0,{50 + n}\n"), (old - n, old - n))


def solved_once(tmp_path_factory, write, **configuration):
    """A workspace with a batch that has run, for tests that go on with copies of it."""
    space = Workspace(tmp_path_factory.mktemp("solved"))
    space.configure()
    write(space, count=4)
    if configuration:
        space.configure(**configuration)
    succeed(space.run())
    return space


@pytest.fixture(scope="module")
def four_tables(tmp_path_factory):
    return solved_once(tmp_path_factory, write_tables)


@pytest.fixture(scope="module")
def four_tables_in_two_jobs(tmp_path_factory):
    return solved_once(tmp_path_factory, write_tables, scenarios_per_job=2)


@pytest.fixture(scope="module")
def four_small(tmp_path_factory):
    return solved_once(tmp_path_factory, write_small_batch)


@pytest.fixture
def tables(workspace, four_tables):
    """A batch of :func:`write_tables`, four scenarios, solved."""
    workspace.take_over(four_tables)
    return workspace


@pytest.fixture
def tables_in_two_jobs(workspace, four_tables_in_two_jobs):
    """The same, solved by two jobs."""
    workspace.take_over(four_tables_in_two_jobs)
    return workspace


@pytest.fixture
def small(workspace, four_small):
    """A batch of :func:`write_small_batch`, four scenarios, solved."""
    workspace.take_over(four_small)
    return workspace


# One worker solves the batch for all that go on with it.
on_tables = pytest.mark.xdist_group("tables")
on_tables_in_two_jobs = pytest.mark.xdist_group("tables in two jobs")
on_small = pytest.mark.xdist_group("small batch")


def test_a_table_of_a_spreadsheet_gives_the_results_of_a_plain_one(workspace):
    workspace.write("plain.csv", "load,p_mw,q_mvar\n0,20.5,11.25\n2,1e1,\n")
    workspace.write("sheet.csv", "load;p_mw;q_mvar\n0;20,5;11,25\n2;1e1;\n")
    workspace.write("wide.csv", "time,0,0 q_mvar,2\nnoon,20.5,11.25,10\n")
    tables = {name: f"{name}.csv" for name in ("plain", "sheet", "wide")}
    if find_spec("openpyxl"):
        cells = {"snapshot": ["noon"], "0": [20.5], "0 q_mvar": [11.25], "2": [10]}
        pd.DataFrame(cells).to_excel(workspace.path / "book.xlsx", index=False)
        tables["book"] = "book.xlsx"
    scenarios = [
        {"id": name, "loads": table, "grid": "pandapower:case14", "solver": "ac"}
        for name, table in tables.items()
    ]
    workspace.write("manifest.json", {"scenarios": scenarios})
    workspace.configure()
    succeed(workspace.run())
    results = {name: pd.read_parquet(workspace.result(name)) for name in tables}
    plain = results["plain"]
    same = [frame.drop(columns=["scenario", "snapshot"]) for frame in results.values()]
    for frame in same[1:]:
        pd.testing.assert_frame_equal(same[0], frame)
    assert set(results["wide"]["snapshot"]) == {"noon"}
    (drawn,) = plain.loc[(plain["element"] == "load") & (plain["id"] == 0), "p_mw"]
    assert drawn == 20.5
    logs = "".join(file.read_text() for file in workspace.batch.glob("logs/solve_*.log"))
    assert logs.count("sheet.csv: semicolons separate the cells") == 1
    assert "plain.csv: semicolons" not in logs
    books = " and 1 more table" if "book" in tables else ""
    assert logs.count(f"wide.csv{books}: a column for each element") == 1


@on_tables
@pytest.mark.parametrize("which", [0, 3])
def test_table_touched_changed_or_replaced_by_an_older_one(tables, which):
    """Whichever of a job's tables it is, and whatever its time says of it."""
    first = tables.solved()
    table = tables.path / f"t{which}.csv"

    table.touch()
    assert planned(tables) == (0, True)
    assert tables.solved() == first
    succeed(tables.run())
    assert tables.solved() == first
    assert planned(tables) == (0, False)

    for p_mw, age in ((91, 0), (92, 50_000)):
        before = tables.solved()
        table.write_text(f"load,p_mw\n0,{p_mw}\n")
        os.utime(table, (time.time() - age, time.time() - age))
        assert planned(tables) == (1, True)
        succeed(tables.run())
        after = tables.solved()
        assert {name for name in after if after[name] != before[name]} == {f"s{which}"}
        assert planned(tables) == (0, False)


@on_tables
@pytest.mark.parametrize("which", [0, 3])
def test_by_times_alone_a_touched_table_solves_nothing_and_a_changed_one_its_scenario(
    tables, which
):
    first = tables.solved()
    table = tables.path / f"t{which}.csv"
    by_time = ("--rerun-triggers", "mtime")

    table.touch()
    succeed(tables.run(*by_time))
    assert tables.solved() == first

    table.write_text("load,p_mw\n0,91\n")
    succeed(tables.run(*by_time))
    after = tables.solved()
    assert {name for name in after if after[name] != first[name]} == {f"s{which}"}


def contents(folder):
    """What each file of a folder holds, and when it was changed, but for Snakemake's own."""
    return {
        file.relative_to(folder): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file() and ".snakemake" not in file.parts
    }


@on_tables
@pytest.mark.parametrize("triggers", [(), ("--rerun-triggers", "mtime")])
def test_a_dry_run_with_a_changed_table_leaves_all_files_as_they_are(tables, triggers):
    tables.write("t2.csv", "load,p_mw\n0,91\n")
    before = contents(tables.path)
    output = succeed(tables.run("-n", *triggers))
    assert contents(tables.path) == before
    assert "1 to solve (s2)" in output
    assert "solve_dc_0001" in output


@on_tables
@pytest.mark.parametrize("age", [0, 50_000])
def test_a_table_replaced_by_a_link_to_another_file_solves_its_scenario(tables, age):
    first = tables.solved()
    other = tables.write("other/loads.csv", "load,p_mw\n0,91\n")
    table = tables.path / "t1.csv"
    table.unlink()
    table.symlink_to(other)
    then = time.time() - age
    os.utime(other, (then, then))
    os.utime(table, (then, then), follow_symlinks=False)
    assert planned(tables) == (1, True)
    succeed(tables.run())
    after = tables.solved()
    assert {name for name in after if after[name] != first[name]} == {"s1"}
    assert planned(tables) == (0, False)


@on_tables_in_two_jobs
@pytest.mark.parametrize("which", [0, 1, 3])
def test_a_changed_table_of_one_of_several_jobs_solves_its_scenario(tables_in_two_jobs, which):
    first = tables_in_two_jobs.solved()
    tables_in_two_jobs.write(f"t{which}.csv", "load,p_mw\n0,91\n")
    output = succeed(tables_in_two_jobs.run())
    ran = set(re.findall(r"Rule: (solve_dc_\d+)", output))
    assert ran == {f"solve_dc_{which // 2 + 1:04}"}
    after = tables_in_two_jobs.solved()
    assert {name for name in after if after[name] != first[name]} == {f"s{which}"}
    assert planned(tables_in_two_jobs) == (0, False)


@on_tables
def test_tables_added_taken_away_and_deleted(tables):
    scenarios = json.loads((tables.path / "manifest.json").read_text())["scenarios"]
    first = tables.solved()

    del scenarios[0]["loads"], scenarios[2]["loads"]
    tables.write("manifest.json", {"scenarios": scenarios})
    assert planned(tables) == (2, True)
    succeed(tables.run())
    second = tables.solved()
    assert {name for name in second if second[name] != first[name]} == {"s0", "s2"}

    scenarios[2]["loads"] = "t2.csv"
    tables.write("manifest.json", {"scenarios": scenarios})
    assert planned(tables) == (1, True)
    succeed(tables.run())
    third = tables.solved()
    assert {name for name in third if third[name] != second[name]} == {"s2"}
    assert planned(tables) == (0, False)

    (tables.path / "t3.csv").unlink()
    run = tables.run()
    assert run.returncode != 0
    assert "t3.csv" in run.stdout + run.stderr
    assert tables.solved() == third


@on_small
def test_new_weights_are_summarised_without_solving(small):
    before = small.solved()
    batch = small_batch(4)
    batch["scenarios"][1]["weight"] = 5
    small.write("manifest.json", batch)
    succeed(small.run())
    assert small.solved() == before
    table = pd.read_parquet(small.batch / "summary" / "scenarios.parquet")
    assert list(table["weight"]) == [1, 5, 1, 1]


def test_one_scenario_can_be_asked_for(workspace):
    write_small_batch(workspace, count=4)
    workspace.configure(scenarios_per_job=1)
    succeed(workspace.run("runs/batch/study/job_s2/result.parquet"))
    assert list(workspace.solved()) == ["s2"]


@on_small
def test_truncated_result_counts_as_missing(small):
    before = small.solved()
    for scenario, size in (("s0", 0), ("s1", 10), ("s2", -1)):
        content = small.result(scenario).read_bytes()
        small.result(scenario).write_bytes(content[:size])
    succeed(small.run())
    after = small.solved()
    assert {name for name in after if after[name] != before[name]} == {"s0", "s1", "s2"}


def test_grid_replaced_between_runs_is_noticed(workspace):
    net = pandapower.networks.case9()
    pandapower.to_json(net, str(workspace.path / "net.json"))
    batch = {"scenarios": [{"id": "a", "grid": "net.json"}, {"id": "b", "grid": "net.json"}]}
    workspace.write("manifest.json", batch)
    succeed(workspace.run())
    before = workspace.solved()
    net.load.loc[0, "p_mw"] = 10.0
    pandapower.to_json(net, str(workspace.path / "net.json"))
    succeed(workspace.run())
    after = workspace.solved()
    assert all(after[name] != before[name] for name in "ab")


@on_small
def test_outdated_results_are_replaced_though_snakemake_has_lost_its_record(small):
    before = small.solved()
    shutil.rmtree(small.path / ".snakemake")
    batch = small_batch(4)
    batch["scenarios"][1]["load_scale"] = 1.2
    small.write("manifest.json", batch)
    output = succeed(small.run("-n"))
    assert "1 to solve (s1)" in output
    assert "1 of these have a result that is damaged or outdated" in output
    assert small.solved() == before
    succeed(small.run("--rerun-triggers", "mtime"))
    after = small.solved()
    assert {name for name in after if after[name] != before[name]} == {"s1"}


@pytest.mark.parametrize("question", ["--summary", "--lint", "--list-rules", "--unlock"])
def test_questions_change_nothing(workspace, question):
    write_small_batch(workspace, count=2)
    workspace.configure(name=2024)
    workspace.run(question)
    assert not (workspace.path / "runs").exists()


def test_no_configuration_file_is_needed(workspace):
    write_small_batch(workspace, count=2)
    (workspace.path / "manifest.json").rename(workspace.path / "winter.json")
    (workspace.path / "config" / "config.yaml").unlink()
    succeed(workspace.run("--config", "manifest=winter.json"))
    assert (workspace.path / "runs" / "batch" / "winter" / "summary" / "scenarios.csv").exists()


def test_snapshots_make_one_scenario_of_many_states(workspace):
    rows = [f"{load},{90 + hour},h{hour}" for hour in range(5) for load in range(3)]
    workspace.write("hours.csv", "\n".join(["load,p_mw,snapshot", *rows]) + "\n")
    scenario = {"id": "day", "grid": "pandapower:case9", "loads": "hours.csv"}
    workspace.write("manifest.json", {"scenarios": [scenario], "solver": "ac"})
    succeed(workspace.run())
    table = read_result(workspace.result("day")).to_pandas()
    system = table[table["element"] == "system"]
    assert list(system["snapshot"]) == [f"h{hour}" for hour in range(5)]
    assert list(system["load_mw"].round(6)) == [3.0 * (90 + hour) for hour in range(5)]
    summary = pd.read_parquet(workspace.batch / "summary" / "scenarios.parquet").iloc[0]
    assert (summary["snapshots"], summary["max_loading_snapshot"]) == (5, "h4")


@pytest.mark.parametrize(("cores", "workers"), [(5, 2), (1, 1)])
def test_jobs_share_the_cores_that_snakemake_has(workspace, cores, workers):
    scenarios = [{"id": f"s{n}"} for n in range(4)]
    workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    workspace.configure(scenarios_per_job=2)
    succeed(workspace.run(cores=cores))
    logs = [file.read_text() for file in (workspace.batch / "logs").glob("solve_*.log")]
    assert len(logs) == 2
    assert all(f"2 scenarios to solve, {workers} at a time" in log for log in logs)


def test_max_jobs_holds_on_more_cores(workspace):
    write_small_batch(workspace, count=4, max_jobs=1)
    workspace.configure(scenarios_per_job=1)
    succeed(workspace.run(cores=4))
    spans = sorted(
        (data["solved"], data["solved"] + data["duration_secs"])
        for data in map(read_metadata, workspace.batch.glob("job_*/result.parquet"))
    )
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_scenarios_that_dont_converge_are_results(workspace):
    batch = {
        "scenarios": [{"id": "fine"}, {"id": "too_much", "load_scale": 50}],
        "grid": "pandapower:case118",
        "solver": "ac",
    }
    workspace.write("manifest.json", batch)
    output = succeed(workspace.run())
    assert "2 of 2 scenarios solved, 1 of them without convergence" in output
    table = pd.read_parquet(workspace.batch / "summary" / "scenarios.parquet")
    assert list(table["status"]) == ["ok", "not_converged"]
    assert "Nothing to be done" in succeed(workspace.run())


def run_as_module(workspace, *, scenarios_per_job="auto"):
    """Run the batch by a Snakefile that takes this workflow as a module."""
    configuration = {
        "manifest": "manifest.json",
        "name": "study",
        "scenarios_per_job": scenarios_per_job,
    }
    workspace.write(
        "Snakefile",
        "module gat:\n"
        f"    snakefile: {str(ROOT / 'workflow' / 'Snakefile')!r}\n"
        f"    config: {configuration!r}\n"
        "use rule * from gat\n"
        "use rule all from gat as study with:\n"
        "    default_target: True\n",
    )
    return succeed(workspace.snakemake("--cores", "2"))


def test_workflow_runs_as_a_module(workspace):
    write_small_batch(workspace, count=2)
    run_as_module(workspace)
    assert len(workspace.solved()) == 2


def test_in_a_module_a_changed_table_solves_its_scenario(workspace):
    write_tables(workspace, count=4)
    workspace.configure()
    run_as_module(workspace, scenarios_per_job=2)
    first = workspace.solved()
    assert len(first) == 4
    workspace.write("t1.csv", "load,p_mw\n0,91\n")
    run_as_module(workspace, scenarios_per_job=2)
    after = workspace.solved()
    assert {name for name in after if after[name] != first[name]} == {"s1"}
    # Snakemake runs the target always, as it is no output that tells whether it is there.
    assert "solve_" not in run_as_module(workspace, scenarios_per_job=2)
    assert workspace.solved() == after


def test_bare_commands_work_in_a_clone(tmp_path):
    """No flags but --cores, in a folder with nothing but the repository's own files."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".git", ".venv", "runs", ".snakemake", "*cache*")
    shutil.copytree(ROOT, clone, ignore=ignored)
    example = clone / "examples" / "data_centre" / "data_centre.json"
    manifest = json.loads(example.read_text())
    del manifest["compare"], manifest["contingencies"]
    manifest["scenarios"] = manifest["scenarios"][:1]
    example.write_text(json.dumps(manifest))
    command = [str(Path(sys.executable).with_name("snakemake")), "--cores", "2"]
    run = subprocess.run(
        command, cwd=clone, capture_output=True, text=True, check=False, timeout=300
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "runs/batch/data_centre/summary/scenarios.csv" in run.stderr
