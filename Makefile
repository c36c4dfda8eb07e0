# Everything a developer calls. Each target sets up .venv by itself; PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
# Arguments for pytest, for example `make test ARGS="tests/unit -k paper"`.
ARGS ?=
# One more than there are processors: tests wait for sandboxes, servers and processes a part of their time.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

.PHONY: help setup demo test lint bench clean
.DEFAULT_GOAL := help

help:  ## show the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup:  ## make .venv with the project and its development tools
	@scripts/setup.sh "$(PYTHON)"

demo: setup  ## replay the recorded run of the example paper: no key, no Docker
	@scripts/demo.sh

# Files in their order: runs as a whole and real sandboxes come first, so that no long file is left for one worker at the end.
test: setup  ## run the tests; what needs an engine or bubblewrap is skipped, with the reason, where there is none
	.venv/bin/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

lint: setup  ## ruff and pyright, both without findings
	.venv/bin/ruff check .
	.venv/bin/pyright --pythonpath .venv/bin/python

bench: setup  ## print the measured numbers of every benchmark
	@scripts/bench.sh

clean:  ## remove what the targets made here, run directories excepted
	rm -rf .venv .pytest_cache .ruff_cache build dist
