"""What datasets vary: profiles and noise, totals, zones, topologies at random."""

from __future__ import annotations

import json
from collections import Counter

import networkx as nx
import numpy as np
import pandapower
import pandapower.networks
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import run_script
from scipy import stats

from gat_batch.errors import GatBatchError
from gat_batch.opf.loadability.limit import loadability_limit
from gat_batch.scenarios.product import make

COUNT = 2000


@pytest.fixture
def expand(tmp_path):
    """Makes a family, and returns the manifest's entries and tables of powers, (draws, loads)."""

    def expanded(family, *, grid="pandapower:case30", name="out", seed=5):
        content = {"version": 1, "grid": grid, "seed": seed}
        content["scenarios"] = [{"id": "d", **family}]
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        make(file, tmp_path / name)
        entries = json.loads((tmp_path / name / "manifest.json").read_text())["scenarios"]
        tables = [pq.read_table(one) for one in sorted((tmp_path / name).glob("loads_*.parquet"))]
        draws = {entry["loads"]["rows"] for entry in entries} if tables else ()
        return entries, {
            column: np.concatenate([one[column].to_numpy() for one in tables]).reshape(
                len(draws), -1
            )
            for column in ("p_mw", "q_mvar")
            if tables
        }

    return expanded


def drawn(count=COUNT, **random):
    return {"draws": {"count": count, "random": random}}


def test_a_profile_times_local_noise_on_active_and_reactive_power(expand, tmp_path):
    profile = np.round(1 + np.sin(np.arange(48) / 5) / 2, 3)
    rows = "\n".join(f"{hour},{factor}" for hour, factor in enumerate(profile))
    (tmp_path / "profile.csv").write_text(f"time,all\n{rows}\n")
    empirical = {"distribution": "empirical", "file": "profile.csv", "column": "all"}
    noise = {"of": "load", "distribution": "uniform", "low": 0.8, "high": 1.2}
    entries, tables = expand(
        drawn(
            level={"of": "load_scale", **empirical},
            active={**noise, "power": "active"},
            reactive={**noise, "power": "reactive"},
        )
    )
    levels = np.array([entry["load_scale"] for entry in entries])
    assert set(levels) == set(profile)
    assert stats.chisquare([*Counter(levels).values()]).pvalue > 1e-4
    load = pandapower.networks.case30().load
    active = tables["p_mw"] / load["p_mw"].to_numpy()
    given = load["q_mvar"].to_numpy() != 0
    reactive = tables["q_mvar"][:, given] / load["q_mvar"].to_numpy()[given]
    for factors in (active, reactive):
        assert 0.8 - 1e-5 <= factors.min() < 0.81
        assert 1.19 < factors.max() <= 1.2 + 1e-5
    assert abs(np.corrcoef(active[:, given].ravel(), reactive.ravel())[0, 1]) < 0.03


def test_a_profile_is_stretched_between_bounds(expand, tmp_path):
    (tmp_path / "profile.csv").write_text("time,all\n0,10\n1,30\n2,20\n")
    empirical = {"distribution": "empirical", "file": "profile.csv", "column": "all"}
    level = {"of": "load_scale", **empirical, "low": 0.6, "high": 1.1}
    entries, _ = expand(drawn(60, level=level))
    assert {entry["load_scale"] for entry in entries} == {0.6, 0.85, 1.1}


def test_the_total_is_uniform_whatever_the_noise(expand):
    noise = {"of": "load", "std": 0.3, "keep_total": True}
    total = {"of": "load_scale", "distribution": "uniform", "low": 0.7, "high": 1.3}
    entries, tables = expand(drawn(noise=noise, total=total))
    load = pandapower.networks.case30().load["p_mw"]
    np.testing.assert_allclose(tables["p_mw"].sum(axis=1), load.sum(), atol=1e-4)
    assert (tables["p_mw"] / load.to_numpy()).std() > 0.2
    levels = [entry["load_scale"] for entry in entries]
    assert stats.kstest(levels, stats.uniform(0.7, 0.6).cdf).pvalue > 1e-4


UP_TO_THE_LIMIT = {
    "of": "load_scale",
    "distribution": "uniform",
    "low": {"loadability": 0.5},
    "high": {"loadability": 0.98},
}


def made_from(tmp_path, name="out"):
    return json.loads((tmp_path / name / "made_from.json").read_text())["loadability"]


def test_the_total_is_uniform_up_to_a_share_of_what_the_grid_can_serve(expand, tmp_path):
    entries, _ = expand({"solver": "ac_opf", **drawn(total=UP_TO_THE_LIMIT)})
    (limit,) = made_from(tmp_path)
    assert limit["grid"] == "pandapower:case30"
    assert limit["study"] == "ac_opf"
    assert limit["factor"] == loadability_limit(pandapower.networks.case30(), "ac_opf")
    levels = [entry["load_scale"] for entry in entries]
    uniform = stats.uniform(0.5 * limit["factor"], 0.48 * limit["factor"])
    assert stats.kstest(levels, uniform.cdf).pvalue > 1e-4
    again, _ = expand({"solver": "ac_opf", **drawn(total=UP_TO_THE_LIMIT)}, name="again")
    assert again == entries


@pytest.mark.parametrize(
    ("family", "study"),
    [
        ({"solver": "dc_opf"}, "dc_opf"),
        ({"solver": "ac"}, "ac_opf"),
        ({"sweep": {"solver": ["dc_opf", "ac_opf"]}}, "ac_opf"),
        ({"zip": {"solver": ["dc_opf"], "weight": [2]}}, "dc_opf"),
    ],
)
def test_scenarios_of_a_family_have_one_limit_whatever_solves_them(expand, tmp_path, family, study):
    entries, _ = expand({**family, **drawn(3, total=UP_TO_THE_LIMIT)})
    assert [one["study"] for one in made_from(tmp_path)] == [study]
    by_draw = Counter((one["metadata"]["draw"], one["load_scale"]) for one in entries)
    assert len(by_draw) == 3


@pytest.mark.parametrize(
    ("family", "change", "told"),
    [
        ({"load_scale": 1.1}, {}, "load_scale: does not combine"),
        ({"sweep": {"load_scale": [1, 2]}}, {}, "load_scale: does not combine"),
        ({}, {"of": "load"}, "goes with load_scale"),
        ({}, {"low": 3.0}, "ascending order .the loadability limit of pandapower:case30 is 1.03"),
        ({}, {"high": {"loadability": 0.4}}, "ascending order"),
        ({}, {"high": {"loadability": 0}}, "loadability: 0 is out of range"),
        ({}, {"high": "loadability"}, "a share of the loadability limit"),
    ],
)
def test_a_share_of_the_limit_that_means_nothing_is_refused(expand, family, change, told):
    total = {**UP_TO_THE_LIMIT, **change}
    with pytest.raises(GatBatchError, match=told):
        expand({"solver": "ac_opf", **family, **drawn(3, total=total)})


def test_a_grid_without_a_limit_is_named(expand, tmp_path):
    net = pandapower.networks.case9()
    net.load = net.load.iloc[:0]
    pandapower.to_json(net, tmp_path / "bare.json")
    with pytest.raises(GatBatchError, match="is not known: has no loads"):
        expand(drawn(3, total=UP_TO_THE_LIMIT), grid="bare.json")


def test_optima_below_the_limit_exist_and_those_above_are_labels(workspace):
    near = {**UP_TO_THE_LIMIT, "low": {"loadability": 0.95}, "high": {"loadability": 0.999}}
    beyond = {**near, "low": {"loadability": 1.001}, "high": {"loadability": 1.05}}
    families = [
        {"id": name, "solver": "ac_opf", **drawn(3, total=total)}
        for name, total in (("near", near), ("beyond", beyond))
    ]
    workspace.configure(manifest="study.yaml")
    workspace.write("study.yaml", {"version": 1, "grid": "pandapower:case9", "scenarios": families})
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr
    folder = workspace.batch / "summary"
    rows = pq.read_table(folder / "scenarios.parquet", columns=["scenario", "status"]).to_pylist()
    ended = {(row["scenario"].partition("-")[0], row["status"]) for row in rows}
    assert ended == {("near", "ok"), ("beyond", "infeasible")}
    made = run_script("export", "runs/batch/study", "out", "--to", "numpy", cwd=workspace.path)
    assert made.returncode == 0, made.stderr
    card = json.loads((workspace.path / "out" / "case9_ac_opf" / "data_card.json").read_text())
    (limit,) = card["loadability"]
    assert limit["factor"] == loadability_limit(pandapower.networks.case9(), "ac_opf")
    assert limit["study"] == "ac_opf"
    assert "Ipopt" in limit["found"]
    told = run_script("make_scenarios", "study.yaml", "--expand", cwd=workspace.path)
    assert f"up to {limit['factor']} times as much (ac_opf)" in told.stdout


def zoned(tmp_path):
    net = pandapower.networks.case30()
    net.bus["zone"] = np.arange(len(net.bus)) % 3 + 1
    pandapower.to_json(net, tmp_path / "zoned.json")
    return net


def test_zones_move_together_and_with_each_other_as_asked(expand, tmp_path):
    net = zoned(tmp_path)
    weather = {"of": "load", "std": 0.1, "each": "zone", "correlation": 0.6}
    _, tables = expand(drawn(weather=weather), grid="zoned.json")
    factors = tables["p_mw"] / net.load["p_mw"].to_numpy()
    zone = net.bus["zone"].loc[net.load["bus"]].to_numpy()
    first = {number: factors[:, zone == number] for number in (1, 2, 3)}
    for own in first.values():
        np.testing.assert_allclose(own, own[:, :1].repeat(own.shape[1], axis=1), atol=1e-4)
        assert own[:, 0].std() == pytest.approx(0.1, abs=0.01)
    for pair in ((1, 2), (1, 3), (2, 3)):
        columns = [first[number][:, 0] for number in pair]
        assert np.corrcoef(columns)[0, 1] == pytest.approx(0.6, abs=0.08)


def test_setpoints_are_uniform_between_limits(expand, tmp_path):
    net = pandapower.networks.case30()
    net.gen.loc[1, ["min_p_mw", "max_p_mw"]] = 10, 50
    net.gen.loc[2, "scaling"] = 0.5
    pandapower.create_gen(net, int(net.gen["bus"].iloc[0]), 5, min_p_mw=0, max_p_mw=9)
    net.gen.loc[0, ["min_vm_pu", "max_vm_pu"]] = 1.0, 1.02
    net.gen.loc[len(net.gen) - 1, ["min_vm_pu", "max_vm_pu"]] = 1.0, 1.02
    pandapower.to_json(net, tmp_path / "set.json")
    uniform = {"distribution": "uniform", "low": 0, "high": 1}
    power = {"of": "gen", "set": "p_mw", **uniform, "where": {"id": [1, 2]}}
    voltage = {"of": "gen", "set": "vm_pu", **uniform}
    entries, _ = expand({"gen_scale": 2.0, **drawn(500, p=power, v=voltage)}, grid="set.json")
    table = pq.read_table(sorted((tmp_path / "out").glob("gens_*.parquet"))[0]).to_pandas()
    assert {entry["gens"]["rows"] for entry in entries} == set(table["scenario"])
    by_gen = {gen: table[table["gen"] == gen] for gen in net.gen.index}
    # What the manifest and the grid multiply is divided out.
    for gen, factor in ((1, 2.0), (2, 1.0)):
        low, high = net.gen.loc[gen, ["min_p_mw", "max_p_mw"]].to_numpy(float)
        values = by_gen[gen]["p_mw"].to_numpy() * factor
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4
    assert set(by_gen[3]["p_mw"]) == {net.gen["p_mw"].loc[3]}
    bus = net.bus.loc[net.gen["bus"].loc[1]]
    span = bus["max_vm_pu"] - bus["min_vm_pu"]
    held = stats.uniform(bus["min_vm_pu"], span).cdf
    assert stats.kstest(by_gen[1]["vm_pu"], held).pvalue > 1e-4
    assert by_gen[0]["vm_pu"].between(1.0, 1.02).all()
    last = by_gen[net.gen.index[-1]]["vm_pu"].to_numpy()
    np.testing.assert_array_equal(by_gen[0]["vm_pu"].to_numpy(), last)


def test_setpoints_reach_the_power_flow(workspace):
    uniform = {"distribution": "uniform", "low": 0.2, "high": 0.8}
    random = {
        "power": {"of": "gen", "set": "p_mw", **uniform},
        "voltage": {"of": "gen", "set": "vm_pu", **uniform, "where": {"id": 1}},
    }
    family = {"id": "d", "solver": "ac", "draws": {"count": 3, "random": random}}
    content = {"version": 1, "grid": "pandapower:case9", "scenarios": [family]}
    workspace.configure(manifest="study.yaml")
    workspace.write("study.yaml", content)
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr
    table = pq.read_table(workspace.batch / "scenarios" / "gens_0001.parquet").to_pandas()
    rows = pq.read_table(workspace.batch / "summary" / "aggregated_results.parquet").to_pandas()
    found = rows[rows["element"] == "gen"]
    np.testing.assert_allclose(found["p_mw"], table["p_mw"])
    second = table["gen"] == 1
    np.testing.assert_allclose(found["vm_pu"][second.to_numpy()], table["vm_pu"][second])
    assert table["vm_pu"][~second].isna().all()
    assert (found["vm_pu"][(~second).to_numpy()] == 1.0).all()


def outages_of(entry):
    return frozenset((one["type"], one["id"]) for one in entry.get("outages", ()))


def by_draw(entries):
    found = {}
    for entry in entries:
        found.setdefault(entry["metadata"].get("draw"), []).append(outages_of(entry))
    return found


def test_topologies_at_random_differ_by_draw_and_leave_all_supplied(expand):
    family = drawn(20, load={"of": "load", "std": 0.1})
    sets = {"count": 6, "depth": 3, "connected": True, "types": ["line", "trafo"]}
    entries, _ = expand({**family, "each_outage": sets}, grid="pandapower:case118")
    assert len(entries) == 120
    found = by_draw(entries)
    assert all(len(set(own)) == 6 for own in found.values())
    assert len({one for own in found.values() for one in own}) > 110
    net = pandapower.networks.case118()
    for entry in entries[::7]:
        assert len(outages_of(entry)) == 3
        graph = nx.MultiGraph()
        graph.add_nodes_from(net.bus.index)
        for kind, ends in (("line", ("from_bus", "to_bus")), ("trafo", ("hv_bus", "lv_bus"))):
            kept = net[kind].drop(index=[n for one, n in outages_of(entry) if one == kind])
            graph.add_edges_from(kept[[*ends]].itertuples(index=False))
        assert nx.is_connected(graph)
    assert entries[0]["id"].startswith("d-00001-")
    assert entries[0]["loads"]["rows"] == entries[5]["loads"]["rows"] == "d-00001"


def test_sizes_of_topologies_follow_their_probabilities(expand):
    sets = {"count": 2, "sizes": [1, 6, 3], "types": ["line", "gen"]}
    entries, _ = expand(
        {**drawn(600, load={"of": "load", "std": 0.1}), "each_outage": sets},
        grid="pandapower:case118",
    )
    sizes = Counter(len(outages_of(entry)) for entry in entries)
    assert set(sizes) == {0, 1, 2}
    # Of the same draw no two are without outages, so these are a little rarer.
    assert sizes[2] / len(entries) == pytest.approx(0.3, abs=0.05)
    assert {kind for entry in entries for kind, _ in outages_of(entry)} == {"line", "gen"}
    assert any(entry["id"].endswith("-none") for entry in entries)


def test_more_draws_or_more_sets_change_none_that_there_are(expand):
    def family(count, sets):
        return {
            **drawn(count, load={"of": "load", "std": 0.1}),
            "each_outage": {"count": sets, "depth": 2, "connected": True},
        }

    few, _ = expand(family(5, 3), name="few")
    many, _ = expand(family(8, 4), name="many")
    first, second = by_draw(few), by_draw(many)
    assert all(second[draw][:3] == own for draw, own in first.items())
    other, _ = expand(family(5, 3), name="other", seed=6)
    assert by_draw(other) != first


def test_topologies_at_random_need_no_draws(expand):
    entries, _ = expand({"each_outage": {"count": 10, "depth": 4, "types": ["line"]}})
    assert len({outages_of(entry) for entry in entries}) == 10
    own = {"outages": [{"type": "line", "id": 0}], "each_outage": {"count": 30, "connected": True}}
    entries, _ = expand(own, name="own")
    assert all(("line", 0) in outages_of(entry) for entry in entries)
    assert all(len(outages_of(entry)) == 2 for entry in entries)


@pytest.mark.parametrize(
    ("family", "fragments"),
    [
        ({"each_outage": {"sizes": [1, 1]}}, ["each_outage.sizes", "give a count"]),
        ({"each_outage": {"depth": 3}}, ["each_outage.depth", "give a count"]),
        ({"each_outage": {"count": 2, "sizes": [0]}}, ["each_outage.sizes", "are all 0"]),
        ({"each_outage": {"count": 2, "sizes": [1], "depth": 1}}, ["take out depth"]),
        (
            {"each_outage": {"count": 2, "sets": [[{"type": "line", "id": 0}]]}},
            ["each_outage.sets", "not drawn at random"],
        ),
        ({"each_outage": {"count": 500}}, ["each_outage", "only 41 different sets", "500"]),
        (drawn(x={"of": "load", "distribution": "empirical"}), ["file", "missing"]),
        (
            drawn(x={"of": "load", "distribution": "empirical", "file": "no.csv", "column": "a"}),
            ["no.csv", "can't be read"],
        ),
        (drawn(x={"of": "gen", "std": 1, "power": "active"}), ["power", "holds its voltage"]),
        (drawn(x={"of": "load", "std": 1, "set": "p_mw"}), ["set", "is for gens"]),
        (drawn(x={"of": "load", "std": 1, "permute": True}), ["permute", "is for costs"]),
        (drawn(x={"of": "cost", "std": 1, "permute": True}), ["std", "permute"]),
        (drawn(x={"of": "cost", "std": 1, "where": {"id": 1}}), ["where", "with costs"]),
        (drawn(x={"of": "line", "std": 1}), ["say which impedance"]),
        (drawn(x={"of": "load", "std": 1, "impedance": "r"}), ["of", "'load' are not drawn"]),
        (drawn(x={"of": "line", "std": 1, "impedance": "r", "set": "p_mw"}), ["with impedances"]),
        (drawn(x={"of": "line", "rate": 0.1, "impedance": "r"}), ["does not go with a rate"]),
        (drawn(x={"of": "line", "std": 9, "impedance": "r"}), ["leads to a factor of -"]),
        (
            {"impedances": "i.csv", **drawn(x={"of": "line", "std": 1, "impedance": "r"})},
            ["impedances", "does not combine"],
        ),
        (
            {"costs": "c.csv", **drawn(x={"of": "cost", "std": 1})},
            ["costs", "does not combine"],
        ),
        (drawn(1, x={"of": "cost", "std": 1}), ["'d-00001'", "costs", "means nothing to dc"]),
        (
            drawn(x={"of": "gen", "std": 1, "set": "p_mw", "keep_total": True}),
            ["keep_total", "sets values"],
        ),
        (
            {"gen_scale": 0, **drawn(x={"of": "gen", "std": 1, "set": "p_mw"})},
            ["scaled by 0"],
        ),
        (drawn(x={"of": "load_scale", "std": 1, "each": "zone"}), ["each", "one number"]),
        (drawn(x={"of": "line", "rate": 0.1, "each": "zone"}), ["each", "go with a rate"]),
        (drawn(x={"of": "load", "std": 1, "each": "area"}), ["each", "have no area"]),
        (
            drawn(x={"of": "load", "std": 1, "each": "zone", "correlation": "c.csv"}),
            ["each", "one correlation"],
        ),
    ],
)
def test_what_contradicts_itself_is_refused(expand, family, fragments):
    with pytest.raises(GatBatchError) as caught:
        expand(family)
    assert all(fragment in str(caught.value) for fragment in fragments), caught.value


def costs_of(tmp_path, entries, name="out"):
    """Costs of each scenario: (element, id) -> rows of its curve."""
    files = sorted((tmp_path / name).glob("costs_*.parquet"))
    table = pq.ParquetFile(files[0]).read().to_pandas()
    assert {entry["costs"]["rows"] for entry in entries} <= set(table["scenario"])
    values = [column for column in table if column not in ("scenario", "element", "id")]
    return {
        scenario: {key: own[values].to_numpy() for key, own in rows.groupby(["element", "id"])}
        for scenario, rows in table.groupby("scenario")
    }


def test_costs_are_scaled_and_permuted(expand, tmp_path):
    family = {"solver": "ac_opf"}
    uniform = {"of": "cost", "distribution": "uniform", "low": 0.5, "high": 1.5}
    net = pandapower.networks.case30()
    own = net.poly_cost.set_index(["et", "element"])[["cp1_eur_per_mw", "cp2_eur_per_mw2"]]
    entries, _ = expand({**family, **drawn(400, factor=uniform)}, name="scaled")
    scaled = costs_of(tmp_path, entries, "scaled")
    factors = np.array(
        [
            [costs[key][0, 1] / own.loc[key].iloc[0] for key in own.index]
            for costs in scaled.values()
        ]
    )
    assert stats.kstest(factors.ravel(), stats.uniform(0.5, 1).cdf).pvalue > 1e-4
    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.2
    one = scaled["d-00001"][own.index[0]][0]
    assert one[2] / own["cp2_eur_per_mw2"].iloc[0] == pytest.approx(factors[0, 0])
    entries, _ = expand(
        {**family, **drawn(300, swap={"of": "cost", "permute": True})}, name="mixed"
    )
    mixed = costs_of(tmp_path, entries, "mixed")
    wanted = sorted(map(tuple, own.to_numpy()))
    for costs in mixed.values():
        assert sorted(tuple(rows[0, 1:]) for rows in costs.values()) == wanted
    first = [tuple(costs[own.index[0]][0, 1:]) for costs in mixed.values()]
    # Two generators of the grid have the same costs.
    times, found = Counter(wanted), Counter(first)
    expected = [times[one] * len(first) / len(wanted) for one in times]
    assert stats.chisquare([found[one] for one in times], expected).pvalue > 1e-4


def test_curves_of_lines_are_scaled_and_constant_costs_stay(expand, tmp_path):
    net = pandapower.networks.case9()
    net.poly_cost = net.poly_cost.iloc[:1]
    pandapower.create_pwl_cost(net, 0, "gen", [[0, 100, 2], [100, 300, 3]])
    pandapower.create_poly_cost(net, 1, "gen", cp1_eur_per_mw=0, cp0_eur=7)
    pandapower.to_json(net, tmp_path / "lines.json")
    half = {"of": "cost", "distribution": "uniform", "low": 0.5, "high": 0.5000001}
    entries, _ = expand({"solver": "dc_opf", **drawn(2, half=half)}, grid="lines.json")
    costs = costs_of(tmp_path, entries)["d-00001"]
    assert {*costs} == {("ext_grid", 0), ("gen", 0)}
    points = costs["gen", 0][:, -2:]
    np.testing.assert_allclose(points, [[0, 0], [100, 100], [300, 400]], rtol=1e-6)


def test_drawn_costs_reach_the_optimum_and_added_draws_solve_no_other(workspace):
    random = {"price": {"of": "cost", "distribution": "uniform", "low": 0.2, "high": 3}}
    family = {"id": "d", "solver": "ac_opf", "draws": {"count": 3, "random": random}}
    content = {"version": 1, "grid": "pandapower:case9", "scenarios": [family]}
    workspace.configure(manifest="study.yaml")
    workspace.write("study.yaml", content)
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr
    rows = pq.read_table(workspace.batch / "summary" / "aggregated_results.parquet").to_pandas()
    table = pq.ParquetFile(workspace.batch / "scenarios" / "costs_0001.parquet").read().to_pandas()
    for name, own in rows.groupby("scenario"):
        power = own[own["element"].isin(["gen", "ext_grid"])].set_index(["element", "id"])["p_mw"]
        costs = table[table["scenario"] == name].set_index(["element", "id"])
        p = power.loc[costs.index]
        wanted = costs["cp0_eur"] + costs["cp1_eur_per_mw"] * p + costs["cp2_eur_per_mw2"] * p**2
        assert own["objective"].dropna().iloc[0] == pytest.approx(wanted.sum(), rel=1e-6)
    before = workspace.solved()
    family["draws"]["count"] = 4
    workspace.write("study.yaml", content)
    assert workspace.run().returncode == 0
    after = workspace.solved()
    assert len(after) == 4
    assert {name: after[name] for name in before} == before


def test_scenarios_share_a_table_of_costs(workspace):
    workspace.write(
        "costs.csv",
        "scenario,element,id,cp1_eur_per_mw\na,gen,0,1\na,gen,1,90\nb,gen,0,90\nb,gen,1,1\n",
    )
    scenarios = [{"id": name, "costs": {"file": "costs.csv", "rows": name}} for name in ("a", "b")]
    manifest = {"grid": "pandapower:case9", "solver": "dc_opf", "scenarios": scenarios}
    workspace.write("manifest.json", manifest)
    assert workspace.run().returncode == 0
    rows = pq.read_table(workspace.batch / "summary" / "aggregated_results.parquet").to_pandas()
    gens = rows[rows["element"] == "gen"].pivot_table(index="scenario", columns="id", values="p_mw")
    assert gens.loc["a", 0] > gens.loc["a", 1]
    assert gens.loc["b", 1] > gens.loc["b", 0]
    workspace.write("wrong.csv", "scenario,element,id,cp1_eur_per_mw\na,gen,0,1\nb,gen,,90\n")
    before = workspace.solved()
    text = (workspace.path / "costs.csv").read_text()
    workspace.write("costs.csv", text.replace("b,gen,1,1", "b,gen,1,2"))
    assert workspace.run().returncode == 0
    after = workspace.solved()
    assert (after["a"] == before["a"], after["b"] == before["b"]) == (True, False)
    for costs, told in (
        ({"file": "costs.csv", "rows": "c"}, "no row has 'c' there"),
        ("costs.csv", "is shared by scenarios"),
        ({"file": "wrong.csv", "rows": "b"}, "rows of 'b': scenario 'a': row 2: id is empty"),
    ):
        scenarios[0]["costs"] = costs
        workspace.write("manifest.json", manifest)
        run = workspace.run("-n")
        assert (run.returncode != 0, told in run.stdout + run.stderr) == (True, True)


def impedances_of(tmp_path, entries, name="out"):
    """Rows of the impedances of each scenario, by element and index."""
    files = sorted((tmp_path / name).glob("impedances_*.parquet"))
    table = pa.concat_tables([pq.read_table(file) for file in files]).to_pandas()
    by_rows = dict(list(table.groupby("scenario")))
    return [by_rows[entry["impedances"]["rows"]].set_index(["element", "id"]) for entry in entries]


def test_impedances_have_a_factor_a_branch_a_draw(expand, tmp_path):
    net = pandapower.networks.case118()
    uniform = {"distribution": "uniform", "low": 0.8, "high": 1.2}
    quantities = {
        "r": {"of": "line", "impedance": "r", **uniform},
        "x": {"of": "line", "impedance": "x", **uniform},
        "c": {"of": "line", "impedance": "b", **uniform, "where": {"id": [3, 7]}},
        "t": {"of": "trafo", "impedance": "x", **uniform},
        "u": {"of": "trafo", "impedance": "all", "std": 0.01, "correlation": 1.0},
    }
    entries, _ = expand(drawn(60, **quantities), grid="pandapower:case118")
    rows = impedances_of(tmp_path, entries)
    lines = np.stack(
        [
            one.loc["line"].loc[net.line.index, ["r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km"]]
            for one in rows
        ]
    )
    given = net.line[["r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km"]].to_numpy()
    factors = lines / np.where(given == 0, np.nan, given)
    for part in (0, 1):
        own = factors[..., part].ravel()
        own = own[np.isfinite(own)]
        assert stats.kstest(own, stats.uniform(0.8, 0.4).cdf).pvalue > 1e-4
    both = np.isfinite(factors).all(axis=2)
    assert abs(np.corrcoef(factors[both][:, :2].T)[0, 1]) < 0.05
    scaled = np.flatnonzero((lines[..., 2] != given[:, 2]).any(axis=0))
    assert set(net.line.index[scaled]) <= {3, 7}
    assert len(scaled)
    for one in rows[:5]:
        trafo = one.loc["trafo"].loc[net.trafo.index]
        x, own = (
            np.sqrt(table["vk_percent"] ** 2 - table["vkr_percent"] ** 2)
            for table in (trafo, net.trafo)
        )
        alike = (trafo["pfe_kw"] / net.trafo["pfe_kw"]).dropna()
        assert (x / own > 0.7).all()
        assert (x / own < 1.3).all()
        assert alike.empty or alike.std() < 1e-12


def test_impedances_have_addresses(expand, tmp_path):
    uniform = {"distribution": "uniform", "low": 0.8, "high": 1.2}
    length = {"length": {"of": "line", "impedance": "all", **uniform}}
    first, more = (
        impedances_of(tmp_path, expand(drawn(count, **length, **further), name=name)[0], name)
        for name, count, further in (
            ("few", 3, {}),
            ("many", 5, {"noise": {"of": "load", "std": 0.1}}),
        )
    )
    for before, after in zip(first, more[:3], strict=True):
        assert before.drop(columns="scenario").equals(after.drop(columns="scenario"))
    again = impedances_of(tmp_path, expand(drawn(3, **length), name="other", seed=6)[0], "other")
    assert not first[0]["x_ohm_per_km"].equals(again[0]["x_ohm_per_km"])
