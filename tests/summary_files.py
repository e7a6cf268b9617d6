"""Results written by a test, and the files of their summary."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gat_batch.files.parquet_footer import METADATA_KEY
from gat_batch.results.schema import RESULT_SCHEMA
from gat_batch.summary.batch_summary import SummaryFiles
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
    return Results(scenarios, paths)
