"""Rows of results for contingencies that were solved in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from .results import RESULT_SCHEMA, SYSTEM, rows_of
from .solvers.solution import QUANTITIES
from .violations import violations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .model import Model
    from .solvers.contingency import Solved
    from .solvers.findings import Findings
    from .violations import Limits

    Rows = NDArray[np.int64]


def contingency_rows(
    model: Model,
    keys: tuple[str, str | None],
    solved: Solved,
    limits: Limits | None,
    bands: tuple[NDArray[np.float64], ...],
) -> pa.Table:
    """The rows of some contingencies, in their order.

    Args:
        model: the grid.
        keys: scenario and snapshot.
        solved: the contingencies.
        limits: what counts as a violation where only violations are kept; None to keep all rows.
        bands: lowest and highest voltage of each bus in p.u.

    Returns:
        A system row for each, and the other rows that are kept after it.
    """
    batches: list[pa.RecordBatch] = []
    numbers: list[Rows] = []
    for those, findings in solved.found:
        names = [solved.names[number] for number in those]
        batch, number = _finding_rows(model, (*keys, names), findings)
        batches.append(batch)
        numbers.append(np.array(those, np.int64)[number])
    for which, solution in solved.single:
        kept = None if limits is None else violations(solution, limits, bands)
        batches.append(rows_of(model, (*keys, solved.names[which]), solution, kept))
        numbers.append(np.full(len(batches[-1]), which))
    table = pa.Table.from_batches(batches, RESULT_SCHEMA)
    if len(batches) > 1:
        order = np.argsort(np.concatenate(numbers), kind="stable")
        table = table.take(pa.array(order))
    return table


def _finding_rows(
    model: Model, keys: tuple[str, str | None, Sequence[str]], findings: Findings
) -> tuple[pa.RecordBatch, Rows]:
    """The rows of a block, and the contingency of each."""
    scenario, snapshot, names = keys
    count = len(names)
    first, offset = {}, 1
    for element, ids in model.ids.items():
        first[element] = offset
        offset += len(ids)
    found = findings.violations
    number = np.concatenate([np.arange(count), *(v.number for v in found.values())])
    places = [first[element] + v.position for element, v in found.items()]
    place = np.concatenate([np.zeros(count, np.int64), *places])
    order = np.lexsort((place, number))
    rows = len(order)
    take = pa.array(order)
    at = pa.array(place[order])
    columns: dict[str, Any] = {
        "scenario": pa.repeat(pa.scalar(scenario, pa.string()), rows),
        "snapshot": pa.repeat(pa.scalar(snapshot, pa.string()), rows),
        "contingency": pa.array(names, pa.string()).take(pa.array(number[order])),
        "element": model.element.take(at),
        "id": model.id.take(at),
        "name": model.name.take(at),
    }
    for quantity in QUANTITIES:
        parts = [np.full(count, np.nan)]
        parts += [
            v.quantities.get(quantity, np.full(len(v.number), np.nan)) for v in found.values()
        ]
        columns[quantity] = pa.array(np.concatenate(parts)[order], from_pandas=True)
    for name, kind in SYSTEM.items():
        values = _column(findings.system, name, kind, count)
        columns[name] = pa.concat_arrays([values, pa.nulls(rows - count, kind)]).take(take)
    return pa.RecordBatch.from_pydict(columns, schema=RESULT_SCHEMA), number[order]


def _column(system: dict[str, Any], name: str, kind: pa.DataType, count: int) -> pa.Array:
    """One column of the system rows; what has no value, or an empty text, is null."""
    values = system.get(name)
    if values is None:
        return pa.nulls(count, kind)
    if isinstance(values, np.ndarray) and values.dtype != object:
        return pa.array(values, kind, from_pandas=True)
    return pa.array([value if value != "" else None for value in values], kind)
