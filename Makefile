# make run    the environment, then the example batch
# make test   the environment, then all tests
# make check  what matters while one writes: format, lint, types, unit tests; a minute
# make lint   the environment, then all linters, and the documentation built strictly
# make docs   the documentation as a site in build/docs
# make upgrade-check  what the newest versions of all packages would break
# make slurm-profile   makes `snakemake --profile slurm` find profiles/slurm
# make clean  removes the environment, .snakemake and the example's results; other batches stay

PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
BIN := .venv/bin
# Tests of every room that need no batch to run.
QUICK := tests/files tests/study tests/model tests/results tests/summary tests/upstream \
  tests/contingency/test_partitioned_inverse.py tests/contingency/test_block_results.py \
  tests/contingency/test_contingency_solvers.py::test_every_outage_of_a_small_grid_is_solved_as_by_pandapower \
  tests/powerflow/test_power_flows.py::test_odd_grid_is_solved_as_by_pandapower \
  tests/scenarios/test_scenarios.py tests/report/test_report.py tests/report/test_groups.py \
  tests/grids/test_matpower.py tests/opf/test_opf_dc.py tests/run/test_supervision.py
SLOWER := \
  tests/grids/test_matpower.py::test_every_shared_file_satisfies_its_own_equations \
  tests/grids/test_matpower.py::test_charging_of_a_transformer_goes_with_it \
  tests/model/test_impedances.py \
  tests/opf/test_opf_dc.py::test_optimum_is_that_of_a_formulation_in_injections[case1354pegase] \
  tests/report/test_groups.py::test_another_question_makes_another_report_and_solves_nothing \
  tests/study/test_manifest.py::test_no_document_ends_in_a_traceback \
  tests/grids/test_matpower.py::test_last_lines_of_a_run_and_its_report_name_what_is_left_out \
  tests/upstream/test_pandapower.py::test_state_estimation_can_be_imported_later \
  tests/upstream/test_pandapower.py::test_state_estimation_is_kept_out_and_with_it_what_only_it_imports \
  tests/model/test_time_series.py::test_a_week_of_simbench_from_a_manifest_of_five_lines \
  tests/results/test_kept_rows.py tests/results/test_export.py
# Not strictly: scripts to run by hand, of which what they call must hold.
BENCHMARKS = MYPYPATH=scripts:benchmarks:tests $(BIN)/mypy --config-file= --ignore-missing-imports \
  --cache-dir .mypy_cache/benchmarks benchmarks/*.py
SITE = PYTHONPATH=scripts $(BIN)/sphinx-build -W -n --keep-going -q -b html docs build/docs

.PHONY: run test check lint docs upgrade-check slurm-profile clean

run: .venv/ready
	@echo "==> Solving the example batch (examples/data_centre) on $(CORES) cores"
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores $(CORES)

test: .venv/ready
	@echo "==> Running all tests"
	PATH="$(CURDIR)/$(BIN):$$PATH" pytest

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=scripts $(BIN)/lint-imports --no-logo
	PATH="$(CURDIR)/$(BIN):$$PATH" pytest $(QUICK) $(addprefix --deselect ,$(SLOWER))

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BENCHMARKS)
	PYTHONPATH=scripts $(BIN)/lint-imports --no-logo
	$(BIN)/snakefmt --check Snakefile workflow
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --lint
	$(SITE)

docs: .venv/ready
	$(SITE)
	@echo "==> The documentation is in build/docs/index.html"

upgrade-check:
	$(PYTHON) .ci/upgrade_check.py

.venv/ready: requirements.txt pyproject.toml
	@echo "==> Making the environment in .venv (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed; say which by make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m compileall -q scripts/gat_batch # or each process of the first run compiles its part
	@touch $@

# `snakemake --profile slurm` looks for profiles in the user's configuration folder.
slurm-profile:
	@mkdir -p "$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake"
	@ln -sfn "$(CURDIR)/profiles/slurm" "$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake/slurm"
	@echo "==> snakemake --profile slurm now uses $(CURDIR)/profiles/slurm/config.yaml"

clean:
	rm -rf .venv .snakemake runs/batch/data_centre
