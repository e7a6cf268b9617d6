"""What of each scenario tells which job solves it, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, overload

if TYPE_CHECKING:
    from ..scenario import Solver


class Outline(NamedTuple):
    """What of a scenario tells which job solves it.

    Attributes:
        id: its name.
        solver: its solver.
        grid: its grid as written in the manifest.
        contingent: whether it has contingencies.
    """

    id: str
    solver: Solver
    grid: str
    contingent: bool


class Outlines(Sequence[Outline]):
    """Outlines of a batch's scenarios, in the manifest's order.

    Args:
        ids: the scenarios.
        kinds: solver, grid and whether there are contingencies, as scenarios have them.
        codes: the number of each scenario's kind.
    """

    def __init__(
        self, ids: Sequence[str], kinds: Sequence[tuple[Solver, str, bool]], codes: Sequence[int]
    ) -> None:
        self.ids = ids
        self.kinds = kinds
        self.codes = codes

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, number: int) -> Outline: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[Outline, ...]: ...
    def __getitem__(self, number: int | slice) -> Outline | tuple[Outline, ...]:
        if isinstance(number, slice):
            return tuple(self[one] for one in range(*number.indices(len(self))))
        return Outline(self.ids[number], *self.kinds[self.codes[number]])
