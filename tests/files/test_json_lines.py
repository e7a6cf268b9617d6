"""Objects kept as text are those that were given, from memory and from files."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from gat_batch.files.json_lines import JsonLines, read_with_lines, write_with_lines

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=6)


@given(OBJECTS)
def test_objects_come_back_in_any_way_of_asking(objects):
    kept = JsonLines.of(iter(objects))
    assert len(kept) == len(objects)
    assert [*kept] == objects
    assert [kept[n - len(objects)] for n in range(len(objects))] == objects
    assert kept[1:] == tuple(objects[1:])


@given(st.dictionaries(st.text(), VALUES, max_size=3), OBJECTS)
def test_files_have_the_same_objects_and_head(tmp_path_factory, head, objects):
    path = tmp_path_factory.mktemp("lines") / "some.jsonl"
    JsonLines.of(objects).write(path, head)
    found, kept = JsonLines.of_file(path)
    assert (found, [*kept]) == (head, objects)
    # What was read from a file can be written again.
    kept.write(path.with_name("again"), head)
    assert path.with_name("again").read_bytes() == path.read_bytes()


@given(
    st.dictionaries(st.text().filter(lambda key: key != "rows"), VALUES, max_size=3),
    OBJECTS.filter(len),
)
def test_documents_with_a_long_list_are_json_and_read_by_line(tmp_path_factory, head, objects):
    path = tmp_path_factory.mktemp("lines") / "document.json"
    write_with_lines(path, {**head, "rows": JsonLines.of(objects)}, "rows")
    assert json.loads(path.read_text()) == {**head, "rows": objects}
    found = read_with_lines(path, "rows")
    kept = found.pop("rows")
    assert isinstance(kept, JsonLines)
    assert (found, [*kept]) == (head, objects)
    # Somebody has edited it.
    path.write_text(json.dumps({**head, "rows": objects}, indent=3))
    assert read_with_lines(path, "rows") == {**head, "rows": objects}
