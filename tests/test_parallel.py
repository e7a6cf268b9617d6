"""Work shared among processes comes back whole, in order, and from other processes."""

from __future__ import annotations

import os
import signal

import pytest

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
    assert apart(lambda: (held.append(1), len(held), os.getpid())[1:])[0] == 1
    assert not held
    assert apart(os.getpid) != os.getpid()
    assert apart(lambda: [*in_processes(lambda piece: 2 * piece, range(4), 2)]) == [0, 2, 4, 6]


@pytest.mark.parametrize("call", [apart, lambda kill: [*in_processes(lambda _: kill(), "ab", 2)]])
def test_a_killed_process_is_told_in_a_sentence(call):
    with pytest.raises(EndedError, match="ended before its work was done"):
        call(lambda: os.kill(os.getpid(), signal.SIGKILL))
