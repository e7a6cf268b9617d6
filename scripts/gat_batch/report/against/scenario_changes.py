"""Figures and statuses of the same scenarios in two batches, held against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...model.solution import SEVERITY
from ..groups.changes import SAME_PERCENT, SAME_PU

if TYPE_CHECKING:
    from ..summary_tables import Summary


@dataclass(frozen=True)
class Compared:
    """A figure of scenarios that is compared.

    Attributes:
        column: its column in the table of scenarios.
        title: what it is.
        unit: its unit, or empty.
        digits: decimals of a sentence.
        same: difference up to which it counts as the same, in its unit.
        share: that, too, as a share of the value.
        sign: 1 if higher is worse, -1 if lower is.
    """

    column: str
    title: str
    unit: str
    digits: int
    same: float
    share: float = 0.0
    sign: int = 1


FIGURES = (
    Compared("max_loading_percent", "worst loading", "%", 1, SAME_PERCENT),
    Compared("min_vm_pu", "lowest voltage", "p.u.", 3, SAME_PU, sign=-1),
    Compared("max_vm_pu", "highest voltage", "p.u.", 3, SAME_PU),
    Compared("max_unserved_mw", "load cut off", "MW", 1, 0.001),
    Compared("objective", "cost", "", 0, 0.005, 1e-6),
    Compared("loss_mw", "mean losses", "MW", 1, 0.001, 1e-4),
)

RANKS = (*SEVERITY, "failed")
"""Statuses from best to worst."""


def status_changes(summary: Summary, other: Summary) -> pd.DataFrame:
    """Return scenarios of both batches with another status: ``before``, ``status``, ``worse``."""
    both = summary.scenarios.index[summary.scenarios.index.isin(other.scenarios.index)]
    told = pd.DataFrame(
        {"before": other.scenarios["status"][both], "status": summary.scenarios["status"][both]}
    )
    told = told[told["before"] != told["status"]]
    rank = {status: number for number, status in enumerate(RANKS)}
    return told.assign(worse=told["status"].map(rank) > told["before"].map(rank))


def figure_changes(summary: Summary, other: Summary, figure: Compared) -> pd.DataFrame:
    """Return how a figure of the scenarios that both have solved differs, the worst first.

    Args:
        summary: the summary of the batch.
        other: that of the other one.
        figure: which one.

    Returns:
        A row for each scenario in which it isn't the same, indexed by id: ``before``, ``value``,
        ``difference``, ``worse``.
    """
    chosen = summary.common
    before = other.scenarios[figure.column][chosen].astype(float)
    value = summary.scenarios[figure.column][chosen].astype(float)
    told = pd.DataFrame({"before": before, "value": value, "difference": value - before})
    least = np.maximum(figure.same, figure.share * before.abs())
    told = told[told["difference"].abs() > least]
    told = told.assign(worse=figure.sign * told["difference"] > 0)
    order = (figure.sign * told["difference"]).sort_values(ascending=False, kind="stable")
    return told.loc[order.index]
