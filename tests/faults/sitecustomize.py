"""Real faults in workers, on demand: put on PYTHONPATH, it acts on tables of certain names.

When a worker opens loads_FAULT.csv or loads_FAULT-once.csv, the fault strikes: in C code, by
signals and by real allocations, the way it does in the field. The environment variable BROKEN names
a step in which workers have a bug, for line 3 or snapshot b alone.
"""

import ctypes
import faulthandler
import mmap
import multiprocessing
import os
import re
import signal
import sys
import time

TABLE = re.compile(r".*/loads_(segfault|gil|memory|hog|kill|slow|io)(-once)?[^/]*\.csv")


def strike(fault):
    faulthandler.disable()
    if fault == "segfault":
        ctypes.string_at(0)
    elif fault == "gil":
        # PyDLL keeps the GIL for the whole call.
        ctypes.PyDLL(None).sleep(600)
    elif fault == "memory":
        hoard = []
        while True:
            hoard.append(bytearray(b"x") * 50_000_000)
    elif fault == "hog":
        # Shared memory, which no limit of a process counts; a cluster does.
        hoard = mmap.mmap(-1, 3_000_000_000)
        for start in range(0, len(hoard), mmap.PAGESIZE):
            hoard[start] = 1
        time.sleep(20)
    elif fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "io":
        raise OSError(5, "Input/output error", "a table")
    else:
        time.sleep(0.25)


def hook(event, arguments):
    if event != "open" or multiprocessing.parent_process() is None:
        return
    path = os.path.join(os.getcwd(), str(arguments[0]))  # noqa: PTH118, PTH109 - light on purpose
    match = TABLE.fullmatch(path)
    if match is None:
        return
    if match.group(2):
        try:
            os.close(os.open(f"{path}.struck", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
    strike(match.group(1))


sys.addaudithook(hook)


def is_broken(step, arguments):
    """Whether a call of a step is the one that has the bug."""
    if step == "state":
        return arguments[2].snapshot == "b"
    if step == "contingency":
        return ("line", 3) in tuple(arguments[0])
    if step == "reduction":
        return any(3 in one.failing.get("line", ()) for one in arguments[1])
    return "line:3" in arguments[0].names


def break_down():
    """Have the bug, in a process that was forked with all its imports."""
    step = os.environ["BROKEN"]
    blocks = sys.modules.get("gat_batch.contingency.blocks")
    if blocks is None:
        return
    owner, name = {
        "state": (sys.modules["gat_batch.solvers.study"].Study, "solve"),
        "contingency": (blocks, "effect_of"),
        "reduction": (blocks.DcReduction, "of"),
        "rows": (sys.modules["gat_batch.results.contingency_rows"].ContingencyRows, "rows"),
    }[step]
    sound = getattr(owner, name)
    if getattr(sound, "broken", False):
        return

    def broken(*arguments, **keywords):
        if is_broken(step, arguments):
            raise KeyError("broken on purpose")
        return sound(*arguments, **keywords)

    broken.broken = True
    setattr(owner, name, broken)


if "BROKEN" in os.environ:
    os.register_at_fork(after_in_child=break_down)
