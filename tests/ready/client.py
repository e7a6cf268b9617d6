"""Has a command of Python run by server.py: the same files, folder, environment and exit code.

Started by the launcher that the server writes. What the server doesn't run is left to Python.
"""

import json
import os
import sys
from pathlib import Path
from socket import AF_UNIX, send_fds, socket

MODULES = ("snakemake", "gat_batch.api")
# Analyses may use numba, which the server keeps out as jobs that solve do.
SCRIPTS = (
    "solve",
    "summarise",
    "report",
    "finish",
    "make_scenarios",
    "export",
    "convert_grid",
    "compare_batches",
)


def is_known(command: list[str], scripts: Path) -> bool:
    match command:
        case ["-m", module, *_]:
            return module in MODULES
        case [script, *_]:
            path = Path(script).resolve()
            return path.parent == scripts and path.stem in SCRIPTS
    return False


def main() -> int:
    address, scripts, *command = sys.argv[1:]
    if not is_known(command, Path(scripts)):
        os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - what was asked for
    with socket(AF_UNIX) as link:
        link.connect(address)
        send_fds(link, [b"\0"], [0, 1, 2])
        asked = json.dumps((command, str(Path.cwd()), dict(os.environ)))
        link.sendall(asked.encode() + b"\n")
        with link.makefile() as answer:
            return int(answer.read())


if __name__ == "__main__":
    sys.exit(main())
