"""Grids, in any format.

In: any reference that a manifest may hold. Out: a pandapower network and a hash of its content.
Networks are written as ``.json``, ``.arrow``, ``.m`` and ``.mat``.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Literal, assert_never

from ..errors import GridError
from .reference import GridRef, grid_ref
from .time_series import KEY

if TYPE_CHECKING:
    from pathlib import Path

    from pandapower.auxiliary import pandapowerNet

WRITABLE: dict[str, Literal["json", "arrow", "m", "mat"]] = {
    ".json": "json", ".arrow": "arrow", ".m": "m", ".mat": "mat",
}  # fmt: skip
"""Suffixes of the formats that grids are written in."""

__all__ = ["GridRef", "grid_ref", "read_grid", "write_grid"]


def read_grid(ref: GridRef) -> pandapowerNet:
    """Read a grid.

    Args:
        ref: which one.

    Returns:
        The network, which has finite parameters and a bus for each of its elements. What of the
        file it has only approximately, ``approximations`` lists.

    Raises:
        GridError: if it can't be read or used.
    """
    from .grid_check import check_network

    net = _read(ref)
    check_network(net, str(ref))
    return net


def _read(ref: GridRef) -> pandapowerNet:  # noqa: PLR0911 - one for each format
    match ref.form:
        case "bundled":
            from .bundled import read_bundled

            return read_bundled(ref.name)
        case "json":
            from .pandapower_json import read_json

            return read_json(ref.path)
        case "arrow":
            from .arrow.reader import read_arrow

            return read_arrow(ref.path)
        case "m" | "mat":
            from .matpower.reader import read_matpower

            return read_matpower(ref.path)
        case "xlsx":
            from .pandapower_excel import read_excel

            return read_excel(ref.path)
        case "simbench":
            from .simbench_grid import read_simbench

            return read_simbench(ref.name)
        case "raw" | "rawx" | "uct" | "cdf" | "dgs" | "cgmes" | "xiidm":
            from .powsybl.reader import read_powsybl

            return read_powsybl(ref.path, ref.form)
        case "pypsa":
            from .pypsa.reader import read_pypsa

            return read_pypsa(ref.path)
        case _:
            assert_never(ref.form)


def write_grid(net: pandapowerNet, path: Path) -> list[str]:
    """Write a grid in the format that the suffix of its path names.

    Args:
        net: the network.
        path: ``.json``, ``.arrow``, ``.m`` or ``.mat``; whatever is there is replaced.

    Returns:
        What the format can't hold, one sentence each.

    Raises:
        GridError: if the suffix isn't one of these or the grid can't be written.
    """
    form = WRITABLE.get(path.suffix.lower())
    if form is None:
        what = f"can't be written as {path.suffix or 'a file without a suffix'!r}"
        raise GridError(what, file=path, hint=f"known are {', '.join(WRITABLE)}")
    if KEY not in net:
        return _write(net, path, form)
    steady = copy(net)
    del steady[KEY]
    return [*_write(steady, path, form), "time series of its elements"]


def _write(net: pandapowerNet, path: Path, form: Literal["json", "arrow", "m", "mat"]) -> list[str]:
    match form:
        case "json":
            from .pandapower_json import write_json

            return write_json(net, path)
        case "arrow":
            from .arrow.writer import write_arrow

            return write_arrow(net, path)
        case "m" | "mat":
            from .matpower.writer import write_matpower

            return write_matpower(net, path)
        case _:
            assert_never(form)
