# `make demo` and `make test` need Python 3.11 or newer, make and git, and nothing else.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
# First, so that the CPU build is taken where one is at hand.
TORCH ?= torch==2.13.*
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
WORKERS ?= auto
DEMO ?= runs/demo-shelf
PORT ?= 8080

.PHONY: help demo serve test lint types arch unit test-service test-slow bench picture docs clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed (Debian: apt-get install python3-venv)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# A stamp: nothing is installed again until what is asked for changes.
$(VENV)/penchant.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) '$(TORCH)'
	$(PIP) --editable '.[train,offline]'
	@touch $@

$(VENV)/develop.stamp: $(VENV)/penchant.stamp
	$(PIP) --editable '.[dev]'
	@touch $@

demo: $(VENV)/penchant.stamp ## build the demo shelf, train, and show how one event changes the next answer
	@$(BIN)/penchant demo $(DEMO)

# A demo that was interrupted has no snapshot: it is told again from where it was.
serve: $(VENV)/penchant.stamp ## serve the demo shelf over HTTP, and print the curl lines to try
	@test -e $(DEMO)/snapshots/current || $(BIN)/penchant demo $(DEMO) --pace 0
	@exec $(BIN)/penchant serve $(DEMO) --port $(PORT) --workers 2 --effort fast

test: lint types arch unit ## everything that is checked before a change is taken

lint: $(VENV)/develop.stamp ## formatting and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/develop.stamp ## mypy, strict
	$(BIN)/mypy

arch: $(VENV)/develop.stamp ## which folder may import which
	$(BIN)/lint-imports

unit: $(VENV)/develop.stamp ## the test suite
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m "not slow and not service"

test-service: $(VENV)/develop.stamp ## tests that start whole services, kill them and spoil what they stand on
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -q -n 2 --dist loadfile -m "service and not slow"

test-slow: $(VENV)/develop.stamp ## tests that take minutes
	$(BIN)/python -m pytest -q -m slow

bench: $(VENV)/develop.stamp ## every claim of the README that this machine can check (hours)
	$(BIN)/python benchmarks/accuracy.py ml_100k online_retail
	$(BIN)/python benchmarks/accuracy.py amazon_beauty --effort best
	$(BIN)/python benchmarks/encoder.py

docs: $(VENV)/develop.stamp ## write again what the docs take from the code
	$(BIN)/python docs/generate.py

picture: $(VENV)/develop.stamp ## run the demo and draw the README's picture from it
	$(BIN)/python docs/picture.py

clean: ## remove what was built here
	rm -rf $(VENV) runs build dist .mypy_cache .ruff_cache .import_linter_cache .pytest_cache
