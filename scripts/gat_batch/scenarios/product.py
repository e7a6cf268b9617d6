"""The files made of a specification: a manifest, its tables, a record of their origin.

Whether they are up to date follows from the content of all that they were made from. If not, the
specification is expanded in memory first, so that a run, a dry one too, knows every scenario and
every result's fingerprint before any file is written; a rule of the run then writes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from .. import __version__
from ..errors import InputErrors, SpecificationError
from ..files.documents import file_hash, read_document
from ..files.json_lines import read_with_lines, write_with_lines
from ..files.schema_check import schema_faults
from ..files.workflow_files import read_schema
from ..grids import grid_ref
from ..study.manifest_faults import content_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from ..errors import GatBatchError
    from ..study.injections import Kind
    from .named.sources import Sources
    from .specification import Specification

FORMAT = 1
"""To be raised when the same specification would be made into other files."""

MANIFEST = "manifest.json"
RECORD = "made_from.json"

TABLE_NAME = re.compile(r"(loads|gens|sgens|costs|impedances)_\d{4,}\.parquet")


@dataclass(frozen=True)
class Product:
    """The files made of a specification.

    Attributes:
        folder: where the files lie, or will lie.
        inputs: the files that it is made from.
        names: names of its tables.
        digest: hash of all that it is made from.
        pending: whether it is yet to be written.
        tables: table that is yet to be written -> scenario -> hash of its rows.
        limits: records of the loadability limits that its loads were drawn towards.
    """

    folder: Path
    inputs: tuple[Path, ...]
    names: tuple[str, ...]
    digest: str
    pending: bool = False
    tables: Mapping[Path, Mapping[str, str]] = field(default_factory=dict)
    limits: tuple[Mapping[str, Any], ...] = ()

    @property
    def manifest(self) -> Path:
        """The manifest."""
        return self.folder / MANIFEST

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All of its files."""
        names = (MANIFEST, RECORD, *self.names)
        return tuple(self.folder / name for name in names)


def is_specification(document: Any) -> bool:
    """Return whether a document is a specification, ours or one of GAT's, and not a manifest."""
    if isinstance(document, list):
        return True
    return isinstance(document, dict) and ("version" in document or "grid_file" in document)


def without_version(faults: Sequence[GatBatchError], file: Path) -> list[GatBatchError]:
    """Tell a specification whose version was forgotten from a manifest with unknown keys.

    Args:
        faults: what was found in it as a manifest.
        file: the document.

    Returns:
        The faults, with one in place of all keys that a specification has.
    """
    schema = read_schema("scenario_specification")
    keys = {*schema["properties"], *schema["$defs"]["scenario"]["properties"]}
    theirs = [one for one in faults if one.what == "unknown key" and one.field in keys]
    # Who writes a scale into a manifest most likely means one of its own factors.
    named = [one.field for one in theirs if one.field != "scale"]
    if not named:
        return list(faults)
    what = f"missing, but {named[0]} is a key of specifications of scenarios"
    hint = "did you forget `version: 1`?"
    forgotten = SpecificationError(what, file=file, field="version", hint=hint)
    return [forgotten, *(one for one in faults if one not in theirs)]


def read_product(specification: Path, folder: Path) -> Product:
    """Read which product there is, for a job of a run: it was right when the run began.

    Args:
        specification: what it was made from.
        folder: where it lies.

    Raises:
        SpecificationError: if there is none.
    """
    record = _record(folder)
    if record is None:
        hint = "start the run again, which makes them"
        raise SpecificationError("has no scenarios made", file=specification, hint=hint)
    return _recorded(folder, record, specification.parent)


def plan_product(document: Any, file: Path, folder: Path) -> tuple[Any, Product]:
    """Return the manifest that a specification stands for, without writing anything.

    Args:
        document: the specification's content.
        file: where it was read from.
        folder: where its product lies, or will lie.

    Returns:
        The manifest's content, and the product.

    Raises:
        GatBatchError: if the specification is at fault.
    """
    specification = specified(document, file)
    names, digest = _origin(specification, folder)
    record = _record(folder)
    if record is not None and record["digest"] == digest:
        product = _recorded(folder, record, file.parent)
        if all(path.is_file() for path in product.outputs):
            return read_with_lines(product.manifest, "scenarios"), product
    from ..files.shared_rows import digests_of
    from ..study.injection_tables import shared_table
    from .named.sources import Sources

    tables: dict[Path, dict[str, str]] = {}

    def keep(name: str, kind: str, table: pa.Table) -> None:
        path = folder / name
        if kind in ("load", "gen"):
            tables[path] = shared_table(table, path, cast("Kind", kind)).digests()
        else:
            tables[path] = digests_of(table, path)

    manifest = expanded(sources := Sources(specification), folder, keep)
    written = [path.name for path in tables]
    record = {"digest": digest, "inputs": names, "tables": written, "loadability": sources.records}
    return manifest, replace(_recorded(folder, record, file.parent), pending=True, tables=tables)


def _recorded(folder: Path, record: Mapping[str, Any], parent: Path) -> Product:
    """Return the product that a record tells of, in a folder, of a specification's folder."""
    inputs = tuple(parent / name for name in record["inputs"])
    tables, limits = tuple(record["tables"]), tuple(record["loadability"])
    return Product(folder, inputs, tables, record["digest"], limits=limits)


def make(file: Path, folder: Path) -> int:
    """Write the product of a specification.

    Args:
        file: the specification.
        folder: where its manifest and tables go; created if it doesn't exist.

    Returns:
        The number of scenarios.

    Raises:
        GatBatchError: if the specification is at fault, or files can't be written.
    """
    import pyarrow.parquet as pq

    from .named.sources import Sources

    sources = Sources(specified(read_document(file), file))
    names, digest = _origin(sources.specification, folder)
    written: list[str] = []
    try:
        with ExitStack() as tables:

            def keep(name: str, kind: str, table: pa.Table) -> None:  # noqa: ARG001 - it is in the name
                folder.mkdir(parents=True, exist_ok=True)
                written.append(name)
                path = tables.enter_context(_replaced(folder / name))
                pq.write_table(table, path, compression="zstd")

            manifest = expanded(sources, folder, keep)
            # Without a record, files that are new only in part are taken for no product.
            (folder / RECORD).unlink(missing_ok=True)
        made_from = {"digest": digest, "inputs": names, "tables": written}
        _write(folder, manifest, made_from | {"loadability": sources.records})
    except OSError as error:
        what = f"can't be written: {error.strerror}"
        raise SpecificationError(what, file=error.filename or folder) from None
    return len(manifest["scenarios"])


def _write(folder: Path, manifest: Any, record: dict[str, Any]) -> None:
    """Write manifest and record, in this order, and remove tables of an earlier product."""
    folder.mkdir(parents=True, exist_ok=True)
    with _replaced(folder / MANIFEST) as path:
        write_with_lines(path, manifest, "scenarios")
    for path in folder.iterdir():
        if TABLE_NAME.fullmatch(path.name) and path.name not in record["tables"]:
            path.unlink()
    with _replaced(folder / RECORD) as path:
        text = json.dumps({**record, "gat_batch": __version__}, indent=1)
        path.write_text(f"{text}\n", encoding="utf-8")


def specified(document: Any, file: Path) -> Specification:
    """Make a specification of a document, and check it.

    Raises:
        InputErrors: if it has faults; it holds all of them.
        SpecificationError: if it is a manifest.
    """
    from .specification import read_specification

    schema = read_schema("manifest")
    if not is_specification(document) and not schema_faults(document, schema, file):
        hint = "run it as it is, by --config manifest=...; a specification begins with `version: 1`"
        raise SpecificationError("is a manifest, no specification", file=file, hint=hint)
    return read_specification(document, file, read_schema("scenario_specification"))


def expanded(sources: Sources, folder: Path, keep: Callable[[str, str, pa.Table], None]) -> Any:
    """Make the manifest of a specification, and check it like one that people write.

    Args:
        sources: the specification, with what it names.
        folder: where the manifest lies, or will lie.
        keep: called with the name, the kind and the rows of each table.

    Raises:
        InputErrors: if the specification can't be followed; it holds all faults.
    """
    from .expansion import expand

    manifest = expand(sources, folder, keep)
    faults = list(content_faults(manifest, sources.specification.file))
    if faults:
        raise InputErrors(faults)
    return manifest


def _origin(specification: Specification, folder: Path) -> tuple[list[str], str]:
    """Return the names of the files that a product is made from, and a hash of their contents.

    Raises:
        GatBatchError: if a file can't be read.
    """
    parent = specification.file.parent
    facts: list[Any] = [FORMAT, os.path.relpath(os.path.realpath(parent), os.path.realpath(folder))]
    names = [specification.file.name, *specification.named_files()]
    facts += [[name, file_hash(parent / name, SpecificationError)] for name in names]
    for reference in specification.grids():
        grid = grid_ref(reference, parent)
        facts.append([reference, grid.content_hash()])
        names += [os.path.relpath(path, parent) for path in grid.files]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return list(dict.fromkeys(names)), digest


def _record(folder: Path) -> dict[str, Any] | None:
    """Read the record of what a product was made from; return None if there is none."""
    try:
        # Earlier versions knew of no loadability limits.
        record = {"loadability": [], **json.loads((folder / RECORD).read_text(encoding="utf-8"))}
        return {key: record[key] for key in ("digest", "inputs", "tables", "loadability")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a file, which gets its own name when it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
