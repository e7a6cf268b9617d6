"""Rows of results for contingencies that were solved in blocks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..model.quantities import QUANTITIES
from .schema import JUDGED, RESULT_SCHEMA, SYSTEM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..contingency.block_results import BlockResults
    from ..contingency.solver import Solved
    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.solution import Solution
    from .kept import KeptRows
    from .rows import Judged

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]


@dataclass(frozen=True)
class ContingencyRows:
    """What is kept of a block of contingencies.

    A worker hands it over in this form and not as rows: those have columns for all that any study
    may yield, and copying them from process to process costs more than a DC power flow.

    Attributes:
        keys: scenario and snapshot.
        names: names of the contingencies.
        found: for those solved together, which are of one category, their numbers, their results
            and by what they are judged.
        single: for each of the others, its number and its rows.
        following: of what follows from contingencies, number of each and its rows.
        base: voltages of buses in p.u. and loadings of branches in percent of normal ratings before
            any contingency, by element, shape (elements,).
        criteria: by what contingencies of each category are judged.
    """

    keys: tuple[str, str | None]
    names: list[str]
    found: list[tuple[list[int], BlockResults, Judged]]
    single: list[tuple[int, pa.Table]]
    following: list[tuple[int, pa.Table]] = field(default_factory=list)
    base: Mapping[str, Reals] = field(default_factory=dict)
    criteria: Mapping[str, Criteria] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: GridModel,
        keys: tuple[str, str | None],
        solved: Solved,
        kept: KeptRows,
        base: Solution | None = None,
    ) -> ContingencyRows:
        """Keep what is asked for of some contingencies.

        Args:
            model: the grid.
            keys: scenario and snapshot.
            solved: the contingencies, solved.
            kept: which rows are kept.
            base: the solution before any contingency.
        """
        possible = solved.possible
        single = [
            (
                number,
                kept.of_contingency(
                    model, (*keys, possible[number].name), solution, possible[number].category
                ),
            )
            for number, solution in solved.single
        ]
        found = [
            (those, block, kept.judged(possible[those[0]].category))
            for those, block in solved.found
        ]
        if kept.contingencies == "system":
            found = [(those, replace(block, violations={}), by) for those, block, by in found]
        values = {} if base is None else _judged_values(base)
        return cls(keys, solved.names, found, single, base=values, criteria=kept.criteria)

    def rows(self, model: GridModel) -> pa.Table:
        """Return the rows: for each contingency, in order, its system row and what else is kept."""
        tables: list[pa.Table] = []
        numbers: list[Rows] = []
        for those, block_results, judged in self.found:
            names = [self.names[number] for number in those]
            table, number = _block_rows(model, (*self.keys, names), block_results, judged)
            tables.append(table)
            numbers.append(np.array(those, np.int64)[number])
        for which, table in (*self.single, *self.following):
            tables.append(table)
            numbers.append(np.full(len(table), which))
        if not tables:  # all that fails here was out of service before
            return RESULT_SCHEMA.empty_table()
        table = pa.concat_tables(tables)
        if len(tables) > 1:
            order = np.argsort(np.concatenate(numbers), kind="stable")
            table = table.take(pa.array(order))
        return self._with_base(model, table)

    def _with_base(self, model: GridModel, table: pa.Table) -> pa.Table:
        """Tell in rows of violations what was before, by the same ratings."""
        broken = np.flatnonzero(table["limit"].is_valid().to_numpy())
        if not len(broken) or not self.base:
            return table
        rows = table.take(pa.array(broken))
        elements, index = (np.asarray(rows[name]) for name in ("element", "id"))
        categories = np.asarray(rows["category"].fill_null(""))
        before = np.full(len(table), np.nan)
        for element, values in self.base.items():
            own = np.flatnonzero(elements == element)
            known = pd.Index(model.ids[element])
            position = known.get_indexer(pd.Index(index[own].astype(np.int64)))
            before[broken[own]] = values[position]
            for category in np.unique(categories[own]) if element != "bus" else ():
                criteria = self.criteria.get(category, self.criteria[""])
                if element in criteria.share:
                    mine = categories[own] == category
                    before[broken[own[mine]]] *= criteria.share[element][position[mine]]
        place = table.schema.get_field_index("before")
        return table.set_column(place, "before", pa.array(before, from_pandas=True))


def _judged_values(solution: Solution) -> dict[str, Reals]:
    """Return what limits are on: voltages of buses and loadings of branches."""
    found = {element: known.get("loading_percent") for element, known in solution.elements.items()}
    found["bus"] = solution.elements.get("bus", {}).get("vm_pu")
    return {element: values for element, values in found.items() if values is not None}


def _block_rows(
    model: GridModel,
    keys: tuple[str, str | None, Sequence[str]],
    block_results: BlockResults,
    judged: Judged,
) -> tuple[pa.Table, Rows]:
    """Return the rows of a block, and the number of the contingency of each, shape (rows,)."""
    scenario, snapshot, names = keys
    count = len(names)
    first, offset = {}, 1
    for element, ids in model.ids.items():
        first[element] = offset
        offset += len(ids)
    found = block_results.violations
    number = np.concatenate([np.arange(count), *(v.number for v in found.values())])
    places = [first[element] + v.position.astype(np.int64) for element, v in found.items()]
    place = np.concatenate([np.zeros(count, np.int64), *places])
    order = np.argsort(number * offset + place, kind="stable")
    number, place, rows = number[order], place[order], len(order)
    columns: dict[str, Any] = {
        "scenario": pa.repeat(pa.scalar(scenario, pa.string()), rows),
        "snapshot": pa.repeat(pa.scalar(snapshot, pa.string()), rows),
        "contingency": pa.array(names, pa.string()).take(pa.array(number)),
    }
    at = pa.array(place)
    for label in ("element", "id", "name"):
        columns[label] = getattr(model, label).take(at)
    limits = [np.full(count, np.nan)]
    limits += [
        judged.criteria.limit_of(element, v.quantities, v.position) for element, v in found.items()
    ]
    limit = pa.array(np.concatenate(limits)[order], from_pandas=True)
    columns |= dict(zip(JUDGED, judged.columns(rows, limit), strict=True))
    # Most columns of violations are empty: one of each type stands for all.
    empty = {kind: pa.nulls(rows, kind) for kind in {pa.float64(), *SYSTEM.values()}}
    for quantity in QUANTITIES:
        parts = [v.values(quantity) for v in found.values()]
        if all(part is None for part in parts):
            columns[quantity] = empty[pa.float64()]
            continue
        values = [np.full(count, np.nan)]
        values += [
            np.full(len(v.number), np.nan) if part is None else part
            for v, part in zip(found.values(), parts, strict=True)
        ]
        columns[quantity] = pa.array(np.concatenate(values)[order], from_pandas=True)
    # A position among the system rows, and null elsewhere.
    own = pa.array(number, mask=place > 0)
    for name, kind in SYSTEM.items():
        values_of = block_results.system.get(name)
        column = pa.nulls(0, kind) if values_of is None else _column(values_of, kind)
        nothing = column.null_count == len(column)
        columns[name] = empty[kind] if nothing else column.take(own)
    return pa.table(columns, schema=RESULT_SCHEMA), number


def _column(values: Any, kind: pa.DataType) -> pa.Array:
    """Return one column of the system rows, with null for NaN and for empty texts."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return pa.array(values, kind, from_pandas=True)
    return pa.array([value if value != "" else None for value in values], kind, from_pandas=True)
