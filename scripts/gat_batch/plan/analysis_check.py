"""Analyses that are bound to fail when all is solved: no such function, nothing to compare with."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..files.words import nearest
from ..study.analyses import module_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..study.analyses import Analysis
    from .plan import Plan


def analysis_faults(plan: Plan) -> Iterator[ConfigError]:
    """Yield faults of analyses, without running anything of the user's.

    Args:
        plan: the batch.
    """
    for analysis in plan.analyses:
        if analysis.kind == "compare":
            yield from _comparison_faults(analysis, plan)
        if analysis.kind == "congestion":
            yield from _congestion_faults(analysis, plan)
        if analysis.kind == "function":
            yield from _function_faults(analysis, plan)


def _fault(analysis: Analysis, what: str, hint: str) -> ConfigError:
    return ConfigError(f"{analysis.name}: {what}", file="config", field="analytics", hint=hint)


def _comparison_faults(analysis: Analysis, plan: Plan) -> Iterator[ConfigError]:
    other = Path(analysis.options["other"])
    # The batch's own folder is filled before its analyses begin.
    own = other.resolve() == plan.folder.resolve()
    if not own and next(other.glob("job_*/result.parquet"), None) is None:
        what = "holds no results" if other.is_dir() else "no such folder"
        hint = "name the folder of a batch that has run, relative to the working directory"
        yield _fault(analysis, f"other: {other}: {what}", hint)


def _congestion_faults(analysis: Analysis, plan: Plan) -> Iterator[ConfigError]:
    for scenario in plan.batch.scenarios:
        keep = plan.keep(scenario)
        chosen = () if isinstance(keep, str) else (kept for one in keep.values() for kept in one)
        if keep != "all" and "loading_percent" not in chosen:
            what = f"keeps no loadings of scenario {scenario.id!r} to count"
            yield _fault(analysis, what, "keep: all, or loading_percent of branches")
            return


def _function_faults(analysis: Analysis, plan: Plan) -> Iterator[ConfigError]:
    module, _, name = analysis.function.partition(":")
    file = module_file(analysis.function, (plan.batch.folder, Path.cwd()))
    if file is None:
        if find_spec(module.partition(".")[0]) is None:
            hint = "modules are looked for beside the manifest, then in the working directory"
            yield _fault(analysis, f"there is no module {module!r}", hint)
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError) as error:
        yield _fault(analysis, f"{file}: can't be read: {error}", "it is to be a Python module")
        return
    if not _may_define(tree, name):
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        yield _fault(analysis, f"{file} has no function {name!r}", nearest(name, functions))


def _may_define(tree: ast.Module, name: str) -> bool:
    """Return whether a module has a name, or may have it by means that can't be seen for sure."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="globals" | "vars" | "exec" | "setattr"):
                return True
            case ast.FunctionDef(name=found) | ast.ClassDef(name=found) | ast.Name(id=found):
                if found in (name, "__getattr__"):
                    return True
            case ast.alias(name=found, asname=alias):
                if (alias or found.partition(".")[0]) in (name, "*"):
                    return True
    return False
