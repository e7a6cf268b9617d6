"""The package installed, and no clone in sight."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig

import pytest
from conftest import ROOT

SCRIPT = """
from gat_batch.api import BatchJob
import gat_batch

job = BatchJob.powerflow("study.json")
assert job.run()
print(gat_batch.__file__, len(job.to_pandas("scenarios")))
"""


@pytest.mark.workflow
def test_api_works_where_the_package_is_installed(tmp_path):
    home = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    python = home / "bin" / "python"
    shown = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip()
    # The dependencies are those of the environment that runs the tests.
    (tmp_path / site / "others.pth").write_text(sysconfig.get_path("purelib"))
    source = tmp_path / "source"
    files = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        if not name.startswith(("tests/", "docs/", "benchmarks/")) and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*pip, "--prefix", home, source], check=True)
    study = tmp_path / "study"
    study.mkdir()
    manifest = {"grid": "pandapower:case9", "scenarios": [{"id": "base"}]}
    (study / "study.json").write_text(json.dumps(manifest))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(home / "bin"), os.environ["PATH"]])
    run = subprocess.run(
        [python, "-c", SCRIPT],
        cwd=study,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert str(home) in run.stdout
    assert run.stdout.split()[-1] == "1"
