# Two commands for everybody, each alone on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help demo test lint fmt types imports unit bench docs build lock clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.base ## investigate the example and print the report
	@$(BIN)/kyumei demo

test: lint types imports unit ## everything that CI checks

lint: $(VENV)/.dev ## style, by ruff
	$(BIN)/ruff check
	$(BIN)/ruff format --check

fmt: $(VENV)/.dev ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.dev ## which room may import which
	$(BIN)/lint-imports --cache-dir $(VENV)/.import_linter

unit: $(VENV)/.dev ## the tests
	$(BIN)/python -m pytest -n 2 -q

bench: $(VENV)/.dev ## measure speed and memory; the figures stand in bench/README.md
	$(BIN)/python -m bench

docs: $(VENV)/.dev ## write docs/reference anew from the declarations in the code
	$(BIN)/python -m docs.generate

build: $(VENV)/.dev ## the wheel and the source archive, in dist/
	$(BIN)/python -m hatchling build

lock: $(VENV)/bin/python ## pin anew what pyproject.toml asks for
	$(PIP) install uv==$(UV)
	$(BIN)/uv pip compile $(COMPILE) requirements/build.in -o requirements/build.txt
	$(BIN)/uv pip compile $(COMPILE) pyproject.toml -o requirements/base.txt
	$(BIN)/uv pip compile $(COMPILE) pyproject.toml requirements/build.in --extra dev \
		-c requirements/base.txt -c requirements/build.txt -o requirements/dev.txt

# One lock for Linux, macOS and Windows, Python 3.11 and newer; hashes, and no name of any host.
COMPILE := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --system-certs \
	--custom-compile-command 'make lock' --quiet $(UPGRADE)

clean: ## remove all that was made
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The stamps say which lock the environment was made from.

$(VENV)/.base: requirements/base.txt requirements/build.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing what kyumei needs into $(VENV)" >&2
	@$(PIP) install --require-hashes -r requirements/base.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing what the tests need into $(VENV)" >&2
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.base $@

$(VENV)/bin/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec $$python -m venv $(VENV); \
		fi; \
	done; \
	echo "kyumei needs Python 3.11 or newer with venv (on Debian and Ubuntu: apt install python3-venv)." >&2; \
	echo "If it has another name: make PYTHON=/path/to/python ..." >&2; \
	exit 2
