"""Where a shard's results go: into a file for each scenario, or into one for all of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ResultError
from ..files.durable import replace_json
from ..files.parquet.footer import read_fingerprints
from .earlier import taken_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..plan.plan import Plan
    from ..plan.shards import Shard
    from ..study.scenario import Scenario


class Layout(Protocol):
    """What a shard does with results."""

    def unsolved(self) -> list[Scenario]:
        """Return the members to be solved; those that are solved elsewhere are taken over."""

    def source(self, scenario_id: str) -> Path:
        """Return the file that has the rows of a solved member as yet."""

    def solved(self, members: Sequence[Scenario]) -> set[str]:
        """Return which members have been solved by now."""

    def written(self, names: Iterable[str]) -> list[Path]:
        """Return the files that solving these members has completed."""

    def begin(self, members: Sequence[Scenario]) -> None:
        """Make the folders of members to be solved, and remove what was said of their failures."""

    def fail(self, scenario_id: str, failure: dict[str, Any]) -> None:
        """Record why a member failed for good."""

    def complete(self) -> list[Path]:
        """Complete the shard's results; return the files written here."""


def layout_of(plan: Plan, shard: Shard) -> Layout:
    """Return how a shard's results are laid out."""
    return OneFile(plan, shard) if plan.in_blocks else OwnFiles(plan, shard)


class OwnFiles:
    """A result file for each scenario, or a placeholder where one failed.

    Args:
        plan: the batch.
        shard: the members.
    """

    def __init__(self, plan: Plan, shard: Shard) -> None:
        self.plan = plan
        self.shard = shard

    def unsolved(self) -> list[Scenario]:
        """Return the members to be solved; those that are solved elsewhere are taken over.

        The results of the others are made newer than their inputs.
        """
        rest = []
        for member in self.shard.scenarios:
            if self.plan.is_solved(member):
                touch(self.plan.result(member.id), self._inputs(member))
            else:
                rest.append(member)
        found = taken_over(self.plan, self.shard) if rest else {}
        if found:
            # Imported late: most jobs take nothing over.
            from ..results.joined import copy_result

            for name, source in list(found.items()):
                self.plan.job_folder(name).mkdir(parents=True, exist_ok=True)
                try:
                    copy_result(source, name, self.plan.result(name))
                except ResultError:
                    # Damaged: what it held is solved anew.
                    del found[name]
        return [member for member in rest if member.id not in found]

    def source(self, scenario_id: str) -> Path:
        """Return the file that has the rows of a solved member."""
        return self.plan.result(scenario_id)

    def solved(self, members: Sequence[Scenario]) -> set[str]:
        """Return which members have been solved by now."""
        return {member.id for member in members if self.plan.is_solved(member)}

    def written(self, names: Iterable[str]) -> list[Path]:
        """Return the result file of each of these members."""
        return [self.plan.result(name) for name in names]

    def begin(self, members: Sequence[Scenario]) -> None:
        """Make the folders of members to be solved, and remove what was said of their failures."""
        for member in members:
            self.plan.job_folder(member.id).mkdir(parents=True, exist_ok=True)
            self.plan.error(member.id).unlink(missing_ok=True)

    def fail(self, scenario_id: str, failure: dict[str, Any]) -> None:
        """Put a placeholder in place of a member's result, and say beside it what happened."""
        from ..results.writer import write_placeholder

        replace_json(self.plan.error(scenario_id), failure)
        write_placeholder(self.plan.result(scenario_id), failure)

    def complete(self) -> list[Path]:
        """Leave all as it is: each result was complete when it was written."""
        return []

    def _inputs(self, member: Scenario) -> tuple[Path, ...]:
        return *self.plan.grid(member).files, *member.tables


class OneFile:
    """One result file for all members, put together at the end from the parts that were written.

    Args:
        plan: the batch.
        shard: the members.
    """

    def __init__(self, plan: Plan, shard: Shard) -> None:
        self.plan = plan
        self.shard = shard
        self._first = shard.scenarios[0]
        self._sources: dict[str, Path] = {}
        self._before: frozenset[Path] = frozenset()
        self._failed: dict[str, dict[str, Any]] = {}

    def unsolved(self) -> list[Scenario]:
        """Return the members to be solved; what earlier runs wrote of the others is kept."""
        members = self.shard.scenarios
        there = self.plan.whole_result(self.shard)
        if all(there.get(member.id) == self.plan.fingerprint(member) for member in members):
            result = self.plan.result(self._first.id)
            tables = (path for member in members for path in member.tables)
            touch(result, (*self.plan.grid(self._first).files, *dict.fromkeys(tables)))
            self._sources = {member.id: result for member in members}
            return []
        self._before = frozenset(self._parts())
        self._sources = taken_over(self.plan, self.shard)
        return [member for member in members if member.id not in self._sources]

    def _parts(self) -> list[Path]:
        """Return the parts that there are, the oldest first."""
        return sorted(self.plan.parts(self.shard.name).glob("*.parquet"))

    def source(self, scenario_id: str) -> Path:
        """Return the file that has the rows of a solved member as yet."""
        return self._sources[scenario_id]

    def solved(self, members: Sequence[Scenario]) -> set[str]:
        """Return which members have been solved by now."""
        self._sources |= taken_over(self.plan, self.shard)
        return {member.id for member in members if member.id in self._sources}

    def written(self, names: Iterable[str]) -> list[Path]:  # noqa: ARG002 - parts needn't last
        """Return nothing: a part of the result is no file that has to last."""
        return []

    def begin(self, members: Sequence[Scenario]) -> None:  # noqa: ARG002 - all share one folder
        """Make the folder of the parts, and remove what was said of members that failed."""
        self.plan.parts(self.shard.name).mkdir(parents=True, exist_ok=True)
        self.plan.error(self._first.id).unlink(missing_ok=True)

    def fail(self, scenario_id: str, failure: dict[str, Any]) -> None:
        """Remember why a member failed for good: the file of all says so, and one beside it."""
        self._failed[scenario_id] = failure
        replace_json(self.plan.error(self._first.id), {"failed": [*self._failed.values()]})

    def complete(self) -> list[Path]:
        """Put the parts together, and remove them."""
        result = self.plan.result(self._first.id)
        if set(self._sources.values()) == {result}:
            return []
        from ..results.joined import join_results

        names = self.shard.ids
        # What this run wrote counts whatever its fingerprint: a table may have been edited since it
        # began. What was there before has been asked for it.
        parts = [path for path in self._parts() if path not in self._before]
        written = {name: path for path in parts for name in read_fingerprints(path)}
        sources = {
            name: path
            for name, path in {**self._sources, **written}.items()
            if name not in self._failed
        }
        if any(name not in sources and name not in self._failed for name in names):
            hint = "another process has taken them: run again"
            raise ResultError("parts of the result have gone", file=result, hint=hint)
        result.parent.mkdir(parents=True, exist_ok=True)
        try:
            join_results(
                result,
                names,
                sources,
                self._failed,
                {"solver": self.shard.solver},
                trusted=set(parts),
            )
        except ResultError as damage:
            # The next attempt solves what it held.
            Path(damage.file or result).unlink(missing_ok=True)
            damage.hint = "it is removed; the next attempt solves what it held"
            raise
        shutil.rmtree(self.plan.parts(self.shard.name), ignore_errors=True)
        return [result]


def touch(result: Path, inputs: Iterable[Path]) -> None:
    """Make a right result newer than its inputs, as Snakemake goes by the age of files."""
    if result.stat().st_mtime < max((path.stat().st_mtime for path in inputs), default=0.0):
        os.utime(result)
