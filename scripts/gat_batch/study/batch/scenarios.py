"""The scenarios of a batch, each made when it is asked for."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...on_demand import OnDemand
from ..scenario import Scenario
from .counterparts import counterparts
from .outlines import Outlines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MOST_MADE = 30_000
"""Scenarios that are kept, in case they are asked for again."""


class Scenarios(OnDemand[Scenario]):
    """All scenarios, in the manifest's order.

    A job needs its own of perhaps a million, and no process needs all at the same time.

    Args:
        entries: one for each scenario, such as its entry in the manifest.
        make: makes a scenario of an entry.
    """

    def __init__(
        self,
        entries: Sequence[Any],
        make: Callable[[Any], Scenario],
    ) -> None:
        self._entries = entries
        self._make = make
        self._made: dict[int, Scenario] = {}
        self._order: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def item(self, number: int) -> Scenario:
        """Return a scenario by its number."""
        found = self._made.get(number)
        if found is None:
            found = self._made[number] = self._make(self._entries[number])
            self._order.append(number)
            if len(self._order) > MOST_MADE:
                # Threads that read results ask at the same time.
                self._made.pop(self._order.popleft(), None)
        return found


class Members(OnDemand[Scenario]):
    """Some scenarios of a batch, each made when it is asked for.

    Args:
        scenarios: those of the batch.
        numbers: numbers of the members among them.
    """

    def __init__(self, scenarios: Sequence[Scenario], numbers: Sequence[int]) -> None:
        self._scenarios = scenarios
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def item(self, number: int) -> Scenario:
        """Return a member by its number among them."""
        return self._scenarios[self.numbers[number]]


@dataclass(frozen=True)
class Batch:
    """A manifest that has passed its checks.

    Attributes:
        file: the manifest.
        scenarios: the scenarios, in the manifest's order; each may be made when it is asked for.
        outlines: an outline of each.
        document: the manifest's content.
        max_jobs: most scenarios solved at the same time, or None for no cap.
        layout: how results are laid out in files; None for what the configuration says.
        question: what the batch is to answer, or empty.
        compare: tags of the groups of scenarios that are compared, or the key of metadata that
            tells them apart; empty for none.
    """

    file: Path
    scenarios: Sequence[Scenario]
    outlines: Outlines = field(default_factory=Outlines)
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    max_jobs: int | None = None
    layout: str | None = None
    question: str = ""
    compare: tuple[str, ...] | str = ()

    @property
    def folder(self) -> Path:
        """The folder that the manifest's paths are relative to."""
        return self.file.parent

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Name of each group that is compared, the reference first -> ids of its scenarios."""
        found: dict[str, list[str]] = {}
        if isinstance(self.compare, str):
            for scenario in self.scenarios:
                if (value := scenario.metadata.get(self.compare)) is not None:
                    name = value if isinstance(value, str) else json.dumps(value)
                    found.setdefault(name, []).append(scenario.id)
        else:
            found = {
                tag: [one.id for one in self.scenarios if tag in one.tags] for tag in self.compare
            }
        return {name: tuple(ids) for name, ids in found.items()}

    def counterparts(self, groups: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
        """Return scenarios that differ from one of the first group in nothing but the group.

        Args:
            groups: as from :attr:`groups`.

        Returns:
            Name of each other group -> id of each of its scenarios -> id of its counterpart; a
            group without one for each of its scenarios is left out.
        """
        if not groups:
            return {}
        wanted = {one for ids in groups.values() for one in ids}
        known = {one.id: one for one in self.scenarios if one.id in wanted}
        chosen = [[known[one] for one in ids] for ids in groups.values()]
        found = {
            name: counterparts(chosen[0], own, self.compare)
            for name, own in zip(list(groups)[1:], chosen[1:], strict=True)
        }
        return {name: pairs for name, pairs in found.items() if pairs}
