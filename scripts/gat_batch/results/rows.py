"""Rows of results: what a solution says of the system and of every element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ..model.quantities import QUANTITIES
from ..model.violations import violations
from .schema import JUDGED, RESULT_SCHEMA, SYSTEM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.solution import Solution


@dataclass(frozen=True)
class Judged:
    """A category of contingencies, empty for none, with its criteria."""

    category: str
    criteria: Criteria

    def columns(self, rows: int, limit: pa.Array | None = None) -> list[pa.Array]:
        """Return the columns that say by what rows are judged.

        Args:
            rows: number of rows.
            limit: the limit of each row, if there are any.
        """
        rating = self.criteria.rating if self.category else None
        return [
            pa.repeat(pa.scalar(self.category or None, pa.string()), rows),
            pa.repeat(pa.scalar(rating, pa.string()), rows),
            pa.nulls(rows, pa.float64()) if limit is None else limit,
        ]


VOLTAGES = ("vm_pu", "va_degree")
"""Quantities that are kept of a bus in violation."""


def rows_of(
    model: GridModel,
    keys: tuple[str | None, str | None, str | None],
    solution: Solution,
    kept: Mapping[str, NDArray[np.int64]] | None = None,
    quantities: Mapping[str, Sequence[str]] | None = None,
    *,
    judged: Judged | None = None,
) -> pa.Table:
    """Return the rows of a solution: the system row, then those of the elements.

    Args:
        model: the grid that it is of.
        keys: scenario, snapshot and contingency.
        solution: the solution.
        kept: element -> positions of the elements to keep; all elements if None.
        quantities: element -> quantities to keep of those; all of an element that isn't named.
        judged: by what a contingency is judged; rows that are kept are then violations.
    """
    if kept is None:
        return _all(model, keys, solution, judged)
    return _part(model, keys, solution, kept, quantities or {}, judged=judged)


def _all(
    model: GridModel,
    keys: tuple[str | None, str | None, str | None],
    solution: Solution,
    judged: Judged | None,
) -> pa.Table:
    """Return the system row, followed by the rows of the elements."""
    rows = len(model.element) if solution.elements else 1
    labels = [column.slice(0, rows) for column in (model.element, model.id, model.name)]
    if judged is None:
        marks = [pa.nulls(rows, kind) for kind in JUDGED.values()]
    else:
        marks = judged.columns(rows, _limits(model, solution, judged.criteria, rows))
    return _assembled(keys, labels + marks, _quantities(model, solution, rows), solution)


def _limits(model: GridModel, solution: Solution, criteria: Criteria, rows: int) -> pa.Array:
    """Return the limit of each row that breaks one, null for the others."""
    limits = np.full(rows, np.nan)
    broken = violations(solution, criteria.limits, criteria.bands)
    first = 1
    for element, ids in model.ids.items():
        if element in broken:
            positions = broken[element]
            values = {name: own[positions] for name, own in solution.elements[element].items()}
            limits[first + positions] = criteria.limit_of(element, values, positions)
        first += len(ids)
    return pa.array(limits, from_pandas=True)


def _part(
    model: GridModel,
    keys: tuple[str | None, str | None, str | None],
    solution: Solution,
    kept: Mapping[str, NDArray[np.int64]],
    quantities: Mapping[str, Sequence[str]],
    *,
    judged: Judged | None,
) -> pa.Table:
    """Return the system row, followed by some rows of the elements."""
    places, first = [np.zeros(1, np.int64)], 1
    limits = [np.array([np.nan])]
    values = {name: [np.array([np.nan])] for name in QUANTITIES}
    for element, ids in model.ids.items():
        positions = kept.get(element)
        if positions is not None:
            places.append(first + positions)
            known = solution.elements[element]
            if judged is not None:
                own = {name: values[positions] for name, values in known.items()}
                limits.append(judged.criteria.limit_of(element, own, positions))
            if element in quantities:
                known = {name: known[name] for name in quantities[element] if name in known}
            for name, column in values.items():
                missing = np.full(len(positions), np.nan)
                column.append(known[name][positions] if name in known else missing)
        first += len(ids)
    rows = pa.array(np.concatenate(places))
    labels = [column.take(rows) for column in (model.element, model.id, model.name)]
    columns = [pa.array(np.concatenate(column), from_pandas=True) for column in values.values()]
    if judged is None:
        labels += [pa.nulls(len(rows), kind) for kind in JUDGED.values()]
    else:
        labels += judged.columns(len(rows), pa.array(np.concatenate(limits), from_pandas=True))
    return _assembled(keys, labels, columns, solution)


def _assembled(
    keys: tuple[str | None, str | None, str | None],
    labels: list[pa.Array],
    quantities: list[pa.Array],
    solution: Solution,
) -> pa.Table:
    """Put rows together: a batch for the system row, one for the rest, as either has empty columns.

    Args:
        keys: scenario, snapshot and contingency.
        labels: columns of element, id, name and by what they are judged.
        quantities: a column for each quantity.
        solution: what fills the system row.
    """
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


def _quantities(model: GridModel, solution: Solution, rows: int) -> list[pa.Array]:
    """Return a column for each quantity, with null for NaN."""
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
