"""What a load table for each scenario costs, beside a factor on all loads.

python benchmarks/tables.py [--scenarios 10000] [--solver dc] [--grid case118]

Runs the whole workflow twice, cold, on the same states: once with ``load_scale``, once with a CSV
of all loads for each scenario, as a user's own tables would be. Prints both times and their ratio.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import pandapower.networks
from compare import phases, scaled, show, workflow


def main() -> None:
    """Run both and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scenarios", type=int, default=10_000)
    parser.add_argument("--solver", default="dc")
    parser.add_argument("--grid", default="case118")
    arguments = parser.parse_args()
    packages = ("snakemake", "pandapower", "lightsim2grid", "numpy", "scipy", "pyarrow")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {os.cpu_count()} cores")
    study = arguments.grid, arguments.solver, "auto"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        factors = workflow(folder / "scaled", *study, scaled(arguments.scenarios))
        show("load_scale", factors, factors)
        phases(folder / "scaled" / "runs" / "batch" / "bench", factors)
        own = with_tables(folder / "tables", arguments.grid, arguments.scenarios)
        tables = workflow(folder / "tables", *study, own)
        show("a table each", tables, factors)
        phases(folder / "tables" / "runs" / "batch" / "bench", tables)


def with_tables(folder: Path, grid: str, count: int) -> list[dict[str, object]]:
    """Write the load tables of some scenarios, and describe those."""
    load = getattr(pandapower.networks, grid)().load
    (folder / "loads").mkdir(parents=True)
    for n in range(count):
        table = load[["p_mw", "q_mvar"]] * (0.8 + 0.3 * n / count)
        table.to_csv(folder / "loads" / f"s{n}.csv", index_label="load")
    return [{"id": f"s{n}", "loads": f"loads/s{n}.csv"} for n in range(count)]


if __name__ == "__main__":
    main()
