"""Analyses across scenarios and batches, as the configuration's `analytics` asks for them.

In: the results. Out: summary/analytics/NAME.parquet; parts that are done stay under analytics/, so
that the next run does only what is missing.
"""

for analysis in PLAN.analyses:

    rule:
        name:
            f"analyse_{analysis.name}"
        input:
            rules.summarise.output,
        output:
            PLAN.analytics(analysis.name),
        log:
            PLAN.log(f"analyse_{analysis.name}"),
        conda:
            "../envs/gat-batch.yaml"
        threads: PLAN.analysis_workers
        resources:
            mem_mb=lambda wildcards, threads: PLAN.config.mem_mb * threads,
            runtime=240,
        params:
            script=lambda wildcards, threads: SCRIPTS / "analyse.py",
            name=analysis.name,
            fingerprint=lambda wildcards, analysis=analysis: PLAN.analysis_fingerprint(
                analysis
            ),
            settings=lambda wildcards, threads: SETTINGS,
            python=lambda wildcards, threads: PYTHON,
        shell:
            "{params.python:q} {params.script:q} --analysis {params.name:q} --workers {threads}"
            " --memory-mb {resources.mem_mb} --settings {params.settings:q} 2> {log:q}"
            + OR_SAY_WHY
