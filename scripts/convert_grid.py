"""Convert a grid: python scripts/convert_grid.py pandapower:case118 base.arrow.

Reads pandapower:NAME, pandapower .json, MATPOWER .m and .mat, GAT .arrow; writes the last four.
With the extra "formats" it also reads PSS/E .raw and .rawx, UCTE .uct, IEEE CDF .cdf and .txt,
PowerFactory .dgs, CGMES (.zip or a folder), .xiidm, PyPSA (.nc or a folder), pandapower .xlsx and
simbench:CODE.
Says what is only approximated, and what the target can't hold.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gat_batch.errors import GatBatchError, GridError
from gat_batch.grids import grid_ref, read_grid, write_grid
from gat_batch.grids.approximations import APPROXIMATIONS
from gat_batch.process import set_up_solving


def main() -> int:
    """Parse the arguments and convert."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("source", metavar="IN", help="a grid reference, as in a manifest")
    parser.add_argument("target", metavar="OUT", type=Path, help="the file or .arrow folder")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    arguments = parser.parse_args()
    set_up_solving()
    try:
        if arguments.target.exists() and not arguments.force:
            raise GridError("exists", file=arguments.target, hint="--force replaces it")
        net = read_grid(grid_ref(arguments.source, Path()))
        dropped = write_grid(net, arguments.target)
    except GatBatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    counts = ", ".join(
        f"{len(net[element])} {element}"
        for element in ("bus", "line", "trafo", "trafo3w", "gen", "ext_grid", "load", "shunt")
        if len(net[element])
    )
    print(f"wrote {arguments.target}: {counts}")
    for sentence in net.get(APPROXIMATIONS, []):
        print(f"approximated: {sentence}")
    for sentence in dropped:
        print(f"not kept as it was: {sentence}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
