"""The rows of all results, read once, many at a time, and ahead of what is made of them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

BATCH_ROWS = 400_000

CATEGORIES = ("scenario", "element")
REPEATED = ("snapshot", "status", "max_loading_element")
"""Other columns of texts that are read as codes, a fifth of the time of texts."""


def base_rows(aggregated: Path, columns: Sequence[str]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Read rows in their order.

    Args:
        aggregated: ``aggregated_results.parquet``.
        columns: the columns wanted, ``contingency`` among them.

    Yields:
        Rows without contingencies, and, if ``limit`` is wanted, those of contingencies that break
        one. Scenarios and elements are categories; of rows without contingencies :data:`REPEATED`
        are, too, for :func:`taken`.
    """
    with (
        pq.ParquetFile(aggregated, read_dictionary=[*CATEGORIES, *REPEATED]) as file,
        ThreadPoolExecutor(1) as reader,
    ):

        def read(groups: list[int]) -> tuple[pa.Table, pa.Table]:
            table = file.read_row_groups(groups, columns=list(columns))
            after = table.slice(0, 0)
            if table["contingency"].null_count < len(table):
                if "limit" in columns:
                    broken = pc.and_(pc.is_valid(table["contingency"]), pc.is_valid(table["limit"]))
                    after = _plain(table.filter(broken))
                table = table.filter(pc.is_null(table["contingency"]))
            return table.unify_dictionaries(), after

        ahead: deque[Future[tuple[pa.Table, pa.Table]]] = deque()
        for groups in _runs(file.metadata):
            ahead.append(reader.submit(read, groups))
            if len(ahead) > 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def taken(table: pa.Table, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Return some rows without contingencies; scenarios and elements stay categories."""
    frame: pd.DataFrame = _plain(table.take(pa.array(rows))).to_pandas()
    return frame


def _plain(table: pa.Table) -> pa.Table:
    """Return a table with texts in place of codes, scenarios and elements left out."""
    for place, name in enumerate(table.column_names):
        if name in REPEATED:
            table = table.set_column(place, name, table[name].cast(pa.string()))
    return table


def _runs(metadata: pq.FileMetaData) -> Iterator[list[int]]:
    """Yield the numbers of row groups that are read together."""
    run, rows = [], 0
    for group in range(metadata.num_row_groups):
        run.append(group)
        rows += metadata.row_group(group).num_rows
        if rows >= BATCH_ROWS:
            yield run
            run, rows = [], 0
    if run:
        yield run
