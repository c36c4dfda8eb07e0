#!/usr/bin/env bash
# Table 1: bash reproduce.sh [smoke|full]
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p results
python -m exactcg.cli "configs/${1:-smoke}.yaml" results
