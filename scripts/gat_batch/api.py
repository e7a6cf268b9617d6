"""A batch from Python, for notebooks and scripts: the one module that knows Snakemake.

Snakemake can't run inside a notebook's event loop, so a run gets a process of its own, in which
this module calls Snakemake's public API. Everything else reads the batch's files.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import pyarrow.parquet as pq

from .errors import ManifestError, ResultError
from .files.words import nearest
from .files.workflow_files import ROOT
from .plan.fingerprints import forget_files
from .run.monitor import BatchStatus, batch_status, read_status
from .run.start import plan_batch

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pandapower.auxiliary import pandapowerNet

    from .plan.plan import Plan
    from .report.drawing import Drawing

Kind = Literal["scenarios", "elements", "contingencies", "overloads", "categories", "remedies"]
Table = Literal["aggregated_results", Kind]

__all__ = ["BatchJob", "BatchStatus", "execute"]


@dataclass(frozen=True)
class BatchJob:
    """A batch to run, or one that has run.

    Attributes:
        settings: configuration values, as in ``config/config.yaml``.
        max_workers: cores to use.
    """

    settings: dict[str, Any]
    max_workers: int

    @classmethod
    def powerflow(cls, manifest: str | Path, max_workers: int = 1, **settings: Any) -> Self:
        """Prepare a batch of DC or AC power flows.

        Args:
            manifest: the manifest, relative to the working directory.
            max_workers: cores to use.
            settings: configuration values, as in ``config/config.yaml``.

        Returns:
            The job; nothing runs yet.

        Raises:
            GatBatchError: if the manifest or the settings are at fault.
            ManifestError: if the manifest asks for anything but power flows.
        """
        return cls._of_kind({"dc", "ac"}, "powerflow", manifest, max_workers, settings)

    @classmethod
    def opf(cls, manifest: str | Path, max_workers: int = 1, **settings: Any) -> Self:
        """Prepare a batch of optimal power flows; otherwise as :meth:`powerflow`."""
        return cls._of_kind({"dc_opf", "ac_opf"}, "opf", manifest, max_workers, settings)

    @classmethod
    def contingency(cls, manifest: str | Path, max_workers: int = 1, **settings: Any) -> Self:
        """Prepare a batch whose scenarios all have contingencies; else as :meth:`powerflow`."""
        job = cls.powerflow(manifest, max_workers, **settings)
        for scenario in job._plan().batch.scenarios:
            if scenario.contingencies is None:
                raise ManifestError(
                    "missing",
                    file=manifest,
                    scenario=scenario.id,
                    field="contingencies",
                    hint="give them for the scenario or for the whole batch, as n-1",
                )
        return job

    @classmethod
    def resume(cls, job: BatchJob | str | Path, max_workers: int | None = None) -> Self:
        """Prepare a job that goes on where an earlier run ended.

        Args:
            job: the job, or the folder of a batch.
            max_workers: cores to use; if None those of the job, or one for a folder.

        Returns:
            The job; :meth:`run` solves what is missing or has changed.

        Raises:
            ResultError: if the folder holds no batch.
        """
        if isinstance(job, BatchJob):
            return cls(job.settings, max_workers or job.max_workers)
        return cls(read_status(Path(job))["settings"], max_workers or 1)

    @classmethod
    def _of_kind(
        cls,
        solvers: set[str],
        call: str,
        manifest: str | Path,
        max_workers: int,
        settings: dict[str, Any],
    ) -> Self:
        job = cls({**settings, "manifest": str(manifest)}, max_workers)
        for scenario in job._plan().batch.scenarios:
            if scenario.solver not in solvers:
                what = f"{scenario.solver} is no study for BatchJob.{call}"
                raise ManifestError(what, file=manifest, scenario=scenario.id, field="solver")
        return job

    def _plan(self) -> Plan:
        forget_files()
        return plan_batch(self.settings)

    @property
    def folder(self) -> Path:
        """The batch's folder."""
        return self._plan().folder

    def run(self) -> BatchStatus:
        """Solve what is missing or has changed, and wait for it; progress goes to stderr.

        Returns:
            The status at the end.

        Raises:
            ResultError: if the input has faults, or more scenarios failed than the settings
                permit. What was solved stays.
        """
        # All values: a config/config.yaml in the working directory is another batch's.
        settings = self._plan().config.values()
        order = json.dumps({"settings": settings, "cores": self.max_workers})
        path = os.pathsep.join([str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")])
        run = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__, order],
            env=os.environ | {"PYTHONPATH": path},
            # Interrupts of a terminal reach this process, which hands them on, once.
            start_new_session=True,
        )
        try:
            code = run.wait()
        except BaseException:
            # Snakemake ends its jobs and gives up its lock, if it is given the time.
            os.killpg(run.pid, signal.SIGINT)
            run.wait()
            raise
        if code:
            raise ResultError(
                f"the run ended with exit code {code}",
                file=self.folder,
                hint="what was wrong stands above; status() tells how far it came",
            )
        return self.status()

    def status(self) -> BatchStatus:
        """Return how far the batch is; may be called from any thread or process.

        Raises:
            ResultError: if it has never run.
        """
        return batch_status(self.folder)

    def to_arrow(
        self, table: Table = "aggregated_results", *, filters: Any = None, columns: Any = None
    ) -> pa.Table:
        """Read a table of the summary.

        Args:
            table: every row of every result, or one of the summary's tables.
            filters: as in :func:`pyarrow.parquet.read_table`.
            columns: names of the columns to read.

        Raises:
            ResultError: if there is no summary yet.
        """
        path = self._plan().summary(f"{table}.parquet")
        try:
            return pq.read_table(path, filters=filters, columns=columns, partitioning=None)
        except FileNotFoundError:
            known = list(get_args(Table))
            hint = "run the batch first" if table in known else nearest(table, known)
            raise ResultError("no such file", file=path, hint=hint) from None

    def to_pandas(
        self, table: Table = "aggregated_results", *, filters: Any = None, columns: Any = None
    ) -> pd.DataFrame:
        """Read the same as :meth:`to_arrow`, as a data frame."""
        frame: pd.DataFrame = self.to_arrow(table, filters=filters, columns=columns).to_pandas()
        return frame

    def network(
        self, scenario: str, snapshot: str | None = None, contingency: str | None = None
    ) -> pandapowerNet:
        """Return one solved state as a pandapower network, with its results filled in.

        Args:
            scenario: id of the scenario.
            snapshot: which snapshot, if it has any.
            contingency: name of a contingency as in the results; None for the base case.

        Raises:
            ResultError: if there is no such state, or it isn't solved.
            GatBatchError: if the grid or a table can't be read.
        """
        from .results.solved_network import solved_network

        return solved_network(self._plan(), scenario, snapshot, contingency)

    def plot(
        self,
        figure: str = "map",
        *,
        scenario: str | None = None,
        snapshot: str | None = None,
        contingency: str | None = None,
        difference: str | None = None,
    ) -> Drawing:
        """Draw a figure of the report, or any state or difference on the map of its grid.

        Args:
            figure: its name, as of its file in ``summary/plots``; ``map`` is the first map.
            scenario: for a map, the scenario whose state is shown; None for the worst of all.
            snapshot: which snapshot, if the scenario has any.
            contingency: name of a contingency as in the results; None for the base case.
            difference: the group that is held against the first one; ``this batch`` that is held
                against another one; None for no difference.

        Raises:
            ResultError: if there is no summary yet, or no such figure, state or difference.
        """
        from .report.drawing import draw

        return draw(self._plan(), figure, scenario, snapshot, contingency, difference=difference)


def execute(settings: dict[str, Any], cores: int) -> bool:
    """Run the workflow in this process, with the settings of ``profiles/default``.

    Args:
        settings: configuration values.
        cores: cores to use.

    Returns:
        Whether it succeeded; if not, stderr says why.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.scheduling.greedy import SchedulerSettings as GreedySettings
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        ExecutionSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
        SchedulingSettings,
    )

    quiet = {Quietness.RULES, Quietness.HOST, Quietness.PROGRESS}
    output = OutputSettings(show_failed_logs=True, quiet=quiet)
    with SnakemakeApi(output) as snakemake:
        try:
            dag = snakemake.workflow(
                snakefile=ROOT / "workflow" / "Snakefile",
                resource_settings=ResourceSettings(cores=cores),
                config_settings=ConfigSettings(
                    config=settings, configfiles=[ROOT / "config" / "config.yaml"]
                ),
            ).dag(DAGSettings(force_incomplete=True))
            dag.execute_workflow(
                # The batch has a lock of its own, which the kernel lets go of however a run ends.
                execution_settings=ExecutionSettings(
                    keep_going=True, keep_incomplete=True, lock=False
                ),
                scheduling_settings=SchedulingSettings(scheduler="greedy", subsample=20),
                scheduler_settings=GreedySettings(),
            )
        except Exception as error:  # noqa: BLE001 - Snakemake tells each in its own words
            snakemake.print_exception(error)
            return False
    return True


if __name__ == "__main__":
    sys.exit(0 if execute(**json.loads(sys.argv[1])) else 1)
