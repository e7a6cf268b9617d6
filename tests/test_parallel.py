"""Work shared among processes comes back whole, in order, and from other processes."""

from __future__ import annotations

import os

import pytest

from gat_batch.errors import TableError
from gat_batch.parallel import in_processes


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
