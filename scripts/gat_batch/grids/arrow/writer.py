"""Writes GAT Arrow datasets."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from ... import __version__
from ...errors import GridError
from ..case.from_network import case_of
from ..reference import MANIFEST
from .schema import EXTENSIONS, EXTERNAL_KEY, INDEX_KEY, NAMES, RADIANS, SCHEMA_VERSION, SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from pandapower.auxiliary import pandapowerNet

    from ..case.case import Case


def write_arrow(net: pandapowerNet, path: Path) -> list[str]:
    """Write a dataset; it appears under its name when it is complete.

    Args:
        net: the network.
        path: its folder; replaced if it exists.

    Returns:
        What the dataset can't hold, one sentence each.

    Raises:
        GridError: if the network holds what no dataset can, or the folder can't be written.
    """
    case = case_of(net)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        listed = {
            name: _write_table(temporary / f"{name}.arrow", table)
            for name, table in _tables(case).items()
        }
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "created_at": datetime.now(UTC).isoformat(),
            "gat_version": f"gat-batch {__version__}",
            "source": {"file": case.name, "format": "pandapower", "file_hash": ""},
            "tables": listed,
        }
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        raise GridError(f"can't be written: {error.strerror}", file=path) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return case.dropped


def _write_table(file: Path, table: pa.Table) -> dict[str, object]:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with (
        pa.OSFile(str(file), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, options=options) as to,
    ):
        to.write_table(table)
    content = file.read_bytes()
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "row_count": len(table),
        "file_size_bytes": len(content),
    }


def _tables(case: Case) -> dict[str, pa.Table]:
    system = {
        "base_mva": [case.base_mva],
        "base_frequency_hz": [case.frequency_hz],
        "name": [case.name or None],
        "description": [None],
    }
    branch = _columns(case.branch, "branches")
    branch["element_type"] = np.where(case.branch["transformer"], "transformer", "line")
    tables = {
        "system": pa.table(system, schema=SCHEMAS["system"]),
        "buses": _table("buses", _columns(case.bus, "buses")),
        "generators": _generators(case),
        "loads": _table("loads", _columns(case.load, "loads")),
        "branches": _table("branches", branch, {INDEX_KEY: _ids(case.branch.index)}),
    }
    if len(case.shunt):
        tables["shunts"] = _table("shunts", _columns(case.shunt, "shunts"))
    lossy = case.branch["g"].fillna(0.0) != 0
    if lossy.any():
        rows: dict[str, object] = {
            "branch": case.branch["id"][lossy].to_numpy(),
            "conductance_g_pu": case.branch["g"][lossy].to_numpy(),
        }
        tables["branch_conductances"] = _table("branch_conductances", rows)
    return tables


def _generators(case: Case) -> pa.Table:
    gen = case.gen
    columns = _columns(gen, "generators")
    costs = list(gen["cost"])
    columns["cost_model"] = [0 if c is None else 1 if c.points else 2 for c in costs]
    columns["cost_startup"] = [None if c is None else c.startup for c in costs]
    columns["cost_shutdown"] = [None if c is None else c.shutdown for c in costs]
    columns["cost_coeffs"] = [
        None if c is None else [p for p, _ in c.points] if c.points else list(c.coefficients)
        for c in costs
    ]
    columns["cost_values"] = [
        None if c is None or not c.points else [value for _, value in c.points] for c in costs
    ]
    columns["is_synchronous_condenser"] = (gen["pmin"] == 0) & (gen["pmax"] == 0)
    external = gen["id"][gen["external"].astype(bool)]
    return _table("generators", columns, {INDEX_KEY: _ids(gen.index), EXTERNAL_KEY: _ids(external)})


def _columns(data: pd.DataFrame, name: str) -> dict[str, object]:
    columns: dict[str, object] = {
        there: data[here].to_numpy() for there, here in NAMES[name].items()
    }
    for there, here in RADIANS.get(name, {}).items():
        columns[there] = np.radians(data[here].to_numpy(float))
    return columns


def _table(
    name: str, columns: dict[str, object], metadata: dict[bytes, bytes] | None = None
) -> pa.Table:
    schema = (SCHEMAS | EXTENSIONS)[name]
    admittances = [_array(columns[field.name], field) for field in schema]
    return pa.table(admittances, schema=schema.with_metadata(metadata))


def _array(values: object, field: pa.Field) -> pa.Array:
    """Return one column, with null for NaN, which stands for what isn't known."""
    if pa.types.is_integer(field.type) and isinstance(values, np.ndarray):
        values = [None if np.isnan(value) else int(value) for value in values.astype(float)]
    if pa.types.is_dictionary(field.type):
        return pa.array(values, pa.string()).dictionary_encode().cast(field.type)
    return pa.array(values, field.type, from_pandas=True)


def _ids(values: pd.Index | pd.Series) -> bytes:
    return json.dumps([int(value) for value in values]).encode()
