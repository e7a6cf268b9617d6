"""One result file for the scenarios of a job: the same rows, resumed as exactly, failing alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, run_script

from gat_batch.api import BatchJob
from gat_batch.results.reader import read_metadata, read_result, results_in
from gat_batch.run.batch_record import LISTED_OF_MORE, MOST_LISTED, Tally

linux = pytest.mark.skipif(sys.platform != "linux", reason="faults are made by Linux's means")


def records(workspace):
    """Metadata of each solved scenario, by the results' own records."""
    found = {name: read_metadata(path, name) for name, path in results_in(workspace.batch).items()}
    return {name: about for name, about in found.items() if "solved" in about}


def solved(workspace):
    return {name: about["solved"] for name, about in records(workspace).items()}


def rows(workspace):
    found = results_in(workspace.batch)
    return {name: read_result(path, name) for name, path in found.items()}


def write_study(workspace, **top):
    """Scenarios of every kind that one job may have: joined, alone, with contingencies, in time."""
    workspace.write("low.csv", "load,p_mw,q_mvar\n0,15,5\n2,30,\n")
    workspace.write("high.csv", "load,p_mw\n1,40\n")
    workspace.write("day.csv", "snapshot,load,p_mw\nh0,0,10\nh1,0,20\nh2,0,30\n")
    workspace.write("limits.csv", "element,id,max_vm_pu\nbus,3,1.05\n")
    plain = [{"id": f"s{n}", "load_scale": 0.8 + 0.02 * n} for n in range(12)]
    out = [
        {"id": f"out{n}", "outages": [{"type": "line", "id": n // 2}], "load_scale": 1 + 0.01 * n}
        for n in range(6)
    ]
    others = [
        {"id": "low", "loads": "low.csv"},
        {"id": "high", "loads": "high.csv"},
        {"id": "day", "loads": "day.csv"},
        {"id": "limited", "limits": "limits.csv", "solver": "ac_opf"},
        {"id": "n1", "contingencies": "n-1"},
        {"id": "system", "keep": "system"},
        {"id": "buses", "keep": {"bus": ["vm_pu"]}},
        {"id": "hopeless", "load_scale": 9.0},
        {"id": "shared", "options": {"enforce_q_lims": True}},
        {"id": "dc1", "solver": "dc"},
        {"id": "dc2", "solver": "dc", "load_scale": 0.9},
    ]
    scenarios = [*plain[:6], *others[:5], *out, *plain[6:], *others[5:]]
    content = {"grid": "pandapower:case14", "solver": "ac", "scenarios": scenarios, **top}
    workspace.write("manifest.json", content)
    return scenarios


def run(workspace, code=0, **settings):
    workspace.configure(retry_backoff_secs=0.1, **settings)
    done = workspace.run()
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_a_shared_result_has_the_rows_of_single_ones_bit_for_bit(workspace, monkeypatch):
    scenarios = write_study(workspace)
    run(workspace)
    single = rows(workspace)
    about = records(workspace)
    summary = {
        name: pd.read_parquet(workspace.batch / "summary" / f"{name}.parquet")
        for name in ("scenarios", "contingencies", "overloads", "aggregated_results")
    }
    run(workspace, layout="block", name="shared")
    batch = workspace.batch.with_name("shared")
    found = results_in(batch)
    assert found.keys() == single.keys() == {one["id"] for one in scenarios}
    assert len(set(found.values())) == 4  # ac, ac with contingencies, ac_opf, dc
    assert {path.parent.name for path in batch.glob("job_*/*")} == {
        path.parent.name for path in found.values()
    }
    for name, path in found.items():
        assert read_result(path, name).equals(single[name]), name
        kept = read_metadata(path, name)
        differ = {key for key in about[name] if about[name][key] != kept[key]}
        assert differ <= {"solved", "duration_secs"}, name
        # Anyone's reader tells them apart by the column.
        table = pq.read_table(path, filters=[("scenario", "=", name)])
        assert len(table) == len(single[name])
    for name, before in summary.items():
        after = pd.read_parquet(batch / "summary" / f"{name}.parquet")
        order = ["scenario", "snapshot", "contingency", "element", "id"]
        keys = [key for key in order if key in before]
        varying = [key for key in ("result", "duration_secs") if key in before]
        one, other = (
            table.drop(columns=varying).sort_values(keys, ignore_index=True)
            for table in (before, after)
        )
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    # Whoever compares the two batches, or asks for one state, needn't know how they are laid out.
    compared = run_script("compare_batches", workspace.batch, batch, cwd=workspace.path)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert f"{len(scenarios)} scenarios, 0 with changes" in compared.stdout
    monkeypatch.chdir(workspace.path)
    net = BatchJob.resume(batch).network("low")
    low = single["low"].to_pandas().query("element == 'bus'")
    assert net.res_bus["vm_pu"].tolist() == low["vm_pu"].tolist()


def test_large_parts_are_copied_and_read_as_what_was_written(workspace):
    scenarios = [{"id": f"s{n}", "load_scale": 0.8 + 0.005 * n} for n in range(40)]
    scenarios[3]["keep"] = scenarios[21]["keep"] = "system"
    content = {"grid": "pandapower:case1354pegase", "solver": "dc", "scenarios": scenarios}
    workspace.write("manifest.json", content)
    run(workspace)
    single, summary = rows(workspace), workspace.batch / "summary"
    run(workspace, layout="block", name="shared")
    batch = workspace.batch.with_name("shared")
    found = results_in(batch)
    (path,) = set(found.values())
    # Each of the parts is a row group, of more scenarios than 20,000 rows.
    sizes = group_sizes(path)
    assert len(sizes) == 8
    assert min(sizes) > 20_000
    assert group_sizes(batch / "summary" / "aggregated_results.parquet") == sizes
    for name in scenarios:
        assert read_result(path, name["id"]).equals(single[name["id"]])
    for name in ("aggregated_results", "elements"):
        tables = [pq.read_table(one / f"{name}.parquet") for one in (summary, batch / "summary")]
        assert tables[0].equals(tables[1]), name
    # Of what an earlier run has left, each row is read before it becomes part of a result.
    parts = path.parent / "parts"
    parts.mkdir()
    damaged = bytearray(path.read_bytes())
    damaged[200_000] ^= 1
    (parts / "1-1.parquet").write_bytes(damaged)
    path.unlink()
    run(workspace, layout="block", name="shared")
    for name in scenarios:
        assert read_result(path, name["id"]).equals(single[name["id"]])


def group_sizes(path):
    stored = pq.read_metadata(path)
    return [stored.row_group(group).num_rows for group in range(stored.num_row_groups)]


def test_an_edit_or_a_damage_costs_what_it_concerns_and_no_more(workspace):
    write_study(workspace, layout="block")
    run(workspace)
    before = solved(workspace)
    again = workspace.run()
    assert "Nothing to be done" in again.stdout + again.stderr
    workspace.write("low.csv", "load,p_mw\n0,16\n")
    run(workspace)
    after = solved(workspace)
    assert {name for name in after if after[name] != before[name]} == {"low"}
    path = results_in(workspace.batch)["dc1"]
    path.write_bytes(path.read_bytes()[:-100])
    run(workspace)
    mended = solved(workspace)
    assert {name for name in after if after[name] != mended[name]} == {"dc1", "dc2"}
    assert not list(workspace.batch.glob("**/parts"))
    assert not (workspace.batch / "logs" / "earlier").exists()


def test_nothing_is_solved_again_where_jobs_or_the_layout_change(workspace):
    scenarios = write_study(workspace)
    run(workspace, layout="block", scenarios_per_job=5)
    first, kept = solved(workspace), rows(workspace)
    assert len(set(results_in(workspace.batch).values())) > 4
    run(workspace, layout="block", scenarios_per_job=7)
    assert solved(workspace) == first
    run(workspace, layout="scenario", scenarios_per_job=7)
    assert solved(workspace) == first
    assert all(
        path.parent.name == f"job_{name}" for name, path in results_in(workspace.batch).items()
    )
    more = [{"id": "first", "load_scale": 0.5}, *scenarios, {"id": "last", "load_scale": 0.6}]
    content = {"grid": "pandapower:case14", "solver": "ac", "scenarios": more}
    workspace.write("manifest.json", content)
    run(workspace, layout="block", scenarios_per_job=7)
    now = solved(workspace)
    assert set(now) - set(first) == {"first", "last"}
    assert {name: now[name] for name in first} == first
    assert all(table.equals(kept[name]) for name, table in rows(workspace).items() if name in kept)
    assert len(pd.read_parquet(workspace.batch / "summary" / "scenarios.parquet")) == len(more)


def write_small(workspace, scales, **top):
    scenarios = [{"id": name, "load_scale": scale} for name, scale in scales.items()]
    content = {"grid": "pandapower:case9", "solver": "ac", "layout": "block"}
    workspace.write("manifest.json", content | {"scenarios": scenarios} | top)


def test_a_scenario_taken_out_or_smaller_jobs_solve_nothing_again(workspace):
    scales = {"a": 1.0, "b": 1.01, "c": 1.02, "d": 1.03, "e": 1.04}
    write_small(workspace, scales)
    run(workspace)
    before = solved(workspace)
    write_small(workspace, {name: scale for name, scale in scales.items() if name != "c"})
    dry = workspace.run("-n")
    assert "4 solved already, nothing to solve" in dry.stderr
    run(workspace)
    run(workspace, scenarios_per_job=2)
    assert solved(workspace) == {name: when for name, when in before.items() if name != "c"}
    assert len(set(results_in(workspace.batch).values())) == 2


def test_parts_of_an_edit_that_was_taken_back_don_t_count(workspace):
    results = []
    for scale in (1.0, 0.5):
        write_small(workspace, {"a": scale, "b": 1.1})
        run(workspace)
        path = results_in(workspace.batch)["a"]
        results.append((path.read_bytes(), rows(workspace)["a"], solved(workspace)))
    parts = path.parent / "parts"
    parts.mkdir()
    for number, (content, _, _) in enumerate(results, 1):
        (parts / f"{number}-1.parquet").write_bytes(content)
    path.unlink()
    write_small(workspace, {"a": 1.0, "b": 1.1})
    run(workspace)
    assert rows(workspace)["a"].equals(results[0][1])
    assert solved(workspace)["a"] == results[0][2]["a"]


def test_damaged_rows_under_a_whole_footer_are_solved_anew(workspace):
    write_small(workspace, {"a": 1.0, "b": 1.1})
    run(workspace)
    kept = rows(workspace)
    path = results_in(workspace.batch)["a"]
    content = bytearray(path.read_bytes())
    content[200:1200] = bytes(1000)
    path.write_bytes(content)
    write_small(workspace, {"a": 1.0, "b": 1.1, "c": 1.2})
    run(workspace)
    now = rows(workspace)
    assert {name: now[name].equals(kept[name]) for name in kept} == {"a": True, "b": True}
    assert set(now) == {"a", "b", "c"}


def test_nothing_is_found_twice_after_the_layout_and_an_input_change(workspace):
    write_small(workspace, {"ac_0001": 1.0, "b": 1.1})
    run(workspace)
    before = solved(workspace)
    write_small(workspace, {"ac_0001": 1.0, "b": 0.9}, layout="scenario")
    run(workspace)
    files = sorted(path.parent.name for path in workspace.batch.glob("job_*/result.parquet"))
    assert files == ["job_ac_0001", "job_b"]
    assert solved(workspace)["ac_0001"] == before["ac_0001"]
    write_small(workspace, {"ac_0001": 0.8, "b": 0.9})
    run(workspace)
    assert [path.name for path in workspace.batch.glob("job_*")] == ["job_ac_0001"]
    assert set(solved(workspace)) == {"ac_0001", "b"}


@linux
def test_one_at_fault_costs_nothing_but_itself(workspace, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    bad = {"crash": "loads_segfault.csv", "disk": "loads_io.csv", "once": "loads_kill-once.csv"}
    for table in bad.values():
        workspace.write(table, "load,p_mw\n0,30\n")
    scenarios = [{"id": f"s{n}", "load_scale": 1 + n / 1000} for n in range(60)]
    scenarios[10:10] = [{"id": name, "loads": table} for name, table in bad.items()]
    content = {"grid": "pandapower:case14", "solver": "ac", "layout": "block"}
    workspace.write("manifest.json", content | {"scenarios": scenarios})
    done = run(workspace, 1, retry_attempts=2)
    assert set(records(workspace)) == {f"s{n}" for n in range(60)} | {"once"}
    error = json.loads((workspace.batch / "job_ac_0001" / "error.json").read_text())
    told = {one["scenario"]: one["verdict"] for one in error["failed"]}
    assert told == {"crash": "crash", "disk": "io"}
    assert all(len(one["tries"]) == 2 for one in error["failed"])
    assert "2 failed" in done.stdout + done.stderr
    status = workspace.status()
    assert (status["completed"], status["failed"], status["pending"]) == (61, 2, 0)
    summary = pd.read_csv(workspace.batch / "summary" / "scenarios.csv").set_index("scenario")
    assert set(summary.index[summary["status"] == "failed"]) == {"crash", "disk"}

    before = solved(workspace)
    text = (workspace.path / "manifest.json").read_text()
    workspace.write("manifest.json", text.replace("_segfault", "_x").replace("_io", "_y"))
    workspace.write("loads_x.csv", "load,p_mw\n0,30\n")
    workspace.write("loads_y.csv", "load,p_mw\n0,30\n")
    run(workspace)
    after = solved(workspace)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"crash", "disk"}
    assert not (workspace.batch / "job_ac_0001" / "error.json").exists()


@linux
def test_failures_that_are_permitted_are_tried_again_by_the_next_run(workspace, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    workspace.write("loads_kill.csv", "load,p_mw\n0,30\n")
    scenarios = [{"id": "a"}, {"id": "b", "loads": "loads_kill.csv"}, {"id": "c"}]
    content = {"grid": "pandapower:case14", "scenarios": scenarios, "layout": "block"}
    workspace.write("manifest.json", content)
    run(workspace, max_failures=1, retry_attempts=1)
    before = solved(workspace)
    assert set(before) == {"a", "c"}
    dry = workspace.run("-n")
    assert "1 to solve (b)" in dry.stderr
    run(workspace, max_failures=1, retry_attempts=1)
    assert solved(workspace) == before


@linux
@pytest.mark.parametrize("victim", ["controller", "worker"])
def test_what_was_written_before_a_kill_is_never_solved_again(workspace, monkeypatch, victim):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    scenarios = []
    for n in range(24):
        workspace.write(f"loads_slow-{n}.csv", "load,p_mw\n0,30\n")
        scenarios.append({"id": f"s{n}", "loads": f"loads_slow-{n}.csv"})
    content = {"grid": "pandapower:case14", "scenarios": scenarios, "layout": "block"}
    workspace.write("manifest.json", content)
    workspace.configure(retry_backoff_secs=0.1, scenarios_per_job=24)
    process = workspace.start(cores=1)
    parts = workspace.batch / "job_dc_0001" / "parts"
    until = time.monotonic() + 60
    while not list(parts.glob("*.parquet")):
        assert time.monotonic() < until
        time.sleep(0.02)
    kill(process, victim)
    process.communicate()
    written = {
        name: read_metadata(path, name)["solved"]
        for path in parts.glob("[0-9]*.parquet")
        for name in read_metadata(path)["members"]
    }
    if victim != "worker":
        workspace.run("--unlock")
        run(workspace, scenarios_per_job=24)
    after = solved(workspace)
    assert len(after) == 24
    assert {name: after[name] for name in written} == written
    if victim == "controller":
        assert written


def kill(process, victim):
    """Kill Snakemake and all below it, or a worker of its job alone."""
    if victim == "controller":
        os.killpg(process.pid, signal.SIGKILL)
        return
    with suppress(ProcessLookupError):
        os.kill(children(descendant(process.pid, "solve.py"))[-1], signal.SIGKILL)


def children(pid):
    listing = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in listing.stdout.split()]


def descendant(pid, name):
    for child in children(pid):
        command = subprocess.run(
            ["ps", "-o", "args=", "-p", str(child)], capture_output=True, text=True, check=False
        ).stdout
        if name in command and "python" in command.split()[0]:
            return child
        if found := descendant(child, name):
            return found
    return None


def test_the_status_of_a_large_batch_lists_the_worst_and_a_sample():
    def job(number, state="completed", status="ok"):
        well = status == "ok" if state == "completed" else None
        return {
            "id": f"s{number}",
            "state": state,
            "status": status,
            "converged": well,
            "duration_ms": float(number % 977),
            "residual": None,
            "left_to_pandapower": None,
        }

    def listed(jobs):
        tally = Tally(len(jobs))
        for number, one in enumerate(jobs):
            tally.add(number, one)
        return tally.listed()

    jobs = [job(n) for n in range(MOST_LISTED + 1)]
    jobs[77] = job(77, "failed")
    jobs[88] = job(88, "completed", "not_converged")
    jobs[99] = job(99, "running")
    shown = listed(jobs)
    assert len(shown) <= LISTED_OF_MORE
    assert {"s77", "s88", "s99", "s976", "s0"} <= {one["id"] for one in shown}
    order = [int(one["id"][1:]) for one in shown]
    assert order == sorted(order)
    assert max(b - a for a, b in pairwise(order)) < 60
    assert listed(jobs[:MOST_LISTED]) == jobs[:MOST_LISTED]


def test_scenarios_that_went_alike_are_counted_and_listed_as_each_by_itself():
    def job(number, duration):
        told = {"state": "completed", "status": "ok", "converged": True, "error": None}
        own = {"id": f"s{number}", "duration_ms": duration, "iterations": number % 5}
        return {**told, **own, "residual": None, "left_to_pandapower": None}

    total, size = MOST_LISTED + 500, 100
    single, together = Tally(total), Tally(total)
    verified = {"states": 1, "mw": 0.25, "pu": 0.5}
    for start in range(0, total, size):
        duration = float(start // size * 37 % 101)
        for number in range(start, start + size):
            single.add(number, job(number, duration), verified)
        first = job(start, duration)
        together.add(start, first, verified, times=size)
        for number in range(start + 1, start + size):
            if together.lists(number, first):
                together.keep(number, job(number, duration))
    assert together.counted() == single.counted()
    assert together.listed() == single.listed()
    assert (
        together.verified()
        == single.verified()
        == {
            "states": total,
            "largest_mw": 0.25,
            "largest_pu": 0.5,
        }
    )
