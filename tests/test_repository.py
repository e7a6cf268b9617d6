"""What stands in two places of the repository is the same in both."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from itertools import chain

import yaml
from conftest import ROOT

from gat_batch import __version__
from gat_batch.files.workflow_files import SCHEMAS
from gat_batch.scenarios.product import make

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(lines):
    return dict(
        line.lower().replace("_", "-").split("==")
        for line in lines
        if "==" in line and line[0] != "#"
    )


LOCKED = pins((ROOT / "requirements.txt").read_text().splitlines())


def test_every_direct_dependency_is_locked_at_its_pin():
    extras = chain.from_iterable(PROJECT["optional-dependencies"].values())
    direct = pins(PROJECT["dependencies"]) | pins(extras)
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


def test_example_is_what_its_script_writes(tmp_path):
    script = shutil.copy(ROOT / "examples" / "make_data_centre.py", tmp_path)
    subprocess.run([sys.executable, script], check=True)
    own = (tmp_path / "data_centre").rglob("*.*")
    made = {path.relative_to(tmp_path): path.read_bytes() for path in own}
    kept = {
        path.relative_to(ROOT / "examples"): path.read_bytes()
        for path in (ROOT / "examples" / "data_centre").rglob("*.*")
    }
    assert made == kept


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
from gat_batch.run.start import open_batch
plan = open_batch({"manifest": "examples/data_centre/data_centre.json"}, main=False)
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


def test_rooms_modules_and_readme_stay_small_enough_to_read():
    modules = list((ROOT / "scripts" / "gat_batch").rglob("*.py"))
    rooms = Counter(module.parent for module in modules)
    assert {room.name: count for room, count in rooms.items() if count > 14} == {}
    lengths = {module: len(module.read_text().splitlines()) for module in modules}
    assert {module.name: length for module, length in lengths.items() if length > 300} == {}
    for stage in (ROOT / "workflow" / "rules").glob("*.smk"):
        assert len(stage.read_text().splitlines()) <= 150, stage.name


def test_every_room_says_what_goes_in_and_what_comes_out():
    for room in (ROOT / "scripts" / "gat_batch").iterdir():
        if (room / "__init__.py").is_file():
            told = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
            assert told, room.name
            assert room.name == "upstream" or ("In: " in told and "Out:" in told), room.name
