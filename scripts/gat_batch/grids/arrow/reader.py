"""Reads GAT Arrow datasets: a folder of Arrow IPC files with a manifest of checksums."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from ...errors import GridError
from ..case.case import BUS_TYPES, Case, Cost
from ..case.to_network import network_of
from ..reference import MANIFEST
from .schema import EXTENSIONS, EXTERNAL_KEY, INDEX_KEY, NAMES, RADIANS, SCHEMA_VERSION, SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

    from pandapower.auxiliary import pandapowerNet


def read_arrow(path: Path) -> pandapowerNet:
    """Read a dataset.

    Args:
        path: its folder.

    Returns:
        The network.

    Raises:
        GridError: if the dataset is of a newer major version, incomplete, damaged or
            contradicts itself.
    """
    listed = _read_manifest(path)
    tables = {name: _read_table(path, name, listed) for name in SCHEMAS}
    extra = {name: _read_table(path, name, listed) for name in EXTENSIONS if name in listed}
    return network_of(_case(tables, extra, path), str(path))


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        version, listed = content["schema_version"], content["tables"]
        major = int(str(version).split(".", maxsplit=1)[0])
        complete = isinstance(listed, dict) and all(
            isinstance(entry, dict) and isinstance(entry.get("sha256"), str)
            for entry in listed.values()
        )
    except OSError as error:
        raise GridError(f"can't be read: {error.strerror}", file=file) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        complete, major = False, 2
    if not complete:
        hint = "it needs schema_version, and tables with a sha256 each"
        raise GridError("is not the manifest of a dataset", file=file, hint=hint)
    if major != int(SCHEMA_VERSION[0]):
        hint = f"this version reads schema {SCHEMA_VERSION[0]}.x"
        raise GridError(f"schema version {version} can't be read", file=file, hint=hint)
    return dict(listed)


def _read_table(path: Path, name: str, listed: dict[str, Any]) -> pa.Table:
    file = path / f"{name}.arrow"
    if name not in listed:
        raise GridError(f"the table {name} is missing", file=path / MANIFEST, field=name)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise GridError(f"can't be read: {error.strerror}", file=file) from None
    if hashlib.sha256(content).hexdigest() != listed[name]["sha256"]:
        hint = "the file was changed or damaged after it was written"
        raise GridError("the checksum does not match the manifest", file=file, hint=hint)
    try:
        table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise GridError(f"is no Arrow file: {error}", file=file) from None
    if len(table) != listed[name].get("row_count", len(table)):
        raise GridError("the number of rows does not match the manifest", file=file)
    return _typed(table, (SCHEMAS | EXTENSIONS)[name], file)


def _typed(table: pa.Table, schema: pa.Schema, file: Path) -> pa.Table:
    """Return the columns of a schema, in its types; a writer may use others of the same meaning.

    Raises:
        GridError: if a column is missing, of another type, or empty where it must not be.
    """
    columns = []
    for wanted in schema:
        if wanted.name not in table.column_names:
            raise GridError("the column is missing", file=file, field=wanted.name)
        column = table[wanted.name]
        plain = pa.string() if pa.types.is_dictionary(wanted.type) else wanted.type
        try:
            column = column.cast(plain)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            what = f"is of type {column.type}, not {wanted.type}"
            raise GridError(what, file=file, field=wanted.name) from None
        if column.null_count and not wanted.nullable:
            raise GridError("has empty cells", file=file, field=wanted.name)
        columns.append(column)
    return pa.table(columns, names=schema.names).replace_schema_metadata(table.schema.metadata)


def _case(tables: dict[str, pa.Table], extra: dict[str, pa.Table], path: Path) -> Case:
    if len(tables["system"]) != 1:
        raise GridError("must have exactly one row", file=path / "system.arrow")
    system = tables["system"].to_pylist()[0]
    bus, branch, gen = (_frame(tables[name], name) for name in ("buses", "branches", "generators"))
    unknown = ~bus["type"].isin(BUS_TYPES)
    if unknown.any():
        what = f"{bus['type'][unknown].iloc[0]!r} is none of {', '.join(BUS_TYPES)}"
        raise GridError(what, file=path / "buses.arrow", field="bus_type")
    branch["transformer"] = [kind == "transformer" for kind in branch["element_type"]]
    branch["g"] = _conductances(branch["id"], extra.get("branch_conductances"))
    stored = tables["generators"].schema.metadata or {}
    external = set(_ids(stored.get(EXTERNAL_KEY), path))
    gen["external"] = [ident in external for ident in gen["id"]]
    costs = [_cost(row) for row in tables["generators"].to_pylist()]
    gen["cost"] = pd.Series(costs, index=gen.index, dtype=object)
    shunts = extra.get("shunts", EXTENSIONS["shunts"].empty_table())
    return Case(
        name=system["name"] or "",
        base_mva=system["base_mva"],
        frequency_hz=system["base_frequency_hz"],
        bus=bus,
        load=_frame(tables["loads"], "loads"),
        shunt=_frame(shunts, "shunts"),
        gen=gen,
        branch=branch,
    )


def _frame(table: pa.Table, name: str) -> pd.DataFrame:
    """Make a table of a case: columns renamed, angles in degrees, pandapower's indices restored."""
    data: pd.DataFrame = table.to_pandas()
    for there, here in RADIANS.get(name, {}).items():
        data[here] = np.degrees(data[there].astype(float))
    data = data.rename(columns=NAMES[name])
    indices = _ids((table.schema.metadata or {}).get(INDEX_KEY), name)
    data.index = pd.Index(indices if len(indices) == len(data) else data["id"], dtype=np.int64)
    return data


def _ids(stored: bytes | None, source: object) -> list[int]:
    try:
        return [int(ident) for ident in json.loads(stored or b"[]")]
    except (ValueError, TypeError):
        raise GridError("its metadata are damaged", file=source) from None


def _conductances(branches: pd.Series, table: pa.Table | None) -> np.ndarray:
    if table is None:
        return np.zeros(len(branches))
    known = dict(
        zip(table["branch"].to_pylist(), table["conductance_g_pu"].to_pylist(), strict=True)
    )
    return np.array([known.get(ident, 0.0) for ident in branches], dtype=float)


def _cost(row: dict[str, Any]) -> Cost | None:
    numbers, values = row["cost_coeffs"] or [], row["cost_values"] or []
    startup, shutdown = row["cost_startup"] or 0.0, row["cost_shutdown"] or 0.0
    if row["cost_model"] == 1 and len(numbers) == len(values) > 1:
        return Cost(tuple(zip(numbers, values, strict=True)), (), startup, shutdown)
    if row["cost_model"] == 2 and numbers:
        return Cost((), tuple(numbers), startup, shutdown)
    return None
