"""The report of batches of any size: how large, how long, how much memory; and the example's run.

python benchmarks/report.py [--scenarios 100 10000 100000] [--cores 2]

Results are made, not solved: one state each on a grid of 8 buses and 12 lines. Each page is made
in a process of its own, from the files of its summary; the program that draws its figures, which
is kept for all reports, and the figures as files of their own aren't counted. Then the example is
solved as `make run` does, and the time is printed that its stages take. Seconds of the processor
tell more than those of the clock where a machine does something else, too.
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
    heads = f"{'scenarios':>10} {'MB of page':>11} {'seconds':>8} {'processor':>10}"
    print(f"{heads} {'MB of memory':>13}")
    for scenarios in arguments.scenarios:
        with tempfile.TemporaryDirectory() as name:
            apart(write, Path(name), scenarios)
            size, secs, busy, memory = apart(measure, Path(name))
        page = f"{scenarios:>10,} {size / 1e6:>11.2f} {secs:>8.1f} {busy:>10.1f}"
        print(f"{page} {memory:>13.0f}", flush=True)
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


def measure(folder: Path) -> tuple[int, float, float, float]:
    """Return bytes of a page, its seconds of clock and processor, and the most memory in MB."""
    from made_batches import LIMITS, written_page

    from gat_batch.report.summary_tables import read_summary

    began, busy = time.monotonic(), time.process_time()
    text = written_page(read_summary(folder / "summary", LIMITS))
    secs, busy = time.monotonic() - began, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return len(text.encode()), secs, busy, memory


def solve_example(folder: Path, cores: int) -> None:
    """Run the example in a copy, and print what its stages take."""
    shutil.copytree(ROOT / "examples" / "data_centre", folder / "examples" / "data_centre")
    shutil.copytree(ROOT / "config", folder / "config")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default")]
    command += ["--cores", str(cores), "--quiet", "all"]
    began, before = time.monotonic(), _busy()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    secs, busy = time.monotonic() - began, _busy() - before
    print(f"example on {cores} cores: {secs:.1f} s from start to end, {busy:.1f} s of processor")
    stages: dict[str, list[tuple[float, float]]] = {}
    for file in (folder / ".snakemake" / "metadata").iterdir():
        told = json.loads(file.read_text())
        stage = told["rule"].partition("_")[0]
        stages.setdefault(stage, []).append((told["starttime"], told["endtime"]))
    for stage, spans in sorted(stages.items(), key=lambda one: min(one[1])):
        secs = max(end for _, end in spans) - min(start for start, _ in spans)
        print(f"  {stage:<10} {secs:.1f} s")


def _busy() -> float:
    """Return the seconds of processor of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
