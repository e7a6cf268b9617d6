"""The tables of gridfm-datakit: partitioned Parquet, column for column.

See the pages "Outputs" and "Validation" of its documentation: five tables, 200 samples a partition,
rows counted from 0, powers in MW and MVAr, angles in degrees, admittances in p.u.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from ..sample_arrays import SampleArrays

PARTITION = 200
"""Samples of a partition."""

COUNT = "n_scenarios.txt"
"""File that tells how many samples there are."""

FLAGS = ("PQ", "PV", "REF", "in_service", "is_slack_gen", "br_status")


class GridfmLayout:
    """Lays a dataset out in tables.

    Args:
        folder: folder of the dataset.
        count: number of its samples.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder / "raw"
        self._folder.mkdir()
        (self._folder / COUNT).write_text(str(count), encoding="ascii")

    def part(self, number: int) -> GridfmFiles:
        """Return what writes a partition."""
        return GridfmFiles(self._folder, number)

    def finish(self, varying: set[str]) -> list[str]:  # noqa: ARG002 - nothing is stored once
        """Return what the tables can't hold: nothing."""
        return []


class GridfmFiles:
    """Writes the tables of one partition.

    Args:
        folder: the folder of the tables.
        partition: number of the partition.
    """

    def __init__(self, folder: Path, partition: int) -> None:
        self._folder, self._partition = folder, partition
        self._writers: dict[str, pq.ParquetWriter] = {}

    def add(self, arrays: SampleArrays) -> None:
        """Add samples, a row group to each table."""
        for name, columns in _tables(arrays).items():
            table = pa.table(columns)
            if name not in self._writers:
                self._writers[name] = self._writer(name, table.schema)
            self._writers[name].write_table(table, row_group_size=max(1, len(table)))

    def close(self) -> set[str]:
        """Complete the files."""
        for writer in self._writers.values():
            writer.close()
        return set()

    def _writer(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        part = self._folder / f"{name}.parquet" / f"scenario_partition={self._partition}"
        part.mkdir(parents=True)
        reals = [field.name for field in schema if field.type == pa.float64()]
        return pq.ParquetWriter(
            part / "part-0.parquet",
            schema,
            compression="zstd",
            use_dictionary=False,
            column_encoding=dict.fromkeys(reals, "BYTE_STREAM_SPLIT"),
        )


def _tables(arrays: SampleArrays) -> dict[str, Mapping[str, Any]]:
    return {
        "bus_data": _buses(arrays),
        "gen_data": _generators(arrays),
        "branch_data": _branches(arrays),
        "y_bus_data": _admittances(arrays),
        "runtime_data": _runtimes(arrays),
    }


def _columns(arrays: SampleArrays, each: int, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns of a table with so many rows a sample, shape (samples * each,)."""
    shape = len(arrays.number), each
    found = {
        "scenario": np.repeat(arrays.number, each),
        "load_scenario_idx": np.repeat(arrays.load, each),
    }
    for name, values in columns.items():
        column = np.broadcast_to(values, shape).ravel()
        kind = np.int8 if name in FLAGS else None
        found[name] = column if kind is None else column.astype(kind)
    return found


def _buses(arrays: SampleArrays) -> dict[str, Any]:
    rows = len(arrays.kv)
    generation = arrays.generation_at
    columns = {
        "bus": np.arange(rows),
        "Pd": arrays.demand.real,
        "Qd": arrays.demand.imag,
        "Pg": generation.real,
        "Qg": generation.imag,
        "Vm": np.abs(arrays.voltage),
        "Va": np.degrees(np.angle(arrays.voltage)),
        **{name: arrays.type == code for code, name in enumerate(("PQ", "PV", "REF"), 1)},
        "vn_kv": arrays.kv,
        "min_vm_pu": arrays.vm[..., 0],
        "max_vm_pu": arrays.vm[..., 1],
        "GS": arrays.shunt.real,
        "BS": arrays.shunt.imag,
    }
    if arrays.dc is not None:
        columns["Va_dc"] = (arrays.dc.va + 180) % 360 - 180
        columns["Pg_dc"] = arrays.dc_generation_at
    return _columns(arrays, rows, columns)


def _generators(arrays: SampleArrays) -> dict[str, Any]:
    count = len(arrays.generator_row)
    columns = {
        "idx": np.arange(count),
        "bus": arrays.generator_row,
        "p_mw": arrays.generation.real,
        "q_mvar": arrays.generation.imag,
        "min_p_mw": arrays.p[..., 0],
        "max_p_mw": arrays.p[..., 1],
        "min_q_mvar": arrays.q[..., 0],
        "max_q_mvar": arrays.q[..., 1],
        "cp0_eur": arrays.cost[..., 0],
        "cp1_eur_per_mw": arrays.cost[..., 1],
        "cp2_eur_per_mw2": arrays.cost[..., 2],
        "in_service": arrays.running,
        "is_slack_gen": arrays.type[:, arrays.generator_row] == 3,
    }
    if arrays.dc is not None:
        columns["p_mw_dc"] = arrays.dc.generation
    return _columns(arrays, count, columns)


def _branches(arrays: SampleArrays) -> dict[str, Any]:
    count = len(arrays.ends)
    columns: dict[str, Any] = {
        "idx": np.arange(count),
        "from_bus": arrays.ends[:, 0],
        "to_bus": arrays.ends[:, 1],
    }
    for side, end in enumerate("ft"):
        columns[f"p{end}"] = arrays.flow[..., side].real
        columns[f"q{end}"] = arrays.flow[..., side].imag
    columns |= {
        "r": arrays.impedance.real,
        "x": arrays.impedance.imag,
        "b": arrays.charging,
    }
    for at, name in enumerate(("Yff", "Yft", "Ytf", "Ytt")):
        columns[f"{name}_r"] = arrays.admittance[..., at].real
        columns[f"{name}_i"] = arrays.admittance[..., at].imag
    columns |= {
        "tap": arrays.tap,
        "shift": arrays.shift,
        "ang_min": arrays.angle[..., 0],
        "ang_max": arrays.angle[..., 1],
        "rate_a": arrays.rating,
        "br_status": arrays.live,
    }
    if arrays.dc is not None:
        columns |= {"pf_dc": arrays.dc.flow, "pt_dc": -arrays.dc.flow}
    return _columns(arrays, count, columns)


def _admittances(arrays: SampleArrays) -> dict[str, Any]:
    """Return what isn't zero of each sample's admittance matrix, row by row."""
    rows = len(arrays.kv)
    first, second = arrays.ends.T
    every = np.arange(rows)
    places = np.concatenate(
        [first * rows + first, first * rows + second, second * rows + first,
         second * rows + second, every * (rows + 1)]
    )  # fmt: skip
    place, owner = np.unique(places, return_inverse=True)
    gathered = sparse.csr_matrix((np.ones(len(owner)), (owner, np.arange(len(owner)))))
    parts = [*np.moveaxis(arrays.admittance, -1, 0), arrays.shunt]
    values: NDArray[np.complex128] = (gathered @ np.concatenate(parts, axis=1).T).T
    sample, at = np.nonzero(values)
    kept = values[sample, at]
    return {
        "scenario": arrays.number[sample],
        "load_scenario_idx": arrays.load[sample],
        "index1": place[at] // rows,
        "index2": place[at] % rows,
        "G": kept.real,
        "B": kept.imag,
    }


def _runtimes(arrays: SampleArrays) -> dict[str, Any]:
    columns = {"ac": arrays.seconds[:, None]}
    if arrays.dc is not None:
        columns["dc"] = arrays.dc.seconds[:, None]
    return _columns(arrays, 1, columns)
