"""Summaries equal what pandas computes from the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from summary_files import files_in, results_of, state, write_result

from gat_batch.errors import ResultError
from gat_batch.model.violations import Limits
from gat_batch.results.schema import RESULT_SCHEMA
from gat_batch.results.writer import ResultWriter, write_placeholder
from gat_batch.study.scenario import Contingencies, Scenario
from gat_batch.summary.batch_summary import summarise
from gat_batch.summary.element_statistics import ELEMENT_COLUMNS
from gat_batch.summary.scenario_rows import SCENARIO_COLUMNS

LIMITS = Limits(80.0, (0.95, 1.05))
ROWS = [("bus", n, "vm_pu") for n in (0, 5, 7)] + [
    ("line", 3, "loading_percent"),
    ("line", 4, "loading_percent"),
    ("trafo", 0, "loading_percent"),
    ("gen", 2, "p_mw"),
    ("load", 1, "p_mw"),
]


def random_rows(rng, scenario, snapshots, dc):
    """Rows as a solver might leave them; now and then a state doesn't converge."""
    rows = []
    for snapshot in snapshots:
        bad = rng.random() < 0.15
        values = []
        if not bad:
            for element, index, quantity in ROWS:
                number = {"vm_pu": rng.uniform(0.9, 1.1), "p_mw": rng.normal(50, 40)}.get(
                    quantity, rng.uniform(0, 120)
                )
                missing = dc and quantity == "vm_pu"
                values.append((element, index, quantity, None if missing else number))
        loads = [v for *_, quantity, v in values if quantity == "loading_percent"]
        system = {"element": "system", "status": "not_converged" if bad else "ok"}
        if not bad:
            vms = [v for *_, quantity, v in values if quantity == "vm_pu" and v is not None]
            system |= {
                "load_mw": rng.uniform(90, 110),
                "unserved_mw": float(rng.integers(0, 3)),
                "iterations": int(rng.integers(2, 9)),
                "max_loading_percent": max(loads),
                "max_loading_element": f"line:{loads.index(max(loads))}",
                "min_vm_pu": min(vms, default=None),
                "max_vm_pu": max(vms, default=None),
            }
        rows.append(system | {"snapshot": snapshot})
        rows += [
            {"snapshot": snapshot, "element": element, "id": index, "name": "x", quantity: value}
            for element, index, quantity, value in values
        ]
    return [row | {"scenario": scenario} for row in rows]


@pytest.fixture
def batch(tmp_path):
    """Thirty scenarios on two grids, one with snapshots, some DC, one failed."""
    rng = np.random.default_rng(7)
    results, rows = [], []
    for n in range(30):
        grid = "one" if n % 3 else "two"
        scenario = Scenario(f"s{n}", grid, weight=float(rng.integers(1, 5)), tags=("x", "y"))
        snapshots = [f"h{hour}" for hour in range(4)] if n % 5 == 0 else [None]
        path = tmp_path / f"job_s{n}" / "result.parquet"
        own = random_rows(rng, scenario.id, snapshots, dc=n % 4 == 0)
        write_result(path, own)
        rows += [row | {"grid": grid, "weight": scenario.weight / len(snapshots)} for row in own]
        results.append((scenario, path))
    failed = Scenario("gone", "one")
    path = tmp_path / "job_gone" / "result.parquet"
    path.parent.mkdir()
    write_placeholder(path, {"error": "took too long", "attempts": 3})
    results.insert(4, (failed, path))
    return results, pd.DataFrame(rows)


def test_aggregate_holds_every_row_in_the_manifests_order(batch, tmp_path):
    results, rows = batch
    files = files_in(tmp_path)
    summarise(results_of(results), files, LIMITS)
    table = pd.read_parquet(files.aggregated)
    assert list(table["scenario"]) == list(rows["scenario"])
    assert table["loading_percent"].sum() == pytest.approx(rows["loading_percent"].sum())
    assert pq.ParquetFile(files.aggregated).num_row_groups == 1


def test_scenarios_have_row_groups_of_their_own_where_those_are_large_enough(
    batch, tmp_path, monkeypatch
):
    monkeypatch.setattr("gat_batch.summary.batch_summary.LEAST_ROWS", 1)
    results, _ = batch
    files = files_in(tmp_path)
    summarise(results_of(results), files, LIMITS)
    assert pq.ParquetFile(files.aggregated).num_row_groups == 30


def test_of_rows_that_are_copied_the_summary_is_that_of_rows_that_are_written(
    batch, tmp_path, monkeypatch
):
    results, _ = batch
    path = tmp_path / "job_n1" / "result.parquet"
    rows = [
        *state("h1", loading=[30, 90], vm=[1.0, 0.97]),
        *state("h1", "line 0", loading=[0, 120], vm=[1.0, 0.85]),
        *state("h2", loading=[20, 40], vm=[1.0, 1.02]),
    ]
    write_result(path, [{**row, "scenario": "n1"} for row in rows])
    outages = Contingencies(depth=1, types=("line",))
    results = [*results, (Scenario("n1", "three", contingencies=outages), path)]
    found = {}
    for way in ("written", "copied"):
        files = found[way] = files_in(tmp_path / way)
        summarise(results_of(results), files, LIMITS)
        monkeypatch.setattr("gat_batch.results.rows_file.LEAST_ROWS", 1)
        monkeypatch.setattr("gat_batch.results.rows_file.LEAST_BYTES", 0)
    assert pq.ParquetFile(found["written"].aggregated).num_row_groups == 1
    # One for each part that results were written in.
    assert pq.ParquetFile(found["copied"].aggregated).num_row_groups > len(results)
    for one, other in zip(*(vars(files).values() for files in found.values()), strict=True):
        if one.suffix == ".csv":
            assert one.read_text() == other.read_text()
        else:
            assert pq.read_table(one).equals(pq.read_table(other)), one.name


def test_what_is_damaged_in_rows_that_are_copied_is_named(batch, tmp_path, monkeypatch):
    monkeypatch.setattr("gat_batch.results.rows_file.LEAST_ROWS", 1)
    monkeypatch.setattr("gat_batch.results.rows_file.LEAST_BYTES", 0)
    path = tmp_path / "job_big" / "result.parquet"
    rows = random_rows(np.random.default_rng(3), "big", [f"h{n}" for n in range(300)], dc=False)
    path.parent.mkdir()
    about = {"fingerprint": "0" * 64, "attempt": 1, "duration_secs": 0.5}
    with ResultWriter(path, about) as writer:
        writer.add_rows(pa.Table.from_pylist(rows, RESULT_SCHEMA))
    results = [*batch[0], (Scenario("big", "one"), path)]
    summarise(results_of(results), files_in(tmp_path / "before"), LIMITS)
    column = RESULT_SCHEMA.get_field_index("loading_percent")
    chunk = pq.read_metadata(path).row_group(0).column(column)
    content = bytearray(path.read_bytes())
    # A number in the middle of a column that isn't compressed: only a checksum tells.
    content[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    files = files_in(tmp_path / "after")
    with pytest.raises(ResultError, match="job_big"):
        summarise(results_of(results), files, LIMITS)
    assert list(files.aggregated.parent.iterdir()) == []


def test_of_a_scenario_alone_the_rows_are_its_result_and_figures_those_that_it_has_among_others(
    batch, tmp_path
):
    scenario, path = batch[0][0]
    among, alone = files_in(tmp_path / "among"), files_in(tmp_path / "alone")
    summarise(results_of(batch[0]), among, LIMITS)
    summarise(results_of([(scenario, path)]), alone, LIMITS)
    assert pq.read_table(alone.aggregated).equals(pq.read_table(path))
    rows, every = (pq.read_table(files.aggregated) for files in (alone, among))
    assert rows.equals(every.slice(0, len(rows)))
    table = pq.read_table(alone.scenarios)
    assert table.equals(pq.read_table(among.scenarios).slice(0, 1))
    assert table["snapshots"].to_pylist() == [4]
    # Of its twin all figures but counts are the same.
    write_result(tmp_path / "twin" / "result.parquet", rows.to_pylist())
    twin = Scenario("twin", scenario.grid), tmp_path / "twin" / "result.parquet"
    summarise(results_of([(scenario, path), twin]), among, LIMITS)
    ours, theirs = (pq.read_table(files.elements) for files in (alone, among))
    for name in ("element", "id", "min", "max", "worst", "worst_scenario", "worst_snapshot"):
        assert ours[name].to_pylist() == theirs[name].to_pylist(), name
    assert [2 * count for count in ours["count"].to_pylist()] == theirs["count"].to_pylist()


def test_of_a_file_that_scenarios_shared_only_rows_of_the_manifest_count(tmp_path):
    path = tmp_path / "job_dc_0001" / "result.parquet"
    path.parent.mkdir()
    rows = {
        name: pa.Table.from_pylist(
            [{"scenario": name, "element": "system", "status": "ok", "load_mw": 1.0}], RESULT_SCHEMA
        )
        for name in ("stays", "gone")
    }
    about = {"fingerprint": "0" * 64, "attempt": 1, "duration_secs": 0.5, "keep": "all"}
    members = {"stays": {**about, "rows": [0, 1]}, "gone": {**about, "rows": [1, 2]}}
    with ResultWriter(path, {"members": members}) as writer:
        for own in rows.values():
            writer.add_rows(own)
    files = files_in(tmp_path)
    summarise(results_of([(Scenario("stays", "one"), path)]), files, LIMITS)
    assert pq.read_table(files.aggregated)["scenario"].to_pylist() == ["stays"]
    assert pq.read_table(files.scenarios)["scenario"].to_pylist() == ["stays"]


def test_elements_equal_pandas(batch, tmp_path):
    results, rows = batch
    files = files_in(tmp_path)
    summarise(results_of(results), files, LIMITS)
    table = pd.read_parquet(files.elements)
    assert list(table.columns) == list(ELEMENT_COLUMNS)
    assert len(table) == 2 * 8
    for row in table.itertuples():
        own = rows[(rows["grid"] == row.grid) & (rows["element"] == row.element)]
        own = own[own["id"] == row.id].dropna(subset=[row.quantity])
        values = own[row.quantity]
        assert row.count == len(values)
        for name, value in (
            ("min", values.min()),
            ("mean", np.average(values, weights=own["weight"])),
            ("p95", values.quantile(0.95)),
            ("max", values.max()),
        ):
            assert getattr(row, name) == pytest.approx(value, rel=1e-12), name
        worst = (values - 1).abs().idxmax() if row.element == "bus" else values.idxmax()
        assert row.worst == values[worst]
        assert row.worst_scenario == own["scenario"][worst]
        assert row.worst_snapshot == own["snapshot"][worst]
        violated = (values > 80) if row.quantity != "vm_pu" else (values < 0.95) | (values > 1.05)
        share = own["weight"][violated].sum() / own["weight"].sum()
        if row.element in ("gen", "load"):
            assert np.isnan(row.violation_probability)
        else:
            assert row.violation_probability == pytest.approx(share, rel=1e-12)


def test_scenarios_equal_pandas(batch, tmp_path):
    results, rows = batch
    files = files_in(tmp_path)
    summarise(results_of(results), files, LIMITS)
    table = pd.read_parquet(files.scenarios).set_index("scenario", drop=False)
    assert list(table.columns) == list(SCENARIO_COLUMNS)
    assert list(table.index) == [scenario.id for scenario, _ in results]
    assert tuple(table.loc["gone", ["status", "attempts", "error"]]) == (
        "failed",
        3,
        "took too long",
    )
    for name, own in rows.groupby("scenario"):
        system, line = own[own["element"] == "system"], table.loc[name]
        assert line["snapshots"] == len(system)
        assert line["not_converged"] == (system["status"] == "not_converged").sum()
        worst = "not_converged" if line["not_converged"] else "ok"
        assert line["status"] == worst
        loading = own["loading_percent"].dropna()
        assert line["loading_violations"] == (loading > 80).sum()
        vm = own["vm_pu"].dropna()
        assert line["voltage_violations"] == ((vm < 0.95) | (vm > 1.05)).sum()
        if len(loading):
            assert line["load_mw"] == pytest.approx(system["load_mw"].mean())
            assert line["max_unserved_mw"] == system["unserved_mw"].max()
            assert line["max_loading_percent"] == loading.max()
            top = system.loc[system["max_loading_percent"].idxmax()]
            assert line["max_loading_element"] == top["max_loading_element"]
            assert line["max_loading_snapshot"] == top["snapshot"]
    text = pd.read_csv(files.scenarios_csv)
    assert list(text["scenario"]) == list(table.index)


def test_batch_in_which_everything_failed_has_a_summary(tmp_path):
    path = tmp_path / "job_a" / "result.parquet"
    path.parent.mkdir()
    write_placeholder(path, {"error": "no luck", "attempts": 1})
    files = files_in(tmp_path)
    summarise(results_of([(Scenario("a", "one"), path)]), files, LIMITS)
    assert pd.read_parquet(files.scenarios)["status"].tolist() == ["failed"]
    assert len(pd.read_parquet(files.elements)) == len(pd.read_parquet(files.aggregated)) == 0


def test_damaged_result_is_named_and_leaves_no_summary(batch, tmp_path):
    results, _ = batch
    results[8][1].write_bytes(results[8][1].read_bytes()[:-9])
    files = files_in(tmp_path)
    with pytest.raises(ResultError, match=str(results[8][1].parent.name)):
        summarise(results_of(results), files, LIMITS)
    assert list(files.aggregated.parent.iterdir()) == []
