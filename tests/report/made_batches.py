"""Summaries of batches of any size, written without solving anything."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gat_batch.grids.connections import GridConnections
from gat_batch.model.violations import Limits
from gat_batch.report.against.comparison import against, compare
from gat_batch.report.groups.comparison import comparison
from gat_batch.report.groups.judging import Asked, judge
from gat_batch.report.maps.differences import differences
from gat_batch.report.maps.one_line_diagram import one_line_diagram
from gat_batch.report.material import MOST_BRANCHES_DRAWN
from gat_batch.report.page import page
from gat_batch.report.sections import sections_of
from gat_batch.results.schema import RESULT_SCHEMA
from gat_batch.summary.categories import CATEGORY_COLUMNS
from gat_batch.summary.contingency_ranking import CONTINGENCY_COLUMNS
from gat_batch.summary.element_statistics import ELEMENT_COLUMNS
from gat_batch.summary.overloads import OVERLOAD_COLUMNS
from gat_batch.summary.remedies import REMEDY_COLUMNS
from gat_batch.summary.scenario_rows import SCENARIO_COLUMNS

LIMITS = Limits()

STATUS = {
    "name": "made",
    "manifest": "made.json",
    "manifest_sha256": "ab" * 32,
    "created": "2026-01-02T03:04:05.678+00:00",
    "updated": "2026-01-02T04:04:05.678+00:00",
    "git_commit": None,
    "versions": {},
    "settings": {},
}

MOST_ROWS = 100_000
"""Rows that are made at a time."""


def write_table(path, columns, values):
    schema = pa.schema([(name, kind) for name, (kind, _) in columns.items()])
    count = max(map(len, values.values()), default=0)
    filled = {name: values.get(name, [None] * count) for name in schema.names}
    pq.write_table(pa.table(filled, schema), path)


def made_batch(folder, scenarios, *, buses=8, lines=12, words="", seed=0, grid="made"):
    """Write the summary of a batch of optimal power flows on one grid.

    Args:
        folder: of the batch.
        scenarios: how many; a tenth of their states violates limits.
        buses, lines: of the grid.
        words: what each scenario's id, description and metadata have more than a number.
        seed: of all numbers.
    """
    rng = np.random.default_rng(seed)
    summary = folder / "summary"
    summary.mkdir(parents=True)
    ids = [f"s{n}{words[:100]}" for n in range(scenarios)]
    loading = rng.uniform(0, 104, (scenarios, lines)).round(3)
    vm = rng.uniform(0.9, 1.101, (scenarios, buses)).round(5)
    cost = rng.uniform(1000, 2000, scenarios)
    numbers = [f"line:{n}" for n in loading.argmax(axis=1)]
    write_table(
        summary / "scenarios.parquet",
        SCENARIO_COLUMNS,
        {
            "scenario": ids,
            "solver": ["ac_opf"] * scenarios,
            "status": ["ok"] * scenarios,
            "grid": [grid] * scenarios,
            "weight": np.ones(scenarios),
            "description": [words] * scenarios,
            "metadata": [json.dumps({"about": words})] * scenarios,
            "snapshots": np.ones(scenarios, int),
            **dict.fromkeys(
                ("not_converged", "infeasible", "islanded", "contingencies"),
                np.zeros(scenarios, int),
            ),
            "load_mw": rng.uniform(300, 400, scenarios),
            "loss_mw": rng.uniform(3, 4, scenarios),
            "objective": cost,
            "max_loading_percent": loading.max(axis=1),
            "max_loading_element": numbers,
            "min_vm_pu": vm.min(axis=1),
            "min_vm_bus": vm.argmin(axis=1),
            "max_vm_pu": vm.max(axis=1),
            "max_vm_bus": vm.argmax(axis=1),
            "loading_violations": (loading > 100).sum(axis=1),
            "voltage_violations": ((vm < 0.9) | (vm > 1.1)).sum(axis=1),
            "duration_secs": rng.uniform(0, 1, scenarios),
            "result": [f"runs/batch/made/job_{one}/result.parquet" for one in ids],
            "fingerprint": ["0" * 64] * scenarios,
        },
    )
    kinds = [("bus", vm, "vm_pu"), ("line", loading, "loading_percent")]
    told = {name: [] for name in ELEMENT_COLUMNS}
    for kind, values, quantity in kinds:
        count = values.shape[1]
        worst = np.abs(values - 1).argmax(axis=0) if kind == "bus" else values.argmax(axis=0)
        rows = {
            "grid": [grid] * count,
            "element": [kind] * count,
            "id": range(count),
            "name": [f"{kind} {words[:60]}"] * count,
            "quantity": [quantity] * count,
            "count": [scenarios] * count,
            "min": values.min(axis=0),
            "mean": values.mean(axis=0),
            "p95": np.quantile(values, 0.95, axis=0),
            "max": values.max(axis=0),
            "worst": values[worst, np.arange(count)],
            "worst_scenario": [ids[n] for n in worst],
            "worst_snapshot": [None] * count,
            "violation_probability": rng.uniform(0, 1, count),
        }
        for name, column in rows.items():
            told[name] += list(column)
    write_table(summary / "elements.parquet", ELEMENT_COLUMNS, told)
    for name, columns in (
        ("contingencies", CONTINGENCY_COLUMNS),
        ("overloads", OVERLOAD_COLUMNS),
        ("categories", CATEGORY_COLUMNS),
        ("remedies", REMEDY_COLUMNS),
    ):
        write_table(summary / f"{name}.parquet", columns, {})
    _write_rows(summary / "aggregated_results.parquet", ids, vm, loading, cost)
    return summary


def _write_rows(path, ids, vm, loading, cost):
    (scenarios, buses), lines = vm.shape, loading.shape[1]
    each = 1 + buses + lines
    kind = np.array(["system"] + ["bus"] * buses + ["line"] * lines)
    number = np.concatenate([[np.nan], np.arange(buses), np.arange(lines)])
    step = max(1, MOST_ROWS // each)
    with pq.ParquetWriter(path, RESULT_SCHEMA) as writer:
        for start in range(0, scenarios, step):
            own = slice(start, min(start + step, scenarios))
            count = own.stop - start
            system = np.full((count, each), np.nan)

            def column(values, first, system=system):
                made = system.copy()
                made[:, first : first + values.shape[1]] = values
                return made.ravel()

            def heads(values, column=column):
                return column(np.asarray(values)[:, None], 0)

            known = {
                "scenario": np.repeat(ids[own], each),
                "element": np.tile(kind, count),
                "id": pd.array(np.tile(number, count), "Int64"),
                "vm_pu": column(vm[own], 1),
                "lam_p": column(10 * vm[own], 1),
                "loading_percent": column(loading[own], 1 + buses),
                "status": np.where(np.tile(kind == "system", count), "ok", None),
                "load_mw": heads(np.full(count, 300.0)),
                "objective": heads(cost[own]),
                "max_loading_percent": heads(loading[own].max(axis=1)),
                "min_vm_pu": heads(vm[own].min(axis=1)),
                "max_vm_pu": heads(vm[own].max(axis=1)),
            }
            frame = pd.DataFrame(known).reindex(columns=RESULT_SCHEMA.names)
            writer.write_table(pa.Table.from_pandas(frame, RESULT_SCHEMA, preserve_index=False))


def written_page(summary, counterparts=None):
    """The page of a batch, with a stand-in of its size for the program that draws the figures."""
    groups, other = summary.groups, summary.other
    asked = Asked("Which?" if groups else "", groups, counterparts=counterparts or {})
    judged = judge(summary, asked)
    compared = compare(summary, other, judged) if other else None
    buses = summary.elements[summary.elements["element"] == "bus"]["id"].tolist()
    branches = [("line", n) for n in summary.elements[summary.elements["element"] == "line"]["id"]]
    ends = [[n % len(buses), (7 * n + 1) % len(buses)] for n in range(len(branches))]
    places = [[float(n % 97), float(n // 97)] for n in range(len(buses))]
    wiring = GridConnections(buses, places, [], branches, ends, [])
    (grid,) = summary.scenarios["grid"].unique()
    maps = {grid: one_line_diagram(wiring)} if 1 < len(branches) < MOST_BRANCHES_DRAWN else {}
    answer = comparison(summary, asked, judged)
    changed = against(summary, other, compared) if other else None
    sections = list(sections_of(summary, STATUS, maps, {}, (answer, changed)))
    shown = list(differences(summary, judged, compared and compared.violations))
    return page(summary, STATUS, sections, "/" * 950_000, shown)
