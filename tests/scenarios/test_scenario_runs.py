"""Runs from a specification: the manifest is a product, and only what changed is solved again."""

from __future__ import annotations

import json
import os
import re

import pandapower.networks
import pandas as pd
import pytest

pytestmark = pytest.mark.workflow


def study(count=5, **top):
    return {
        "version": 1,
        "grid": "pandapower:case9",
        "seed": 1,
        **top,
        "scenarios": [
            {"id": "base"},
            {"id": "own", "loads": "own.csv"},
            {"id": "line", "each_outage": {"types": ["line"], "connected": True}},
            {
                "id": "mc",
                "draws": {"count": count, "random": {"noise": {"of": "load", "std": 0.1}}},
            },
        ],
    }


def begin(workspace, **keywords):
    workspace.write("own.csv", "load,p_mw\n0,80\n")
    workspace.write("study.yaml", study(**keywords))
    workspace.configure(manifest="study.yaml", scenarios_per_job=8)


def succeed(run):
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def planned(workspace):
    """What a dry run says is to be solved, and which jobs it lists."""
    output = succeed(workspace.run("-n"))
    match = re.search(r"(\d+) solved already, (nothing to solve|(\d+) to solve)", output)
    assert match, output
    return int(match[3] or 0), set(re.findall(r"^(\w+) +\d+$", output, re.MULTILINE))


def newly_solved(before, after):
    return {name for name in after if after[name] != before.get(name)}


def test_only_what_changed_is_solved_again(workspace):
    begin(workspace)
    todo, jobs = planned(workspace)
    assert todo == 1 + 1 + 6 + 5
    assert {"make_scenarios", "solve_dc_0001", "summarise"} <= jobs
    assert not workspace.batch.exists()

    output = succeed(workspace.run())
    assert "13 of 13 scenarios solved" in output
    first = workspace.solved()
    manifest = json.loads((workspace.batch / "scenarios" / "manifest.json").read_text())
    assert {entry["id"] for entry in manifest["scenarios"]} == set(first)
    assert workspace.status()["manifest_sha256"]

    # A table of the user's changes as well: Snakemake looks for no reason of a job's own behind a
    # job that runs.
    begin(workspace, count=6)
    workspace.write("own.csv", "load,p_mw\n0,81\n")
    todo, jobs = planned(workspace)
    assert todo == 2
    assert "make_scenarios" in jobs
    succeed(workspace.run())
    second = workspace.solved()
    assert newly_solved(first, second) == {"mc-00006", "own"}

    content = study(6, seed=2)
    content["scenarios"][0]["weight"] = 3
    workspace.write("study.yaml", content)
    succeed(workspace.run())
    assert newly_solved(second, workspace.solved()) == {f"mc-{n:05}" for n in range(1, 7)}
    table = pd.read_parquet(workspace.batch / "summary" / "scenarios.parquet")
    assert table.set_index("scenario")["weight"]["base"] == 3
    os.utime(workspace.path / "study.yaml")
    assert planned(workspace) == (0, set())


def test_faulty_specification_ends_before_anything_is_written(workspace):
    workspace.configure(manifest="study.yaml")
    workspace.write("study.yaml", study(solver="acc"))
    run = workspace.run()
    assert run.returncode == 1
    output = run.stdout + run.stderr
    assert "did you mean 'ac'" in output
    assert "Traceback" not in output
    assert not workspace.batch.exists()


def test_output_folder_may_be_a_link(workspace, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("scratch") / "deep" / "down"
    elsewhere.mkdir(parents=True)
    (workspace.path / "runs").symlink_to(elsewhere)
    begin(workspace, count=1, grid="net.json")
    pandapower.to_json(pandapower.networks.case9(), str(workspace.path / "net.json"))
    workspace.configure(
        manifest="study.yaml",
        analytics=[{"name": "busy", "kind": "congestion", "options": {"threshold_percent": 1}}],
    )
    succeed(workspace.run())
    assert len(workspace.solved()) == 9
    # Tables name grids as the specification does, and not as seen from the folder of its product.
    for name in ("scenarios", "elements", "analytics/busy"):
        table = pd.read_parquet(workspace.batch / "summary" / f"{name}.parquet")
        assert set(table["grid"]) == {"net.json"}, name
    assert "../" not in (workspace.batch / "summary" / "scenarios.csv").read_text()
