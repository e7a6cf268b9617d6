"""Reads the text of a MATPOWER case as MATLAB reads it, as far as it is data and arithmetic.

A case file is a MATLAB function. Most only assign a number, a text, a table or a list to fields of
one struct. MATPOWER's own data files also convert units: named columns, scalars, operations on
tables, ``if`` on plain values. That much is read here; any other statement would take MATLAB to run
and is refused, never skipped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...errors import GridError
from .arithmetic import Scope, one_cell
from .constants import ALL, INDEX_FUNCTIONS
from .syntax import Unreadable, expression, tokens

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .arithmetic import Value

JOINT = "\v"
"""Stands where a statement goes on in the next line."""

CODE = re.compile(
    r"""(?:(?<![\w)\]}.'])'(?:[^']|'')*'|(?<=[\w)\]}.'])'|"(?:[^"]|"")*"|(?!\.\.\.)[^'"%])*"""
)
"""The part of a line before its comment or its mark of continuation, texts in quotes skipped; a
quote right behind an operand transposes it."""

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
PLAIN = re.compile(rf"[\s;,]*(?:{NUMBER.pattern}(?:[\s;,]+|$))*")
LISTED = re.compile(r"'((?:[^'\n]|'')*)'")
END = re.compile(r"[^\S\n]*(?:[;,\n]|$)")
PIECE = re.compile(
    r"""(?<![\w)\]}.'])'(?:[^'\n]|'')*'|"(?:[^"\n]|"")*"|(?P<open>[\[({])|(?P<close>[\])}])|(?P<end>[;,\n])"""
)
WORD = re.compile(r"(if|elseif|else|end|endif|for|while|switch|try|function|define_constants)\b")
COLUMNS = re.compile(r"\[([\w\s,~]*)\]\s*=\s*(idx_\w+)\s*(?:\(\s*\))?\s*$")
BLOCKS = ("for", "while", "switch", "try", "function")


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


class _Branch(NamedTuple):
    """A branch of an ``if``: whether it is followed, and whether it or one before it was."""

    active: bool
    taken: bool


class _Reader:
    """Goes through the statements of a case."""

    def __init__(self, code: str, path: Path) -> None:
        self.code = code
        self.path = path
        self.branches: list[_Branch] = []

    def fields(self) -> dict[str, Value]:
        """Return the fields of the struct."""
        position, struct = self._after_space(0), "mpc"
        header = FUNCTION.match(self.code, position)
        if header:
            struct, position = header[1], self._end(position, header.end())
        self.scope = Scope(struct, {})
        closed = False
        while (start := self._after_space(position)) < len(self.code):
            closing = CLOSING.match(self.code, start)
            if closing and not (self.branches and closing.group() == "end"):
                closed, position = True, self._end(start, closing.end())
                continue
            if closed:
                raise self._refusal(start, "it comes after the end")
            field = FIELD.match(self.code, start)
            value = field and VALUE.match(self.code, field.end())
            plain = field and value and field[1] == struct and END.match(self.code, value.end())
            if not (field and value and plain) or not self._is_plain(value):
                position = self._statement(start)
                continue
            if self._active:
                self.scope.fields[field[2]] = self._value(value)
            position = plain.end()
        if self.branches:
            raise GridError("an if without an end", file=self.path)
        return self.scope.fields

    @property
    def _active(self) -> bool:
        """Whether statements are followed: those in branches not taken aren't."""
        return all(branch.active for branch in self.branches)

    def _statement(self, start: int) -> int:
        """Follow a statement that is more than plain data, and return where the next one starts."""
        word = WORD.match(self.code, start)
        if word and word[1] in ("else", "end", "endif", "define_constants"):
            stop = word.end()
        else:
            stop = self._stop(start)
        text = self.code[start:stop]
        try:
            if word and word[1] != "define_constants":
                self._branch(word[1], text[word.end() - start :])
            elif self._active:
                self._follow(text)
        except Unreadable as reason:
            raise self._refusal(start, str(reason)) from None
        match = END.match(self.code, stop)
        return match.end() if match else stop

    def _stop(self, start: int) -> int:
        """Return where a statement ends: at a separator outside of all brackets."""
        depth = 0
        for piece in PIECE.finditer(self.code, start):
            if piece["open"]:
                depth += 1
            elif piece["close"]:
                depth -= 1
            elif piece["end"] and depth <= 0:
                return piece.start()
        return len(self.code)

    def _branch(self, word: str, condition: str) -> None:
        """Enter, change or leave a branch of an ``if``."""
        if word in BLOCKS:
            raise Unreadable(f"{word} is not known here")
        if word == "if":
            outside = self._active
            true = outside and self._holds(condition)
            self.branches.append(_Branch(active=true, taken=true or not outside))
        elif not self.branches:
            raise Unreadable(f"{word} without an if")
        elif word in ("end", "endif"):
            self.branches.pop()
        else:
            branch = self.branches.pop()
            true = not branch.taken and (word == "else" or self._holds(condition))
            self.branches.append(_Branch(active=true, taken=branch.taken or true))

    def _holds(self, condition: str) -> bool:
        found = self.scope.numbers(expression(tokens(condition)))
        return bool(found.size and (found != 0).all())

    def _follow(self, text: str) -> None:
        """Follow an assignment, or take over names of columns."""
        if text.strip() == "define_constants":
            self.scope.names |= {name: one_cell(value) for name, value in ALL.items()}
            return
        columns = COLUMNS.match(text)
        if columns:
            known = INDEX_FUNCTIONS.get(columns[2])
            if known is None:
                raise Unreadable(f"{columns[2]!r} is unknown")
            names = columns[1].replace(",", " ").split()
            self.scope.names |= {
                name: one_cell(value)
                for name, value in zip(names, known.values(), strict=False)
                if name != "~"
            }
            return
        pieces = tokens(text)
        depth, places = 0, []
        for place, piece in enumerate(pieces):
            depth += (piece.text in "([{") - (piece.text in ")]}") if piece.kind == "sign" else 0
            if piece.text == "=" and not depth:
                places.append(place)
        if len(places) != 1:
            raise Unreadable("it assigns nothing")
        (place,) = places
        value = self.scope.value(expression(pieces[place + 1 :]))
        self.scope.assign(expression(pieces[:place]), value)

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
            raise self._refusal(start, "it goes on")
        return match.end()

    def _is_plain(self, value: re.Match[str]) -> bool:
        """Return whether all cells of a table are plain numbers."""
        return value["table"] is None or PLAIN.fullmatch(value["table"]) is not None

    def _value(self, value: re.Match[str]) -> Value:
        if value["number"] is not None:
            return one_cell(_number(value["number"]))
        if value["text"] is not None:
            return value["text"][1:-1]
        if value["table"] is not None:
            return self._table(value["table"], value.start("table"))
        texts = LISTED.findall(value["list"])
        rest = LISTED.sub("", value["list"]).strip("{}")
        return (
            tuple(text.replace("''", "'") for text in texts) if not rest.strip(" \t\n;,") else None
        )

    def _table(self, content: str, start: int) -> NDArray[np.float64]:
        rows: list[list[float]] = []
        for match in re.finditer(r"[^;\n]+", content):
            words = match[0].strip().removesuffix(",").strip()
            row = re.split(r"\s*,\s*|\s+", words) if words else []
            if rows and row and len(row) != len(rows[0]):
                what = f"a row of {len(row)} numbers in a table of {len(rows[0])} columns"
                raise self._error(what, start + match.start())
            if row:
                rows.append([_number(word) for word in row])
        return np.array(rows, dtype=np.float64)

    def _refusal(self, start: int, why: str) -> GridError:
        words = " ".join(self.code[start : start + 200].split("\n", 1)[0].split())
        short = words if len(words) <= 60 else f"{words[:57]}..."
        return self._error(f"{short!r} can't be followed: {why}", start)

    def _error(self, what: str, position: int) -> GridError:
        before = self.code[:position]
        line = 1 + before.count("\n") + before.count(JOINT)
        hint = "save the case with MATPOWER's savecase(), which writes plain numbers"
        return GridError(f"line {line}: {what}", file=self.path, hint=hint)


def _number(word: str) -> float:
    return float(word.lower().replace("d", "e"))
