"""Inner names of Snakemake 9: what its workflow object knows of the run, and its timers.

Nothing is imported from Snakemake: its own workflow hands the object over.
"""

from __future__ import annotations

import threading
from typing import Any


def is_main_process(workflow: Any) -> bool:
    """Tell whether this is the process that the user started, and not one of its jobs."""
    return bool(workflow.is_main_process)


def is_dry_run(workflow: Any) -> bool:
    """Tell whether the user only asked what would be done."""
    return bool(workflow.output_settings.dryrun)


def will_run(workflow: Any) -> bool:
    """Tell whether jobs will be run: not for a dry run, nor for ``--summary`` or ``--lint``."""
    asked = is_main_process(workflow) and workflow.execution_settings is not None
    return asked and not is_dry_run(workflow)


def executor_name(workflow: Any) -> str:
    """Return the name of what runs the jobs, as ``local`` or ``slurm``; only a run knows it."""
    return str(workflow.executor_plugin.name)


def shared_cores(workflow: Any) -> int:
    """Return how many cores of this machine the jobs of a run share; 1 where they run on others."""
    here = is_main_process(workflow) and workflow.local_exec
    return int(workflow.resource_settings.cores or 1) if here else 1


def deploys_environments(workflow: Any) -> bool:
    """Tell whether Snakemake makes the environments of jobs itself."""
    return bool(workflow.deployment_settings.deployment_method)


def limit_resource(workflow: Any, name: str, most: int) -> None:
    """Limit a resource of all jobs at work at the same time, whatever the command line says."""
    workflow.register_resource(name, most)


def end_timers() -> None:
    """Cancel the timers that Snakemake's scheduler leaves; its end would wait a second for them."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.function.__module__.startswith(
            "snakemake."
        ):
            thread.cancel()
