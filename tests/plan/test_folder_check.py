"""A batch's folder is one manifest's: another one with the same name doesn't get into it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.workflow

GRID = "pandapower:case9"


def write(workspace, name, *ids):
    return workspace.write(name, {"grid": GRID, "scenarios": [{"id": one} for one in ids]})


def run(workspace, manifest, *values, dry=False):
    asked = ["-n"] if dry else []
    return workspace.run(*asked, "--config", f"manifest={manifest}", *values)


def test_a_second_manifest_of_that_name_is_refused_unless_it_is_the_same_file(workspace):
    workspace.configure(name=None)
    first = write(workspace, "rts/rts.json", "base", "low")
    write(workspace, "other/rts.json", "base")
    done = run(workspace, "rts/rts.json")
    assert done.returncode == 0, done.stderr
    folder = workspace.path / "runs" / "batch" / "rts"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    for dry in (True, False):
        second = run(workspace, "other/rts.json", dry=dry)
        assert second.returncode == 1
        output = second.stdout + second.stderr
        (line,) = [line for line in output.splitlines() if "belongs to" in line]
        assert "other/rts.json: the folder runs/batch/rts belongs to" in line
        assert "another manifest, rts/rts.json" in line
        assert "name=..." in line
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert run(workspace, "other/rts.json", "name=other", dry=True).returncode == 0

    # The same file by another way, and a file that was moved or replaced, go on.
    (workspace.path / "linked").symlink_to(first.parent)
    for same in ("linked/rts.json", str(first)):
        assert "2 solved already" in run(workspace, same, dry=True).stderr
    first.unlink()
    assert "1 solved already" in run(workspace, "other/rts.json", dry=True).stderr


def test_a_project_moved_as_a_whole_goes_on(workspace):
    workspace.configure(name=None)
    manifest = write(workspace, "rts.json", "base")
    assert run(workspace, str(manifest)).returncode == 0
    moved = type(workspace)(workspace.path.with_name("moved"))
    workspace.path.rename(moved.path)
    again = run(moved, str(moved.path / "rts.json"), dry=True)
    assert "1 solved already" in again.stderr, again.stderr
