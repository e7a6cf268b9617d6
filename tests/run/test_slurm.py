"""Batches on a real SLURM: the same results, whatever happens to jobs, nodes and Snakemake.

Needs a running SLURM, as tests/slurm/cluster.sh starts one. Without it these tests are skipped,
but in CI they fail.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ROOT, Workspace

from gat_batch.results.reader import read_metadata, read_result
from gat_batch.run.journal import events_in

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("slurm")]

CLUSTER = ROOT / "tests" / "slurm" / "cluster.sh"


@pytest.fixture(autouse=True)
def slurm(request):
    """A cluster with an idle node, for one test at a time: tests cancel jobs and stop the node."""
    states = None
    if shutil.which("sinfo"):
        command = ["sinfo", "-h", "-o", "%T"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        states = asked.stdout.split() if asked.returncode == 0 else None
    if not states:
        reason = "no SLURM is running here; start one by tests/slurm/cluster.sh start"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@slurm"), "xdist doesn't keep to the group"


def finished_jobs_file() -> Path:
    records = subprocess.run([CLUSTER, "jobs"], capture_output=True, text=True, check=True)
    return Path(records.stdout.strip())


def finished_jobs(space: Workspace) -> list[dict[str, str]]:
    """The controller's records of ended jobs of a workspace."""
    path = finished_jobs_file()
    lines = path.read_text().splitlines() if path.exists() else []
    jobs = [dict(item.split("=", 1) for item in line.split() if "=" in item) for line in lines]
    return [job for job in jobs if job["WorkDir"] == str(space.path)]


def run_on_slurm(space: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``snakemake --profile slurm`` as the README tells, but for the place of the clone."""
    return subprocess.run(
        [*slurm_command(space), *arguments],
        cwd=space.path,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def slurm_command(space: Workspace) -> list[str]:
    profiles = space.path / "home" / "snakemake"
    profiles.mkdir(parents=True, exist_ok=True)
    if not (profiles / "slurm").exists():
        (profiles / "slurm").symlink_to(ROOT / "profiles" / "slurm")
    command = space.command("--profile", "slurm")
    return ["env", f"XDG_CONFIG_HOME={space.path / 'home'}", *command]


def write_batch(space: Workspace, count: int, **top) -> None:
    scenarios = [
        {"id": f"s{n}", "solver": "ac" if n % 3 == 0 else "dc", "load_scale": 0.8 + n / 1000}
        for n in range(count)
    ]
    content = {"grid": "pandapower:case14", "scenarios": scenarios, **top}
    space.write("manifest.json", content)


def test_three_hundred_scenarios_give_the_same_results_as_on_one_machine(workspace, tmp_path):
    write_batch(workspace, 300)
    workspace.configure(workers_per_job=2)
    run = run_on_slurm(workspace)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Warning" not in run.stdout + run.stderr
    status = workspace.status()
    assert (status["total"], status["completed"]) == (300, 300)
    jobs = finished_jobs(workspace)
    assert len(jobs) >= len(list((workspace.batch / "logs" / "journal").glob("*.jsonl")))
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}

    local = Workspace(tmp_path / "local")
    local.path.mkdir()
    local.configure()
    write_batch(local, 300)
    assert local.run().returncode == 0
    for scenario in (f"s{n}" for n in range(300)):
        here, there = (space.result(scenario) for space in (local, workspace))
        assert read_result(here).equals(read_result(there)), scenario
        assert read_metadata(here)["fingerprint"] == read_metadata(there)["fingerprint"]


# ---- Jobs, nodes and Snakemake that die --------------------------------------------------------


@pytest.fixture(autouse=True)
def faults(monkeypatch):
    """Tables of certain names strike the workers that open them; see faults/sitecustomize.py."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))


def write_slow_batch(space: Workspace, count: int, **special: str) -> None:
    space.write("loads_slow.csv", "load,p_mw\n0,30\n")
    scenarios = [{"id": f"s{n}", "loads": "loads_slow.csv"} for n in range(count)]
    for name, table in special.items():
        space.write(table, "load,p_mw\n0,30\n")
        scenarios.insert(len(scenarios) // 2, {"id": name, "loads": table})
    space.write("manifest.json", {"grid": "pandapower:case14", "scenarios": scenarios})
    space.configure(scenarios_per_job=-(-len(scenarios) // 2), mem_mb=1000)


def start_on_slurm(space: Workspace, *arguments: str, whole: bool = False) -> subprocess.Popen[str]:
    """The same for results alone, or the whole batch, but that it asks for its jobs more often.

    See slurm/impatient.py.
    """
    scenarios = json.loads((space.path / "manifest.json").read_text())["scenarios"]
    results = [str(space.result(one["id"]).relative_to(space.path)) for one in scenarios]
    command = slurm_command(space)
    place = command.index("-m")
    command[place : place + 2] = [str(ROOT / "tests" / "slurm" / "impatient.py")]
    command += ["--slurm-init-seconds-before-status-checks", "1"]
    return subprocess.Popen(
        [*command, *arguments, "--", *([] if whole else results)],
        cwd=space.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_results(space: Workspace, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 180
    while len(list(space.batch.glob("job_*/result.parquet"))) < count:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def running_jobs() -> list[str]:
    command = ["squeue", "-h", "-t", "RUNNING", "-o", "%A"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def assert_completes(space: Workspace, process: subprocess.Popen[str], before: dict) -> None:
    """The run comes to its good end, and what was finished before was not solved again."""
    output, _ = process.communicate(timeout=500)
    assert process.returncode == 0, output
    after = space.solved()
    assert len(after) == space.status()["total"]
    assert before
    assert {name: after[name] for name in before} == before


def test_a_cancelled_job_is_run_again(workspace):
    write_slow_batch(workspace, 40)
    process = start_on_slurm(workspace)
    wait_for_results(workspace, 5, process)
    subprocess.run(["scancel", running_jobs()[0]], check=True)
    assert_completes(workspace, process, workspace.solved())


def test_a_job_over_its_time_limit_goes_on_in_the_next_one(workspace):
    write_slow_batch(workspace, 500)
    shards = [f"solve_dc_{n:04}" for n in (1, 2)]
    limits = [f"{shard}:runtime=1" for shard in shards]
    process = start_on_slurm(workspace, "--set-resources", *limits)
    wait_for_results(workspace, 5, process)
    assert_completes(workspace, process, workspace.solved())
    assert "TIMEOUT" in {job["JobState"] for job in finished_jobs(workspace)}
    tried = {read_metadata(workspace.result(f"s{n}"))["attempt"] for n in range(500)}
    assert tried == {1}


def test_a_job_over_its_memory_is_run_again_with_more(workspace):
    write_slow_batch(workspace, 20, hog="loads_hog-once.csv")
    process = start_on_slurm(workspace)
    wait_for_results(workspace, 5, process)
    assert_completes(workspace, process, workspace.solved())
    jobs = finished_jobs(workspace)
    assert any(job["JobState"] != "COMPLETED" for job in jobs)
    assert any("mem=2000M" in job["Tres"] for job in jobs)


def test_a_restarted_node_loses_nothing(workspace):
    write_slow_batch(workspace, 60)
    process = start_on_slurm(workspace)
    wait_for_results(workspace, 5, process)
    before = workspace.solved()
    pid = int((finished_jobs_file().parent / "slurmd.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    time.sleep(2)
    subprocess.run([CLUSTER, "start"], check=True, capture_output=True)
    assert_completes(workspace, process, before)


def test_snakemake_killed_and_started_again_waits_for_its_old_jobs(workspace):
    write_slow_batch(workspace, 60)
    process = start_on_slurm(workspace)
    wait_for_results(workspace, 5, process)
    process.kill()
    process.communicate()
    before = workspace.solved()
    assert running_jobs()
    unlocked = run_on_slurm(workspace, "--unlock")
    assert unlocked.returncode == 0, unlocked.stderr
    assert_completes(workspace, start_on_slurm(workspace, whole=True), before)
    assert (workspace.batch / "summary" / "report.html").is_file()
    solves = [
        event["id"]
        for file in (workspace.batch / "logs" / "journal").glob("*.jsonl")
        for line in file.read_bytes().splitlines()
        for event in events_in(line)
        if event["event"] == "started"
    ]
    assert len(solves) == len(set(solves)) == 60
