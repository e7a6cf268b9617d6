"""Quarter hours of a SimBench grid in one scenario, against pandapower's own time series loop.

    python benchmarks/quarter_hours.py [--codes 1-MV-comm--2-sw] [--steps 960]

Needs the package ``simbench``. Loads and static generators follow SimBench's profiles; storages,
which tables don't set, stay as they are. The loop is ``run_timeseries`` with SimBench's constant
controllers, in this process, and writes every result of the same elements; the workflow is run
whole, from a cold start, summary and report included, with the same powers in two tables, by a job
with a worker for each core. Prints
times and ratios, of the whole and of the scenario alone (tables read, solved, written), and the
largest difference of a voltage.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from copy import copy
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandapower
import pandas as pd
import pyarrow.parquet as pq
import simbench
from pandapower.timeseries import OutputWriter, run_timeseries

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

ROOT = Path(__file__).parents[1]

ELEMENTS = ("bus", "line", "trafo", "trafo3w", "load", "sgen", "gen", "ext_grid", "storage")


def main() -> None:
    """Compare every grid asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--codes", nargs="+", default=["1-MV-comm--2-sw", "1-EHV-mixed--0-sw"])
    parser.add_argument("--steps", type=int, default=960)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    packages = ("snakemake", "pandapower", "simbench", "lightsim2grid", "numba")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {os.cpu_count()} cores")
    for code in arguments.codes:
        with tempfile.TemporaryDirectory() as folder:
            compare(code, arguments.steps, Path(folder))


def compare(code: str, steps: int, folder: Path) -> None:
    """Run one grid both ways and print its line."""
    net = simbench.get_simbench_net(code)
    profiles = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    profiles = {key: table for key, table in profiles.items() if key[0] in ("load", "sgen")}
    write_batch(net, profiles, steps, folder)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    profile = str(ROOT / "profiles" / "default")
    cores = ["--cores", str(os.cpu_count()), "--quiet", "all"]
    began = time.monotonic()
    subprocess.run([*command, "--workflow-profile", profile, *cores], cwd=folder, check=True)
    ours = time.monotonic() - began
    batch = folder / "runs" / "batch" / "quarters"
    (job,) = json.loads((batch / "batch_manifest.json").read_text())["jobs"]
    solving = job["duration_ms"] / 1000
    rows = pq.read_table(
        batch / "job_quarters" / "result.parquet",
        columns=["element", "id", "vm_pu"],
        filters=[("element", "==", "bus")],
    )
    mine = rows["vm_pu"].to_numpy().reshape(steps, len(net.bus))
    buses = rows["id"].to_numpy()[: len(net.bus)]
    began = time.monotonic()
    theirs = looped(net, profiles, steps, folder / "loop")
    loop = time.monotonic() - began
    apart = np.nanmax(np.abs(mine - theirs[buses].to_numpy()))
    print(
        f"{code}, {len(net.bus)} buses, {steps} steps: loop {loop:.1f} s, gat-batch {ours:.1f} s ="
        f" {ours / loop:.3f}, of it the scenario {solving:.1f} s = {solving / loop:.3f};"
        f" voltages differ by {apart:.1e} p.u. at most",
        flush=True,
    )


def looped(
    net: pandapowerNet, profiles: dict[tuple[str, str], pd.DataFrame], steps: int, folder: Path
) -> pd.DataFrame:
    """Write all results by pandapower's loop; return voltages in p.u., a column a bus."""
    simbench.apply_const_controllers(net, profiles)
    pandapower.runpp(net)
    writer = OutputWriter(net, range(steps), output_path=str(folder), output_file_type=".p")
    for element in ELEMENTS:
        for quantity in net[f"res_{element}"].columns if len(net[element]) else ():
            writer.log_variable(f"res_{element}", quantity)
    run_timeseries(net, time_steps=range(steps), verbose=False)
    voltages: pd.DataFrame = writer.output["res_bus.vm_pu"]
    return voltages


def write_batch(
    net: pandapowerNet, profiles: dict[tuple[str, str], pd.DataFrame], steps: int, folder: Path
) -> None:
    """Write grid, tables, manifest and configuration."""
    bare = copy(net)
    bare.pop("profiles", None)  # 75 MB that the tables hold already
    pandapower.to_json(bare, str(folder / "grid.json"))
    names = [f"q{step:05}" for step in range(steps)]
    tables = {}
    for element, quantities in (("load", ("p_mw", "q_mvar")), ("sgen", ("p_mw",))):
        known = [name for name in quantities if (element, name) in profiles]
        if not known or not len(net[element]):
            continue
        first = profiles[element, known[0]].iloc[:steps]
        columns = {
            element: np.tile(first.columns.to_numpy(), steps),
            "snapshot": np.repeat(names, first.shape[1]),
        }
        for name in known:
            columns[name] = profiles[element, name].iloc[:steps].to_numpy().ravel()
        table = f"{element}s.parquet"
        pd.DataFrame(columns).to_parquet(folder / table, index=False)
        tables["loads" if element == "load" else "gens"] = table
    scenario = {"id": "quarters", "timeout_secs": 3600, **tables}
    content = {"grid": "grid.json", "solver": "ac", "scenarios": [scenario]}
    (folder / "manifest.json").write_text(json.dumps(content))
    (folder / "config").mkdir()
    config = {"manifest": "manifest.json", "name": "quarters", "workers_per_job": os.cpu_count()}
    (folder / "config" / "config.yaml").write_text(json.dumps(config))


if __name__ == "__main__":
    main()
