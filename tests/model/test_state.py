"""States change what the tables, scales and outages say, and nothing else."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandapower
import pandapower.networks
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gat_batch.errors import GatBatchError
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.state import applied, check_scenario, scenario_states
from gat_batch.study.injection_tables import read_injections
from gat_batch.study.scenario import Outage


@dataclass(frozen=True)
class Study:
    """What a state is made of."""

    outages: tuple[Outage, ...] = ()
    load_scale: float = 1.0
    gen_scale: float = 1.0


@pytest.fixture
def net():
    """Two loads and a disabled one on a bus, gaps in the indices, names twice."""
    net = pandapower.create_empty_network()
    for index in (4, 9):
        pandapower.create_bus(net, 110, index=index, name=f"station {index}")
    pandapower.create_ext_grid(net, 4)
    pandapower.create_load(net, 9, 10.0, 4.0, index=3, name="mill")
    pandapower.create_load(net, 9, 30.0, 3.0, index=7, name="town")
    pandapower.create_load(net, 9, 99.0, 9.0, index=8, name="town", in_service=False)
    pandapower.create_load(net, 4, 0.0, 1.0, index=20, name="12")
    pandapower.create_gen(net, 9, 5.0, vm_pu=1.0, index=2, name="river")
    pandapower.create_sgen(net, 9, 15.0, 3.0, index=6, name="roof")
    return net


def lay(net, tmp_path, loads=None, gens=None, **study):
    """The network's tables in each state of a scenario."""

    def table(text, kind):
        if text is None:
            return None
        path = tmp_path / f"{kind}.csv"
        path.write_text(text)
        return read_injections(path, kind)

    index = ElementIndex(net)
    arguments = (index, Study(**study), table(loads, "load"), table(gens, "gen"))
    check_scenario(*arguments)
    result = {}
    for state in scenario_states(*arguments):
        with applied(net, state):
            result[state.snapshot] = deepcopy(net)
    return result


def test_only_named_loads_change_and_keep_their_power_factor(net, tmp_path):
    load = lay(net, tmp_path, "load,p_mw\n3,20\n")[None].load
    assert list(load["p_mw"]) == [20, 30, 99, 0]
    assert list(load["q_mvar"]) == [8, 3, 9, 1]


def test_given_reactive_power_is_taken_and_an_empty_cell_is_not(net, tmp_path):
    load = lay(net, tmp_path, "load,p_mw,q_mvar\nmill,20,1\n7,60,\n20,5,\n")[None].load
    assert list(load["p_mw"]) == [20, 60, 99, 5]
    assert list(load["q_mvar"]) == [1, 6, 9, 1]


def test_text_of_digits_is_an_index_first_and_a_name_second(net, tmp_path):
    assert list(lay(net, tmp_path, "load,p_mw\n12,7\n")[None].load["p_mw"]) == [10, 30, 99, 7]


def test_bus_total_is_shared_among_loads_in_service(net, tmp_path):
    load = lay(net, tmp_path, "bus,p_mw\nstation 9,80\n4,6\n")[None].load
    assert list(load["p_mw"]) == [20, 60, 99, 6]
    assert list(load["q_mvar"]) == [8, 6, 9, 1]


def test_bus_total_of_generators_is_shared_by_gens_and_sgens(net, tmp_path):
    after = lay(net, tmp_path, gens="bus,p_mw,vm_pu\n9,40,1.03\n")[None]
    assert list(after.gen["p_mw"]) == [10]
    assert list(after.gen["vm_pu"]) == [1.03]
    assert list(after.sgen["p_mw"]) == [30]
    assert list(after.sgen["q_mvar"]) == [6]


def test_bus_total_is_what_the_loads_draw_after_their_scaling(net, tmp_path):
    net.load.loc[[3, 7], "scaling"] = [0.5, 2.0]
    load = lay(net, tmp_path, "bus,p_mw,q_mvar\n9,130,13\n")[None].load
    assert list(load["p_mw"]) == [20, 60, 99, 0]
    for column, total in (("p_mw", 130), ("q_mvar", 13)):
        assert (load[column] * load["scaling"])[[3, 7]].sum() == pytest.approx(total)


def test_bus_total_is_shared_equally_where_signs_differ(net, tmp_path):
    net.load.loc[[3, 7], "p_mw"] = [94.2, -94.1]
    assert list(lay(net, tmp_path, "bus,p_mw\n9,10\n")[None].load["p_mw"]) == [5, 5, 99, 0]


def test_element_without_a_name_has_none(net, tmp_path):
    net.load["name"] = [None, float("nan"), pd.NA, "nan"]
    assert list(lay(net, tmp_path, "load,p_mw\nnan,7\n")[None].load["p_mw"]) == [10, 30, 99, 7]
    for name in ("None", "<NA>"):
        with pytest.raises(GatBatchError, match=f"there is no load '{name}'"):
            lay(net, tmp_path, f"load,p_mw\n{name},7\n")


def test_voltage_of_a_bus_that_no_generator_holds_is_refused(net, tmp_path):
    net.gen["in_service"] = False
    with pytest.raises(GatBatchError, match="vm_pu: bus 'station 9' has no gen in service"):
        lay(net, tmp_path, gens="bus,p_mw,vm_pu\nstation 9,4,1.02\n")
    assert list(lay(net, tmp_path, gens="bus,p_mw,vm_pu\n9,4,\n")[None].sgen["p_mw"]) == [4]


def test_scales_multiply_after_the_table(net, tmp_path):
    after = lay(net, tmp_path, "load,p_mw\n3,20\n", load_scale=2.0, gen_scale=0.5)[None]
    assert list(after.load["p_mw"]) == [40, 60, 198, 0]
    assert list(after.load["q_mvar"]) == [16, 6, 18, 2]
    assert (after.gen["p_mw"][2], after.sgen["p_mw"][6], after.sgen["q_mvar"][6]) == (2.5, 7.5, 1.5)


def test_table_of_one_kind_leaves_the_scale_to_the_other(net, tmp_path):
    after = lay(net, tmp_path, gens="gen,p_mw\nriver,8\n", gen_scale=2.0)[None]
    assert (after.gen["p_mw"][2], after.sgen["p_mw"][6]) == (16, 30)


def test_snapshots_start_from_the_grid_each_time(net, tmp_path):
    text = "load,p_mw,snapshot\n3,1,a\n7,2,b\n3,3,c\n"
    states = lay(net, tmp_path, text, gens="gen,p_mw\n2,9\n")
    assert {name: list(state.load["p_mw"]) for name, state in states.items()} == {
        "a": [1, 30, 99, 0],
        "b": [10, 2, 99, 0],
        "c": [3, 30, 99, 0],
    }
    assert all(state.gen["p_mw"][2] == 9 for state in states.values())


def test_outages_take_elements_out_by_index_and_name(net, tmp_path):
    outages = (Outage("load", 3), Outage("sgen", "roof"), Outage("bus", 4))
    after = lay(net, tmp_path, outages=outages)[None]
    assert list(after.load["in_service"]) == [False, True, False, True]
    assert not after.sgen["in_service"][6]
    assert list(after.bus["in_service"]) == [False, True]


@pytest.mark.parametrize(
    ("keywords", "fragments"),
    [
        ({"loads": "load,p_mw\n5,1\n"}, ["row 2", "load '5'", "from 3 to 20"]),
        ({"loads": "load,p_mw\n3,1\nmil,1\n"}, ["row 3", "did you mean 'mill'"]),
        ({"loads": "load,p_mw\ntown,1\n"}, ["row 2", "2 loads have the name 'town'"]),
        ({"loads": "load,p_mw\n3,1\nmill,1\n"}, ["two ways"]),
        ({"gens": "bus,p_mw\n4,1\n"}, ["bus '4' has no gen or sgen"]),
        ({"gens": "gen,p_mw,q_mvar\n2,1,1\n"}, ["q_mvar", "a gen has no q_mvar"]),
        ({"gens": "sgen,vm_pu\n6,1\n"}, ["an sgen has no vm_pu"]),
        ({"gens": "bus,q_mvar\n9,1\n"}, ["bus row"]),
        ({"outages": (Outage("line", 0),)}, ["outages", "the grid has no lines"]),
        ({"outages": (Outage("load", 3), Outage("load", "mill"))}, ["outages", "twice"]),
        (
            {"loads": "load,p_mw,snapshot\n3,1,a\n", "gens": "gen,p_mw,snapshot\n2,1,b\n"},
            ["snapshot 'a'"],
        ),
    ],
)
def test_what_the_grid_doesnt_have_is_named(net, tmp_path, keywords, fragments):
    with pytest.raises(GatBatchError) as caught:
        lay(net, tmp_path, **keywords)
    assert all(fragment in str(caught.value) for fragment in fragments), str(caught.value)


def fail_on(net, state):
    with applied(net, state):
        for change in state.changes:
            np.testing.assert_array_equal(net[change.element][change.column], change.values)
        raise RuntimeError("solver")


def tables_of(net):
    return {name: net[name].copy() for name in ("bus", "load", "gen", "sgen", "line", "trafo")}


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_network_is_the_same_to_the_bit_afterwards_even_after_a_failure(data):
    net = CASE14
    kinds = st.sampled_from(["line", "trafo", "gen", "load", "bus"])
    outages = data.draw(
        st.lists(
            st.tuples(kinds, st.integers(0, 3)).map(lambda pair: Outage(*pair)),
            max_size=6,
            unique=True,
        )
    )
    scales = st.floats(-2, 3)
    study = Study(tuple(outages), data.draw(scales), data.draw(scales))
    before = tables_of(net)
    for state in scenario_states(ElementIndex(net), study, None, None):
        with pytest.raises(RuntimeError, match="solver"):
            fail_on(net, state)
    for name, table in tables_of(net).items():
        pd.testing.assert_frame_equal(table, before[name], check_exact=True)


CASE14 = pandapower.networks.case14()
CASE14.load["p_mw"] = CASE14.load["p_mw"].round().astype(int)  # a column of whole numbers


def test_a_year_of_hours_is_laid_over_without_searching_the_table_each_time(tmp_path):
    hours, loads = 2000, 11
    data = pd.DataFrame(
        {
            "load": np.tile(np.arange(loads), hours),
            "p_mw": np.arange(hours * loads, dtype=float),
            "snapshot": np.repeat([f"h{hour}" for hour in range(hours)], loads),
        }
    )
    data.to_parquet(tmp_path / "t.parquet")
    table = read_injections(tmp_path / "t.parquet", "load")
    states = scenario_states(ElementIndex(CASE14), Study(), table, None)
    for hour, state in enumerate(states):
        (values,) = (change.values for change in state.changes if change.column == "p_mw")
        assert values[0] == hour * loads
    assert hour == hours - 1
