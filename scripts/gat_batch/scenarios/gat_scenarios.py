"""The two kinds of file that GAT's own crate gat-scenarios has, translated into ours.

Its specification has other names for some keys. Its ``scenario_manifest.json`` is a list of
scenarios that were applied to copies of the grid already, so their factors describe these copies
and must not be applied again. Source: monistowl/gat, crates/gat-scenarios (spec.rs, manifest.rs,
apply.rs).
"""

from __future__ import annotations

from typing import Any

RENAMED = {
    "scenario_id": "id",
    "grid_file": "grid",
    "renewable_scale": "gen_scale",
    "dispatch_overrides": "dispatch",
}
"""Key there -> key here. There, ``renewable_scale`` multiplies the power of all generators."""

DISPATCH = {"resource_id": "id", "p_min_mw": "min_p_mw", "p_max_mw": "max_p_mw"}

LAID_OVER = ("load_scale", "renewable_scale", "time_slices")
"""Keys that the grid of an entry of ``scenario_manifest.json`` already includes."""


def translated(document: Any) -> Any:
    """Translate a document of gat-scenarios into our form.

    Args:
        document: any document.

    Returns:
        The same in our form; any other document as it is, for the schema to judge.
    """
    if isinstance(document, list):
        return {"version": 1, "scenarios": [_artifact(entry) for entry in document]}
    if not isinstance(document, dict) or not _is_namesakes(document):
        return document
    result = _renamed(document)
    result.setdefault("version", 1)
    for key, value in result.items():
        if key == "defaults":
            result[key] = _renamed(value)
        elif key == "scenarios" and isinstance(value, list):
            result[key] = [_scenario(entry) for entry in value]
    return result


def _is_namesakes(document: dict[str, Any]) -> bool:
    entries = document.get("scenarios")
    return "grid_file" in document or (
        isinstance(entries, list)
        and any(isinstance(entry, dict) and "scenario_id" in entry for entry in entries)
    )


def _renamed(entry: Any, names: dict[str, str] = RENAMED) -> Any:
    """Return an entry under our names, without its nulls, which mean that a key was left out."""
    if not isinstance(entry, dict):
        return entry
    return {names.get(key, key): value for key, value in entry.items() if value is not None}


def _scenario(entry: Any) -> Any:
    result = _renamed(entry)
    if isinstance(result, dict) and isinstance(result.get("dispatch"), list):
        result["dispatch"] = [_renamed(one, DISPATCH) for one in result["dispatch"]]
    return result


def _artifact(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    facts = {key: entry[key] for key in LAID_OVER if entry.get(key) is not None}
    result = _renamed({key: value for key, value in entry.items() if key not in LAID_OVER})
    metadata = result.get("metadata", {})
    if isinstance(metadata, dict):
        result["metadata"] = {**facts, **metadata}
    return result
