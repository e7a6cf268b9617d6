"""A user's own function: table in, table out, found by name, and not trusted."""

from __future__ import annotations

import hashlib
import importlib
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from ..errors import ConfigError, SolverError
from ..study.analyses import module_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def source_hash(function: str, folders: Sequence[Path]) -> str | None:
    """Return a hash of a function's module, or None if it is no file in one of the folders."""
    file = module_file(function, folders)
    return None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()


def call(
    function: str, folders: Sequence[Path], table: pa.Table, options: Mapping[str, Any]
) -> pa.Table:
    """Call a user's function.

    Args:
        function: ``module:function``.
        folders: where modules are looked for first.
        table: the table to call it with.
        options: keyword arguments to call it with.

    Returns:
        The table that it returned.

    Raises:
        ConfigError: if there is no such function.
        SolverError: if it returned anything but a table.
    """
    module, _, name = function.partition(":")
    for folder in reversed([str(folder.resolve()) for folder in folders]):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"function {function}: {error}",
            file="config",
            field="analytics",
            hint="modules are looked for beside the manifest, then in the working directory",
        ) from None
    returned = found(table, **options)
    if isinstance(returned, pd.DataFrame):
        try:
            returned = pa.Table.from_pandas(returned, preserve_index=False)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise SolverError(f"function {function} returned no plain table: {error}") from None
    if not isinstance(returned, pa.Table):
        raise SolverError(
            f"function {function} returned {type(returned).__name__}, not a table",
            hint="return a pyarrow Table or a pandas DataFrame",
        )
    return returned.replace_schema_metadata(None)
