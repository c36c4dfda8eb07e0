#!/bin/sh
# Make .venv with the project (editable) and its development tools. Usage: setup.sh [PYTHON]
# Does nothing where .venv already holds this interpreter and nothing it was made from has changed.
set -eu
cd "$(dirname "$0")/.."

python=$(scripts/find-python.sh "${1:-python3}")
stamp=.venv/.agentsys-setup
want="$python $(cat pyproject.toml scripts/setup.sh | cksum)"
if [ -x .venv/bin/agentsys ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
    exit 0
fi

echo "setting up .venv with $python" >&2
rm -rf .venv
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian ships the venv module's half in a package of its own.
    scripts/apt-install.sh "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
fi
"$python" -m venv .venv
export PIP_DISABLE_PIP_VERSION_CHECK=1
# `--group` needs pip 25.1; the one a Python release bundles is often older.
.venv/bin/python -m pip install -q --upgrade 'pip>=25.1'
# The type checker wants to see every SDK that the code knows.
.venv/bin/python -m pip install -q --editable '.[anthropic,cluster,export,mcp]' --group dev
echo "$want" >"$stamp"
echo "done; \`. .venv/bin/activate\` puts agentsys on your PATH" >&2
