"""What a run keeps for its jobs is the batch that it began with."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandapower
import pandapower.networks
from conftest import ROOT

from gat_batch.files.json_lines import JsonLines
from gat_batch.plan.kept_batch import keep_batch, kept_batch, kept_outlines
from gat_batch.plan.plan import Plan
from gat_batch.run.start import open_batch, plan_batch
from gat_batch.study.batch.scenarios import MOST_MADE


def test_jobs_have_the_batch_and_its_shards_as_they_were(workspace):
    scenarios = [{"id": f"s{n}", "solver": ("dc", "ac")[n % 2]} for n in range(9)]
    scenarios[3] |= {"contingencies": "n-1", "load_scale": 0.9, "metadata": {"ä": [1, None]}}
    scenarios[4]["grid"] = "pandapower:case14"
    content = {"grid": "pandapower:case9", "question": "Which?", "scenarios": scenarios}
    manifest = workspace.write("manifest.json", content)
    values = {"manifest": str(manifest), "output_dir": str(workspace.path / "runs")}
    plan = open_batch(values, main=False)
    file = plan.config.scenarios_as_begun
    keep_batch(plan)
    # People edit their manifest while a run is at work.
    workspace.write("manifest.json", {**content, "scenarios": scenarios[:1]})
    found = kept_batch(file)
    assert found is not None
    batch, product = found
    assert product is None
    assert [*batch.scenarios] == [*plan.batch.scenarios]
    assert batch.outlines.labels == plan.batch.outlines.labels
    assert batch.question == "Which?"
    kept = Plan(batch, plan.config)
    for ours, theirs in zip(kept.shards, plan.shards, strict=True):
        assert (ours.name, ours.ids, ours.numbers) == (theirs.name, theirs.ids, theirs.numbers)
        assert kept.shard_fingerprint(ours) == plan.shard_fingerprint(theirs)
    assert kept.summary_fingerprint() == plan.summary_fingerprint()
    assert [*open_batch(values, main=False).batch.scenarios] == [*plan.batch.scenarios]


def test_a_batch_that_an_earlier_version_kept_is_read_from_its_manifest(workspace):
    content = {"grid": "pandapower:case9", "scenarios": [{"id": "a"}]}
    values = {
        "manifest": str(workspace.write("manifest.json", content)),
        "output_dir": str(workspace.path / "runs"),
    }
    plan = open_batch(values, main=False)
    keep_batch(plan)
    file = plan.config.scenarios_as_begun
    head, *lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    old = {key: one for key, one in json.loads(head).items() if key not in ("form", "labels")}
    old["kinds"] = [kind[:3] for kind in old["kinds"]]
    file.write_text(json.dumps(old) + "\n" + "".join(lines), encoding="utf-8")
    assert plan_batch(values).known == {}
    assert [*open_batch(values, main=False).batch.scenarios] == [*plan.batch.scenarios]


def test_outlines_of_the_run_before_are_those_of_the_same_text(workspace):
    entries = [{"id": f"s{n}", "solver": ("dc", "ac")[n % 2], "weight": n + 1} for n in range(5)]
    content = {"grid": "pandapower:case9", "scenarios": entries}
    values = {
        "manifest": str(workspace.write("manifest.json", content)),
        "output_dir": str(workspace.path / "runs"),
    }
    plan = open_batch(values, main=False)
    keep_batch(plan)
    same = {**content, "scenarios": JsonLines.of(entries)}
    found = kept_outlines(same, plan.config)
    assert found is not None
    given = plan.batch.outlines
    assert (*found.ids, *found.kinds, *found.codes) == (*given.ids, *given.kinds, *given.codes)
    assert found.labels == given.labels
    others = [JsonLines.of(entries[:4]), JsonLines.of([*entries[:4], {**entries[4], "weight": 9}])]
    for other in others:
        assert kept_outlines({**same, "scenarios": other}, plan.config) is None
    assert kept_outlines({**same, "solver": "ac"}, plan.config) is None
    plan.config.scenarios_as_begun.write_text("{")
    assert kept_outlines(same, plan.config) is None


def test_fingerprints_of_the_run_before_hold_until_anything_changes(workspace):
    net = pandapower.networks.case9()
    pandapower.to_json(net, str(workspace.path / "grid.json"))
    scenarios = [{"id": f"s{n}", "load_scale": 1 + n / 100} for n in range(6)]
    scenarios += [{"id": "tabled", "solver": "ac", "loads": "loads.csv"}]
    (workspace.path / "loads.csv").write_text("load,p_mw\n0,10\n")
    content = {"grid": "grid.json", "layout": "block", "scenarios": scenarios}
    manifest = workspace.write("manifest.json", content)
    values = {"manifest": str(manifest), "output_dir": str(workspace.path / "runs")}
    plan = plan_batch(values)
    assert not plan.known
    keep_batch(plan)
    (_, light) = plan.shards
    found = plan_batch(values)
    assert found.known == {light.name: plan.shard_fingerprint(light)}
    assert plan_batch({**values, "workers_per_job": 2}).known == {}
    assert plan_batch({**values, "engine": "pandapower"}).known == {}
    changed = [{**scenarios[0], "load_scale": 1.5}, *scenarios[1:]]
    for other in ({"scenarios": changed}, {"keep": "system"}, {"options": {"trafo_model": "pi"}}):
        workspace.write("manifest.json", {**content, **other})
        assert plan_batch(values).known == {}
    workspace.write("manifest.json", content)
    assert plan_batch(values).known == found.known
    net.line["length_km"] *= 1.1
    pandapower.to_json(net, str(workspace.path / "grid.json"))
    fresh = subprocess.run(
        [sys.executable, "-c", KNOWN, json.dumps(values)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert fresh.stdout == "{}\n"


KNOWN = """
import json, sys
from gat_batch.run.start import plan_batch
print(plan_batch(json.loads(sys.argv[1])).known)
"""


def test_scenarios_are_made_again_where_there_are_too_many_to_keep(workspace):
    count = MOST_MADE + 10
    scenarios = [{"id": f"s{n}", "load_scale": 1 + n / count} for n in range(count)]
    manifest = workspace.path / "manifest.json"
    manifest.write_text(json.dumps({"grid": "pandapower:case9", "scenarios": scenarios}))
    batch = open_batch({"manifest": str(manifest)}, main=False).batch
    first = batch.scenarios[0]
    assert [one.id for one in batch.scenarios] == [one["id"] for one in scenarios]
    assert batch.scenarios[0] == first
    assert batch.scenarios[0] is not first
    assert batch.scenarios[-1] is batch.scenarios[count - 1]
