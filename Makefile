# Two commands on a fresh machine: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install demo test check fuzz fuzz-api audit bench soak bench-peers bench-accuracy system-deps clean

help:
	@echo "make demo         a simulated store, live, until Ctrl-C"
	@echo "make test         the whole test suite"
	@echo "make check        format, lint, types, import rules"
	@echo "make fuzz         a coverage-guided search for input that a codec cannot bear: FUZZ_S=60 seconds each"
	@echo "make audit        the bill of materials (CycloneDX), and known flaws of what a store installs: needs the network"
	@echo "make fuzz-api     requests drawn from the server's own description, as everybody: API_EXAMPLES=20000 of them"
	@echo "make bench        the benchmarks of BENCHMARKS.md, full size: some minutes, 4 GiB"
	@echo "make soak         agent and server for SOAK_S=1800 seconds: memory and descriptors must not grow"
	@echo "make bench-peers  presence beside tuned C++ in turn on one core (needs g++)"
	@echo "make bench-accuracy  presence against the truth of a simulated store, beside three published rules"
	@echo "make system-deps  mosquitto, chromium, postgresql, victoria-metrics (as root, Debian or Ubuntu)"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tacet needs Python 3.11 or later: set PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module lacks pip: install the package python3-venv (Debian, Ubuntu), then try again"; exit 2; }
	@echo "Installing Tacet into $(VENV): one to three minutes, the first time only"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

install: $(STAMP)

demo: install
	@$(BIN)/tacet demo

# As root in CI the real components are installed; elsewhere their tests skip and say why.
test: install
	@if [ "$$CI" = true ] && [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory system-deps; \
	 else command -v chromium >/dev/null || echo "Tests with real components skip without: sudo make system-deps"; fi
	@$(BIN)/python -c 'from edge.kernels import warm_up_kernels; warm_up_kernels()'  # no test's time limit is for compiling
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

FUZZ_S ?= 60

fuzz: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,fuzz]'
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_S)

AUDIT := build/audit

# Both environments are made anew: what a store would get today, and tools that are no part of it.
audit: install
	@rm -rf $(AUDIT) && mkdir -p $(AUDIT)
	@$(PYTHON) -m venv $(AUDIT)/runtime && $(AUDIT)/runtime/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt .
	@$(PYTHON) -m venv $(AUDIT)/tools && $(AUDIT)/tools/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'pip-audit>=2.10,<3' 'cyclonedx-bom>=7,<8'
	@$(BIN)/python -m tests.audit $(AUDIT)/runtime $(AUDIT)/tools $(AUDIT)

API_EXAMPLES ?= 20000

fuzz-api: install
	TACET_API_EXAMPLES=$(API_EXAMPLES) $(BIN)/python -m pytest --timeout 3600 tests/server/test_api_properties.py

FULL := --read-count 5000000 --member-count 10000000

bench: install bench-peers bench-accuracy
	$(BIN)/tacet bench presence $(FULL) --json
	$(BIN)/tacet bench match $(FULL) --json
	$(BIN)/tacet bench scan --json
	$(BIN)/tacet bench codec --json
	$(BIN)/tacet bench wire $(FULL) --json
	$(BIN)/tacet bench replay --read-count 5000000 --passes 3 --json
	$(BIN)/tacet bench crafted --json
	$(BIN)/tacet bench flood --stray-count 10000000 --json
	$(BIN)/tacet bench snapshot --json
	$(BIN)/tacet bench start --json
	$(BIN)/tacet bench faults --profile full --json
	$(BIN)/python -m tests.bench_broker

SOAK_S ?= 1800

soak: install
	$(BIN)/tacet bench faults --profile full --row 42 --count $(SOAK_S) --json

# Without a compiler the rest of `make bench` still runs.
bench-peers: install
	@if command -v g++ >/dev/null; then $(BIN)/python -m tests.peers.run; else echo "no g++: the C++ peer is left out"; fi

bench-accuracy: install
	$(BIN)/python -m tests.accuracy

system-deps:
	.ci/system-deps

clean:
	rm -rf $(VENV) build dist *.egg-info
