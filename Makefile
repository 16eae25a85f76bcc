# What can be done from a clone: `make help` lists it, CONTRIBUTING.md tells more.
#
# PYTHON  the interpreter that .venv is made with, 3.11 or later: make test PYTHON=python3.12
# VENV    where the virtual environment stands
# ARGS    more words for the command: make test ARGS="tests/lanes -k rate"
# PREFIX  where `make install` puts what systemd runs

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
PREFIX ?= /opt/hubherald

BIN   := $(VENV)/bin
READY := $(VENV)/.ready
LOCKS := requirements-build.lock requirements.lock requirements-dev.lock
QUIET := -qq --disable-pip-version-check --no-input
PIP   := $(BIN)/python -m pip $(QUIET)
INTO  := '$(PREFIX)/bin/python' -m pip $(QUIET)
# One resolution for every supported Python; a range that has moved on is taken up by UPGRADE=--upgrade.
LOCK  := $(BIN)/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes \
         --custom-compile-command 'make lock' $(UPGRADE)

# durable_rules throws CFLAGS away but heeds these: optimise, and name the call that Python 3.13 renamed.
export CPPFLAGS := -O2 -DPyEval_CallObject=PyObject_CallObject

# The tests in parts at the same time: some work, others mostly wait for servers.
PARTS     := test-inside test-kept test-adapters test-outside test-journeys-a-to-l test-journeys-m-to-q test-journeys-r-to-z
OUTSIDE   := tests/dashboards tests/deploy tests/cli tests/benchmarks tests/workbench
KEPT      := tests/ledger tests/intake tests/delivery
OF_OTHERS := $(OUTSIDE) $(KEPT) tests/adapters tests/journeys

.DELETE_ON_ERROR:
.PHONY: help demo test $(PARTS) check format guide dashboards golden faults bench bench-growth fuzz wheel install lock clean
.DEFAULT_GOAL := help

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## route a small made-up estate and tell what happened
	@$(BIN)/hubherald demo $(ARGS)

test: $(READY) ## run every test; fetches the servers that they need
	@$(BIN)/python tests/support/servers.py
ifeq ($(ARGS),)
	@$(MAKE) --no-print-directory --jobs=7 --output-sync=target $(PARTS)
else
	@$(BIN)/python -m pytest $(ARGS)
endif

test-journeys-a-to-l: $(READY)
	@$(BIN)/python -m pytest $(wildcard tests/journeys/test_[a-l]*.py)

test-journeys-m-to-q: $(READY)
	@$(BIN)/python -m pytest $(wildcard tests/journeys/test_[m-q]*.py)

test-journeys-r-to-z: $(READY)
	@$(BIN)/python -m pytest $(wildcard tests/journeys/test_[r-z]*.py)

test-outside: $(READY)
	@$(BIN)/python -m pytest $(OUTSIDE)

test-kept: $(READY)
	@$(BIN)/python -m pytest $(KEPT)

test-adapters: $(READY)
	@$(BIN)/python -m pytest tests/adapters

test-inside: $(READY)
	@$(BIN)/python -m pytest tests $(OF_OTHERS:%=--ignore=%)

check: $(READY) ## style, types and the order of imports
	@failed=; \
	$(BIN)/ruff check --quiet . || failed=1; \
	$(BIN)/ruff format --quiet --check . || failed=1; \
	$(BIN)/mypy --no-error-summary || failed=1; \
	$(BIN)/lint-imports --no-logo > $(VENV)/.imports || { cat $(VENV)/.imports; failed=1; }; \
	test -z "$$failed"

format: $(READY) ## let ruff mend and format the code
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

guide: $(READY) ## renew the tables of rules/README.md from the code
	@$(BIN)/python -m router.workbench.guide rules/README.md

dashboards: $(READY) ## renew dashboards/grafana/*.json from the code beside it
	@$(BIN)/python dashboards/build.py

golden: $(READY) ## take what lists show on a terminal for right: tests/cli/golden/
	@GOLDEN=renew $(BIN)/python -m pytest -q tests/cli/test_lists_shown.py

faults: $(READY) ## break what can break, three times over, against real processes (half an hour)
	@$(BIN)/python tests/support/servers.py
	@PYTHONPATH=benchmarks:tests $(BIN)/python -m faults $(or $(ARGS),--runs 3)

bench: $(READY) ## measure beside raw clients, FastStream and Alertmanager (10 minutes)
	@$(BIN)/python benchmarks/bench.py $(ARGS)

bench-growth: $(READY) ## measure from small to millions of hubs and Alerts, draw curves
	@$(PIP) install --require-hashes -r requirements-bench.lock
	@$(BIN)/python benchmarks/growth.py $(ARGS)

fuzz: $(READY) ## facts, files and rows made wrong a hundred thousand times (ARGS="--seed 7")
	@$(BIN)/python benchmarks/fuzz.py $(ARGS)

wheel: $(READY) ## build the wheel and try it outside of the checkout
	@.ci/try-wheel $(BIN)/python

install: ## put it, with the locked packages, into an environment of its own: PREFIX
	@.ci/prerequisites '$(PYTHON)'
	@$(PYTHON) -m venv '$(PREFIX)'
	@$(INTO) cache remove durable_rules > /dev/null || true
	@$(INTO) install --require-hashes -r requirements-build.lock
	@$(INTO) install --require-hashes --no-build-isolation -r requirements.lock
	@$(INTO) install --no-deps --no-build-isolation --force-reinstall .
	@echo 'Installed: $(PREFIX)/bin/hubherald, $(PREFIX)/lib/systemd/system/hubherald.service'

lock: $(READY) ## resolve the dependencies again (newer ones too: UPGRADE=--upgrade)
	@$(PIP) install uv==0.13.9
	@$(LOCK) pyproject.toml --extra mail --extra sftp --extra postgresql -o requirements.lock
	@$(LOCK) pyproject.toml --extra mail --extra sftp --extra postgresql --group dev -c requirements.lock -o requirements-dev.lock
	@$(LOCK) --group build -c requirements-dev.lock -o requirements-build.lock
	@$(LOCK) --group bench -c requirements-dev.lock -o requirements-bench.lock

clean: ## remove all that was made here
	rm -rf .venv .cache build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Nothing is built in isolation: what builds the packages is locked like the rest. A durable_rules
# that pip built earlier, without the flags above, must not come back from its cache.
$(READY): pyproject.toml $(LOCKS)
	@.ci/prerequisites '$(PYTHON)'
	@echo 'Setting up $(VENV) (a minute or two the first time)'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) cache remove durable_rules > $(VENV)/.cache-removed || true
	@$(PIP) install --require-hashes -r requirements-build.lock
	@$(PIP) install --require-hashes --no-build-isolation -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
