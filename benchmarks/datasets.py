"""Samples a second: specification, run and export against a loop around pandapower.

python benchmarks/datasets.py [--grid case118] [--solvers ac ac_opf] [--samples 1000 10000]
    [--loop-of 200] [--to numpy]

Both solve the grid under random loads, ten percent around those given. The loop, one process, keeps
voltages, generation and flows in lists and writes them once; the workflow writes the results of
every element, its summary and report, and then the dataset, whose power balance it checks. The loop
solves so many samples; its time is scaled up, without that of its start. With several numbers of
samples the lines show how time grows. The workflow's time is cold, as in benchmarks/compare.py.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from compare import ROOT, Run, run

LOOP = "--loop"


def main() -> None:
    """Run all combinations and print their lines."""
    if sys.argv[1:2] == [LOOP]:
        loop(sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--grid", default="case118", help="a grid that ships with pandapower")
    parser.add_argument("--solvers", nargs="+", default=["ac", "ac_opf"])
    parser.add_argument("--samples", nargs="+", type=int, default=[1000])
    parser.add_argument("--loop-of", type=int, default=200, help="samples that the loop solves")
    parser.add_argument("--to", default="numpy", help="layout of the dataset")
    arguments = parser.parse_args()
    packages = ("snakemake", "pandapower", "lightsim2grid", "casadi", "numpy", "pyarrow")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {os.cpu_count()} cores")
    for solver in arguments.solvers:
        with tempfile.TemporaryDirectory() as folder:
            task = [arguments.grid, solver, str(arguments.loop_of), f"{folder}/loop.npz"]
            command = [sys.executable, "-W", "ignore", __file__, LOOP, *task]
            of_loop = run(command, Path(folder))
            each = float(np.load(task[-1])["seconds"]) / arguments.loop_of
        print(f"\n{arguments.grid}, {solver}; loop, of {arguments.loop_of} samples scaled up:")
        print(f"  {1 / each:17.1f} a second, {of_loop.peak_mb:.0f} MB", flush=True)
        for count in arguments.samples:
            with tempfile.TemporaryDirectory() as folder:
                case = arguments.grid, solver, count
                show(count, each, *dataset(Path(folder), case, arguments.to))


def dataset(folder: Path, case: tuple[str, str, int], layout: str) -> tuple[Run, Run, int]:
    """Make a dataset by the workflow.

    Args:
        folder: a folder of its own.
        case: grid, solver and number of samples.
        layout: layout of the dataset.

    Returns:
        The run, the export, and how many samples have a solution.
    """
    grid, solver, count = case
    noise = {"of": "load", "distribution": "uniform", "low": 0.9, "high": 1.1}
    family = {"id": "draw", "solver": solver, "draws": {"count": count, "random": {"noise": noise}}}
    content = {"version": 1, "grid": f"pandapower:{grid}", "scenarios": [family]}
    (folder / "samples.json").write_text(json.dumps(content))
    (folder / "config").mkdir()
    config = {"manifest": "samples.json", "name": "bench"}
    (folder / "config" / "config.yaml").write_text(json.dumps(config))
    cores = ["--cores", str(os.cpu_count())]
    profile = ["--workflow-profile", str(ROOT / "profiles" / "default")]
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    solved = run([*command, *profile, *cores, "--quiet", "all"], folder)
    command = [sys.executable, str(ROOT / "scripts" / "export.py"), "runs/batch/bench", "sets"]
    exported = run([*command, "--to", layout, *cores], folder)
    (card,) = (folder / "sets").glob("*/data_card.json")
    return solved, exported, json.loads(card.read_text())["counts"]["samples"]


def show(count: int, each: float, solved: Run, exported: Run, samples: int) -> None:
    """Print the line of a dataset.

    Args:
        count: samples asked for.
        each: seconds that the loop takes for a sample.
        solved: the run.
        exported: the export.
        samples: how many have a solution.
    """
    secs = solved.secs + exported.secs
    peak = max(solved.peak_mb, exported.peak_mb)
    pace = f"{count / secs:9.1f} a second, {secs / (each * count):5.3f} of the loop's time"
    times = f"run {solved.secs:.1f} s, export {exported.secs:.1f} s"
    print(f"  {count:7} {pace}, {peak:.0f} MB; {times}; {samples} solved", flush=True)


def loop(grid: str, solver: str, count: int, out: Path) -> None:
    """Solve samples as a user would, and write them."""
    import pandapower
    import pandapower.networks
    from pandapower.auxiliary import LoadflowNotConverged, OPFNotConverged

    net = getattr(pandapower.networks, grid)()
    solve = pandapower.runpp if solver == "ac" else pandapower.runopp
    given = net.load[["p_mw", "q_mvar"]].to_numpy()
    rng = np.random.default_rng(0)
    names = {
        "bus": ["vm_pu", "va_degree"], "gen": ["p_mw", "q_mvar"], "ext_grid": ["p_mw", "q_mvar"],
        "line": ["p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar"],
        "trafo": ["p_hv_mw", "q_hv_mvar", "p_lv_mw", "q_lv_mvar"],
    }  # fmt: skip
    began = time.monotonic()
    samples: dict[str, list[np.ndarray]] = {name: [] for name in ("load", *names)}
    for _ in range(count):
        load = given * rng.uniform(0.9, 1.1, (len(given), 1))
        net.load[["p_mw", "q_mvar"]] = load
        try:
            solve(net)
        except (LoadflowNotConverged, OPFNotConverged):
            continue
        samples["load"].append(load)
        for element, columns in names.items():
            samples[element].append(net[f"res_{element}"][columns].to_numpy())
    found: dict[str, Any] = {name: np.stack(values) for name, values in samples.items()}
    np.savez(out, **found, seconds=time.monotonic() - began)


if __name__ == "__main__":
    main()
