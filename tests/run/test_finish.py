"""The last lines of a run count what a user would otherwise have to look for."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.workflow


def last_lines(workspace, content):
    workspace.write("manifest.json", content)
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stderr


def test_last_lines_count_contingencies_and_folders_left_behind(workspace):
    strained = {"id": "strained", "load_scale": 2.2}
    split = {
        "id": "split",
        "grid": "pandapower:case14",
        "outages": [{"type": "trafo", "id": 3}],
    }
    content = {"grid": "pandapower:case9", "solver": "ac", "scenarios": [strained, split]}
    told = last_lines(workspace, content | {"contingencies": "n-1"})
    assert (
        "2 of 2 scenarios solved, 0 of them without convergence, 1 islanded, 0 failed; "
        "8 of 28 contingencies without convergence, 20 islanded"
    ) in told
    assert "no longer has" not in told
    assert "summary/overloads.parquet  " in told
    assert "categories.parquet" not in told
    assert "remedies.parquet" not in told

    told = last_lines(workspace, content | {"scenarios": [strained]})
    assert "1 of 1 scenario solved, 0 of them without convergence, 0 failed\n" in told
    (line,) = [line for line in told.splitlines() if "no longer has" in line]
    assert "1 folder of scenarios that the manifest no longer has (job_split)" in line
    assert "runs/batch/study/job_*/result.parquet" in line
    assert "delete what" in line
