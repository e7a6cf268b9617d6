"""The one table of results: its schema, and how a result is written whole or not at all."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .footer import METADATA_KEY
from .solvers.solution import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from .model import Model
    from .solvers.solution import Solution

KEYS = ("scenario", "snapshot", "contingency", "element")

SYSTEM: dict[str, pa.DataType] = {
    "status": pa.string(),
    "iterations": pa.int32(),
    "objective": pa.float64(),
    "engine": pa.string(),
    "detail": pa.string(),
    "load_mw": pa.float64(),
    "generation_mw": pa.float64(),
    "loss_mw": pa.float64(),
    "unserved_mw": pa.float64(),
    "lost_generation_mw": pa.float64(),
    "max_loading_percent": pa.float64(),
    "max_loading_element": pa.string(),
    "min_vm_pu": pa.float64(),
    "min_vm_bus": pa.int64(),
    "max_vm_pu": pa.float64(),
    "max_vm_bus": pa.int64(),
    "congestion_rent": pa.float64(),
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

VOLTAGES = ("vm_pu", "va_degree")
"""What is kept of a bus in violation."""

ROWS_PER_GROUP = 100_000
"""Rows kept in memory before they are written: a year of hours needn't fit."""

REPEATING = [*KEYS, "status", "engine", "max_loading_element"]
"""Columns in which a dictionary pays; for the others it only costs time."""

FLOWS = ("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar", "pl_mw", "i_ka", "loading_percent")
"""What branches carry."""

COMPRESSION = {name: "zstd" for name in ("id", "name", *QUANTITIES) if name not in FLOWS}
"""Columns that compressing makes smaller. Flows are too random, and those that repeat or that only
the ``system`` row fills are small as they are; trying takes longer, for those who read them too."""

BUFFER_BYTES = 2**17


class ResultWriter:
    """Writes one result as its solutions come; leaving it cleanly completes the file.

    Leaving it by an exception leaves nothing behind, and what was there before untouched. An
    ``OSError``, for lack of space say, names the result; it may be tried again.

    Args:
        path: the result file.
        scenario: id of the scenario.
        model: the grid that the solutions are of.
        metadata: plain values, stored in the file as JSON; may be completed until the writer is
            left.
    """

    def __init__(
        self, path: Path, scenario: str, model: Model, metadata: Mapping[str, Any]
    ) -> None:
        self._path = path
        self._scenario = scenario
        self._model = model
        self._metadata = metadata
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._writer = stack.enter_context(_new_file(self._path, self._metadata))
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(
        self,
        snapshot: str | None,
        contingency: str | None,
        solution: Solution,
        kept: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> None:
        """Add the solution of one snapshot and contingency.

        Args:
            snapshot: its name, or None.
            contingency: its name, or None for the base case.
            solution: the solution.
            kept: element -> positions of the rows to keep; all rows if None.
        """
        self.add_rows(rows_of(self._model, (self._scenario, snapshot, contingency), solution, kept))

    def add_rows(self, rows: pa.Table) -> None:
        """Add rows as they are."""
        self._batches += rows.to_batches()
        self._rows += len(rows)
        if self._rows >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._batches:
            # Whole states in one row group, so that readers can take one at a time.
            rows = pa.Table.from_batches(self._batches, RESULT_SCHEMA)
            self._writer.write_table(rows, row_group_size=len(rows))
        self._batches, self._rows = [], 0

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()


def write_placeholder(path: Path, failure: Mapping[str, Any]) -> None:
    """Write what stands for the result of a scenario that failed for good.

    It has the schema of a result and no rows; nothing takes it for a result, as it has no
    fingerprint.

    Args:
        path: the result file.
        failure: why and how the scenario failed; plain values.

    Raises:
        OSError: if it can't be written.
    """
    with _new_file(path, {"failed": dict(failure)}):
        pass


@contextmanager
def _new_file(path: Path, metadata: Mapping[str, Any]) -> Iterator[pq.ParquetWriter]:
    """A file that takes its name only when it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _remove_remains(path)
        with temporary.open("wb", BUFFER_BYTES) as sink:
            writer = pq.ParquetWriter(
                sink,
                RESULT_SCHEMA,
                compression=COMPRESSION,
                use_dictionary=REPEATING,
                write_statistics=list(KEYS),
                # Quicker to write and to read where many columns are empty.
                data_page_version="2.0",
                store_schema=False,
            )
            try:
                yield writer
                writer.add_key_value_metadata({METADATA_KEY: _json(metadata)})
            finally:
                writer.close()
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _remove_remains(path: Path) -> None:
    """Remove what killed writers of this result left; there is only one writer at a time."""
    for name in os.listdir(path.parent):  # noqa: PTH208 - once a result, where a glob takes longer
        if name.startswith(f".{path.name}.") and name.endswith(".tmp"):
            (path.parent / name).unlink(missing_ok=True)


def _json(metadata: Mapping[str, Any]) -> str:
    # Readers of footers expect the fingerprint in front.
    first = {key: metadata[key] for key in ("fingerprint",) if key in metadata}
    return json.dumps({**first, **metadata})


def rows_of(
    model: Model,
    keys: tuple[str | None, str | None, str | None],
    solution: Solution,
    kept: Mapping[str, NDArray[np.int64]] | None = None,
) -> pa.Table:
    """The rows of a solution.

    Args:
        model: the grid that it is of.
        keys: scenario, snapshot and contingency.
        solution: the solution.
        kept: element -> positions of the rows to keep, of buses only their voltages; all rows and
            quantities if None.
    """
    return _all(model, keys, solution) if kept is None else _part(model, keys, solution, kept)


def _all(
    model: Model, keys: tuple[str | None, str | None, str | None], solution: Solution
) -> pa.Table:
    """The system row, followed by the rows of the elements."""
    rows = len(model.element) if solution.elements else 1
    labels = [column.slice(0, rows) for column in (model.element, model.id, model.name)]
    return _assembled(keys, labels, _quantities(model, solution, rows), solution)


def _part(
    model: Model,
    keys: tuple[str | None, str | None, str | None],
    solution: Solution,
    kept: Mapping[str, NDArray[np.int64]],
) -> pa.Table:
    """The system row, followed by some rows of the elements."""
    places, first = [np.zeros(1, np.int64)], 1
    values = {name: [np.array([np.nan])] for name in QUANTITIES}
    for element, ids in model.ids.items():
        positions = kept.get(element)
        if positions is not None:
            places.append(first + positions)
            known = solution.elements[element]
            if element == "bus":
                known = {name: known[name] for name in VOLTAGES if name in known}
            for name, column in values.items():
                missing = np.full(len(positions), np.nan)
                column.append(known[name][positions] if name in known else missing)
        first += len(ids)
    rows = pa.array(np.concatenate(places))
    labels = [column.take(rows) for column in (model.element, model.id, model.name)]
    quantities = [pa.array(np.concatenate(column), from_pandas=True) for column in values.values()]
    return _assembled(keys, labels, quantities, solution)


def _assembled(
    keys: tuple[str | None, str | None, str | None],
    labels: list[pa.Array],
    quantities: list[pa.Array],
    solution: Solution,
) -> pa.Table:
    """The system row, and those below it: a batch each, as either has columns that are empty."""
    system = {
        "status": solution.status,
        "iterations": solution.iterations,
        "objective": solution.objective,
        "engine": solution.engine or None,
        "detail": solution.detail or None,
        **solution.system,
    }
    top = [pa.array([key], pa.string()) for key in keys]
    top += [column.slice(0, 1) for column in (*labels, *quantities)]
    top += [pa.array([system.get(name)], kind) for name, kind in SYSTEM.items()]
    rows = len(labels[0]) - 1
    empty = {kind: pa.nulls(rows, kind) for kind in set(SYSTEM.values())}
    below = [pa.repeat(pa.scalar(key, pa.string()), rows) for key in keys]
    below += [column.slice(1) for column in (*labels, *quantities)]
    below += [empty[kind] for kind in SYSTEM.values()]
    batches = [pa.RecordBatch.from_arrays(rows, schema=RESULT_SCHEMA) for rows in (top, below)]
    return pa.Table.from_batches(batches)


def _quantities(model: Model, solution: Solution, rows: int) -> list[pa.Array]:
    """A column a quantity; NaN becomes null."""
    columns: dict[str, NDArray[np.float64] | None] = dict.fromkeys(QUANTITIES)
    first = 1
    for element, ids in model.ids.items():
        for quantity, array in solution.elements.get(element, {}).items():
            column = columns[quantity]
            if column is None:
                column = columns[quantity] = np.full(rows, np.nan)
            column[first : first + len(ids)] = array
        first += len(ids)
    empty = pa.nulls(rows, pa.float64())
    return [
        empty if column is None else pa.array(column, from_pandas=True)
        for column in columns.values()
    ]
