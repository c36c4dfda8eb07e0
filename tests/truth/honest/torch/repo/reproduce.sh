#!/usr/bin/env bash
# Table 1: bash reproduce.sh [smoke|full]
set -euo pipefail
cd "$(dirname "$0")"
profile="${1:-smoke}"
case "$profile" in
  smoke|full) ;;
  *) echo "unknown profile: $profile" >&2; exit 2 ;;
esac
mkdir -p results
python -m smoothed.train --config "configs/${profile}.yaml" --out results
