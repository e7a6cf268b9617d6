"""Random scenarios: the same bytes for the same seed, and the distributions that were asked for.

Bounds are five standard errors of the estimate, so that a right implementation passes for nearly
every seed (the seed is fixed all the same) and one that is off by little more fails.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandapower.networks
import pyarrow.parquet as pq
import pytest
import yaml
from scipy import stats

from gat_batch.errors import GatBatchError
from gat_batch.scenarios.product import make
from gat_batch.scenarios.quantities import values_of
from gat_batch.scenarios.sampling import Design

COUNT = 4000
ERRORS = 5.0


def write(folder, random, name="study.yaml", **draws):
    content = {
        "version": 1,
        "grid": draws.pop("grid", "pandapower:case9"),
        "seed": draws.pop("seed", 11),
        "scenarios": [{"id": "d", "draws": {"count": COUNT, "random": random, **draws}}],
    }
    path = folder / name
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def made(folder, random, **draws):
    """Entries of the manifest, and factors on the loads, shape (draws, loads)."""
    make(write(folder, random, **draws), folder / "out")
    entries = json.loads((folder / "out" / "manifest.json").read_text())["scenarios"]
    tables = sorted((folder / "out").glob("loads_*.parquet"))
    if not tables:
        return entries, None
    p_mw = np.concatenate([pq.read_table(table)["p_mw"].to_numpy() for table in tables])
    own = pandapower.networks.case9().load["p_mw"].to_numpy()
    return entries, p_mw.reshape(len(entries), -1) / own


def close(found, wanted, error):
    assert abs(found - wanted) < ERRORS * error, (found, wanted, error)


def check_moments(values, mean, std):
    """Mean and standard deviation of normal numbers."""
    close(values.mean(), mean, std / math.sqrt(values.size))
    close(values.std(), std, std / math.sqrt(2 * values.size))


def test_equally_correlated_noise(tmp_path):
    noise = {"of": "load", "mean": 1.02, "std": 0.1, "correlation": 0.6}
    _, factors = made(tmp_path, {"noise": noise})
    for column in factors.T:
        check_moments(column, 1.02, 0.1)
        assert stats.kstest(column, "norm", args=(1.02, 0.1)).pvalue > 1e-4
    found = np.corrcoef(factors.T)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        close(found[i, j], 0.6, (1 - 0.6**2) / math.sqrt(COUNT))


def test_noise_with_a_covariance(tmp_path):
    covariance = np.array([[0.04, 0.01, 0.0], [0.01, 0.01, -0.004], [0.0, -0.004, 0.0025]])
    rows = "\n".join(",".join(map(str, row)) for row in covariance)
    (tmp_path / "cov.csv").write_text(f"0,1,2\n{rows}\n")
    _, factors = made(tmp_path, {"noise": {"of": "load", "covariance": "cov.csv"}})
    found = np.cov(factors.T)
    for i in range(3):
        close(factors[:, i].mean(), 1, math.sqrt(covariance[i, i] / COUNT))
        for j in range(3):
            # Variance of a sample covariance of normal numbers: (s_ii s_jj + s_ij^2) / n.
            spread = covariance[i, i] * covariance[j, j] + covariance[i, j] ** 2
            close(found[i, j], covariance[i, j], math.sqrt(spread / COUNT))


def test_copula_keeps_margins_and_rank_correlation(tmp_path):
    matrix = np.array([[1, 0.8, -0.5], [0.8, 1, -0.2], [-0.5, -0.2, 1]])
    # In another order than the grid's.
    order = [2, 0, 1]
    rows = "\n".join(",".join(map(str, row)) for row in matrix[np.ix_(order, order)])
    (tmp_path / "c.csv").write_text(f"{','.join(map(str, order))}\n{rows}\n")
    beta = {"distribution": "beta", "alpha": 2, "beta": 5, "correlation": "c.csv"}
    _, factors = made(tmp_path, {"noise": {"of": "load", **beta}})
    for column in factors.T:
        assert stats.kstest(column, "beta", args=(2, 5)).pvalue > 1e-4
    for i, j in ((0, 1), (0, 2), (1, 2)):
        # Spearman's of a Gaussian copula: 6 / pi * asin(rho / 2).
        wanted = 6 / math.pi * math.asin(matrix[i, j] / 2)
        close(stats.spearmanr(factors[:, i], factors[:, j]).statistic, wanted, 1.1 / COUNT**0.5)


@pytest.mark.parametrize(
    ("entry", "reference"),
    [
        ({"std": 0.2}, stats.norm(1, 0.2)),
        ({"distribution": "uniform", "low": 0.5, "high": 2}, stats.uniform(0.5, 1.5)),
        (
            {"distribution": "triangular", "low": 1, "mode": 2, "high": 5},
            stats.triang(0.25, 1, 4),
        ),
        ({"distribution": "beta", "alpha": 2, "beta": 3, "high": 4}, stats.beta(2, 3, 0, 4)),
        ({"distribution": "weibull", "shape": 2, "scale": 8}, stats.weibull_min(2, scale=8)),
        (
            {"distribution": "lognormal", "mean": 2, "std": 0.5},
            stats.lognorm(math.sqrt(math.log(1 + 1 / 16)), scale=2 / math.sqrt(1 + 1 / 16)),
        ),
    ],
)
def test_distributions_are_those_of_the_textbook(entry, reference):
    """Against scipy's own distributions, which share no line with ours."""
    uniform = np.linspace(0.001, 0.999, 999)
    values = values_of(entry, uniform)
    assert np.allclose(values, reference.ppf(uniform), rtol=1e-9, atol=1e-12)


def test_wind_turbine_follows_its_power_curve():
    curve = {"shape": 2, "scale": 8, "cut_in": 3, "rated": 12, "cut_out": 25}
    uniform = (np.arange(200_000) + 0.5) / 200_000
    share = values_of({"distribution": "weibull", **curve}, uniform)

    def between(low, high):
        return math.exp(-((low / 8) ** 2)) - math.exp(-((high / 8) ** 2))

    assert (share == 1).mean() == pytest.approx(between(12, 25), abs=2e-5)
    assert (share == 0).mean() == pytest.approx(1 - between(3, 25), abs=2e-5)
    speed = np.linspace(3, 12, 100_001)
    density = 2 / 8 * speed / 8 * np.exp(-((speed / 8) ** 2))
    partial = np.trapezoid((speed**3 - 27) / (1728 - 27) * density, speed)
    assert share.mean() == pytest.approx(partial + between(12, 25), abs=2e-5)


def test_outages_happen_at_their_rates(tmp_path):
    (tmp_path / "rates.csv").write_text("line,rate\n0,0.3\n2,0.02\n5,0\n")
    random = {
        "lines": {"of": "line", "rate": "rates.csv"},
        "gens": {"of": "gen", "rate": 0.1},
    }
    entries, _ = made(tmp_path, random)
    out = [{(o["type"], o["id"]) for o in entry.get("outages", ())} for entry in entries]
    for element, rate in ((("line", 0), 0.3), (("line", 2), 0.02), (("gen", 0), 0.1)):
        found = np.mean([element in one for one in out])
        close(found, rate, math.sqrt(rate * (1 - rate) / COUNT))
    assert not any(("line", n) in one for one in out for n in (1, 3, 4, 5))
    both = np.mean([("line", 0) in one and ("gen", 0) in one for one in out])
    close(both, 0.03, math.sqrt(0.03 * 0.97 / COUNT))
    assert all("weight" not in entry for entry in entries)


def test_outages_drawn_more_often_are_weighted_down(tmp_path):
    rare = {"lines": {"of": "line", "rate": 0.01, "drawn_rate": 0.2}}
    entries, _ = made(tmp_path, rare)
    weights = np.array([entry["weight"] for entry in entries])
    close(weights.mean(), 1, weights.std() / math.sqrt(COUNT))
    for line in (0, 4):
        out = np.array([{"type": "line", "id": line} in e.get("outages", []) for e in entries])
        close(out.mean(), 0.2, math.sqrt(0.2 * 0.8 / COUNT))
        terms = weights * out
        close(terms.mean(), 0.01, terms.std() / math.sqrt(COUNT))


def test_drawn_parameters_multiply_what_is_given(tmp_path):
    random = {
        "demand": {"of": "load_scale", "distribution": "uniform", "low": 0.8, "high": 1.2},
        "supply": {"of": "gen_scale", "std": 0.05},
    }
    entries, table = made(tmp_path, random)
    assert table is None
    demand = np.array([entry["load_scale"] for entry in entries])
    supply = np.array([entry["gen_scale"] for entry in entries])
    assert stats.kstest(demand, "uniform", args=(0.8, 0.4)).pvalue > 1e-4
    check_moments(supply, 1, 0.05)
    close(np.corrcoef(demand, supply)[0, 1], 0, 1 / math.sqrt(COUNT))


@pytest.mark.parametrize("method", ["latin_hypercube", "sobol"])
def test_designs_fill_every_margin_evenly(method):
    design = Design(method, 3, 1024, {"a": 2, "b": 3})
    cubes = design.points(0, 1024)
    points = np.column_stack([cubes["a"], cubes["b"]])
    for column in points.T:
        assert sorted(np.floor(column * 1024).astype(int)) == list(range(1024))
    assert np.abs(np.corrcoef(points.T) - np.eye(5)).max() < ERRORS / math.sqrt(1024)
    parts = [design.points(first, first + 256) for first in range(0, 1024, 256)]
    assert np.array_equal(np.concatenate([part["b"] for part in parts]), cubes["b"])
    other = Design(method, 4, 1024, {"a": 2, "b": 3}).points(0, 1024)
    assert not np.isclose(other["a"], cubes["a"]).any(axis=1).all()


def test_sobol_points_are_a_net():
    """Every box of 1/16 by 1/16 of two dimensions holds the same number of points."""
    points = Design("sobol", 3, 256, {"a": 1, "b": 1}).points(0, 256)
    boxes = np.floor(points["a"][:, 0] * 16) * 16 + np.floor(points["b"][:, 0] * 16)
    assert set(np.bincount(boxes.astype(int), minlength=256)) == {1}


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_what_is_added_moves_no_other_number(method):
    before = Design(method, 5, 50, {"a": 4, "b": 2}).points(0, 50)
    longer = Design(method, 5, 90, {"a": 4, "b": 2}).points(0, 90)
    wider = Design(method, 5, 50, {"a": 4, "b": 2, "c": 7}).points(0, 50)
    for name in ("a", "b"):
        assert np.array_equal(before[name], longer[name][:50])
        assert np.array_equal(before[name], wider[name])
    assert not np.isin(before["a"], Design(method, 6, 50, {"a": 4}).points(0, 50)["a"]).any()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_same_seed_same_bytes_and_a_changed_one_changes_only_draws(tmp_path):
    content = {
        "version": 1,
        "grid": "pandapower:case9",
        "seed": 1,
        "scenarios": [
            {"id": "a", "scale": {"all": {"of": "load", "by": 1.1}}},
            {"id": "own", "draws": draws(seed=9)},
            {"id": "common", "draws": draws()},
        ],
    }
    made_of = {}
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        file = tmp_path / "study.yaml"
        file.write_text(yaml.safe_dump(content | {"seed": seed}, sort_keys=False))
        make(file, tmp_path / name)
        made_of[name] = contents(tmp_path / name)
    assert made_of["first"] == made_of["again"]
    one, two = (pq.read_table(tmp_path / n / "loads_0001.parquet") for n in ("first", "other"))
    same = np.array(one["p_mw"]) == np.array(two["p_mw"])
    family = np.array([name.split("-")[0] for name in one["scenario"].to_pylist()])
    assert same[family != "common"].all()
    assert not same[family == "common"].any()


def draws(**more):
    return {"count": 20, "random": {"noise": {"of": "load", "std": 0.1}}, **more}


@pytest.mark.parametrize(
    ("random", "fragments"),
    [
        ({"of": "load", "correlation": 0.5}, ["std: missing"]),
        ({"of": "lod", "std": 1}, ["of", "did you mean 'load'"]),
        ({"of": "line", "std": 1}, ["give a rate"]),
        ({"of": "bus", "rate": 0.1}, ["has no forced outages"]),
        ({"of": "load", "std": 1, "alpha": 2}, ["alpha", "no parameter of a normal"]),
        ({"of": "load", "distribution": "uniform", "low": 2, "high": 1}, ["ascending"]),
        ({"of": "load", "std": 0.1, "correlation": "none.csv"}, ["none.csv", "can't be read"]),
        ({"of": "load", "covariance": "bad.csv"}, ["bad.csv", "eigenvalue"]),
        ({"of": "load", "std": 1, "correlation": "bad.csv"}, ["diagonal is not 1"]),
        ({"of": "load_scale", "std": 1, "where": {"zone": 1}}, ["where", "one number"]),
        ({"of": "scale.x", "std": 1}, ["no scale 'x'"]),
        ({"of": "line", "rate": "rates.csv"}, ["rates.csv", "no probability"]),
        ({"of": "line", "rate": 0.1, "drawn_rate": 1}, ["drawn_rate"]),
    ],
)
def test_faulty_quantities_are_refused(tmp_path, random, fragments):
    (tmp_path / "bad.csv").write_text("0,1,2\n1,2,0\n2,1,0\n0,0,2\n")
    (tmp_path / "rates.csv").write_text("line,rate\n1,1.5\n")
    with pytest.raises(GatBatchError) as caught:
        make(write(tmp_path, {"q": random}), tmp_path / "out")
    own = fragments[0].endswith(".csv")
    for fragment in fragments if own else ["draws.random.q", "'d'", *fragments]:
        assert fragment in str(caught.value)
    assert not Path(tmp_path / "out").exists()
