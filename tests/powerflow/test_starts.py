"""Where Newton's method begins: a state has the solution that pandapower finds of it."""

from __future__ import annotations

import numpy as np
import pandapower
import pytest
from numpy.testing import assert_allclose
from power_flow_studies import grid
from scipy.sparse.linalg import spsolve

from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State
from gat_batch.powerflow.admittances import cached_admittances
from gat_batch.powerflow.newton import first_voltages
from gat_batch.solvers.study import solve


def test_a_state_far_from_the_grid_as_given_has_no_solution_of_low_voltage():
    """From the voltages of the grid as given Newton's method ended at 0.85 p.u. in these hours."""
    simbench = pytest.importorskip("simbench", reason="simbench isn't installed")
    net = simbench.get_simbench_net("1-EHV-mixed--0-sw")
    powers = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    powers = {key: table for key, table in powers.items() if key[0] in ("load", "sgen")}
    model = prepare(net)
    for hour in (62, 147, 863):
        changes = [
            Change(element, column, table.iloc[hour].to_numpy())
            for (element, column), table in powers.items()
        ]
        found = solve(model, State(None, tuple(changes)), "ac", {})
        assert found.engine == "lightsim2grid"
        for change in changes:
            net[change.element][change.column] = change.values
        pandapower.runpp(net)
        assert_allclose(found.elements["bus"]["vm_pu"], net.res_bus["vm_pu"], rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["case118", "case300", "example_multivoltage"])
def test_angles_to_begin_with_are_those_of_a_dc_power_flow(name):
    """With phase shifts and with what shunts draw."""
    net = grid(name)
    for element in ("xward", "ward"):
        net[element].drop(net[element].index, inplace=True)
    model = prepare(net)
    admittances = cached_admittances(model, "ac", {"calculate_voltage_angles": True})
    dc = cached_admittances(model, "dc", {"calculate_voltage_angles": True})
    rng = np.random.default_rng(1)
    power = rng.normal(0, 0.3, admittances.buses).astype(complex)
    vm = np.ones(admittances.buses)
    (found,) = first_voltages(admittances, power[None], vm[None])
    free = np.concatenate([dc.pv, dc.pq])
    angle = np.angle(dc.start)
    needed = power.real - dc.bus_shift - dc.bus[:, dc.ref] @ angle[dc.ref]
    angle[free] = spsolve(dc.bus[free][:, free].tocsc(), needed[free])
    assert_allclose(found, np.exp(1j * angle), rtol=0, atol=1e-9)


@pytest.mark.parametrize("engine", ["auto", "pandapower"])
def test_a_line_without_reactance_joins_its_ends_in_a_dc_power_flow(engine):
    """A DC power flow divides by it; such a line carries whatever a closed switch would."""
    joined, line = pandapower.networks.case14(), pandapower.networks.case14()
    for net in (joined, line):
        pandapower.create_bus(net, 135.0)
        net.load.loc[net.load["bus"] == 3, "bus"] = 14
    pandapower.create_switch(joined, 3, 14, "b")
    pandapower.create_line_from_parameters(line, 3, 14, 2.0, 0.1, 0.0, 0.0, 1.0)
    ours, theirs = (
        solve(prepare(net), State(None, ()), "dc", {}, engine=engine) for net in (line, joined)
    )
    assert ours.status == "ok"
    count = len(joined.line)
    np.testing.assert_allclose(
        ours.elements["line"]["p_from_mw"][:count], theirs.elements["line"]["p_from_mw"], atol=1e-3
    )
    assert ours.elements["line"]["p_from_mw"][count] == pytest.approx(47.8, abs=1e-6)
    assert line.line["x_ohm_per_km"].iloc[count] == 0
