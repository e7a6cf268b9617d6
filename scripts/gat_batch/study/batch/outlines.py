"""What of each scenario tells which job solves it, and what else is known without making it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..scenario import Solver


class Kind(NamedTuple):
    """What many scenarios have in common.

    Attributes:
        solver: their solver.
        grid: their grid as written in the manifest.
        contingent: whether they have contingencies.
        plain: whether they name neither tables nor elements of the grid.
        timeout_secs: time limit of each in seconds.
        keep: which rows are kept, as JSON; empty if that is left to the configuration.
    """

    solver: Solver
    grid: str
    contingent: bool
    plain: bool
    timeout_secs: float
    keep: str


@dataclass(frozen=True)
class Outlines:
    """Outlines of a batch's scenarios, in the manifest's order.

    Attributes:
        ids: the scenarios.
        kinds: the kinds that there are.
        codes: the number of each scenario's kind.
        labels: a hash of what results are labelled with: ids, weights, tags, descriptions,
            metadata and names of grids.
    """

    ids: Sequence[str] = ()
    kinds: Sequence[Kind] = ()
    codes: Sequence[int] = ()
    labels: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def kind(self, number: int) -> Kind:
        """Return the kind of a scenario."""
        return self.kinds[self.codes[number]]

    def numbers(self, chosen: Callable[[Kind], bool]) -> list[int]:
        """Return the numbers of the scenarios whose kind is chosen."""
        codes = {code for code, kind in enumerate(self.kinds) if chosen(kind)}
        return [number for number, code in enumerate(self.codes) if code in codes]
