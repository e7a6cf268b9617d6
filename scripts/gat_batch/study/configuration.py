"""The configuration of a run: where results go, how jobs are cut, what happens on failure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigError, InputErrors
from ..files.schema_check import schema_faults
from .analyses import analyses_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Config:
    """Configuration values, checked, with the schema's defaults filled in.

    Attributes:
        manifest: the batch's manifest.
        name: name of the batch and of its folder.
        output_dir: the folder that holds the batches.
        scenarios_per_job: scenarios that one Snakemake job solves, or ``auto``.
        workers_per_job: scenarios that one job solves at the same time, or ``auto``.
        retry_attempts: most attempts at a scenario, the first included.
        retry_backoff_secs: wait before the second attempt, in seconds.
        retry_backoff_max_secs: longest wait before an attempt, in seconds.
        engine: what solves power flows: ``auto``, ``pandapower`` or ``lightsim2grid``.
        verify: share of states that are also solved by pandapower, from 0 to 1.
        ac_ladder: what an AC power flow tries where it doesn't converge as asked.
        contingency_rows: ``violations`` or ``all`` rows of contingencies are kept.
        keep: rows of states that are kept: ``all``, ``system``, ``violations``, or quantities by
            kind of element.
        layout: whether each scenario has a result file of its own (``scenario``), or those of a
            job share one (``block``); ``auto`` goes by the size of the batch.
        max_failures: failed scenarios that the run puts up with.
        loading_limit_percent: loading above which a branch counts as violated, in percent.
        voltage_band_pu: voltages outside which a bus counts as violated, in p.u.
        against: the folder of another batch that the report compares this one with, or None.
        mem_mb: memory of a job's first attempt, in MB.
        analytics: analyses across scenarios, as the schema describes them.
    """

    manifest: Path
    name: str
    output_dir: Path
    scenarios_per_job: int | Literal["auto"]
    workers_per_job: int | Literal["auto"]
    retry_attempts: int
    retry_backoff_secs: float
    retry_backoff_max_secs: float
    engine: Literal["auto", "pandapower", "lightsim2grid"]
    verify: float
    ac_ladder: tuple[str, ...]
    contingency_rows: Literal["violations", "all"]
    keep: Any
    layout: Literal["auto", "scenario", "block"]
    max_failures: int
    loading_limit_percent: float
    voltage_band_pu: tuple[float, float]
    against: Path | None
    mem_mb: int
    analytics: tuple[dict[str, Any], ...]

    @property
    def scenarios_as_begun(self) -> Path:
        """Where a run keeps the scenarios it began with, as people may edit their manifest."""
        return self.output_dir / self.name / "logs" / "scenarios.jsonl"

    def values(self) -> dict[str, Any]:
        """Return plain values from which the same configuration can be read again."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(self).items()
        }


def read_config(values: Mapping[str, Any], schema: Mapping[str, Any]) -> Config:
    """Check configuration values and fill in what was left out.

    Args:
        values: the values, as from ``config/config.yaml`` and ``--config``.
        schema: ``workflow/schemas/config.schema.json``; the source of the defaults.

    Returns:
        The configuration.

    Raises:
        InputErrors: if values have faults; it holds all of them.
        ConfigError: if the values contradict each other, or the name of a folder has braces.
    """
    # On the command line, name=2024 comes as a number.
    values = {**values, "name": _as_text(values.get("name"))}
    faults = schema_faults(values, schema, Path("config"))
    if faults:
        raise InputErrors(faults)
    if not {"{", "}"}.isdisjoint(values.get("output_dir", "")):
        hint = "Snakemake takes what stands in braces for a wildcard"
        raise ConfigError("has braces in it", file="config", field="output_dir", hint=hint)
    properties = schema["properties"]
    filled = {key: values.get(key, entry["default"]) for key, entry in properties.items()}
    low, high = filled["voltage_band_pu"]
    if low >= high:
        raise ConfigError(
            f"{low} to {high} is no band",
            file="config",
            field="voltage_band_pu",
            hint="the lower voltage comes first",
        )
    analyses_of(filled["analytics"])
    manifest = Path(filled["manifest"])
    return Config(
        **{
            **filled,
            "manifest": manifest,
            "name": filled["name"] or manifest.stem,
            "output_dir": Path(filled["output_dir"]),
            "against": Path(filled["against"]) if filled["against"] else None,
            "ac_ladder": tuple(filled["ac_ladder"]),
            "voltage_band_pu": (float(low), float(high)),
            "analytics": tuple(filled["analytics"]),
        }
    )


def _as_text(name: Any) -> Any:
    return str(name) if type(name) is int else name
