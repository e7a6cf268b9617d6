"""The files of a summary, as the report reads them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .digest import Digest, digest
from .tables import FINGERPRINT_SHOWN, MOST_CONTINGENCIES

if TYPE_CHECKING:
    from pathlib import Path

    from ..model.violations import Limits


@dataclass(frozen=True)
class Summary:
    """The files of a summary, read.

    Attributes:
        scenarios: the table of scenarios, indexed by id.
        elements: the table of elements.
        contingencies: the worst contingencies.
        categories: the table of categories.
        overloads: the branches that contingencies overload, by category.
        remedies: the table of remedial actions.
        aggregated: the file of all rows.
        limits: what counts as a violation.
    """

    scenarios: pd.DataFrame
    elements: pd.DataFrame
    contingencies: pd.DataFrame
    categories: pd.DataFrame
    overloads: pd.DataFrame
    remedies: pd.DataFrame
    aggregated: Path
    limits: Limits

    @cached_property
    def found(self) -> Digest:
        """What the rows of all results come to; they are read when it is first asked for."""
        return digest(
            self.aggregated, self.scenarios, self.elements, self.contingencies, self.limits
        )


def read_summary(folder: Path, limits: Limits) -> Summary:
    """Read the tables of a summary.

    Args:
        folder: the folder of the summary.
        limits: what counts as a violation.
    """
    scenarios = _scenarios(folder / "scenarios.parquet").set_index("scenario", drop=False)
    scenarios.index.name = None
    elements = pd.read_parquet(folder / "elements.parquet")
    ranked = pd.read_parquet(
        folder / "contingencies.parquet", filters=[("rank", "<=", MOST_CONTINGENCIES)]
    )
    names = ("categories", "overloads", "remedies")
    categories, overloads, remedies = (
        pd.read_parquet(folder / f"{name}.parquet") for name in names
    )
    rows = folder / "aggregated_results.parquet"
    return Summary(scenarios, elements, ranked, categories, overloads, remedies, rows, limits)


def _scenarios(file: Path) -> pd.DataFrame:
    """Read the table of scenarios, of which there may be a million."""
    table = pq.read_table(file)
    place = table.schema.get_field_index("fingerprint")
    shown = pc.utf8_slice_codeunits(table["fingerprint"], 0, FINGERPRINT_SHOWN)
    table = table.set_column(place, "fingerprint", shown)
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame
