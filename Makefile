# Everything that a developer or CI does with this project; `make` alone lists it.
# Whatever is set up stays inside this folder, in places that git ignores.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

# The locks know no release younger than this: it lies a week back, so that a hijacked release
# has been noticed before we take it. Move the date, then `make lock`.
LOCK_DATE := 2026-11-16

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

PACKAGES := .venv/ready
EMULATOR := node_modules/.package-lock.json

# Another default Python makes the environment anew.
ifneq ($(shell { .venv/bin/python -V; } 2> /dev/null),$(shell $(PYTHON) -V))
.PHONY: $(PACKAGES)
endif

##@ Use

.PHONY: run
run: $(PACKAGES) $(EMULATOR) ## Start the local stack and walk the main job (ONCE=1: end after the walk)
	@$(BIN)/python -m local.demo

.PHONY: test
test: $(PACKAGES) $(EMULATOR) browser ## Run the tests (ARGS="-k refresh -x" goes to pytest)
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: test-all
test-all: $(PACKAGES) $(EMULATOR) browser ## Run the tests, then contract and e2e on the other Python versions
	@scripts/test-all.sh

.PHONY: bench
bench: $(PACKAGES) $(EMULATOR) ## Measure speed as ratios, into bench/results.json
	@$(BIN)/python -m bench

##@ Check (what CI checks)

.PHONY: check
check: check-style check-types check-imports check-repository check-locks check-shell check-infra check-access ## Everything below

.PHONY: check-style
check-style: $(PACKAGES) ## Lint and formatting
	@echo "check: style"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "  not formatted: run make format"; exit 1; }

.PHONY: check-types
check-types: $(PACKAGES) ## Types, strictly
	@echo "check: types (half a minute when nothing is cached)"
	@$(BIN)/mypy --no-error-summary

.PHONY: check-imports
check-imports: $(PACKAGES) ## The import rule
	@echo "check: imports"
	@$(BIN)/lint-imports --no-logo

.PHONY: check-repository
check-repository: $(PACKAGES) ## Locks, machine paths and registry addresses in tracked files; the documentation
	@echo "check: repository and documentation"
	@$(BIN)/python -m pytest -q -p no:cacheprovider $(wildcard $(addprefix tests/unit/,test_repository.py test_documentation.py))

.PHONY: check-locks
check-locks: $(PACKAGES) ## The locks are what the ranges give
	@echo "check: locks (asks the package registry)"
	@scripts/locks.sh check $(LOCK_DATE)

.PHONY: check-shell
check-shell: ## Shell scripts, when shellcheck is there
	@if command -v shellcheck > /dev/null; then \
	  echo "check: shell scripts"; shellcheck scripts/*.sh scripts/hooks/*.sh .ci/run; \
	else echo "check: shell scripts SKIPPED (no shellcheck on this machine)"; fi

BICEP_CHECK := ../shared/bicep_check/bicep_check.py
.PHONY: check-infra
check-infra: ## Bicep, when there is some and bicep_check is there
	@if ! compgen -G 'infra/*.bicep' > /dev/null; then echo "check: infra has no Bicep yet"; \
	elif [ -f $(BICEP_CHECK) ]; then echo "check: infra"; $(PYTHON) $(BICEP_CHECK) infra/; \
	else echo "check: infra SKIPPED (no $(BICEP_CHECK))"; fi
	@if command -v bicep > /dev/null; then \
	  echo "check: infra, with Bicep itself"; \
	  bicep build infra/main.bicep --stdout > /dev/null; bicep lint infra/main.bicep; fi

.PHONY: check-access
check-access: $(PACKAGES) ## The table of the identity's rights in docs/security.md is fresh
	@echo "check: access"
	@$(BIN)/python -m scripts.access_table --check

##@ Keep in order

.PHONY: format
format: $(PACKAGES) ## Format, and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: lock
lock: $(PACKAGES) ## Renew requirements*.txt and package-lock.json from the ranges
	@scripts/locks.sh renew $(LOCK_DATE)

.PHONY: clean
clean: ## Remove all that was set up or left by a run
	rm -rf .venv .venv-* node_modules .run .build .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- set-up -----------------------------------------------------------------------------------

$(PACKAGES): requirements-dev.txt
	@scripts/venv.sh "$(PYTHON)" .venv

$(EMULATOR): package-lock.json
	@command -v npm > /dev/null || { echo "needs Node.js with npm, for Azurite" >&2; exit 1; }
	@echo "setting up node_modules (Azurite; about half a minute)"
	@npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: browser
browser:
	@scripts/browser.sh
