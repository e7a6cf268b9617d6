"""What make refuses, and what it leaves alone."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.fixture
def clone(tmp_path):
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(clone, *arguments):
    return subprocess.run(
        ["make", *arguments], cwd=clone, capture_output=True, text=True, check=False, timeout=60
    )


def test_clean_leaves_other_batches_alone(clone):
    mine = clone / "runs" / "batch" / "mine" / "job_base" / "result.parquet"
    gone = [clone / ".venv" / "x", clone / ".snakemake" / "x", clone / "runs/batch/data_centre/x"]
    for file in (mine, *gone):
        file.parent.mkdir(parents=True)
        file.touch()
    assert make(clone, "clean").returncode == 0
    assert mine.exists()
    assert not any(file.parent.exists() for file in gone)


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 11, 0), (3, 13, 9), (3, 14, 0), (4, 0, 0)])
def test_only_a_python_that_has_the_packages_makes_the_environment(clone, version):
    """A stand-in says that it is of that version, and makes no environment."""
    python = clone / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || exit 9\n'
        f'exec {sys.executable} -c "import sys; sys.version_info = {version}; $2"\n'
    )
    python.chmod(0o755)
    run = make(clone, ".venv/ready", f"PYTHON={python}")
    assert run.returncode != 0
    refused = "Python 3.11, 3.12 or 3.13 is needed" in run.stdout
    assert refused == (not (3, 11) <= version < (3, 14)), run.stdout + run.stderr
    assert not (clone / ".venv").exists()
