# Everything starts from Python 3.11+ and make; each target sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PLUGINS := $(wildcard plugins/*/pyproject.toml)
ARGS   ?=
export UV_NO_PROGRESS = 1

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint format types arch bench check lock clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^## / {printf "\n%s\n", substr($$0, 4)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml $(PLUGINS) requirements/all.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tidings needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/all.txt requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable . $(PLUGINS:%/pyproject.toml=--editable %)
	@touch $@

## run
demo: $(READY) ## a working day of a believable organisation, live (ARGS=--once ends by itself)
	$(BIN)/tidings demo $(ARGS)

serve: $(READY) ## Tidings on the embedded PostgreSQL
	$(BIN)/tidings serve $(ARGS)

## check
test: $(READY) ## every test that needs nothing but this machine
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(READY) ## style
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(READY) ## make the style right
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

types: $(READY) ## mypy --strict
	$(BIN)/mypy

arch: $(READY) ## the import contracts
	$(BIN)/lint-imports

bench: $(READY) ## speed and memory, as ratios
	$(BIN)/python -m bench $(ARGS)

check: lint types arch test ## what CI runs

## maintain
lock: $(READY) ## renew the locked dependencies
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --upgrade requirements/uv.in -o requirements/uv.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --upgrade --extra demo --group dev pyproject.toml -o requirements/all.txt

clean: ## remove what these targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
