# Everything happens in .venv, which each target makes or renews as it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench accuracy docs clean

demo: $(VENV)/installed
	$(BIN)/vitreous demo

test: $(VENV)/dev
	$(BIN)/pytest

lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Writes docs/performance.md.
bench: $(VENV)/dev .astra/tried
	$(BIN)/python bench/performance.py

# Writes docs/accuracy.md; what an interrupted run has finished is not done again.
accuracy: $(VENV)/dev
	$(BIN)/python bench/accuracy.py

docs: $(VENV)/docs
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) .astra .accuracy site

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/dev: $(VENV)/installed
	$(BIN)/pip install --quiet --group dev
	touch $@

$(VENV)/docs: $(VENV)/installed
	$(BIN)/pip install --quiet --group docs
	touch $@

# ASTRA is GPL: the benchmark runs it from outside, and leaves its row out where it can't be had.
.astra/tried:
	{ $(PYTHON) -m venv .astra && .astra/bin/pip install --quiet numpy astra-toolbox; } \
	    || { echo "ASTRA could not be installed: its row will be missing"; rm -rf .astra; mkdir .astra; }
	touch $@
