#!/bin/sh
# Replay the recorded run of the example paper: no key, no Docker engine. Usage: demo.sh [OPTION OF agentsys implement...]
set -eu
cd "$(dirname "$0")/.."

example=examples/dc-svrg
if ! timeout 10 docker info >/dev/null 2>&1 && ! command -v bwrap >/dev/null; then
    echo "neither a container engine nor bubblewrap here: installing bubblewrap" >&2
    scripts/apt-install.sh bubblewrap
fi
exec .venv/bin/agentsys implement "$example/paper.pdf" --max-rounds 5 --replay "$example/recording" --display plain \
    --set mutants=6 --set full_seconds=0 "$@" # fewer planted faults, no full run: the demo is to end soon
