"""Makes the manifest and its tables, where the configuration names a specification of scenarios.

In: the specification, and the grids and files that it names.
Out: scenarios/ with manifest.json, tables and a record of what they were made from.

The plan has expanded the specification already, so this adds nothing that isn't known; it is made
again if the content of anything changes that it is made from.
"""

if PLAN.product:

    rule make_scenarios:
        input:
            # What has changed in them is in the digest.
            ancient(PLAN.product.inputs),
        output:
            PLAN.product.outputs,
        log:
            PLAN.log("make_scenarios"),
        localrule: True
        conda:
            "../envs/gat-batch.yaml"
        params:
            script=lambda wildcards, threads: SCRIPTS / "make_scenarios.py",
            specification=PLAN.config.manifest,
            folder=PLAN.product.folder,
            digest=PLAN.product.digest,
            python=lambda wildcards, threads: PYTHON,
        shell:
            "{params.python:q} {params.script:q} {params.specification:q} {params.folder:q} > {log:q} 2>&1"
            + OR_SAY_WHY
