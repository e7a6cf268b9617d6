"""MATPOWER cases mean what MATPOWER makes of them, or are refused."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np
import pandapower
import pandas as pd
import pytest
from conftest import SHARED_GRIDS
from hypothesis import given
from hypothesis import strategies as st
from pandapower.toolbox import nets_equal
from power_flow_studies import AS_GIVEN

from gat_batch.errors import GatBatchError
from gat_batch.grids import grid_ref, read_grid, write_grid
from gat_batch.grids.matpower.arithmetic import Scope
from gat_batch.grids.matpower.reader import read_matpower
from gat_batch.grids.matpower.syntax import expression, tokens
from gat_batch.grids.matpower.text import read_text as read_case
from gat_batch.model.grid_model import prepare
from gat_batch.solvers.study import solve

CASE = """function mpc = t
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
1 3 0 0 0 0 1 1.0 0 110 1 1.1 0.9;
2 1 50 10 0 0 1 1 0 110 1 1.1 0.9;
3 1 20 5 0 0 1 1 0 110 1 1.1 0.9;
];
mpc.gen = [
1 0 0 100 -100 1 100 1 200 0;
3 10 3 50 -50 1.03 100 1 50 0;
3 7 2 50 -50 1.03 100 0 50 0;
];
mpc.branch = [
1 2 0.01 0.1 0.02 100 0 0 0 0 1;
2 3 0.01 0.1 0.02 100 0 0 0 0 1;
1 3 0.01 0.1 0.02 100 0 0 0 0 1;
];
"""


def read(path):
    net = read_grid(grid_ref(str(path), Path()))
    pandapower.runpp(net)
    return net


def read_text(tmp_path, text):
    (tmp_path / "net.m").write_text(text)
    return read(tmp_path / "net.m")


DC_LINE = "mpc.dcline = [1 3 1 10 9 0 0 1 1 -100 100 -50 50 -50 50 0 0];\n"


def test_tables_that_a_network_cannot_hold_are_told(tmp_path):
    """MATPOWER's own power flow leaves them out, too."""
    net = read_text(tmp_path, f"{CASE}{DC_LINE}mpc.softlims = [];\n")
    assert net["approximations"] == ["mpc.dcline: DC lines are left out"]
    assert "approximations" not in read_text(tmp_path, CASE)
    assert net.res_line.equals(read_text(tmp_path, CASE).res_line)


@pytest.mark.workflow
def test_last_lines_of_a_run_and_its_report_name_what_is_left_out(workspace):
    """The grid is named as in the specification, not as in the manifest that is made of it."""
    workspace.write("case.m", CASE + DC_LINE)
    content = {"version": 1, "grid": "case.m", "solver": "ac", "scenarios": [{"id": "base"}]}
    workspace.write("manifest.json", content)
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr
    told = "mpc.dcline: DC lines are left out"
    assert f"\n  approximated in case.m: {told}\n" in run.stderr
    assert workspace.status()["approximations"] == {"case.m": [told]}
    report = (workspace.batch / "summary" / "report.html").read_text()
    assert re.search(rf">approximated in case.m</th>\s*<td>{told}</td>", report)


@pytest.mark.workflow
def test_charging_of_a_transformer_goes_with_it(workspace):
    """pandapower's transformers draw reactive power only: what one feeds in is a shunt."""
    branch = "1 3 0.01 0.1 0.3 100 0 0 0.98 0 1"
    text = CASE.replace("1 3 0.01 0.1 0.02 100 0 0 0 0 1", branch)
    assert text != CASE
    workspace.write("whole.m", text)
    workspace.write("without.m", text.replace(branch, branch[:-1] + "0"))
    outage = [{"type": "trafo", "id": 2}]
    scenarios = [
        {"id": f"{name}-{solver}", "solver": solver, "grid": f"{grid}.m", **more}
        for solver in ("ac", "dc")
        for name, grid, more in (
            ("out", "whole", {"outages": outage}),
            ("n1", "whole", {"contingencies": {"depth": 1, "types": ["trafo"]}}),
            ("gone", "without", {}),
        )
    ]
    workspace.configure(contingency_rows="all")
    workspace.write("manifest.json", {"scenarios": scenarios})
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    for solver in ("ac", "dc"):
        wanted, out, n1 = (
            pd.read_parquet(workspace.result(f"{name}-{solver}")) for name in ("gone", "out", "n1")
        )
        n1 = n1[n1["contingency"] == "trafo:2"]
        assert len(n1)
        for found in (out, n1):
            for element, columns in {
                "bus": ["vm_pu", "va_degree"],
                "line": ["p_from_mw", "q_from_mvar"],
                "ext_grid": ["p_mw", "q_mvar"],
            }.items():
                one, two = (
                    table[table["element"] == element][columns].to_numpy(float)
                    for table in (wanted, found)
                )
                np.testing.assert_allclose(two, one, rtol=0, atol=1e-7)


def test_buses_have_the_names_of_the_file(tmp_path):
    """There and back; a list that isn't one for each bus is left alone."""
    names = "mpc.bus_name = {\n\t'West 110  ';\n\t'King''s Hill';\n\t'';\n};\n"
    net = read_text(tmp_path, CASE + names)
    assert net.bus["name"].tolist() == ["West 110", "King's Hill", "3"]
    for suffix in ("m", "mat", "arrow"):
        told = write_grid(net, tmp_path / f"again.{suffix}")
        assert not any("names in bus" in sentence for sentence in told)
        again = read(tmp_path / f"again.{suffix}")
        assert again.bus["name"].tolist() == ["West 110", "King's Hill", "3"]
    assert read_text(tmp_path, CASE + "mpc.bus_name = {'a'; 'b'};\n").bus["name"].tolist() == [
        "1", "2", "3",
    ]  # fmt: skip


def test_ratings_for_emergencies(tmp_path):
    """Rates B and C, of lines as currents, there and back."""
    text = CASE.replace("0.02 100 0 0 0 0 1;\n2 3", "0.02 100 120 0 0 0 1;\n2 3")
    text = text.replace("1 3 0.01 0.1 0.02 100 0 0 0 0", "1 3 0.01 0.1 0.02 100 110 130 0.98 0")
    net = read_text(tmp_path, text)
    ampere = 120 / np.sqrt(3) / 110
    assert net.line["rate_b_ka"].tolist() == pytest.approx([ampere, np.nan], nan_ok=True)
    assert "rate_c_ka" not in net.line
    assert net.trafo[["rate_b_mva", "rate_c_mva"]].to_numpy().tolist() == [[110, 130]]
    for suffix in ("m", "mat", "arrow"):
        write_grid(net, tmp_path / f"again.{suffix}")
        again = read(tmp_path / f"again.{suffix}")
        assert again.line["rate_b_ka"].tolist() == pytest.approx([ampere, np.nan], nan_ok=True)
        assert again.trafo[["rate_b_mva", "rate_c_mva"]].to_numpy().tolist() == [[110, 130]]


# ---- Generators at buses whose voltage no one holds ----------------------------------


def test_generator_at_a_pq_bus_holds_no_voltage(tmp_path):
    net = read_text(tmp_path, CASE)
    assert list(net.gen["in_service"]) == [False]
    assert net.sgen.loc[1, ["bus", "p_mw", "q_mvar", "max_p_mw"]].tolist() == [3, 10, 3, 50]
    # The same grid with the generator's power taken off the load of its bus.
    same = read_text(tmp_path, CASE.replace("3 1 20 5", "3 1 10 2").replace("3 10 3", "3 0 0"))
    assert net.res_bus["vm_pu"].tolist() == pytest.approx(same.res_bus["vm_pu"].tolist())
    assert net.res_bus["vm_pu"][3] == pytest.approx(0.99444, abs=5e-6)


@pytest.mark.parametrize("suffix", ["arrow", "m", "mat"])
@pytest.mark.parametrize("kind", [1, 2])
def test_generators_hold_voltages_after_a_round_trip_as_before(tmp_path, kind, suffix):
    net = read_text(tmp_path, CASE.replace("3 1 20 5", f"3 {kind} 20 5"))
    write_grid(net, tmp_path / f"again.{suffix}")
    again = read(tmp_path / f"again.{suffix}")
    assert len(again.gen) == len(net.gen) == kind
    for column in ("vm_pu", "va_degree"):
        assert again.res_bus[column].tolist() == pytest.approx(net.res_bus[column].tolist())


@pytest.mark.parametrize("suffix", ["arrow", "m"])
def test_generator_of_an_island_without_supply_stays_one(tmp_path, suffix):
    net = read_text(tmp_path, CASE.replace("3 1 20 5", "3 2 20 5"))
    net.line.loc[[1, 2], "in_service"] = False
    write_grid(net, tmp_path / f"again.{suffix}")
    assert list(read(tmp_path / f"again.{suffix}").gen["in_service"]) == [True, False]


# ---- Text ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    """The case as it stands, read and solved."""
    return read_text(tmp_path_factory.mktemp("case"), CASE)


@pytest.mark.parametrize(
    "change",
    [
        ("];", "] ;"),
        ("2 1 50 10", "2 1 ... the load\n50 10"),
        ("3 10 3", "% 3 99 3 50 -50 1.03 100 1 50 0;\n3 10 3"),
        ("0.9;\n2", "0.9; % was ];\n2"),
        ("1 0 0 100 -100 1 100 1 200 0;", "1, 0,0 , 1d2,-100,+1,100.,1,2e2,0,"),
        ("mpc.bus = [", "mpc.bus = [7 7 7];\nmpc.bus = ["),
        ("mpc.bus = [", "%{\nmpc.bus = [7];\n%{\n%}\n%}\nmpc.bus = ["),
        ("mpc.bus = [", "mpc.bus_name = {'it''s % no comment'; 'a;b]'};\nmpc.bus=["),
        ("mpc", "s"),
        ("\n", "\r\n"),
        ("function mpc = t\n", "% it's a case\n"),
        ("0 0 0 0 1;\n];", "0 0 0 0 1];\nreturn\nend"),
    ],
)
def test_plain_text_is_read_as_matlab_reads_it(tmp_path, wanted, change):
    assert nets_equal(read_text(tmp_path, CASE.replace(*change)), wanted)


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("mpc.bus(2, 3) *= 2;", "can't be followed"),
        ("mpc = scale_load(2, mpc);", "scale_load(2, mpc)"),
        ("mpc = loadcase('case9');", "loadcase"),
        ("mpc.bus = system('ls');", "'system' is unknown"),
        ("mpc.bus = mpc.buses;", "no field 'buses'"),
        ("mpc.bus(4, 3) = 2;", "outside the table"),
        ("mpc.bus(1.5, 3) = 2;", "outside the table"),
        ("mpc.bus(0, 3) = 2;", "outside the table"),
        ("mpc.bus(:, 3) = [1 2];", "can't be followed"),
        ("mpc.bus(:, 3) = mpc.bus(:, 3) ^ 2;", "power of a table"),
        ("mpc.bus(:, 3) = 1 / mpc.bus(:, 4);", "by a table"),
        ("mpc.bus(:, 3) = 'much';", "a text stands"),
        ("mpc.bus(:, 3) = 2 +;", "can't be followed"),
        ("mpc.bus(:, 3) = (2;", "can't be followed"),
        ("mpc.bus(:, PD) = 2;", "'PD' is unknown"),
        ("[PQ, PV] = idx_other;", "idx_other"),
        ("for k = 1:3", "for is not known"),
        ("function x = y", "function is not known"),
        ("else", "else without an if"),
        ("other.bus = [1];", "something else than a field"),
        ("mpc.gen = [1 2\n3];", "a row of 1 numbers"),
        ("mpc.gen = [1 2", "']' is missing"),
        ("mpc.x = 1:1e12;", "too long"),
        ("mpc.x = zeros(1e6, 1e6);", "size"),
        ("disp(mpc.bus)", "assigns nothing"),
        ("%{", "block comment without an end"),
        ("mpc.x = 'never ends;", "a text without an end"),
    ],
)
def test_what_is_more_than_arithmetic_is_refused_with_its_line(tmp_path, line, fragment):
    with pytest.raises(GatBatchError) as caught:
        read_text(tmp_path, f"{CASE}{line}\n")
    number = 20 if fragment.startswith("a row") else 19
    assert f"line {number}: " in str(caught.value)
    assert fragment in str(caught.value)


COLUMNS = """[PQ, PV, REF, NONE, BUS_I, BUS_TYPE, PD, QD, GS, BS, BUS_AREA, VM, ...
    VA, BASE_KV, ZONE, VMAX, VMIN] = idx_bus;
[F_BUS, T_BUS, BR_R, BR_X, BR_B, RATE_A] = idx_brch;
"""


@pytest.mark.parametrize(
    ("line", "change"),
    [
        (
            "mpc.bus(:, [PD, QD]) = mpc.bus(:, [PD QD]) / 2;",
            (("50 10", "25 5"), ("20 5", "10 2.5")),
        ),
        ("mpc.bus(2, PD) = 2 * 3^2 - -1e1;", (("50 10", "28 10"),)),
        (
            "pf = 0.8; mpc.bus(:, QD) = mpc.bus(:, PD) * sin(acos(pf)) / pf;",
            (("50 10", "50 37.5"), ("20 5", "20 15")),
        ),
        (
            "k = find(mpc.bus(:, PD) > 30);\nmpc.bus(k, PD) = mpc.bus(k, PD) + 1;",
            (("50 10", "51 10"),),
        ),
        ("mpc.bus(mpc.bus(:, PD) == 20 & ~(mpc.bus(:, QD) ~= 5), PD) = 7;", (("20 5", "7 5"),)),
        ("mpc.bus(end, end - 10) = 21;", (("20 5", "21 5"),)),
        (
            "mpc.branch = [mpc.branch; 1 2 .02 1/10 0 0 0 0 0 0 2-1];",
            (("0 1;\n];", "0 1;\n1 2 .02 .1 0 0 0 0 0 0 1;\n];"),),
        ),
        ("mpc.branch(3, :) = [];", (("1 3 0.01 0.1 0.02 100 0 0 0 0 1;\n", ""),)),
        (
            "mpc.branch(1:2:3, BR_R) = [2; 3] * 1e-2;",
            (("1 2 0.01", "1 2 0.02"), ("1 3 0.01", "1 3 0.03")),
        ),
        ("mpc.branch(:, BR_R) = ([1 1 1] * 2e-2)';", (("0.01 0.1", "0.02 0.1"),)),
        ("x = [4 -1, 3 - 1]; mpc.bus(2, PD) = sum(x) * max(x);", (("50 10", "20 10"),)),
        ("mpc.baseMVA = 50 * 2;", ()),
        (
            "fixed = 0;\nif fixed\n  mpc.bus(2, PD) = 1;\n  if true, x = unknown; end\n"
            "else\n mpc.bus(2, PD) = 9;\nend",
            (("50 10", "9 10"),),
        ),
        (
            "if 1 > 2 && true, mpc.bus(2, PD) = 1; elseif size(mpc.bus, 1) == 3,"
            " mpc.bus(2, PD) = 6; else mpc.bus(2, PD) = 8; end",
            (("50 10", "6 10"),),
        ),
        ("define_constants; mpc.gen(1, VG) = 1.01;", (("100 -100 1 100", "100 -100 1.01 100"),)),
        ("mpc.bus(2, PD) = mpc.bus(2, PD); % nothing's changed", ()),
    ],
)
def test_arithmetic_of_data_files_is_followed(tmp_path, line, change):
    wanted = CASE
    for pair in change:
        assert pair[0] in wanted
        wanted = wanted.replace(*pair)
    net = read_text(tmp_path, f"{CASE}{COLUMNS}{line}\n")
    assert nets_equal(net, read_text(tmp_path, wanted))


numbers = st.integers(0, 9).map(str) | st.floats(0.1, 9).map(lambda value: f"{value:.3f}")


@st.composite
def formulas(draw, depth=3):
    """Arithmetic that MATLAB and Python write alike, but for their power."""
    if not depth or draw(st.booleans()):
        return draw(numbers)
    left, right = draw(formulas(depth=depth - 1)), draw(formulas(depth=depth - 1))
    sign = draw(st.sampled_from(["+", "-", "*", "/", " + ", " - ", "-+", "*-"]))
    return draw(st.sampled_from([f"{left}{sign}{right}", f"({left}{sign}{right})", f"-{left}"]))


@given(formulas())
def test_numbers_are_worked_out_as_python_works_them_out(formula):
    found = Scope("mpc", {}).numbers(expression(tokens(formula)))
    # As floating-point numbers, since MATLAB's division by zero is no error, but infinite.
    floats = re.sub(r"[0-9.]+", r"np.float64(\g<0>)", formula)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = eval(floats)  # noqa: S307 - made of numbers and signs above
    assert found.item() == pytest.approx(wanted, rel=1e-12, abs=1e-12, nan_ok=True)


@given(st.text("mpc.bus()[]{};:,'\"=+-*/^~&|<> \n%0123ifendsze", max_size=40))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(GatBatchError):
        read_case(f"{CASE}{text}", Path("case.m"))


@pytest.mark.skipif(not SHARED_GRIDS.is_dir(), reason="shared/grids isn't beside the checkout")
@pytest.mark.parametrize(
    ("name", "loss_kw", "lowest"),
    [
        # As published: Baran and Wu 1989, Das et al. 1995, Baran and Wu 1989, Zhang et al. 2007.
        ("case33bw", 202.68, 0.9131),
        ("case16am", 511.4, 0.9693),
        ("case69", 225.0, 0.9092),
        ("case118zh", 1298.1, 0.8688),
    ],
)
def test_converted_units_give_the_published_losses(name, loss_kw, lowest):
    net = read_matpower(SHARED_GRIDS / "matpower" / f"{name}.m")
    system = solve(prepare(net), AS_GIVEN, "ac", {}).system
    assert 1e3 * system["loss_mw"] == pytest.approx(loss_kw, abs=0.06)
    assert system["min_vm_pu"] == pytest.approx(lowest, abs=6e-5)


@pytest.mark.skipif(not SHARED_GRIDS.is_dir(), reason="shared/grids isn't beside the checkout")
def test_every_shared_file_satisfies_its_own_equations():
    for path in sorted((SHARED_GRIDS / "matpower").glob("*.m")):
        net = read_matpower(path)
        solution = solve(prepare(net), AS_GIVEN, "ac", {})
        assert solution.status == "ok", path.name
        mismatch = mismatch_mva(read_case(path.read_text(), path), net, solution)
        assert mismatch < 2e-6, path.name


def mismatch_mva(case, net, solution):
    """The largest mismatch of a case's own equations at a solution's voltages, in MVA.

    By the pi circuit of MATPOWER's manual, chapter 3, from the case's tables alone.
    """
    bus, gen, branch = (np.asarray(case[name], float) for name in ("bus", "gen", "branch"))
    row = {int(number): n for n, number in enumerate(bus[:, 0])}
    rows = net.bus.index.get_indexer(bus[:, 0].astype(int))
    values = solution.elements["bus"]
    angle = np.radians(values["va_degree"][rows])
    voltage = np.nan_to_num(values["vm_pu"][rows] * np.exp(1j * angle))
    base = case["baseMVA"].item()
    current = voltage * (bus[:, 4] + 1j * bus[:, 5]) / base
    for one in branch[branch[:, 10] > 0]:
        near, far = row[int(one[0])], row[int(one[1])]
        series, charge = 1 / complex(one[2], one[3]), 0.5j * one[4]
        tap = (one[8] or 1.0) * np.exp(1j * np.radians(one[9]))
        first, second = voltage[near], voltage[far]
        current[near] += (series + charge) * first / abs(tap) ** 2 - series * second / tap.conj()
        current[far] += (series + charge) * second - series * first / tap
    power = voltage * current.conj() * base + bus[:, 2] + 1j * bus[:, 3]
    injected = np.zeros(len(bus), complex)
    for one in gen[gen[:, 7] > 0]:
        injected[row[int(one[0])]] += complex(one[1], one[2])
    live = (bus[:, 1] != 4) & (voltage != 0)
    free = live & (bus[:, 1] != 3)
    mismatch = power - injected
    reactive = np.abs(mismatch.imag[free & (bus[:, 1] == 1)]).max(initial=0.0)
    return max(np.abs(mismatch.real[free]).max(), reactive)
