"""The one table of results: its schema, and how a result is written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import ResultError
from .solvers.solution import QUANTITIES

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from .model import Model
    from .solvers.solution import Solution

KEYS = ("scenario", "snapshot", "contingency", "element")

SYSTEM: dict[str, pa.DataType] = {
    "status": pa.string(),
    "iterations": pa.int32(),
    "objective": pa.float64(),
    "engine": pa.string(),
    "load_mw": pa.float64(),
    "generation_mw": pa.float64(),
    "loss_mw": pa.float64(),
    "unserved_mw": pa.float64(),
    "max_loading_percent": pa.float64(),
    "max_loading_element": pa.string(),
    "min_vm_pu": pa.float64(),
    "min_vm_bus": pa.int64(),
    "max_vm_pu": pa.float64(),
    "max_vm_bus": pa.int64(),
}
"""Columns that only the ``system`` row fills."""

RESULT_SCHEMA = pa.schema(
    [
        *((key, pa.string()) for key in KEYS),
        ("id", pa.int64()),
        ("name", pa.string()),
        *((quantity, pa.float64()) for quantity in QUANTITIES),
        *SYSTEM.items(),
    ]
)
"""Columns of every result, whatever solver it comes from."""

METADATA_KEY = "gat_batch"

ROWS_PER_GROUP = 100_000
"""Rows kept in memory before they are written: a year of hours needn't fit."""

REPEATING = [*KEYS, "status", "engine", "max_loading_element"]
"""Columns in which a dictionary pays; for the others it only costs time."""


class ResultWriter:
    """Writes one result: to a temporary name, renamed when all of it is on disk.

    Args:
        path: the result file.
        scenario: id of the scenario.
        model: the grid that the solutions are of.
        metadata: stored in the file as JSON; may be completed until the writer is left.
    """

    def __init__(self, path: Path, scenario: str, model: Model, metadata: dict[str, Any]) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._scenario = scenario
        self._model = model
        self._metadata = metadata
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def __enter__(self) -> Self:
        self._writer = _open(self._temporary)
        return self

    def add(self, snapshot: str | None, contingency: str | None, solution: Solution) -> None:
        """Add the solution of one snapshot and contingency."""
        batch = _batch(self._model, (self._scenario, snapshot, contingency), solution)
        self._batches.append(batch)
        self._rows += len(batch)
        if self._rows >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches, RESULT_SCHEMA))
        self._batches, self._rows = [], 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._flush()
                _close(self._writer, self._metadata, self._temporary, self._path)
        finally:
            with contextlib.suppress(OSError):
                self._writer.close()
            self._temporary.unlink(missing_ok=True)


def write_placeholder(path: Path, failure: dict[str, Any]) -> None:
    """Write what stands for the result of a scenario that failed for good.

    It has the schema of a result and no rows; nothing takes it for a result, as it has no
    fingerprint.

    Args:
        path: the result file.
        failure: why and how the scenario failed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _close(_open(temporary), {"failed": failure}, temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_result(path: Path) -> pa.Table:
    """Read a result.

    Raises:
        ResultError: if it is missing or damaged.
    """
    try:
        return pq.read_table(path, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None


def read_metadata(path: Path) -> dict[str, Any]:
    """Read what a result says of itself: fingerprint, status, duration, or why it failed.

    Raises:
        ResultError: if it is missing, damaged or not a result.
    """
    try:
        stored = pq.read_metadata(path).metadata or {}
        content = json.loads(stored[METADATA_KEY.encode()])
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise _unreadable(path, error) from None
    return dict(content)


def _unreadable(path: Path, error: Exception) -> ResultError:
    hint = "remove it and run again; only this scenario is solved anew"
    return ResultError(f"not a whole result: {error}", file=path, hint=hint)


def _open(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path, RESULT_SCHEMA, compression="zstd", use_dictionary=REPEATING, write_statistics=KEYS
    )


def _close(writer: pq.ParquetWriter, metadata: dict[str, Any], temporary: Path, path: Path) -> None:
    writer.add_key_value_metadata({METADATA_KEY: json.dumps(metadata)})
    writer.close()
    # A rename that reaches the disk before the content would leave an empty result after a
    # power failure.
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def _batch(
    model: Model, keys: tuple[str | None, str | None, str | None], solution: Solution
) -> pa.RecordBatch:
    """The system row, followed by the rows of the elements."""
    rows = model.rows if solution.quantities else 0
    columns: list[pa.Array] = [pa.repeat(pa.scalar(key, pa.string()), rows + 1) for key in keys]
    columns.append(_below("system", model.element.slice(0, rows)))
    columns.append(_below(None, pa.array(model.index[:rows])))
    columns.append(_below(None, model.name.slice(0, rows)))
    for quantity in QUANTITIES:
        values = solution.quantities.get(quantity)
        if values is None:
            columns.append(pa.nulls(rows + 1, pa.float64()))
        else:
            padded = np.concatenate(([np.nan], values))
            columns.append(pa.array(padded, from_pandas=True))
    system = {
        "status": solution.status,
        "iterations": solution.iterations,
        "objective": solution.objective,
        "engine": solution.engine,
        **solution.system,
    }
    columns += [
        pa.concat_arrays([pa.array([system.get(name)], kind), pa.nulls(rows, kind)])
        for name, kind in SYSTEM.items()
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RESULT_SCHEMA)


def _below(first: str | None, column: pa.Array) -> pa.Array:
    return pa.concat_arrays([pa.array([first], column.type), column])
