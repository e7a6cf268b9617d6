"""Which grid is meant: the files that make it up, and a hash of its content.

Nothing is parsed here but the manifest of an Arrow dataset, as a plan is made from references
alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ..errors import GridError
from ..files.documents import file_hash, named_file

Form = Literal["bundled", "json", "arrow", "m", "mat"]

BUNDLED = "pandapower:"

CASES = "networks/power_system_test_case_jsons"
READERS = "networks/power_system_test_cases.py"
"""Cases in pandapower's package, and the functions that read them; not every case has one."""

SUFFIXES: dict[str, Form] = {".json": "json", ".arrow": "arrow", ".m": "m", ".mat": "mat"}

MANIFEST = "manifest.json"
"""The file of an Arrow dataset that lists its tables."""

ORIGIN = ("created_at", "gat_version", "source")
"""Keys of that file that say where the dataset comes from; a grid is the same without them."""


@dataclass(frozen=True)
class GridRef:
    """A grid that hasn't been read.

    Attributes:
        form: how it is stored.
        name: name of a bundled grid, else the path as text.
    """

    form: Form
    name: str

    @property
    def path(self) -> Path:
        """Where it is stored, if it isn't bundled."""
        return Path(self.name)

    def __str__(self) -> str:
        return f"{BUNDLED}{self.name}" if self.form == "bundled" else self.name

    @property
    def ships(self) -> bool:
        """Whether pandapower ships it as a file, so that it can be read for sure."""
        if self.form != "bundled" or not self.name.isidentifier():
            return False
        package = find_spec("pandapower")  # finds it without importing it, which takes seconds
        folders = (package and package.submodule_search_locations) or ()
        return any(
            Path(folder, CASES, f"{self.name}.json").is_file()
            and f"\ndef {self.name}(" in Path(folder, READERS).read_text(encoding="utf-8")
            for folder in folders
        )

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files that make it up; none if it is bundled with pandapower."""
        if self.form == "bundled":
            return ()
        if self.form != "arrow":
            return (self.path,)
        tables = sorted(file for file in self.path.glob("*.arrow") if file.is_file())
        return (self.path / MANIFEST, *tables)

    def content_hash(self) -> str:
        """Return a hash of the content, the same wherever it lies and whenever it was written.

        Returns:
            64 hexadecimal digits.

        Raises:
            GridError: if a file can't be read.
        """
        if self.form == "bundled":
            return _digest([self.name, version("pandapower")])
        return _digest([[file.name, _content_of(file)] for file in self.files])


def grid_ref(reference: str, folder: Path) -> GridRef:
    """Find out which grid a reference means.

    Args:
        reference: as written in a manifest.
        folder: the folder that paths are relative to.

    Returns:
        The reference; its files exist.

    Raises:
        GridError: if there is no such file, or its format is unknown.
    """
    if reference.startswith(BUNDLED):
        return GridRef("bundled", reference.removeprefix(BUNDLED))
    path = named_file(folder, reference)
    form = form_of(path)
    target = path / MANIFEST if form == "arrow" else path
    if not target.is_file():
        if not path.exists():
            hint = "paths are relative to the manifest's folder"
            raise GridError("no such file", file=path, hint=hint)
        what = "is not a dataset: it holds no manifest.json" if form == "arrow" else "is no file"
        raise GridError(what, file=path)
    return GridRef(form, str(path))


def form_of(path: Path) -> Form:
    """Return the format that a path's suffix stands for.

    Raises:
        GridError: if it is unknown.
    """
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        hint = f"known are {', '.join(SUFFIXES)} and {BUNDLED}NAME"
        raise GridError(f"unknown kind of grid {path.suffix!r}", file=path, hint=hint)
    return form


def _content_of(path: Path) -> object:
    """Return what a file contributes to the hash: of a manifest, all but its :data:`ORIGIN`."""
    if path.name != MANIFEST:
        return file_hash(path, GridError)
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise GridError(f"can't be read: {error.strerror}", file=path) from None
    except (ValueError, RecursionError):
        return file_hash(path, GridError)  # what is wrong with it is said when it is read
    if not isinstance(content, dict):
        return file_hash(path, GridError)
    return {key: content[key] for key in content if key not in ORIGIN}


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
