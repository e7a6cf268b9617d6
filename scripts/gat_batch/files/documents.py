"""JSON and YAML documents, read.

Both readers are stricter than their formats: a key given twice, NaN and infinity are faults, as
each of them hides a mistake that would surface later as a wrong study.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ..errors import GatBatchError, ManifestError
from .words import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

YAML_SUFFIXES = (".yaml", ".yml")

DEEPEST = 100
"""Most levels of nesting in a YAML document."""

LARGEST = 50_000_000
"""Most nodes of a YAML document with its aliases written out."""


def read_document(path: Path) -> Any:
    """Read a JSON or YAML file; its suffix says which it is.

    Args:
        path: the file; ``.yaml`` and ``.yml`` are YAML, anything else is JSON.

    Returns:
        The content as plain Python objects.

    Raises:
        ManifestError: if the file can't be read or is malformed; it names line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ManifestError("no such file", file=path, hint="check the path") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ManifestError(f"can't be read: {reason}", file=path) from None
    parse = _parse_yaml if path.suffix.lower() in YAML_SUFFIXES else _parse_json
    try:
        return parse(text, path)
    except RecursionError:
        raise ManifestError("nested too deeply or too large", file=path) from None


def named_file(folder: Path, name: str) -> Path:
    """Return the path of a file that a document names.

    Args:
        folder: the folder that names are relative to; it may not be there yet.
        name: the name, perhaps one that leads out of the folder.

    Returns:
        The path, relative to the working directory where it lies in it.
    """
    if not name.startswith(".."):
        return folder / name
    parts = PurePath(name).parts
    ups = next((n for n, part in enumerate(parts) if part != ".."), len(parts))
    # Links are followed first, since .. behind a link leads elsewhere.
    above = Path(os.path.realpath(folder))
    for _ in range(ups):
        above = above.parent
    path, here = above.joinpath(*parts[ups:]), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def file_hash(path: Path, fault: type[GatBatchError]) -> str:
    """Return the hash of a file's content.

    Args:
        path: the file.
        fault: the type of error to raise if it can't be read.

    Returns:
        64 hexadecimal digits.

    Raises:
        GatBatchError: of the type ``fault``, if the file can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise fault(f"can't be read: {error.strerror}", file=path) from None


def _parse_json(text: str, path: Path) -> Any:
    def constant(name: str) -> Any:
        raise ManifestError(f"{name} is not a number", file=path)

    try:
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: _unique(pairs, path),
            parse_constant=constant,
            parse_float=lambda digits: _finite(digits, path),
            parse_int=lambda digits: _whole(int(digits), path),
        )
    except json.JSONDecodeError as error:
        raise ManifestError(
            f"malformed JSON at line {error.lineno}, column {error.colno}: {error.msg}", file=path
        ) from None
    except ValueError:  # Python refuses to read integers of thousands of digits
        raise ManifestError("holds a number with too many digits", file=path) from None


def _unique(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ManifestError("the key is given twice", file=path, field=twice)
    return table


def _finite(digits: str, path: Path) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ManifestError(f"{digits} is too large a number", file=path)
    return number


def _whole(number: int, path: Path) -> int:
    if abs(number) >= 2**63:
        raise ManifestError(f"{shown(number)} is too large a number", file=path)
    return number


def _check_extent(events: Iterable[Any]) -> None:
    """Check a YAML document before it is built.

    Deep nesting would overflow libyaml's stack, and aliases of aliases grow without bound.

    Raises:
        RecursionError: if it has too many levels or nodes.
    """
    import yaml

    open_nodes: list[tuple[str | None, int]] = []
    sizes: dict[str | None, int] = {}
    total = 0
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
        total += sizes.get(event.anchor, 1) if isinstance(event, yaml.AliasEvent) else 1
        if len(open_nodes) > DEEPEST or total > LARGEST:
            raise RecursionError


def _parse_yaml(text: str, path: Path) -> Any:
    import yaml

    class Loader(yaml.CSafeLoader):
        """Loads safe YAML, in which a mapping holds a key once and numbers are finite."""

    def mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
        pairs = loader.construct_pairs(node, deep=True)
        for key, _ in pairs:
            if not isinstance(key, str):
                raise ManifestError("keys are text", file=path, field=str(key))
        return _unique(pairs, path)

    def number(loader: Loader, node: yaml.ScalarNode) -> float:
        return _finite(str(loader.construct_yaml_float(node)), path)

    def whole(loader: Loader, node: yaml.ScalarNode) -> int:
        return _whole(loader.construct_yaml_int(node), path)

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    Loader.add_constructor("tag:yaml.org,2002:float", number)
    Loader.add_constructor("tag:yaml.org,2002:int", whole)
    try:
        _check_extent(yaml.parse(text, Loader))
        return yaml.load(text, Loader)  # noqa: S506 - derived from the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ManifestError(f"malformed YAML{place}: {error.problem}", file=path) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ManifestError(f"malformed YAML: {error}", file=path) from None
