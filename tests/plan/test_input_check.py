"""What a check of the input leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from conftest import ROOT

CHECK = """
import json, sys
from gat_batch.run.start import open_batch
open_batch(json.loads(sys.argv[1]), main=True)
print(sorted({"pandapower", "numba"} & sys.modules.keys()))
"""


def test_a_check_against_the_grid_leaves_snakemakes_process_as_it_is(workspace):
    workspace.write("loads.csv", "load,p_mw\n0,30\n")
    scenarios = [{"id": "base", "loads": "loads.csv"}]
    file = workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    values = {"manifest": str(file), "output_dir": str(workspace.path / "runs")}
    command = [sys.executable, "-c", CHECK]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}

    def checked():
        return subprocess.run(
            [*command, json.dumps(values)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert checked().stdout.splitlines()[-1] == "[]"
    workspace.write("loads.csv", "load,p_mw\n7,30\n")
    assert "loads.csv: scenario 'base': load: " in checked().stderr
