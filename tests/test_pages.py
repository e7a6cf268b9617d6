"""What the pages show is done in order, as a reader would: files written, commands run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, ready_python
from pages import blocks

PAGES = {
    "study": ["docs/tutorial.md", "docs/howto/watch.md", "docs/howto/results.md"],
    "year": ["docs/howto/snapshots.md"],
    "industry": ["docs/howto/industry-files.md"],
    "n1": ["docs/howto/contingencies.md"],
    "tpl": ["docs/howto/planning.md"],
    "draws": ["docs/howto/monte-carlo.md"],
    "opf": ["docs/howto/optimal-power-flow.md"],
    "datasets": ["docs/howto/datasets.md"],
    "analyses": ["docs/howto/analyses.md"],
    "module": ["docs/howto/module.md"],
}

NEEDED = {
    "docs/howto/industry-files.md": ("pypowsybl", "openpyxl"),
    "docs/howto/datasets.md": ("h5py",),
}
"""First page -> packages of extras that the pages need."""

ELSEWHERE = ("make ",)
"""Commands that make the environment, in which this runs already."""


@pytest.fixture
def clone(tmp_path):
    """A folder with all that the clone has, but for what runs write."""
    for name in ("Snakefile", "workflow", "scripts", "config", "profiles", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(folder, command, *before):
    path = os.pathsep.join(map(str, [*before, Path(sys.executable).parent, os.environ["PATH"]]))
    return subprocess.run(  # noqa: S602 - as the page has it
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.workflow
@pytest.mark.parametrize("pages", PAGES.values(), ids=PAGES)
def test_a_page_works_as_it_stands(clone, pages, monkeypatch):
    monkeypatch.chdir(clone)
    for package in NEEDED.get(pages[0], ()):
        pytest.importorskip(package, reason=f"{package} isn't installed")
    # The first page starts Python as its reader does, the others one that has its imports.
    before = [] if pages == PAGES["study"] else [ready_python().parent]
    known: dict[str, object] = {}
    done = 0
    for block in [block for page in pages for block in blocks(page)]:
        if block.caption:
            (clone / block.caption).parent.mkdir(parents=True, exist_ok=True)
            (clone / block.caption).write_text(block.text)
        elif block.language == "bash":
            for command in block.text.splitlines():
                if not command.startswith(ELSEWHERE):
                    found = run(clone, command, *before)
                    assert found.returncode == 0, f"{command}\n{found.stdout}{found.stderr}"
                    done += 1
        elif block.language == "python":
            exec(block.text, known)  # noqa: S102 - our own page
            done += 1
    assert done


def test_every_page_with_commands_is_tried():
    tried = {page for pages in PAGES.values() for page in pages}
    # Of Python a page has a test of its own; what clusters run is tried on a real SLURM.
    tried |= {"docs/howto/python.md", "docs/howto/cluster.md"}
    for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "howto").glob("*.md")]:
        name = str(page.relative_to(ROOT))
        if any(block.language in ("bash", "python") for block in blocks(name)):
            assert name in tried, name


def test_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    for link in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (ROOT / link).exists(), link


def test_a_broken_link_or_a_name_without_docstring_fails_the_build(tmp_path):
    """The settings of the site, on a page of one's own."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "_extensions").symlink_to(ROOT / "docs" / "_extensions")
    (folder / "conf.py").symlink_to(ROOT / "docs" / "conf.py")
    (folder / "bare.py").write_text('"""A module."""\n\n\ndef bare():\n    pass\n')
    build = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html"]
    faults = {
        "[nowhere](nowhere.md)": "nowhere.md",
        "[no such part](index.md#nothing)": "nothing",
        "{term}`no such word`": "no such word",
        "```{public-api} bare\n```": "bare.bare has no docstring",
    }
    (folder / "index.md").write_text("\n\n".join(["# A page", *faults]) + "\n")
    found = subprocess.run(
        [*build, folder, tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "scripts", folder)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode != 0
    # Each is a warning, and any warning fails the build.
    warnings = [line for line in found.stderr.splitlines() if "WARNING" in line]
    for told in faults.values():
        assert [line for line in warnings if told in line], found.stderr
