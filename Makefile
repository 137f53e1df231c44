# Each target sets up what it needs in .venv; PYTHON may name another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH := torch==2.13.0
COLLECTIONS := torchvision==0.29.1 timm==1.0.31

# pytest-xdist and the workers of a study fill the cores by processes
test test-all studies: export OMP_NUM_THREADS := 1

.PHONY: demo studies test test-all lint docs bench clean

demo: $(STAMP)
	$(BIN)/prunestats demo

# Databases stay in build; what is printed, drawn, reported and exported goes beside each study file. Two workers each.
STUDIES := three_originals eight_originals
WORKERS ?= 2
studies: export PYTHONPATH := $(CURDIR)/studies
studies: $(STUDIES:%=studies/%.pdf)

studies/%.pdf: studies/%.toml $(STAMP)
	@mkdir -p build/studies
	$(BIN)/prunestats run $< --db build/studies/$*.db --workers $(WORKERS)
	$(BIN)/prunestats transfer --db build/studies/$*.db --ratio 5 --ratio 15 --figure studies/$*.png > studies/$*.txt
	$(BIN)/prunestats transfer --db build/studies/$*.db --ratio 5 --ratio 15 --response error \
	  --figure studies/$*-error.png > studies/$*-error.txt
	$(BIN)/prunestats transfer --db build/studies/$*.db -f csv > studies/$*.csv
	$(BIN)/prunestats report --db build/studies/$*.db -o $@

test: $(STAMP) $(VENV)/.collections
	$(BIN)/python -m pytest -m "not slow" -n logical --dist loadfile

test-all: $(STAMP) $(VENV)/.collections
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

# Networks to test on, apart from all else: their own requirements would bring another torch.
$(VENV)/.collections: constraints.txt | $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/collections $(COLLECTIONS)
	@touch $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
