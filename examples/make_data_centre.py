"""Writes the example batch examples/data_centre: python examples/make_data_centre.py.

A data centre of 200 MW is to be connected at bus 14 of the IEEE Reliability Test System of 24
buses, as bundled with pandapower, with its ratings and costs. Changed for this study:

- buses have their published numbers, branches the names of the buses that they join, and
  coordinates are drawn by hand;
- the new line 14-15, built as line 14-16 is, is out of service in the scenarios without it;
- loads draw half of their reactive power, the rest is compensated on the spot;
- the reactor at bus 6 became one of the same size at either end of cable 6-10, as part of it;
- each unit at bus 7 runs with 50 MW at least, and the condenser at bus 14 holds 1 p.u.;
- voltages may be between 0.9 and 1.1 p.u.

Loads follow a daily course made for the study. Generation of the power flows is the cheapest for
the load of the hour, whatever the grid. All numbers come from the lines below, so that the same
call always writes the same files.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pandapower
import pandapower.networks
from pandapower.toolbox import drop_elements_simple, reindex_buses

if TYPE_CHECKING:
    from pandapower import pandapowerNet

FOLDER = Path(__file__).parent / "data_centre"
HOURS = range(24)
PEAK = 0.95
LOSSES = 0.018
DATA_CENTRE, DATA_CENTRE_MW, DATA_CENTRE_MVAR = "data centre", 200.0, 40.0
NEW_LINE = "14-15"
PLACES = {
    1: (2.0, 0.0), 2: (6.0, 0.0), 3: (0.0, 3.4), 4: (3.2, 2.4), 5: (5.0, 1.4), 6: (9.6, 3.2),
    7: (12.0, 0.4), 8: (9.4, 1.2), 9: (3.6, 4.2), 10: (7.2, 4.2), 11: (3.8, 6.2), 12: (7.2, 6.2),
    13: (10.6, 6.4), 14: (3.4, 8.0), 15: (0.0, 9.0), 16: (3.2, 10.0), 17: (2.0, 11.8),
    18: (0.0, 13.0), 19: (6.2, 9.8), 20: (8.6, 9.6), 21: (-2.0, 11.4), 22: (-0.8, 14.4),
    23: (10.4, 8.6), 24: (0.0, 6.2),
}  # fmt: skip
QUESTION = "Can a data centre of 200 MW be connected at bus 14, and does it take a new line 14-15?"


def grid() -> pandapowerNet:
    """Make the grid of the study."""
    net = pandapower.networks.case24_ieee_rts()
    reindex_buses(net, {bus: bus + 1 for bus in net.bus.index})
    net.bus["name"] = None
    net.bus["geo"] = [
        json.dumps({"type": "Point", "coordinates": PLACES[bus]}) for bus in net.bus.index
    ]
    net.bus["min_vm_pu"], net.bus["max_vm_pu"] = 0.9, 1.1
    net.load["q_mvar"] /= 2
    net.gen.loc[net.gen["bus"] == 14, "vm_pu"] = 1.0
    for units in (net.gen, net.sgen):
        units.loc[units["bus"] == 7, "min_p_mw"] = 50.0
    ends = zip(net.line["from_bus"], net.line["to_bus"], strict=True)
    net.line["name"] = [f"{start}-{end}" for start, end in ends]
    ends = zip(net.trafo["hv_bus"], net.trafo["lv_bus"], strict=True)
    net.trafo["name"] = [f"{start}-{end}" for start, end in ends]
    like, cable = (net.line.index[net.line["name"] == name][0] for name in ("14-16", "6-10"))
    charging = 2 * math.pi * net.f_hz * net.line.loc[cable, "c_nf_per_km"] * 1e-9 * 138.0**2
    reactor = net.shunt["q_mvar"].sum()
    net.line.loc[cable, "c_nf_per_km"] *= 1 - 2 * reactor / charging
    drop_elements_simple(net, "shunt", net.shunt.index)
    kinds = ("length_km", "r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka")
    built = {kind: net.line.loc[like, kind] for kind in kinds}
    pandapower.create_line_from_parameters(
        net, 14, 15, **built, name=NEW_LINE, max_loading_percent=100.0
    )
    pandapower.create_load(net, 14, 0.0, 0.0, name=DATA_CENTRE)
    net.std_types = {kind: {} for kind in net.std_types}
    return net


def shape(hour: int) -> float:
    """Load over the day, lowest in the night and highest in the evening, before it is scaled."""
    day = math.cos(2 * math.pi * (hour - 16) / 24)
    evening = math.sin(2 * math.pi * (hour - 4) / 12 - 1.2)
    return 0.81 + 0.17 * day + 0.05 * evening


def hourly_factor(hour: int) -> float:
    """Load relative to the case's own."""
    return PEAK * shape(hour) / max(map(shape, HOURS))


def dispatch(net: pandapowerNet, demand_mw: float) -> dict[str, float]:
    """Return the cheapest power of each unit: all have the same marginal cost, within limits."""
    rows = net.poly_cost.itertuples()
    units = [(row, net[row.et].loc[row.element]) for row in rows if row.et != "load"]

    def at(price: float) -> dict[str, float]:
        powers = {}
        for cost, unit in units:
            slope, low, high = 2 * cost.cp2_eur_per_mw2, unit["min_p_mw"], unit["max_p_mw"]
            more = price - cost.cp1_eur_per_mw
            wanted = more / slope if slope else math.copysign(math.inf, more)
            powers[f"{cost.et}:{cost.element}"] = min(max(wanted, low), high)
        return powers

    low, high = 0.0, 200.0
    while high - low > 1e-9:
        price = (low + high) / 2
        low, high = (low, price) if sum(at(price).values()) > demand_mw else (price, high)
    return at(high)


def main() -> None:
    """Write grid, tables and manifest."""
    FOLDER.mkdir(exist_ok=True)
    net = grid()
    pandapower.to_json(net, str(FOLDER / "rts24.json"))
    for case, extra in (("today", 0.0), ("data_centre", 1.0)):
        loads, units = ["load,snapshot,p_mw,q_mvar"], []
        for hour in HOURS:
            factor = hourly_factor(hour)
            demand = [
                (DATA_CENTRE, extra * DATA_CENTRE_MW, extra * DATA_CENTRE_MVAR)
                if row["name"] == DATA_CENTRE
                else (number, row.p_mw * factor, row.q_mvar * factor)
                for number, row in net.load.iterrows()
            ]
            loads += [f"{load},{hour:02}:00,{p:.1f},{q:.1f}" for load, p, q in demand]
            powers = dispatch(net, sum(p for _, p, _ in demand) * (1 + LOSSES))
            # The external grid feeds what is left.
            told = {unit: p for unit, p in powers.items() if not unit.startswith("ext_grid")}
            units = units or [",".join(["snapshot", *told])]
            units.append(",".join([f"{hour:02}:00", *(f"{p:.1f}" for p in told.values())]))
        for kind, lines in (("loads", loads), ("units", units)):
            path = FOLDER / f"{kind}_{case}.csv"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    without = [{"type": "line", "id": NEW_LINE}]
    scenarios = []
    for group, case, outages in (
        ("today", "today", without),
        ("data centre", "data_centre", without),
        ("new line", "data_centre", []),
    ):
        name = group.replace(" ", "-")
        common = {"tags": [group], "loads": f"loads_{case}.csv"}
        common |= {"outages": outages} if outages else {}
        flow = {"solver": "ac", "gens": f"units_{case}.csv"}
        optimum = {"solver": "dc_opf", "options": {"secure": True}}
        scenarios.append({"id": name, **common, **flow})
        scenarios.append({"id": f"{name}-secured", **common, **optimum})
    manifest = {
        "question": QUESTION,
        "compare": list(dict.fromkeys(scenario["tags"][0] for scenario in scenarios)),
        "grid": "rts24.json",
        "contingencies": "n-1",
    }
    head = "".join(
        f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in manifest.items()
    )
    lines = ",\n".join(f"    {json.dumps(scenario)}" for scenario in scenarios)
    path = FOLDER / "data_centre.json"
    path.write_text(f'{{\n{head}  "scenarios": [\n{lines}\n  ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
