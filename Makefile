# `make demo` runs the main job on an embedded default; `make test` the tests. Both set up .venv first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Two processes, each with whole files, so that a file's shared worlds are built once.
TEST_PROCESSES ?= 2
INSTALLED := $(VENV)/.installed

.PHONY: demo test weights lint clean

$(INSTALLED): setup.py constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip<27"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(INSTALLED)
	$(BIN)/tfrs-mm demo --output demo

test: $(INSTALLED)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

weights: $(INSTALLED)
	$(BIN)/tfrs-mm weights --output weights

lint: $(INSTALLED)
	$(BIN)/python -m ruff check .

clean:
	rm -rf $(VENV) demo build *.egg-info
