"""Show how far a batch is: python scripts/status.py runs/batch/NAME [--watch | --json]."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.live import Live

from gat_batch.errors import GatBatchError
from gat_batch.run.monitor import read_status, watch
from gat_batch.run.screen import screen


def main() -> int:
    """Parse the arguments and show the status."""
    parser = argparse.ArgumentParser(description=__doc__.split(":", maxsplit=1)[0])
    parser.add_argument("folder", metavar="DIR", type=Path, help="the batch's folder")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--watch", action="store_true", help="refresh until the run ends")
    how.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    try:
        if arguments.json:
            json.dump(read_status(arguments.folder), sys.stdout, indent=1)
            print()
        elif arguments.watch:
            with Live(console=console, auto_refresh=False) as live:
                for status in watch(arguments.folder):
                    live.update(screen(status), refresh=True)
        else:
            console.print(screen(read_status(arguments.folder)))
    except GatBatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass  # the way to stop watching
    return 0


if __name__ == "__main__":
    sys.exit(main())
