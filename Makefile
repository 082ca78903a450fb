# Everything starts from Python 3.11+ and make; each target sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
AUDIT  := $(VENV)-audit
ASSETS := $(VENV)/.assets
PLUGINS := $(wildcard plugins/*/pyproject.toml)
# What runs in other systems and sends here. The client runs in ours too; each of the others beside the system that it is
# for, in an environment of its own.
CLIENT  := senders/tidings-client
SENDERS := $(patsubst senders/%/requirements.txt,%,$(wildcard senders/*/requirements.txt))
ARGS   ?=
EXTRAS := demo otel kafka rabbitmq nats redis
export UV_NO_PROGRESS = 1

.DEFAULT_GOAL := help
.PHONY: help audit demo serve test lint format types arch bench faults pictures check senders $(SENDERS) assets lock clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^## / {printf "\n%s\n", substr($$0, 4)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml $(PLUGINS) $(CLIENT)/pyproject.toml requirements/all.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tidings needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/all.txt requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable . --editable $(CLIENT) $(PLUGINS:%/pyproject.toml=--editable %)
	@touch $@

# The console's style, scripts and translations.
NPM_DONE := assets/node_modules/.package-lock.json
$(NPM_DONE): assets/package-lock.json
	@command -v npm >/dev/null || { echo "The console's style and scripts come from npm: install Node.js 20 or newer."; exit 1; }
	cd assets && npm ci --silent --no-audit --no-fund
	@touch $@

$(ASSETS): $(READY) $(NPM_DONE) assets/build.py assets/icons.txt $(wildcard src/tidings/console/static/console/*.js src/tidings/console/static/console/*.css src/tidings/console/locale/*/LC_MESSAGES/*.po)
	$(BIN)/python assets/build.py
	@touch $@

assets: $(ASSETS)

## run
demo: $(ASSETS) ## a working day of a believable organisation, live (ARGS=--once ends by itself)
	$(BIN)/tidings demo $(ARGS)

serve: $(ASSETS) ## Tidings on the embedded PostgreSQL
	$(BIN)/tidings serve $(ARGS)

## check
test: $(ASSETS) ## every test that needs nothing but this machine
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(READY) ## style
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(READY) ## make the style right
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

types: $(READY) ## mypy --strict
	$(BIN)/mypy

arch: $(READY) ## the import contracts
	$(BIN)/lint-imports

bench: $(ASSETS) ## speed and memory, as ratios
	$(BIN)/python -m bench $(ARGS)

faults: $(ASSETS) ## what it stands up to, killed and cut in every way, into docs/reliability.md (ARGS='--only NAME')
	$(BIN)/python -m faults $(ARGS)

pictures: $(ASSETS) ## pictures of the console, into docs/pictures
	$(BIN)/python -m pictures $(ARGS)

check: lint types arch test ## what CI runs first

senders: $(SENDERS) ## then it: each sender beside the system that it is for (one alone: make tidings-...)

senders/%/.venv/.ready: senders/%/requirements.txt senders/%/pyproject.toml $(CLIENT)/pyproject.toml $(READY)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python senders/$*/.venv
	$(BIN)/uv pip sync --quiet --python senders/$*/.venv/bin/python --require-hashes senders/$*/requirements.txt
	$(BIN)/uv pip install --quiet --python senders/$*/.venv/bin/python --no-deps --editable $(CLIENT) --editable senders/$*
	@touch $@

.SECONDARY: $(SENDERS:%=senders/%/.venv/.ready)
$(SENDERS): %: senders/%/.venv/.ready $(ASSETS)
	cd senders && $*/.venv/bin/python -m mypy $*/src && $*/.venv/bin/python -m pytest $* $(ARGS)

## maintain
$(AUDIT)/.ready: requirements/audit.txt
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

audit: $(READY) $(AUDIT)/.ready ## known weaknesses of what is locked (3: could not be asked)
	@$(BIN)/python requirements/audit.py $(AUDIT)/bin/pip-audit || { code=$$?; echo "make audit: $$code"; exit $$code; }

lock: $(READY) ## renew the locked dependencies
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --upgrade requirements/uv.in -o requirements/uv.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --upgrade $(EXTRAS:%=--extra %) --group dev pyproject.toml -o requirements/all.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --upgrade requirements/audit.in -o requirements/audit.txt
	for each in $(SENDERS); do $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --upgrade senders/$$each/requirements.in -o senders/$$each/requirements.txt || exit; done

clean: ## remove what these targets made
	rm -rf $(VENV) $(AUDIT) senders/*/.venv senders/.mypy_cache senders/.pytest_cache assets/node_modules src/tidings/console/static/vendor .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
