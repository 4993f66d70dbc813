# One environment, .venv, made from requirements.lock. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# A relative path, so that a clone in a folder with spaces works.
PYTHON_IN := .venv/bin/python
READY := .venv/.installed
PYTEST := $(PYTHON_IN) -m pytest --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo dev test test-fast test-peers lint format lock bench browser clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## Make .venv, every package checked against its hash.

$(READY): requirements.lock pyproject.toml scripts/setup
	@scripts/setup
	@touch $(READY)

demo: $(READY) ## Show the whole way on a sandbox SaaS; ONCE=1 ends by itself, PORT=3001 serves there.
	@.venv/bin/wfops demo $(if $(ONCE),--once) $(if $(PORT),--port $(PORT))

dev: $(READY) ## Serve this project: database, UI, daemon.
	@.venv/bin/wfops dev $(if $(PORT),--port $(PORT))

test: $(READY) lint ## Check everything: lint, types, all tests, in a real browser too.
	@browser="$$(scripts/browser)"; WFOPS_CHROMIUM="$$browser" \
		LD_LIBRARY_PATH="$$PWD/.browser/lib$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}" $(PYTEST) -n 3

test-fast: $(READY) ## Run the tests that need neither database nor browser.
	@$(PYTEST) -n 2 -m "not components and not acceptance and not slow"

test-peers: $(READY) ## Test against Prism with GitHub's OpenAPI file; needs Node.js and npm (460 MB).
	@mkdir -p .peers/prism && cp tests/peers/prism/package*.json .peers/prism/
	@npm ci --prefix .peers/prism --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(PYTEST) -n 0 tests/peers/prism_github.py

lint: $(READY) ## Check style and types.
	@$(PYTHON_IN) -m ruff check
	@$(PYTHON_IN) -m ruff format --check
	@$(PYTHON_IN) -m mypy

format: $(READY) ## Put the code into the house style.
	@$(PYTHON_IN) -m ruff check --fix
	@$(PYTHON_IN) -m ruff format

lock: $(READY) ## Write requirements.lock anew from pyproject.toml.
	@.venv/bin/uv --quiet pip compile --generate-hashes --no-emit-index-url --no-annotate \
		--python-version 3.11 --universal --extra dev pyproject.toml -o requirements.lock

bench: $(READY) ## Measure against the peers.
	@$(PYTHON_IN) -m bench

browser: ## Find or install the Chromium for the tests and print its path.
	@scripts/browser

clean: ## Delete the state of demo and dev, with its database, and all caches.
	@if [ -e .wfops/postgres ]; then $(PYTHON_IN) -m wfops_pipelines.dev.remove; fi
	@rm -rf .wfops logs .logs_queue .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
