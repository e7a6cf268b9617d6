"""Reads configuration and manifest, and makes the plan that the rules follow.

In: the configuration (schemas/config.schema.json) and the manifest
(schemas/manifest.schema.json). Out: PLAN, which knows every file and shard of the batch.
Faults of the input end the run here, before anything is written.
"""

import gc
import json
import sys
from functools import cache

from snakemake.exceptions import WorkflowError

ROOT = Path(str(workflow.current_basedir)).parents[1]
SCRIPTS = ROOT / "scripts"

# The package is used in place, so that a clone runs in any environment that has the pins.
sys.path.insert(0, str(SCRIPTS))

from gat_batch.run import start
from gat_batch.errors import GatBatchError
from gat_batch.run.finish import conclude
from gat_batch.plan.job_needs import job_memory_mb, job_minutes
from gat_batch.plan.plan import JOB_RETRIES
from gat_batch.upstream import snakemake as engine

try:
    # Jobs parse the workflow again: their input has passed all checks already.
    PLAN = start.open_batch(
        config,
        main=engine.is_main_process(workflow),
        dry_run=engine.is_dry_run(workflow),
    )
except GatBatchError as error:
    # Snakemake would put file and line of this rule before the message and after it, as if the
    # workflow were at fault.
    print(f"error: {error}", file=sys.stderr)
    sys.exit(1)

# Snakemake makes so many objects of a large batch that Python looks for garbage among them for a
# tenth of the time. What is there already stays: it is left out.
gc.freeze()


def inputs(shard):
    """Grid and tables of a shard. In a run, the first question after them is its beginning.

    Snakemake asks when it knows that it is to run something: a dry run and questions such as
    --summary or --lint change nothing on disk.
    """
    if engine.will_run(workflow):
        begin_once()
    return PLAN.inputs(shard)


@cache
def begin_once():
    """Claim the batch. Snakemake would show an exception of an input function with its traceback."""
    try:
        start.check_executor(engine.executor_name(workflow))
        start.begin(PLAN)
    except GatBatchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@cache
def workers():
    """Scenarios that a job solves at the same time; known when Snakemake knows where it runs them."""
    return PLAN.workers(engine.shared_cores(workflow))


# Shards and summary follow if manifest and tables are made again: Snakemake looks for no other
# reason to run a job that comes after one that runs. Else fingerprints say what has changed.
FOLLOWING = list if PLAN.product and PLAN.product.pending else ancient
RESULTS = [str(path) for path in PLAN.results()]
SETTINGS = json.dumps(config)

# An environment that Snakemake deploys has its own Python; else jobs run in Snakemake's, also
# where that environment isn't activated, as on the nodes of a cluster.
PYTHON = "python" if engine.deploys_environments(workflow) else sys.executable

# Ends the commands whose messages go into a log alone: why a job failed is its last line, which
# Snakemake doesn't show where it is to be quiet about rules.
OR_SAY_WHY = (
    " || {{ code=$?; tail -n 1 {log:q} >&2; echo Look at: {log:q} >&2; exit $code; }}"
)

# The Snakemake inside a cluster's job must not try again there, where there is no more memory.
RETRIES = JOB_RETRIES if engine.is_main_process(workflow) else 0

if PLAN.batch.max_jobs is not None:
    engine.limit_resource(workflow, "scenario_slots", PLAN.batch.max_jobs)
