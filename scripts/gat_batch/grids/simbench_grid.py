"""Grids of SimBench, a package of benchmark grids (``simbench:CODE``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GridError

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

SERIES = ("profiles", "loadcases")
"""What such a grid holds beside its elements: a year of time series, which no scenario reads."""


def read_simbench(code: str) -> pandapowerNet:
    """Read a grid of SimBench.

    Args:
        code: its code, such as ``1-MV-urban--0-sw``.

    Returns:
        The network, without its time series.

    Raises:
        GridError: if SimBench isn't installed, or has no such grid.
    """
    source = f"simbench:{code}"
    try:
        import simbench
    except ImportError:
        hint = 'pip install "gat-batch[formats]"'
        raise GridError("needs simbench to be read", file=source, hint=hint) from None
    if code not in simbench.collect_all_simbench_codes():
        hint = "simbench.collect_all_simbench_codes() lists them"
        raise GridError(f"SimBench has no grid {code!r}", file=source, hint=hint)
    try:
        net = simbench.get_simbench_net(code)
    except Exception as error:  # noqa: BLE001 - it fails in many ways
        reason = f"{type(error).__name__}: {error}"
        raise GridError(f"SimBench can't read it: {reason}", file=source) from None
    for name in SERIES:
        net.pop(name, None)
    return net
