"""Where the files of the package lie: the workflow and its commands are installed inside it."""

from setuptools import find_packages, setup

BESIDE = {
    "gat_batch.workflow": "workflow",
    "gat_batch.scripts": "scripts",
    "gat_batch.config": "config",
}

setup(
    packages=[*find_packages("scripts"), *BESIDE],
    package_dir={"": "scripts", **BESIDE},
    package_data={
        "gat_batch.report": ["page.*", "page_*.js"],
        "gat_batch.workflow": ["Snakefile", "rules/*", "envs/*", "report/*", "schemas/*"],
        "gat_batch.config": ["config.yaml"],
    },
)
