"""Limits that two groups break after the same contingency, as a map takes them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

MOST_CONTINGENCIES = 300
MOST_VIOLATIONS = 6000
MOST_OF_ONE = 40
"""Most contingencies of a difference that the page holds, most violations after all of them, and
after one of them."""

PLACE = ("scenario", "snapshot", "contingency")


@dataclass(frozen=True)
class AfterContingencies:
    """Violations after contingencies in two groups.

    Attributes:
        before, now: violations of the reference and of the group, indexed by ``ITEM`` for the worst
            of each, or by scenario, or by scenario and snapshot as well.
        lost_before, lost: names of contingencies without a solution, if the worst of each counts.
    """

    before: pd.DataFrame
    now: pd.DataFrame
    lost_before: Set[str] = field(default_factory=frozenset)
    lost: Set[str] = field(default_factory=frozenset)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield contingencies, those after which most is otherwise first.

        Each has ``contingency``, ``scenario`` and ``snapshot`` or None for the worst of all,
        ``before`` and ``now``: kind of element -> ids and values in turns, in percent or p.u., of
        those that differ most; ``more``, how many others there are; and ``lost``, whether it has no
        solution in either.
        """
        both = _joined(self.before, self.now)
        keys = [name for name in PLACE if name in both]
        own = {tuple(map(str, key)): rows for key, rows in both.groupby(keys, sort=False)}
        unsolved = self.lost | self.lost_before
        for name in sorted(unsolved)[:MOST_CONTINGENCIES]:
            yield self._entry({"contingency": name}, both.iloc[:0])
        known = [key for key in own if key[-1] not in unsolved]
        left = MOST_VIOLATIONS
        for key in sorted(known, key=lambda key: -own[key]["change"].max())[:MOST_CONTINGENCIES]:
            left -= min(len(own[key]), MOST_OF_ONE)
            if left < 0:
                return
            yield self._entry(dict(zip(keys, key, strict=True)), own[key])

    def of(self, contingency: str) -> pd.DataFrame:
        """Return ``before`` and ``now`` of all that breaks a limit after a contingency.

        They are indexed by kind and id of the element; empty if nothing does.
        """
        both = _joined(self.before, self.now)
        own = both[both["contingency"] == contingency]
        return own.set_index(["element", "id"])[["before", "now"]].astype(float)

    def _entry(self, place: dict[str, str], every: pd.DataFrame) -> dict[str, Any]:
        name = place["contingency"]
        own = every.head(MOST_OF_ONE)
        return {
            "contingency": name,
            "scenario": place.get("scenario"),
            "snapshot": place.get("snapshot") or None,
            "before": _values(own, "before"),
            "now": _values(own, "now"),
            "more": len(every) - len(own),
            "lost": [int(name in self.lost_before), int(name in self.lost)],
        }


def _joined(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Return each violation after a contingency once: its value in both, and how much it differs.

    The difference is that of how far it is outside its limit, relative to that.
    """
    columns = ["value", "excess", "limit"]
    told = [
        one[columns].rename(columns={"value": name}) if len(one) else None
        for name, one in (("before", before), ("now", now))
    ]
    if all(one is None for one in told):
        return pd.DataFrame(columns=["contingency", "element", "id", "before", "now", "change"])
    empty = next(one for one in told if one is not None).iloc[:0]
    left, right = (
        empty.rename(columns=dict.fromkeys(("before", "now"), name)) if one is None else one
        for name, one in zip(("before", "now"), told, strict=True)
    )
    both = left.join(right, how="outer", lsuffix="_before").reset_index()
    more = both["excess"].fillna(0) - both["excess_before"].fillna(0)
    both["change"] = more.abs() / both["limit"].fillna(both["limit_before"])
    # A bus may be below its band in one state and above it in another.
    both = both[both["contingency"] != ""].sort_values("change", ascending=False, kind="stable")
    places = [name for name in PLACE if name in both]
    return both.drop_duplicates([*places, "element", "id"])


def _values(own: pd.DataFrame, column: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for kind, index, value in zip(own["element"], own["id"], own[column], strict=True):
        if not math.isnan(value):
            found.setdefault(str(kind), []).extend([int(index), float(f"{value:.5g}")])
    return found
