"""Writes the example batch examples/ieee118: python examples/make_ieee118.py.

The grid is the IEEE 118-bus test case as bundled with pandapower. The load tables follow a daily
profile, chosen for the example, that each load meets a little earlier or later; all numbers come
from the formulas below, so that the same call always writes the same files.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandapower.networks

FOLDER = Path(__file__).parent / "ieee118"
SOLVERS = ("dc", "ac")
HOURS = range(24)
SCALES = [round(0.60 + 0.025 * step, 3) for step in range(20)]
LINES = range(0, 120, 2)


def hourly_factor(hour: int, load: int) -> float:
    """Load relative to the case's own, which is taken for the evening peak."""
    local = hour + 0.5 * math.sin(load)
    return (
        0.78
        - 0.18 * math.cos(2 * math.pi * (local - 4) / 24)
        + 0.04 * math.sin(math.pi * local / 6)
    )


def main() -> None:
    """Write load tables and manifest."""
    net = pandapower.networks.case118()
    (FOLDER / "loads").mkdir(parents=True, exist_ok=True)
    for hour in HOURS:
        rows = [
            f"{load},{p_mw * hourly_factor(hour, load):.3f}"
            for load, p_mw in net.load["p_mw"].items()
        ]
        table = FOLDER / "loads" / f"hour_{hour:02}.csv"
        table.write_text("\n".join(["load,p_mw", *rows]) + "\n", encoding="utf-8")
    scenarios = []
    for solver in SOLVERS:
        scenarios += [
            {
                "id": f"{solver}-hour-{hour:02}",
                "loads": f"loads/hour_{hour:02}.csv",
                "solver": solver,
                "tags": ["day"],
            }
            for hour in HOURS
        ]
        scenarios += [
            {
                "id": f"{solver}-scale-{scale:.3f}",
                "load_scale": scale,
                "gen_scale": scale,
                "solver": solver,
                "tags": ["sweep"],
            }
            for scale in SCALES
        ]
        scenarios += [
            {
                "id": f"{solver}-without-line-{line}",
                "outages": [{"type": "line", "id": line}],
                "solver": solver,
                "tags": ["outage"],
            }
            for line in LINES
        ]
    lines = ",\n".join(
        f"    {json.dumps({'id': s['id'], 'grid': 'pandapower:case118', **s})}" for s in scenarios
    )
    tail = '"solver": "dc",\n  "timeout_secs": 60,\n  "max_jobs": 8'
    manifest = f'{{\n  "scenarios": [\n{lines}\n  ],\n  {tail}\n}}\n'
    (FOLDER / "ieee118.json").write_text(manifest, encoding="utf-8")


if __name__ == "__main__":
    main()
