"""Statistics of every element over scenarios and snapshots, exact, in bounded memory.

Each solved state adds one row of numbers to a temporary file on disk; at the end the file is read,
a block of elements at a time. So quantiles are those of all values, not estimates.
"""

from __future__ import annotations

import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from ..errors import ResultError
from .state_values import BLOCK_BYTES, StateValues, of_kind

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from ..model.violations import Limits
    from .base_states import BaseStates

QUANTITY = {
    "bus": "vm_pu",
    "line": "loading_percent",
    "trafo": "loading_percent",
    "trafo3w": "loading_percent",
    **dict.fromkeys(("gen", "ext_grid", "sgen", "load", "storage", "ward", "xward"), "p_mw"),
    **dict.fromkeys(("motor", "asymmetric_load", "asymmetric_sgen", "vsc"), "p_mw"),
    **dict.fromkeys(("shunt", "svc", "ssc"), "q_mvar"),
    **dict.fromkeys(("dcline", "impedance", "tcsc"), "p_from_mw"),
    "bus_dc": "vm_pu",
    "line_dc": "loading_percent",
    **dict.fromkeys(("load_dc", "source_dc"), "p_mw"),
}
"""Element -> the quantity that its statistics are about."""

THREADS = 2
"""Threads that compute statistics of some elements each; so many has the rule of the summary."""

LIMITED = ("bus", "line", "trafo", "trafo3w", "line_dc")
"""Elements that a batch's limits hold for."""

ELEMENT_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "grid": (pa.string(), "grid as named in the manifest"),
    "element": (pa.string(), "kind of element"),
    "id": (pa.int64(), "its index"),
    "name": (pa.string(), "its name"),
    "quantity": (
        pa.string(),
        "what the statistics are about: vm_pu, loading_percent, p_mw, q_mvar or p_from_mw",
    ),
    "count": (pa.int64(), "scenarios and snapshots in which the quantity was computed"),
    "min": (pa.float64(), "lowest value"),
    "mean": (pa.float64(), "mean value, by the weights of the states"),
    "p95": (pa.float64(), "value that 95 % of all values don't exceed, each counted once"),
    "max": (pa.float64(), "highest value"),
    "worst": (pa.float64(), "highest loading or power, or voltage furthest from 1 p.u."),
    "worst_scenario": (pa.string(), "scenario of the worst value"),
    "worst_snapshot": (pa.string(), "snapshot of the worst value"),
    "violation_probability": (
        pa.float64(),
        "weight of the states in violation over that of all states; null where there is no limit",
    ),
}
"""Columns of the table of elements: type and meaning."""


class ElementStatistics:
    """Collects states and sums them up.

    Args:
        folder: where the temporary files go.
        limits: what counts as a violation.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._grids: dict[tuple[str, tuple[str, ...]], StateValues] = {}
        self._files: list[IO[bytes]] = []
        self._states: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files:
            file.close()

    def add(self, states: BaseStates) -> None:
        """Add states; the snapshots of a scenario share its weight.

        Args:
            states: the states.

        Raises:
            ResultError: if a scenario has other elements than earlier results on the same grid.
        """
        kinds = _kinds_told(states.keep)
        if not kinds:
            return
        system = states.are("system")
        solved = system & np.isfinite(states.values("load_mw"))
        for scenario, count in zip(states.scenarios, states.count(system).tolist(), strict=True):
            self._states[scenario.id] = self._states.get(scenario.id, 0) + count
        rows = states.are(*kinds)
        told, count = states.count(rows), states.count(solved)
        if not told.any() or not count.any():
            return
        name = states.scenarios[0].grid
        grid = self._grids.get((name, kinds))
        if grid is None:
            first = np.flatnonzero(count)[0]
            elements = told[first] // count[first]
            grid = self._first_seen(states, np.flatnonzero(rows)[:elements])
            self._grids[name, kinds] = grid
        wrong = np.flatnonzero(told != count * len(grid.index))
        if len(wrong):
            hint = "results of two versions of the grid are mixed; run again"
            what = f"its rows don't fit those of other results on {name}"
            raise ResultError(what, scenario=states.scenarios[wrong[0]].id, hint=hint)
        values = np.empty((int(count.sum()), len(grid.index)))
        for quantity, places in grid.places.items():
            column = states.values(quantity)[rows].reshape(values.shape)
            values[:, places] = column[:, places]
        grid.file.write(values.tobytes())
        owners = [states.scenarios[number] for number in states.owner[solved].tolist()]
        grid.scenarios += [scenario.id for scenario in owners]
        grid.weights += [scenario.weight for scenario in owners]
        grid.snapshots += states.table["snapshot"].filter(pa.array(solved)).to_pylist()

    def _first_seen(self, states: BaseStates, rows: NDArray[np.int64]) -> StateValues:
        labels = (
            states.table.select(["element", "id", "name"]).take(pa.array(rows)).combine_chunks()
        )
        element, index, name = (column.chunk(0) for column in labels.columns)
        quantity = np.array([QUANTITY[kind] for kind in element.to_pylist()])
        places = {name: np.flatnonzero(quantity == name) for name in np.unique(quantity).tolist()}
        return StateValues(element, index, name, places, self._new_file())

    def table(self) -> pa.Table:
        """Return the statistics of all elements seen."""
        schema = pa.schema([(name, kind) for name, (kind, _) in ELEMENT_COLUMNS.items()])
        parts = [
            self._summed_up(name, grid).cast(schema)
            for name in dict.fromkeys(name for name, _ in self._grids)
            for grid in self._joined(
                [grid for (own, _), grid in self._grids.items() if own == name]
            )
        ]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def _joined(self, grids: list[StateValues]) -> list[StateValues]:
        """Return the values of a grid, by kinds of elements if states told of different kinds."""
        if len(grids) == 1:
            return grids
        kinds = dict.fromkeys(kind for grid in grids for kind in grid.kinds.tolist())
        return [of_kind(kind, grids, self._new_file()) for kind in kinds]

    def _new_file(self) -> IO[bytes]:
        file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed at exit
        self._files.append(file)
        return file

    def _summed_up(self, name: str, grid: StateValues) -> pa.Table:
        states, elements = len(grid.scenarios), len(grid.index)
        data = grid.values()
        weights = np.array(grid.weights) / [self._states[name] for name in grid.scenarios]
        kinds = grid.kinds
        step = max(1, BLOCK_BYTES // (8 * states))

        def block(start: int) -> dict[str, NDArray[Any]]:
            some = slice(start, start + step)
            return self._block(np.array(data[:, some]), weights, kinds[some])

        with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as threads:
            # Elements that were never computed, voltages of a DC batch say, come out as NaN.
            warnings.simplefilter("ignore", RuntimeWarning)
            blocks = list(threads.map(block, range(0, elements, step)))
        columns: dict[str, Any] = {
            key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]
        }
        worst = columns.pop("worst_state")
        seen = columns["count"] > 0
        columns["worst_scenario"] = [
            grid.scenarios[n] if there else None for n, there in zip(worst, seen, strict=True)
        ]
        columns["worst_snapshot"] = [
            grid.snapshots[n] if there else None for n, there in zip(worst, seen, strict=True)
        ]
        known = {
            "grid": [name] * elements,
            "element": grid.element,
            "id": grid.index,
            "name": grid.name,
            "quantity": [QUANTITY[kind] for kind in kinds],
        }
        every = known | columns
        return pa.table(
            {
                key: pa.array(every[key], kind, from_pandas=True)
                if not isinstance(every[key], pa.Array)
                else every[key]
                for key, (kind, _) in ELEMENT_COLUMNS.items()
            }
        )

    def _block(
        self, values: NDArray[np.float64], weights: NDArray[np.float64], kinds: NDArray[np.str_]
    ) -> dict[str, NDArray[Any]]:
        """Return the statistics of some elements.

        Args:
            values: the quantity of each, shape (states, elements).
            weights: weights of the states, shape (states,).
            kinds: kinds of the elements, shape (elements,).
        """
        there = np.isfinite(values)
        voltages = np.isin(kinds, ("bus", "bus_dc"))
        badness = np.where(voltages, np.abs(values - 1), values)
        worst = np.argmax(np.where(there, badness, -np.inf), axis=0)
        low, high = self._limits.band_pu
        violated = np.where(
            kinds == "bus", (values < low) | (values > high), values > self._limits.most_percent
        )
        weight = (weights[:, None] * there).sum(axis=0)
        unlimited = ~np.isin(kinds, LIMITED) | (weight == 0)
        share = (weights[:, None] * violated).sum(axis=0) / np.where(unlimited, 1.0, weight)
        total = (weights[:, None] * np.where(there, values, 0.0)).sum(axis=0)
        return {
            "count": there.sum(axis=0),
            "min": np.nanmin(values, axis=0),
            "mean": np.divide(total, weight, out=np.full(len(kinds), np.nan), where=weight > 0),
            "p95": _quantile(values, there, 0.95),
            "max": np.nanmax(values, axis=0),
            "worst": values[worst, np.arange(len(kinds))],
            "worst_state": worst,
            "violation_probability": np.where(unlimited, np.nan, share),
        }


def _kinds_told(keep: Any) -> tuple[str, ...]:
    """Return the kinds of elements of which the quantity of every one was kept."""
    if isinstance(keep, str):
        return tuple(QUANTITY) if keep == "all" else ()
    return tuple(kind for kind, quantity in QUANTITY.items() if quantity in keep.get(kind, ()))


def _quantile(
    values: NDArray[np.float64], there: NDArray[np.bool_], share: float
) -> NDArray[np.float64]:
    """Return a quantile of each column, leaving out missing values, shape (columns,)."""
    whole = there.all(axis=0)
    quantile = np.empty(values.shape[1])
    quantile[whole] = np.quantile(values[:, whole], share, axis=0)
    # This one goes column by column.
    quantile[~whole] = np.nanquantile(values[:, ~whole], share, axis=0)
    return quantile
