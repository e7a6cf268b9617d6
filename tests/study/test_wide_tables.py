"""Tables with a column for each element mean what tables with a row for each do."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pandapower
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gat_batch.errors import GatBatchError
from gat_batch.files import workbooks
from gat_batch.files.columns import column_names
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.state import scenario_states
from gat_batch.scenarios.profiles import read_profiles
from gat_batch.study.injection_tables import read_injections, read_shared
from gat_batch.study.wide_tables import recognised_wide


@pytest.fixture
def index():
    net = pandapower.create_empty_network()
    for _ in range(3):
        pandapower.create_bus(net, 110.0)
    pandapower.create_ext_grid(net, 0)
    for number, name in ((7, "north"), (3, "south"), (4, "east")):
        pandapower.create_load(net, 1, 10.0, 5.0, name=name, index=number)
    pandapower.create_gen(net, 2, 20.0, name="steam", index=2)
    pandapower.create_sgen(net, 2, 8.0, 1.0, name="sun", index=2)
    pandapower.create_sgen(net, 2, 4.0, 2.0, name="wind", index=5)
    return ElementIndex(net)


SCENARIO = SimpleNamespace(load_scale=1.0, gen_scale=1.0, outages=())


def written(path, content):
    if path.suffix == ".xlsx":
        pytest.importorskip("openpyxl", reason="openpyxl isn't installed")
        content.to_excel(path, index=False)
    elif path.suffix == ".parquet":
        content.to_parquet(path, index=False)
    else:
        path.write_text(content, encoding="utf-8")
    return path


def states(index, loads=None, gens=None):
    """Snapshot -> column -> values, of tables read from files."""
    loads = loads and read_injections(loads, "load")
    gens = gens and read_injections(gens, "gen")
    return {
        state.snapshot: {
            (change.element, change.column): change.values.tolist() for change in state.changes
        }
        for state in scenario_states(index, SCENARIO, loads, gens)
    }


def test_wide_loads_are_the_long_ones(tmp_path, index):
    wide = "time,north,3 q_mvar,3,load:east\n00:00,1,2.5,4,\n00:15,2,,-5,8\n"
    long = (
        "snapshot,load,p_mw,q_mvar\n00:00,7,1,\n00:00,south,4,2.5\n00:15,7,2,\n00:15,south,-5,\n"
        "00:15,4,8,\n"
    )
    one = states(index, written(tmp_path / "wide.csv", wide))
    assert one == states(index, written(tmp_path / "long.csv", long))
    assert one["00:15"]["load", "p_mw"] == [2, -5, 8]


def test_semicolons_and_decimal_commas(tmp_path, index):
    text = "snapshot;north;south q_mvar\n01.02.2030 00:00;1,5;2,5\n"
    (columns,) = states(index, written(tmp_path / "wide.csv", text)).values()
    assert columns["load", "p_mw"] == [1.5, 10, 10]
    assert columns["load", "q_mvar"] == [0.75, 2.5, 5]


def test_generators_static_or_not(tmp_path, index):
    text = "snapshot,steam,steam vm_pu,sgen:2,wind,wind q_mvar\na,11,1.02,12,13,3\nb,,,1,2,\n"
    found = states(index, gens=written(tmp_path / "wide.csv", text))
    assert found["a"]["gen", "p_mw"] == [11]
    assert found["a"]["gen", "vm_pu"] == [1.02]
    assert found["a"]["sgen", "p_mw"] == [12, 13]
    assert found["a"]["sgen", "q_mvar"] == [1.5, 3]
    assert found["b"]["gen", "p_mw"] == [20]
    assert found["b"]["sgen", "q_mvar"] == [0.125, 1]


def test_buses(tmp_path, index):
    found = states(index, written(tmp_path / "wide.csv", "time,bus:1\na,60\n"))
    assert found["a"]["load", "p_mw"] == [20, 20, 20]


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_numbers_and_times_of_excel_and_parquet(tmp_path, index, suffix):
    times = [datetime(2030, 1, 1, hour) for hour in (0, 1)]
    names = [time.isoformat(timespec="seconds") for time in times]
    wide = pd.DataFrame(
        {"time": times if suffix == ".xlsx" else names, "7": [1, 2], "south": [4.5, None]}
    )
    found = states(index, written(tmp_path / f"wide{suffix}", wide))
    assert list(found) == names
    assert found[names[1]]["load", "p_mw"] == [2, 10, 10]
    long = pd.DataFrame({"load": [7, 3], "p_mw": [1, 4.5], "snapshot": names[:1] * 2})
    assert states(index, written(tmp_path / f"long{suffix}", long)) == {names[0]: found[names[0]]}


def test_cells_of_a_workbook(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl isn't installed")
    book = openpyxl.Workbook()
    for row in (["load", "p_mw", None], ["a", 1, " "], [3, "x", None], [None, None, None]):
        book.active.append(row)
    book.create_sheet("other").append(["not", "read"])
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(GatBatchError, match=r"t\.xlsx: row 3: p_mw is 'x'"):
        read_injections(tmp_path / "t.xlsx", "load")
    book.active["B3"] = 4.5
    book.active["D1"] = "p_mw"
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(GatBatchError, match="column 3 has no name"):
        read_injections(tmp_path / "t.xlsx", "load")
    book.active["C1"], book.active["D1"] = "q_mvar", None
    book.save(tmp_path / "t.xlsx")
    assert read_injections(tmp_path / "t.xlsx", "load").labels == ("a", "3")


def test_profiles_of_a_workbook_are_those_of_a_csv(tmp_path):
    frame = pd.DataFrame({"time": [0, 1, 2], "a": [0.5, 1.0, 0.0]})
    frame.to_csv(tmp_path / "p.csv", index=False)
    one = read_profiles(tmp_path / "p.csv")
    other = read_profiles(written(tmp_path / "p.xlsx", frame))
    assert one.times == other.times == ("0", "1", "2")
    np.testing.assert_array_equal(one.columns["a"], other.columns["a"])


def test_names_are_read_without_the_rows(tmp_path):
    text = '\ufeff\n"a; b" ;c\r\n1;\xff\n'
    assert column_names(written(tmp_path / "t.csv", text)) == ["a; b", "c"]


def test_a_workbook_that_is_none_or_too_large_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("openpyxl", reason="openpyxl isn't installed")
    file = tmp_path / "t.xlsx"
    file.write_bytes(b"load,p_mw\n1,2\n")
    with pytest.raises(GatBatchError, match="is not an Excel workbook"):
        read_injections(file, "load")
    written(file, pd.DataFrame({"load": [1], "p_mw": [2]}))
    monkeypatch.setattr(workbooks, "MOST_BYTES", 2000)
    with pytest.raises(GatBatchError, match="more than the 0 that are read"):
        read_injections(file, "load")


@pytest.mark.parametrize(
    ("kind", "text", "fragments"),
    [
        ("load", "time,nort\na,1\n", ["column 'nort'", "nort"]),
        ("load", "time,north\na,1\na,2\n", ["row 3: 'a' stands in row 2 already"]),
        ("load", "time,north\na,x\n", ["row 2: north is 'x'", "a finite number"]),
        ("load", "time,north\na,1\nb,\n", ["row 3 gives no value"]),
        ("load", "time,north,south\na,1,\n", ["column 'south' gives no value"]),
        ("load", "time,north,north p_mw\na,1,2\n", ["'north' and 'north p_mw' give the same"]),
        ("load", "time,north,7\na,1,2\n", ["named in two ways"]),
        ("load", "time,snapshot,north\na,a,1\n", ["has the columns time and snapshot"]),
        ("load", "time\na\n", ["names no elements"]),
        ("load", "time,north,bus:1\na,1,2\n", ["'bus:1' is for a bus"]),
        ("gen", "time,2\na,1\n", ["column '2': both a gen and an sgen", "sgen:2"]),
        ("gen", "time,steam,gen:2\na,1,2\n", ["gen 2 is 'steam' already"]),
        ("gen", "time,steam q_mvar\na,1\n", ["column 'steam': a gen has no q_mvar"]),
        ("gen", "time,sun,sun vm_pu\na,1,1\n", ["column 'sun': an sgen has no vm_pu"]),
        ("gen", "time,steam vm_pu\na,-1\n", ["steam vm_pu is '-1'", "positive"]),
        ("gen", "time,gas\na,1\n", ["column 'gas'", "gen", "sgen"]),
    ],
)
def test_what_is_wrong_is_said_where(tmp_path, index, kind, text, fragments):
    file = written(tmp_path / "wide.csv", text)
    with pytest.raises(GatBatchError) as caught:
        states(index, **{f"{kind}s": file})
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_scenarios_share_a_wide_table(tmp_path):
    text = "scenario,time,north,south\nx,a,1,2\ny,a,3,\nx,b,5,6\n"
    shared = read_shared(written(tmp_path / "wide.csv", text), "load")
    rows = shared.rows_of("x")
    assert rows.snapshots == ("a", "b")
    assert rows.values["p_mw"].tolist() == [1, 2, 5, 6]
    assert rows.labels == ("north", "south")
    assert shared.rows_of("y").labels == ("north",)
    assert rows.row(3) == "row 4"
    with pytest.raises(GatBatchError, match="row 4: 'a' stands in row 2 already"):
        read_shared(written(tmp_path / "again.csv", text.replace("x,b", "x,a")), "load")


def test_what_was_recognised_is_said(tmp_path):
    wide = written(tmp_path / "wide.csv", "time,a\nx,1\n")
    long = written(tmp_path / "long.csv", "load,p_mw\n1,1\n")
    missing = tmp_path / "missing.csv"
    said = recognised_wide([(path, "load") for path in (long, missing, wide, wide)])
    assert said == "wide.csv: a column for each element, a row for each snapshot"
    assert recognised_wide([(long, "load")]) is None


numbers = st.floats(-1e3, 1e3) | st.just(np.nan)


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=5))
def test_both_forms_of_any_values_are_one(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("wide")
    frame = pd.DataFrame(rows, columns=["north", "south", "south q_mvar"])
    if frame.isna().all(axis=0).any() or frame.isna().all(axis=1).any():
        return
    frame.insert(0, "time", [f"t{row}" for row in range(len(rows))])
    frame.to_csv(folder / "wide.csv", index=False)
    long = [
        (f"t{row}", load, p_mw, q_mvar)
        for row, (north, south, q_south) in enumerate(rows)
        for load, p_mw, q_mvar in (("north", north, np.nan), ("south", south, q_south))
        if not np.isnan([p_mw, q_mvar]).all()
    ]
    columns = ["snapshot", "load", "p_mw", "q_mvar"]
    pd.DataFrame(long, columns=columns).to_csv(folder / "long.csv", index=False)
    one, other = (read_injections(folder / f"{name}.csv", "load") for name in ("wide", "long"))
    label = [one.labels[code] for code in one.label]
    assert label == [other.labels[code] for code in other.label]
    assert one.snapshots == other.snapshots
    for name, values in one.values.items():
        np.testing.assert_equal(values, other.values[name])
