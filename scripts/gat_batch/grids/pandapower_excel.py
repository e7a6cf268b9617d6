"""pandapower's Excel files, read without letting the file choose what to run.

``pandapower.from_excel`` builds whatever objects the cells of a file describe. Cells are therefore
searched as JSON files are: they may only name classes that hold data, and tap controllers, which
are taken out and read as data.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import GridError
from ..upstream.pandapower import network_of_sheets
from .pandapower_json import refuse_classes
from .tap_controllers import TABLE, taken_out

if TYPE_CHECKING:
    from pathlib import Path

    from pandapower.auxiliary import pandapowerNet

CONTROLLERS = "controller"


def read_excel(path: Path) -> pandapowerNet:
    """Read a network.

    Args:
        path: the file, saved by ``pandapower.to_excel``.

    Returns:
        The network.

    Raises:
        GridError: if openpyxl isn't installed, or the file can't be read, isn't a pandapower
            network, or names a class that holds more than data.
    """
    sheets = _sheets(path)
    if "bus" not in sheets:
        raise GridError("is not a pandapower network: it has no sheet named bus", file=path)
    try:
        controllers = _controllers(sheets.pop(CONTROLLERS, pd.DataFrame()), path)
        for table in sheets.values():
            for column in table:
                if table[column].dtype == object:
                    refuse_classes(table[column].tolist(), path)
        net = network_of_sheets(sheets)
    except GridError:
        raise
    except Exception as error:  # noqa: BLE001 - pandapower fails in many ways on other content
        reason = f"{type(error).__name__}: {error}"
        raise GridError(f"pandapower can't read it: {reason}", file=path) from None
    if len(controllers):
        net[TABLE] = controllers
    return net


def _sheets(path: Path) -> dict[str, pd.DataFrame]:
    try:
        found: dict[str, pd.DataFrame] = pd.read_excel(
            path, sheet_name=None, index_col=0, engine="openpyxl"
        )
    except ImportError:
        hint = 'pip install "gat-batch[formats]"'
        raise GridError("needs openpyxl to be read", file=path, hint=hint) from None
    except OSError as error:
        raise GridError(f"can't be read: {error.strerror or error}", file=path) from None
    except Exception as error:  # noqa: BLE001 - the parser fails in many ways on other content
        reason = f"{type(error).__name__}: {error}"
        raise GridError(f"is not an Excel file: {reason}", file=path) from None
    return found


def _controllers(sheet: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the tap controllers of a sheet of controllers, which may hold no others."""
    if not len(sheet):
        return pd.DataFrame()
    rows: list[list[Any]] = json.loads(sheet.to_json(orient="values"))
    place = list(sheet.columns).index("object")
    for row in rows:
        row[place] = json.loads(row[place])
    table = {"columns": list(sheet.columns), "index": sheet.index.tolist(), "data": rows}
    stored = {CONTROLLERS: {"_object": json.dumps(table)}}
    found = taken_out({"_object": stored})
    refuse_classes(json.loads(stored[CONTROLLERS]["_object"])["data"], path)
    return found
