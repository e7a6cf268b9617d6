"""What stands in two places of the repository is the same in both."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib

import yaml
from conftest import ROOT

from gat_batch import __version__
from gat_batch.front import SCHEMAS
from gat_batch.scenarios.product import make
from gat_batch.solvers.options import OPTIONS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(lines):
    return dict(
        line.lower().replace("_", "-").split("==")
        for line in lines
        if "==" in line and line[0] != "#"
    )


LOCKED = pins((ROOT / "requirements.txt").read_text().splitlines())


def test_every_direct_dependency_is_locked_at_its_pin():
    direct = pins(PROJECT["dependencies"]) | pins(PROJECT["optional-dependencies"]["dev"])
    assert direct
    assert {name: LOCKED.get(name) for name in direct} == direct


def test_conda_users_get_the_locked_set():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (from_pip,) = (entry for entry in environment["dependencies"] if isinstance(entry, dict))
    assert from_pip == {"pip": ["-r requirements.txt"]}


def test_jobs_environment_has_the_same_pins_without_snakemake():
    environment = yaml.safe_load((ROOT / "workflow" / "envs" / "gat-batch.yaml").read_text())
    jobs = pins(environment["dependencies"][-1]["pip"])
    direct = pins(PROJECT["dependencies"])
    assert jobs == {name: pin for name, pin in direct.items() if "snakemake" not in name}


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == __version__ == str(citation["version"])
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_configuration_file_page_and_schema_agree():
    schema = json.loads((SCHEMAS / "config.schema.json").read_text())["properties"]
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    assert set(values) == set(schema)
    assert {key: value for key, value in values.items() if key != "name"} == {
        key: entry["default"] for key, entry in schema.items() if key != "name"
    }
    page = (ROOT / "config" / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*) \|$", page, re.MULTILINE)
    assert dict(rows) == {key: entry["description"] for key, entry in schema.items()}


def test_readme_lists_every_solver_option():
    page = (ROOT / "README.md").read_text()
    for solver, options in OPTIONS.items():
        for name in options:
            assert f"`{name}`" in page, f"{solver}: {name}"


def test_example_is_what_its_script_writes(tmp_path):
    script = shutil.copy(ROOT / "examples" / "make_ieee118.py", tmp_path)
    subprocess.run([sys.executable, script], check=True)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / "ieee118").rglob("*.*")}
    kept = {
        path.relative_to(ROOT / "examples"): path.read_bytes()
        for path in (ROOT / "examples" / "ieee118").rglob("*.*")
    }
    assert made == kept
    assert (
        len(json.loads(made[next(p for p in made if p.name == "ieee118.json")])["scenarios"]) >= 200
    )


def test_page_of_the_readme_makes_a_thousand_scenarios(tmp_path):
    file = ROOT / "examples" / "ieee118_study" / "study.yaml"
    assert len(file.read_text().splitlines()) < 30
    assert make(file, tmp_path) == 1000
    assert str(file.relative_to(ROOT)) in (ROOT / "README.md").read_text()


def test_only_the_facade_imports_snakemake():
    package = ROOT / "scripts" / "gat_batch"
    pattern = re.compile(r"^\s*(from|import) snakemake", re.MULTILINE)
    found = [path.name for path in package.rglob("*.py") if pattern.search(path.read_text())]
    assert set(found) <= {"api.py"}


def test_planning_imports_no_heavy_package():
    code = """
import sys
from gat_batch.front import open_batch
plan = open_batch({"manifest": "examples/ieee118/ieee118.json"}, main=False)
assert plan.shards
print(*{"numpy", "pandas", "pyarrow", "pandapower"} & set(sys.modules))
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == []
