"""What an upgrade of pebble breaks, in a sentence."""

from __future__ import annotations

import inspect

from pebble import CONSTS, ProcessPool
from pebble.pool import base_pool

from gat_batch.run import supervision
from gat_batch.upstream.pebble import END_SECS


def test_the_end_of_a_pool_waits_as_long_as_the_constant_says():
    assert supervision
    told = "pebble waits by another constant: the end of each pool takes 0.1 s again"
    assert CONSTS.sleep_unit == END_SECS, told
    assert "CONSTS.sleep_unit" in inspect.getsource(base_pool), told
    assert ProcessPool
