#!/bin/sh
# Install Debian packages where they are missing, as root or through sudo without a question. Usage: apt-install.sh PACKAGE...
set -eu

become=
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        become="sudo -n"
    else
        echo "error: \`$*\` must be installed, and this user may not" >&2
        echo >&2
        echo "hint: ask an administrator to run \`apt-get install $*\`, then try again" >&2
        exit 3
    fi
fi
if ! command -v apt-get >/dev/null; then
    echo "error: \`$*\` must be installed, and there is no apt-get here" >&2
    echo >&2
    echo "hint: install it with this system's package manager, then try again" >&2
    exit 3
fi
install() {
    $become env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null >&2
}
# The lists of a fresh machine are empty or old: refresh them only when the packages cannot be had without.
install "$@" || { $become apt-get update -q </dev/null >&2 && install "$@"; }
