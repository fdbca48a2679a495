#!/bin/sh
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# make_env.sh PYTHON VENV demo|tools: a virtual environment in which this checkout is the installed collection. `demo` puts in
# what the demo needs, which is little; `tools` adds what developers need.
set -eu
cd "$(dirname "$0")/../.."
python=$1
venv=$2
stage=$3
log=build/log/env.log
needs="Python 3.11 or newer is needed: make env PYTHON=/path/to/python3"

fail() {
    printf 'make env: %s\n' "$1" >&2
    exit 1
}

# run COMMAND: keeps what it says in the log, and shows the end of it when it fails
run() {
    "$@" >>"$log" 2>&1 || { grep -v "^WARNING" "$log" | tail -n 20 >&2; fail "an installation failed; all it said is in $log"; }
}

mkdir -p "$(dirname "$log")"
: >"$log"

if [ "$stage" = tools ]; then
    echo "adding tests/requirements.txt to $venv"
    # installs hundreds of megabytes in a fraction of pip's time; where it cannot (an index set up for pip alone), pip does
    "$venv/bin/python" -m pip install -q --no-input --disable-pip-version-check uv >>"$log" 2>&1 &&
        "$venv/bin/python" -m uv pip install -q --python "$venv/bin/python" -r tests/requirements.txt >>"$log" 2>&1 && exit 0
    run "$venv/bin/python" -m pip install -q --no-input --disable-pip-version-check --no-compile -r tests/requirements.txt
    exit 0
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || fail "$python does not run. $needs"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is Python $version. $needs"

# Debian and Ubuntu leave ensurepip out of their Python
if ! "$python" -m ensurepip --version >/dev/null 2>&1; then
    tests/tools/apt_install.sh "python$version-venv" || fail "$python cannot make virtual environments; install python$version-venv"
fi

if ! "$venv/bin/python" -c '' 2>/dev/null; then
    echo "making $venv with Python $version"
    "$python" -m venv --clear "$venv"
fi
echo "installing tests/demo/requirements.txt and the collection community.general into $venv"
run "$venv/bin/python" -m pip install -q --no-input --disable-pip-version-check --no-compile -r tests/demo/requirements.txt
run "$venv/bin/python" tests/tools/add_collection.py community.general

"$venv/bin/python" - <<'LINK'
import os
import sysconfig

namespace = os.path.join(os.path.realpath(sysconfig.get_path("purelib")), "ansible_collections", "fleetops")
link = os.path.join(namespace, "azure_maintenance")
target = os.path.relpath(os.path.realpath("."), namespace)
os.makedirs(namespace, exist_ok=True)
if not os.path.islink(link) or os.readlink(link) != target:
    if os.path.islink(link):
        os.unlink(link)
    os.symlink(target, link)
LINK
