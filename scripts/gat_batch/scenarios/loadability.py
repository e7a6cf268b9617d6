"""Bounds of a total load that are the grid's own: shares of the most that it can serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BOUNDS = ("low", "mode", "high")
"""Parameters of a distribution that may be such a share, ``{loadability: 0.98}``."""

FOUND = {
    "ac_opf": "largest factor on all loads in an AC optimal power flow of the grid as given "
    "(Ipopt, a local maximum)",
    "dc_opf": "largest factor on all loads in a DC optimal power flow of the grid as given (HiGHS)",
}
"""How a limit was found, for people."""


@dataclass(frozen=True)
class Limit:
    """The loadability limit of a grid.

    Attributes:
        grid: the grid's reference, as written.
        grid_hash: hash of its content.
        study: the optimal power flow that has no solution beyond it.
        factor: largest factor on all loads.
    """

    grid: str
    grid_hash: str
    study: Literal["dc_opf", "ac_opf"]
    factor: float

    @property
    def record(self) -> dict[str, Any]:
        """The limit, and how it was found, as plain values."""
        return {**vars(self), "found": FOUND[self.study]}


def shares(quantity: Mapping[str, Any]) -> Iterator[str]:
    """Yield the bounds of a random quantity that are shares of a limit."""
    yield from (key for key in BOUNDS if isinstance(quantity.get(key), dict))


def bounded(quantity: Mapping[str, Any], limit: Limit) -> dict[str, Any]:
    """Return a random quantity with numbers in place of shares of a limit."""
    found = {key: quantity[key]["loadability"] * limit.factor for key in shares(quantity)}
    return {**quantity, **found}


def study_of(values: Mapping[str, Any], default: Any) -> Literal["dc_opf", "ac_opf"]:
    """Tell which optimal power flow limits the loads of a family.

    That is one for all of its scenarios, so that those that differ in the solver have the same
    loads: of DC if all of them are DC optimal power flows, else of AC.

    Args:
        values: the family's keys.
        default: the solver of scenarios that name none.
    """
    varied = [values.get(key, {}).get("solver") for key in ("sweep", "zip")]
    solvers = next(filter(None, varied), [values.get("solver", default)])
    return "dc_opf" if set(solvers) == {"dc_opf"} else "ac_opf"
