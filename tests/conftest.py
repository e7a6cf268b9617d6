"""A workspace: an empty folder in which a batch is written and run through Snakemake."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Users' commands find modules compiled, and so do all that tests start, whatever is set here.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

from gat_batch.process import set_up_solving

# Before any test imports pandapower: what is tested here runs as it does in jobs.
set_up_solving()

import hypothesis
import pytest
import yaml

from gat_batch.results.reader import read_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
SHARED_GRIDS = ROOT.parent / "shared" / "grids"

# A process whose memory lies in few large pages is forked in half the time.
LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "PYTHONMALLOC": "malloc"}

# How long an example takes is no matter of right or wrong.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Shells let what they start in the background ignore Ctrl-C, and so would the runs that tests
# start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: tests of SLURM, of retries and of kills mostly wait."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with SLURM, whose tests take longest and mostly wait, then the largest groups."""

    def group(item: pytest.Item) -> str:
        marker = item.get_closest_marker("xdist_group")
        return marker.args[0] if marker else ""

    sizes = Counter(map(group, items))
    sizes[""] = 0
    items.sort(key=lambda item: (group(item) != "slurm", -sizes[group(item)]))


def pytest_collection_finish() -> None:
    """Look for garbage rarely, and not among what is imported: that took a tenth of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@cache
def ready_python() -> Path:
    """Return the launcher of a Python that has its imports behind it, see ready/server.py.

    The first process of a session that asks starts it, the last one that ends ends it.
    """
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", os.getpid())
    folder = Path(tempfile.gettempdir()) / f"gat-batch-{session}"
    folder.mkdir(exist_ok=True)
    users = folder / "users"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = users.exists()
        if not started:
            os.mkfifo(users)
            server = subprocess.Popen(
                [sys.executable, ROOT / "tests" / "ready" / "server.py", folder],
                stdout=subprocess.PIPE,
                start_new_session=True,
                # What the test that comes first has put there is for its own commands.
                env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
                | LARGE_PAGES,
            )
        # Open as long as this process lives.
        os.open(users, os.O_WRONLY)
        if not started:
            assert server.stdout
            assert server.stdout.readline() == b"ready\n"
    return folder / "python"


def run_script(name: str, *arguments: Any, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one of scripts/ in a folder, by a Python that has its imports behind it, and wait."""
    return subprocess.run(
        [ready_python(), ROOT / "scripts" / f"{name}.py", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


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

    def start(
        self, *arguments: str, cores: int = 2, ready: bool = False, **keywords: Any
    ) -> subprocess.Popen[str]:
        """Start Snakemake in the workspace, in a process group of its own.

        With ``ready`` as in :meth:`run`: then signals don't reach it, nor is it found by its name.
        """
        command = self.command("--cores", str(cores), *arguments)
        return subprocess.Popen(
            [ready_python(), *command[1:]] if ready else command,
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **keywords,
        )

    def run(self, *arguments: str, cores: int = 2) -> subprocess.CompletedProcess[str]:
        """Run Snakemake on the batch in the workspace and wait for it."""
        return self.snakemake(*self.command("--cores", str(cores), *arguments)[3:])

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake's command in the workspace and wait for it.

        It and its jobs are run by a Python that has its imports behind it: that saves seconds in
        each of two hundred runs. Runs that are killed, the tutorial's, those on SLURM and one with
        each solver (test_process.py) are started as users do.
        """
        return subprocess.run(
            [ready_python(), "-m", "snakemake", *arguments],
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
        )

    def take_over(self, other: Workspace) -> None:
        """Copy all files of another workspace, and when they were changed."""
        shutil.copytree(other.path, self.path, symlinks=True, dirs_exist_ok=True)

    @property
    def batch(self) -> Path:
        return self.path / "runs" / "batch" / "study"

    def result(self, scenario: str) -> Path:
        return self.batch / f"job_{scenario}" / "result.parquet"

    def solved(self) -> dict[str, float]:
        """When each scenario was solved, by the results' own records."""
        found = {
            file.parent.name.removeprefix("job_"): read_metadata(file)
            for file in sorted(self.batch.glob("job_*/result.parquet"))
        }
        # Placeholders stay where a run couldn't come to its end.
        return {name: about["solved"] for name, about in found.items() if "solved" in about}

    def status(self) -> dict[str, Any]:
        return json.loads((self.batch / "batch_manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True, scope="session")
def shortcuts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have grids that ship with pandapower read once in a session, and the like."""
    from ready.shortcuts import read_once, solve_sooner

    shared = "PYTEST_XDIST_WORKER" in os.environ
    read_once(tmp_path_factory.getbasetemp().parent if shared else None)
    solve_sooner()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    space = Workspace(tmp_path)
    space.configure()
    return space


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open reports, each of a test in another browser: path, how wide, dark or not, and a link."""
    from opened_pages import opening

    with opening(tmp_path / "saved") as open_one:
        yield open_one
