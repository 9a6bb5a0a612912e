# Start with `make demo` or `make test`. Each creates .venv if needed, installs what it needs, and
# runs. The same commands by hand:
#
#     python3 -m venv .venv
#     .venv/bin/python -m pip install -c constraints.txt -e ".[demo]"     # demo
#     .venv/bin/python -m pip install -c constraints.txt -e ".[bench]"    # bench, with PyTorch
#     .venv/bin/python -m pip install -c constraints.txt -e ".[test]"     # all but the docs
#     .venv/bin/python -m pip install -c constraints.txt -e ".[docs]"     # docs, with PyTorch
#     OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks demo
#     SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2
#     .venv/bin/python -m sphinx -W --keep-going docs docs/_build/html

.POSIX:
.NOTPARALLEL:

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
ENVIRONMENT = { test ! -e $(VENV)/.installing || rm -rf $(VENV); } && mkdir -p $(VENV) && \
	touch $(VENV)/.installing && { test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); }
INSTALL = $(BIN)/python -m pip install -c constraints.txt
# One BLAS thread for each process. The matrices are small, and on a busy machine waiting threads cost
# more than they save.
THREADS = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST_OPTIONS = -n 2
# The benchmark to run, as in `make bench BENCH="digits --n-jobs 2"`. If empty, all are listed.
BENCH =

help:
	@echo "make demo      show the main result as a table and a figure"
	@echo "make test      run the linter and the tests"
	@echo "make docs      build the site docs/_build/html/index.html, without network"
	@echo "make lint      run the linter"
	@echo "make format    fix what the linter can fix"
	@echo "make types     run mypy --strict on the public names, and compare the stubs with the code"
	@echo "make coverage  run the tests, and list lines and branches without a test"
	@echo 'make bench     list the benchmarks; BENCH="NAME [options]" runs one'
	@echo "make clean     remove $(VENV) and generated files, except benchmarks/cache"

demo: $(VENV)/.installed-demo
	$(THREADS) $(BIN)/python -m benchmarks demo

bench: $(VENV)/.installed-bench
	$(THREADS) $(BIN)/python -m benchmarks $(BENCH)

test: lint
	$(THREADS) SCIPY_ARRAY_API=1 $(BIN)/python -m pytest $(PYTEST_OPTIONS)

docs: $(VENV)/.installed-docs
	$(THREADS) $(BIN)/python -m sphinx -W --keep-going docs docs/_build/html

lint: $(VENV)/.installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.installed-test
	$(BIN)/mypy
	$(BIN)/stubtest sklearn_alpha --mypy-config-file tests/typing/stubtest.ini \
		--allowlist tests/typing/allowlist.txt

coverage: $(VENV)/.installed-test
	$(THREADS) SCIPY_ARRAY_API=1 $(BIN)/python -m pytest $(PYTEST_OPTIONS) \
		--cov --cov-report=term --cov-report=html

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# A stamp marks a completed installation. `.installing` marks an interrupted one, and such an environment
# is created again. Each extra contains the one before, so an environment for the tests also serves the
# benchmarks and the demo.
$(VENV)/.installed-demo: pyproject.toml constraints.txt
	@$(ENVIRONMENT)
	$(INSTALL) -e ".[demo]"
	@touch $@ && rm $(VENV)/.installing

$(VENV)/.installed-bench: pyproject.toml constraints.txt
	@$(ENVIRONMENT)
	$(INSTALL) -e ".[bench]"
	@touch $@ $(VENV)/.installed-demo && rm $(VENV)/.installing

$(VENV)/.installed-test: pyproject.toml constraints.txt
	@$(ENVIRONMENT)
	$(INSTALL) -e ".[test]"
	@touch $@ $(VENV)/.installed-bench $(VENV)/.installed-demo && rm $(VENV)/.installing

$(VENV)/.installed-docs: pyproject.toml constraints.txt
	@$(ENVIRONMENT)
	$(INSTALL) -e ".[docs]"
	@touch $@ && rm $(VENV)/.installing

clean:
	rm -rf $(VENV) .ci/venv build dist htmlcov .coverage .coverage.* demo.png
	rm -rf .pytest_cache .ruff_cache .mypy_cache .nox .hypothesis mutants docs/_build
	rm -rf docs/auto_examples docs/benchmarks docs/generated docs/sg_execution_times.rst

.PHONY: help demo bench test docs lint types coverage format clean
