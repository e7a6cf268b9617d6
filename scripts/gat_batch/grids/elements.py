"""Elements of a network by index or name."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from ..errors import GridError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet


PART_OF = ("part_of", "part_of_index")
"""Columns of shunts: table and index of the branch that a shunt is a part of, as pandapower's
transformers can't hold all that a file's have. It goes out of service with the branch."""


@dataclass
class ElementIndex:
    """Finds elements of a network, quickly for many look-ups.

    Attributes:
        net: the network; its tables must keep their rows.
        found: table -> the labels that were last looked up together, and their positions, kept by
            those who look them up: most tables of a batch name the same elements as the one before.
    """

    net: pandapowerNet
    found: dict[str, tuple[tuple[str, ...], NDArray[np.int64]]] = field(default_factory=dict)
    _by_index: dict[str, dict[int, int]] = field(default_factory=dict)
    _by_name: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def position(self, element: str, label: int | str) -> int:
        """Return the position of an element in its table.

        Args:
            element: name of the table, such as ``load``.
            label: its index, or its name. A text of digits is an index if there is such an index,
                else a name.

        Returns:
            The position, from 0.

        Raises:
            GridError: if there is no such element, or several have the name.
        """
        if element not in self._by_index:
            self._learn(element)
        by_index, by_name = self._by_index[element], self._by_name[element]
        number = label if isinstance(label, int) else _whole_number(label)
        if number is not None and number in by_index:
            return by_index[number]
        named = [] if isinstance(label, int) else by_name.get(label, [])
        if len(named) == 1:
            return named[0]
        if named:
            what = f"{len(named)} {element}s have the name {label!r}"
            raise GridError(what, hint="name it by its index")
        raise GridError(f"there is no {element} {label!r}", hint=self._hint(element, str(label)))

    def parts_of(self, element: str, position: int) -> list[int]:
        """Return positions of the shunts that are parts of a branch."""
        return self._parts.get((element, position), [])

    def is_part(self, position: int) -> bool:
        """Tell whether a shunt is part of a branch."""
        return position in self._all_parts

    @cached_property
    def _all_parts(self) -> set[int]:
        return {part for parts in self._parts.values() for part in parts}

    @cached_property
    def has_parts(self) -> bool:
        """Whether any branch has a part that is a shunt."""
        return bool(self._parts)

    @cached_property
    def _parts(self) -> dict[tuple[str, int], list[int]]:
        shunt = self.net.shunt
        found: dict[tuple[str, int], list[int]] = defaultdict(list)
        if set(PART_OF) <= set(shunt.columns):
            for position, (element, index) in enumerate(
                zip(*(shunt[column] for column in PART_OF), strict=True)
            ):
                if isinstance(element, str) and element in self.net and pd.notna(index):
                    found[element, self.position(element, int(index))].append(position)
        return dict(found)

    def _learn(self, element: str) -> None:
        table = self.net[element]
        self._by_index[element] = {int(i): n for n, i in enumerate(table.index)}
        names: dict[str, list[int]] = defaultdict(list)
        if "name" in table:
            named = table["name"].notna()
            for position, (name, known) in enumerate(zip(table["name"], named, strict=True)):
                if known:
                    names[str(name)].append(position)
        self._by_name[element] = names

    def _hint(self, element: str, label: str) -> str:
        close = get_close_matches(label, self._by_name[element], n=1)
        if close and _whole_number(label) is None:
            return f"did you mean {close[0]!r}?"
        indices = self._by_index[element]
        if not indices:
            return f"the grid has no {element}s"
        span = f"the grid has {len(indices)}, from {min(indices)} to {max(indices)}"
        return f"{span}; is this meant for another grid?"


def _whole_number(text: str) -> int | None:
    digits = text.removeprefix("-")
    # Python refuses to convert thousands of digits, and no index is that long.
    return int(text) if digits.isdecimal() and len(digits) < 19 else None
