"""Manifests: what they mean, and that no content ends in a traceback."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gat_batch.errors import GatBatchError
from gat_batch.files.workflow_files import SCHEMAS
from gat_batch.plan.job_needs import job_memory_mb, job_minutes
from gat_batch.run.start import open_batch
from gat_batch.study.batch.scenarios import Batch
from gat_batch.study.manifest import read_manifest

SCHEMA = json.loads((SCHEMAS / "manifest.schema.json").read_text())


def plan(tmp_path, content, **config):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(content))
    values = {"manifest": str(path), "output_dir": str(tmp_path), **config}
    return open_batch(values, main=False)


def many(count, **top):
    return {"scenarios": [{"id": f"s{n}"} for n in range(count)], "grid": "pandapower:case9", **top}


def test_scenarios_take_what_they_leave_out_from_the_top(tmp_path):
    content = {
        "scenarios": [
            {"id": "a"},
            {"id": "b", "solver": "dc", "timeout_secs": 5, "grid": "pandapower:case14"},
            {"id": "c", "options": {"max_iteration": 3}},
        ],
        "grid": "pandapower:case9",
        "solver": "ac",
        "timeout_secs": 9,
    }
    a, b, c = plan(tmp_path, content).batch.scenarios
    assert (a.solver, a.timeout_secs, a.grid) == ("ac", 9, "pandapower:case9")
    assert (b.solver, b.timeout_secs, b.grid) == ("dc", 5, "pandapower:case14")
    assert c.options == {"max_iteration": 3}


@pytest.mark.parametrize(
    ("count", "solver", "sizes"),
    [
        (5, "dc", [5]),
        (208, "ac", [208]),
        (10_000, "dc", [1250] * 8),
        (900, "ac", [450] * 2),
        (50, "ac_opf", [25] * 2),
        (1000, "ac_opf", [125] * 8),
        (4000, "ac_opf", [250] * 16),
        (10_000, "dc_opf", [1250] * 8),
    ],
)
def test_automatic_shards_follow_from_solver_and_number(tmp_path, count, solver, sizes):
    shards = plan(tmp_path, many(count, solver=solver)).shards
    assert [len(shard.scenarios) for shard in shards] == sizes


def test_time_limit_of_a_job_grows_with_its_members_and_its_attempts(tmp_path):
    made = plan(tmp_path, many(100, timeout_secs=60), scenarios_per_job=100)
    (shard,) = made.shards
    # One member at its limit three times, two waits of a minute, a tenth of all limits.
    assert job_minutes(shard, made.config, workers=1, attempt=1) == 10 + 3 + 2 + 10
    assert job_minutes(shard, made.config, workers=1, attempt=3) == 10 + 3 * 15
    assert job_minutes(shard, made.config, workers=5, attempt=1) == 10 + 3 + 2 + 2


@pytest.mark.parametrize(
    ("wanted", "count", "cores", "found"),
    [
        ("auto", 1, 8, (8, 16_000)),
        ("auto", 3, 8, (2, 4000)),
        ("auto", 9, 8, (1, 2000)),
        ("auto", 1, 64, (8, 16_000)),
        (4, 1, 1, (4, 2000)),
    ],
)
def test_a_job_has_its_share_of_the_cores_and_as_much_memory_for_each(
    tmp_path, wanted, count, cores, found
):
    content, config = many(count), {"scenarios_per_job": 1, "workers_per_job": wanted}
    made = plan(tmp_path, content, **config)
    workers, memory = found
    assert made.workers(cores) == workers
    assert job_memory_mb(made.config, workers=workers, attempt=1) == memory
    assert job_memory_mb(made.config, workers=workers, attempt=2) == 2 * memory
    assert plan(tmp_path, {**content, "max_jobs": 1}, **config).workers(cores) == 1


def test_shards_hold_one_grid_and_one_solver(tmp_path):
    content = many(40)
    for n, scenario in enumerate(content["scenarios"]):
        scenario["solver"] = ("dc", "ac")[n % 2]
        scenario["grid"] = ("pandapower:case9", "pandapower:case14")[n // 20]
    shards = plan(tmp_path, content, scenarios_per_job=7).shards
    members = [scenario.id for shard in shards for scenario in shard.scenarios]
    assert sorted(members) == sorted(scenario["id"] for scenario in content["scenarios"])
    for shard in shards:
        assert len(shard.scenarios) <= 7
        assert len({(scenario.solver, scenario.grid) for scenario in shard.scenarios}) == 1


def test_fingerprint_covers_what_changes_a_result_and_nothing_else(tmp_path):
    (tmp_path / "a.csv").write_text("load,p_mw\n0,1\n")
    (tmp_path / "same.csv").write_text("load,p_mw\n0,1\n")
    (tmp_path / "other.csv").write_text("load,p_mw\n0,2\n")

    def fingerprint(**keys):
        scenario = {"id": "a", "grid": "pandapower:case9", "solver": "ac", "loads": "a.csv"} | keys
        made = plan(tmp_path, {"scenarios": [scenario]})
        return made.fingerprint(made.batch.scenarios[0])

    base = fingerprint()
    outages = [{"type": "line", "id": 1}, {"type": "gen", "id": 0}]
    for same in (
        {"loads": "same.csv"},
        {"id": "b"},
        {"weight": 3},
        {"tags": ["x"]},
        {"timeout_secs": 1},
        {"description": "x"},
        {"metadata": {"x": 1}},
    ):
        assert fingerprint(**same) == base, same
    assert fingerprint(outages=outages) == fingerprint(outages=outages[::-1])
    changed = [
        {"loads": "other.csv"},
        {"solver": "dc"},
        {"grid": "pandapower:case14"},
        {"load_scale": 1.1},
        {"gen_scale": 1.1},
        {"gens": "a.csv"},
        {"outages": outages},
        {"outages": outages[:1]},
        {"options": {"max_iteration": 11}},
    ]
    assert len({base, *(fingerprint(**keys) for keys in changed)}) == len(changed) + 1


WORDS = st.sampled_from(
    [*SCHEMA["properties"], *SCHEMA["$defs"]["scenario"]["properties"], "type", "line", "a", ""]
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=4))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
LIKELY = st.fixed_dictionaries(
    {"scenarios": st.lists(st.dictionaries(WORDS, VALUES, max_size=5) | VALUES, max_size=3)},
    optional={word: VALUES for word in SCHEMA["properties"] if word != "scenarios"},
)


@settings(max_examples=400, deadline=None)
@given(document=LIKELY | VALUES, suffix=st.sampled_from([".json", ".yaml"]))
def test_no_document_ends_in_a_traceback(tmp_path_factory, document, suffix):
    path = tmp_path_factory.mktemp("m") / f"manifest{suffix}"
    path.write_text(json.dumps(document))
    assert_batch_or_fault(path)


@settings(max_examples=200, deadline=None)
@given(
    content=st.binary(max_size=60) | st.text().map(str.encode),
    suffix=st.sampled_from([".json", ".yml"]),
)
def test_no_bytes_end_in_a_traceback(tmp_path_factory, content, suffix):
    path = tmp_path_factory.mktemp("m") / f"manifest{suffix}"
    path.write_bytes(content)
    assert_batch_or_fault(path)


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_deep_nesting_ends_in_a_fault(tmp_path, suffix):
    path = tmp_path / f"manifest{suffix}"
    path.write_text("[" * 100_000)
    assert_batch_or_fault(path)


def test_aliases_of_aliases_end_in_a_fault(tmp_path):
    path = tmp_path / "manifest.yaml"
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    path.write_text("\n".join(["a0: &a0 [x, x]", *levels]))
    assert_batch_or_fault(path)


def test_common_options_reach_the_solvers_that_know_them(tmp_path):
    scenarios = [
        {"id": "a", "solver": "ac", "options": {"init": "flat"}},
        {"id": "d", "solver": "dc"},
    ]
    options = {"tolerance_mva": 1e-6, "init": "dc", "trafo_model": "pi"}
    path = tmp_path / "manifest.json"
    content = {"grid": "pandapower:case9", "options": options, "scenarios": scenarios}
    path.write_text(json.dumps(content))
    ac, dc = read_manifest(path, SCHEMA).scenarios
    assert ac.options == options | {"init": "flat"}
    assert dc.options == {"trafo_model": "pi"}


def test_faults_of_common_options_are_told_once(tmp_path):
    scenarios = [{"id": f"s{n}", "solver": "ac" if n % 2 else "dc"} for n in range(10)]
    options = {"tolerance_mv": 1, "max_iteration": 0}
    path = tmp_path / "manifest.json"
    content = {"grid": "pandapower:case9", "options": options, "scenarios": scenarios}
    path.write_text(json.dumps(content))
    with pytest.raises(GatBatchError) as caught:
        read_manifest(path, SCHEMA)
    first, second = sorted(str(caught.value).splitlines())
    assert "no option 'tolerance_mv'" in first
    assert "max_iteration: 0 is not" in second


def assert_batch_or_fault(path):
    try:
        batch = read_manifest(path, SCHEMA)
    except GatBatchError as error:
        message = str(error)
    else:
        assert isinstance(batch, Batch)
        message = path.name
    assert path.name in message
    assert all(path.name in line for line in message.splitlines())
