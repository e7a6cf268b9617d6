"""Tables read together are those that each of them is alone, and what is at fault is read alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gat_batch.errors import GatBatchError
from gat_batch.study import injection_tables
from gat_batch.study.injection_tables import read_alike, read_injections

CELLS = st.one_of(
    st.floats(-1e3, 1e3).map(repr),
    st.sampled_from(["", "1", " 2 ", "1e3", "nan", "inf", "1_0", "x", "1,5", '"3"', "Ä", "0x1"]),
)
LABELS = st.sampled_from(["0", "1", "2", "01", " 1", "1 ", "", "Bus 1", "bus", "1.0"])
HEADS = st.sampled_from(
    [
        ("load", "p_mw", "q_mvar"),
        ("bus", "p_mw"),
        (" load ", "p_mw"),
        ("load", "snapshot", "p_mw"),
        ("load", "p_mw", "p_mw"),
        ("load", "scenario", "p_mw"),
        ("time", "1", "2"),
        ("load", "MW"),
        ("load",),
        ("load;p_mw",),
    ]
)
ENDS = st.sampled_from(["\n", "", "\r\n", "\n\n", ",\n"])


@st.composite
def some_tables(draw):
    """Texts of files, most of them of one form, some of others, some at fault."""
    heads, labels = (
        draw(st.lists(HEADS, min_size=1, max_size=2)),
        draw(st.lists(LABELS, max_size=3)),
    )
    texts = []
    for _ in range(draw(st.integers(1, 6))):
        head = draw(st.sampled_from(heads))
        own = draw(
            st.one_of(st.just(labels), st.permutations(labels), st.lists(LABELS, max_size=3))
        )
        rows = [[label, *(draw(CELLS) for _ in head[1:])] for label in own]
        lines = [",".join(row) for row in (head, *rows)]
        texts.append(draw(st.sampled_from(["\ufeff", "", ""])) + "\n".join(lines) + draw(ENDS))
    return texts


@given(texts=some_tables(), kind=st.sampled_from(["load", "gen"]))
def test_together_each_is_what_it_is_alone(tmp_path_factory, texts, kind):
    folder = tmp_path_factory.mktemp("tables")
    paths = [folder / f"{number}.csv" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    for path, together in read_alike(paths, kind).items():
        alone = read_injections(path, kind)
        assert (together.file, together.element) == (alone.file, alone.element)
        assert (together.labels, together.snapshots) == (alone.labels, alone.snapshots)
        assert together.values.keys() == alone.values.keys()
        for one, other in zip(together.values.values(), alone.values.values(), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(together.label, alone.label)
        np.testing.assert_array_equal(together.snapshot, alone.snapshot)
        assert (together.numbers, together.wide) == (alone.numbers, alone.wide)


def test_what_is_alike_is_read_together_and_the_rest_left_to_be_read_alone(tmp_path, monkeypatch):
    rows = "load,p_mw\n0,{}\n1,2.5\n"
    paths = [tmp_path / f"s{number}.csv" for number in range(50)]
    for number, path in enumerate(paths):
        path.write_text(rows.format(number))
    others = {
        "fault.csv": "load,p_mw\n0,x\n1,2.5\n",
        "twice.csv": "load,p_mw\n0,1\n0,2.5\n",
        "other_order.csv": "load,p_mw\n1,1\n0,2.5\n",
        "empty_row.csv": "load,p_mw\n0,\n1,2.5\n",
        "shorter.csv": "load,p_mw\n0,1\n",
        "header.csv": "load,p_mw\n",
        "header_too.csv": "load,p_mw\n",
        "other_columns.csv": "load,q_mvar\n0,1\n1,2\n",
        "quoted.csv": 'load,p_mw\n"0",1\n1,2\n',
        "day.csv": "load,snapshot,p_mw\n0,a,1\n0,b,2\n",
    }
    for name, text in others.items():
        (tmp_path / name).write_text(text)
    # What is alike is like the first one.
    paths += [tmp_path / name for name in (*others, "missing.csv")]
    # One at fault leaves all of its form to be read alone.
    assert read_alike(paths, "load") == {}
    known = [path for path in paths if path.name != "fault.csv"]
    monkeypatch.setattr(injection_tables, "read_columns", lambda _: pytest.fail("read alone"))
    found = read_alike(known, "load")
    assert {path.name for path in found} == {f"s{number}.csv" for number in range(50)}
    assert found[tmp_path / "s7.csv"].values["p_mw"].tolist() == [7.0, 2.5]


def test_a_fault_among_alike_tables_names_its_own_file_and_row(tmp_path):
    for number in range(5):
        value = "x" if number == 3 else number
        (tmp_path / f"s{number}.csv").write_text(f"load,p_mw\n0,1\n1,{value}\n")
    paths = sorted(tmp_path.glob("*.csv"))
    assert read_alike(paths, "load") == {}
    with pytest.raises(GatBatchError, match=r"s3\.csv: row 3: p_mw is 'x'"):
        read_injections(paths[3], "load")
