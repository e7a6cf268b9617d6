"""Small networks of powsybl, each with one kind of element, and powsybl's own power flow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pypowsybl.loadflow as lf
import pypowsybl.network as pn

from gat_batch.grids.powsybl.names import name_of

BUSES = {
    "B1": ("S1", "VL1", 220.0), "B2": ("S1", "VL1", 220.0), "B3": ("S1", "VL2", 110.0),
    "B4": ("S1", "VL3", 20.0), "B5": ("S2", "VL4", 220.0), "B6": ("S3", "VL5", 225.0),
}  # fmt: skip


def base():
    """Five buses in a ring of lines, with loads, a slack and a transformer to 110 kV."""
    n = pn.create_empty()
    n.create_substations(id=["S1", "S2", "S3"])
    levels = {level: (station, kv) for station, level, kv in BUSES.values()}
    n.create_voltage_levels(
        id=list(levels),
        substation_id=[station for station, _ in levels.values()],
        nominal_v=[kv for _, kv in levels.values()],
        topology_kind=["BUS_BREAKER"] * len(levels),
    )
    n.create_buses(id=list(BUSES), voltage_level_id=[level for _, level, _ in BUSES.values()])
    line(n, "L12", "B1", "B2")
    line(n, "L25", "B2", "B5", x=20.0)
    line(n, "L15", "B1", "B5", r=3.0, x=30.0)
    trafo(n, "T23", "B2", "B3")
    generator(n, "G1", "B1", target_v=224.0, target_p=80.0, max_p=500.0)
    load(n, "D3", "B3", 40.0, 15.0)
    load(n, "D5", "B5", 60.0, 20.0)
    return n


def at(bus, side=""):
    _, level, _ = BUSES[bus]
    return {f"voltage_level{side}_id": level, f"bus{side}_id": bus}


def line(n, key, first, second, *, r=1.0, x=10.0, b1=2e-5, b2=2e-5, g1=0.0, g2=0.0):
    n.create_lines(id=key, **at(first, 1), **at(second, 2), r=r, x=x, g1=g1, b1=b1, g2=g2, b2=b2)


def trafo(n, key, first, second, **values):
    given = {"rated_u1": BUSES[first][2], "rated_u2": BUSES[second][2], "r": 0.4, "x": 12.0,
             "g": 0.0, "b": 0.0, "rated_s": 150.0} | values  # fmt: skip
    n.create_2_windings_transformers(id=key, **at(first, 1), **at(second, 2), **given)


def load(n, key, bus, p0, q0):
    n.create_loads(id=key, **at(bus), p0=p0, q0=q0)


def generator(n, key, bus, **values):
    given = {"target_p": 10.0, "min_p": 0.0, "max_p": 100.0, "target_v": BUSES[bus][2],
             "target_q": 3.0, "voltage_regulator_on": True} | values  # fmt: skip
    n.create_generators(id=key, **at(bus), **given)


def ratio_taps(n, key, rho, *, side=None, tap=1, regulating=False, r=None, x=None, **values):
    changer = {"id": key, "tap": tap, "low_tap": 0, "oltc": True, "regulating": regulating}
    changer |= values | ({"side": side} if side else {})
    steps = {"id": key, "rho": rho, "g": 0.0, "b": 0.0, "r": r or 0.0, "x": x or 0.0}
    n.create_ratio_tap_changers(
        pd.DataFrame([changer]).set_index("id"), pd.DataFrame(steps).set_index("id")
    )


def phase_taps(n, key, alpha, *, rho=1.0, tap=1, x=0.0, side=None):
    changer = {"id": key, "tap": tap, "low_tap": 0, "regulating": False,
               "regulation_mode": "CURRENT_LIMITER", "target_deadband": 0.0}  # fmt: skip
    steps = {"id": key, "rho": rho, "alpha": alpha, "g": 0.0, "b": 0.0, "r": 0.0, "x": x}
    if side:
        changer["side"] = side
    n.create_phase_tap_changers(
        pd.DataFrame([changer]).set_index("id"), pd.DataFrame(steps).set_index("id")
    )


def three_windings(n, *, ohm=((0.5, 20.0), (0.4, 8.0), (0.6, 15.0)), g=0.0, b=0.0):
    legs = {}
    for number, bus in enumerate(("B2", "B3", "B4"), 1):
        r, x = ohm[number - 1]
        legs |= at(bus, number)
        legs |= {f"rated_u{number}": BUSES[bus][2] * 1.02, f"r{number}": r, f"x{number}": x}
        legs |= {f"g{number}": g, f"b{number}": b}
    n.create_3_windings_transformers(id="T3", rated_u0=230.0, **legs)
    load(n, "D4", "B4", 8.0, 3.0)


def powsybl_flow(network, net, form="xiidm"):
    """powsybl's solution, with the voltages held that pandapower's network holds.

    Returns:
        Voltages in kV and angles in degrees, one row a bus.
    """
    own = network.get_generators(all_attributes=True)
    keys = {name_of(form, "generators", key, name): key for key, name in own["name"].items()}
    for element in ("gen", "ext_grid"):
        live = net[element][net[element]["in_service"].astype(bool)]
        for name, bus, vm_pu in zip(live["name"], live["bus"], live["vm_pu"], strict=True):
            if name in keys:
                network.update_generators(id=keys[name], regulated_element_id=keys[name])
                target = float(vm_pu * net.bus["vn_kv"][bus])
                network.update_generators(id=keys[name], target_v=target)
                network.update_generators(id=keys[name], voltage_regulator_on=True)
    view = network.get_bus_breaker_view_buses(all_attributes=True)
    slack = view["bus_id"].iloc[net.bus.index.get_loc(net.ext_grid["bus"].iloc[0])]
    parameters = lf.Parameters(
        distributed_slack=False,
        use_reactive_limits=False,
        transformer_voltage_control_on=False,
        shunt_compensator_voltage_control_on=False,
        phase_shifter_regulation_on=False,
        hvdc_ac_emulation=False,
        read_slack_bus=False,
        provider_parameters={
            "useLoadModel": "true",
            "slackBusSelectionMode": "NAME",
            "slackBusesIds": slack,
            "newtonRaphsonConvEpsPerEq": "1e-11",
            "maxNewtonRaphsonIterations": "50",
            "voltageRemoteControl": "false",
            "minPlausibleTargetVoltage": "0.1",
            "maxPlausibleTargetVoltage": "3",
            "minRealisticVoltage": "0.1",
            "maxRealisticVoltage": "3",
            "plausibleActivePowerLimit": "1e9",
        },
    )
    for start in (lf.VoltageInitMode.DC_VALUES, lf.VoltageInitMode.PREVIOUS_VALUES):
        parameters.voltage_init_mode = start
        status = lf.run_ac(network, parameters)[0].status.name
        if status == "CONVERGED":
            break
    return status, network.get_bus_breaker_view_buses(all_attributes=True)


def deviation(solution, net, view):
    """Largest deviations in p.u. and degrees of buses that both solved, and their number."""
    count = len(view)
    vm = solution.elements["bus"]["vm_pu"][:count]
    va = solution.elements["bus"]["va_degree"][:count]
    other = view["v_mag"].to_numpy() / net.bus["vn_kv"].to_numpy()[:count]
    both = np.isfinite(vm) & np.isfinite(other) & (view["connected_component"] == 0).to_numpy()
    turned = view["v_angle"].to_numpy() - va
    shifts = pd.Series(turned[both]).groupby(view["synchronous_component"].to_numpy()[both])
    # Each island has an angle of its own to count from.
    angles = (shifts.transform(lambda own: own - own.iloc[0]) + 180) % 360 - 180
    return np.abs(vm - other)[both].max(), np.abs(angles).max(), int(both.sum())
