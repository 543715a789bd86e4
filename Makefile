# Two commands on a fresh machine: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready
DATA ?= ../shared/data
RUNS ?= runs

.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 24

# torch comes first and alone, so that a CPU wheel already at hand is taken instead of a CUDA build.
$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $(READY)

setup: $(READY)  ## create .venv with everything installed

demo: setup  ## train a synthetic federation end to end and show its table
	$(BIN)/hansa-sim run plans/demo.toml --out $(RUNS)/demo

check: setup  ## lint, format, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check  ## everything that CI runs
	$(BIN)/pytest

test-slow: setup  ## the longer tests
	$(BIN)/pytest -m slow

test-gpu: setup  ## the tests that need a CUDA device
	$(BIN)/pytest -m gpu

.PHONY: help setup demo check test test-slow test-gpu
