"""The status of a batch is true at every moment, for people and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from rich.console import Console

from gat_batch.errors import ResultError
from gat_batch.files.run_lock import hold, is_held
from gat_batch.run.batch_record import progress_line
from gat_batch.run.journal import Journal, JournalReader, events_in
from gat_batch.run.monitor import read_status
from gat_batch.run.screen import screen
from gat_batch.run.start import open_batch
from gat_batch.run.status import StatusBoard

SCRIPT = str(ROOT / "scripts" / "status.py")


@pytest.fixture
def slow_batch(workspace, monkeypatch):
    """Thirty-six scenarios of a quarter of a second each, in three jobs, of which one waits."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    workspace.write("loads_slow.csv", "load,p_mw\n0,30\n")
    scenarios = [{"id": f"s{n}", "loads": "loads_slow.csv"} for n in range(36)]
    workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    workspace.configure(scenarios_per_job=12)
    return workspace


def status_command(folder, *arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_polling_sees_whole_documents_that_never_go_backwards(slow_batch):
    process = slow_batch.start(ready=True)
    file = slow_batch.batch / "batch_manifest.json"
    while not file.exists():
        assert process.poll() is None
        time.sleep(0.01)
    seen, asked = [], []
    while process.poll() is None:
        raw = json.loads(file.read_text())
        status = read_status(slow_batch.batch)
        assert raw["completed"] <= status["completed"]
        seen.append(status)
        if len(seen) % 60 == 20:
            # Not waited for, as the run goes on meanwhile.
            command = [sys.executable, SCRIPT, str(slow_batch.batch), "--json"]
            asked.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        time.sleep(0.05)
    assert process.returncode == 0
    outside = [json.loads(one.communicate(timeout=60)[0]) for one in asked]
    assert outside
    for statuses in (seen, outside):
        completed = [status["completed"] for status in statuses]
        assert completed == sorted(completed)
        for status in statuses:
            counts = [status[key] for key in ("completed", "failed", "running", "pending")]
            assert sum(counts) == status["total"] == len(status["jobs"]) == 36
    middle = [status for status in seen if 0 < status["completed"] < 36]
    assert len({status["completed"] for status in middle}) >= 4
    assert all(status["active"] for status in middle)
    assert any(status["running"] for status in middle)
    last = read_status(slow_batch.batch)
    assert (last["completed"], last["active"], last["running"]) == (36, False, 0)
    assert "no run is at work" in status_command(slow_batch.batch).stdout


def test_watching_ends_with_the_run(slow_batch):
    process = slow_batch.start(ready=True)
    # As soon as the batch is claimed, before it has a status.
    while not is_held(slow_batch.batch / "logs" / "run.lock"):
        assert process.poll() is None
        time.sleep(0.01)
    watched = status_command(slow_batch.batch, "--watch")
    assert watched.returncode == 0, watched.stderr
    assert process.wait(timeout=60) == 0
    assert "s: 36 of 36" in watched.stdout.replace("study", "s")


def test_a_folder_without_a_batch_is_named(tmp_path):
    run = status_command(tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1
    assert "name a folder such as" in run.stderr
    for name in ("winter", "summer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "batch_manifest.json").write_text("{}")
    assert f"name one, as {tmp_path}/summer" in status_command(tmp_path).stderr
    hold(tmp_path / "logs" / "run.lock")
    assert "a run has just begun" in status_command(tmp_path).stderr
    (tmp_path / "batch_manifest.json").write_text("{")
    with pytest.raises(ResultError, match="can't be read"):
        read_status(tmp_path)


@pytest.fixture
def plan(workspace):
    """A plan of five scenarios, none of them run."""
    content = {"grid": "pandapower:case9", "scenarios": [{"id": f"s{n}"} for n in range(5)]}
    manifest = workspace.write("manifest.json", content)
    values = {"manifest": str(manifest), "output_dir": str(workspace.path / "runs")}
    plan = open_batch(values, main=False)
    plan.journal("x").parent.mkdir(parents=True)
    return plan


def test_states_follow_from_journal_and_results(plan):
    journal = Journal(plan.journal("x"))
    plan.job_folder("s0").mkdir()
    plan.result("s0").write_bytes(b"a result")
    journal.write("solved", "s0", status="ok", attempt=2, duration_secs=0.5, iterations=3)
    journal.write("failed", "s1", attempt=3, error="died")
    journal.write("started", "s2", attempt=1, until=time.time() + 60)
    journal.write("started", "s3", attempt=1, until=time.time() - 1)
    with journal.path.open("a") as lines:
        lines.write('{"event": "solved", "id": ["s4"], "time": 1}\n')
        lines.write('{"event": "failed", "id": "s4", "time": "now"}\n')
        lines.write('{"event": "solved", "id": "s4"')  # cut short
    content = StatusBoard(plan).update(force=True)
    states = {job["id"]: job["state"] for job in content["jobs"]}
    assert states == {
        "s0": "completed",
        "s1": "failed",
        "s2": "running",
        "s3": "pending",
        "s4": "pending",
    }
    first = content["jobs"][0]
    assert (first["status"], first["converged"], first["attempts"]) == ("ok", True, 2)
    assert (first["duration_ms"], first["iterations"]) == (500.0, 3)
    assert content["jobs"][1]["error"] == "died"
    # Nobody holds the lock: what was running was interrupted.
    watched = read_status(plan.folder)
    assert (watched["active"], watched["running"], watched["pending"]) == (False, 0, 3)
    assert watched["failures"] == [{"id": "s1", "error": "died"}]
    assert watched["slowest"] == [{"id": "s0", "duration_ms": 500.0}]
    # A result that is taken away is pending, whatever the journal says.
    plan.result("s0").unlink()
    assert StatusBoard(plan).content()["completed"] == 0


def test_a_result_placed_just_before_all_was_killed_counts(plan):
    journal = Journal(plan.journal("x"))
    for name in ("s0", "s1"):
        plan.job_folder(name).mkdir()
        plan.result(name).write_bytes(b"a result")
        journal.write("started", name, attempt=1, until=time.time() + 60)
    os.utime(plan.result("s0"), (time.time() - 9, time.time() - 9))  # of an earlier solve
    os.utime(plan.result("s1"), (time.time() + 1, time.time() + 1))
    StatusBoard(plan).begin()
    watched = read_status(plan.folder)
    assert [job["state"] for job in watched["jobs"][:2]] == ["pending", "completed"]


def test_what_happened_later_counts_even_if_it_was_written_before(plan):
    journal = Journal(plan.journal("x"))
    plan.job_folder("s0").mkdir()
    plan.result("s0").write_bytes(b"a result")
    looked = time.time()
    journal.write("solved", "s0", status="ok", attempt=1, duration_secs=0.5, iterations=3)
    journal.write_all("pending", ["s0", "s1"], at=looked)
    states = [job["state"] for job in StatusBoard(plan).content()["jobs"]]
    assert states[:2] == ["completed", "pending"]


def test_results_without_a_record_get_it_back(workspace):
    scenarios = [{"id": f"s{n}"} for n in range(3)]
    workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    assert workspace.run().returncode == 0
    for file in (workspace.batch / "logs" / "journal").iterdir():
        file.unlink()
    (workspace.batch / "batch_manifest.json").unlink()
    workspace.result("s2").unlink()
    outlived = workspace.batch / "job_s0" / "error.json"
    outlived.write_text("{}")
    assert workspace.run().returncode == 0
    assert not outlived.exists()
    jobs = workspace.status()["jobs"]
    assert [(job["state"], job["status"], job["attempts"]) for job in jobs] == [
        ("completed", "ok", 1)
    ] * 3
    assert all(job["duration_ms"] > 0 for job in jobs)


def on_screen(status):
    console = Console(width=300, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(screen(status))
    return console.export_text()


def test_screen_shows_counts_failures_and_pace(plan):
    hold(plan.lock)
    StatusBoard(plan).begin()
    journal = Journal(plan.journal("x"))
    for name, status in (("s0", "ok"), ("s1", "not_converged")):
        plan.job_folder(name).mkdir()
        plan.result(name).write_bytes(b"a result")
        journal.write("solved", name, status=status, attempt=1, duration_secs=1.5)
    journal.write("failed", "s2", attempt=3, error="died of [red]markup[/red]")
    journal.write("started", "s3", attempt=1, until=time.time() + 60)
    plan.job_folder("s2").mkdir()
    (plan.job_folder("s2") / "error.json").write_text("{}")
    StatusBoard(plan).update(force=True)
    status = read_status(plan.folder)
    text = on_screen(status)
    for part in (
        "3 of 5 scenarios done, 60%",
        "2 solved (1 not converged), 1 failed, 1 running, 1 pending",
        "a run is at work, for 0:0",
        "scenarios/s",
        "left, until ",
        "at work: s3",
        "s0  1.500 s",
        "failed (1)",
        "1  died of [red]markup[/red]  s2",
        str(plan.job_folder("s2") / "error.json"),
    ):
        assert part in text, f"{part!r} not in\n{text}"
    assert "nothing new" not in text
    assert "nothing new for 2:05" in on_screen(status | {"quiet_secs": 125.0})
    assert "report are being made" in on_screen(status | {"completed": 4})


def test_failures_are_told_by_their_reasons(plan):
    StatusBoard(plan).begin()
    journal = Journal(plan.journal("x"))
    for n in range(5):
        journal.write("failed", f"s{n}", attempt=1, error="rare" if n == 2 else "often")
    StatusBoard(plan).update(force=True)
    status = read_status(plan.folder)
    assert status["reasons"] == [
        {"error": "often", "ids": ["s0", "s1", "s3", "s4"]},
        {"error": "rare", "ids": ["s2"]},
    ]
    text = on_screen(status)
    assert "4  often  s0, s1, s3, s4" in text
    assert "the next run goes on with what is missing" in text
    many = [{"error": f"reason {n}", "ids": [f"s{n}"] * 7} for n in range(9)]
    text = on_screen(status | {"reasons": many})
    assert "s0, s0, s0, s0, s0 and 2 others" in text
    assert "28  for other reasons" in text


@pytest.mark.parametrize("alike", [True, False])
def test_no_time_is_promised_where_some_scenarios_have_contingencies(workspace, alike):
    scenarios = [{"id": "s0"}, {"id": "s1", "contingencies": "n-1"}, {"id": "s2"}]
    content = {"grid": "pandapower:case9", "scenarios": scenarios[:: 2 if alike else 1]}
    manifest = workspace.write("manifest.json", content)
    values = {"manifest": str(manifest), "output_dir": str(workspace.path / "runs")}
    plan = open_batch(values, main=False)
    plan.job_folder("s0").mkdir(parents=True)
    hold(plan.lock)
    StatusBoard(plan).begin()
    journal = Journal(plan.journal("x"))
    journal.path.parent.mkdir(parents=True)
    plan.result("s0").write_bytes(b"a result")
    journal.write("solved", "s0", status="ok", attempt=1, duration_secs=1.5)
    time.sleep(0.01)  # times are told in milliseconds, and a pace needs two of them
    told = StatusBoard(plan).update(force=True)
    watched = read_status(plan.folder)
    assert watched["rate"] > 0
    assert (watched["left_secs"] is not None) == alike
    assert ("left" in progress_line(told, 2.0)) == alike
    assert "2/s" in progress_line(told, 2.0)


def test_no_process_is_started_while_workers_may_be_forked(plan, monkeypatch):
    """A worker that is forked meanwhile would hold the pipe whose end Popen waits for."""
    board = StatusBoard(plan)
    monkeypatch.setattr(subprocess, "Popen", pytest.fail)
    assert board.content()["total"] == 5


def test_an_event_of_many_scenarios_is_one_line_and_tells_the_same_of_each(tmp_path):
    journal = Journal(tmp_path / "one.jsonl")
    facts = {f"s{n}": {"status": "ok", "iterations": n, "left": None} for n in range(3)}
    journal.write_each("solved", facts, at=5.0)
    journal.write("failed", "s1", attempt=3, error="died")
    journal.write_all("pending", ["s2", "s0"], at=4.0)
    journal.write_each("solved", {})
    lines = journal.path.read_bytes().splitlines()
    assert len(lines) == 3
    assert [event["id"] for line in lines for event in events_in(line)] == [
        "s0",
        "s1",
        "s2",
        "s1",
        "s2",
        "s0",
    ]
    reader = JournalReader(tmp_path)
    reader.update()
    assert reader.last("s2") == {"event": "solved", "id": "s2", "time": 5.0, **facts["s2"]}
    assert reader.last("s1")["event"] == "failed"
    assert reader.last("s3") == {}
