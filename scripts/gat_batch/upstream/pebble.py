"""Inner names of pebble 5: how long the end of a pool of workers waits."""

from __future__ import annotations

from pebble import CONSTS

END_SECS = 0.005
"""pebble's own 0.1 s are many power flows."""


def end_pools_quickly() -> None:
    """Have the end of a pool take pebble :data:`END_SECS`."""
    CONSTS.sleep_unit = END_SECS
