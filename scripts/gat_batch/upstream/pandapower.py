"""Inner names of pandapower 3.5: arrays of its power flow, what it imports, a gap to scipy.

pandapower keeps what it solved in ``net["_ppc"]`` (PYPOWER's tables, and under ``internal`` the
matrices of supplied buses and live branches), and in ``net["_pd2ppc_lookups"]`` which row is whose.

Its AC optimal power flow takes the conjugate transpose of a sparse matrix by the attribute ``H``,
which scipy removed from ``csr_matrix`` in 1.14. It does so only where flows are limited by power
(``OPF_FLOW_LIM`` 0), and whether or not there is numba.

Nothing is imported before it is needed: processes are set up before they import pandapower.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet


def keep_numba_out() -> None:
    """Have pandapower do without numba in this process, and not say so again and again."""
    sys.modules["numba"] = None  # type: ignore[assignment] # as for a package that isn't there
    logging.getLogger("pandapower.auxiliary").addFilter(_is_not_about_numba)


def keep_state_estimation_out() -> None:
    """Have pandapower come without its state estimation in this process.

    No power flow uses it, and for it alone all of scipy's statistics are imported, which is a sixth
    of pandapower's start.
    """
    sys.modules.setdefault("pandapower.estimation", ModuleType("pandapower.estimation"))


def keep_f2py_out() -> None:
    """Have scipy, and so pandapower, come without numpy's interface to Fortran in this process.

    scipy takes all names that numpy has, this one included: a twentieth of pandapower's start.
    """
    import numpy as np

    if "numpy.f2py" not in sys.modules:
        # In both places, as numpy looks for it in the first and scipy in the second.
        sys.modules["numpy.f2py"] = np.f2py = ModuleType("numpy.f2py")


class _Series:
    """Stands for a column in annotations."""

    def __class_getitem__(cls, _kind: object) -> type:
        return cls


def keep_pandera_out() -> None:
    """Have pandapower come without pandera in this process, of which it takes one name.

    That one is for annotations, and pandera is a seventh of pandapower's start.
    """
    if "pandera" not in sys.modules:
        package, typing = ModuleType("pandera"), ModuleType("pandera.typing")
        package.__path__ = []
        package.typing, typing.Series = typing, _Series  # type: ignore[attr-defined]
        sys.modules |= {"pandera": package, "pandera.typing": typing}


class _NoWorkbooks:
    """Finds no openpyxl while pandapower looks for it, and leaves all else to others."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        asking = sys.modules.get("pandapower.file_io")
        if name == "openpyxl" and asking is not None and not hasattr(asking, "from_excel"):
            raise ModuleNotFoundError(name=name)


def keep_openpyxl_out() -> None:
    """Have pandapower come without what it reads workbooks by, which is a tenth of its start.

    Grids and tables in workbooks are read by pandas and by openpyxl itself, which come when there
    are any.
    """
    sys.meta_path.insert(0, _NoWorkbooks)


def _is_not_about_numba(record: logging.LogRecord) -> bool:
    return "numba" not in record.getMessage()


def drop_empty_tables(document: dict[str, Any]) -> None:
    """Take tables without rows out of the JSON of a network that a new network has just so.

    To read one takes as long as to read one with rows, and there are more of them: a third of what
    it takes to read a small network.

    Args:
        document: as pandapower writes it; of anything else nothing is taken out.
    """
    from pandapower.network_structure import get_structure_dict

    tables = document.get("_object")
    if not isinstance(tables, dict):
        return
    new = get_structure_dict()
    for name, table in list(tables.items()):
        columns = new.get(name, new.get(f"_empty_{name}"))
        if not (isinstance(table, dict) and isinstance(columns, dict)):
            continue
        text = table.get("_object")
        if table.get("_class") == "DataFrame" and isinstance(text, str):
            content = {"columns": [*columns], "index": [], "data": []}
            if text == json.dumps(content, separators=(",", ":")):
                del tables[name]


@contextmanager
def reading_lean() -> Iterator[None]:
    """Have pandapower read its own networks as :func:`drop_empty_tables` leaves them."""
    from pandapower import file_io

    whole = file_io.from_json_string

    def lean(text: str, *arguments: Any, **keywords: Any) -> Any:
        document = json.loads(text)
        drop_empty_tables(document)
        return whole(json.dumps(document), *arguments, **keywords)

    file_io.from_json_string = lean
    try:
        yield
    finally:
        file_io.from_json_string = whole


def solved_arrays(net: pandapowerNet) -> dict[str, Any]:
    """Return PYPOWER's arrays of a network that pandapower has just solved, or begun to."""
    arrays: dict[str, Any] = net["_ppc"]
    return arrays


def usual_start(net: pandapowerNet, options: Mapping[str, Any]) -> dict[str, float]:
    """Return the option by which an AC power flow starts from where it starts without options.

    That is the mean setpoint of what is in service, in p.u. pandapower asks tables for it six times
    by an expression that pandas parses anew, which is a quarter of the time of a small power flow.

    Args:
        net: the network.
        options: the options given.

    Returns:
        The option; none where these name a start, or pandapower has to find it by itself.
    """
    given = any(name.startswith("init") for name in options)
    if given or len(net["vsc"]) or net["user_pf_options"]:
        return {}
    setpoints = []
    for table in (net["ext_grid"], net["gen"]):
        if table["in_service"].dtype != bool:
            return {}
        setpoints.append(table.loc[table["in_service"], "vm_pu"].to_numpy())
    count = sum(map(len, setpoints))
    return {"init_vm_pu": float(sum(one.sum() for one in setpoints) / count)} if count else {}


def array_rows(net: pandapowerNet) -> dict[str, Any]:
    """Tell which rows of :func:`solved_arrays` are whose.

    Returns:
        ``bus``: index of a bus -> its row, shape (highest index + 1,). ``branch``: kind of branch
        -> its first row and the one after its last.
    """
    rows: dict[str, Any] = net["_pd2ppc_lookups"]
    return rows


def branch_columns() -> ModuleType:
    """Return names of the columns of PYPOWER's table of branches."""
    from pandapower.pypower import idx_brch

    return idx_brch  # type: ignore[no-any-return] # pandapower has no types


def bus_columns() -> ModuleType:
    """Return names of the columns of PYPOWER's table of buses."""
    from pandapower.pypower import idx_bus

    return idx_bus  # type: ignore[no-any-return] # pandapower has no types


def network_of_sheets(sheets: dict[str, Any]) -> pandapowerNet:
    """Make a network of the sheets of an Excel file, in today's format.

    Args:
        sheets: name -> table; what their cells name is built.
    """
    from pandapower.convert_format import convert_format
    from pandapower.io_utils import from_dict_of_dfs

    net = from_dict_of_dfs(sheets)
    convert_format(net)
    return net


@contextmanager
def power_limits_on_new_scipy() -> Iterator[None]:
    """Let ``runopp`` limit flows by power meanwhile."""
    from pandapower.pypower import d2ASbr_dV2 as flow_derivatives
    from scipy.sparse import csr_matrix

    class WithAdjoint(csr_matrix):  # type: ignore[misc] # scipy has no types
        """A sparse matrix that has its conjugate transpose as the attribute ``H``."""

        @property
        def H(self) -> Any:  # noqa: N802 - the name that pandapower uses
            return self.conj().T

    original = flow_derivatives.d2Sbr_dV2

    def with_adjoint(
        ends: Any, admittance: Any, voltage: NDArray[Any], multipliers: NDArray[Any]
    ) -> Any:
        return original(ends, WithAdjoint(admittance), voltage, multipliers)

    flow_derivatives.d2Sbr_dV2 = with_adjoint
    try:
        yield
    finally:
        flow_derivatives.d2Sbr_dV2 = original
