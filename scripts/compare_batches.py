"""Compare two batches: python scripts/compare_batches.py runs/batch/a runs/batch/b [--out FILE]."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gat_batch.analytics.comparison import compare_results
from gat_batch.errors import GatBatchError
from gat_batch.files.words import numbered
from gat_batch.results.reader import results_in


def main() -> int:
    """Parse the arguments; exit code 0 if nothing changed, 1 if something did, 2 for a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("here", type=Path, help="folder of a batch")
    parser.add_argument("there", type=Path, help="folder of the other")
    parser.add_argument(
        "--tolerance", type=float, default=1e-6, help="differences up to this are ignored"
    )
    parser.add_argument("--out", type=Path, help="Parquet file for what changed")
    arguments = parser.parse_args()
    files = [results_in(folder) for folder in (arguments.here, arguments.there)]
    scenarios = sorted({*files[0], *files[1]})
    for folder, found in zip((arguments.here, arguments.there), files, strict=True):
        if not found:
            what = "holds no results" if folder.is_dir() else "no such folder"
            print(f"error: {folder}: {what} (name a folder as runs/batch/NAME)", file=sys.stderr)
            return 2
    try:
        changes = pa.concat_tables(
            compare_results(one, files[0].get(one), files[1].get(one), arguments.tolerance)
            for one in scenarios
        )
    except GatBatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.out:
        pq.write_table(changes, arguments.out, compression="zstd")
    table = changes.to_pandas()
    print(f"{numbered(len(scenarios), 'scenario')}, {table['scenario'].nunique()} with changes")
    for (change, quantity), rows in table.groupby(["change", "quantity"], dropna=False):
        what = quantity if isinstance(quantity, str) else "rows or scenarios"
        # Texts, and values that only one side has, differ by no number.
        largest = rows["difference"].abs().max()
        by = "" if math.isnan(largest) else f", by {largest:.6g} at most"
        print(f"  {change}, {what}: {len(rows)}{by}")
    return int(len(table) > 0)


if __name__ == "__main__":
    sys.exit(main())
