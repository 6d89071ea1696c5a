# Everything a contributor does. Bare `make` lists it.

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; only looked for when there is something to install.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)
# One worker for each core, at most four: browsers and notebooks are heavy.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ "$$n" -gt 4 ] && n=4; echo "$$n")

# On CI nothing may be missing; elsewhere what needs it is skipped.
ON_CI := $(filter-out 0 false,$(CI))

DEMO_DATABASE := sqlite:///demo/analytics.db
DEMO_USER := mara@example.com
# Its history ends on the day it was filled, so each day begins with a new one.
DEMO_FILLED = demo/.filled-$(shell date -u +%F)

# What somebody has set for an own database is not meant for the demo or for tests.
unexport $(filter ANALYTICS_%,$(.VARIABLES))

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types contracts bench suites docs constraints clean browser
.DELETE_ON_ERROR:

help: ## List what there is
	@echo "Usage: make TARGET"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## Install everything, developer tools included, into .venv

demo: $(VENV)/.app $(DEMO_FILLED) ## Serve the dashboard with invented data (PORT=8866 to choose)
	@ANALYTICS_DATABASE_URL=$(DEMO_DATABASE) $(BIN)/analytics dashboard \
		--user $(DEMO_USER) $(if $(PORT),--port '$(PORT)')

# In order of the folders: the slowest files come first, so that no worker is left with one alone.
test: lint types contracts browser ## Check everything: style, types, contracts and all tests
	@SCREENSHOTS='$(CURDIR)/out/screenshots' $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile \
		--no-loadscope-reorder

lint: $(VENV)/.dev ## Check the style of the code
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(VENV)/.dev ## Check the types
	@$(BIN)/mypy

contracts: $(VENV)/.dev ## Check which package may import which
	@$(BIN)/lint-imports

bench: $(VENV)/.dev ## Measure (OUT=file.json to keep it, ONLY=word for a part; ONLY='10 million' only so)
	@$(BIN)/python -m tests.benchmarks $(if $(OUT),--out '$(OUT)') $(if $(ONLY),--only '$(ONLY)')

suites: $(VENV)/.dev ## Run jupyter_client's and ipykernel's tests with stock and forked kernels (ONLY=word)
	@$(BIN)/python -m tests.suites $(if $(ONLY),--only '$(ONLY)')

docs: $(VENV)/.dev ## Write the parts of docs/ that come from the code
	@$(BIN)/python -m tests.support.reference

constraints: ## Pin the newest versions that pyproject.toml allows
	$(call need_python)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT \
	&& $(PYTHON) -m venv "$$folder" \
	&& "$$folder/bin/pip" install -qq --disable-pip-version-check '.[dev]' \
	&& { grep '^#' constraints.txt; \
	     "$$folder/bin/pip" freeze --exclude usage-analytics-workspace; } > "$$folder/pinned" \
	&& cp "$$folder/pinned" constraints.txt

clean: ## Remove all that was built: .venv, demo data, caches
	@rm -rf $(VENV) demo out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the targets above stand on ---

define need_python
	@test -n "$(PYTHON)" || { \
		echo "Python 3.11 or newer is needed (make PYTHON=/path/to/python3)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments (Debian: apt-get install python3-venv)." >&2; \
		exit 1; }
endef

define install
	$(call need_python)
	@echo "Installing into $(VENV); the first time takes a minute or two." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt -e '$(1)'
endef

# Two stamps, so that the demo does not wait for developer tools.
$(VENV)/.app: pyproject.toml constraints.txt
	$(call install,.)
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	$(call install,.[dev])
	@touch $(VENV)/.app $@

# Filled in full or not at all: the stamp is written last. Filled anew for a newer schema.
demo/.filled-%: $(wildcard analytics_core/dal/migrations/workspace/versions/*.py) | $(VENV)/.app
	@rm -rf demo && mkdir demo
	@ANALYTICS_DATABASE_URL=$(DEMO_DATABASE) $(BIN)/analytics init >&2
	@ANALYTICS_DATABASE_URL=$(DEMO_DATABASE) $(BIN)/analytics demo-data >&2
	@touch $@

# Chromium for the browser tests and PgBouncer for one of the database: installed where that is
# allowed; a browser that is missing is said in one line.
browser:
	@for program in chromium pgbouncer; do \
		if ! PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null && command -v apt-get >/dev/null \
			&& [ "$$(id -u)" = 0 ]; then \
			echo "Installing Debian's $$program for the tests." >&2; \
			{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes $$program; } \
				>/dev/null 2>&1 </dev/null || true; \
		fi; \
	done
	@if ! command -v chromium >/dev/null; then \
		echo "Chromium is missing (Debian: apt-get install chromium)$(if $(ON_CI),.,: no browser tests.)" >&2; \
		$(if $(ON_CI),exit 1,true); \
	fi
