"""What an upgrade of Snakemake breaks, in a sentence."""

from __future__ import annotations

import threading

from gat_batch.upstream.snakemake import end_timers

WORKFLOW = """
from pathlib import Path
from gat_batch.upstream import snakemake as engine

engine.limit_resource(workflow, "scenario_slots", 1)
facts = [
    engine.is_main_process(workflow),
    engine.is_dry_run(workflow),
    engine.will_run(workflow),
    engine.deploys_environments(workflow),
]
Path("facts").write_text(repr(facts))

def asked(wildcards):
    if engine.will_run(workflow):
        Path("executor").write_text(engine.executor_name(workflow))
    Path("cores").write_text(str(engine.shared_cores(workflow)))
    return []

rule all:
    input: asked
    output: "done"
    log: "log"
    resources: scenario_slots=1
    shell: "touch {output}"
"""


def facts_of(workspace, *arguments):
    workspace.write("Snakefile", WORKFLOW)
    run = workspace.snakemake("--cores", "1", *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    return (workspace.path / "facts").read_text()


def test_the_workflow_knows_what_was_asked(workspace):
    told = "Snakemake's workflow object names what was asked otherwise"
    assert facts_of(workspace, "-n") == "[True, True, False, False]", told
    assert facts_of(workspace, "--summary") == "[True, False, False, False]", told
    assert not (workspace.path / "executor").exists()
    assert facts_of(workspace), told
    assert (workspace.path / "executor").read_text() == "local", told
    assert (workspace.path / "cores").read_text() == "1", told
    (workspace.path / "done").unlink()
    assert workspace.snakemake("--cores", "3").returncode == 0
    assert (workspace.path / "cores").read_text() == "3", told


def test_timers_of_snakemake_are_ended_and_no_others():
    def later():
        pass

    later.__module__ = "snakemake.scheduling"
    theirs, ours = threading.Timer(60, later), threading.Timer(60, lambda: None)
    for timer in (theirs, ours):
        timer.daemon = True
        timer.start()
    end_timers()
    theirs.join(5)
    assert not theirs.is_alive()
    assert ours.is_alive()
    ours.cancel()
