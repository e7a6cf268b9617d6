"""Results have one schema, are written whole or not at all, and are known by their footer."""

from __future__ import annotations

import json
import resource

import numpy as np
import pandapower.networks
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gat_batch.errors import ResultError
from gat_batch.files.parquet.footer import read_fingerprint
from gat_batch.model.grid_model import prepare
from gat_batch.model.solution import Solution
from gat_batch.model.state import State
from gat_batch.results.reader import read_metadata, read_result
from gat_batch.results.rows import rows_of
from gat_batch.results.rows_file import large_groups
from gat_batch.results.schema import RESULT_SCHEMA
from gat_batch.results.writer import ResultWriter, write_placeholder
from gat_batch.solvers.study import solve

FINGERPRINT = "0123456789abcdef" * 4
MODEL = prepare(pandapower.networks.case9())


def write(path, *solutions, fingerprint=FINGERPRINT, **keywords):
    with ResultWriter(path, {"fingerprint": fingerprint, "status": "ok"}, **keywords) as writer:
        for number, solution in enumerate(solutions):
            snapshot = f"h{number}" if len(solutions) > 1 else None
            writer.add_rows(rows_of(MODEL, ("a", snapshot, None), solution))


@pytest.fixture
def result(tmp_path):
    path = tmp_path / "result.parquet"
    write(path, solve(MODEL, State(None, ()), "ac", {}))
    return path


def test_rows_come_in_a_fixed_order_under_one_schema(result):
    table = read_result(result)
    assert table.schema.equals(RESULT_SCHEMA)
    elements = table["element"].to_pylist()
    counts = [(kind, elements.count(kind)) for kind in dict.fromkeys(elements)]
    assert counts == [
        ("system", 1),
        ("bus", 9),
        ("line", 9),
        ("gen", 2),
        ("ext_grid", 1),
        ("load", 3),
    ]
    system = table.slice(0, 1).to_pylist()[0]
    assert system["id"] is None
    assert (system["status"], system["engine"]) == ("ok", "lightsim2grid")
    assert set(table["status"].to_pylist()[1:]) == {None}


def test_dc_and_ac_results_concatenate(tmp_path):
    schemas = []
    for solver in ("dc", "ac"):
        write(tmp_path / solver, solve(MODEL, State(None, ()), solver, {}))
        schemas.append(pq.read_schema(tmp_path / solver).remove_metadata())
    assert schemas[0].equals(schemas[1])


def test_what_was_not_computed_is_null_not_nan(tmp_path):
    write(tmp_path / "r", solve(MODEL, State(None, ()), "dc", {}))
    buses = read_result(tmp_path / "r").to_pylist()[1:10]
    assert all(row["vm_pu"] is None and row["va_degree"] is not None for row in buses)


def test_unsolved_state_leaves_its_system_row_only(tmp_path):
    path = tmp_path / "r"
    write(
        path, solve(MODEL, State(None, ()), "ac", {}), Solution("not_converged", "pandapower", 10)
    )
    table = read_result(path).to_pylist()
    assert table[-1]["snapshot"] == "h1"
    assert table[-1]["status"] == "not_converged"
    assert sum(row["snapshot"] == "h1" for row in table) == 1


def test_footer_and_metadata_agree(result):
    assert read_fingerprint(result) == FINGERPRINT == read_metadata(result)["fingerprint"]


@pytest.mark.parametrize("keep", [0, 3, 10, -100, -8, -1])
def test_truncated_result_has_no_fingerprint(result, keep):
    result.write_bytes(result.read_bytes()[:keep])
    assert read_fingerprint(result) is None
    with pytest.raises(ResultError, match=r"result\.parquet"):
        read_metadata(result)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300))
def test_no_bytes_pass_for_a_result(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("r") / "result.parquet"
    for bytes_ in (content, b"PAR1" + content, b"PAR1" + content + b"PAR1"):
        path.write_bytes(bytes_)
        assert read_fingerprint(path) is None


def test_missing_file_and_folder_have_no_fingerprint(tmp_path):
    assert read_fingerprint(tmp_path) is None
    assert read_fingerprint(tmp_path / "none") is None


def test_placeholder_is_readable_but_no_result(tmp_path):
    path = tmp_path / "result.parquet"
    write_placeholder(path, {"error": f'it said "fingerprint": "{FINGERPRINT}"'})
    assert read_fingerprint(path) is None
    assert read_result(path).num_rows == 0
    assert "failed" in read_metadata(path)


def test_failure_while_writing_leaves_the_old_result_and_no_debris(result):
    before = result.read_bytes()
    with pytest.raises(RuntimeError), ResultWriter(result, {}):
        raise RuntimeError
    assert result.read_bytes() == before
    assert [path.name for path in result.parent.iterdir()] == ["result.parquet"]


def test_no_room_on_disk_leaves_the_old_result_and_no_debris(result):
    before = result.read_bytes()
    solution = solve(MODEL, State(None, ()), "ac", {})
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write(result, solution, fingerprint="f" * 64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert result.read_bytes() == before
    assert [path.name for path in result.parent.iterdir()] == ["result.parquet"]


def test_many_snapshots_are_written_in_several_row_groups(tmp_path):
    solution = solve(MODEL, State(None, ()), "ac", {})
    write(tmp_path / "r", *[solution] * 10, rows_per_group=60)
    assert pq.ParquetFile(tmp_path / "r").num_row_groups == 4
    table = read_result(tmp_path / "r")
    assert table.num_rows == 10 * 25
    assert json.loads(pq.read_metadata(tmp_path / "r").metadata[b"gat_batch"])["status"] == "ok"


def test_only_large_row_groups_with_the_columns_of_results_are_copied(tmp_path):
    values = np.random.default_rng(1).random(25_000)
    rows = pa.Table.from_pydict({"vm_pu": values}, pa.schema({"vm_pu": pa.float64()}))
    empty = [pa.nulls(len(rows), field.type) for field in RESULT_SCHEMA]
    empty[RESULT_SCHEMA.get_field_index("vm_pu")] = rows["vm_pu"]
    whole = pa.Table.from_arrays(empty, schema=RESULT_SCHEMA)
    path = tmp_path / "result.parquet"
    with ResultWriter(path, {"fingerprint": "0" * 64}, rows_per_group=25_000) as writer:
        writer.add_rows(whole)
        writer.add_rows(whole.slice(0, 19_999))
    assert [(n, group.rows) for n, group in large_groups(path).items()] == [(0, 25_000)]
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert large_groups(path) == {}
    pq.write_table(rows, path)
    assert large_groups(path) == {}
    pq.write_table(whole, path, write_page_index=True)
    assert large_groups(path) == {}
    assert large_groups(tmp_path / "missing") == {}
