# Everything happens in .venv, from the pinned versions in requirements/*.lock. Start with `make help`.
# Another Python: make test PYTHON=python3.13

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python

# A stamp is as new as its installation: nothing is installed again while the lock and pyproject.toml stay.
RUN    := $(VENV)/.installed-run
DEV    := $(VENV)/.installed-dev
BENCH  := $(VENV)/.installed-bench
DOCS   := $(VENV)/.installed-docs

# MPLBACKEND: pictures are drawn without a screen. COMPILE: the lock holds no address and no machine's path.
export MPLBACKEND ?= Agg
COMPILE := $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
           --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format docs bench quality lock clean

help:  ## print this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN)  ## make a drum loop, take it apart, say where to look and listen
	$(VENV)/bin/unweave demo

# A test runs on every processor; threads of the matrix library would spin on those of the other tests.
test: lint  ## everything that must pass: linter, formatter, types, tests (stops at the first failure)
	OPENBLAS_NUM_THREADS=1 $(PY) -m pytest -n auto

lint: $(DEV)  ## linter, formatter (checks only) and types
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

format: $(DEV)  ## put the code in form, and mend what the linter can mend
	$(PY) -m ruff check --fix-only --quiet
	$(PY) -m ruff format

docs: $(DOCS)  ## the documentation as a site in docs/_build, its gallery made anew where it changed; no network
	$(PY) -m sphinx -q -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

bench: $(BENCH)  ## how fast: the timings in benchmarks/
	$(PY) benchmarks/bench.py

quality: $(BENCH)  ## how good: the scores in benchmarks/
	$(PY) benchmarks/quality.py

# dev first; the others take the versions that dev has settled on.
lock:  ## choose the newest versions and write requirements/*.lock
	$(environment)
	$(PY) -m pip install --quiet uv
	$(COMPILE) pyproject.toml --group dev -o requirements/dev.lock
	$(COMPILE) pyproject.toml --group run -c requirements/dev.lock -o requirements/run.lock
	$(COMPILE) pyproject.toml --group measure -c requirements/dev.lock -o requirements/bench.lock
	$(COMPILE) pyproject.toml --group docs -c requirements/dev.lock -o requirements/docs.lock

clean:  ## remove the environment, caches and built files
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist docs/_build docs/made
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that is absent, broken or was left half-made is made anew.
define environment
	@$(PY) -m pip --version >/dev/null 2>&1 || { \
	    $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "unweave needs Python 3.11 or newer: make PYTHON=python3.12 …")' && \
	    $(PYTHON) -m venv --clear $(VENV); }
endef

define install
	$(environment)
	$(PY) -m pip install --quiet --require-hashes -r requirements/$(1).lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
endef

$(RUN): requirements/run.lock pyproject.toml
	$(call install,run)

$(DEV): requirements/dev.lock pyproject.toml
	$(call install,dev)
	@touch $(RUN)

$(BENCH): requirements/bench.lock pyproject.toml
	$(call install,bench)
	@touch $(RUN)

$(DOCS): requirements/docs.lock pyproject.toml
	$(call install,docs)
	@touch $(RUN)
