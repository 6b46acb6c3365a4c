# Two commands on a fresh machine with git, make and Python 3.11 to 3.13: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PY := $(BIN)/python
RUN_STAMP := .venv/.installed-run
TEST_STAMP := .venv/.installed-test
PIP = $(PYTHON) -m pip --python $(PY) --disable-pip-version-check install --quiet
PROJECT = $(PIP) --no-deps --no-build-isolation --editable .
# Python keeps what it compiled, also where the environment says no (images do): some hundred processes load the same modules.
export PYTHONDONTWRITEBYTECODE :=
DECIDES := comity/jose.py,comity/formats/*,comity/status/*,comity/trust/*,comity/verification/*
# Three workers for two cores: where a test waits, for a browser or for a service that stands still, another one runs.
SPREAD := -n 3 --dist loadgroup
# Only a HOST given to make counts: shells set one of their own.
HOST_OPTION = $(if $(filter command line,$(origin HOST)),--host $(HOST),)
LANGUAGE_OPTION = $(if $(LANG_CHOICE),--lang $(LANG_CHOICE),)
PROVIDER_OPTIONS = $(if $(PROVIDERS),--wallet-providers $(PROVIDERS),) $(if $(ATTESTED),--attested,)

.DEFAULT_GOAL := help
.PHONY: help demo serve test screenshots test-long coverage check bench bench-check bench-nation locks clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

$(PY):
	@echo "Making .venv / Création de .venv"
	@$(PYTHON) -m venv .venv || $(PYTHON) -m venv --without-pip .venv

$(RUN_STAMP): requirements/run.txt pyproject.toml | $(PY)
	@echo "Installing what comity runs on (once) / Installation, une seule fois"
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PROJECT)
	@touch $@

$(TEST_STAMP): requirements/test.txt pyproject.toml | $(PY)
	@echo "Installing what comity is tested with (once) / Installation, une seule fois"
	@$(PIP) --require-hashes -r requirements/test.txt
	@$(PROJECT)
	@touch $@ $(RUN_STAMP)

demo: $(RUN_STAMP) ## run the main job, every journey, on this machine  (LANG_CHOICE=fr en français)
	@$(BIN)/comity demo $(LANGUAGE_OPTION)

serve: $(RUN_STAMP) ## start everything with a front door at http://localhost:8100  (HOST=name: https, so that phones take part)
	@$(BIN)/comity serve $(LANGUAGE_OPTION) $(HOST_OPTION) $(PROVIDER_OPTIONS)

check: $(TEST_STAMP) ## lint, types, import rules, French gate
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(PY) -m tests.house.french

test: $(TEST_STAMP) ## everything, ending with pytest's own summary line
	@$(BIN)/pytest $(SPREAD)

screenshots: $(TEST_STAMP) ## pictures of every page, phone and desktop, both languages, into screenshots/
	@rm -rf screenshots && COMITY_SCREENSHOTS=1 $(BIN)/pytest -q tests/browser

test-long: $(TEST_STAMP) ## the fuller matrices
	@COMITY_LONG=1 $(BIN)/pytest $(SPREAD)

coverage: export COVERAGE_FILE = $(CURDIR)/.coverage
coverage: $(TEST_STAMP) ## branch coverage, subprocesses included: 95 % of everything, 98 % of what decides
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(SPREAD)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --show-missing --skip-covered --fail-under=95
	@$(BIN)/coverage report --show-missing --skip-covered --fail-under=98 --include='$(DECIDES)'

bench: $(TEST_STAMP) ## measure, side by side with peers
	@$(PY) -m benchmarks

bench-check: $(TEST_STAMP) ## compare the ratios with the committed table; not part of CI
	@$(PY) -m benchmarks --check

bench-nation: $(TEST_STAMP) ## simulate status lists for 205 million credentials (some minutes)
	@$(PY) -m benchmarks.nation

locks: ## resolve requirements/*.in again for 3.11 to 3.13 (needs uv)
	@for name in run test; do uv pip compile --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet requirements/$$name.in -o requirements/$$name.txt || exit 1; done

clean: ## remove what make and the demo made
	rm -rf .venv .comity screenshots .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage*
