"""Rows of results: what solutions say of the system and of every element.

One state is a block of one: rows of many states are made at once, in the order of the states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..model.quantities import QUANTITIES
from ..model.violations import in_violation
from .schema import JUDGED, RESULT_SCHEMA, SYSTEM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.solution import BlockSolution, Solution

    Elements = Mapping[str, Mapping[str, NDArray[np.float64]]]
    Chosen = Mapping[str, NDArray[np.bool_]]


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
            # Filled in where the state before is known.
            pa.nulls(rows, pa.float64()),
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
    system = {
        "status": solution.status,
        "iterations": solution.iterations,
        "objective": solution.objective,
        "engine": solution.engine or None,
        "detail": solution.detail or None,
        **solution.system,
    }
    elements = {
        element: {name: values[None] for name, values in known.items()}
        for element, known in solution.elements.items()
    }
    chosen = None
    if kept is not None or not elements:
        chosen = {
            element: np.isin(np.arange(len(model.ids[element])), positions)[None]
            for element, positions in (kept or {}).items()
        }
    scenario, snapshot, contingency = keys
    wide = {name: [value] for name, value in system.items()}
    names = [scenario], [snapshot], contingency
    return _rows(
        model, names, elements, wide, chosen=chosen, quantities=quantities or {}, judged=judged
    )


def rows_of_block(
    model: GridModel,
    scenarios: Sequence[str],
    snapshots: Sequence[str | None],
    block: BlockSolution,
    *,
    chosen: Chosen | None = None,
    quantities: Mapping[str, Sequence[str]] | None = None,
) -> pa.Table:
    """Return the rows of the states of a block, one state after the other.

    Args:
        model: the grid that they are of.
        scenarios: scenario of each state.
        snapshots: name of each state.
        block: their solutions.
        chosen: element -> whether to keep its row, shape (states, elements); all if None.
        quantities: as for :func:`rows_of`.
    """
    states = len(snapshots)
    system: dict[str, Sequence[Any] | NDArray[Any]] = {
        "status": [block.status] * states,
        "engine": [block.engine] * states,
        **({"detail": [block.detail] * states} if block.detail else {}),
        **({} if block.iterations is None else {"iterations": block.iterations}),
        **block.system,
    }
    names = scenarios, snapshots, None
    return _rows(model, names, block.elements, system, chosen=chosen, quantities=quantities or {})


def _rows(
    model: GridModel,
    keys: tuple[Sequence[str | None], Sequence[str | None], str | None],
    elements: Elements,
    system: Mapping[str, Sequence[Any] | NDArray[Any]],
    *,
    chosen: Chosen | None,
    quantities: Mapping[str, Sequence[str]],
    judged: Judged | None = None,
) -> pa.Table:
    """Put rows together: for each state its system row and those of the elements chosen."""
    scenarios, snapshots, contingency = keys
    states, width = len(snapshots), len(model.element)
    flat = None if chosen is None else _chosen_places(model, chosen, states)
    places = np.arange(states * width) if flat is None else flat
    state, place = np.divmod(places, width)
    rows = len(places)
    # What the system row alone fills is taken from the state's value there, and is null elsewhere.
    at = pa.array(state, mask=place != 0)
    columns = [
        *(_names(names, state) for names in (scenarios, snapshots)),
        pa.repeat(pa.scalar(contingency, pa.string()), rows),
        *(
            pa.concat_arrays([column] * states) if flat is None else column.take(pa.array(place))
            for column in (model.element, model.id, model.name)
        ),
    ]
    if judged is None:
        columns += [pa.nulls(rows, kind) for kind in JUDGED.values()]
    else:
        limit = _limits(model, elements, chosen, states, judged.criteria)
        columns += judged.columns(rows, _column(limit, flat))
    values = _quantities(model, elements, quantities, states)
    empty = pa.nulls(rows, pa.float64())
    columns += [_column(values[name], flat) if name in values else empty for name in QUANTITIES]
    columns += [
        pa.array(system[name], kind, from_pandas=True).take(at)
        if name in system
        else pa.nulls(rows, kind)
        for name, kind in SYSTEM.items()
    ]
    return pa.Table.from_arrays(columns, schema=RESULT_SCHEMA)


def _names(names: Sequence[str | None], state: NDArray[np.int64]) -> pa.Array:
    """Return the name of each row's state, shape (rows,)."""
    if len(set(names)) == 1:
        return pa.repeat(pa.scalar(names[0], pa.string()), len(state))
    return pa.array(names, pa.string()).take(pa.array(state))


def _column(values: NDArray[np.float64], flat: NDArray[np.int64] | None) -> pa.Array:
    """Return values of all rows, shape (states, rows), as a column of those chosen."""
    own = values.reshape(-1) if flat is None else values.reshape(-1)[flat]
    # As pa.array() makes of NaN, in a sixth of its time.
    known = ~np.isnan(own)
    places = np.packbits(known, bitorder="little")
    buffers = [pa.py_buffer(places), pa.py_buffer(own)]
    missing = len(own) - int(np.count_nonzero(known))
    return pa.Array.from_buffers(pa.float64(), len(own), buffers, missing)


def _first_rows(model: GridModel) -> dict[str, int]:
    """Return the row of the first element of each kind, behind the system row."""
    ends = np.cumsum([1, *(len(ids) for ids in model.ids.values())])
    return dict(zip(model.ids, ends.tolist(), strict=False))


def _chosen_places(model: GridModel, chosen: Chosen, states: int) -> NDArray[np.int64]:
    """Return the places of rows that are kept, where all rows of all states are counted."""
    mask = np.zeros((states, len(model.element)), bool)
    mask[:, 0] = True
    for element, first in _first_rows(model).items():
        if element in chosen:
            mask[:, first : first + len(model.ids[element])] = chosen[element]
    return np.flatnonzero(mask)


def _quantities(
    model: GridModel,
    elements: Elements,
    quantities: Mapping[str, Sequence[str]],
    states: int,
) -> dict[str, NDArray[np.float64]]:
    """Return values of all rows for each quantity that there is, shape (states, rows)."""
    columns: dict[str, NDArray[np.float64]] = {}
    for element, first in _first_rows(model).items():
        for name, values in elements.get(element, {}).items():
            if element in quantities and name not in quantities[element]:
                continue
            if name not in columns:
                columns[name] = np.full((states, len(model.element)), np.nan)
            columns[name][:, first : first + values.shape[-1]] = values
    return columns


def _limits(
    model: GridModel,
    elements: Elements,
    chosen: Chosen | None,
    states: int,
    criteria: Criteria,
) -> NDArray[np.float64]:
    """Return the limit that each row breaks, NaN where it breaks none, shape (states, rows)."""
    limits = np.full((states, len(model.element)), np.nan)
    broken = chosen
    if broken is None:
        broken = in_violation(elements, criteria.limits, criteria.bands)
    for element, first in _first_rows(model).items():
        if element in broken and element in elements:
            state, position = np.nonzero(broken[element])
            values = {name: own[state, position] for name, own in elements[element].items()}
            limits[state, first + position] = criteria.limit_of(element, values, position)
    return limits
