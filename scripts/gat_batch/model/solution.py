"""What a solver hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Status = Literal["ok", "not_converged", "infeasible", "islanded"]

SEVERITY: tuple[Status, ...] = ("ok", "islanded", "infeasible", "not_converged")
"""Statuses from best to worst: a scenario has the worst of its snapshots."""

SOLVED: tuple[Status, ...] = ("ok", "islanded")
"""Statuses of what has a solution."""


@dataclass(frozen=True)
class BlockSolution:
    """States of one topology, solved together.

    Attributes:
        status: of all of them, ``ok`` or ``islanded``.
        engine: what solved them.
        iterations: iterations of each state, shape (states,), or None where it doesn't iterate.
        elements: element -> quantity -> values, shape (states, elements).
        system: column of the system row -> a value for each state.
        detail: why they aren't ``ok``; empty if they are.
    """

    status: Status
    engine: str
    iterations: NDArray[np.int64] | None
    elements: dict[str, dict[str, NDArray[np.float64]]]
    system: dict[str, NDArray[Any]]
    detail: str

    def solution(self, number: int) -> Solution:
        """Return the solution of one of the states."""
        return Solution(
            status=self.status,
            engine=self.engine,
            iterations=None if self.iterations is None else int(self.iterations[number]),
            elements={
                element: {name: values[number] for name, values in quantities.items()}
                for element, quantities in self.elements.items()
            },
            system={name: _plain(values[number]) for name, values in self.system.items()},
            detail=self.detail,
        )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class Solution:
    """One state of a grid, solved or not.

    Attributes:
        status: ``ok``; ``islanded`` if the state cuts buses off that the grid as given supplies,
            and the rest was solved; ``not_converged`` or ``infeasible`` without any elements.
        engine: what solved it.
        iterations: iterations of the solver, or None where it doesn't iterate.
        objective: cost of an optimum, or None.
        elements: element -> quantity -> values, shape (elements,), in the order of the model's
            ids, NaN where there is no value. Quantities that an element doesn't have are left
            out, and so are elements that the grid doesn't have.
        system: MW of load, generation, loss and unserved load, worst loading, voltage extremes,
            congestion rent.
        detail: why it isn't ``ok``, for people; empty if it is.
        residual: largest relative residual of the conditions of an optimum, or None.
        left: why it was left to plain pandapower; empty if it wasn't, or was asked to be.
        start: what the optimiser may start from at the next snapshot.
    """

    status: Status
    engine: str
    iterations: int | None = None
    objective: float | None = None
    elements: dict[str, dict[str, NDArray[np.float64]]] = field(default_factory=dict)
    system: dict[str, float | int | str | None] = field(default_factory=dict)
    detail: str = ""
    residual: float | None = None
    left: str = ""
    start: Any = field(default=None, compare=False, repr=False)
