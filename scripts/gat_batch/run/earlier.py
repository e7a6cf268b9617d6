"""What earlier runs have solved, taken over where shards or the layout of results have changed.

Before jobs start, files that hold right results of scenarios to be solved are moved out of the way,
and each shard is told in which of them its members are. So a shared result that isn't whole, or
that has members of several of today's shards, costs no scenario its result.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.durable import replace_json
from ..files.parquet.footer import read_fingerprint, read_fingerprints, read_members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..plan.plan import Plan
    from ..plan.shards import Shard
    from ..study.batch.scenarios import Members


SHARD_NAME = re.compile(r"job_(dc|ac|dc_opf|ac_opf)_\d{4,}")
"""Folder of a shard's shared result."""


def solved_elsewhere(plan: Plan, unsolved: Members) -> dict[Path, list[str]]:
    """Return files that may hold results of unsolved scenarios, with those that are right in each.

    Args:
        plan: the batch.
        unsolved: the scenarios that have no right result where the plan expects it.
    """
    wanted = _wanted(plan, unsolved)
    return {
        path: [
            name
            for name, fingerprint in _fingerprints(path).items()
            if name in wanted
            and fingerprint == plan.fingerprint(plan.batch.scenarios[wanted[name]])
        ]
        for path in _candidates(plan, wanted)
    }


def set_aside(plan: Plan, unsolved: Members) -> None:
    """Move files with right results of unsolved scenarios aside, and tell the shards of them.

    What is superseded is removed: shared results, parts of them and, where results are shared,
    scenarios' own ones, in which nothing is right; so that Snakemake counts them as missing, and
    no reader finds a scenario twice.

    Args:
        plan: the batch.
        unsolved: as for :func:`solved_elsewhere`.

    Raises:
        OSError: if files can't be moved.
    """
    for index in plan.earlier.glob("*.json"):
        index.unlink()
    own = set(plan.results()) if plan.in_blocks else set()
    known = set(plan.batch.outlines.ids)
    found: dict[str, Path] = {}
    for path, right in solved_elsewhere(plan, unsolved).items():
        part = path.parent.name == "parts"
        if right and part and _stays(plan, path, right):
            continue
        if right and path.parent != plan.earlier:
            plan.earlier.mkdir(parents=True, exist_ok=True)
            aside = plan.earlier / f"{time.time_ns()}.{_name(path)}.parquet"
            found |= dict.fromkeys(right, path.rename(aside))
        elif right:
            found |= dict.fromkeys(right, path)
        elif (
            part or path in own or path.parent == plan.earlier or not known.isdisjoint(_names(path))
        ):
            path.unlink(missing_ok=True)
        if path.parent != plan.earlier:
            _remove_if_empty(path.parent.parent if part else path.parent)
    _tell(plan, found)


def taken_over(plan: Plan, shard: Shard) -> dict[str, Path]:
    """Return in which files members of a shard have right results, before its own is put together.

    Args:
        plan: the batch.
        shard: the shard.

    Returns:
        Scenario -> file of several scenarios, or an earlier one of its own.
    """
    known = {member.id: member for member in shard.scenarios}
    # Its own result, too, if a job that outlived its run has just written it.
    own = {plan.result(member.id) for member in shard.scenarios} if plan.in_blocks else ()
    files = dict.fromkeys((*own, *plan.parts(shard.name).glob("*.parquet")))
    with suppress(OSError, ValueError):
        told = json.loads(_index(plan, shard.name).read_text(encoding="utf-8"))
        files |= dict.fromkeys(plan.earlier / name for name in told)
    return {
        name: path
        for path in files
        for name, fingerprint in _fingerprints(path).items()
        if name in known and fingerprint == plan.fingerprint(known[name])
    }


def _wanted(plan: Plan, unsolved: Members) -> dict[str, int]:
    """Return the scenarios of files that jobs will write, those with right results among them.

    Returns:
        Scenario -> its number in the manifest.
    """
    ids, numbers = plan.batch.outlines.ids, set(unsolved.numbers)
    if plan.in_blocks:
        shards = (one for one in plan.shards if not numbers.isdisjoint(one.numbers))
        numbers = {number for shard in shards for number in shard.numbers}
    return {ids[number]: number for number in numbers}


def _stays(plan: Plan, path: Path, scenarios: Sequence[str]) -> bool:
    """Return whether a part is where the shard of all these scenarios will look for it.

    A job that outlived its run may be about to use it.
    """
    return all(plan.parts(plan.holder(name)) == path.parent for name in scenarios)


def forget(plan: Plan) -> None:
    """Remove what was set aside, once all scenarios have their results."""
    shutil.rmtree(plan.earlier, ignore_errors=True)


def _index(plan: Plan, shard: str) -> Path:
    return plan.earlier / f"{shard}.json"


def _tell(plan: Plan, found: dict[str, Path]) -> None:
    for shard in plan.shards:
        names = {found[one.id].name for one in shard.scenarios if one.id in found}
        if names:
            replace_json(_index(plan, shard.name), sorted(names))


def _candidates(plan: Plan, wanted: Mapping[str, int]) -> Iterator[Path]:
    """Yield files that may hold results of scenarios to be solved."""
    if not wanted or not plan.folder.is_dir():
        return
    yield from sorted(plan.earlier.glob("*.parquet"))
    complete = [shard for shard in plan.shards if not plan.in_blocks or shard.ids[0] not in wanted]
    whole = {result.parent.name for shard in complete for result in plan.results(shard)}
    with os.scandir(plan.folder) as entries:
        folders = sorted(entry.path for entry in entries if entry.name.startswith("job_"))
    for folder in map(Path, folders):
        # A scenario may have the name of what was a shard.
        if folder.name not in whole or (
            not plan.in_blocks
            and SHARD_NAME.fullmatch(folder.name)
            and read_members(folder / "result.parquet")
        ):
            yield from (folder / "result.parquet", *sorted(folder.glob("parts/*.parquet")))


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder that has no result any more, and what was said of failures there."""
    if not (folder / "result.parquet").exists():
        (folder / "error.json").unlink(missing_ok=True)
    for path in (folder / "parts", folder):
        with suppress(OSError):
            path.rmdir()


def _fingerprints(path: Path) -> dict[str, str]:
    """Return scenario -> fingerprint of what a file holds."""
    own = read_fingerprint(path)
    return {**read_fingerprints(path)} if own is None else {_name(path): own}


def _names(path: Path) -> Iterable[str]:
    """Return the scenarios of a file."""
    return read_members(path) or (_name(path),)


def _name(path: Path) -> str:
    """Return whose result a file is, or was before it was set aside."""
    if path.name == "result.parquet":
        return path.parent.name.removeprefix("job_")
    return path.stem.partition(".")[2]
