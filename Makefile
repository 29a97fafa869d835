# make demo: from nothing to a comparison table.  make test: everything that CI runs.  make docs: the documentation.

PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder
RAY_OUTPUT := $(VENV)/ray-tests.txt
STAMP := $(VENV)/.installed

.PHONY: venv demo test docs clean

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
	@# A Ray uses all processors but mostly waits: its tests run one at a time, beside the others.
	@$(RUN) -m pytest -m ray >$(RAY_OUTPUT) 2>&1 & ray=$$!; \
	$(RUN) -m pytest -m "not ray" $(WORKERS); failed=$$?; \
	wait $$ray || failed=1; cat $(RAY_OUTPUT); exit $$failed

docs: venv
	$(RUN) -m sphinx --quiet --fail-on-warning --keep-going docs build/docs
	@echo "Open build/docs/index.html"

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
