"""Tests run as jobs do, and every solver works in jobs, by every engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pandapower
import pandapower.networks
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from power_flow_studies import AS_GIVEN

from gat_batch.model.grid_model import prepare
from gat_batch.solvers.study import solve

OLD_SCIPY_AND_NUMBA = """
import json, sys, warnings
warnings.simplefilter("ignore")
import numba, scipy.sparse
import pandapower
scipy.sparse.csr_matrix.H = property(lambda matrix: matrix.conj().T)
for path in sys.argv[1:]:
    net = pandapower.from_json(path)
    pandapower.rundcopp(net)
    costs = [net.res_cost]
    net.ext_grid["controllable"] = True
    for limit in (0, 2):
        pandapower.runopp(net, OPF_FLOW_LIM=limit)
        costs.append(net.res_cost)
    print(json.dumps(costs))
"""
"""Optima by pandapower alone: dc, ac with flows limited by power, ac with flows limited by current.

The process has numba, and the attribute that scipy had before 1.14.
"""


def as_given(_net):
    pass


def with_storage(net):
    pandapower.create_storage(net, 4, p_mw=5.0, max_e_mwh=20.0, q_mvar=1.0, controllable=False)


def with_dc_line(net):
    pandapower.create_dcline(
        net, 4, 8, p_mw=10.0, loss_percent=1.0, loss_mw=0.1, vm_from_pu=1.0, vm_to_pu=1.0,
        max_p_mw=30.0, min_q_from_mvar=-20.0, max_q_from_mvar=20.0, min_q_to_mvar=-20.0,
        max_q_to_mvar=20.0,
    )  # fmt: skip


def with_both(net):
    """And with an extended ward, which optimal power flows leave to pandapower."""
    with_storage(net)
    with_dc_line(net)
    pandapower.create_xward(net, 4, 1.0, 0.5, 0.2, 0.1, 0.1, 1.0, 1.0)


GRIDS = {
    "case9": ("case9", as_given),
    "case14": ("case14", as_given),
    "storage": ("case9", with_storage),
    "dc_line": ("case9", with_dc_line),
    "both": ("case9", with_both),
}


@pytest.fixture(scope="module")
def nets():
    found = {}
    for name, (base, change) in GRIDS.items():
        found[name] = getattr(pandapower.networks, base)()
        change(found[name])
    return found


@pytest.fixture(scope="module")
def optima(nets, tmp_path_factory):
    """Optima of each grid in a process of its own, as ``OLD_SCIPY_AND_NUMBA`` says."""
    folder = tmp_path_factory.mktemp("grids")
    files = [folder / f"{name}.json" for name in nets]
    for file, net in zip(files, nets.values(), strict=True):
        pandapower.to_json(net, file)
    command = [sys.executable, "-c", OLD_SCIPY_AND_NUMBA, *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    return dict(zip(nets, map(json.loads, run.stdout.splitlines()), strict=True))


def test_this_process_is_set_up_as_jobs_are():
    with pytest.raises(ImportError):
        import numba  # noqa: F401 - as pandapower tries it
    assert os.environ["OPENBLAS_NUM_THREADS"] == os.environ["OMP_NUM_THREADS"] == "1"
    said = subprocess.run(
        [sys.executable, "-X", "importtime", ROOT / "scripts" / "solve.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "gat_batch.process" in said.stderr
    assert "pandapower" not in said.stderr


def test_functions_of_users_have_numba():
    code = """
from gat_batch.process import set_up_analysing
set_up_analysing()
from numba import njit
print(njit(lambda x: x + 1)(1))
"""
    said = {
        jit: subprocess.run(
            [sys.executable, "-c", code + "print(njit.__module__, end='')"],
            env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "NUMBA_DISABLE_JIT": jit},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for jit in ("0", "1")
    }
    assert said == dict.fromkeys("01", "2\nnumba.core.decorators")


def test_pandapower_still_needs_help_with_power_limits():
    """Where this fails pandapower has mended it: let solvers/pandapower_inner.py go."""
    net = pandapower.networks.case9()
    with pytest.raises(AttributeError, match="'csr_matrix' object has no attribute 'H'"):
        pandapower.runopp(net, numba=False, OPF_FLOW_LIM=0)


@pytest.mark.xdist_group("optima")
@pytest.mark.parametrize("name", GRIDS)
def test_pandapowers_optima_are_those_of_a_process_with_numba(name, nets, optima):
    studies = [("dc_opf", {}), ("ac_opf", {}), ("ac_opf", {"flow_limit": "current"})]
    for (solver, options), expected in zip(studies, optima[name], strict=True):
        net = deepcopy(nets[name])
        solution = solve(prepare(net), AS_GIVEN, solver, options, engine="pandapower")
        assert (solution.status, solution.engine) == ("ok", "pandapower")
        assert solution.objective == pytest.approx(expected, rel=1e-6)


def test_pandapowers_optima_are_the_published_ones(nets):
    for name, published in (("case9", 5296.69), ("case14", 8081.53)):
        model = prepare(deepcopy(nets[name]))
        solution = solve(model, AS_GIVEN, "ac_opf", {}, engine="pandapower")
        assert solution.objective == pytest.approx(published, abs=0.01)


WITHOUT_PANDAS = """
import json, sys
sys.path[0] = sys.argv.pop(1)
import summarise
assert summarise.main() == 0
print("pandas" in sys.modules)
"""


@pytest.mark.workflow
def test_a_summary_without_contingencies_comes_without_pandas(workspace):
    scenarios = [{"id": "a"}, {"id": "b", "load_scale": 1.1}]
    workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    workspace.run()
    settings = json.dumps({"manifest": "manifest.json", "name": workspace.batch.name})
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS, ROOT / "scripts", "--settings", settings],
        cwd=workspace.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "False\n", f"each summary takes 0.15 s longer to start{run.stderr}"


SOLVERS = ("dc", "ac", "dc_opf", "ac_opf")
ENGINES = {
    ("auto", "case9"): ("scipy", "lightsim2grid", "highs", "ipopt"),
    ("auto", "both"): ("scipy", "lightsim2grid", "pandapower", "pandapower"),
    ("pandapower", "case9"): ("pandapower",) * 4,
    ("pandapower", "both"): ("pandapower",) * 4,
    ("lightsim2grid", "case9"): ("scipy", "lightsim2grid", "highs", "ipopt"),
    ("lightsim2grid", "both"): ("scipy", "lightsim2grid"),
}
"""Configured engine and grid: what then solves dc, ac, dc_opf and ac_opf."""


@pytest.mark.workflow
@pytest.mark.xdist_group("optima")
@pytest.mark.parametrize("engine", ["auto", "pandapower", "lightsim2grid"])
def test_every_solver_and_engine_works_in_a_job(workspace, engine, nets, optima):
    scenarios = []
    for name in ("case9", "both"):
        pandapower.to_json(nets[name], workspace.path / f"{name}.json")
        grid = {"grid": f"{name}.json"}
        scenarios += [{"id": f"{name}-{solver}", "solver": solver, **grid} for solver in SOLVERS]
    workspace.write("manifest.json", {"scenarios": scenarios})
    workspace.configure(engine=engine)
    # Summary and report, to which an engine is a word, are made of one of the batches.
    results = [workspace.result(one["id"]).relative_to(workspace.path) for one in scenarios]
    # Jobs that import for themselves what they need.
    run = workspace.start(*map(str, results if engine != "auto" else ()))
    output, _ = run.communicate(timeout=300)
    refused = {"both-dc_opf", "both-ac_opf"} if engine == "lightsim2grid" else set()
    assert run.returncode == bool(refused), output
    for name in refused:
        error = json.loads((workspace.batch / f"job_{name}" / "error.json").read_text())
        assert "lightsim2grid can't solve this exactly: " in error["error"]
    for name in ("case9", "both"):
        for place, solver in enumerate(SOLVERS):
            if f"{name}-{solver}" in refused:
                continue
            rows = pq.read_table(workspace.result(f"{name}-{solver}")).to_pandas()
            system = rows[rows["element"] == "system"].iloc[0]
            solved = (system["status"], system["engine"])
            assert solved == ("ok", ENGINES[engine, name][place])
            if solver.endswith("_opf"):
                expected = optima[name][solver == "ac_opf"]
                assert system["objective"] == pytest.approx(expected, rel=1e-6)
                continue
            plain = deepcopy(nets[name])
            if solver == "dc":
                pandapower.rundcpp(plain)
            else:
                pandapower.runpp(plain, tolerance_mva=1e-9, lightsim2grid=False)
            for element, quantity in (("bus", "va_degree"), ("bus", "vm_pu"), ("line", "p_to_mw")):
                found = rows.loc[rows["element"] == element, quantity].to_numpy(float)
                expected = plain[f"res_{element}"][quantity].to_numpy(float)
                if not (solver == "dc" and quantity == "vm_pu"):
                    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
