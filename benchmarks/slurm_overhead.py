"""Where the time of a batch of light scenarios goes on SLURM.

Run where `snakemake --profile profiles/slurm` works and finished jobs are recorded by
tests/slurm/cluster.sh: python benchmarks/slurm_overhead.py [--scenarios 2000 100000]
[--config scenarios_per_job=1250]. Solves DC power flows of case118 and splits the wall time of each
solving job by what the controller and the journal say.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from compare import run

ROOT = Path(__file__).parents[1]
CLUSTER = ROOT / "tests" / "slurm" / "cluster.sh"


def main() -> None:
    """Run the batch and print the split."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scenarios", type=int, nargs="+", default=[2000])
    parser.add_argument("--config", nargs="+", default=[], help="KEY=VALUE of the configuration")
    arguments = parser.parse_args()
    packages = ("snakemake", "snakemake-executor-plugin-slurm")
    cluster = subprocess.check_output(["sinfo", "--version"], text=True).strip()
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {cluster}", flush=True)
    for count in arguments.scenarios:
        with tempfile.TemporaryDirectory() as folder:
            write_batch(Path(folder), count)
            seen = len(records())
            began = time.time()
            found = run(command_of(arguments.config), Path(folder))
            split(Path(folder), records()[seen:], began, found.secs, count)
            print(
                f"  where it was started, the largest process had {found.peak_mb:.0f} MB",
                flush=True,
            )


def write_batch(work: Path, count: int) -> None:
    """Write the manifest and the configuration."""
    scenarios = [{"id": f"s{n}", "load_scale": 0.8 + 0.3 * n / count} for n in range(count)]
    content = {"grid": "pandapower:case118", "solver": "dc", "scenarios": scenarios}
    (work / "manifest.json").write_text(json.dumps(content))
    (work / "config").mkdir()
    (work / "config" / "config.yaml").write_text("manifest: manifest.json\nname: light\n")


def command_of(config: list[str]) -> list[str]:
    """Return the command that runs the batch in the working directory."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "profiles" / "slurm"), "--quiet", "all"]
    return [*command, *(["--config", *config] if config else [])]


def records() -> list[dict[str, str]]:
    """The controller's records of ended jobs."""
    path = Path(subprocess.check_output([CLUSTER, "jobs"], text=True).strip())
    return [
        dict(item.split("=", 1) for item in line.split() if "=" in item)
        for line in path.read_text().splitlines()
    ]


def split(work: Path, jobs: list[dict[str, str]], began: float, wall: float, count: int) -> None:
    """Print where the time went of a run, by its begin (seconds since the epoch) and its length."""
    batch = work / "runs" / "batch" / "light"
    shards = []
    for file in (batch / "logs" / "journal").glob("*.jsonl"):
        events = [json.loads(line) for line in file.read_text().splitlines()]
        times = [event["time"] for event in events if event["event"] in ("started", "solved")]
        first, last = min(times), max(times)
        # The job that was running when the shard's first scenario was started.
        job = next(job for job in jobs if at(job, "StartTime") <= first <= at(job, "EndTime") + 1)
        shards.append(
            {
                "queue": at(job, "StartTime") - at(job, "SubmitTime"),
                "start and import": first - at(job, "StartTime"),
                "solve": last - first,
                "end": at(job, "EndTime") - last,
            }
        )
    files = sum(path.is_file() for path in batch.rglob("*"))
    first = min(at(job, "SubmitTime") for job in jobs) - began
    print(f"{count} scenarios in {len(shards)} jobs of {len(jobs)} in all, {files} files,")
    print(f"  {wall:.0f} s of wall time, {first:.0f} s until the first job was submitted;")
    print("  a job that solves, in s:")
    for phase in shards[0]:
        print(f"    {phase:18} {fmean(shard[phase] for shard in shards):7.2f}")


def at(job: dict[str, str], key: str) -> float:
    """A time of the controller's record, in seconds since the epoch."""
    return datetime.fromisoformat(job[key]).timestamp()


if __name__ == "__main__":
    main()
