"""Python that has its imports behind it: runs each command in a fork of this process.

    server.py FOLDER    write FOLDER/python and FOLDER/snakemake, serve them until input ends

A batch starts five processes, and nine tenths of their time are imports. These launchers take the
place of Python for them. Nothing but imports is done before a fork: it knows of no file.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import shlex
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from socket import AF_UNIX, recv_fds, socket

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"

LATE = (
    "jinja2",
    "jsonschema_rs",
    "lightsim2grid.newtonpf",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "smart_open",
)
"""What modules import when they need it; by smart_open Snakemake reads its rules."""


def import_all() -> None:
    """Import what the commands import sooner or later."""
    sys.path[0] = str(SCRIPTS)
    import gat_batch
    from gat_batch.process import set_up_solving

    set_up_solving()
    for module in pkgutil.walk_packages(gat_batch.__path__, "gat_batch."):
        # Run as a command, so it must not be there yet.
        if module.name != "gat_batch.api":
            import_module(module.name)
    for late in LATE:
        import_module(late)
    import snakemake.cli

    snakemake.cli.get_argument_parser()


def serve(folder: Path) -> list[str]:
    """Fork for each command. Return, in the process that is to run it, the command."""
    address, launcher = folder / "socket", folder / "python"
    with socket(AF_UNIX) as door:
        door.bind(str(address))
        door.listen()
        words = [sys.executable, "-IS", Path(__file__).with_name("client.py"), address, SCRIPTS]
        for path, module in ((launcher, ""), (folder / "snakemake", "-m snakemake ")):
            path.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} {module}"$@"\n')
            path.chmod(0o755)
        os.write(1, b"ready\n")
        gc.freeze()
        while door in select.select([door, 0], [], [])[0]:
            link, _ = door.accept()
            if not os.fork():
                door.close()
                if command := start(link):
                    sys.executable = str(launcher)
                    return command
            link.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    os._exit(0)


def start(link: socket) -> list[str]:
    """Fork once more, for the command, and in this process wait and tell how it ended."""
    _, files, _, _ = recv_fds(link, 1, 3)
    with link.makefile() as asked:
        command, folder, environment = json.loads(asked.readline())
    ended, running = os.pipe()
    if not (process := os.fork()):
        link.close()
        os.close(ended)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        return command
    os.close(running)
    for file in files:
        os.close(file)
    if link in select.select([link, ended], [], [])[0]:
        # Who asked is gone.
        os.kill(process, signal.SIGTERM)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    link.sendall(str(code if code >= 0 else 128 - code).encode())
    os._exit(0)


def run(command: list[str]) -> int:
    """Run a command as Python does. Return its exit code if it ends by itself."""
    # Python looks there when it starts, and so come faults into the jobs of a test.
    if path := os.environ.get("PYTHONPATH"):
        sys.path[1:1] = path.split(os.pathsep)
        sys.modules.pop("sitecustomize", None)
        with suppress(ModuleNotFoundError):
            import_module("sitecustomize")
    try:
        sys.argv = command
        if command[0] == "-m":
            sys.path.insert(0, str(Path.cwd()))
            del command[0]
            runpy.run_module(command[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(command[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        return end.code or 0
    return 0


def end_here() -> None:
    """End before Python takes apart what the server has imported: that is most of a short job."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    code = 1
    # What is registered first is called last.
    atexit.register(end_here)
    import_all()
    code = run(serve(Path(sys.argv[1])))
