# make demo: from nothing to a comparison table.  make test: everything that CI runs.

PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python
# Three for two cores: the one whose tests start a Ray mostly waits.
WORKERS := -n 3 --dist loadfile --no-loadscope-reorder
STAMP := $(VENV)/.installed

.PHONY: venv demo test clean

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, $(PYTHON) is %d.%d; try make PYTHON=python3.11" % sys.version_info[:2])'
	@echo "Installing the releases of constraints.txt into $(VENV): a few minutes, once."
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[dev]'
	@touch $@

demo: venv
	$(RUN) tune.py search_spaces/demo.yaml

test: venv
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest $(WORKERS)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
