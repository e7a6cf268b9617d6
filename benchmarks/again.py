"""A finished batch asked for again, against a trivial workflow of the same shape.

python benchmarks/again.py [--scenarios 10000]

The trivial workflow has as many jobs with as many declared outputs, made by touch from a manifest
of nothing, and one job that reads them all; it checks nothing and plans nothing. Prints how long
Snakemake takes to find that nothing is to be done in either, the quicker of three times.
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

ROOT = Path(__file__).parents[1]

TRIVIAL = """
shape = {shape}
results = [f"runs/job_{{n}}/result" for shard in shape for n in shard]
rule all:
    input: results, "runs/summary"
for number, shard in enumerate(shape):
    rule:
        name: f"solve_{{number}}"
        output: update([f"runs/job_{{n}}/result" for n in shard])
        shell: "touch {{output}}"
rule summarise:
    input: results
    output: "runs/summary"
    shell: "touch {{output}}"
"""


def main() -> None:
    """Run both twice and print the second times."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scenarios", type=int, default=10_000)
    count = parser.parse_args().scenarios
    with tempfile.TemporaryDirectory() as folder:
        ours, trivial = Path(folder, "ours"), Path(folder, "trivial")
        shape = write_ours(ours, count)
        trivial.mkdir()
        (trivial / "Snakefile").write_text(TRIVIAL.format(shape=shape))
        for work in (ours, trivial):
            snakemake(work)
        best = {work: min(snakemake(work) for _ in range(3)) for work in (ours, trivial)}
    print(f"snakemake {version('snakemake')}; {count} scenarios in {len(shape)} jobs, asked again")
    print(f"  trivial workflow {best[trivial]:6.1f} s")
    print(f"  gat-batch        {best[ours]:6.1f} s  {best[ours] / best[trivial]:.2f}")


def write_ours(work: Path, count: int) -> list[list[int]]:
    """Write a batch of DC power flows; the numbers of each job's scenarios."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from gat_batch.run.start import plan_batch

    (work / "config").mkdir(parents=True)
    scenarios = [{"id": f"s{n}", "load_scale": 0.8 + 0.3 * n / count} for n in range(count)]
    manifest = work / "manifest.json"
    manifest.write_text(json.dumps({"grid": "pandapower:case14", "scenarios": scenarios}))
    (work / "config" / "config.yaml").write_text("manifest: manifest.json\nname: again\n")
    plan = plan_batch({"manifest": str(manifest)})
    return [[int(member.id[1:]) for member in shard.scenarios] for shard in plan.shards]


def snakemake(work: Path) -> float:
    """Run Snakemake in a folder to its end; its wall time in seconds."""
    snakefile = work / "Snakefile"
    if not snakefile.exists():
        snakefile = ROOT / "Snakefile"
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    profile = ["--workflow-profile", str(ROOT / "profiles" / "default")]
    began = time.monotonic()
    subprocess.run(
        [*command, *profile, "--cores", str(os.cpu_count()), "--quiet", "all"],
        cwd=work,
        check=True,
        capture_output=True,
    )
    return time.monotonic() - began


if __name__ == "__main__":
    main()
