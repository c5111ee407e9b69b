# Every target makes and uses .venv in this checkout. Needs Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check bench demo-bundle format clean

help:  ## these lines
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 14

# torch first and alone, pinned: plain `torch` would bring gigabytes of CUDA beside it.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python {v[0]}.{v[1]} found, 3.11 or newer wanted: make PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)  ## a simulated headset, the daemon and a subscriber: text appears (ARGS='--text "…" --json')
	@$(BIN)/eegscribe demo $(ARGS)

test: $(READY)  ## every test
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup --hypothesis-profile=same $(ARGS)

check: $(READY)  ## format, lint, types, layers, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit

bench: $(READY)  ## measurements with their machine (ARGS='latency ssvep snr beam start')
	$(BIN)/python -m tests.bench $(ARGS)

demo-bundle: $(READY)  ## train the demo's bundle anew from the simulator
	$(BIN)/eegscribe train --simulate --recipe gru-ctc --set training.n_steps=4000 --threads 2 --out tools/demo/demo.eegb --force

format: $(READY)  ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
