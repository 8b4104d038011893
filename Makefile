# `make demo` and `make test` do all of their own set-up: a virtual environment in .venv with pinned packages.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.10 || command -v python3)
VENV := .venv
STAMP := $(VENV)/.laststep-installed
BIN := $(VENV)/bin

# A second environment, with verl and vLLM on the CPU: examples/verl_cpu/environment.py.
REAL_BIN := .venv-real/bin

.PHONY: help env env-real demo demo-real test test-real test-vllm lint test-pythons bench bench-real screens clean

help:
	@echo "make demo          the built-in GRPO run, live: the dashboard in a terminal, a story without one"
	@echo "make test          lint, types, import contracts, and every test, with real Ray and real processes"
	@echo "make test-pythons  hooks, monitor and detection on each other of Python 3.10 to 3.13 that is installed"
	@echo "make test-real     real verl runs (four starts) with faults, by several observers, and then \`make test-vllm\`"
	@echo "make test-vllm     the tests that need vLLM, in an environment of their own (Python 3.11, 4 GB)"
	@echo "make env           only the environment: .venv/bin/laststep is then the command"
	@echo "make bench         the figures of benchmarks/RESULTS.md (about an hour)"
	@echo "make env-real      real verl 0.9.1 and vLLM on a CPU, in .venv-real (4.4 GB, once)"
	@echo "make demo-real     the dashboard on a real verl run"
	@echo "make bench-real    real verl watched, hung, judged, scored wrong and scored again (two hours); in build/bench-real"
	@echo "make screens       the pictures in docs/screens from a recorded run"

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "laststep needs Python 3.10 to 3.13: install one, or say make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'torch==2.13.0'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[quant,dev]'
	@touch $(STAMP)

demo: env
	@$(BIN)/laststep demo

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Most tests wait for processes, not for a core: side by side they take a third of the time.
TEST_WORKERS ?= 3

test: lint
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal

test-vllm: env-real
	$(REAL_BIN)/python -m pytest -m real_vllm tests/real

test-real: env env-real
	$(BIN)/python -m pytest -m real_verl tests/real_verl
	$(REAL_BIN)/python -m pytest -m real_vllm tests/real

test-pythons:
	@sh tests/pythons.sh

bench: env
	$(BIN)/python -m benchmarks

env-real:
	@test -n "$(PYTHON)" || { echo "real verl runs need Python 3.11: install it, or say make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) examples/verl_cpu/environment.py

demo-real: env env-real
	@mkdir -p build
	@out=build/demo-real-$$(date +%Y%m%dT%H%M%S); \
	$(PYTHON) examples/verl_cpu/run.py v1 --steps 6 --out $$out & run=$$!; trap "kill $$run 2>/dev/null" EXIT INT TERM; \
	until test -s $$out/ray.json; do kill -0 $$run || exit 1; sleep 1; done; \
	export RAY_ADDRESS=$$($(PYTHON) -c "import json; print(json.load(open('$$out/ray.json'))['address'])"); \
	until $(BIN)/laststep status >/dev/null 2>&1; do kill -0 $$run || exit 1; sleep 2; done; \
	$(BIN)/laststep

bench-real: env env-real
	@mkdir -p build/bench-real
	$(BIN)/python -m benchmarks.real_verl --keep build/bench-real | tee build/bench-real/results.json
	$(BIN)/python -m benchmarks.wrong_evaluations --keep build/bench-real | tee build/bench-real/wrong_evaluations.json
	$(BIN)/python -m benchmarks.real_reruns --keep build/bench-real | tee build/bench-real/reruns.json

screens: env
	$(BIN)/python -m benchmarks.screens

clean:
	rm -rf $(VENV) .venv-* build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
