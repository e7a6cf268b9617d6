"""Solve a shard of a batch: python scripts/solve.py --shard ac_0001 --settings '{...}'."""

from __future__ import annotations

import argparse
import gc
import signal
import sys
import time
from pathlib import Path
from typing import TextIO

from gat_batch.errors import GatBatchError
from gat_batch.plan.plan import JOB_RETRIES
from gat_batch.process import set_up_solving
from gat_batch.run.job import ShardRun
from gat_batch.run.start import job_plan


def main() -> int:
    """Parse the arguments and solve the shard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shard", required=True, help="name of the shard")
    parser.add_argument("--settings", required=True, help="configuration values as JSON")
    parser.add_argument("--workers", type=int, default=1, help="scenarios solved at a time")
    parser.add_argument("--memory-mb", type=float, required=True, help="memory of the job, in MB")
    parser.add_argument("--attempt", type=int, default=1, help="how often the job has been started")
    parser.add_argument("--log", type=Path, required=True, help="the shard's log")
    arguments = parser.parse_args()
    set_up_solving()
    # A cancelled job ends like an interrupted one: its workers are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
        with arguments.log.open("a", encoding="utf-8") as log:
            return solve(arguments, log)
    except OSError as error:
        print(f"error: {arguments.log}: can't be written: {error.strerror}", file=sys.stderr)
        return 1


def solve(arguments: argparse.Namespace, log: TextIO) -> int:
    """Solve the shard, and tell the log and whoever watches."""

    def write(line: str) -> None:
        print(time.strftime("%Y-%m-%d %H:%M:%S"), line, file=log, flush=True)

    def show(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        plan = job_plan(arguments.settings)
        ShardRun(
            plan,
            plan.shard(arguments.shard),
            workers=arguments.workers,
            memory_mb=arguments.memory_mb,
            last=arguments.attempt > JOB_RETRIES,
            say=show,
            log=write,
        ).run()
    except (GatBatchError, MemoryError) as error:
        write(f"error: {error}")
        show(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        write("interrupted; what is finished stays")
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    code = main()
    # Python would look for garbage in all of pandapower once more, for most of a second.
    gc.freeze()
    sys.exit(code)
