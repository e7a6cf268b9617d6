"""Solves the scenarios, a shard of them in each job.

In: the grid and the tables of a shard's members.
Out: job_<id>/result.parquet for each member; job_<id>/error.json where one failed for good. With
layout: block, one of each for the shard, in job_<shard>.

The results are flagged update(): members that are solved already outlive a rerun of their
shard, and the script solves only those whose result doesn't carry the right fingerprint.
"""

for shard in PLAN.shards:

    rule:
        name:
            f"solve_{shard.name}"
        input:
            lambda wildcards, shard=shard: inputs(shard),
            lambda wildcards, shard=shard: FOLLOWING(PLAN.made(shard)),
        output:
            update(PLAN.results(shard)),
        log:
            PLAN.log(f"solve_{shard.name}"),
        retries: RETRIES
        conda:
            "../envs/gat-batch.yaml"
        threads: lambda wildcards: workers()
        resources:
            mem_mb=lambda wildcards, attempt, threads: job_memory_mb(
                PLAN.config, workers=threads, attempt=attempt
            ),
            runtime=lambda wildcards, attempt, threads, shard=shard: job_minutes(
                shard, PLAN.config, workers=threads, attempt=attempt
            ),
            attempt=lambda wildcards, attempt: attempt,
            scenario_slots=lambda wildcards, threads: threads,
        params:
            script=lambda wildcards, threads: SCRIPTS / "solve.py",
            shard=shard.name,
            fingerprint=lambda wildcards, shard=shard: PLAN.shard_fingerprint(shard),
            # A function of the threads, so that Snakemake doesn't take new settings for new
            # results: what they change, the fingerprint knows.
            settings=lambda wildcards, threads: SETTINGS,
            python=lambda wildcards, threads: PYTHON,
        shell:
            "{params.python:q} {params.script:q} --shard {params.shard} --workers {threads}"
            " --memory-mb {resources.mem_mb} --attempt {resources.attempt}"
            " --settings {params.settings:q} --log {log:q}"
