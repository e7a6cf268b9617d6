"""Snakemake that asks SLURM for its jobs every two seconds: impatient.py, with its arguments.

The executor plugin waits ten seconds longer each time that no job has ended, and no setting of it
says otherwise: most of the time of a test that waits for a single job.
"""

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(
    lambda _: 2, lambda _, seconds: seconds
)

if __name__ == "__main__":
    main()
