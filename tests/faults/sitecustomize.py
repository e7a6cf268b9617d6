"""Real faults in workers, on demand: put on PYTHONPATH, it acts on tables of certain names.

When a worker opens loads_FAULT.csv, the fault strikes, loads_FAULT-once.csv the first time only,
loads_FAULT-twice.csv the first two times: in C code, by signals and by real allocations, the way it
does in the field. The environment variable BROKEN names steps, with commas between them, in which
jobs have a bug: mostly for line 3 or snapshot b alone.
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

TABLE = re.compile(r".*/loads_(segfault|gil|memory|hog|kill|slow|held|io)(-once|-twice)?[^/]*\.csv")


def strike(fault, folder):
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
    elif fault == "held":
        while not os.path.exists(os.path.join(folder, "go")):  # noqa: PTH110, PTH118 - as below
            time.sleep(0.05)
    elif fault == "io":
        raise OSError(5, "Input/output error", "a table")
    else:
        time.sleep(0.25)


def leave_mark(path):
    """Make a file, and return whether it wasn't there."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def at_work():
    """Whether this is a worker of a job."""
    forked = multiprocessing.parent_process() is not None
    return forked and os.path.basename(sys.argv[0]) == "solve.py"  # noqa: PTH119 - as below


def hook(event, arguments):
    # Tables are checked in a process of its own, too: faults strike where they are solved.
    if event != "open" or not at_work():
        return
    path = os.path.join(os.getcwd(), str(arguments[0]))  # noqa: PTH118, PTH109 - light on purpose
    match = TABLE.fullmatch(path)
    if match is None:
        return
    times = {None: 0, "-once": 1, "-twice": 2}[match.group(2)]
    if times and not any(leave_mark(f"{path}.struck{n}") for n in range(times)):
        return
    strike(match.group(1), os.path.dirname(path))  # noqa: PTH120 - as above


sys.addaudithook(hook)


def is_in_state_b(arguments):
    """Whether a solver is made for snapshot b; or a state solved that is it."""
    return arguments[2].snapshot == "b"


def has_state_b(arguments):
    """Whether snapshot b is among states that are solved together."""
    return any(state.snapshot == "b" for state in arguments[2])


def is_first_in_state_b(arguments):
    """The same, but no more than once in a process."""
    return is_in_state_b(arguments) and not struck and not struck.append(True)


def is_without_line_3(arguments):
    """Whether a state is solved in which line 3 is out of service."""
    return any(
        (change.element, change.column) == ("line", "in_service") and not change.values[3]
        for change in arguments[2].changes
    )


def is_reduced_with_line_3(arguments):
    return any(3 in one.failing.get("line", ()) for one in arguments[1])


struck = []

STEPS = {
    "state": [
        ("solvers.study:Study.solve", is_in_state_b),
        ("solvers.study:Study.solve_block", has_state_b),
    ],
    "state's rows": [
        ("results.kept:rows_of_block", lambda arguments: "b" in arguments[2]),
        (
            "results.kept:rows_of",
            lambda arguments: arguments[1][1:] == ("b", None) and arguments[2].status == "ok",
        ),
    ],
    "ramps": [
        (
            "run.solving.base_cases:solve_together",
            lambda arguments: any(state.snapshot == "b" for state in arguments[1]),
        )
    ],
    "contingency": [
        (
            "contingency.blocks:effect_of",
            lambda arguments: ("line", 3) in tuple(arguments[0]),
        )
    ],
    "contingency alone": [("solvers.study:Study.solve", is_without_line_3)],
    "reduction": [
        ("contingency.blocks:DcReduction.of", is_reduced_with_line_3),
        ("contingency.blocks:AcReduction.of", is_reduced_with_line_3),
    ],
    "rows": [
        (
            "results.contingency_rows:ContingencyRows.rows",
            lambda arguments: "line:3" in arguments[0].names,
        ),
    ],
    "blocks": [("contingency.blocks:Blocks.of", lambda _: True)],
    "blocks of DC": [
        ("contingency.blocks:Blocks.of", lambda arguments: arguments[2].solver == "dc")
    ],
    "base of DC": [("solvers.study:Study.solve", lambda arguments: arguments[0].solver == "dc")],
    "screening": [
        (
            "contingency.screening:ScreenedSolver.solve",
            lambda arguments: any(one.name == "line:3" for one in arguments[1]),
        )
    ],
    "preparing": [("contingency.solver:ContingencySolver.__init__", is_in_state_b)],
    "preparing once": [("contingency.solver:ContingencySolver.__init__", is_first_in_state_b)],
    "preparing to screen": [("contingency.screening:ScreenedSolver.__init__", is_in_state_b)],
    "preparing to screen once": [
        ("contingency.screening:ScreenedSolver.__init__", is_first_in_state_b)
    ],
    "grid": [("run.worker:prepare_model", lambda arguments: len(arguments[0].bus) == 14)],
}
"""Steps, functions that have a bug in them, and whether a call of one is hit."""


def break_down():
    """Have the bugs, in a process that has all its imports behind it."""
    struck.clear()
    if "gat_batch.run.worker" not in sys.modules:
        return
    for step in os.environ["BROKEN"].split(","):
        for function, is_hit in STEPS[step]:
            module, _, path = function.partition(":")
            owner = sys.modules[f"gat_batch.{module}"]
            *outer, name = path.split(".")
            for one in outer:
                owner = getattr(owner, one)
            put_bug_into(owner, name, is_hit)


def put_bug_into(owner, name, is_hit):
    sound = getattr(owner, name)
    if getattr(sound, "hits", None) is is_hit:
        return

    def broken(*arguments, **keywords):
        if is_hit(arguments):
            raise KeyError("broken on purpose")
        return sound(*arguments, **keywords)

    broken.hits = is_hit
    setattr(owner, name, broken)


def break_down_on_import(event, _):
    """A grid is prepared before any worker is forked, and after imports if any are left."""
    if event == "import" and hasattr(sys.modules.get("gat_batch.run.worker"), "solve_member"):
        break_down()


if "BROKEN" in os.environ:
    os.register_at_fork(after_in_child=break_down)
    if os.environ["BROKEN"] == "grid":
        sys.addaudithook(break_down_on_import)
        break_down()
