#!/bin/sh
# Replay the recorded run of the example paper: no key, no Docker engine. Usage: demo.sh [OPTION OF agentsys demo...]
set -eu
cd "$(dirname "$0")/.."

if ! timeout 10 docker info >/dev/null 2>&1 && ! command -v bwrap >/dev/null; then
    echo "neither a container engine nor bubblewrap here: installing bubblewrap" >&2
    scripts/apt-install.sh bubblewrap
fi
exec .venv/bin/agentsys demo "$@"
