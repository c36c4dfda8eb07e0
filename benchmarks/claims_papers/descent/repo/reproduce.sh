#!/usr/bin/env bash
# bash reproduce.sh [smoke|full]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
PROFILE="${1:-smoke}"
case "$PROFILE" in
  smoke | full) ;;
  *)
    echo "usage: reproduce.sh [smoke|full]" >&2
    exit 2
    ;;
esac
mkdir -p results
python -m quadratic.experiment --config "configs/$PROFILE.yaml" --out results
