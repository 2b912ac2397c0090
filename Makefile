# Every command of the project. `make` alone lists them.
# Python 3.11 or newer, pip and make are enough: the rest is installed into .venv, from uv.lock.

PYTHON ?= python3
# Processes that run tests: JOBS=1 for one, JOBS=0 to run them in pytest's own process (a debugger needs that).
JOBS ?= auto
# What decides the order of the faults of make e2e-chaos.
SEED ?= 1
# More arguments for the tool that a target runs: make test ARGS="-k outbox".
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.synced-run
DEV_STAMP := $(VENV)/.synced-dev
MANIFESTS := uv.lock pyproject.toml $(wildcard shared/pyproject.toml services/*/pyproject.toml sandbox/pyproject.toml launcher/pyproject.toml clients/*/pyproject.toml)
MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard shared/pyproject.toml services/*/pyproject.toml sandbox/pyproject.toml launcher/pyproject.toml clients/*/pyproject.toml))
# The same uv that the lock file names, so that a sync never replaces the uv that is running it.
UV_VERSION = $(shell sed -n '/^name = "uv"$$/{n;s/^version = "\(.*\)"$$/\1/p;}' uv.lock)

# Bytecode halves the time to start: it is compiled at installation, whatever the shell says about it.
unexport PYTHONDONTWRITEBYTECODE
export UV_COMPILE_BYTECODE := 1
# The shell may be inside another environment or ask for another interpreter: neither is meant here.
unexport VIRTUAL_ENV
unexport UV_PYTHON
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never

# An environment that lost its interpreter, or that was copied here from another folder, is created again.
$(if $(wildcard $(VENV)),$(shell { test -x $(BIN)/python && { test ! -e $(VENV)/.made-in || test "$$(cat $(VENV)/.made-in)" = '$(CURDIR)'; }; } || rm -rf $(VENV)))

.DEFAULT_GOAL := help
.PHONY: help up test fuzz check check-format check-lint check-source check-types check-imports check-deps check-lock bench e2e e2e-faults e2e-chaos environment screenshots fmt sync
.SUFFIXES:

help: ## Show this list
	@printf 'Bongsu. What you can type:\n\n'
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)$$/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do printf '%-20s %s\n' "$$name" "$$what"; done

up: $(RUN_STAMP) ## Run everything in one process on http://localhost:8000 (no account or server needed)
	@exec $(BIN)/bongsu up $(ARGS)

test: $(DEV_STAMP) ## Run every test that needs no Docker; names at the end what could not be run
	@exec $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

fuzz: $(DEV_STAMP) ## Run the property tests with many random examples; a failure shows how to reproduce it
	@exec $(BIN)/python -m pytest -n $(JOBS) -m hypothesis --hypothesis-profile=fuzz --timeout=1800 $(ARGS)

CHECKS := check-lock check-format check-lint check-source check-imports check-deps check-types

check: $(DEV_STAMP) ## Check formatting, lint, types, import rules, dependencies and the lock file
	@$(MAKE) --no-print-directory --keep-going $(CHECKS)

bench: $(DEV_STAMP) ## Measure against the baselines and budgets
	@exec $(BIN)/python -m bench $(ARGS)

e2e: $(DEV_STAMP) ## Test the containers from outside (needs Docker): the main job, scaling, their isolation
	@exec $(BIN)/python -m pytest -n 0 --stack=compose tests-e2e --ignore=tests-e2e/compose/test_faults.py $(ARGS)

e2e-faults: $(DEV_STAMP) ## Kill containers and wipe the broker under load (needs Docker): nothing may be lost
	@exec $(BIN)/python -m pytest -n 0 --stack=compose tests-e2e/compose/test_faults.py $(ARGS)

e2e-chaos: $(DEV_STAMP) ## Send 5,000 notifications through five minutes of faults (needs Docker); SEED=7 repeats their order
	@exec $(BIN)/python -m pytest -n 0 --stack=compose --chaos=$(SEED) -s tests-e2e/compose/test_chaos.py $(ARGS)

environment: $(DEV_STAMP) ## Write .env.example and the settings in the compose files from the settings classes
	@$(BIN)/python -m tools.environment

screenshots: $(DEV_STAMP) ## Take pictures of every page, in both themes and languages, into docs/screenshots (needs Chromium)
	@$(BIN)/python -m services.dashboard.tests.browser.screenshots $(ARGS)

fmt: $(DEV_STAMP) ## Format the code and fix what the linter can fix
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

sync: $(DEV_STAMP) ## Install what the lock file names, with the development tools

check-lock: $(DEV_STAMP)
	@$(BIN)/uv lock --quiet --check || { echo 'uv.lock does not match the pyproject.toml files: run .venv/bin/uv lock' >&2; exit 1; }

check-format: $(DEV_STAMP)
	@$(BIN)/ruff format --quiet --check . || { echo 'formatting differs: run make fmt' >&2; exit 1; }

check-lint: $(DEV_STAMP)
	@$(BIN)/ruff check --quiet .

check-source: $(DEV_STAMP)
	@$(BIN)/python -m tools.architecture

check-imports: $(DEV_STAMP)
	@$(BIN)/lint-imports --no-logo --cache-dir $(VENV)/.import_linter_cache

check-deps: $(DEV_STAMP)
	@bad=0; for member in $(MEMBERS); do (cd $$member && '$(CURDIR)/$(BIN)/deptry' src) || bad=1; done; exit $$bad

check-types: $(DEV_STAMP)
	@$(BIN)/mypy
# Apart from the rest: the folder's name cannot be a package's, so its modules are top-level and would clash with ours.
	$(if $(wildcard tests-e2e/*.py),@$(BIN)/mypy tests-e2e)

$(BIN)/uv:
	@command -v '$(PYTHON)' >/dev/null || { echo 'Bongsu needs Python 3.11 or newer, and "$(PYTHON)" was not found: install it, or name it with make PYTHON=/path/to/python3' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Bongsu needs Python 3.11 or newer, and $(PYTHON) is $$('$(PYTHON)' -c 'import platform; print(platform.python_version())'): name a newer one with make PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import venv' 2>/dev/null || { echo 'Bongsu needs the venv module of $(PYTHON): install it (on Debian and Ubuntu: apt-get install python3-venv)' >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip' 2>/dev/null || '$(PYTHON)' -m pip --version >/dev/null 2>&1 || { echo 'Bongsu needs pip or ensurepip of $(PYTHON): install it (on Debian and Ubuntu: apt-get install python3-venv)' >&2; exit 1; }
	@echo 'Installing into $(VENV) (once, well under a minute)'
	@if '$(PYTHON)' -c 'import ensurepip' 2>/dev/null; then '$(PYTHON)' -m venv --clear $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv==$(UV_VERSION)'; \
	else '$(PYTHON)' -m venv --clear --without-pip $(VENV) && '$(PYTHON)' -m pip --python $(BIN)/python install --quiet --disable-pip-version-check 'uv==$(UV_VERSION)'; fi
	@printf '%s\n' '$(CURDIR)' >$(VENV)/.made-in

# --inexact leaves the development tools alone where they are installed already.
$(RUN_STAMP): $(MANIFESTS) | $(BIN)/uv
	@$(BIN)/uv sync --quiet --frozen --all-packages --no-dev --inexact
	@touch $@

$(DEV_STAMP): $(MANIFESTS) | $(BIN)/uv
	@$(BIN)/uv sync --quiet --frozen --all-packages
	@touch $(RUN_STAMP) $@
