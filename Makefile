# make demo | test | test-dali | lint | bench: each sets itself up from nothing, in .venv.
# Plain POSIX make, so there is nothing here that only GNU make understands.
#
#   PYTHON   the interpreter to make .venv with (3.10 or newer)
#   TORCH    the torch to install, e.g. TORCH="torch==2.4.1 torchvision==0.19.1"
#   PYTEST   arguments for the tests, e.g. PYTEST="-m slow" or PYTEST=tests/test_cli.py
#   DEMO     arguments for the demo, e.g. DEMO="--data my-photographs"

PYTHON = python3
TORCH = torch torchvision
PYTEST =
DEMO =

BIN = .venv/bin
# By its path: else a folder that holds the clone hides the package in it.
INSTALL = pip install --quiet --config-settings editable_mode=compat --editable
CPU_INDEX = https://download.pytorch.org/whl/cpu
C_FLAGS = -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wconversion -Werror

help:
	@echo 'make demo    a data set from real photographs, loaded, trained on, plotted'
	@echo 'make test    the test suite (PYTEST="-m slow" for the slow part)'
	@echo 'make test-dali    the tests of the DALI operators, which make test leaves out'
	@echo 'make test-aarch64    the C core for AArch64, under qemu-user, which make test leaves out'
	@echo 'make lint    formats, types, C warnings, spelling'
	@echo 'make bench   benchmarks, against the other loaders that are installed'
	@echo 'make clean   remove everything that was built here'

demo: .venv/.demo
	$(BIN)/dctload demo $(DEMO)

test: .venv/.dev core
	$(BIN)/python -m pytest $(PYTEST)

# Of the operators for NVIDIA DALI, which is a large download.
test-dali: .venv/.dali core
	$(BIN)/python -m pytest tests/test_dali*.py tests/test_readme.py -m '' $(PYTEST)

# Needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user, of Debian.
test-aarch64: .venv/.dev core
	$(BIN)/python -m pytest tests/test_fuzz_replay.py -k aarch64 -m '' $(PYTEST)

bench: .venv/.bench core
	$(BIN)/python -m pytest benchmarks -c benchmarks/pytest.ini

lint: .venv/.dev lint-c
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files | xargs $(BIN)/codespell

lint-c: .venv/.dev
	git ls-files 'csrc/*.[ch]' 'csrc/*.cc' 'csrc/*.hpp' | xargs $(BIN)/clang-format --dry-run -Werror
	for f in $$(git ls-files 'csrc/*.c'); do \
		$(CC) $(C_FLAGS) -Icsrc -c -o /dev/null $$f || exit 1; done

# The C core again, if a source is newer; an install has built it once.
core: .venv/.torch
	$(BIN)/python setup.py -q build_ext --inplace

.venv/.demo: .venv/.torch pyproject.toml
	@echo 'installing dctload[demo], a minute or two'
	$(BIN)/python -m $(INSTALL) '.[demo]'
	touch $@

.venv/.dev: .venv/.torch pyproject.toml
	@echo 'installing dctload[dev], a minute or two'
	$(BIN)/python -m $(INSTALL) '.[dev]'
	touch $@

.venv/.dali: .venv/.dev
	@echo 'installing dctload[dali], half a gigabyte'
	$(BIN)/python -m $(INSTALL) '.[dali]'
	touch $@

.venv/.bench: .venv/.torch pyproject.toml
	@echo 'installing dctload[bench], a minute or two'
	$(BIN)/python -m $(INSTALL) '.[bench]'
	touch $@

# A machine without an NVIDIA GPU gets torch's CPU build where that can be had:
# a tenth of the download. An index of the user's own goes first.
.venv/.torch:
	@CC="$(CC)" sh .ci/preflight "$(PYTHON)"
	$(PYTHON) -m venv .venv
	@cpu=; \
	if [ "$$(uname -s)" = Linux ] && ! [ -e /dev/nvidiactl ] && \
	   [ -z "$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)" ] && \
	   [ -z "$$PIP_INDEX_URL" ] && \
	   $(BIN)/python -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=10)' \
		$(CPU_INDEX)/torch/ 2>/dev/null; then cpu='--index-url $(CPU_INDEX)'; fi; \
	set -x; $(BIN)/python -m pip install $$cpu $(TORCH)
	$(BIN)/python -m pip install --quiet 'setuptools>=77' 'cffi>=1.17' wheel
	touch $@

clean:
	rm -rf .venv build demo-out dctload/_core.* *.egg-info .*_cache .hypothesis

.PHONY: help demo test test-dali test-aarch64 bench lint lint-c core clean
