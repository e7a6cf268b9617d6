"""Has a command of Python run by server.py: the same files, folder, environment and exit code.

Started by the launcher that the server writes. What the server doesn't run is left to Python.
"""

import os
import sys

# The modules socket, json and pathlib take longer to import than the rest takes.
from _socket import AF_UNIX, SCM_RIGHTS, SOL_SOCKET, socket

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


def is_known(command: list[str], scripts: str) -> bool:
    match command:
        case ["-m", module, *_]:
            return module in MODULES
        case [script, *_]:
            folder, name = os.path.split(os.path.realpath(script))
            return folder == scripts and name.removesuffix(".py") in SCRIPTS
    return False


def main() -> int:
    address, scripts, *command = sys.argv[1:]
    if not is_known(command, scripts):
        os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - what was asked for
    link = socket(AF_UNIX)
    link.connect(address)
    files = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    link.sendmsg([b"\0"], [(SOL_SOCKET, SCM_RIGHTS, files)])
    asked = ascii((command, os.getcwd(), dict(os.environ)))  # noqa: PTH109 - pathlib is left out
    link.sendall(asked.encode() + b"\n")
    return int(link.recv(9))


if __name__ == "__main__":
    sys.exit(main())
