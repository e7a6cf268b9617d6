"""Writes what people look at.

In: the summary, and that of another batch to compare with. Out: summary/report.html, one file for a
browser, and its figures under summary/plots, which `snakemake --report` takes into Snakemake's own
report; summary/against.parquet, what differs from another batch.
"""


rule report:
    input:
        rules.summarise.output,
        against=PLAN.other_summary(),
    output:
        page=report(
            PLAN.summary("report.html"),
            caption="../report/page.rst",
            category="Summary",
            labels={"what": "report of the batch"},
        ),
        plots=report(
            directory(PLAN.summary("plots")),
            patterns=["{figure}.svg"],
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        PLAN.log("report"),
    retries: RETRIES
    conda:
        "../envs/gat-batch.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: PLAN.config.mem_mb * attempt,
        runtime=60,
    params:
        script=lambda wildcards, threads: SCRIPTS / "report.py",
        asked=[PLAN.batch.question, PLAN.batch.compare, str(PLAN.config.against)],
        settings=lambda wildcards, threads: SETTINGS,
        python=lambda wildcards, threads: PYTHON,
    shell:
        "{params.python:q} {params.script:q} --settings {params.settings:q} 2> {log:q}"
        + OR_SAY_WHY
