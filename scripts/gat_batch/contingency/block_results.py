"""What is kept of a block of contingencies: their system figures and their violations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Rows = NDArray[np.integer[Any]]
    Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Violations:
    """Elements of one kind in violation, in a block of contingencies.

    There are so many, and they go from process to process, that nothing is in them twice.

    Attributes:
        number: contingency of each, ascending.
        position: its position in its table.
        quantities: quantity -> values.
        per_mw: quantity -> what a MW means for it, by position. Only of branches without losses,
            for which everything else follows from the power that flows in.
    """

    number: Rows
    position: Rows
    quantities: Mapping[str, Reals]
    per_mw: Mapping[str, Reals] | None = None

    def values(self, quantity: str) -> Reals | None:
        """Return values of a quantity, None if there are none."""
        if self.per_mw is None or quantity in self.quantities:
            return self.quantities.get(quantity)
        power = self.quantities["p_from_mw"]
        if quantity == "p_to_mw":
            return -power
        if quantity == "pl_mw":
            return np.zeros(len(power))
        if quantity not in self.per_mw:
            return None
        factor = self.per_mw[quantity][self.position]
        with np.errstate(invalid="ignore"):
            values = np.abs(power) * factor
        # Without capacity, whatever flows is too much.
        values[np.isinf(factor)] = np.inf
        return values


@dataclass(frozen=True)
class BlockResults:
    """What remains of a block of contingencies.

    Attributes:
        system: column of the system rows -> a value for each contingency.
        violations: element -> those in violation.
    """

    system: dict[str, Any]
    violations: dict[str, Violations]

    def only(self, kept: Rows) -> BlockResults:
        """Tell what remains of some of the contingencies, by their numbers, ascending."""
        violations = {}
        for element, found in self.violations.items():
            mine = np.isin(found.number, kept)
            violations[element] = Violations(
                np.searchsorted(kept, found.number[mine]),
                found.position[mine],
                {name: values[mine] for name, values in found.quantities.items()},
                found.per_mw,
            )
        system = {name: [values[n] for n in kept] for name, values in self.system.items()}
        return BlockResults(system, violations)
