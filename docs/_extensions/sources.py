"""What the reference is made from: the one place that knows where it is in the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gat_batch import errors
from gat_batch.results.schema import RESULT_SCHEMA
from gat_batch.study.solver_options import OPTIONS
from gat_batch.summary.categories import CATEGORY_COLUMNS
from gat_batch.summary.contingency_ranking import CONTINGENCY_COLUMNS
from gat_batch.summary.element_statistics import ELEMENT_COLUMNS
from gat_batch.summary.overloads import OVERLOAD_COLUMNS
from gat_batch.summary.remedies import REMEDY_COLUMNS
from gat_batch.summary.scenario_rows import SCENARIO_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = ["ERRORS", "OPTIONS", "RESULT_SCHEMA", "ROOT", "SUMMARY_TABLES", "schema"]

ROOT = Path(__file__).parents[2]

SUMMARY_TABLES: Mapping[str, Mapping[str, tuple[pa.DataType, str]]] = {
    "scenarios": SCENARIO_COLUMNS,
    "elements": ELEMENT_COLUMNS,
    "contingencies": CONTINGENCY_COLUMNS,
    "overloads": OVERLOAD_COLUMNS,
    "categories": CATEGORY_COLUMNS,
    "remedies": REMEDY_COLUMNS,
}
"""Table under ``summary`` -> its columns, with type and meaning."""

ERRORS = (errors.GatBatchError, errors.ManifestError, errors.ResultError)
"""Exceptions that the Python API raises."""


def schema(name: str) -> dict[str, Any]:
    """A JSON Schema of the workflow.

    Args:
        name: ``config``, ``manifest`` or ``scenario_specification``.
    """
    path = ROOT / "workflow" / "schemas" / f"{name}.schema.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
