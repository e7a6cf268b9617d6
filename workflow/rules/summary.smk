"""Collects the results, and ends the run.

In: every result.parquet. Out: summary/ with all rows, one row a scenario, an element, a contingency;
logs/finished if no more scenarios failed than the configuration permits.
"""


rule summarise:
    input:
        results=RESULTS,
        made=FOLLOWING(PLAN.made()),
    output:
        aggregated=PLAN.summary("aggregated_results.parquet"),
        scenarios=PLAN.summary("scenarios.parquet"),
        scenarios_csv=PLAN.summary("scenarios.csv"),
        elements=PLAN.summary("elements.parquet"),
        contingencies=PLAN.summary("contingencies.parquet"),
        overloads=PLAN.summary("overloads.parquet"),
        categories=PLAN.summary("categories.parquet"),
        remedies=PLAN.summary("remedies.parquet"),
    log:
        PLAN.log("summarise"),
    retries: RETRIES
    conda:
        "../envs/gat-batch.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: PLAN.config.mem_mb * attempt,
        runtime=60,
    params:
        script=lambda wildcards, threads: SCRIPTS / "summarise.py",
        fingerprint=lambda wildcards: PLAN.summary_fingerprint(),
        settings=lambda wildcards, threads: SETTINGS,
        python=lambda wildcards, threads: PYTHON,
    shell:
        "{params.python:q} {params.script:q} --settings {params.settings:q} 2> {log:q}"
        + OR_SAY_WHY


# Releases the scenarios that failed, so that the next run tries them again, and decides about
# the exit code. A rule and not a handler: handlers don't fire when the workflow is a module.
rule finish:
    input:
        rules.summarise.output,
        PLAN.summary("report.html"),
    output:
        PLAN.finished,
    log:
        PLAN.log("finish"),
    localrule: True
    conda:
        "../envs/gat-batch.yaml"
    params:
        script=lambda wildcards, threads: SCRIPTS / "finish.py",
        settings=lambda wildcards, threads: SETTINGS,
        python=lambda wildcards, threads: PYTHON,
    shell:
        "{params.python:q} {params.script:q} --settings {params.settings:q} --log {log:q}"
