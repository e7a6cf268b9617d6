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

BATCH_ROWS = 200_000


def base_rows(aggregated: Path, columns: Sequence[str]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Read rows in their order.

    Args:
        aggregated: ``aggregated_results.parquet``.
        columns: the columns wanted, ``contingency`` among them.

    Yields:
        Rows without contingencies, and, if ``limit`` is wanted, those of contingencies that break
        one. Scenarios and elements are categories.
    """
    with (
        pq.ParquetFile(aggregated, read_dictionary=["scenario", "element"]) as file,
        ThreadPoolExecutor(1) as reader,
    ):

        def read(groups: list[int]) -> tuple[pa.Table, pa.Table]:
            table = file.read_row_groups(groups, columns=list(columns), use_threads=False)
            after = table.slice(0, 0)
            if table["contingency"].null_count < len(table):
                if "limit" in columns:
                    after = table.filter(
                        pc.and_(pc.is_valid(table["contingency"]), pc.is_valid(table["limit"]))
                    )
                table = table.filter(pc.is_null(table["contingency"]))
            return table.unify_dictionaries(), after

        ahead: deque[Future[tuple[pa.Table, pa.Table]]] = deque()
        for groups in _runs(file.metadata):
            ahead.append(reader.submit(read, groups))
            if len(ahead) > 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


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
