#!/usr/bin/env bash
# Table 1: bash reproduce.sh [smoke|full]
set -euo pipefail
cd "$(dirname "$0")"
profile="${1:-smoke}"
if [[ "$profile" != smoke && "$profile" != full ]]; then
  echo "usage: reproduce.sh [smoke|full]" >&2
  exit 2
fi
mkdir -p results
python -m odeorder.study "configs/${profile}.yaml" --out results
