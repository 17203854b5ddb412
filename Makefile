# Two commands do everything on a fresh machine with Python 3.11 and make:
#   make demo    sets up a virtual environment and runs the main job
#   make test    sets it up with the workshop's tools and runs linters, types, contracts, tests

VENV ?= .venv
PYTHON ?= python3.11
BIN := $(VENV)/bin

.PHONY: demo test test-all lint clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[simulations]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[simulations,dev]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/fedcrm simulate credit-need

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n auto --dist loadfile -m 'not slow'

test-all: lint
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) out build *.egg-info
