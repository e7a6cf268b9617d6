"""Nothing is lost and nothing is done twice, whatever strikes: real signals, files and faults."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

from gat_batch.results.reader import read_metadata
from gat_batch.run.journal import events_in
from gat_batch.run.monitor import read_status

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="faults are made by Linux's means")


@pytest.fixture(autouse=True)
def faults(monkeypatch):
    """Tables of certain names strike the workers that open them; see faults/sitecustomize.py."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))


def write_batch(workspace, tables, **top):
    """A DC scenario for each name; where a table stands for it, it strikes the worker."""
    scenarios = []
    for name, table in tables.items():
        scenarios.append({"id": name})
        if table:
            workspace.write(table, "load,p_mw\n0,30\n")
            scenarios[-1]["loads"] = table
    content = {"grid": "pandapower:case14", "solver": "dc", "scenarios": scenarios, **top}
    workspace.write("manifest.json", content)


def slow(count):
    return {f"s{n}": f"loads_slow-{n}.csv" for n in range(count)}


def attempts(workspace):
    return {
        file.parent.name.removeprefix("job_"): read_metadata(file)["attempt"]
        for file in workspace.batch.glob("job_*/result.parquet")
    }


def ids_in_errors(workspace):
    return {file.parent.name.removeprefix("job_") for file in workspace.batch.glob("*/error.json")}


def journal(workspace):
    return [
        event
        for file in (workspace.batch / "logs" / "journal").glob("*.jsonl")
        for line in file.read_bytes().splitlines()
        for event in events_in(line)
    ]


# ---- Workers that die, hang or eat -----------------------------------------------------------


def test_each_fault_costs_its_scenario_one_attempt_at_most(workspace):
    kinds = ("segfault", "gil", "kill", "io")
    struck = {kind: f"loads_{kind}-once.csv" for kind in kinds}
    write_batch(workspace, struck | {f"s{n}": None for n in range(8)}, timeout_secs=3)
    workspace.configure(retry_backoff_secs=0.1, scenarios_per_job=12, workers_per_job=1)
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    tried = attempts(workspace)
    # What strikes when several scenarios are to be solved together is nobody's attempt.
    tries = [tried.pop(name) for name in kinds]
    assert tries == [1, 2, 2, 1]
    assert set(tried.values()) == {1}
    assert len(tried) == 8
    assert not ids_in_errors(workspace)


def test_a_scenario_that_lacks_memory_gets_more_from_the_next_job(workspace):
    write_batch(workspace, {"m": "loads_memory-twice.csv", "a": None, "b": None})
    workspace.configure(scenarios_per_job=3, mem_mb=700, workers_per_job=1)
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    assert len(workspace.solved()) == 3
    assert "700 MB are too little for m" in run.stdout + run.stderr
    solves = [event["id"] for event in journal(workspace) if event["event"] == "solved"]
    assert sorted(solves) == ["a", "b", "m"]


def test_a_scenario_that_eats_all_memory_fails_alone(workspace):
    write_batch(workspace, {"m": "loads_memory.csv", "a": None, "b": None})
    workspace.configure(scenarios_per_job=3, mem_mb=500)
    run = workspace.run()
    assert run.returncode == 1
    assert set(workspace.solved()) == {"a", "b"}
    assert ids_in_errors(workspace) == {"m"}
    assert "out of memory" in run.stderr


def test_one_hanging_scenario_of_two_hundred_costs_its_own_attempts_only(workspace):
    write_batch(
        workspace, {"h": "loads_gil.csv"} | {f"s{n}": None for n in range(199)}, timeout_secs=2
    )
    workspace.configure(retry_attempts=2, retry_backoff_secs=0.1, workers_per_job=1)
    assert workspace.run().returncode == 1
    tried = attempts(workspace)
    assert set(tried.values()) == {1}
    assert len(tried) == 199
    error = json.loads((workspace.batch / "job_h" / "error.json").read_text())
    assert error["verdict"] == "timeout"
    assert [entry["verdict"] for entry in error["tries"]] == ["timeout", "timeout"]
    # What the hanging one took beyond its limits would be a wait of its neighbours.
    assert all(entry["duration_secs"] <= 2.0 for entry in error["tries"])
    events = [event for event in journal(workspace) if event["id"] != "h"]
    assert sum(event["event"] == "solved" for event in events) == 199
    # Those that were to be solved together with it are begun twice, the others once.
    begun = Counter(event["id"] for event in events if event["event"] == "started")
    assert Counter(begun.values()) == {1: 150, 2: 49}


@pytest.mark.parametrize("module", [False, True])
def test_three_bad_scenarios_of_two_hundred_are_named_and_tried_again(workspace, module):
    bad = {"b1": "loads_segfault.csv", "b2": "loads_kill.csv", "b3": "loads_io.csv"}
    write_batch(workspace, bad | {f"s{n}": None for n in range(197)})
    workspace.configure(retry_attempts=2, retry_backoff_secs=0.1)
    arguments = workspace.command("--cores", "2")[3:]
    if module:
        settings = {"manifest": "manifest.json", "name": "study", "retry_attempts": 2}
        workspace.write(
            "Snakefile",
            "module gat:\n"
            f"    snakefile: {str(ROOT / 'workflow' / 'Snakefile')!r}\n"
            f"    config: {settings}\n"
            "use rule * from gat\n"
            "use rule all from gat as study with:\n"
            "    default_target: True\n",
        )
        place = arguments.index("--snakefile")
        del arguments[place : place + 2]
    first = workspace.snakemake(*arguments)
    assert first.returncode == 1, first.stderr
    before = workspace.solved()
    assert len(before) == 197, first.stderr
    assert ids_in_errors(workspace) == set(bad)
    status = workspace.status()
    assert (status["completed"], status["failed"], status["pending"]) == (197, 3, 0)
    summary = pd.read_csv(workspace.batch / "summary" / "scenarios.csv").set_index("scenario")
    assert set(summary.index[summary["status"] == "failed"]) == set(bad)
    assert "SIGSEGV" in summary["error"]["b1"]
    assert len(summary) == 200

    for table in bad.values():  # mended
        (workspace.path / table).rename(workspace.path / f"mended_{table}")
        workspace.write(table.replace("loads_", "fine_"), "load,p_mw\n0,30\n")
    manifest = (workspace.path / "manifest.json").read_text()
    workspace.write("manifest.json", manifest.replace("loads_", "fine_"))
    assert workspace.snakemake(*arguments).returncode == 0
    after = workspace.solved()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == set(bad)
    assert not ids_in_errors(workspace)


def test_a_result_that_was_asked_for_and_failed_ends_the_run_with_exit_code_1(workspace):
    write_batch(workspace, {"b": "loads_kill.csv", "a": None})
    workspace.configure(retry_attempts=1, scenarios_per_job=1)
    run = workspace.run("runs/batch/study/job_b/result.parquet")
    assert run.returncode == 1
    assert "asked for have failed" in run.stderr
    assert not workspace.result("b").exists()
    assert ids_in_errors(workspace) == {"b"}
    assert workspace.status()["failed"] == 1


def test_some_failures_can_be_permitted(workspace):
    write_batch(workspace, {"b": "loads_kill.csv", "a": None})
    workspace.configure(max_failures=1, retry_attempts=1)
    assert workspace.run().returncode == 0
    assert ids_in_errors(workspace) == {"b"}
    # Permitted is not done: the next run tries again.
    (workspace.path / "loads_kill.csv").unlink()
    manifest = (workspace.path / "manifest.json").read_text()
    workspace.write("manifest.json", manifest.replace("loads_kill", "fine"))
    workspace.write("fine.csv", "load,p_mw\n0,30\n")
    assert workspace.run().returncode == 0
    assert set(workspace.solved()) == {"a", "b"}


# ---- Runs that are ended from outside -----------------------------------------------------------


def wait_for_results(workspace, count, process):
    deadline = time.monotonic() + 120
    while len(list(workspace.batch.glob("job_*/result.parquet"))) < count:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_of(workspace):
    """Processes at work in the workspace: process id -> command."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == workspace.path:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(entry.name)] = command
        except OSError:
            continue
    return found


def wait_for_silence(workspace):
    deadline = time.monotonic() + 60
    while processes_of(workspace):
        assert time.monotonic() < deadline, processes_of(workspace)
        time.sleep(0.1)


def shards_and_workers(workspace):
    """Process ids of the shards at work, and of their workers."""
    parents = {}
    for pid, command in processes_of(workspace).items():
        if "solve.py" in command and "python" in command.split()[0]:
            stat = Path(f"/proc/{pid}/stat").read_text()
            parents[pid] = int(stat.rpartition(")")[2].split()[1])
    workers = [pid for pid, parent in parents.items() if parent in parents]
    shards = [pid for pid, parent in parents.items() if parent not in parents]
    return shards, workers


@pytest.mark.parametrize("ending", ["Ctrl-C", "SIGTERM", "kill -9", "power failure"])
def test_an_ended_run_goes_on_where_it_was(workspace, ending):
    # Three jobs, of which one waits for the cores that two others have.
    write_batch(workspace, slow(36))
    workspace.configure(scenarios_per_job=12)
    process = workspace.start()
    wait_for_results(workspace, 6, process)
    match ending:
        case "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        case "SIGTERM":
            process.send_signal(signal.SIGTERM)
        case "kill -9":
            process.kill()
        case _:
            for pid in processes_of(workspace):
                with suppress(ProcessLookupError):  # workers don't outlive their shard
                    os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode != 0
    wait_for_silence(workspace)
    before = workspace.solved()
    assert len(before) >= 6
    assert read_status(workspace.batch)["completed"] == len(before)
    assert len(before) < 36 or ending == "kill -9"
    if ending in ("kill -9", "power failure"):
        assert workspace.run("--unlock").returncode == 0
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    after = workspace.solved()
    assert len(after) == 36
    assert {name: after[name] for name in before} == before
    assert not list(workspace.batch.rglob("*.tmp"))


@pytest.mark.parametrize("meanwhile", ["more scenarios", "fewer scenarios", "not even JSON"])
def test_a_manifest_edited_during_a_run_is_for_the_next_one(workspace, meanwhile):
    write_batch(workspace, slow(20))
    workspace.configure(scenarios_per_job=7)
    process = workspace.start(cores=1, ready=True)
    wait_for_results(workspace, 3, process)
    match meanwhile:
        case "more scenarios":
            write_batch(workspace, slow(33))
        case "fewer scenarios":
            write_batch(workspace, slow(4))
        case _:
            workspace.write("manifest.json", "{")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert len(workspace.solved()) == 20
    assert workspace.status()["total"] == 20


@pytest.mark.parametrize("victim", ["worker", "shard"])
def test_a_killed_process_costs_no_finished_result(workspace, victim):
    write_batch(workspace, slow(30))
    workspace.configure(scenarios_per_job=15, retry_backoff_secs=0.1)
    process = workspace.start()
    wait_for_results(workspace, 4, process)
    shards, workers = shards_and_workers(workspace)
    target = (workers if victim == "worker" else shards)[0]
    before = workspace.solved()
    os.kill(target, signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    after = workspace.solved()
    assert len(after) == 30
    assert {name: after[name] for name in before} == before
    # What ends a worker that solves several scenarios is nobody's attempt.
    assert set(attempts(workspace).values()) == {1}


def test_a_second_run_of_a_batch_says_so_and_harms_nothing(workspace):
    write_batch(workspace, slow(3) | {"held": "loads_held.csv", "bad": "loads_kill.csv"})
    workspace.configure(scenarios_per_job=3, retry_attempts=1)
    process = workspace.start(ready=True)
    wait_for_results(workspace, 3, process)
    # From another folder, where Snakemake's own lock doesn't reach.
    elsewhere = workspace.path / "elsewhere"
    elsewhere.mkdir()
    values = ["manifest=../manifest.json", "name=study", "output_dir=../runs/batch"]
    workspace.write("elsewhere/config/config.yaml", {})
    command = workspace.command("--cores", "1", "--config", *values)
    second = subprocess.run(
        command, cwd=elsewhere, capture_output=True, text=True, timeout=120, check=False
    )
    assert second.returncode == 1
    assert "another run is at work on this batch" in second.stderr
    assert "Traceback" not in second.stderr
    workspace.write("go", "")
    process.communicate(timeout=300)
    assert process.returncode == 1
    assert set(workspace.solved()) == {"s0", "s1", "s2", "held"}
    assert ids_in_errors(workspace) == {"bad"}


def test_a_run_on_slurm_without_slurm_ends_at_once(workspace, monkeypatch):
    workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": [{"id": "a"}]})
    (workspace.path / "bin").mkdir()
    for name in ("bash", "sh", "which"):
        (workspace.path / "bin" / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(workspace.path / "bin"))
    profile = ("--profile", str(ROOT / "profiles" / "slurm"))
    started = time.monotonic()
    run = workspace.run(*profile)
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "sbatch" in line]
    assert "no sbatch on PATH" in line
    assert "snakemake --cores N" in line
    assert time.monotonic() - started < 60
    assert not workspace.batch.exists()
    assert workspace.run("-n", *profile).returncode == 0


# ---- File systems --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(workspace):
    """A file system of 400 kB for the batches."""
    folder = workspace.path / "runs"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        if os.environ.get("CI"):
            pytest.fail(made.stderr)
        pytest.skip(f"can't mount a small file system here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_named_and_leaves_finished_results_intact(workspace, small_disk):
    write_batch(workspace, {f"s{n}": None for n in range(60)}, grid="pandapower:case118")
    workspace.configure(scenarios_per_job=30, retry_attempts=1)
    run = workspace.run()
    assert run.returncode == 1
    assert "No space left on device" in run.stdout + run.stderr
    before = workspace.solved()
    assert 0 < len(before) < 60
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    after = workspace.solved()
    assert len(after) == 60
    assert {name: after[name] for name in before} == before


def test_a_read_only_folder_is_named(workspace, small_disk):
    write_batch(workspace, {"a": None})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    run = workspace.run()
    assert run.returncode == 1
    assert "can't be written: Read-only file system" in run.stderr
    assert "Traceback" not in run.stderr


def test_links_do_not_lead_a_batch_out_of_its_folder(workspace):
    outside = workspace.path / "outside"
    outside.mkdir()
    workspace.batch.mkdir(parents=True)
    (workspace.batch / "job_a").symlink_to(outside)
    write_batch(workspace, {"a": None})
    run = workspace.run()
    assert run.returncode == 1
    assert "job_a" in run.stderr
    assert "link" in run.stderr
    assert not list(outside.iterdir())
