# onecard-hub: `make` lists what can be done.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
NATIVE := onecard/native/_library.so
SOURCES := onecard connectors quality schemas sql demo bench dags plugins tests tools
WORKERS  ?= 3
PYTEST   := $(BIN)/pytest -n $(WORKERS) --dist worksteal
# Imports of Airflow and Great Expectations take many times longer without bytecode.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo history test test-nightly test-long test-all up lint bench soak kills lane-kills serve-kills interrupts hostile mutations screenshots sbom lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) $(NATIVE) ## Make .venv with the locked packages (PYTHON=python3.12 chooses the interpreter)

$(STAMP): requirements.lock pyproject.toml tools/install.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) tools/install.py $(VENV)
	@touch $(STAMP)

$(NATIVE): $(wildcard onecard/native/*.[ch]) tools/build_native.py | $(STAMP)
	$(BIN)/python tools/build_native.py

demo: setup ## Run the nightly sync for real on simulated agencies, and six more nights
	$(BIN)/onecard demo --history 6 $(ARGS)

history: setup ## As demo, with forty nights in all: reports that look back on whole months
	$(BIN)/onecard demo --history 39 $(ARGS)

up: setup ## Start Airflow with the simulated agencies
	$(BIN)/onecard up $(ARGS)

test: setup ## Run the tests that a person waits for
	$(PYTEST) -m "not nightly" $(ARGS)

test-nightly: setup ## Run the rest: repetitions, browsers, schedulers
	$(PYTEST) -m nightly $(ARGS)

test-long: setup ## Run all tests, every repetition at its full length: a city of 2,000 steps
	ONECARD_LONG=1 $(PYTEST) $(ARGS)

test-all: setup ## Run both, with the coverage gate of both
	$(PYTEST) --cov --cov-fail-under=80 $(ARGS)

lint: setup ## Check style, types, imports, spelling and all YAML
	$(BIN)/ruff check $(wildcard $(SOURCES))
	$(BIN)/ruff format --check $(wildcard $(SOURCES))
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/codespell $(wildcard $(SOURCES)) docs README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md
	$(BIN)/onecard lint

bench: setup ## Measure against peers and limits; writes bench/RESULTS.md (ARGS="--quick transfers" for a try)
	$(BIN)/python -m bench $(ARGS)

soak: setup ## Sixty nights with random faults; writes docs/reliability.md (half an hour)
	$(BIN)/python -m tests.soak $(ARGS)

kills: setup ## Kill a night 200 times at random; writes docs/reliability.md
	$(BIN)/python -m tests.soak.kills $(ARGS)

lane-kills: setup ## Kill the live lane 200 times at random under load; writes docs/reliability.md
	$(BIN)/python -m tests.soak.kills --lane $(ARGS)

serve-kills: setup ## Kill onecard serve 500 times at random under load; writes docs/reliability.md
	$(BIN)/python -m tests.soak.kills --serve $(ARGS)

interrupts: setup ## Interrupt commands 200 times at random; writes docs/reliability.md
	$(BIN)/python -m tests.soak.kills --interrupts $(ARGS)

hostile: setup ## Five million hostile rows by both paths of the gate (ten minutes)
	ONECARD_HOSTILE_PARTS=50 $(PYTEST) -m nightly tests/property/test_two_paths.py

mutations: setup ## Show that a test notices each safeguard that is taken out
	$(BIN)/python tools/mutations.py

screenshots: setup ## Make the pictures of docs/screenshots anew (Debian's chromium)
	$(BIN)/python -W ignore tools/screenshots.py $(ARGS)

sbom: setup ## Write the bill of materials of production.lock, CycloneDX JSON: build/sbom.cdx.json
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	  --output-format JSON --output-file build/sbom.cdx.json production.lock

lock: setup ## Resolve pyproject.toml into both locks (ARGS=--upgrade for newer versions)
	$(BIN)/python tools/lock.py $(ARGS)

clean: ## Remove the environment and everything that was made
	rm -rf $(VENV) $(NATIVE) .onecard .bench build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
