"""The table of element kinds by format: each row has tests, which say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT, SHARED_GRIDS

from gat_batch.grids import grid_ref, read_grid

HERE = Path(__file__).parent

TESTS = {
    "buses, isolated ones too": ["test_psse_case", "test_every_shared_file_satisfies"],
    "switches, node-breaker detail": ["test_retained_switches_stay", "test_names_are_those"],
    "lines": ["test_lines", "test_flow_is_that_of_powsybl", "test_matpower_keeps_the_power_flow"],
    "lines with unequal ends": ["test_lines"],
    "lines without impedance": ["test_lines", "test_faults_say_what_and_where"],
    "boundary and tie lines": ["test_boundary_and_tie_lines"],
    "transformers with ratio and phase shift": ["test_taps_by_a_table", "test_every_snapshot"],
    "no-load part of transformers": ["test_taps_in_steps", "test_arrow_keeps_the_power_flow"],
    "taps that hold a voltage": ["test_taps_in_steps", "test_tap_controllers_of_excel"],
    "phase shifters that hold a flow": ["test_two_tap_changers"],
    "three-winding transformers": ["test_three_windings", "test_excel_holds_the_same"],
    "three-winding transformers with several tap changers": ["test_three_windings_with_taps"],
    "loads": ["test_loads_and_batteries", "test_matpower_keeps_the_power_flow"],
    "loads of constant impedance and current": ["test_psse_case", "test_loads_of_different_kinds"],
    "loads with exponents": ["test_loads_with_exponents"],
    "shunts with steps": ["test_shunts", "test_psse_case"],
    "shunts that hold a voltage": ["test_shunts"],
    "generators, several at a bus too": [
        "test_generators_and_compensators",
        "test_every_shared_file_satisfies",
    ],
    "voltages held elsewhere": ["test_setpoints_that_are_elsewhere"],
    "reactive curves": ["test_generators_and_compensators"],
    "static VAr compensators": ["test_generators_and_compensators"],
    "DC lines": ["test_hvdc_lines", "test_names_limits_and_costs"],
    "DC grids": ["test_dc_grids_are_their_converters", "test_what_is_not_read_is_counted"],
    "batteries": ["test_loads_and_batteries", "test_every_snapshot_satisfies"],
    "three sets of ratings": ["test_psse_case", "test_ratings_for_emergencies"],
    "costs": ["test_arrow_keeps_indices_names_limits_and_costs"],
    "time series of powers": ["test_every_snapshot_satisfies"],
    "limits of interfaces, constraints of the user's own": ["test_tables_that_a_network_cannot"],
    "controllers other than of taps": ["test_excel_runs_nothing", "test_grid_files_never_run_code"],
    "statements beyond data and arithmetic": ["test_what_is_more_than_arithmetic"],
}
"""Rows of the table, and beginnings of the names of their tests."""


def rows():
    page = (ROOT / "docs/reference/grids.md").read_text().partition("## Element by element")[2]
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_row_has_tests():
    there = [
        name
        for file in HERE.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    ]
    assert [row[0] for row in rows()] == list(TESTS)
    for row, beginnings in TESTS.items():
        for beginning in beginnings:
            assert any(name.startswith(beginning) for name in there), (row, beginning)


def test_every_cell_is_one_of_the_words_explained():
    for row in rows():
        assert len(row) == 6
        assert set(row[1:]) <= {"exact", "approximated", "left out", "refused", "-"}, row


def test_dc_grids_are_their_converters(tmp_path):
    pytest.importorskip("pypowsybl", reason="powsybl isn't installed")
    import pypowsybl.network as pn

    pn.create_dc_detailed_vsc_symmetrical_monopole_network().save(str(tmp_path / "n.xiidm"))
    net = read_grid(grid_ref(str(tmp_path / "n.xiidm"), Path()))
    told = " ".join(net["approximations"])
    assert "of a DC grid feeds" in told
    assert "lines of DC grids have no element in pandapower" in told


def test_what_is_not_read_is_counted(tmp_path):
    """Sections of a RAW file that become nothing: here a DC line with three terminals."""
    pytest.importorskip("pypowsybl", reason="powsybl isn't installed")
    from test_powsybl import RAW

    record = "'N', 0, 0, 0, 0, 0, 0.0, 0\n"
    head = "BEGIN MULTI-TERMINAL DC DATA\n"
    (tmp_path / "case.raw").write_text(RAW.replace(head, head + record))
    net = read_grid(grid_ref(str(tmp_path / "case.raw"), Path()))
    assert "1 DC lines with many terminals aren't read" in net["approximations"]


@pytest.mark.skipif(not SHARED_GRIDS.is_dir(), reason=f"{SHARED_GRIDS} isn't there")
def test_dc_lines_are_told_of():
    """The two files of the shared folder that have a DC line."""
    net = read_grid(grid_ref(str(SHARED_GRIDS / "matpower" / "case_RTS_GMLC.m"), Path()))
    assert net["approximations"] == ["mpc.dcline: DC lines are left out"]
    pytest.importorskip("pypowsybl", reason="powsybl isn't installed")
    net = read_grid(grid_ref(str(SHARED_GRIDS / "psse" / "twoTerminalDc.raw"), Path()))
    assert any("HVDC line" in sentence for sentence in net["approximations"])
