"""Make a manifest and its tables: python scripts/make_scenarios.py study.yaml OUT.

With --validate, --list or --expand nothing is written: they say whether a specification can be
followed, which scenarios it stands for, and what these will cost.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from gat_batch.errors import GatBatchError
from gat_batch.files.words import numbered
from gat_batch.scenarios.forecast import Forecast, forecast
from gat_batch.scenarios.product import make


def main() -> int:
    """Parse the arguments and make the scenarios, or say what they would be."""
    parser = argparse.ArgumentParser(description=__doc__.split(":", maxsplit=1)[0])
    parser.add_argument("specification", metavar="SPEC", type=Path, help="a specification")
    parser.add_argument("folder", metavar="OUT", type=Path, nargs="?", help="where the files go")
    look = parser.add_mutually_exclusive_group()
    look.add_argument("--validate", action="store_true", help="check it; write nothing")
    look.add_argument("--list", action="store_true", help="list the scenarios; write nothing")
    look.add_argument("--expand", action="store_true", help="count and estimate; write nothing")
    arguments = parser.parse_args()
    looking = arguments.validate or arguments.list or arguments.expand
    if looking == (arguments.folder is not None):
        parser.error("either OUT or one of --validate, --list and --expand is needed")
    try:
        if looking:
            seen = forecast(arguments.specification)
            show(seen, whole=arguments.list, costs=arguments.expand)
        else:
            count = make(arguments.specification, arguments.folder)
            print(f"wrote {arguments.folder / 'manifest.json'}: {numbered(count, 'scenario')}")
    except BrokenPipeError:
        # `--list | head` has seen enough; nothing is left to be said at the end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except GatBatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def show(seen: Forecast, *, whole: bool, costs: bool) -> None:
    """Print what a specification would be made into, and warnings on stderr."""
    if whole:
        for scenario in seen.scenarios:
            print(scenario.id)
    elif costs:
        for family, count in seen.families.items():
            print(f"{family}: {numbered(count, 'scenario')}")
        total = numbered(len(seen.scenarios), "scenario")
        print(f"{total}, {numbered(seen.states, 'state')} to solve")
        print(f"{numbered(seen.table_rows, 'row')} of load and generator tables")
        for limit in seen.limits:
            print(f"loads of {limit.grid} up to {limit.factor} times as much ({limit.study})")
        print(f"about {seen.seconds:.2g} s on one core, {seen.size / 1e6:.2g} MB of results")
    else:
        print(f"valid: {numbered(len(seen.scenarios), 'scenario')}")
    for warning in seen.warnings:
        print(f"warning: {warning}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
