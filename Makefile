# Each target sets up what it needs in .venv; PYTHON may name another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH := torch==2.13.0

# pytest-xdist fills the cores by processes
test test-all: export OMP_NUM_THREADS := 1

.PHONY: demo test test-all lint docs bench clean

demo: $(STAMP)
	$(BIN)/prunestats demo

test: $(STAMP)
	$(BIN)/python -m pytest -m "not slow" -n logical --dist loadfile

test-all: $(STAMP)
	$(BIN)/python -m pytest -n logical --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs
	@echo Open build/docs/index.html

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# torch first and alone: a looser requirement can take the build for GPUs, which is gigabytes larger.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "expected Python 3.11 or newer, found $$($(PYTHON) --version): set PYTHON=python3.11 (or newer)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
