"""What is violated otherwise in a group of scenarios than in the one that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

SAME_PERCENT, SAME_PU = 0.05, 0.0005
"""By how much the worst of a violation may differ and count as the same, in percent and p.u."""

THIS_BATCH = "this batch"
"""Name of a batch that is held against another one, as a group is against another one."""


@dataclass(frozen=True)
class Changes:
    """How violations differ, each by the row of its worst state, the worst first.

    Attributes:
        new: those of the group that the reference hasn't got.
        worse, better: those of both whose worst is further outside the limit, or less far, with the
            ``reference`` value beside the group's own.
        gone: those of the reference that the group hasn't got.
        same: how many are as bad.
    """

    new: pd.DataFrame
    worse: pd.DataFrame
    better: pd.DataFrame
    gone: pd.DataFrame
    same: int


def changes(reference: pd.DataFrame, group: pd.DataFrame) -> Changes:
    """Compare the violations of two groups.

    Args:
        reference: violations of the group that is compared with, as in ``Standing``.
        group: those of the other one.
    """
    if reference.empty or group.empty:
        none = reference.iloc[:0]
        return Changes(_first(group), none, none, _first(reference), 0)
    both = group[group.index.isin(reference.index)]
    before = reference.loc[both.index]
    more = both["excess"] - before["excess"]
    branch = (both.index.get_level_values("element") != "bus").astype(bool)
    least = np.where(branch, SAME_PERCENT, SAME_PU)
    both = both.assign(reference=before["value"])
    worse, better = both[more > least], both[more < -least]
    return Changes(
        _first(group[~group.index.isin(reference.index)]),
        _first(worse),
        _first(better),
        _first(reference[~reference.index.isin(group.index)]),
        len(both) - len(worse) - len(better),
    )


def _first(violations: pd.DataFrame) -> pd.DataFrame:
    """Return violations with those furthest outside their limits first, relative to these."""
    if violations.empty:
        return violations
    share = violations["excess"] / violations["limit"]
    return violations.loc[share.sort_values(ascending=False, kind="stable").index]
