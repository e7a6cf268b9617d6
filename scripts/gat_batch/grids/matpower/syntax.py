"""Expressions of MATLAB, as far as data files use them: from text to a tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_NESTED = 60
"""Brackets and signs within each other beyond which an expression is refused."""

TOKEN = re.compile(
    r"""(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?)
    | (?P<name>[A-Za-z]\w*)
    | (?P<text>'(?:[^'\n]|'')*'|"(?:[^"\n]|"")*")
    | (?P<sign>\.\*|\./|\.\^|\.'|==|~=|!=|<=|>=|&&|\|\||[-+*/^=<>&|~!:,;()\[\]{}.'\n])""",
    re.VERBOSE,
)

BEFORE_TRANSPOSE = re.compile(r"[\w)\]}.']$")

TRANSPOSE = re.compile(r"(?P<sign>')")

LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("|",),
    ("&",),
    ("<", "<=", ">", ">=", "==", "~=", "!="),
    (":",),
    ("+", "-"),
    ("*", "/", ".*", "./"),
)
"""Operators of two operands, those that bind least first."""


class Unreadable(ValueError):  # noqa: N818 - it says what a text is
    """A text that is no expression known here."""


class Token(NamedTuple):
    """A piece of text: its kind, itself, and whether space comes before and after it."""

    kind: str
    text: str
    spaced: bool
    followed: bool


@dataclass(frozen=True)
class Node:
    """An expression.

    Attributes:
        kind: ``number``, ``text``, ``name``, ``field``, ``call``, ``unary``, ``binary``, ``range``,
            ``transpose``, ``table``, ``colon`` or ``end``.
        value: number, text, name or operator.
        parts: what it is made of; of a table its cells, row by row.
        rows: number of cells in each row of a table.
    """

    kind: str
    value: str | float = ""
    parts: tuple[Node, ...] = ()
    rows: tuple[int, ...] = ()


def tokens(text: str) -> list[Token]:
    """Split a statement into tokens.

    Raises:
        Unreadable: at a sign that no expression has.
    """
    found: list[Token] = []
    position, spaced = 0, False
    while position < len(text):
        if text[position] in " \t\r\v":
            position, spaced = position + 1, True
            continue
        match = TOKEN.match(text, position)
        # A quote right behind an operand transposes it.
        if text[position] == "'" and BEFORE_TRANSPOSE.search(text[:position]):
            match = TRANSPOSE.match(text, position)
        if not match:
            raise Unreadable(f"{text[position : position + 20]!r} is not understood")
        position = match.end()
        followed = position >= len(text) or text[position] in " \t\r\v\n"
        found.append(Token(str(match.lastgroup), match.group(), spaced, followed))
        spaced = False
    return found


def expression(pieces: Sequence[Token]) -> Node:
    """Parse an expression.

    Args:
        pieces: its tokens, all of them.

    Raises:
        Unreadable: if they are none.
    """
    parser = _Parser(pieces)
    node = parser.whole()
    if parser.piece is not None:
        raise Unreadable(f"{parser.piece.text!r} is not expected")
    return node


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, pieces: Sequence[Token]) -> None:
        self._pieces = pieces
        self._place = 0
        # Within brackets space separates cells; within parentheses it doesn't.
        self._in_table = [False]

    @property
    def piece(self) -> Token | None:
        """The next token."""
        return self._pieces[self._place] if self._place < len(self._pieces) else None

    def whole(self) -> Node:
        if len(self._in_table) > MOST_NESTED:
            raise Unreadable("it is nested too deeply")
        return self._level(0)

    def _take(self, *signs: str) -> Token | None:
        piece = self.piece
        if piece is None or piece.kind != "sign" or piece.text not in signs:
            return None
        self._place += 1
        return piece

    def _demand(self, sign: str) -> None:
        if not self._take(sign):
            raise Unreadable(f"{sign!r} is missing")

    def _level(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._unary()
        left = self._level(level + 1)
        if LEVELS[level] == (":",):
            return self._range(left, level + 1)
        while (piece := self._operator(LEVELS[level])) is not None:
            left = Node("binary", piece.text, (left, self._level(level + 1)))
        return left

    def _range(self, first: Node, level: int) -> Node:
        """Return what begins with a number: that alone, or a range of two or three numbers."""
        parts = [first]
        while len(parts) < 3 and self._operator((":",)) is not None:
            parts.append(self._level(level))
        return first if len(parts) == 1 else Node("range", "", tuple(parts))

    def _operator(self, signs: Sequence[str]) -> Token | None:
        piece = self.piece
        if piece is None or piece.kind != "sign" or piece.text not in signs:
            return None
        # In a table `a -b` are two cells, `a - b` and `a-b` are one.
        if self._in_table[-1] and piece.text in "+-" and piece.spaced and not piece.followed:
            return None
        if piece.text == ":" and self._closes_after(1):
            return None
        self._place += 1
        return piece

    def _closes_after(self, count: int) -> bool:
        place = self._place + count
        return place < len(self._pieces) and self._pieces[place].text in (",", ")")

    def _unary(self) -> Node:
        signs = []
        while (piece := self._take("-", "+", "~", "!")) is not None:
            signs.append(piece.text)
            if len(signs) > MOST_NESTED:
                raise Unreadable("it has too many signs")
        node = self._power()
        for sign in reversed(signs):
            node = Node("unary", sign, (node,))
        return node

    def _power(self) -> Node:
        left = self._postfix()
        while (piece := self._take("^", ".^")) is not None:
            signs = []
            while (sign := self._take("-", "+")) is not None:
                signs.append(sign.text)
            right = self._postfix()
            for text in reversed(signs):
                right = Node("unary", text, (right,))
            left = Node("binary", piece.text, (left, right))
        return left

    def _postfix(self) -> Node:
        node = self._operand()
        while (piece := self.piece) is not None and piece.kind == "sign":
            if self._in_table[-1] and piece.spaced:
                break
            if piece.text == "(":
                self._place += 1
                node = Node("call", "", (node, *self._arguments()))
            elif piece.text == "." and self._next_is_name():
                node = Node("field", self._pieces[self._place + 1].text, (node,))
                self._place += 2
            elif piece.text in ("'", ".'"):
                self._place += 1
                node = Node("transpose", "", (node,))
            else:
                break
        return node

    def _next_is_name(self) -> bool:
        place = self._place + 1
        return place < len(self._pieces) and self._pieces[place].kind == "name"

    def _within(self, *, table: bool, parsed: Callable[[], tuple[Node, ...]]) -> tuple[Node, ...]:
        self._in_table.append(table)
        found = parsed()
        self._in_table.pop()
        return found

    def _arguments(self) -> tuple[Node, ...]:
        def each() -> tuple[Node, ...]:
            found: list[Node] = []
            while not self._take(")"):
                if found:
                    self._demand(",")
                piece = self.piece
                if piece is not None and piece.text == ":" and self._closes_after(1):
                    self._place += 1
                    found.append(Node("colon"))
                else:
                    found.append(self.whole())
            return tuple(found)

        return self._within(table=False, parsed=each)

    def _operand(self) -> Node:
        piece = self.piece
        if piece is None:
            raise Unreadable("something is missing at its end")
        self._place += 1
        if piece.kind == "number":
            return Node("number", float(piece.text.lower().replace("d", "e")))
        if piece.kind == "text":
            return Node("text", piece.text[1:-1])
        if piece.kind == "name":
            return Node("end") if piece.text == "end" else Node("name", piece.text)
        if piece.text == "(":
            (inner,) = self._within(table=False, parsed=lambda: (self.whole(),))
            self._demand(")")
            return inner
        if piece.text == "[":
            return self._table()
        raise Unreadable(f"{piece.text!r} is not expected")

    def _table(self) -> Node:
        rows: list[int] = [0]

        def cells() -> tuple[Node, ...]:
            found: list[Node] = []
            while not self._take("]"):
                if self.piece is None:
                    raise Unreadable("']' is missing")
                if self._take(";", "\n"):
                    rows.append(0)
                elif not self._take(","):
                    found.append(self.whole())
                    rows[-1] += 1
            return tuple(found)

        parts = self._within(table=True, parsed=cells)
        return Node("table", "", parts, tuple(count for count in rows if count))
