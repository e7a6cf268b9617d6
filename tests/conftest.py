"""A workspace: an empty folder in which a batch is written and run through Snakemake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gat_batch.results import read_metadata

ROOT = Path(__file__).parents[1]


@dataclass
class Workspace:
    """A working directory with a manifest and a configuration."""

    path: Path

    def write(self, name: str, content: Any) -> Path:
        """Write a file: text or bytes as they are, anything else as JSON or YAML."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif isinstance(content, str):
            file.write_text(content, encoding="utf-8")
        elif file.suffix in (".yaml", ".yml"):
            file.write_text(yaml.safe_dump(content), encoding="utf-8")
        else:
            file.write_text(json.dumps(content), encoding="utf-8")
        return file

    def configure(self, **values: Any) -> None:
        self.write("config/config.yaml", {"manifest": "manifest.json", "name": "study", **values})

    def command(self, *arguments: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--workflow-profile",
            str(ROOT / "profiles" / "default"),
            *arguments,
        ]

    def run(self, *arguments: str, cores: int = 2) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the workspace and wait for it."""
        return subprocess.run(
            self.command("--cores", str(cores), *arguments),
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )

    @property
    def batch(self) -> Path:
        return self.path / "runs" / "batch" / "study"

    def result(self, scenario: str) -> Path:
        return self.batch / f"job_{scenario}" / "result.parquet"

    def solved(self) -> dict[str, float]:
        """When each scenario was solved, by the results' own records."""
        return {
            file.parent.name.removeprefix("job_"): read_metadata(file)["solved"]
            for file in sorted(self.batch.glob("job_*/result.parquet"))
        }

    def status(self) -> dict[str, Any]:
        return json.loads((self.batch / "batch_manifest.json").read_text(encoding="utf-8"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    space = Workspace(tmp_path)
    space.configure()
    return space
