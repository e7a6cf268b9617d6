"""Summing up a batch and reporting on it, against solving it by the pandapower loop.

python benchmarks/aggregate.py [--grid case118] [--solver ac] [--scenarios 10000] [--folder BATCH]

Solves the batch through the workflow, unless --folder names one that compare.py's scenarios were
solved in, then sums it up again and writes its report, each in a process of its own. The loop
solves 200 of the scenarios; its time is scaled up.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from compare import LOOP, ROOT, Run, run, scaled, workflow

LOOPED = 200


def main() -> None:
    """Measure, and print wall times, ratios and the largest process."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--grid", default="case118")
    parser.add_argument("--solver", default="ac")
    parser.add_argument("--scenarios", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="working directory of a batch that has run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary) / "batch"
        if not arguments.folder:
            every = scaled(arguments.scenarios)
            workflow(folder, arguments.grid, arguments.solver, "auto", every)
        settings = (folder / "config" / "config.yaml").read_text()
        task = [arguments.grid, arguments.solver, str(LOOPED), str(Path(temporary) / "loop")]
        loop = run([sys.executable, "-W", "ignore", str(LOOP), *task], folder)
        scale = arguments.scenarios / LOOPED
        print(f"{arguments.scenarios} scenarios of {arguments.grid}, {arguments.solver}")
        print(f"  loop, {LOOPED} scenarios and scaled up: {loop.secs * scale:8.1f} s")
        for script in ("summarise", "report"):
            command = [sys.executable, str(ROOT / "scripts" / f"{script}.py")]
            show(script, run([*command, "--settings", settings], folder), loop.secs * scale)
        name = json.loads(settings)["name"]
        report = folder / "runs" / "batch" / name / "summary" / "report.html"
        print(f"  report.html: {report.stat().st_size / 1e6:.2f} MB; {os.cpu_count()} cores")


def show(name: str, ours: Run, loop_secs: float) -> None:
    """Print one line."""
    ratio = loop_secs / ours.secs
    print(f"  {name:10} {ours.secs:8.1f} s  {ratio:6.1f} x  {ours.peak_mb:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
