"""A year of hours in one scenario, through the whole workflow.

python benchmarks/year.py [--grid case118] [--solver ac] [--hours 8760] [--workers 2]

Every load follows a daily and a yearly swing with noise of its own; the job has a worker for each
core, unless another number is given. Prints the time of each stage, the largest process, and of AC
power flows the time of lightsim2grid's bare sweep over the same loads.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandapower.networks
import pyarrow as pa
import pyarrow.parquet as pq
from sweep import bare_sweep

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write the batch, run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--grid", default="case118")
    parser.add_argument("--solver", default="ac")
    parser.add_argument("--hours", type=int, default=8760)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    packages = ("snakemake", "pandapower", "lightsim2grid", "pyarrow")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_batch(folder, arguments.grid, arguments.solver, arguments.hours)
        config = {"manifest": "manifest.json", "name": "year", "workers_per_job": arguments.workers}
        (folder / "config").mkdir()
        (folder / "config" / "config.yaml").write_text(json.dumps(config))
        began = time.monotonic()
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        profile = str(ROOT / "profiles" / "default")
        cores = ["--cores", str(os.cpu_count()), "--quiet", "all"]
        process = subprocess.Popen([*command, "--workflow-profile", profile, *cores], cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"snakemake ended with exit code {process.returncode}")
        secs = time.monotonic() - began
        batch = folder / "runs" / "batch" / "year"
        (job,) = json.loads((batch / "batch_manifest.json").read_text())["jobs"]
        size = (batch / "job_year" / "result.parquet").stat().st_size / 1e6
        print(f"{arguments.grid}, {arguments.solver}, {arguments.hours} hours: {secs:.1f} s,")
        print(f"  of it {job['duration_ms'] / 1000:.1f} s solving and writing {size:.0f} MB;")
        print(f"  largest process {usage.ru_maxrss / 1024:.0f} MB")
        if arguments.solver == "ac":
            show_sweep(folder, arguments.grid, job["duration_ms"] / 1000)


def show_sweep(folder: Path, grid: str, secs: float) -> None:
    """Print how the time of the scenario, in seconds, compares with that of the bare sweep."""
    net = getattr(pandapower.networks, grid)()
    given = net.load[["p_mw", "q_mvar"]].to_numpy()
    active = pq.read_table(folder / "loads.parquet")["p_mw"].to_numpy().reshape(-1, len(given))
    # Reactive power keeps its ratio where a table has none.
    bare = bare_sweep(net, active, active * given[:, 1] / given[:, 0])
    if bare is not None:
        print(f"  lightsim2grid's bare sweep {bare:.1f} s: {secs / bare:.1f} times that")


def write_batch(folder: Path, grid: str, solver: str, hours: int) -> None:
    """Write the manifest and the table of loads."""
    rng = np.random.default_rng(0)
    load = getattr(pandapower.networks, grid)().load
    hour = np.arange(hours)
    swing = 0.85 + 0.1 * np.sin(hour * 2 * np.pi / 24) + 0.05 * np.cos(hour * 2 * np.pi / 8760)
    power = load["p_mw"].to_numpy() * swing[:, None] * rng.normal(1, 0.03, (hours, len(load)))
    table = {
        "load": pa.array(np.tile(load.index.to_numpy(), hours)),
        "snapshot": pa.array(np.repeat([f"h{n:04}" for n in hour], len(load))),
        "p_mw": pa.array(power.ravel()),
    }
    pq.write_table(pa.table(table), folder / "loads.parquet")
    year = {"id": "year", "loads": "loads.parquet", "timeout_secs": 3600}
    content = {"grid": f"pandapower:{grid}", "solver": solver, "scenarios": [year]}
    (folder / "manifest.json").write_text(json.dumps(content))


if __name__ == "__main__":
    main()
