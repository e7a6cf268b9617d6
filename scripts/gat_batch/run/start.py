"""Where a run starts: configuration and manifest in, a checked plan out."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, GatBatchError, InputErrors, ResultError
from ..files.documents import read_document
from ..files.run_lock import hold
from ..files.words import numbered
from ..files.workflow_files import read_schema
from ..plan.kept_batch import keep_batch, kept_batch, kept_fingerprints, kept_outlines
from ..plan.plan import Plan
from ..scenarios.product import is_specification, plan_product, read_product, without_version
from ..study.configuration import Config, read_config
from ..study.manifest import batch_of, read_manifest, without_faulty
from .earlier import set_aside, solved_elsewhere
from .journal import Journal
from .status import StatusBoard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..scenarios.product import Product
    from ..study.batch.scenarios import Batch
    from ..study.scenario import Scenario

MOST_NAMED = 5
"""Most scenarios that the announcement names."""


def plan_batch(values: Mapping[str, Any]) -> Plan:
    """Check configuration and manifest, but not the files that they name, and plan the batch.

    Args:
        values: configuration values.

    Returns:
        The plan.

    Raises:
        GatBatchError: if anything in either is at fault; faults of the files that scenarios without
            a fault name are then included.
    """
    config = read_settings(values)
    document = read_document(config.manifest)
    if not is_specification(document):
        try:
            return _planned(batch_of(document, config.manifest, read_schema("manifest")), config)
        except InputErrors as found:
            more = _faults_of_others(document, found.faults, config)
            faults = without_version(found.faults, config.manifest)
            raise InputErrors([*faults, *more]) from None
    manifest, product = plan_product(document, config.manifest, _product_folder(config))
    outlines = kept_outlines(manifest, config)
    batch = batch_of(manifest, product.manifest, outlines=outlines)
    return _planned(batch, config, product)


def _planned(batch: Batch, config: Config, product: Product | None = None) -> Plan:
    """Plan a batch with what is known of it from an earlier run."""
    try:
        known = kept_fingerprints(batch, config)
    except GatBatchError:  # of a grid, which the check of the input tells
        known = {}
    return Plan(batch, config, product, known)


def _faults_of_others(
    document: Any, faults: Sequence[GatBatchError], config: Config
) -> Sequence[GatBatchError]:
    """Return faults of the files that faultless scenarios name, so that all are told at once."""
    from ..plan.input_check import check_input

    rest = without_faulty(document, faults)
    if rest is None:
        return []
    try:
        check_input(Plan(batch_of(rest, config.manifest), config))
    except InputErrors as found:
        return found.faults
    return []


def open_batch(values: Mapping[str, Any], *, main: bool, dry_run: bool = False) -> Plan:
    """Read configuration and manifest, and plan the batch; change nothing on disk.

    Args:
        values: configuration values.
        main: whether this is the process that a user started. Only there is all of the input
            checked, and what is to be done announced. Jobs, which parse the same workflow again,
            do without, and take the manifest as it was when their run began.
        dry_run: whether the announcement is for a dry run.

    Returns:
        The plan.

    Raises:
        GatBatchError: if anything in the input is at fault.
    """
    if not main:
        return _plan_again(read_settings(values))
    plan = plan_batch(values)
    # Imported here as it reads grids and tables, which jobs have no need of at this point.
    from ..plan.input_check import check_input

    unsolved = check_input(plan)
    elsewhere = {name for names in solved_elsewhere(plan, unsolved).values() for name in names}
    # By their ids alone: to make a million scenarios takes ten seconds.
    ids = map(plan.batch.outlines.ids.__getitem__, unsolved.numbers)
    _announce(plan, [name for name in ids if name not in elsewhere])
    if dry_run:
        _announce_outdated(plan, unsolved)
    return plan


def _plan_again(config: Config) -> Plan:
    """Plan the batch of a run that has begun, whose input has passed all checks."""
    kept, folder = config.scenarios_as_begun, _product_folder(config)
    if kept.is_file() and (found := kept_batch(kept)):
        return Plan(found[0], config, found[1])
    document = read_document(config.manifest)
    if not is_specification(document):
        return Plan(batch_of(document, config.manifest), config)
    product = read_product(config.manifest, folder)
    return Plan(read_manifest(product.manifest), config, product)


def _product_folder(config: Config) -> Path:
    """Return the folder of the manifest and the tables made of a specification."""
    return config.output_dir / config.name / "scenarios"


def read_settings(values: Mapping[str, Any]) -> Config:
    """Check configuration values and fill in the defaults.

    Raises:
        GatBatchError: if any value is at fault.
    """
    return read_config(values, read_schema("config"))


def job_plan(settings: str) -> Plan:
    """Plan the batch as a job sees it.

    Args:
        settings: configuration values as JSON text, as the workflow hands them to its jobs.

    Returns:
        The plan.

    Raises:
        GatBatchError: if the input is at fault, as it may be if it was edited during the run.
    """
    return open_batch(json.loads(settings), main=False)


def check_executor(name: str) -> None:
    """Check that jobs can be handed to what is to run them.

    Without its commands, Snakemake's executor for SLURM waits for ever.

    Args:
        name: Snakemake's name of the executor.

    Raises:
        ConfigError: if commands are missing.
    """
    if name == "slurm" and shutil.which("sbatch") is None:
        raise ConfigError(
            "no sbatch on PATH, so no job can be handed to SLURM",
            file="--executor slurm",
            hint="start it on a node that has SLURM's commands, or run here without the profile: "
            "snakemake --cores N",
        )


def begin(plan: Plan) -> None:
    """Claim the batch for this process, and prepare its folder for a run.

    Keep the scenarios, remove results that aren't right, and bring journals and status up to date.

    Args:
        plan: the batch.

    Raises:
        ResultError: if another run is at work on it, or its folder can't be written to.
    """
    hold(plan.lock)
    # What jobs that outlived an earlier run do from now on counts as newer.
    looked = time.time()
    unsolved = plan.unsolved()
    try:
        keep_batch(plan)
        set_aside(plan, unsolved)
        if not plan.in_blocks:
            _discard_outdated(plan, unsolved)
        ids = plan.batch.outlines.ids
        names = {ids[number] for number in unsolved.numbers}
        board = StatusBoard(plan)
        for shard in plan.shards:
            plan.journal(shard.name).parent.mkdir(parents=True, exist_ok=True)
            journal = Journal(plan.journal(shard.name))
            waiting = [name for name in shard.ids if name in names]
            if waiting:
                journal.write_all("pending", waiting, at=looked)
            for name in shard.ids if len(waiting) < len(shard.ids) else ():
                if name not in names and plan.result(name).exists():
                    plan.error(name).unlink(missing_ok=True)
                    board.restore_record(name, plan.result(name), journal)
        board.begin()
    except OSError as error:
        reason = f"can't be written: {error.strerror}"
        raise ResultError(reason, file=error.filename or plan.folder) from None


def _discard_outdated(plan: Plan, unsolved: Sequence[Scenario]) -> None:
    """Remove results that aren't right, so that Snakemake counts them as missing.

    Its own record of changed parameters may be lost, or it may be told not to use it.
    """
    for scenario in unsolved:
        result = plan.result(scenario.id)
        if result.is_file() and not plan.is_solved(scenario):
            result.unlink()


def _announce(plan: Plan, names: Sequence[str]) -> None:
    total = len(plan.batch.scenarios)
    if not names:
        todo = "nothing to solve"
    else:
        shown = ", ".join(names[:MOST_NAMED])
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        todo = f"{len(names)} to solve ({shown}{more})"
    done = total - len(names)
    _say(f"{plan.config.name}: {numbered(total, 'scenario')}, {done} solved already, {todo}")


def _announce_outdated(plan: Plan, unsolved: Sequence[Scenario]) -> None:
    """Announce results that a run would replace; a dry run removes none, so Snakemake can't."""
    in_files = [path for path in plan.results() if path.is_file()]
    known = set(in_files)
    count = sum(plan.result(scenario.id) in known for scenario in unsolved)
    if count:
        _say(f"{count} of these have a result that is damaged or outdated, which a run replaces")


def _say(text: str) -> None:
    print(f"gat-batch: {text}", file=sys.stderr, flush=True)
