# What a person runs here. Needs make and Python 3.11 or newer; everything else is fetched into .tools/ and .venv/.
#
#     make demo ARGS=--no-browser      make tour ARGS=--json      make contract SECTIONS=L,A

ifndef PYTHON
PYTHON := $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11) or print(sys.executable))' 2>/dev/null && break; done)
endif

INSIDE := .venv/bin/python
LOCKED := uv.lock pyproject.toml $(wildcard packages/*/pyproject.toml)
TYPED = packages tests $(foreach folder,demo examples benchmarks tools,$(if $(shell find $(folder) -name '*.py' 2>/dev/null),$(folder)))

# The environment is .venv, whatever else is active; uv uses the Python that is here instead of fetching one.
unexport VIRTUAL_ENV
unexport UV_PROJECT_ENVIRONMENT
export UV_PYTHON_DOWNLOADS = never
SYNC = uv=$$($(PYTHON) tools/fetch_uv.py) && "$$uv" sync --frozen --compile-bytecode --python $(PYTHON)

.NOTPARALLEL:
.PHONY: help demo demo-clean tour kill-matrix test lint check contract breaks pictures settings-reference browser js-client compiled python

help:
	@echo "make demo        two machines side by side in the browser (ARGS=--no-browser prints the addresses)"
	@echo "make demo-clean  removes the accounts and the history of the demo"
	@echo "make tour        plays the demo's story without a browser, under a minute (ARGS=--json)"
	@echo "make kill-matrix kills each part in each step of that story, half an hour at most (ARGS='--seed 7 --only desk:3')"
	@echo "make test        all tests, three at a time (WORKERS=0: one by one); as root on Debian or Ubuntu installs the Chromium they need"
	@echo "make lint        format, lint, types, imports"
	@echo "make check       the quick part: format, lint, types, imports, tests without processes"
	@echo "make pictures    plays a short story in the demo and makes the README's pictures of it"
	@echo "make breaks      breaks the machines of the core, one table entry or limit at a time; do tests notice? (ARGS=scheduler)"
	@echo "make settings-reference  writes docs/settings.md from the code"
	@echo "make contract    which rules of docs/contract.md are proven (SECTIONS=L,A limits it)"

# Each line below that starts a program for a person is a plain command: make runs it without a shell in between, so
# that Ctrl-C and a SIGTERM to make reach it.
demo: .venv/for-demo compiled
	@$(INSIDE) -m demo run $(ARGS)

tour: .venv/for-demo compiled
	@$(INSIDE) -m demo tour $(ARGS)

kill-matrix: .venv/for-demo compiled
	@$(INSIDE) -m demo.kills $(ARGS)

demo-clean:
	@if [ -d .demo ]; then $(MAKE) --no-print-directory .venv/for-demo && $(INSIDE) -m demo clean; \
	else echo "There is nothing to remove: no demo has run here."; fi

# Most tests wait for other processes most of the time. A file's tests stay together: some share a homeserver.
WORKERS = 3

test: .venv/for-tests browser js-client compiled
	@$(INSIDE) -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

lint: .venv/for-tests
	.venv/bin/ruff check --quiet .
	.venv/bin/ruff format --check --quiet .
	.venv/bin/mypy --no-error-summary $(TYPED)
	.venv/bin/lint-imports --no-logo

check: lint
	$(INSIDE) -m pytest -q --ignore tests/shells --ignore tests/contracts --ignore tests/journeys

contract: .venv/for-tests browser js-client compiled
	@$(INSIDE) -m pytest -q --numprocesses $(WORKERS) --dist loadfile --contract-report --contract-sections "$(SECTIONS)" $(ARGS)

breaks: .venv/for-tests compiled
	@$(INSIDE) -m tools.breaking $(ARGS)

pictures: .venv/for-tests browser compiled
	@$(INSIDE) -m tools.pictures

settings-reference: .venv/for-tests
	@$(INSIDE) -m tools.settings_reference

# Chromium and the D-Bus daemon do not come from Python's index.
browser:
	@sh tools/test_programs.sh

# matrix-js-sdk, the other end of encryption; Node.js and npm come with the environment.
js-client: .venv/for-tests browser
	@$(INSIDE) -m tests.js_client

# A launch takes half the time with bytecode, and Python may have been told not to write any (PYTHONDONTWRITEBYTECODE).
compiled: | .venv/for-demo
	@$(INSIDE) -m compileall -q packages demo

.venv/for-demo: $(LOCKED) | python
	@echo "Installing what the demo needs into .venv; the first time takes a minute or two …" >&2
	@$(SYNC) --inexact --no-default-groups --group demo
	@touch $@

.venv/for-tests: $(LOCKED) | python
	@echo "Installing what the tests need into .venv; the first time takes a minute or two …" >&2
	@$(SYNC)
	@touch .venv/for-demo $@

python:
	@$(if $(PYTHON),:,echo "Python 3.11 or newer is needed and was not found. Install it or say where it is: make PYTHON=/path/to/python3" >&2; exit 1)
