"""Batches on a real SLURM: the same results, whatever happens to jobs, nodes and Snakemake.

Needs a running SLURM, as tests/slurm/cluster.sh starts one. Without it these tests are skipped,
but in CI they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, Workspace

from gat_batch.results import read_metadata, read_result

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("slurm")]

CLUSTER = ROOT / "tests" / "slurm" / "cluster.sh"


@pytest.fixture(autouse=True)
def slurm():
    """A cluster with an idle node."""
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


def finished_jobs():
    """The controller's records of ended jobs: the comment names the rule of each."""
    records = subprocess.run([CLUSTER, "jobs"], capture_output=True, text=True, check=True)
    path = Path(records.stdout.strip())
    lines = path.read_text().splitlines() if path.exists() else []
    return [dict(item.split("=", 1) for item in line.split() if "=" in item) for line in lines]


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
    before = len(finished_jobs())
    run = run_on_slurm(workspace)
    assert run.returncode == 0, run.stdout + run.stderr
    status = workspace.status()
    assert (status["total"], status["completed"]) == (300, 300)
    jobs = finished_jobs()[before:]
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
