#!/bin/sh
# Makes .venv from uv.lock on a machine that may have nothing but Python 3.11. Quick when all is there.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
TOOLS=${XDG_CACHE_HOME:-$HOME/.cache}/pgkeep/uv-$UV_VERSION

fail() {
    echo "pgkeep: $1" >&2
    exit 1
}

find_uv() {
    if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
        command -v uv
    elif [ -x "$TOOLS/bin/uv" ]; then
        echo "$TOOLS/bin/uv"
    fi
}

python=$(command -v python3.11 || command -v python3 || true)
[ -n "$python" ] || fail "no python3 on PATH; pgkeep needs Python 3.11 or newer (apt-get install python3 python3-venv)."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old; pgkeep needs Python 3.11 or newer."

uv=$(find_uv)
if [ -z "$uv" ]; then
    echo "Installing uv $UV_VERSION into the cache folder"
    if ! "$python" -m venv "$TOOLS" >/dev/null 2>&1; then
        # Debian splits ensurepip off into python3-venv.
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv) >/dev/null 2>&1 || true
        fi
        rm -rf "$TOOLS"
        "$python" -m venv "$TOOLS" || fail "python3 -m venv does not work here; install python3-venv and try again."
    fi
    "$TOOLS/bin/pip" install --quiet --disable-pip-version-check "uv==$UV_VERSION" ||
        fail "uv $UV_VERSION could not be installed with pip; see the message above."
    uv=$TOOLS/bin/uv
fi

# --inexact is not used: what uv.lock does not name is not there.
"$uv" sync --quiet --frozen --python "$python" || fail "uv sync failed; see the message above."
