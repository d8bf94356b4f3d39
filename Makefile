# Everything Weir needs is set up by the first command you type. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# The first of 3.12 and 3.11 that really runs (a version manager's shim may exist and refuse).
PYTHON := $(shell for p in python3.12 python3.11 python3; do \
	if $$p -c 'import sys; raise SystemExit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1; then echo $$p; break; fi; done)
VENV := .venv
WEIR := $(VENV)/bin/weir
SECONDS_ := $(if $(SECONDS_ARG),$(SECONDS_ARG),60)

.PHONY: help demo test lint bench soak chaos lock clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(VENV)/.runtime-installed: requirements/runtime.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Weir needs Python 3.11 or 3.12: neither python3.12 nor python3.11 runs here." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . \
		|| $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev-installed: $(VENV)/.runtime-installed requirements/dev.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
