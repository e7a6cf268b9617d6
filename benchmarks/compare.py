"""The whole workflow against what a user would write, cold, summary included.

python benchmarks/compare.py [--grids case118 ...] [--solvers ac dc] [--scenarios 1000 ...]
    [--against abcd] [--spread 0.8 1.1] [--tables | --draws]
    [--config layout=block keep=system] [--loop-of 1000]

For each combination: (a) a loop in one process, (b) the same loop on all cores, (c) the workflow
with one Snakemake job a scenario (up to 100 scenarios), (d) lightsim2grid's bare sweep, which
writes nothing, of AC power flows with scaled loads, and the workflow as it comes. Prints wall times
as ratios to (a), the largest process, where the workflow's time goes, and the time that it takes
when it is asked again and finds all solved. Cold means that nothing runs or is solved before; what
Python and the report keep for a user (compiled modules, the drawing library) is there from the
second run on.

Loads are scaled within the spread, as far as a grid has solutions. With --tables each scenario has
a CSV table of its loads, which the loop reads, too; then it writes buses and lines alone, while the
workflow keeps every element. With --draws the workflow draws its factors itself, by a specification
of scenarios. A grid from a file, as case_RTS_GMLC.m, is that file for the workflow,
while the loop gets it in pandapower's own JSON. With --config the workflow alone is told more:
with keep=system it writes less than the loop. With --loop-of the loop solves so many scenarios, and
its time is scaled up.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

LOOP = ROOT / "benchmarks" / "loop.py"
MOST_SINGLE = 100
NONE = "none"
"""What benchmarks/sweep.py says where it has no time to tell."""


@dataclass(frozen=True)
class Run:
    """A finished process: wall time in seconds, largest process in MB."""

    secs: float
    peak_mb: float


def main() -> None:
    """Run all combinations and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--grids", nargs="+", default=["case118", "case1354pegase"])
    parser.add_argument("--solvers", nargs="+", default=["ac", "dc"])
    parser.add_argument("--scenarios", nargs="+", type=int, default=[1000])
    parser.add_argument("--against", default="abcd", help="which of the alternatives beside (a)")
    parser.add_argument("--spread", nargs=2, type=float, default=[0.8, 1.1])
    loads = parser.add_mutually_exclusive_group()
    loads.add_argument("--tables", action="store_true", help="a load table for each scenario")
    loads.add_argument("--draws", action="store_true", help="factors drawn by a specification")
    parser.add_argument("--config", nargs="*", default=[], help="settings of the workflow")
    parser.add_argument("--loop-of", type=int, help="scenarios that the loop solves")
    arguments = parser.parse_args()
    told = dict(setting.split("=", 1) for setting in arguments.config)
    packages = ("snakemake", "pandapower", "lightsim2grid", "numpy", "scipy", "pyarrow")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {os.cpu_count()} cores")
    for grid, solver, count in product(arguments.grids, arguments.solvers, arguments.scenarios):
        with tempfile.TemporaryDirectory() as folder:
            form = "tables" if arguments.tables else "draws" if arguments.draws else "factors"
            compare(
                Path(folder),
                (grid, solver, count),
                arguments.against,
                (form, tuple(arguments.spread)),
                told=told,
                loop_of=arguments.loop_of or count,
            )


def compare(
    work: Path,
    case: tuple[str, str, int],
    against: str,
    loads: tuple[str, tuple[float, float]],
    *,
    told: dict[str, str],
    loop_of: int,
) -> None:
    """Run one combination in every way and print its lines.

    Args:
        work: a folder of its own.
        case: grid, solver and number of scenarios.
        against: which of the alternatives beside the loop.
        loads: how scenarios have their loads, ``factors``, ``tables`` or ``draws``; and the lowest
            and highest loads.
        told: settings of the workflow.
        loop_of: scenarios that the loop solves; its time is scaled up to all.
    """
    grid, solver, count = case
    form, spread = loads
    name = grid
    if Path(grid).suffix:
        name = str(work / "grid.json")
        converter = str(ROOT / "scripts" / "convert_grid.py")
        subprocess.run([sys.executable, converter, grid, name], check=True, capture_output=True)
    task = [name, solver, str(loop_of), "--spread", *map(str, spread)]
    if form == "tables":
        write_tables(work / "tables", name, count, spread)
        task += ["--tables", str(work / "tables")]
    scenarios = drawn(count, spread) if form == "draws" else scaled(count, spread)
    if form == "tables":
        scenarios = [{"id": f"s{n}", "loads": f"../tables/s{n}.csv"} for n in range(count)]
    began = [sys.executable, "-W", "ignore", str(LOOP)]
    loop = run([*began, *task[:3], str(work / "a"), *task[3:]], work)
    loop = Run(loop.secs * count / loop_of, loop.peak_mb)
    of = f"; the loop's time is that of {loop_of}, scaled up" if loop_of < count else ""
    more = "".join(f", {key}: {value}" for key, value in told.items())
    with_tables = {"factors": "", "tables": " with a table each", "draws": " drawn"}[form]
    print(f"\n{grid}, {solver}, {count} scenarios{with_tables}{more}{of}")
    show("(a) loop", loop, loop)
    if "b" in against:
        cores = str(os.cpu_count())
        pool = run([*began, *task[:3], str(work / "b"), *task[3:], "--workers", cores], work)
        show("(b) loop on all cores", pool, loop)
    if "c" in against and count <= MOST_SINGLE:
        show(
            "(c) a job a scenario",
            workflow(work / "c", grid, solver, 1, scenarios, told=told),
            loop,
        )
    if "d" in against and solver == "ac" and form == "factors":
        show_sweep(name, count, spread, loop)
    ours = workflow(work / "e", grid, solver, "auto", scenarios, told=told)
    show("gat-batch", ours, loop)
    phases(work / "e" / "runs" / "batch" / "bench", ours)
    show("asked again", ask(work / "e"), loop)


def scaled(count: int, spread: tuple[float, float] = (0.8, 1.1)) -> list[dict[str, object]]:
    """Return scenarios whose loads are scaled."""
    low, high = spread
    return [{"id": f"s{n}", "load_scale": low + (high - low) * n / count} for n in range(count)]


def drawn(count: int, spread: tuple[float, float]) -> list[dict[str, object]]:
    """Return draws of scenarios whose loads are scaled, for a specification."""
    low, high = spread
    factor = {"of": "load_scale", "distribution": "uniform", "low": low, "high": high}
    return [{"id": "s", "draws": {"count": count, "random": {"demand": factor}}}]


def write_tables(folder: Path, grid: str, count: int, spread: tuple[float, float]) -> None:
    """Write a table of loads for each scenario."""
    # Imported late: what is measured counts as no smaller than the process that starts it.
    import numpy as np
    from sweep import network

    net = network(grid)
    folder.mkdir()
    table, rng = net.load[["p_mw", "q_mvar"]], np.random.default_rng(0)
    for n in range(count):
        factor = rng.uniform(*spread, len(table))
        scaled = table.mul(factor, axis=0)
        scaled.to_csv(folder / f"s{n}.csv", index_label="load")


def show_sweep(grid: str, count: int, spread: tuple[float, float], loop: Run) -> None:
    """Print the line of lightsim2grid's bare sweep over scaled loads."""
    command = [sys.executable, str(ROOT / "benchmarks" / "sweep.py"), grid, str(count)]
    ended = subprocess.run(
        [*command, *map(str, spread)], check=True, stdout=subprocess.PIPE, text=True
    )
    *_, found = ended.stdout.split()
    if found == NONE:
        print("  (d) lightsim2grid can't represent it, or finds no solution")
    else:
        secs = float(found)
        print(f"  {'(d) bare sweep':24} {secs:8.1f} s  {secs / loop.secs:6.3f}", flush=True)


def run(command: list[str], folder: Path) -> Run:
    """Run a command to its end."""
    began = time.monotonic()
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, stdout=silent, stderr=silent)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return Run(time.monotonic() - began, usage.ru_maxrss / 1024)


def workflow(
    folder: Path,
    grid: str,
    solver: str,
    per_job: int | str,
    scenarios: list[dict[str, object]],
    *,
    told: Mapping[str, str] = MappingProxyType({}),
) -> Run:
    """Write scenarios into a folder, and run them through the workflow."""
    (folder / "config").mkdir(parents=True, exist_ok=True)
    reference = str(Path(grid).resolve()) if Path(grid).suffix else f"pandapower:{grid}"
    content: dict[str, object] = {"grid": reference, "solver": solver, "scenarios": scenarios}
    if "draws" in scenarios[0]:
        content["version"] = 1
    (folder / "manifest.json").write_text(json.dumps(content))
    config = {"manifest": "manifest.json", "name": "bench", "scenarios_per_job": per_job, **told}
    (folder / "config" / "config.yaml").write_text(json.dumps(config))
    return ask(folder)


def ask(folder: Path) -> Run:
    """Run the workflow in a folder."""
    profile = str(ROOT / "profiles" / "default")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    cores = ["--cores", str(os.cpu_count()), "--quiet", "all"]
    return run([*command, "--workflow-profile", profile, *cores], folder)


def show(name: str, ours: Run, loop: Run) -> None:
    """Print one line."""
    ratio = ours.secs / loop.secs
    print(f"  {name:24} {ours.secs:8.1f} s  {ratio:6.3f}  {ours.peak_mb:7.0f} MB", flush=True)


def phases(batch: Path, ours: Run) -> None:
    """Print where the workflow's time went, by the journals and the files' times."""
    from gat_batch.run.journal import events_in

    events = [
        event
        for file in (batch / "logs" / "journal").glob("*.jsonl")
        for line in file.read_bytes().splitlines()
        for event in events_in(line)
    ]
    status = json.loads((batch / "batch_manifest.json").read_text())
    begun = datetime.fromisoformat(status["run"]["started"]).timestamp()
    first = min(event["time"] for event in events if event["event"] == "started")
    last = max(event["time"] for event in events if event["event"] == "solved")
    summarised = (batch / "summary" / "scenarios.csv").stat().st_mtime
    ended = (batch / "logs" / "finished").stat().st_mtime
    solving = sum(event["duration_secs"] for event in events if event["event"] == "solved")
    parts = {
        "start, parse, check": ours.secs - (ended - begun),
        "schedule, import, prepare": first - begun,
        "solve and write, with jobs' starts": last - first,
        "summarise": summarised - last,
        "finish": ended - summarised,
    }
    text = ", ".join(f"{name} {secs:.1f} s" for name, secs in parts.items())
    print(f"    {text}; {1000 * solving / status['total']:.1f} ms a scenario")


if __name__ == "__main__":
    main()
