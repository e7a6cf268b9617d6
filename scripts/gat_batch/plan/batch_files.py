"""Where every file of a batch lies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class BatchFiles(ABC):
    """The files below a batch's folder."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The batch's folder, relative to the working directory."""

    @abstractmethod
    def holder(self, scenario_id: str) -> str:
        """Return whose folder a scenario's result lies in: its own, or that of its shard."""

    def job_folder(self, scenario_id: str) -> Path:
        """Return the folder that a scenario's result lies in."""
        return self.folder / f"job_{self.holder(scenario_id)}"

    def result(self, scenario_id: str) -> Path:
        """Return the file that a scenario's result is in."""
        return self.job_folder(scenario_id) / "result.parquet"

    def error(self, scenario_id: str) -> Path:
        """Return the file that says why the last run gave up on a scenario."""
        return self.job_folder(scenario_id) / "error.json"

    def parts(self, shard: str) -> Path:
        """Return the folder of what a shard has written of a result that isn't whole yet."""
        return self.folder / f"job_{shard}" / "parts"

    @property
    def earlier(self) -> Path:
        """The folder of results that jobs take over from an earlier run with other shards."""
        return self.folder / "logs" / "earlier"

    def log(self, stage: str) -> Path:
        """Return the log of a shard or of another stage."""
        return self.folder / "logs" / f"{stage}.log"

    def journal(self, shard: str) -> Path:
        """Return the record of what happened to a shard's members, one JSON object per line."""
        return self.folder / "logs" / "journal" / f"{shard}.jsonl"

    @property
    def status(self) -> Path:
        """The file with the status and metadata of the batch."""
        return self.folder / "batch_manifest.json"

    @property
    def status_cost(self) -> Path:
        """The file that says how many seconds it took to write the status last."""
        return self.folder / "logs" / "status.cost"

    @property
    def lock(self) -> Path:
        """The lock that the run at work on the batch holds."""
        return self.folder / "logs" / "run.lock"

    @property
    def finished(self) -> Path:
        """The file that marks a run that ended within the permitted failures."""
        return self.folder / "logs" / "finished"

    def summary(self, name: str) -> Path:
        """Return the path of a file of the summary."""
        return self.folder / "summary" / name

    def analytics(self, name: str) -> Path:
        """Return the table of an analysis."""
        return self.summary("analytics") / f"{name}.parquet"
