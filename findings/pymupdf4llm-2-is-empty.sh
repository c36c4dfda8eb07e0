#!/usr/bin/env bash
# pymupdf4llm 2.0: what `pip install pymupdf4llm` brings is an empty package that asks for nothing else.
#
# Seen: the wheel holds metadata alone and no requirement. pip succeeds, lists `pymupdf4llm 2.0`, `pip check` finds nothing
# wrong, and `import pymupdf4llm` is a ModuleNotFoundError. The module is in the distribution `pymupdf` from 2.0 on, which
# requires the empty one; nothing requires it the other way round. 1.28.2 holds the module itself and requires pymupdf.
# Why it matters here: readers of papers compare with it, and code written from older examples names `pymupdf4llm` alone in
# requirements.txt, unpinned. The remedy that the traceback suggests, installing it, is what has just been done.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
install() { venv/bin/python -m pip install -q --disable-pip-version-check --no-deps "$@"; }
state() { venv/bin/python -c 'import importlib.util as u; print("there" if u.find_spec("pymupdf4llm") else "absent")'; }

install pymupdf4llm==2.0
alone=$(state)
venv/bin/python -m pip check --disable-pip-version-check
needs=$(venv/bin/python -c 'from importlib.metadata import requires; print(requires("pymupdf4llm"))')
echo "pymupdf4llm 2.0 alone: module $alone, requires $needs"

install pymupdf==2.0
beside=$(state)
owner=$(venv/bin/python -c 'from importlib.metadata import packages_distributions as p; print(*sorted(set(p()["pymupdf4llm"])))')
echo "with pymupdf 2.0: module $beside, from $owner"

[ "$alone" = absent ] && [ "$needs" = None ] && [ "$beside" = there ] && [ "$owner" = pymupdf ]
echo "as described"
