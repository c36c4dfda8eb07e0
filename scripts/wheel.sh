#!/bin/sh
# Build the wheel, install it into an empty environment, and read the example with it, where nothing of the sources is.
# The whole demo from a wheel: tests/live/test_wheel.py. Needs `make setup`.
set -eu
cd "$(dirname "$0")/.."

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
.venv/bin/uv build --quiet --wheel --out-dir "$place/dist" .
.venv/bin/uv venv --quiet --python .venv/bin/python "$place/venv"
.venv/bin/uv pip install --quiet --python "$place/venv/bin/python" "$place"/dist/*.whl
cd "$place"
venv/bin/agentsys read "$(venv/bin/agentsys demo --folder)/paper.pdf"
