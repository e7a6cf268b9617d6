"""The state of a batch, for people and programs: ``batch_manifest.json``.

While a batch runs, the shards take turns: one that has solved something and finds the file older
than a second reads what is new in all journals and replaces the file. No shard waits for that, the
cost is bounded by a small share of the time, and a reader never sees a torn file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..files.durable import replace_json
from ..grids.approximations import read_approximations
from .batch_record import Tally, job_record
from .journal import JournalReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..plan.plan import Plan
    from ..plan.shards import Shard
    from ..study.scenario import Scenario
    from .journal import Journal

SHORTEST_INTERVAL_SECS = 1.0
"""Least time between two replacements of the file."""

LARGEST_SHARE = 0.05
"""Largest share of the time that goes into replacing the file."""

MOST_APPROXIMATIONS = 100
"""Approximations of one grid that are listed."""

PACKAGES = ("snakemake", "pandapower", "numpy", "scipy", "pandas", "pyarrow")


@dataclass
class StatusBoard:
    """Knows the state of a batch, and keeps ``batch_manifest.json`` up to date.

    Attributes:
        plan: the batch.
    """

    plan: Plan
    _reader: JournalReader = field(init=False)
    _next_update: float = 0.0
    _commit: str | None = field(init=False)
    _approximated: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._reader = JournalReader(self.plan.journal("any").parent)
        # Not when it is asked for: a worker that is forked while git is started inherits the pipe
        # whose end is waited for.
        self._commit = _git_commit(self.plan.config.manifest.parent)

    def last_event(self, scenario_id: str) -> dict[str, Any]:
        """Return the last event of a scenario when journals were last read; empty if none."""
        if not self._reader:
            self._reader.update()
        return self._reader.last(scenario_id)

    def restore_record(self, scenario_id: str, result: Path, journal: Journal) -> None:
        """Write a result into the journal if that lost it, or if it came from elsewhere.

        Args:
            scenario_id: a scenario with a right result.
            result: the file that holds it.
            journal: that of its shard.

        Raises:
            ResultError: if the result can't be read.
        """
        if self.last_event(scenario_id).get("event") == "solved":
            return
        from ..results.reader import read_metadata

        metadata = read_metadata(result, scenario_id)
        known = ("attempt", "duration_secs", "iterations", "verified", "residual", "left")
        facts = {key: metadata.get(key) for key in known}
        journal.write("solved", scenario_id, status=metadata.get("status"), **facts)

    def begin(self) -> None:
        """Replace the file at the start of a run."""
        with _turn(self.plan.log("status").with_suffix(".lock"), wait=True):
            content = self.content()
            done = content["completed"] + content["failed"]
            content["run"] = {"started": content["updated"], "done_before": done}
            content["alike"] = self._alike
            content["manifest_sha256"] = self._manifest_sha256()
            replace_json(self.plan.status, content)

    def update(self, *, force: bool = False) -> dict[str, Any] | None:
        """Replace the file, if it is time to or ``force`` says so.

        Args:
            force: wait for other processes, and replace the file even if it is new.

        Returns:
            The new content, or None if it isn't time yet or another process is at it.
        """
        if not force and time.monotonic() < self._next_update:
            return None
        with _turn(self.plan.log("status").with_suffix(".lock"), wait=force) as ours:
            if not ours or (not force and self._is_new()):
                self._next_update = time.monotonic() + SHORTEST_INTERVAL_SECS
                return None
            began = time.monotonic()
            content = self.content()
            replace_json(self.plan.status, content)
            cost = time.monotonic() - began
            # Whoever comes next may be another process.
            self.plan.status_cost.write_text(f"{cost:.3f}", encoding="ascii")
        self._next_update = time.monotonic() + max(SHORTEST_INTERVAL_SECS, cost / LARGEST_SHARE)
        return content

    def _is_new(self) -> bool:
        try:
            age = time.time() - self.plan.status.stat().st_mtime
            cost = _number_in(self.plan.status_cost)
        except FileNotFoundError:
            return False
        return 0 <= age < max(SHORTEST_INTERVAL_SECS, cost / LARGEST_SHARE)

    def content(self) -> dict[str, Any]:
        """Return the state of the batch as it is now: the content of the file."""
        self._reader.update()
        now = _timestamp(time.time())
        tally = Tally(len(self.plan.batch.outlines))
        for shard in self.plan.shards:
            self._count(shard, tally)
        shown = tally.listed()
        return {
            "name": self.plan.config.name,
            "created": self._lasting.get("created", now),
            "updated": now,
            "run": self._lasting.get("run", {"started": now, "done_before": 0}),
            "verified": tally.verified(),
            "optimality": tally.optimality(),
            "left_to_pandapower": tally.left(),
            "alike": self._lasting.get("alike", True),
            "approximations": self._approximations(),
            **tally.counted(),
            "settings": self.plan.config.values(),
            "layout": "block" if self.plan.in_blocks else "scenario",
            "manifest": str(self.plan.batch.file),
            "manifest_sha256": self._lasting.get("manifest_sha256") or self._manifest_sha256(),
            "versions": _versions(),
            "git_commit": self._commit,
            "jobs_left_out": tally.total - len(shown),
            "jobs": shown,
        }

    def _count(self, shard: Shard, tally: Tally) -> None:
        """Add the members of a shard to a tally; many that went alike have one record."""
        shared = self.plan.in_blocks
        result = self.plan.result(shard.ids[0])

        def record(name: str, event: dict[str, Any]) -> dict[str, Any]:
            path = result if shared else self.plan.result(name)
            return job_record(name, shard.solver, event, path, shared=shared)

        members = zip(shard.numbers, shard.ids, strict=True)
        for together, group in groupby(members, key=lambda one: self._reader.told(one[1])):
            if not (together and shared):
                for number, name in group:
                    event = self._reader.last(name)
                    tally.add(number, record(name, event), event.get("verified"))
                continue
            numbers, names = zip(*group, strict=True)
            event = self._reader.last(names[0])
            first = record(names[0], event)
            tally.add(numbers[0], first, event.get("verified"), times=len(numbers))
            for number, name in zip(numbers[1:], names[1:], strict=True):
                if tally.lists(number, first):
                    tally.keep(number, record(name, self._reader.last(name)))

    @cached_property
    def _alike(self) -> bool:
        """Whether the time left follows from scenarios done: contingencies take most of it."""
        if not any(kind.contingent for kind in self.plan.batch.outlines.kinds):
            return True
        return len({scenario.contingencies for scenario in self.plan.batch.scenarios}) == 1

    @cached_property
    def _lasting(self) -> dict[str, Any]:
        """What the file keeps of the batch and the run whenever it is replaced."""
        try:
            content = json.loads(self.plan.status.read_text(encoding="utf-8"))
            return {key: content[key] for key in ("created", "run", "alike", "manifest_sha256")}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _manifest_sha256(self) -> str | None:
        """Return the hash of the manifest that the run goes by; None if there is none yet."""
        if self.plan.product is not None and self.plan.product.pending:
            return None
        try:
            return hashlib.sha256(self.plan.batch.file.read_bytes()).hexdigest()
        except FileNotFoundError:
            return None

    def _approximations(self) -> dict[str, list[str]]:
        """Return what is approximated of each grid that a job has read, by its name."""
        for scenario in self._one_of_each_grid:
            name = self.plan.grid_name(scenario)
            if name not in self._approximated:
                found = read_approximations(self.plan.approximations(scenario))
                if found:
                    self._approximated[name] = found[:MOST_APPROXIMATIONS]
        return self._approximated

    @cached_property
    def _one_of_each_grid(self) -> list[Scenario]:
        """A scenario on each grid of which anything may be approximated."""
        batch = self.plan.batch
        by_grid = {shard.scenarios[0].grid: shard.numbers[0] for shard in self.plan.shards}
        firsts = [batch.scenarios[number] for number in by_grid.values()]
        return [one for one in firsts if self.plan.grid(one).approximated]


def _number_in(path: Path) -> float:
    """Return the number in a file; 0 if there is none."""
    try:
        return float(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0.0


@contextmanager
def _turn(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock file, and yield whether it could be had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
            return
        yield True


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


@cache
def _versions() -> dict[str, str]:
    versions = {"gat-batch": __version__}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


@cache
def _git_commit(folder: Path) -> str | None:
    """Return the commit of the manifest's repository, if it lies in one."""
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
