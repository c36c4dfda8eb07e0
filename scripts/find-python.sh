#!/bin/sh
# Print the path of a Python 3.11-3.13 that really starts. A name on PATH is not enough: version managers leave shims for
# interpreters that are not active. Usage: find-python.sh [NAME-OR-PATH]; without a name the usual ones are tried.
set -eu

real_path() {
    "$1" -c 'import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13); print(sys.executable)' 2>/dev/null
}

managed() {  # interpreters a version manager holds without putting them on PATH, for a name such as python3.12
    ls -d "${PYENV_ROOT:-${HOME:-/root}/.pyenv}/versions/${1#python}".*/bin/python 2>/dev/null || true
}

try() {
    real_path "$1" && exit 0
    case $1 in
        python3.1[123])
            for candidate in $(managed "$1"); do
                real_path "$candidate" && exit 0
            done ;;
    esac
    return 0
}

wanted=${1:-python3}
try "$wanted"
if [ "$wanted" = python3 ]; then
    for name in python3.13 python3.12 python3.11; do
        try "$name"
    done
fi
echo "error: \`$wanted\` is not a Python 3.11, 3.12 or 3.13 that starts" >&2
echo >&2
echo "hint: name one, for example \`make setup PYTHON=/usr/bin/python3.12\`" >&2
exit 3
