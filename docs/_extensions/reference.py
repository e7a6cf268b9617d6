"""Directives that make the reference from the sources, and checks that nothing is left out."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, ClassVar

import checks
import schema_tables
import sources
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

LOGGER = logging.getLogger(__name__)


class Made(SphinxDirective):
    """A directive whose Markdown is made from the sources."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Make the text and parse it as a part of the page."""
        try:
            text = self.made(self.arguments[0])
        except (KeyError, ValueError) as error:
            raise self.error(f"{self.name} {self.arguments[0]}: {error}") from error
        self.env.note_dependency(sources.__file__)
        return self.parse_text_to_nodes(text)

    def made(self, what: str) -> str:
        """The Markdown."""
        raise NotImplementedError


class SchemaTable(Made):
    """``schema-table``: the keys of a mapping, by schema and pointer."""

    optional_arguments = 1

    def made(self, what: str) -> str:
        """A row for each key."""
        pointer = self.arguments[1] if len(self.arguments) > 1 else "#"
        self.env.note_dependency(str(sources.ROOT / f"workflow/schemas/{what}.schema.json"))
        checks.shown(self.env).add((what, pointer))
        rows = schema_tables.rows(sources.schema(what), pointer)
        defaults = any(row.default for row in rows)
        head = ("key", "values", *(("default",) if defaults else ()), "meaning")
        return schema_tables.table(
            head,
            [
                (f"`{row.key}`", row.values, *((row.default,) if defaults else ()), row.meaning)
                for row in rows
            ],
        )


class SolverOptions(Made):
    """``solver-options``: options of power flows, or those that only optimal ones have."""

    kinds: ClassVar[dict[str, tuple[str, ...]]] = {
        "power-flow": ("dc", "ac"),
        "optimal": ("dc_opf", "ac_opf"),
    }

    def made(self, what: str) -> str:
        """A row for each option."""
        flows = {name for solver in self.kinds["power-flow"] for name in sources.OPTIONS[solver]}
        first = {
            name: option
            for solver in reversed(self.kinds[what])
            for name, option in sources.OPTIONS[solver].items()
            if what == "power-flow" or name not in flows
        }
        body = []
        for name, option in first.items():
            known = [one for one in sources.OPTIONS if name in sources.OPTIONS[one]]
            allowed = option.allowed
            for one in known:
                if sources.OPTIONS[one][name].allowed != allowed:
                    allowed += f"; {one}: {sources.OPTIONS[one][name].allowed}"
            solvers = "all" if len(known) == len(sources.OPTIONS) else ", ".join(known)
            body.append((f"`{name}`", solvers, option.meaning, allowed))
        return schema_tables.table(("option", "solver", "meaning", "values"), body)


class SummaryTable(Made):
    """``summary-table``: columns of a table under summary."""

    def made(self, what: str) -> str:
        """A row for each column."""
        columns = sources.SUMMARY_TABLES[what].items()
        body = [(f"`{name}`", str(kind), meaning) for name, (kind, meaning) in columns]
        return schema_tables.table(("column", "type", "meaning"), body)


class ResultColumns(SphinxDirective):
    """``result-columns``: what is said of each column of results, with its type.

    The content has a line ``columns: meaning`` for each group. Each column must be in one.
    """

    has_content = True

    def run(self) -> list[Node]:
        """Put the types beside what is said."""
        body, said = [], []
        for line in self.content:
            names, _, meaning = line.partition(": ")
            columns = names.replace("`", "").split(", ")
            said += columns
            kinds = {
                str(sources.RESULT_SCHEMA.field(name).type)
                for name in columns
                if name in sources.RESULT_SCHEMA.names
            }
            body.append((names, ", ".join(sorted(kinds)), meaning))
        if sorted(said) != sorted(sources.RESULT_SCHEMA.names):
            odd = set(said) ^ set(sources.RESULT_SCHEMA.names)
            raise self.error(f"columns of results: left out, unknown or twice: {sorted(odd)}")
        text = schema_tables.table(("columns", "type", "meaning"), body)
        return self.parse_text_to_nodes(text)


class Command(Made):
    """``command``: what a script says of itself."""

    def made(self, what: str) -> str:
        """Its help."""
        script = sources.ROOT / "scripts" / f"{what}.py"
        self.env.note_dependency(str(script))
        run = subprocess.run(  # noqa: S603 - our own scripts
            [sys.executable, script, "--help"],
            env=os.environ | {"COLUMNS": "95"},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise ValueError(run.stderr)
        return f"```text\n{run.stdout.replace('usage: ', 'usage: python scripts/', 1)}```"


class PublicApi(Made):
    """``public-api``: a module by autodoc; every public name must have a docstring."""

    def made(self, what: str) -> str:
        """Have it documented by autodoc."""
        for name in checks.undocumented(importlib.import_module(what)):
            LOGGER.warning("%s.%s has no docstring", what, name, location=self.get_location())
        return f"```{{eval-rst}}\n.. automodule:: {what}\n   :members:\n```"


class Errors(SphinxDirective):
    """``errors``: the exceptions that the Python API raises."""

    def run(self) -> list[Node]:
        """Have each documented by autodoc."""
        text = "".join(
            f".. autoexception:: {one.__module__}.{one.__qualname__}\n\n" for one in sources.ERRORS
        )
        return self.parse_text_to_nodes(f"```{{eval-rst}}\n{text}```")


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directives and checks."""
    app.add_directive("schema-table", SchemaTable)
    app.add_directive("solver-options", SolverOptions)
    app.add_directive("summary-table", SummaryTable)
    app.add_directive("result-columns", ResultColumns)
    app.add_directive("command", Command)
    app.add_directive("public-api", PublicApi)
    app.add_directive("errors", Errors)
    app.connect("env-check-consistency", checks.check_schemas)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
