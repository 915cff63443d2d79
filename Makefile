# Everything one does with the source of Tocsin. `make` alone says what there is.
#
# The virtual environment is made once, from hash-locked requirements, and made again only when
# a lock or pyproject.toml changes. Nothing outside this folder is written.

VENV    := .venv
BIN     := $(VENV)/bin
# Test processes; each lazily starts its own private servers. One more than two cores: some only wait.
WORKERS ?= 3
# Arguments for `make demo` and `make test`, as in: make demo ARGS="--port 8100"
ARGS    ?=
# Set PYTHON=/path/to/python to choose; otherwise the first of these that is 3.11 or newer.
PYTHON  ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python)

# What is published as source only is built with the locked setuptools, the same way by every pip.
PIP := PIP_USE_PEP517=1 $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input

.DEFAULT_GOAL := help
.PHONY: help demo install install-dev test check lint types house docs covered format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: install ## a rehearsal with an outside world of its own: nothing leaves this machine
	@$(BIN)/tocsin demo $(ARGS)

install: $(VENV)/.installed ## the virtual environment, to run Tocsin
	@:

install-dev: $(VENV)/.installed-dev ## the same, with the tools to change Tocsin
	@:

test: install-dev ## the tests; at the end, which servers were missing and what was skipped for it
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

check: lint types house test ## everything CI checks
	@echo "All checks passed."

lint: install-dev ## style: ruff
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: install-dev ## types: mypy, strict
	@$(BIN)/mypy

house: install-dev ## who may import whom, and that every dependency is declared and used
	@$(BIN)/lint-imports
	@$(BIN)/deptry .

# Not a part of `check`: to count every line takes half as long again, and no number of it is a promise.
covered: install-dev ## the tests, and which lines and branches none of them runs
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not docs" --cov --cov-report=term:skip-covered

docs: install-dev ## of the tests those of the documentation: that it says what the program does
	@$(BIN)/python -m pytest -q -m docs || [ $$? -eq 5 ]

format: install-dev ## put the source in shape
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

# The locks hold versions and hashes, and no address: they work with any index or mirror.
# They are made in an environment of their own, since uv is needed for nothing else.
COMPILE = env -u PIP_FIND_LINKS -u UV_FIND_LINKS $(VENV)-lock/bin/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate $(LOCK_ARGS)

lock: ## compile requirements/*.txt anew; LOCK_ARGS=--upgrade takes the newest versions
	@$(call find_python) && "$$python" -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip --disable-pip-version-check --quiet install uv
	@$(COMPILE) requirements/build.in -o requirements/build.txt
	@$(COMPILE) pyproject.toml requirements/build.in -c requirements/build.txt -o requirements/base.txt
	@$(COMPILE) pyproject.toml requirements/build.in --group dev -c requirements/base.txt -o requirements/dev.txt
	@rm -rf $(VENV)-lock
	@git diff --stat -- requirements || true

clean: ## remove the virtual environment and what the tools left
	@rm -rf $(VENV) $(VENV)-lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
		.coverage .coverage.* htmlcov build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Sets the shell variable `python`, or ends with one line saying what is missing.
# Debian and Ubuntu ship Python without ensurepip, and so without a usable venv: look further, then say so.
define find_python
python=; bare=; \
for candidate in $(PYTHONS); do \
	"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then python="$$candidate"; break; fi; \
	bare="$${bare:-$$candidate}"; \
done; \
if [ -z "$$python" ] && [ -n "$$bare" ]; then \
	echo "$$bare cannot make a virtual environment: install its venv part (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; \
elif [ -z "$$python" ]; then \
	echo "Tocsin needs Python 3.11 or newer: install it, or say where it is with PYTHON=/path/to/python." >&2; exit 1; \
fi
endef

# A virtual environment whose Python has been removed is made again.
ifneq ($(shell [ -x $(BIN)/python ] && echo yes),yes)
.PHONY: $(VENV)/pyvenv.cfg
endif

$(VENV)/pyvenv.cfg:
	@$(call find_python); \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

# $(call install_lock,name): one line of progress instead of a wall.
define install_lock
@count=$$(grep -c '^[a-z]' requirements/$(1).txt); \
printf 'Installing %s packages into $(VENV), once (a minute or so) … ' "$$count"; \
{ $(PIP) install --require-hashes -r requirements/build.txt && \
  $(PIP) install --require-hashes --no-build-isolation -r requirements/$(1).txt && \
  $(PIP) install --no-deps --no-build-isolation -e . ; } || { echo "failed"; exit 1; }; \
echo "done"
endef

$(VENV)/.installed: requirements/build.txt requirements/base.txt pyproject.toml $(VENV)/pyvenv.cfg
	$(call install_lock,base)
	@touch $@

# The development lock holds the base lock, so it serves both.
$(VENV)/.installed-dev: requirements/build.txt requirements/base.txt requirements/dev.txt pyproject.toml $(VENV)/pyvenv.cfg
	$(call install_lock,dev)
	@touch $(VENV)/.installed $@
