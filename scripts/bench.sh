#!/bin/sh
# Run every benchmark, one after the other; end non-zero if one of them did. Usage: bench.sh
set -eu
cd "$(dirname "$0")/.."

failed=
for file in benchmarks/*.py; do
    case $file in benchmarks/_*|benchmarks/'*'.py) continue ;; esac
    echo "== $file"
    .venv/bin/python "$file" </dev/null || failed="$failed $file"
done
if [ -n "$failed" ]; then
    echo "failed:$failed" >&2
    exit 1
fi
