"""How often branches are at their limit, by weight, added up over parts of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_LIMIT = 0.999
"""Share of the limit from which a branch is congested: optima lie on it, but for rounding."""

BRANCH = ["grid", "element", "id"]


def congestion_sums(
    branches: pd.DataFrame, grid: Any, weight: NDArray[np.float64], threshold_percent: float
) -> pd.DataFrame:
    """Sum up for each branch the weights of all states and of those in which it is congested.

    Args:
        branches: rows of branches with ``element``, ``id`` and ``loading_percent``.
        grid: grid of each row, or of all.
        weight: weight of each row's state, shape (rows,).
        threshold_percent: loading from which a branch counts as congested, in percent.

    Returns:
        ``weight``, ``at_limit`` (weight of the congested states) and ``states`` (their number),
        indexed by grid, element and id; tables of several parts may be added.
    """
    at_limit = branches["loading_percent"].to_numpy() >= threshold_percent
    told = pd.DataFrame(
        {
            "grid": grid,
            "element": branches["element"].to_numpy(),
            "id": branches["id"].to_numpy().astype(np.int64),
            "weight": weight,
            "at_limit": weight * at_limit,
            "states": at_limit.astype(np.int64),
        }
    )
    return told.groupby(BRANCH, sort=False).sum()


def congestion_shares(sums: pd.DataFrame) -> pd.DataFrame:
    """Return the probability of being congested, for each branch that ever was.

    Args:
        sums: as from :func:`congestion_sums`.

    Returns:
        ``grid``, ``element``, ``id``, ``states`` and ``probability``, the most often congested
        first.
    """
    found = sums[sums["states"] > 0].copy()
    weight = found.pop("weight")
    found["probability"] = (found.pop("at_limit") / weight.where(weight > 0)).fillna(0.0)
    order = found.sort_values(["probability", "states"], ascending=False, kind="stable")
    return order.reset_index()
