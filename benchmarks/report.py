"""The report of batches of any size: how large, how long, how much memory; and the example's run.

python benchmarks/report.py [--scenarios 100 10000 100000] [--cores 2]

Results are made, not solved: one state each on a grid of 8 buses and 12 lines. Each page is made
in a process of its own, from the files of its summary; the program that draws its figures, which
is kept for all reports, and the figures as files of their own aren't counted. Then the example is
solved as `make run` does, and the time is printed that its stages take.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "scripts"), str(ROOT / "tests" / "report")]


def main() -> None:
    """Print the table of sizes, then the times of the example."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scenarios", type=int, nargs="*", default=[100, 10_000, 100_000])
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    packages = ("snakemake", "pandas", "pyarrow", "vl-convert-python")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {os.cpu_count()} cores")
    print(f"{'scenarios':>10} {'MB of page':>10} {'seconds':>8} {'MB of memory':>12}")
    for scenarios in arguments.scenarios:
        with tempfile.TemporaryDirectory() as name:
            apart(write, Path(name), scenarios)
            size, secs, memory = apart(measure, Path(name))
            print(f"{scenarios:>10,} {size / 1e6:>10.2f} {secs:>8.1f} {memory:>12.0f}")
    with tempfile.TemporaryDirectory() as name:
        solve_example(Path(name), arguments.cores)


def apart(do, *arguments):
    """Do something in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(do, *arguments).result()


def write(folder: Path, scenarios: int) -> None:
    """Write the summary of a batch."""
    from made_batches import made_batch

    made_batch(folder, scenarios)


def measure(folder: Path) -> tuple[int, float, float]:
    """Return bytes and seconds of a page, and the most memory of its process in MB."""
    from made_batches import LIMITS, written_page

    from gat_batch.report.summary_tables import read_summary

    began = time.monotonic()
    text = written_page(read_summary(folder / "summary", LIMITS))
    secs = time.monotonic() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return len(text.encode()), secs, memory


def solve_example(folder: Path, cores: int) -> None:
    """Run the example in a copy, and print what its stages take."""
    shutil.copytree(ROOT / "examples" / "data_centre", folder / "examples" / "data_centre")
    shutil.copytree(ROOT / "config", folder / "config")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default")]
    command += ["--cores", str(cores), "--quiet", "all"]
    began = time.monotonic()
    subprocess.run(command, cwd=folder, check=True)
    print(f"example on {cores} cores: {time.monotonic() - began:.1f} s from start to end")
    stages: dict[str, list[tuple[float, float]]] = {}
    for file in (folder / ".snakemake" / "metadata").iterdir():
        told = json.loads(file.read_text())
        stage = told["rule"].partition("_")[0]
        stages.setdefault(stage, []).append((told["starttime"], told["endtime"]))
    for stage, spans in sorted(stages.items(), key=lambda one: min(one[1])):
        secs = max(end for _, end in spans) - min(start for start, _ in spans)
        print(f"  {stage:<10} {secs:.1f} s")


if __name__ == "__main__":
    main()
