"""The card of a dataset: what it was made of, what it holds, and how well its checks hold."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..files.documents import read_document
from ..plan.fingerprints import grid_hash, solver_versions

if TYPE_CHECKING:
    from pathlib import Path

    from ..plan.plan import Plan
    from .dataset_grid import DatasetGrid
    from .samples import SampleSet

CARD = "data_card.json"

FORMAT = 1
"""To be raised when the layout of a dataset changes."""


def data_card(
    plan: Plan, samples: SampleSet, grid: DatasetGrid, layout: str, checks: dict[str, float]
) -> dict[str, Any]:
    """Return the card of a dataset as plain values.

    Args:
        plan: the batch.
        samples: the samples.
        grid: their grid.
        layout: layout of the files.
        checks: the worst value of each check.
    """
    states = samples.samples
    status = Counter(one.status for one in states)
    return {
        "name": samples.name,
        "layout": layout,
        "format": FORMAT,
        "solver": samples.solver,
        "grid": {
            "reference": plan.grid_name(samples.first),
            "hash": grid_hash(plan.grid(samples.first)),
            "base_mva": grid.grid.base_mva,
            "buses": len(grid.grid.kv),
            "generators": len(grid.generators.kind),
            "branches": len(grid.grid.ends),
        },
        "versions": {"gat-batch": __version__, **solver_versions(samples.solver)},
        "manifest": {"file": plan.config.manifest.name, "sha256": _hash(plan.config.manifest)},
        "seeds": _seeds(plan),
        "loadability": _limits(plan, grid_hash(plan.grid(samples.first))),
        "counts": {
            "asked": len(states),
            "samples": len(samples.held),
            "with_dc": sum(one.beside is not None for one in samples.held),
            "topologies": len({one.topology for one in samples.held}),
            "load_scenarios": len({one.load for one in samples.held}),
            "by_split": dict(Counter(one.split for one in samples.held)),
            "by_status": dict(sorted(status.items())),
        },
        "share_infeasible": status["infeasible"] / len(states),
        "share_not_converged": status["not_converged"] / len(states),
        "approximations": _approximations(grid),
        "checks": checks,
    }


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _seeds(plan: Plan) -> dict[str, int]:
    """Return the seeds of a specification: its own, and those of families that have others."""
    if plan.product is None:
        return {}
    document = read_document(plan.config.manifest)
    if not isinstance(document, dict):
        return {}
    families = {
        entry["id"]: int(entry["draws"]["seed"])
        for entry in document.get("scenarios", [])
        if isinstance(entry, dict) and "seed" in entry.get("draws", {})
    }
    return {"": int(document.get("seed", 0)), **families}


def _limits(plan: Plan, grid: str) -> list[dict[str, Any]]:
    """Return the loadability limits of a grid, by its hash, that loads were drawn towards."""
    known = plan.product.limits if plan.product else ()
    return [
        {name: limit[name] for name in ("study", "factor", "found")}
        for limit in known
        if limit["grid_hash"] == grid
    ]


def _approximations(grid: DatasetGrid) -> list[str]:
    found = []
    if grid.approximated:
        found.append(
            f"cost curves of {grid.approximated} generators are straight lines between their limits"
        )
    if len(grid.grid.inner):
        found.append(f"{len(grid.grid.inner)} rows are star points or open ends of lines")
    return found
