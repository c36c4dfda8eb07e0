#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")"
profile="${1:-smoke}"
case "$profile" in smoke | full) ;; *) echo "unknown profile: $profile" >&2; exit 2 ;; esac
mkdir -p results
python -m sgdlab.main "configs/$profile.yaml"
