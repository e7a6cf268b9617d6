"""Damaged files of other programs end in a message that names them, never in a traceback."""

from __future__ import annotations

import contextlib

import powsybl_networks as made
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_powsybl import RAW

from gat_batch.errors import GatBatchError
from gat_batch.grids import grid_ref, read_grid
from gat_batch.grids.powsybl.beside_tables.raw_text import tokens

pytest.importorskip("pypowsybl", reason="powsybl isn't installed")

UCTE = """##C 2007.05.01
##N
##ZXX
XNODE_11              1 0 0       0.00000 0.00000 0.00000 0.00000
##ZFR
FGEN  11              1 3 400.00  0.00000 0.00000 -500.00 -100.00 -9999.0 9999.00 -9999.0 9999.00
FLOAD 11              1 0         500.000 100.000 0.00000 0.00000
##L
FGEN  11 FLOAD 11 1 0 0.5000 5.0000 10.00000   1000
FLOAD 11 XNODE_11 1 0 0.5000 5.0000 10.00000   1000
"""


def texts():
    n = made.base()
    return {".raw": RAW, ".xiidm": n.save_to_string("XIIDM"), ".uct": UCTE}


TEXTS = texts()


@pytest.mark.parametrize("suffix", TEXTS)
def test_sound_texts_are_read(tmp_path, suffix):
    (tmp_path / f"net{suffix}").write_text(TEXTS[suffix])
    assert len(read_grid(grid_ref(f"net{suffix}", tmp_path)).bus) > 1


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_damaged_texts_are_read_or_refused(tmp_path_factory, suffix, data):
    text = TEXTS[suffix]
    position = data.draw(st.integers(0, len(text)))
    length = data.draw(st.sampled_from([0, 1, 3, 20]))
    new = data.draw(st.text(max_size=8) | st.sampled_from(["-1", "0", "1e999", "nan", "'", "\n"]))
    folder = tmp_path_factory.mktemp("hostile")
    damaged = text[:position] + new + text[position + length :]
    (folder / f"net{suffix}").write_bytes(damaged.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(GatBatchError):
        read_grid(grid_ref(f"net{suffix}", folder))


def test_records_are_split_as_psse_does():
    assert tokens("1,'a, b ',, 2 / end") == ["1", "a, b ", "", "2"]
    assert tokens(" 1  'it''s' 3.5") == ["1", "it''s", "3.5"]
