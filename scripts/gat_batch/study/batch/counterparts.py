"""Scenarios of two groups that differ in nothing but the group."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ..scenario import Scenario

FIELDS = (
    *("grid", "solver", "options", "loads", "gens", "costs", "limits", "impedances"),
    *("time_slices", "load_scale", "gen_scale", "outages", "contingencies"),
)
"""What a scenario is solved with. Which rows of a shared table it takes isn't among it: they are
named after the scenario, and its metadata has the number of its draw."""


def counterparts(
    reference: Sequence[Scenario], group: Sequence[Scenario], compare: tuple[str, ...] | str
) -> dict[str, str]:
    """Return the scenario of a reference that each scenario of a group is to be held against.

    Two counterparts have the same tags and metadata, such as the hour or the number of a draw, but
    for those that tell the groups apart. What takes the same values in both groups, such as the
    kind of study or a factor on loads, is the same in both, too. Anything else is what the groups
    differ in.

    Args:
        reference: scenarios of the group that is compared with.
        group: those of the other one.
        compare: tags of the groups, or the key of metadata that tells them apart.

    Returns:
        Id of a scenario of the group -> that of its counterpart; empty unless each has exactly one.
    """
    before, after = (_columns(own) for own in (reference, group))
    shared = [name for name in FIELDS if set(before[name]) == set(after[name])]
    there, here = (
        [
            (_labels(one, compare), *(own[name][n] for name in shared))
            for n, one in enumerate(scenarios)
        ]
        for own, scenarios in ((before, reference), (after, group))
    )
    known = dict(zip(there, (one.id for one in reference), strict=True))
    alone = len(known) == len(there) and len(set(here)) == len(here)
    if not alone or not known.keys() >= set(here):
        return {}
    return {one.id: known[key] for one, key in zip(group, here, strict=True)}


def _columns(scenarios: Sequence[Scenario]) -> dict[str, list[Hashable]]:
    """Return field -> its value in each scenario; equal values are kept once."""
    columns: dict[str, list[Hashable]] = {name: [] for name in FIELDS}
    seen: dict[Hashable, Hashable] = {}
    for one in scenarios:
        for name, values in columns.items():
            value = _counted(getattr(one, name))
            values.append(seen.setdefault((name, value), value))
    return columns


def _labels(scenario: Scenario, compare: tuple[str, ...] | str) -> Hashable:
    """Return what a scenario is labelled with beside its group."""
    tags = frozenset(scenario.tags) - (set() if isinstance(compare, str) else set(compare))
    metadata = {key: value for key, value in scenario.metadata.items() if key != compare}
    return tags, _counted(metadata)


def _counted(value: Any) -> Hashable:
    """Return a value that can be counted in place of one."""
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    hashable: Hashable = value
    return hashable
