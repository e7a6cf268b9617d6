"""Tables are read as written, or refused with file, row and column."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gat_batch.errors import GatBatchError
from gat_batch.files import csv_files
from gat_batch.files.csv_files import write_csv
from gat_batch.study.injection_tables import read_injections, read_shared
from gat_batch.study.injections import InjectionTable


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_is_read_with_its_gaps(tmp_path):
    text = '\ufeffload,p_mw,q_mvar\r\n4, 1.5 ,\r\n"a, b",-2,0.25\r\n'
    table = read_injections(write(tmp_path / "t.csv", text), "load")
    assert table.element == "load"
    assert [table.labels[code] for code in table.label] == ["4", "a, b"]
    assert list(table.values["p_mw"]) == [1.5, -2.0]
    np.testing.assert_equal(table.values["q_mvar"], [np.nan, 0.25])
    assert table.snapshots == ()


@pytest.mark.parametrize("small", [True, False])
def test_semicolons_and_decimal_commas_are_read(tmp_path, monkeypatch, small):
    monkeypatch.setattr(csv_files, "SMALL", csv_files.SMALL if small else 0)
    text = '\ufeffload;p_mw;q_mvar;snapshot\r\n4;1,5;;01.02.2030 00:15\r\n"a; b";-2;+0,25e1;x\r\n'
    table = read_injections(write(tmp_path / "t.csv", text), "load")
    assert table.labels == ("4", "a; b")
    assert list(table.values["p_mw"]) == [1.5, -2.0]
    np.testing.assert_equal(table.values["q_mvar"], [np.nan, 2.5])
    assert table.snapshots == ("01.02.2030 00:15", "x")


@given(st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 6)), min_size=1, max_size=20))
@settings(deadline=None)
def test_numbers_with_commas_are_those_with_points(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("tables")
    texts = [f"{value:.6f}" for value in values]
    points = "".join(f"{row},{text}\n" for row, text in enumerate(texts))
    commas = "".join(f"{row};{text.replace('.', ',')}\n" for row, text in enumerate(texts))
    one = read_injections(write(folder / "a.csv", f"load,p_mw\n{points}"), "load")
    other = read_injections(write(folder / "b.csv", f"load;p_mw\n{commas}"), "load")
    assert list(one.values["p_mw"]) == list(other.values["p_mw"])


def test_snapshots_keep_the_order_of_their_appearance(tmp_path):
    text = "bus,p_mw,snapshot\n1,5,b\n1,6,a\n2,7,b\n2,8,a\n"
    table = read_injections(write(tmp_path / "t.csv", text), "load")
    assert table.snapshots == ("b", "a")
    assert list(table.snapshot) == [0, 1, 0, 1]


def test_parquet_and_csv_are_the_same_table(tmp_path):
    hours = pd.date_range("2030-01-01", periods=3, freq="h")
    data = pd.DataFrame({"gen": [0, 0, 0], "p_mw": [1, 2, 3], "vm_pu": 1.02, "snapshot": hours})
    data.to_parquet(tmp_path / "t.parquet")
    data.to_csv(tmp_path / "t.csv", index=False, date_format="%Y-%m-%d %H:%M:%S")
    tables = [read_injections(tmp_path / name, "gen") for name in ("t.parquet", "t.csv")]
    for table in tables:
        assert table.labels == ("0",)
        assert list(table.values["p_mw"]) == [1.0, 2.0, 3.0]
        assert [name[:19] for name in table.snapshots] == [str(hour) for hour in hours]


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("", ["empty"]),
        ("load,p_mw\n", ["no rows"]),
        ("load,p_mw\n1,2,3\n", ["line 2 has 3 cells", "names 2", "decimal comma"]),
        ("load,p_mw\n1,2\n3\n", ["line 3 has 1 cells", "names 2"]),
        ("load;p_mw;q_mvar\n0;10,5;3.2\n", ["row 2", "p_mw", "'10,5'"]),
        ("load;p_mw\n0;1.234,5\n", ["row 2", "p_mw", "'1.234,5'", "between thousands"]),
        ("load;p_mw\n0;1,2,3\n", ["row 2", "p_mw", "'1,2,3'"]),
        ("load;p_mw\n0;1;2\n", ["line 2 has 3 cells, the first line names 2"]),
        ("load\tp_mw\n0\t10.5\n", ["separated by tabs (save"]),
        ("load|p_mw\n0|1,5\n", ["separated by bars and has decimal commas"]),
        ('load,p_mw\n0,"10,5"\n', ["row 2", "'10,5'"]),
        ("load,load,p_mw\n1,1,2\n", ["load", "2 times"]),
        ("p_mw\n1\n", ["names no elements"]),
        ("load,bus,p_mw\n1,1,1\n", ["load and bus"]),
        ("load\n1\n", ["changes nothing"]),
        ("load,p_kw\n1,1\n", ["p_kw", "did you mean 'p_mw'"]),
        ("load,p_mw\n1,1\n,2\n", ["row 3", "load is empty"]),
        ("load,p_mw\n1,inf\n", ["row 2", "p_mw", "'inf'"]),
        ("load,p_mw\n1,NaN\n", ["row 2", "'NaN'"]),
        ("load,p_mw\n1,1e999\n", ["row 2", "1e999"]),
        ("load,p_mw\n1,2\n3,x\n", ["row 3", "'x'"]),
        ("load,p_mw\n1,1_000\n", ["row 2", "'1_000'"]),
        ("load,p_mw\n1,2\n1,3\n", ["row 3", "stands in row 2"]),
        ("load,p_mw,snapshot\n1,2,a\n2,3,\n", ["row 3", "snapshot is empty"]),
        ("load,p_mw,snapshot\n1,2,a\n1,3,a\n", ["row 3"]),
    ],
)
def test_faulty_load_table_is_refused(tmp_path, text, fragments):
    with pytest.raises(GatBatchError) as caught:
        read_injections(write(tmp_path / "t.csv", text), "load")
    for fragment in ["t.csv", *fragments]:
        assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("load,p_mw\n1,2\n".encode("utf-16"), "UTF-16"),
        ("load,p_mw\nWäldchen,2\n".encode("latin-1"), "line 2: byte 0xe4"),
        (b"PK\x03\x04rest of a workbook", "Excel workbook"),
    ],
)
def test_load_table_in_another_coding_is_said_to_be(tmp_path, content, fragment):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(GatBatchError, match=fragment):
        read_injections(tmp_path / "t.csv", "load")


def test_large_file_is_refused_by_the_line_too(tmp_path):
    text = "load,p_mw\n" + "1,2\n" * 20_000 + "1,2,5\n"
    with pytest.raises(GatBatchError, match="line 20002 has 3 cells, the first line names 2"):
        read_injections(write(tmp_path / "t.csv", text), "load")


def test_blank_lines_before_the_names_are_passed_over(tmp_path):
    table = read_injections(write(tmp_path / "t.csv", "\n\nload,p_mw\n0,5\n"), "load")
    assert list(table.values["p_mw"]) == [5.0]


def test_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "t.csv").write_text("load,p_mw\n1,2\n", encoding="utf-8-sig")
    assert read_injections(tmp_path / "t.csv", "load").labels == ("1",)


@given(
    cells=st.lists(
        st.tuples(st.text(st.characters(categories=["L", "N", "P", "Zs"])), st.floats().map(str)),
        max_size=20,
    ),
    separator=st.sampled_from(",;"),
)
def test_small_and_large_files_are_read_alike(cells, separator):
    file = io.StringIO()
    csv.writer(file, delimiter=separator, lineterminator="\n").writerows([("load", "p_mw"), *cells])
    text = file.getvalue()
    path = Path("t.csv")
    large = csv_files._large(text, separator, ["load", "p_mw"], path)
    assert csv_files._small(text, separator, path).equals(large)


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_no_text_of_a_csv_is_a_formula(tmp_path_factory, texts):
    texts = [*texts, "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "plain", "'quoted"]
    table = pa.table({"text": pa.array(texts), "number": [-1.5] * len(texts)})
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    write_csv(table, path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [float(number) for _, number in rows] == [-1.5] * len(texts)
    for text, (cell, _) in zip(texts, rows, strict=True):
        assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}
        assert cell == (f"'{text}" if text[:1] in set("=+-@\t\r\n") else text)


def test_faulty_voltage_is_refused(tmp_path):
    with pytest.raises(GatBatchError, match="row 2: vm_pu is '-1'"):
        read_injections(write(tmp_path / "t.csv", "gen,vm_pu\n1,-1\n"), "gen")


def test_many_faults_are_counted(tmp_path):
    text = "load,p_mw\n" + "".join(f"{n},x\n" for n in range(500))
    with pytest.raises(GatBatchError) as caught:
        read_injections(write(tmp_path / "t.csv", text), "load")
    assert "and 480 more faults" in str(caught.value)


def test_parquet_of_other_types_is_refused(tmp_path):
    table = pa.table({"load": [[1], [2]], "p_mw": [True, False]})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(GatBatchError) as caught:
        read_injections(tmp_path / "t.parquet", "load")
    assert "load: is of type" in str(caught.value)
    assert "p_mw: is of type bool" in str(caught.value)


def test_directory_and_missing_file_are_refused(tmp_path):
    for name, text in ((".", "folder"), ("none.csv", "no such file")):
        with pytest.raises(GatBatchError, match=text):
            read_injections(tmp_path / name, "load")


SHARED = "scenario,load,p_mw,snapshot\na,4,1,x\nb,5,3,x\na,6,2,y\nb,4,4,x\n"


def test_scenarios_share_a_table(tmp_path):
    path = write(tmp_path / "t.csv", SHARED)
    first, second = (read_injections(path, "load", name) for name in "ab")
    assert (first.labels, list(first.values["p_mw"])) == (("4", "6"), [1, 2])
    assert (first.snapshots, list(first.snapshot)) == (("x", "y"), [0, 1])
    assert (second.labels, second.snapshots) == (("5", "4"), ("x",))
    assert [first.row(n) for n in (0, 1)] == ["row 2", "row 4"]
    with pytest.raises(GatBatchError, match="no row has 'c'"):
        read_injections(path, "load", "c")
    with pytest.raises(GatBatchError, match="say which rows are meant"):
        read_injections(path, "load")
    with pytest.raises(GatBatchError, match="the column is missing"):
        read_injections(write(tmp_path / "own.csv", "load,p_mw\n1,2\n"), "load", "a")
    with pytest.raises(GatBatchError, match="row 5: load '4' stands in row 2 already"):
        read_injections(write(tmp_path / "t.csv", SHARED.replace("b,4,4", "a,4,4")), "load", "a")


def test_digest_of_a_scenario_knows_its_own_rows_only(tmp_path):
    def digests(text, name="t.csv"):
        return read_shared(write(tmp_path / name, text), "load").digests()

    before = digests(SHARED)
    assert before["a"] != before["b"]
    assert digests(SHARED.replace("b,4,4", "b,4,5"))["a"] == before["a"]
    assert digests(SHARED.replace("b,4,4", "b,4,5"))["b"] != before["b"]
    head, *rows = SHARED.splitlines()
    moved = "\n".join([head, "c,1,1,x", *rows[::2], *rows[1::2], ""])
    assert {name: digests(moved, "u.csv")[name] for name in "ab"} == before
    for change in (("a,6,2,y", "a,6,2,z"), ("a,6,2,y", "a,7,2,y"), ("a,6,2,y", "a,6,,y")):
        assert digests(SHARED.replace(*change))["a"] != before["a"]
    pd.read_csv(tmp_path / "u.csv").to_parquet(tmp_path / "u.parquet")
    stored = read_shared(tmp_path / "u.parquet", "load").digests()
    assert {name: stored[name] for name in "ab"} == before


CELLS = st.one_of(
    st.sampled_from(["load", "bus", "gen", "p_mw", "q_mvar", "snapshot", "", "1", "2", "nan"]),
    st.sampled_from(["scenario", "a", "b"]),
    st.floats().map(str),
    st.text(max_size=5),
)
TEXTS = st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=6).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(TEXTS, st.text()), kind=st.sampled_from(["load", "gen"]))
def test_no_text_ends_in_a_traceback(tmp_path_factory, text, kind):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert_table_or_fault(path, kind)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".parquet"]))
def test_no_bytes_end_in_a_traceback(tmp_path_factory, content, suffix):
    path = tmp_path_factory.mktemp("t") / f"t{suffix}"
    path.write_bytes(content)
    assert_table_or_fault(path, "load")


def assert_table_or_fault(path, kind):
    try:
        table = read_injections(path, kind)
    except GatBatchError as error:
        message = str(error)
    else:
        message = path.name
        assert isinstance(table, InjectionTable)
        assert len(table.label) == len(table.snapshot) > 0
        assert not any(np.isinf(values).any() for values in table.values.values())
    assert path.name in message
    try:
        shared = read_shared(path, kind)
    except GatBatchError as error:
        message = str(error)
    else:
        assert set(shared.digests()) == set(shared.scenarios)
    assert path.name in message
