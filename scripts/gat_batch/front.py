"""Where a run starts: configuration and manifest in, a checked plan out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import Config, read_config
from .footer import read_fingerprint
from .manifest import read_manifest
from .plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .manifest import Scenario

SCHEMAS = Path(__file__).parents[2] / "workflow" / "schemas"

MOST_NAMED = 5
"""Scenarios that the announcement lists by name."""


def open_batch(values: Mapping[str, Any], *, main: bool, dry_run: bool) -> Plan:
    """Read configuration and manifest and plan the batch.

    Args:
        values: configuration values.
        main: whether this is the process that a user started. Only there all of the input is
            checked, damaged results are taken away, and what is to be done is announced; jobs,
            which parse the same workflow again, do without.
        dry_run: whether nothing may be changed on disk.

    Returns:
        The plan.

    Raises:
        GatBatchError: if anything in the input is at fault.
    """
    config = read_settings(values)
    batch = read_manifest(config.manifest, _schema("manifest") if main else None)
    plan = Plan(batch, config)
    if main:
        # Imported here as it reads grids and tables, which jobs have no need of at this point.
        from .check import check_files, check_studies

        check_files(plan)
        unsolved = [scenario for scenario in batch.scenarios if not plan.is_solved(scenario)]
        check_studies(plan, unsolved)
        if not dry_run:
            _discard_damaged(plan, unsolved)
        _announce(plan, unsolved)
    return plan


def read_settings(values: Mapping[str, Any]) -> Config:
    """Check configuration values and fill in the defaults.

    Raises:
        InputErrors: if any value has a fault.
    """
    return read_config(values, _schema("config"))


def job_plan(settings: str) -> Plan:
    """The plan as a job sees it.

    Args:
        settings: configuration values as JSON text, as the workflow hands them to its jobs.

    Returns:
        The plan.

    Raises:
        GatBatchError: if the input is at fault, as it may be if it was edited during the run.
    """
    config = read_settings(json.loads(settings))
    return Plan(read_manifest(config.manifest), config)


def _schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))


def _discard_damaged(plan: Plan, unsolved: Sequence[Scenario]) -> None:
    """Remove what is not a whole result, so that Snakemake counts it as missing."""
    for scenario in unsolved:
        result = plan.result(scenario.id)
        if result.is_file() and read_fingerprint(result) is None:
            result.unlink()


def _announce(plan: Plan, unsolved: Sequence[Scenario]) -> None:
    total = len(plan.batch.scenarios)
    names = [scenario.id for scenario in unsolved]
    if not names:
        todo = "nothing to solve"
    else:
        shown = ", ".join(names[:MOST_NAMED])
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        todo = f"{len(names)} to solve ({shown}{more})"
    done = total - len(names)
    text = f"gat-batch: {plan.config.name}: {total} scenarios, {done} solved already, {todo}"
    print(text, file=sys.stderr, flush=True)
