#!/usr/bin/env bash
# uv 0.13.9: `--exclude-newer` bounds what an index offers, but not what lies in a `--find-links` folder.
#
# Seen: with `--no-index --find-links FOLDER --exclude-newer 2020-01-01`, a wheel that was written a second ago is chosen,
# exit code 0 and without a warning. The same date keeps everything younger from an index away.
# Why it matters here: a date is used as a cool-down against freshly published packages, and as the way to rebuild an old
# environment; a shared wheel folder beside the index (local builds, CPU builds of large packages) is outside of both.
# Our configuration page says so beside `package_cooldown_days`.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check uv==0.13.9

mkdir wheels
python3 - <<'PY'
import zipfile

with zipfile.ZipFile("wheels/young_example-1.0-py3-none-any.whl", "w") as wheel:
    info = "young_example-1.0.dist-info"
    wheel.writestr("young_example.py", "")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: young-example\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", "")
PY

echo young-example >requirements.in
venv/bin/uv --version
venv/bin/uv pip compile --no-config --no-index --find-links wheels --exclude-newer 2020-01-01 \
    --no-header --no-annotate requirements.in >locked.txt 2>said.txt
cat locked.txt
grep -qx 'young-example==1.0' locked.txt || { echo "changed: the young wheel is no longer chosen" >&2; exit 1; }
if grep -qi warning said.txt; then echo "changed: there is a warning now" >&2; cat said.txt >&2; exit 1; fi
echo "as described: a wheel younger than the date is chosen from the folder, without a warning"
