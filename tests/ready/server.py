"""Python that has its imports behind it: runs each command in a fork of this process.

    server.py FOLDER    write FOLDER/python and FOLDER/snakemake, serve them until the last one has
                        closed FOLDER/users, then remove FOLDER

A batch starts five processes, and nine tenths of their time are imports. These launchers take the
place of Python for them. Before a fork nothing is done but imports and reading grids that ship with
pandapower: it knows of no file of a batch.
"""

from __future__ import annotations

import atexit
import gc
import os
import pkgutil
import runpy
import select
import shlex
import shutil
import signal
import sys
from ast import literal_eval
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from socket import AF_UNIX, recv_fds, socket

from drawing import draw_elsewhere

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

GRIDS = ("case9", "case14", "case30", "case118")


def import_all() -> None:
    """Import what the commands import sooner or later, and read grids that most of them read."""
    sys.path.insert(0, str(SCRIPTS))
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

    # What most batches of tests are about, each job would read again.
    from pandapower import networks
    from shortcuts import read_once

    read_once()
    for grid in GRIDS:
        getattr(networks, grid)()
    # Commands find their own modules alone.
    sys.path.remove(str(Path(__file__).parent))


def serve(folder: Path, users: int) -> list[str]:
    """Fork for each command. Return, in the process that is to run it, the command."""
    address, launcher = folder / "socket", folder / "python"
    words = [sys.executable, "-IS", Path(__file__).with_name("client.py"), address, SCRIPTS]
    for path, module in ((launcher, ""), (folder / "snakemake", "-m snakemake ")):
        path.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} {module}"$@"\n')
        path.chmod(0o755)
    # Who waits for the end of each process.
    links: dict[int, socket] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    with socket(AF_UNIX) as door:
        door.bind(str(address))
        door.listen()
        os.write(1, b"ready\n")
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)
        while users not in (
            ready := select.select([users, woken, door, *links.values()], [], [])[0]
        ):
            for process in [process for process, link in links.items() if link in ready]:
                # Who asked is gone.
                os.kill(process, signal.SIGTERM)
                links.pop(process).close()
            if woken in ready:
                os.read(woken, 4096)
                tell_ends(links)
            if door in ready:
                link, _ = door.accept()
                _, files, _, _ = recv_fds(link, 1, 3)
                with link.makefile() as asked:
                    command, place, environment = literal_eval(asked.readline())
                if process := os.fork():
                    links[process] = link
                    for file in files:
                        os.close(file)
                    continue
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for inherited in (link, *links.values()):
                    inherited.close()
                for number in (woken, wake, users):
                    os.close(number)
                os.chdir(place)
                os.environ.clear()
                os.environ.update(environment)
                for number, file in enumerate(files):
                    os.dup2(file, number)
                    os.close(file)
                sys.executable = str(launcher)
                return command
    shutil.rmtree(folder)
    os._exit(0)


def tell_ends(links: dict[int, socket]) -> None:
    """Tell those who wait how the processes ended that have."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            process, status = ended
            if link := links.pop(process, None):
                code = os.waitstatus_to_exitcode(status)
                with link, suppress(OSError):
                    link.sendall(str(code if code >= 0 else 128 - code).encode())


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
    place = Path(sys.argv[1])
    users = os.open(place / "users", os.O_RDONLY)
    draw_elsewhere(place / "drawing", users)
    import_all()
    code = run(serve(place, users))
