"""Columns of a grid's tables as a state has them, or each state of a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ...model.grid_model import GridModel
    from ...model.state import State


class Columns:
    """Columns of a grid's tables as a state has them; not to be written to.

    Args:
        model: the model, which keeps the columns of the grid as given once they were needed.
        state: the state; or those of a block in one, what varies with shape (states, elements).
        states: the number of states of a block, in brackets; empty for one state alone.

    Attributes:
        states: as given.
    """

    def __init__(self, model: GridModel, state: State, states: tuple[int, ...] = ()) -> None:
        self.model, self.net, self.states = model, model.net, states
        self.changed = {(change.element, change.column): change.values for change in state.changes}
        self._elements = {change.element for change in state.changes}
        self._given = model.columns

    def changes(self, element: str) -> bool:
        """Tell whether the state changes anything of an element."""
        return element in self._elements

    def once(self, key: object, computed: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return what follows from columns of the grid as given, computed the first time."""
        if key not in self._given:
            self._given[key] = computed()
        return self._given[key]

    def __call__(self, element: str, name: str) -> NDArray[Any]:
        """A column that every network has."""
        values = self.changed.get((element, name))
        if values is None:
            values = self._given.get((element, name))
        if values is None:
            values = self._given[element, name] = self.net[element][name].to_numpy()
        return values

    def numbers(self, element: str, name: str) -> NDArray[np.float64]:
        """Return a column of numbers, NaN where there are none."""
        if (element, name) in self.changed:
            return np.asarray(self.changed[element, name], np.float64)
        return self.numbers_as_given(element, name)

    def numbers_as_given(self, element: str, name: str) -> NDArray[np.float64]:
        """Return a column of numbers of the grid as given, whatever the state has."""
        if (element, name, "numbers") not in self._given:
            table = self.net[element]
            known = name in table
            values = table[name].to_numpy(np.float64) if known else np.full(len(table), np.nan)
            self._given[element, name, "numbers"] = values
        return self._given[element, name, "numbers"]

    def flags(self, element: str, name: str, *, default: bool) -> NDArray[np.bool_]:
        """Return a column of switches, at its default where there are none."""
        if (element, name) in self.changed:
            return self.changed[element, name].astype(bool)
        if (element, name, default) not in self._given:
            values = np.full(len(self.net[element]), default)
            if name in self.net[element]:
                column = self.net[element][name]
                values = np.where(column.isna(), default, column.to_numpy(object)).astype(bool)
            self._given[element, name, default] = values
        return self._given[element, name, default]
