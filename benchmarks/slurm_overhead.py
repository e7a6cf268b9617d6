"""Where the time of a batch of light scenarios goes on SLURM.

Run where `snakemake --profile profiles/slurm` works and finished jobs are recorded by
tests/slurm/cluster.sh: python benchmarks/slurm_overhead.py [--scenarios 2000]. Solves DC power
flows of case118 and splits the wall time of each job by what the controller and the journal say.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import fmean

ROOT = Path(__file__).parents[1]
CLUSTER = ROOT / "tests" / "slurm" / "cluster.sh"


def main() -> None:
    """Run the batch and print the split."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scenarios", type=int, default=2000)
    count = parser.parse_args().scenarios
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        scenarios = [{"id": f"s{n}", "load_scale": 0.8 + 0.3 * n / count} for n in range(count)]
        content = {"grid": "pandapower:case118", "solver": "dc", "scenarios": scenarios}
        (work / "manifest.json").write_text(json.dumps(content))
        (work / "config").mkdir()
        (work / "config" / "config.yaml").write_text("manifest: manifest.json\nname: light\n")
        seen = len(records())
        wall = run(work)
        report(work / "runs" / "batch" / "light", records()[seen:], wall, count)


def run(work: Path) -> float:
    """Run the batch; its wall time in seconds."""
    began = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--workflow-profile", str(ROOT / "profiles" / "slurm"), "--quiet", "all"),
        ],
        cwd=work,
        check=True,
    )
    return time.monotonic() - began


def records() -> list[dict[str, str]]:
    """The controller's records of ended jobs."""
    path = Path(subprocess.check_output([CLUSTER, "jobs"], text=True).strip())
    return [
        dict(item.split("=", 1) for item in line.split() if "=" in item)
        for line in path.read_text().splitlines()
    ]


def report(batch: Path, jobs: list[dict[str, str]], wall: float, count: int) -> None:
    """Print where the time went."""
    shards = []
    for file in (batch / "logs" / "journal").glob("*.jsonl"):
        events = [json.loads(line) for line in file.read_text().splitlines()]
        events = [event for event in events if event["event"] in ("started", "solved")]
        solves = [event["duration_secs"] for event in events if event["event"] == "solved"]
        first, last = events[0]["time"], events[-1]["time"]
        # The job that was running when the shard's first scenario was started.
        job = next(job for job in jobs if at(job, "StartTime") <= first <= at(job, "EndTime") + 1)
        shards.append(
            {
                "queue": at(job, "StartTime") - at(job, "SubmitTime"),
                "start and import": first - at(job, "StartTime"),
                "solve": sum(solves),
                "supervision": last - first - sum(solves),
                "end": at(job, "EndTime") - last,
            }
        )
    print(f"{count} scenarios in {len(shards)} jobs, {wall:.0f} s of wall time; a job, in s:")
    for phase in shards[0]:
        print(f"  {phase:18} {fmean(shard[phase] for shard in shards):7.2f}")
    solved = sum(shard["solve"] for shard in shards)
    print(f"solving took {solved:.0f} s in all, {1000 * solved / count:.1f} ms a scenario")


def at(job: dict[str, str], key: str) -> float:
    """A time of the controller's record, in seconds since the epoch."""
    return datetime.fromisoformat(job[key]).timestamp()


if __name__ == "__main__":
    main()
