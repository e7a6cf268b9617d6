"""Runs the workflow from the clone: `snakemake --cores 8`. It lives in workflow/Snakefile."""


include: "workflow/Snakefile"


workflow.default_target = "all"
