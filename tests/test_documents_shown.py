"""What the documents show is run: queries, notebook, Snakemake's own report, the progress bar."""

from __future__ import annotations

import re

import nbformat
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Workspace
from nbclient import NotebookClient

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


def test_queries_of_the_page_of_results(batch, monkeypatch):
    page = (ROOT / "docs" / "howto" / "results.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    monkeypatch.chdir(batch.path)
    found = {}
    for block in blocks:
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


def test_page_of_results_shows_every_table_of_the_summary():
    page = (ROOT / "docs" / "reference" / "results.md").read_text()
    shown = re.findall(r"^```{summary-table} (\w+)$", page, re.MULTILINE)
    assert shown == ["scenarios", "elements", "contingencies", "overloads"]
