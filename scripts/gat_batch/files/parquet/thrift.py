"""Structures in Thrift's compact protocol, in which the footers of Parquet files are written.

Fields follow each other, each behind a byte with its kind and the distance from the number of the
field before it; a zero ends a structure. Numbers take seven bits a byte, the lowest first.
"""

from __future__ import annotations

BYTE, I64, BINARY, LIST, STRUCT = 3, 6, 8, 9, 12
"""Kinds of values that footers have; 1 and 2 are true and false, 4 to 6 numbers."""

UNUSUAL = "its footer has an unusual form"

Fields = dict[int, tuple[int, int]]
"""Number of a field -> where its value begins and ends."""


def fields_of(text: bytes, at: int) -> tuple[Fields, int]:
    """Return where the value of each field of a structure begins and ends, and where that ends."""
    fields: Fields = {}
    number = 0
    while kind := text[at]:
        at += 1
        number += kind >> 4
        if kind < 16:
            number = number_at(text, at)
            at = end_of(text, at, I64)
        begin, at = at, end_of(text, at, kind & 15)
        fields[number] = begin, at
    return fields, at + 1


def end_of(text: bytes, at: int, kind: int) -> int:
    """Return where a value ends."""
    if BYTE < kind <= I64:
        while text[at] > 127:
            at += 1
        return at + 1
    if kind <= BYTE:
        return at + (kind == BYTE)
    if kind == BINARY:
        length, at = _unsigned(text, at)
        return at + length
    if kind == STRUCT:
        while inner := text[at]:
            at += 1
            if inner < 16:
                at = end_of(text, at, I64)
            at = end_of(text, at, inner & 15)
        return at + 1
    if kind == LIST:
        inner = text[at] & 15
        at, count = items_of(text, at)
        for _ in range(count):
            # A truth value takes a byte in a list.
            at = end_of(text, at, max(inner, BYTE))
        return at
    raise ValueError(UNUSUAL)


def items_of(text: bytes, at: int) -> tuple[int, int]:
    """Return where the items of a list begin, and how many there are."""
    count = text[at] >> 4
    if count < 15:
        return at + 1, count
    count, at = _unsigned(text, at + 1)
    return at, count


def _unsigned(text: bytes, at: int) -> tuple[int, int]:
    """Return a number written seven bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while (byte := text[at]) > 127:
        value |= (byte & 127) << shift
        shift += 7
        at += 1
    return value | byte << shift, at + 1


def number_at(text: bytes, at: int) -> int:
    """Return a number that isn't negative; its sign is the lowest bit."""
    return _unsigned(text, at)[0] // 2


def number_text(value: int) -> bytes:
    """Write a number as :func:`_unsigned` reads it."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
