"""Results written by a test, and the files of their summary."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gat_batch.files.parquet.footer import METADATA_KEY
from gat_batch.report.summary_tables import read_summary
from gat_batch.results.schema import RESULT_SCHEMA
from gat_batch.results.writer import write_placeholder
from gat_batch.summary.batch_summary import SummaryFiles, summarise
from gat_batch.summary.result_parts import Results


def write_result(path, rows, **metadata):
    """A result in as many parts as it has snapshots."""
    path.parent.mkdir(parents=True)
    with pq.ParquetWriter(path, RESULT_SCHEMA) as writer:
        for _, part in groupby(rows, key=itemgetter("snapshot")):
            writer.write_table(pa.Table.from_pylist(list(part), RESULT_SCHEMA))
        stored = {"fingerprint": "0" * 64, "attempt": 1, "duration_secs": 0.5, **metadata}
        writer.add_key_value_metadata({METADATA_KEY: json_text(stored)})


def json_text(content):
    return pd.io.json.ujson_dumps(content)


def files_in(folder):
    kinds = ("aggregated", "scenarios", "scenarios", "elements", "contingencies", "overloads")
    kinds = (*kinds, "categories", "remedies")
    ends = ("parquet", "parquet", "csv", *["parquet"] * 5)
    return SummaryFiles(
        *(folder / "summary" / f"{kind}.{end}" for kind, end in zip(kinds, ends, strict=True))
    )


def results_of(pairs):
    """Scenarios with their files, as a summary is made of them."""
    scenarios, paths = zip(*pairs, strict=True)
    return Results([scenario.id for scenario in scenarios], scenarios, paths)


def state(snapshot=None, contingency=None, loading=(), vm=(), **system):
    """Rows of a state with lines of these loadings and buses of these voltages.

    Of a contingency there are rows of violations alone, judged by other limits than the batch's.
    """
    keys = {"snapshot": snapshot, "contingency": contingency}
    known = {"status": "ok", "unserved_mw": 0.0, "load_mw": 100.0}
    if np.isfinite([*loading]).any():
        known |= {"max_loading_percent": max(loading)}
        known |= {"max_loading_element": f"line:{int(np.argmax(loading))}"}
    if np.isfinite([*vm]).any():
        known |= {"min_vm_pu": min(vm), "min_vm_bus": int(np.argmin(vm))}
        known |= {"max_vm_pu": max(vm), "max_vm_bus": int(np.argmax(vm))}
    rows = [{**keys, "element": "system", **known, **system}]
    for number, value in enumerate(loading):
        row = {**keys, "element": "line", "id": number, "loading_percent": value}
        row["name"] = f"L{number}"
        if contingency is None or value > 80:
            rows.append(row | ({"limit": 80.0} if contingency else {}))
    for number, value in enumerate(vm):
        low = value < 0.9
        row = {**keys, "element": "bus", "id": number, "vm_pu": value}
        if contingency is None or low or value > 1.1:
            rows.append(row | ({"limit": 0.9 if low else 1.1} if contingency else {}))
    return rows


def summary_of(folder, results, limits, **more):
    """The summary of scenarios with rows; None is a scenario that failed."""
    made = []
    for scenario, rows in results:
        path = folder / f"job_{scenario.id}" / "result.parquet"
        if rows is None:
            path.parent.mkdir()
            write_placeholder(path, {"error": "took too long", "attempts": 3})
        else:
            own = [{"scenario": scenario.id, **row} for row in rows]
            write_result(path, own, keep=scenario.keep or "all")
        made.append((scenario, path))
    files = files_in(folder)
    summarise(results_of(made), files, limits)
    files.aggregated.rename(files.aggregated.with_name("aggregated_results.parquet"))
    return read_summary(files.aggregated.parent, limits, **more)
