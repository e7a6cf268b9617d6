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
print([name for name in ("pandapower", "scipy.stats") if name in sys.modules])
import pandapower.estimation
print(pandapower.estimation.estimate.__name__)
"""


def test_a_check_against_the_grid_does_without_scipys_statistics(workspace):
    workspace.write("loads.csv", "load,p_mw\n0,30\n")
    scenarios = [{"id": "base", "loads": "loads.csv"}]
    file = workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    values = {"manifest": str(file), "output_dir": str(workspace.path / "runs")}
    run = subprocess.run(
        [sys.executable, "-c", CHECK, json.dumps(values)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    # Snakemake's process isn't ours alone: others have pandapower whole.
    assert run.stdout.splitlines()[-2:] == ["['pandapower']", "estimate"]
