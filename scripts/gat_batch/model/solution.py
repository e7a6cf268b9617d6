"""What a solver hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Status = Literal["ok", "not_converged", "infeasible", "islanded"]

SEVERITY: tuple[Status, ...] = ("ok", "islanded", "infeasible", "not_converged")
"""Statuses from best to worst: a scenario has the worst of its snapshots."""


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
