"""Time and memory that a specification of many scenarios takes: python benchmarks/scenarios.py.

With a number, so many draws in place of 100,000: correlated noise on each of the 99 loads of the
IEEE 118-bus case, and forced outages of lines. The first figures are those of writing manifest and
tables, the second those of planning the run without writing, which a dry run does too.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))


def specification(count: int) -> dict[str, object]:
    """Return the draws of so many scenarios."""
    noise = {"of": "load", "std": 0.08, "correlation": 0.5}
    random = {"noise": noise, "lines": {"of": "line", "rate": 0.01}}
    entry = {"id": "mc", "draws": {"count": count, "random": random}}
    return {"version": 1, "grid": "pandapower:case118", "solver": "ac", "scenarios": [entry]}


def main() -> None:
    """Write the specification, and measure in processes of their own."""
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], Path(sys.argv[3]))
        return
    count = int(sys.argv[1]) if sys.argv[1:] else 100_000
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "study.json").write_text(json.dumps(specification(count)))
        for what in ("write", "plan"):
            command = [sys.executable, __file__, "--measure", what, folder]
            subprocess.run(command, check=True)


def measure(what: str, folder: Path) -> None:
    """Do one of both, and print what it took."""
    from gat_batch.scenarios import product

    began = time.perf_counter()
    file = folder / "study.json"
    if what == "write":
        product.make(file, folder / "out")
    else:
        product.plan_product(json.loads(file.read_text()), file, folder / "elsewhere")
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(path.stat().st_size for path in folder.rglob("*.*")) / 1e6
    used = f"{seconds:.1f} s, {time.process_time():.1f} s of CPU with imports"
    print(f"{what}: {used}, {peak:.0f} MiB at most, {size:.0f} MB on disk")


if __name__ == "__main__":
    main()
