# Everything Weir needs is set up by the first command you type; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first of 3.12 and 3.11 that really runs (a version manager's shim may exist and refuse).
PYTHON := $(shell for p in python3.12 python3.11 python3; do \
	if $$p -c 'import sys; raise SystemExit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	>/dev/null 2>&1; then echo $$p; break; fi; done)
PIP := .venv/bin/python -m pip --quiet --disable-pip-version-check
SECONDS ?= 60
TESTS ?= tests
OPTIMIZE ?= 3
HOT := $(shell cat models/compiled.txt)

# Each program and each worker of the tests would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint bench fuzz soak chaos recorded lock system simulate postgres compiled interpreted

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-6s %s\n", $$1, $$2}'

demo: .venv/.runtime-installed ## set up and run the platform with live traffic (SECONDS=60)
	.venv/bin/weir demo --seconds $(SECONDS) $(DEMO)

test: .venv/.dev-installed system ## set up and run the whole test suite (TESTS=tests/unit for a part)
	.venv/bin/python -m pytest -n 2 $(TESTS)

lint: .venv/.dev-installed ## formatting, lint, types and the arrows between folders
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

compiled: .venv/.dev-installed ## compile the hot modules in place (needs a C compiler); everything then runs on them
	@rm -rf build models/*.so *__mypyc.*.so models/.compiled
	MYPYC_OPT_LEVEL=$(OPTIMIZE) .venv/bin/mypyc $(HOT) > build.log 2>&1 || { cat build.log; exit 1; }
	@rm -rf build build.log
	@sha256sum $(HOT) > models/.compiled
	@echo "Compiled: $(HOT)"

interpreted: ## remove what was compiled: the same source, interpreted
	rm -rf build models/*.so *__mypyc.*.so models/.compiled

bench: .venv/.dev-installed ## measure, and record the figures in bench/results (BENCH="replay --beside-first" for one)
	.venv/bin/python -m bench $(BENCH)

fuzz: .venv/.dev-installed ## fuzz every operation of both listeners with 2,000 examples, and record it
	.venv/bin/python -m bench fuzz

soak: .venv/.dev-installed system ## the slow checks: longer random kills and demo runs, each crash point by itself
	WEIR_SOAK=1 .venv/bin/python -m pytest -n 2 tests/e2e

chaos: .venv/.dev-installed system ## kill every program ten times and stop every server, on both stores and logs
	.venv/bin/python -m bench chaos

recorded: .venv/.dev-installed ## an hour through two risk flows, then every decision made again from the record
	.venv/bin/python -m bench recorded

postgres: .venv/.dev-installed system ## the gateway's whole suite on PostgreSQL (the suite itself runs a part on both)
	WEIR_TEST_STORE=postgresql .venv/bin/python -m pytest -n 2 tests/unit/gateway tests/contract

simulate: .venv/.dev-installed ## the payment life cycle under faults, seed by seed (SEEDS=10000, FIRST=0; PLANTED=1: find planted bugs)
	.venv/bin/python -m tests.simulation $(if $(PLANTED),--planted --seeds 1000,--seeds $(or $(SEEDS),10000) --first $(or $(FIRST),0))

lock: ## renew the locked requirements (needs uv)
	uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
		--quiet requirements/dev.in --output-file requirements/dev.txt
	uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
		--quiet requirements/runtime.in --constraints requirements/dev.txt --output-file requirements/runtime.txt

system: ## programs beside Python that the tests use; installed through apt when root
	@./.ci/system

.venv/.runtime-installed: requirements/runtime.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Weir needs Python 3.11 or 3.12; neither runs here." >&2; exit 1; }
	@echo "Setting up .venv with $(PYTHON), once. Step 1 of 3: an empty environment (seconds)"
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@echo "Step 2 of 3: the packages that Weir runs on (0.9 GB; two to five minutes without a word)"
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@echo "Step 3 of 3: Weir itself (seconds)"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev-installed: .venv/.runtime-installed requirements/dev.txt
	@echo "Adding the packages that tests and checks need (one or two minutes without a word)"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
