"""The calls that the page on Python promises, run as it has them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, ready_python
from pages import blocks

from gat_batch.api import BatchJob
from gat_batch.errors import GatBatchError, ManifestError, ResultError


@pytest.fixture
def study(workspace, monkeypatch):
    """The files of README's chapter about a batch of one's own; runs of tests' own have imports."""
    monkeypatch.setattr(sys, "executable", str(ready_python()))
    manifest, table = blocks("README.md", "   ")[:2]
    workspace.write("study/study.json", manifest.text)
    workspace.write("study/loads_peak.csv", table.text)
    return workspace


def test_the_calls_on_the_page_do_what_it_says(study):
    (block,) = [one for one in blocks("docs/howto/python.md") if one.language == "python"]
    script = block.text
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=study.path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert "3 of 3" in run.stdout
    assert "scenarios done" in run.stderr


def test_a_job_is_checked_when_it_is_made(study):
    study.write("study/bad.json", {"scenarios": [{"id": "a", "grid": "pandapower:case9", "x": 1}]})
    with pytest.raises(GatBatchError, match="unknown key"):
        BatchJob.powerflow(study.path / "study" / "bad.json")
    with pytest.raises(ManifestError, match=r"ac is no study for BatchJob\.opf"):
        BatchJob.opf(study.path / "study" / "study.json")
    with pytest.raises(ManifestError, match="'base': contingencies: missing"):
        BatchJob.contingency(study.path / "study" / "study.json")
    content = {"scenarios": [{"id": "a", "grid": "pandapower:case9"}], "contingencies": "n-1"}
    study.write("study/n-1.json", content)
    assert BatchJob.contingency(study.path / "study" / "n-1.json").folder.name == "n-1"
    with pytest.raises(ResultError, match="no batch here"):
        BatchJob.resume(study.path)


def test_an_interrupted_run_can_be_resumed(study, monkeypatch):
    monkeypatch.chdir(study.path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    study.write("loads_slow.csv", "load,p_mw\n0,30\n")
    scenarios = [{"id": f"s{n}", "loads": "loads_slow.csv"} for n in range(20)]
    study.write("slow.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    script = "from gat_batch.api import BatchJob; BatchJob.powerflow('slow.json').run()"
    path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT / "tests" / "faults")])
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = study.path / "runs" / "batch" / "slow"
    while len(list(folder.glob("job_*/result.parquet"))) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    job = BatchJob.resume("runs/batch/slow")
    status = job.status()
    assert not status.active
    assert 3 <= status.completed < 20
    assert job.run().completed == 20


def test_a_failed_run_raises_and_can_be_resumed(study, monkeypatch):
    monkeypatch.chdir(study.path)
    table = study.path / "study" / "loads_peak.csv"
    good = table.read_text()
    table.write_text("load,p_mw\n999,1\n")
    job = BatchJob.powerflow("study/study.json", 2, name="mine")
    with pytest.raises(ResultError, match="exit code 1"):
        job.run()
    table.write_text(good)
    assert job.run().completed == 3
    again = BatchJob.resume("runs/batch/mine")
    status = again.status()
    assert (status.completed, status.total, status.active) == (3, 3, False)
    assert again.to_arrow(columns=["scenario"]).num_rows == len(again.to_pandas())
    assert list(again.to_pandas("scenarios")["scenario"]) == ["base", "peak", "line-7-out"]
    with pytest.raises(ResultError, match="did you mean 'scenarios'"):
        again.to_pandas("scenaros")
    with pytest.raises(ResultError, match="run the batch first"):
        BatchJob.powerflow("study/study.json", name="never").to_pandas("scenarios")
