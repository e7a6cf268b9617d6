"""DC lines: which end draws, and what is lost on the way, as a state has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..powerflow.injections.state_columns import Columns
    from .units import Units

    Reals = NDArray[np.float64]


@dataclass(frozen=True)
class DcLines:
    """The DC lines of a snapshot that are in service.

    Attributes:
        draws, feeds: which of the units the end is that draws power, and the other one.
        arrives: share of what is drawn that arrives, shape (lines,).
        lost: what is lost at any power, in p.u., shape (lines,).
    """

    draws: NDArray[np.int64]
    feeds: NDArray[np.int64]
    arrives: Reals
    lost: Reals


def dc_lines_of(units: Units, column: Columns, base_mva: float) -> DcLines:
    """Return the DC lines whose ends are among the units, with the losses of power flows.

    Args:
        units: what may be chosen.
        column: the state.
        base_mva: system base in MVA.
    """
    ends = [units.of(f"dcline_{end}") for end in ("from", "to")]
    position = units.position[ends[0]]
    live = units.live[ends[0]]
    forward = column.numbers("dcline", "p_mw")[position] > 0
    return DcLines(
        draws=np.where(forward, *ends)[live],
        feeds=np.where(forward, *ends[::-1])[live],
        arrives=1 - column.numbers("dcline", "loss_percent")[position][live] / 100,
        lost=column.numbers("dcline", "loss_mw")[position][live] / base_mva,
    )
