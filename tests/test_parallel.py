"""Work shared among processes comes back whole, in order, and from other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from gat_batch.errors import EndedError, TableError
from gat_batch.parallel import apart, in_processes


def test_results_come_in_order_from_other_processes():
    held = [10, 20, 30, 40, 50]
    found = [*in_processes(lambda place: (held[place], os.getpid()), range(5), 2)]
    assert [value for value, _ in found] == held
    assert os.getpid() not in {process for _, process in found}


@pytest.mark.parametrize(("pieces", "workers"), [(range(3), 1), (range(1), 4), (range(0), 4)])
def test_no_process_is_started_for_what_one_does(pieces, workers):
    found = [*in_processes(lambda piece: (piece, os.getpid()), pieces, workers)]
    assert found == [(piece, os.getpid()) for piece in pieces]


def test_a_fault_crosses_whole():
    def fail(piece):
        if piece == 2:
            raise TableError("no such load", file="loads.csv", scenario="b", field="load", hint="1")
        return piece

    with pytest.raises(TableError) as error:
        [*in_processes(fail, range(4), 2)]
    assert str(error.value) == "loads.csv: scenario 'b': load: no such load (1)"


def test_what_is_done_apart_leaves_nothing_but_its_result():
    held = []

    def add():
        held.append("here")
        return len(held), os.getpid()

    count, process = apart(add)
    assert count == 1
    assert process != os.getpid()
    assert not held
    assert apart(lambda: [*in_processes(lambda piece: 2 * piece, range(4), 2)]) == [0, 2, 4, 6]


@pytest.mark.parametrize("call", [apart, lambda kill: [*in_processes(lambda _: kill(), "ab", 2)]])
def test_a_killed_process_is_told_in_a_sentence(call):
    with pytest.raises(EndedError, match="ended before its work was done"):
        call(lambda: os.kill(os.getpid(), signal.SIGKILL))


WAITING = """
import os, time
from gat_batch.parallel import apart

def wait():
    print(os.getpid(), flush=True)
    time.sleep(60)

apart(wait)
"""


@pytest.mark.parametrize("fatal", [signal.SIGKILL, signal.SIGINT])
def test_a_process_ends_with_the_one_that_started_it(fatal):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    forked = int(process.stdout.readline())
    if fatal == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, fatal)
    until = time.monotonic() + 20
    while Path(f"/proc/{forked}/cmdline").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{forked}/cmdline").exists()
    _, told = process.communicate(timeout=20)
    # Ctrl-C is told by the process that was started, not by the other one, too.
    assert told.count("Traceback") <= 1, told
