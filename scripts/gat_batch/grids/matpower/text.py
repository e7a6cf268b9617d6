"""Reads the text of a MATPOWER case as MATLAB reads it, as far as it is plain data.

A case file is a MATLAB function. Those that savecase() writes, and nearly all that are passed
round, only assign a number, a text, a table or a list to fields of one struct. That much is read
here; any other statement would take MATLAB to run and is refused, never skipped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import GridError

if TYPE_CHECKING:
    from pathlib import Path

Value = NDArray[np.float64] | str | None
"""A table, a number as a table of one cell, a text, or None for a list of texts."""

JOINT = "\v"
"""Stands where a statement goes on in the next line."""

CODE = re.compile(r"""(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|(?!\.\.\.)[^'"%])*""")
"""The part of a line before its comment or its mark of continuation, texts in quotes skipped."""

SPACE = re.compile(r"[\s;,]*")
FUNCTION = re.compile(r"function[^\S\n]+(\w+)[^\S\n]*=[^\S\n]*\w+[^\S\n]*(?:\([^\S\n]*\))?")
CLOSING = re.compile(r"(?:return|end|endfunction)\b")
FIELD = re.compile(r"(\w+)\.(\w+(?:\.\w+)*)[^\S\n]*=[^\S\n]*")
NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?|Inf|inf|NaN|nan)")
VALUE = re.compile(
    rf"""(?P<number>{NUMBER.pattern})
    | (?P<text>'(?:[^'\n]|'')*'|"(?:[^"\n]|"")*")
    | \[(?P<table>[^][{{}}()'"=]*)\]
    | (?P<list>\{{(?:'(?:[^'\n]|'')*'|"(?:[^"\n]|"")*"|[^][{{}}()'"=])*\}})""",
    re.VERBOSE,
)
END = re.compile(r"[^\S\n]*(?:[;,\n]|$)")


def read_text(text: str, path: Path) -> dict[str, Value]:
    """Read the text of a case.

    Args:
        text: the file's text.
        path: the file, for the messages.

    Returns:
        The value of each field of the case's struct; the last one if a field is given twice.

    Raises:
        GridError: if a statement is more than plain data; it names the line.
    """
    return _Reader(_code(text, path), path).fields()


def _code(text: str, path: Path) -> str:
    """Return the text without its comments, with as many lines as before."""
    lines: list[str] = []
    opened: list[int] = []
    for number, line in enumerate(text.replace("\f", " ").replace(JOINT, " ").split("\n"), 1):
        mark = line.strip()
        if mark == "%{":
            opened.append(number)
        if opened:
            lines.append("\n")
            if mark == "%}":
                opened.pop()
            continue
        match = CODE.match(line)
        code = match.group() if match else ""
        rest = line[len(code) :]
        if rest[:1] in ("'", '"'):
            raise GridError(f"line {number}: a text without an end", file=path)
        lines.append(code + (JOINT if rest.startswith("...") else "\n"))
    if opened:
        raise GridError(f"line {opened[0]}: a block comment without an end", file=path)
    return "".join(lines)


class _Reader:
    """Goes through the statements of a case."""

    def __init__(self, code: str, path: Path) -> None:
        self.code = code
        self.path = path

    def fields(self) -> dict[str, Value]:
        """Return the fields of the struct."""
        found: dict[str, Value] = {}
        position, struct = self._after_space(0), "mpc"
        header = FUNCTION.match(self.code, position)
        if header:
            struct, position = header[1], self._end(position, header.end())
        closed = False
        while (start := self._after_space(position)) < len(self.code):
            closing = CLOSING.match(self.code, start)
            if closing:
                closed, position = True, self._end(start, closing.end())
                continue
            field = FIELD.match(self.code, start)
            value = field and VALUE.match(self.code, field.end())
            if closed or not field or not value or field[1] != struct:
                raise self._refusal(start)
            position = self._end(start, value.end())
            found[field[2]] = self._value(value)
        return found

    def _after_space(self, position: int) -> int:
        match = SPACE.match(self.code, position)
        return match.end() if match else position

    def _end(self, start: int, position: int) -> int:
        """Return where the next statement starts.

        Raises:
            GridError: if the one that begins at ``start`` goes on at ``position``.
        """
        match = END.match(self.code, position)
        if not match:
            raise self._refusal(start)
        return match.end()

    def _value(self, value: re.Match[str]) -> Value:
        if value["number"] is not None:
            return np.array([[_number(value["number"])]])
        if value["text"] is not None:
            return value["text"][1:-1]
        if value["table"] is not None:
            return self._table(value["table"], value.start("table"))
        return None

    def _table(self, content: str, start: int) -> NDArray[np.float64]:
        rows: list[list[float]] = []
        for match in re.finditer(r"[^;\n]+", content):
            words = match[0].strip().removesuffix(",").strip()
            row = re.split(r"\s*,\s*|\s+", words) if words else []
            place = start + match.start()
            wrong = next((word for word in row if not NUMBER.fullmatch(word)), None)
            if wrong is not None:
                raise self._error(f"{wrong[:40]!r} in a table is no number", place)
            if rows and row and len(row) != len(rows[0]):
                what = f"a row of {len(row)} numbers in a table of {len(rows[0])} columns"
                raise self._error(what, place)
            if row:
                rows.append([_number(word) for word in row])
        return np.array(rows, dtype=np.float64)

    def _refusal(self, start: int) -> GridError:
        words = " ".join(self.code[start : start + 200].split("\n", 1)[0].split())
        short = words if len(words) <= 60 else f"{words[:57]}..."
        return self._error(f"{short!r} gives no field a plain number, text or table", start)

    def _error(self, what: str, position: int) -> GridError:
        before = self.code[:position]
        line = 1 + before.count("\n") + before.count(JOINT)
        hint = "save the case with MATPOWER's savecase(), which writes plain numbers"
        return GridError(f"line {line}: {what}", file=self.path, hint=hint)


def _number(word: str) -> float:
    return float(word.lower().replace("d", "e"))
