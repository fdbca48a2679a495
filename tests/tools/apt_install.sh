#!/bin/sh
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# apt_install.sh PACKAGE...: installs distribution packages quietly and starts no service.
# Exit 2, silently, where that is not for us to do: no apt-get, or not root.
set -eu
cd "$(dirname "$0")/../.."
command -v apt-get >/dev/null 2>&1 || exit 2
[ "$(id -u)" -eq 0 ] || exit 2

log=build/log/apt.log
policy=/usr/sbin/policy-rc.d
mkdir -p "$(dirname "$log")"
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
echo "apt-get install $*"
# an update that fails for one of many sources may still do for these packages
apt-get -q update >"$log" 2>&1 || true
if ! apt-get -q -y --no-install-recommends install "$@" >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
