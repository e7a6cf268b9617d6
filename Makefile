# make run    the environment, then the example batch
# make test   the environment, then all tests
# make lint   the environment, then all linters
# make docs   the environment, then the site in build/docs; a broken link fails it
# make slurm-profile   makes `snakemake --profile slurm` find profiles/slurm
# make clean  removes the environment and the example's results

PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
BIN := .venv/bin

.PHONY: run test lint docs slurm-profile clean

run: .venv/ready
	@echo "==> Solving the example batch (examples/ieee118) on $(CORES) cores"
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores $(CORES)

test: .venv/ready
	@echo "==> Running all tests"
	PATH="$(CURDIR)/$(BIN):$$PATH" pytest

lint: docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --lint

docs: .venv/ready
	$(BIN)/sphinx-build -W -n --keep-going -q -b html docs build/docs

.venv/ready: requirements.txt pyproject.toml
	@echo "==> Making the environment in .venv (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which by make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# `snakemake --profile slurm` looks for profiles in the user's configuration folder.
slurm-profile:
	@mkdir -p "$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake"
	@ln -sfn "$(CURDIR)/profiles/slurm" "$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake/slurm"
	@echo "==> snakemake --profile slurm now uses $(CURDIR)/profiles/slurm/config.yaml"

clean:
	rm -rf .venv .snakemake runs
