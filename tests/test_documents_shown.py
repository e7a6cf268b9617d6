"""What the documents show is run: queries, notebook, Snakemake's own report, the progress bar."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Workspace
from nbclient import NotebookClient
from pages import blocks

from gat_batch.results.schema import RESULT_SCHEMA
from gat_batch.study.solver_options import OPTIONS
from gat_batch.summary.categories import CATEGORY_COLUMNS
from gat_batch.summary.contingency_ranking import CONTINGENCY_COLUMNS
from gat_batch.summary.element_statistics import ELEMENT_COLUMNS
from gat_batch.summary.overloads import OVERLOAD_COLUMNS
from gat_batch.summary.remedies import REMEDY_COLUMNS
from gat_batch.summary.scenario_rows import SCENARIO_COLUMNS

# One worker makes the batch for all of them.
pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("documents")]


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """A small batch that has run, with Snakemake's rich logger."""
    space = Workspace(tmp_path_factory.mktemp("shown"))
    space.configure()
    scenarios = [{"id": "base"}] + [{"id": f"s{n}", "load_scale": 1 + n / 10} for n in range(5)]
    space.write(
        "manifest.json", {"grid": "pandapower:case9", "solver": "ac", "scenarios": scenarios}
    )
    run = space.run("--logger", "rich")
    assert run.returncode == 0, run.stdout + run.stderr
    return space


def test_queries_of_the_page_on_results(batch, monkeypatch):
    shown = [one.text for one in blocks("docs/howto/results.md") if one.language == "python"]
    assert len(shown) == 3
    monkeypatch.chdir(batch.path)
    found = {}
    for block in shown:
        exec(block, found)  # noqa: S102 - our own page
    rows = pq.ParquetFile("runs/batch/study/summary/aggregated_results.parquet").read().to_pandas()
    assert len(found["one"]) == (rows["scenario"] == "base").sum()
    assert found["worst"]["max_loading_percent"].max() == rows["loading_percent"].max()
    over = rows[rows["loading_percent"] > 80]
    assert found["overloads"]["states"].sum() == len(over) > 0
    assert (
        found["overloads"]["worst_scenario"][0]
        == over.loc[over["loading_percent"].idxmax(), "scenario"]
    )
    median = rows[rows["element"] == "bus"].groupby("id")["vm_pu"].median()
    assert [one[1] for one in found["quantiles"]["vm_pu"]] == pytest.approx(list(median))
    assert len(found["lines"]) == 10


def test_notebook(batch, monkeypatch):
    monkeypatch.setenv("BATCH", str(batch.batch))
    notebook = nbformat.read(ROOT / "examples" / "explore.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": batch.path}}).execute()
    shown = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    assert len(shown) == 4
    assert "s4" in shown[1]


def test_snakemakes_own_report_has_the_figures(batch):
    run = batch.run("--report", "study.html")
    assert run.returncode == 0, run.stdout + run.stderr
    text = (batch.path / "study.html").read_text()
    for name in ("map_1.svg", "loadings.svg", "voltages.svg", "report.html"):
        assert name in text
    assert "as in the report of the batch" in text
    assert '"Figures"' in text


def test_reference_shows_every_option_and_column(tmp_path):
    """The site, built strictly from pages and sources."""
    build = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    subprocess.run([*build, ROOT / "docs", tmp_path], env=environment, check=True)
    options = (tmp_path / "reference" / "solver-options.html").read_text()
    for name in {name for known in OPTIONS.values() for name in known}:
        assert f">{name}<" in options, name
    results = (tmp_path / "reference" / "results.html").read_text()
    contingencies = CONTINGENCY_COLUMNS, OVERLOAD_COLUMNS, CATEGORY_COLUMNS, REMEDY_COLUMNS
    for table in (SCENARIO_COLUMNS, ELEMENT_COLUMNS, *contingencies):
        for name in table:
            assert f">{name}<" in results, name
    for name in RESULT_SCHEMA.names:
        assert f">{name}<" in results, name
