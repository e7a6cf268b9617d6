"""A network lent to pandapower, and given back unharmed."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from pandapower.auxiliary import LoadflowNotConverged, OPFNotConverged

from ..errors import SolverError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandapower.auxiliary import pandapowerNet

ENGINE = "pandapower"


@contextmanager
def unharmed(net: pandapowerNet) -> Iterator[None]:
    """Let pandapower solve a network; its element tables are afterwards the same objects as before.

    Args:
        net: the network.

    Raises:
        LoadflowNotConverged, OPFNotConverged: if it did not converge.
        SolverError: if pandapower fails in any other way, which means bad data. What may pass, as
            a lack of memory, stays what it is.
    """
    # While it solves, pandapower adds generators for DC lines and converters for stacked ones. It
    # leaves them behind when it fails, and a new table of generators when it doesn't.
    extended = ("gen", "vsc") if len(net.dcline) or len(net.vsc_stacked) else ()
    originals = {element: net[element] for element in extended}
    for element, table in originals.items():
        net[element] = table.copy()
    try:
        # What matters of its warnings and prints shows in the status.
        with warnings.catch_warnings(), redirect_stdout(None):
            warnings.simplefilter("ignore")
            yield
    except (LoadflowNotConverged, OPFNotConverged, MemoryError, OSError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise SolverError(
            f"pandapower can't solve this grid: {type(error).__name__}: {reason}",
            hint="pandapower.diagnostic(net) may tell more",
        ) from error
    finally:
        for element, table in originals.items():
            net[element] = table
