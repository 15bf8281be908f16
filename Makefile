# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Numeric libraries with two threads on two busy cores are many times slower than with one.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# Without bytecode the servers take half a minute to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint unit oracles bench faults studies gallery clean

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	$(BIN)/python -m intercalate_sims.run compile
	touch $@

demo: $(BIN)/.installed
	$(BIN)/intercalate demo

lint: $(BIN)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

unit: $(BIN)/.installed
	$(BIN)/python -m pytest -m "not service" --numprocesses 2

# Libraries under the GPL are installed by this command alone.
oracles: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[oracles]'
	$(BIN)/python -m pytest tests/oracles

# Linters use one core, and would leave the other idle.
test: $(BIN)/.installed
	$(MAKE) --jobs 2 lint unit
	$(BIN)/python -m pytest -m service --numprocesses 2 --dist loadfile --no-loadscope-reorder

bench: $(BIN)/.installed
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.honesty

faults: $(BIN)/.installed
	$(BIN)/python -m benchmarks faults

gallery: $(BIN)/.installed
	$(BIN)/intercalate gallery

studies: $(BIN)/.installed
	$(BIN)/python -m benchmarks.studies

clean:
	rm -rf $(VENV) demo gallery .pytest_cache .ruff_cache
