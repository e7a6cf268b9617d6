"""Contingencies that PSS/E's files describe are those elements of the grid, or an error."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace

import pandapower
import pandapower.toolbox
import pandas as pd
import pytest
from conftest import SHARED_GRIDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from power_flow_studies import grid

from gat_batch.errors import TableError
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.study.con_files import Opened, read_con, read_sub
from gat_batch.study.scenario import Contingencies

RAW = SHARED_GRIDS / "psse" / "IEEE_14_bus.raw"

STUDY = """
/ what the planner wrote
CONTINGENCY 'line 1-5 / and the machine at 3'
OPEN BRANCH FROM BUS 5 TO BUS 1 CKT 1     / from either end
REMOVE MACHINE 1 FROM BUS 3
END
CONTINGENCY TRAFO
TRIP LINE FROM BUS 4 TO BUS 9
END
CONTINGENCY BUSES
DISCONNECT BUS 14
REMOVE LOAD 1 FROM BUS 13
END
SINGLE MACHINE IN SUBSYSTEM 'south'
END
"""

SOUTH = """
SUBSYSTEM 'South'
BUSES 1 2
JOIN 'one group'
AREA 1
KVRANGE 0.1 200
BUS 6
END
END
END
"""


def numbered():
    """The grid case14 as a RAW file would name it: buses from 1, circuits at the end."""
    net = grid("case14")
    pandapower.toolbox.reindex_buses(net, {bus: bus + 1 for bus in net.bus.index})
    net.bus["name"] = None
    net.line["name"] = [
        f"{a}-{b}-1" for a, b in zip(net.line.from_bus, net.line.to_bus, strict=True)
    ]
    net.trafo["name"] = [
        f"{a}-{b}-1" for a, b in zip(net.trafo.hv_bus, net.trafo.lv_bus, strict=True)
    ]
    for element in ("gen", "load"):
        net[element]["name"] = [f"{bus}-1" for bus in net[element]["bus"]]
    net.bus["area"] = 1
    net.bus = net.bus.drop(columns="zone")
    return net


def names(net, tmp_path, con, sub=None):
    file = tmp_path / "study.con"
    file.write_text(con)
    if sub is not None:
        (tmp_path / "study.sub").write_text(sub)
    return [one.name for one in contingencies_of(ElementIndex(net), Contingencies(sets=file))]


def label(net, element, name):
    (index,) = net[element].index[net[element]["name"] == name]
    return f"{element}:{index}"


def test_named_and_automatic_contingencies_are_those_elements(tmp_path):
    net = numbered()
    assert names(net, tmp_path, STUDY, SOUTH) == [
        label(net, "line", "1-5-1") + "+" + label(net, "gen", "3-1"),
        label(net, "trafo", "4-9-1"),
        label(net, "load", "13-1") + "+bus:14",
        label(net, "gen", "2-1"),
        label(net, "gen", "6-1"),
    ]


def test_parallel_circuits_are_told_apart(tmp_path):
    net = numbered()
    second = pandapower.create_line(net, 5, 1, 1.0, net.line.std_type.iloc[0] or "NAYY 4x50 SE")
    net.line.loc[second, "name"] = "5-1-B1"
    con = "CONTINGENCY A\nOPEN LINE FROM BUS 1 TO BUS 5 CIRCUIT {}\nEND\n"
    assert names(net, tmp_path, con.format("B1")) == [f"line:{second}"]
    assert names(net, tmp_path, con.format("1")) == [label(net, "line", "1-5-1")]
    with pytest.raises(TableError, match="line 2: there is no branch 2 at 1-5"):
        names(net, tmp_path, con.format("2"))


def test_identifiers_are_never_guessed(tmp_path):
    """A grid without them has only elements that nothing is parallel to."""
    net = numbered()
    net.line["name"] = None
    con = "CONTINGENCY A\nOPEN LINE FROM BUS 1 TO BUS 5 CKT {}\nEND\n"
    (only,) = net.line.index[(net.line.from_bus == 1) & (net.line.to_bus == 5)]
    assert names(net, tmp_path, con.format("1")) == [f"line:{only}"]
    with pytest.raises(TableError, match="no branch 2"):
        names(net, tmp_path, con.format("2"))
    pandapower.create_line(net, 1, 5, 1.0, "NAYY 4x50 SE")
    with pytest.raises(TableError, match="identifiers"):
        names(net, tmp_path, con.format("1"))


def test_branches_and_ties_of_a_subsystem(tmp_path):
    net = numbered()
    inside = {1, 2, 3, 4, 5}
    sub = "SUBSYSTEM A\nBUSES 1 5\nEND\nEND\n"
    branches = {
        f"{element}:{index}": len(inside & {int(a), int(b)})
        for element, sides in (("line", ["from_bus", "to_bus"]), ("trafo", ["hv_bus", "lv_bus"]))
        for index, a, b in net[element][sides].itertuples()
    }
    own = [name for name, ends in branches.items() if ends == 2]
    ties = [name for name, ends in branches.items() if ends == 1]
    assert len(own) == 7
    assert len(ties) == 3
    assert names(net, tmp_path, "SINGLE BRANCH IN SUBSYSTEM A\n", sub) == own
    assert names(net, tmp_path, "SINGLE TIE FROM SUBSYSTEM A\n", sub) == ties
    pairs = names(net, tmp_path, "DOUBLE LINE IN SYSTEM A\nEND\n", sub)
    assert len(pairs) == len(own) * (len(own) - 1) // 2
    assert all(set(pair.split("+")) <= set(own) for pair in pairs)


@pytest.mark.parametrize(
    ("con", "told"),
    [
        ("CONTINGENCY A\nOPEN LINE FROM BUS 1 TO BUS 99\nEND\n", "line 2: there is no bus '99'"),
        ("CONTINGENCY A\nREMOVE MACHINE 1 FROM BUS 1\nEND\n", "line 2: .*external grid"),
        ("CONTINGENCY A\nDECREASE BUS 3 LOAD BY 10 PERCENT\nEND\n", "line 2: 'DECREASE"),
        ("CONTINGENCY A\nEND\n", "line 2: .*takes nothing out"),
        ("CONTINGENCY A\nDISCONNECT BUS 3\n", "no END"),
        ("CONTINGENCY A\nDISCONNECT BUS 3\nCONTINGENCY B\n", "line 3: .*no END"),
        ("SINGLE BRANCH IN SUBSYSTEM north\n", "line 1: there is no subsystem 'NORTH'"),
        ("PARALLEL BRANCH IN SUBSYSTEM south\n", "line 1: 'PARALLEL"),
        ("SINGLE BRANCH\n", "line 1"),
        ("END\n", "holds no contingency"),
        ("OPEN\n", "line 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(con, told, tmp_path):
    with pytest.raises(TableError, match=told):
        names(numbered(), tmp_path, con, SOUTH)


@pytest.mark.parametrize(
    ("sub", "told"),
    [
        ("SUBSYSTEM A\nBUS one\nEND\n", "line 2: .*a number is needed"),
        ("SUBSYSTEM A\nOWNER 3\nEND\n", "line 2: 'OWNER 3'"),
        ("SUBSYSTEM A\nBUS 3\n", "no END"),
        ("SUBSYSTEM A\nZONE 3\nEND\n", "doesn't say which zone"),
    ],
)
def test_what_is_wrong_in_a_subsystem_is_named_with_its_line(sub, told, tmp_path):
    with pytest.raises(TableError, match=told):
        names(numbered(), tmp_path, "SINGLE BUS IN SUBSYSTEM A\n", sub)


def test_a_statement_keeps_its_quoted_slash(tmp_path):
    file = tmp_path / "a.con"
    file.write_text(
        "CONTINGENCY 'a/b' / note\nOPEN LINE FROM BUS 'N/1' TO BUS 'N 2' CKT 2 / x\nEND"
    )
    (labelled,) = read_con(file)
    (opened,) = labelled.opened
    assert (opened.buses, opened.id, opened.line) == (("N/1", "N 2"), "2", 2)


FIRST = [
    "CONTINGENCY",
    "END",
    "OPEN",
    "REMOVE",
    "SINGLE",
    "SUBSYSTEM",
    "JOIN",
    "BUS",
    "KVRANGE",
    "/",
]
REST = [
    "LINE",
    "FROM",
    "BUS",
    "TO",
    "CKT",
    "MACHINE",
    "LOAD",
    "BRANCH",
    "IN",
    "1",
    "2",
    "x",
    "'",
    "/",
]
LINES = st.tuples(st.sampled_from(FIRST), st.lists(st.sampled_from([*FIRST, *REST]), max_size=8))


@given(st.lists(LINES, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_read_or_is_an_error_of_the_table(tmp_path, lines):
    file = tmp_path / "a.con"
    file.write_text("\n".join(" ".join([first, *rest]) for first, rest in lines))
    for read in (read_con, read_sub):
        with suppress(TableError):
            read(file)


BUS = st.integers(1, 999_999).map(str)
OPENED = st.one_of(
    st.builds(Opened, st.just("bus"), st.tuples(BUS), st.none(), st.just(0)),
    st.builds(
        Opened,
        st.sampled_from(["machine", "load"]),
        st.tuples(BUS),
        st.sampled_from(["1", "A", "B2"]),
        st.just(0),
    ),
    st.builds(
        Opened,
        st.just("branch"),
        st.one_of(st.tuples(BUS, BUS), st.tuples(BUS, BUS, BUS)),
        st.sampled_from([None, "1", "&1"]),
        st.just(0),
    ),
)


def statement(one):
    if one.kind == "bus":
        return f"DISCONNECT BUS {one.buses[0]}"
    if one.kind != "branch":
        return f"remove {one.kind} '{one.id}' from bus {one.buses[0]}"
    circuit = f" CIRCUIT {one.id}" if one.id else ""
    return f"OPEN BRANCH FROM BUS {' TO BUS '.join(one.buses)}{circuit} / as planned"


@given(st.lists(st.lists(OPENED, min_size=1, max_size=4), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_is_read(tmp_path, sets):
    file = tmp_path / "a.con"
    texts = ["CONTINGENCY c\n" + "\n".join(map(statement, one)) + "\nEND\n" for one in sets]
    file.write_text("".join(texts) + "END\n")
    assert [
        [replace(one, line=0) for one in found]
        for found in (labelled.opened for labelled in read_con(file))
    ] == sets


@pytest.mark.skipif(not RAW.is_file(), reason=f"{RAW} isn't there")
def test_a_batch_runs_them_and_again_when_the_subsystem_changes(workspace):
    pytest.importorskip("pypowsybl", reason="pypowsybl isn't installed")
    shutil.copy(RAW, workspace.path / "ieee14.raw")
    workspace.write("study.con", STUDY)
    workspace.write("study.sub", SOUTH)
    workspace.write(
        "manifest.json",
        {
            "grid": "ieee14.raw",
            "solver": "ac",
            "contingencies": "study.con",
            "scenarios": [{"id": "base"}, {"id": "high", "load_scale": 1.05}],
        },
    )
    workspace.configure()
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    first = pd.read_parquet(workspace.batch / "summary" / "contingencies.parquet")
    assert len(first) == 2 * 5
    assert set(first["status"]) <= {"ok", "islanded"}
    solved = workspace.solved()

    workspace.write("study.sub", SOUTH.replace("BUS 6", "BUS 8"))
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    second = pd.read_parquet(workspace.batch / "summary" / "contingencies.parquet")
    assert all(time > solved[name] for name, time in workspace.solved().items())
    (gone,) = set(first["contingency"]) - set(second["contingency"])
    (new,) = set(second["contingency"]) - set(first["contingency"])
    assert {gone.split(":")[0], new.split(":")[0]} == {"gen"}


def test_faults_of_the_files_end_the_plan(workspace):
    workspace.write("study.con", "CONTINGENCY A\nOPEN LINE FROM BUS 1 TO BUS 99\nEND\n")
    scenario = {"id": "a", "grid": "pandapower:case14", "contingencies": "study.con"}
    workspace.write("manifest.json", {"solver": "dc", "scenarios": [scenario]})
    workspace.configure()
    run = workspace.run("--dry-run")
    assert run.returncode != 0
    assert "study.con" in run.stderr
    assert "there is no bus '99'" in run.stderr
