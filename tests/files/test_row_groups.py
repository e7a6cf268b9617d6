"""Row groups copied between files are those that were there, for anyone who reads the file."""

from __future__ import annotations

import io

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gat_batch.files.parquet.row_groups import CopiedGroups, read_footer

COLUMNS = {
    "name": st.one_of(st.none(), st.sampled_from(["", "a", "bus 1", "Ä" * 300])),
    "id": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    "value": st.one_of(st.none(), st.floats(allow_nan=False)),
    "on": st.one_of(st.none(), st.booleans()),
    "none": st.none(),
}
SCHEMA = pa.schema(
    {
        "name": pa.string(),
        "id": pa.int64(),
        "value": pa.float64(),
        "on": pa.bool_(),
        "none": pa.float32(),
    }
)
TABLES = st.lists(st.fixed_dictionaries(COLUMNS), min_size=1, max_size=40).map(
    lambda rows: pa.Table.from_pylist(rows, SCHEMA)
)
OPTIONS = st.fixed_dictionaries(
    {
        "compression": st.sampled_from(["none", "zstd", "lz4", "snappy"]),
        "use_dictionary": st.sampled_from([True, False, ["name"]]),
        "write_statistics": st.sampled_from([True, False, ["name"]]),
        "data_page_version": st.sampled_from(["1.0", "2.0"]),
        "write_page_checksum": st.booleans(),
        "store_schema": st.booleans(),
    }
)


def written(path, tables, **options):
    with pq.ParquetWriter(path, SCHEMA, **options) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=len(table))
    return path


@given(
    sources=st.lists(st.tuples(st.lists(TABLES, max_size=4), OPTIONS), min_size=1, max_size=3),
    order=st.lists(st.one_of(st.tuples(st.integers(0, 2), st.integers(0, 3)), TABLES), max_size=20),
    options=OPTIONS,
)
def test_copied_and_written_row_groups_are_read_in_their_order(
    tmp_path_factory, sources, order, options
):
    folder = tmp_path_factory.mktemp("copies")
    files = [written(folder / f"{n}.parquet", *one[:1], **one[1]) for n, one in enumerate(sources)]
    expected = []
    with (folder / "joined.parquet").open("w+b") as sink:
        writer = pq.ParquetWriter(sink, SCHEMA, **options)
        copied = CopiedGroups(sink)
        for step in order:
            if isinstance(step, pa.Table):
                writer.write_table(step, row_group_size=len(step))
                expected.append(step)
                continue
            source, number = step
            if source < len(files) and number < len(sources[source][0]):
                with files[source].open("rb") as file:
                    copied.copy(file, read_footer(file).groups[number])
                expected.append(sources[source][0][number])
        writer.add_key_value_metadata({"about": "Ä"})
        writer.close()
        copied.finish()
    joined = pq.ParquetFile(folder / "joined.parquet", page_checksum_verification=True)
    assert joined.num_row_groups == len(expected)
    assert joined.metadata.num_rows == sum(map(len, expected))
    assert joined.metadata.metadata[b"about"].decode() == "Ä"
    for number, table in enumerate(expected):
        assert joined.read_row_group(number).equals(table)


def test_a_database_reads_many_copied_row_groups(tmp_path):
    parts = [
        pa.Table.from_pylist([{"name": f"n{part}", "id": part * 50 + n} for n in range(50)], SCHEMA)
        for part in range(300)
    ]
    source = written(tmp_path / "source.parquet", parts, compression="zstd")
    with (tmp_path / "joined.parquet").open("w+b") as sink, source.open("rb") as file:
        writer, copied = pq.ParquetWriter(sink, SCHEMA), CopiedGroups(sink)
        for group in read_footer(file).groups[::-1]:
            copied.copy(file, group)
        writer.close()
        copied.finish()
    table = duckdb.read_parquet(str(tmp_path / "joined.parquet"))
    found = table.aggregate("count(*), sum(id), count(DISTINCT name)").fetchall()
    assert found == [(15_000, sum(range(15_000)), 300)]
    assert table.filter("name = 'n7'").aggregate("min(id), max(id)").fetchall() == [(350, 399)]


def test_of_a_file_with_nothing_copied_not_a_byte_changes():
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, SCHEMA) as writer:
        writer.write_table(pa.Table.from_pylist([{"id": 1}], SCHEMA))
    before = sink.getvalue()
    CopiedGroups(sink).finish()
    assert sink.getvalue() == before


def test_row_groups_that_refer_to_other_places_of_their_file_are_refused(tmp_path):
    table = pa.Table.from_pylist([{"id": 1}], SCHEMA)
    path = written(tmp_path / "a.parquet", [table], write_page_index=True)
    with path.open("rb") as file, pytest.raises(ValueError, match="indices of its pages"):
        read_footer(file)


def test_a_file_that_has_become_shorter_is_refused(tmp_path):
    table = pa.Table.from_pylist([{"id": n} for n in range(1000)], SCHEMA)
    path = written(tmp_path / "a.parquet", [table])
    with path.open("rb") as file:
        group = read_footer(file).groups[0]
    path.write_bytes(path.read_bytes()[: group.end - 1])
    with path.open("rb") as file, (tmp_path / "b.parquet").open("w+b") as sink:
        with pytest.raises(ValueError, match="middle of a row group"):
            CopiedGroups(sink).copy(file, group)
        with pytest.raises(ValueError, match="whole Parquet file"):
            read_footer(file)


@given(st.binary(max_size=200))
def test_no_bytes_are_taken_for_a_footer(content):
    file = io.BytesIO(b"PAR1" + content + len(content).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(ValueError, match=r"footer|whole|min"):
        read_footer(file)
