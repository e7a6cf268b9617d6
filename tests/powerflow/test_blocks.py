"""States solved together: no state's numbers depend on its block, and they are pandapower's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandapower
import pandas as pd
import pyarrow as pa
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from power_flow_studies import assert_same, grid

from gat_batch.errors import GatBatchError
from gat_batch.grids import grid_ref, read_grid
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State, applied
from gat_batch.model.violations import Limits
from gat_batch.powerflow.at_buses import add_at
from gat_batch.powerflow.solve import stacked
from gat_batch.results.kept import KeptRows
from gat_batch.results.reader import read_result
from gat_batch.results.writer import ResultWriter
from gat_batch.run.solving.base_cases import Summed, base_cases
from gat_batch.run.solving.state import Run
from gat_batch.solvers.study import Study

SHARED = ROOT.parent / "shared" / "grids" / "matpower"
GRIDS = ["case118", "example_multivoltage", "mv_oberrhein", "case_RTS_GMLC.m"]
HOURS = 23


def model_of(name):
    if not name.endswith(".m"):
        return prepare(grid(name))
    if not (SHARED / name).is_file():
        pytest.skip("the shared grids aren't here")
    return prepare(read_grid(grid_ref(str(SHARED / name), Path())))


def states_of(model, outage=None, hours=HOURS):
    """States with other loads, generation and setpoints, and one outage in all of them."""
    net, rng = model.net, np.random.default_rng(5)
    shared = ()
    if outage is not None:
        live = net[outage[0]]["in_service"].to_numpy(bool, copy=True)
        live[outage[1]] = False
        shared = (Change(outage[0], "in_service", live),)
    states = []
    for hour in range(hours):
        changes = []
        for element, names in (("load", ("p_mw", "q_mvar")), ("gen", ("p_mw", "vm_pu"))):
            spread = 0.2 if element == "load" else 0.01
            for name in names if len(net[element]) else ():
                factor = rng.uniform(1 - spread, 1.0, len(net[element]))
                changes.append(Change(element, name, net[element][name].to_numpy(float) * factor))
        if net.gen["bus"].duplicated().any():  # those at one bus hold one voltage
            changes = [change for change in changes if change.column != "vm_pu"]
        states.append(State(f"h{hour}", (*changes, *shared)))
    return states


def run_of(model, states, solver, keep="all", **options):
    criteria = {"": Criteria.of(model.net, Limits(30.0, (0.97, 1.03)))}
    return Run(
        scenario="year",
        model=model,
        study=Study(solver, options),
        states=lambda start=0, stop=None: iter(states[start:stop]),
        contingencies=(),
        criteria=criteria,
        kept=KeptRows(keep, "violations", criteria),
        screen=False,
        verify=0.0,
        timeout_secs=60.0,
    )


def solved(run):
    summed = Summed()
    tables = [table.to_pandas() for table in base_cases(run, summed)]
    return tables, summed


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("name", GRIDS)
def test_blocks_of_any_size_have_the_same_bits(name, solver):
    model = model_of(name)
    states = states_of(model)
    study = Study(solver, {})
    whole, block = study.solve_block(model, states)
    assert len(whole) == HOURS
    for size in (1, 2, 5, 8):
        for start in range(0, HOURS, size):
            numbers, part = study.solve_block(model, states[start : start + size])
            for n, number in enumerate(numbers):
                own, other = part.solution(n), block.solution(start + number)
                assert own.system == other.system
                assert (own.iterations, own.status) == (other.iterations, other.status)
                for element, quantities in other.elements.items():
                    for quantity, values in quantities.items():
                        np.testing.assert_array_equal(own.elements[element][quantity], values)
    for number in (0, HOURS - 1):
        alone = study.solve(model, states[number])
        assert alone.system == block.solution(number).system


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize(
    ("name", "outage"),
    [("case118", ("line", 6)), ("case118", ("gen", 3)), ("example_multivoltage", ("trafo", 0)),
     ("mv_oberrhein", ("line", 10)), ("case_RTS_GMLC.m", ("gen", 1))],
)  # fmt: skip
def test_states_of_a_block_are_pandapower_s(name, outage, solver):
    model = model_of(name)
    states = states_of(model, outage)
    study = Study(solver, {"tolerance_mva": 1e-9} if solver == "ac" else {})
    numbers, block = study.solve_block(model, states)
    assert len(numbers) == HOURS
    for number in (0, 7, HOURS - 1):
        with applied(model.net, states[number]):
            if solver == "dc":
                pandapower.rundcpp(model.net)
            else:
                pandapower.runpp(model.net, tolerance_mva=1e-9, numba=False)
            assert_same(block.solution(number), model.net, solver)


@pytest.mark.parametrize(
    "keep", ["all", "system", "violations", {"bus": ["vm_pu"], "line": ["i_ka"]}]
)
def test_rows_are_those_of_states_one_by_one(keep, monkeypatch):
    model = model_of("case118")
    run = run_of(model, states_of(model), "ac", keep)
    together, noted = solved(run)
    assert len(together) == 1
    monkeypatch.setattr("gat_batch.run.solving.base_cases.MOST_ROWS", 1)
    alone, others = solved(run)
    assert len(alone) == HOURS
    pd.testing.assert_frame_equal(
        together[0], pd.concat(alone, ignore_index=True), check_exact=True, check_dtype=False
    )
    assert noted == others


def test_a_state_without_a_solution_leaves_the_others_of_its_block_alone():
    model = model_of("case118")
    states = states_of(model, hours=9)
    scale = [replace(change, values=change.values * 50) for change in states[4].changes[:2]]
    states[4] = replace(states[4], changes=(*scale, *states[4].changes[2:]))
    tables, noted = solved(run_of(model, states, "ac"))
    assert len(tables) == 9
    system = [table.iloc[0] for table in tables]
    assert [row["snapshot"] for row in system] == [f"h{n}" for n in range(9)]
    assert [n for n, row in enumerate(system) if row["status"] != "ok"] == [4]
    assert noted.worst == 3
    assert noted.left == {"states": 1, "reason": noted.left["reason"]}


def test_states_of_two_topologies_are_no_block():
    model = model_of("case118")
    one, other = states_of(model, ("line", 3), 2), states_of(model, ("line", 4), 2)
    assert stacked([one[0], other[0]]) is None
    assert stacked([one[0], State("x", ())]) is None
    # The very same outage is no other topology.
    assert stacked(one) is not None


@pytest.mark.parametrize("options", [{"enforce_q_lims": True}, {"distributed_slack": True}])
def test_what_follows_the_solution_is_solved_one_by_one(options):
    model = model_of("case118")
    model.net.gen["slack_weight"] = 1.0
    numbers, block = Study("ac", options).solve_block(model, states_of(model, hours=3))
    assert block is None
    assert not len(numbers)
    tables, _ = solved(run_of(model, states_of(model, hours=3), "ac", **options))
    assert len(tables) == 3


@given(st.data())
def test_sums_at_buses_are_those_of_one_state_after_the_other(data):
    buses = data.draw(st.integers(1, 6))
    rows = np.array(data.draw(st.lists(st.integers(0, buses - 1), max_size=12)), np.int64)
    states = data.draw(st.integers(1, 9))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    shape = (states, len(rows)) if data.draw(st.booleans()) else (len(rows),)
    values = rng.normal(size=shape) * 10.0 ** rng.integers(-8, 8, shape)
    total = rng.normal(size=(states, buses))
    expected = total.copy()
    for state in range(states):
        np.add.at(expected[state], rows, np.broadcast_to(values, (states, len(rows)))[state])
    add_at(total, rows, values)
    np.testing.assert_array_equal(total, expected)


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_a_grid_of_one_bus_is_solved(solver):
    net = pandapower.create_empty_network()
    bus = pandapower.create_bus(net, 110.0)
    pandapower.create_ext_grid(net, bus)
    pandapower.create_load(net, bus, 1.0)
    model = prepare(net)
    (table,), noted = solved(run_of(model, [State("x", ())], solver))
    assert noted.worst == 0
    assert table.loc[table["element"] == "ext_grid", "p_mw"].tolist() == [1.0]


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_a_transformer_that_is_out_beside_another_has_no_loading(solver):
    net = grid("example_multivoltage")
    row = net.trafo3w.iloc[0]
    net.trafo3w.loc[7] = row
    model = prepare(net)
    live = np.array([True, False])
    solution = Study(solver, {}).solve(model, State("x", (Change("trafo3w", "in_service", live),)))
    net.trafo3w["in_service"] = live
    pandapower.runpp(net, numba=False) if solver == "ac" else pandapower.rundcpp(net)
    expected = net.res_trafo3w["loading_percent"].to_numpy()
    assert expected[1] == 0
    found = solution.elements["trafo3w"]["loading_percent"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_data_at_fault_name_their_snapshot():
    net = grid("case9")
    pandapower.create_gen(net, net.gen["bus"].iloc[0], 1.0, vm_pu=1.0)
    model = prepare(net)
    setpoints = [np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.05])]
    states = [State(f"h{n}", (Change("gen", "vm_pu", vm),)) for n, vm in enumerate(setpoints)]
    with pytest.raises(GatBatchError, match="snapshot h1: pandapower can't solve this grid"):
        solved(run_of(model, states, "ac"))


def test_single_rows_don_t_pile_up(tmp_path, monkeypatch):
    monkeypatch.setattr("gat_batch.results.writer.MOST_BATCHES", 3)
    model = model_of("case118")
    run = run_of(model, states_of(model, hours=23), "ac", "system", enforce_q_lims=True)
    path = tmp_path / "result.parquet"
    with ResultWriter(path, {"fingerprint": "0" * 64}) as writer:
        tables = []
        for rows in base_cases(run, Summed()):
            tables.append(rows)
            writer.add_rows(rows)
            assert len(writer._batches) - writer._merged <= 3 + 2
    assert read_result(path).equals(pa.concat_tables(tables).combine_chunks())
