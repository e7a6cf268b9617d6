"""Make a manifest and its tables: python scripts/make_scenarios.py study.yaml OUT."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gat_batch.errors import GatBatchError
from gat_batch.scenarios.product import make


def main() -> int:
    """Parse the arguments and make the scenarios, or say what they would be."""
    parser = argparse.ArgumentParser(description=__doc__.split(":", maxsplit=1)[0])
    parser.add_argument("specification", metavar="SPEC", type=Path, help="a specification")
    parser.add_argument("folder", metavar="OUT", type=Path, help="where manifest and tables go")
    arguments = parser.parse_args()
    try:
        count = make(arguments.specification, arguments.folder)
        print(f"wrote {arguments.folder}/manifest.json: {count} scenarios")
    except GatBatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
