"""The end of a run: what it came to, and what the next one is to try again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..files.parquet.footer import read_fingerprint
from ..files.words import first_of, numbered
from ..plan.folder_check import left_folders
from .earlier import forget
from .status import StatusBoard

if TYPE_CHECKING:
    from ..plan.plan import Plan

MOST_NAMED = 10
"""Most failed scenarios that the closing lines name."""


@dataclass(frozen=True)
class Verdict:
    """What a run came to.

    Attributes:
        lines: what to tell the user.
        failed: number of scenarios that failed for good.
        acceptable: whether no more failed than the configuration permits.
    """

    lines: tuple[str, ...]
    failed: int
    acceptable: bool


def finish(plan: Plan) -> Verdict:
    """Sum up a run at its end; if too many scenarios failed, remove their placeholders.

    Args:
        plan: the batch.

    Returns:
        The verdict.
    """
    content = StatusBoard(plan).update(force=True)
    assert content is not None  # noqa: S101 - a forced update has a result
    failed = content["failed"] + content["pending"]
    acceptable = failed <= plan.config.max_failures
    forget(plan)
    if not acceptable:
        release(plan)
    return Verdict(tuple(_lines(plan, content)), failed, acceptable)


def release(plan: Plan) -> None:
    """Remove the placeholders of scenarios that failed, so that the next run tries them again.

    Their ``error.json`` stays. A run within the permitted failures needs the placeholders until
    Snakemake has seen them.

    Args:
        plan: the batch.
    """
    if plan.in_blocks:
        # A shared result stays: the next run takes what is right in it, and tries the others again.
        return
    for scenario in plan.batch.scenarios:
        result = plan.result(scenario.id)
        if read_fingerprint(result) is None:
            result.unlink(missing_ok=True)


def conclude(plan: Plan) -> int:
    """Remove all placeholders and bring the status up to date, however a run ended.

    Args:
        plan: the batch.

    Returns:
        The number of scenarios that failed for good.
    """
    release(plan)
    content = StatusBoard(plan).update(force=True)
    assert content is not None  # noqa: S101 - a forced update has a result
    failed: int = content["failed"]
    return failed


def _lines(plan: Plan, content: dict[str, Any]) -> list[str]:
    failures = [job for job in content["jobs"] if job["state"] == "failed"]
    statuses = content["statuses"]
    counts = f"{statuses.get('not_converged', 0)} of them without convergence"
    for status in ("infeasible", "islanded"):
        if status in statuses:
            counts += f", {statuses[status]} {status}"
    total = numbered(content["total"], "scenario")
    lines = [
        f"gat-batch: {content['name']}: {content['completed']} of {total} "
        f"solved, {counts}, {content['failed']} failed{_contingency_counts(plan)}"
    ]
    lines += [f"  failed: {job['id']}: {job['error']}" for job in failures[:MOST_NAMED]]
    if content["failed"] > MOST_NAMED:
        lines.append(f"  and {content['failed'] - MOST_NAMED} more failed")
    lines += [
        *_left_line(plan),
        *_approximated_lines(plan, content["approximations"]),
        "Look at:",
        f"  {plan.summary('report.html')}  the report, for a browser",
        f"  {plan.summary('scenarios.csv')}  one row a scenario",
        f"  {plan.summary('elements.parquet')}  one row an element",
        *_contingency_lines(plan),
        f"  {plan.summary('aggregated_results.parquet')}  every row of every result",
        f"  {plan.status}  status of every scenario",
    ]
    return lines


def _left_line(plan: Plan) -> list[str]:
    """Return a line on results that readers of all folders would take for the batch's, if any."""
    left = left_folders(plan)
    if not left:
        return []
    count = numbered(len(left), "folder")
    named = ", ".join(left[:MOST_NAMED]) + (", ..." if len(left) > MOST_NAMED else "")
    return [
        f"  {count} of scenarios that the manifest no longer has ({named}): the summary leaves "
        f"them out, but {plan.folder}/job_*/result.parquet finds them; delete what isn't needed"
    ]


def _approximated_lines(plan: Plan, grids: dict[str, list[str]]) -> list[str]:
    """Return a line for each grid of which something is approximated or left out."""
    return [
        f"  approximated in {grid}: {first_of(sentences, 'sentence')}"
        + (f", under approximations in {plan.status}" if len(sentences) > 1 else "")
        for grid, sentences in list(grids.items())[:MOST_NAMED]
    ]


def _has_contingencies(plan: Plan) -> bool:
    return any(kind.contingent for kind in plan.batch.outlines.kinds)


def _contingency_counts(plan: Plan) -> str:
    """Return how many contingencies did not converge or cut buses off; empty if none was asked."""
    if not _has_contingencies(plan):
        return ""
    # Imported late: every job reads this module.
    import pyarrow.parquet as pq

    table = pq.ParquetFile(plan.summary("contingencies.parquet")).read(columns=["status"])
    counts = Counter(table["status"].to_pylist())
    islanded = f", {counts['islanded']} islanded" if counts["islanded"] else ""
    return (
        f"; {counts['not_converged']} of {len(table)} contingencies without convergence{islanded}"
    )


def _contingency_lines(plan: Plan) -> list[str]:
    if not _has_contingencies(plan):
        return []
    return [
        f"  {plan.summary('contingencies.parquet')}  one row a contingency, the worst first",
        f"  {plan.summary('overloads.parquet')}  one row a branch that contingencies overload",
        *_line_if_any(plan, "categories.parquet", "which categories of contingencies fail"),
        *_line_if_any(plan, "remedies.parquet", "what remedial actions do for them"),
    ]


def _line_if_any(plan: Plan, table: str, about: str) -> list[str]:
    """Return a line on a table of the summary, none if the table has no rows."""
    import pyarrow.parquet as pq

    path = plan.summary(table)
    return [f"  {path}  {about}"] if pq.read_metadata(path).num_rows else []
