#!/bin/sh
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sees to it that sshd and haproxy, which the simulated guests run, are there.
set -eu
cd "$(dirname "$0")/../.."
# an ordinary user's PATH often lacks the sbin folders
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=
command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
command -v haproxy >/dev/null 2>&1 || missing="$missing haproxy"
[ -n "$missing" ] || exit 0

# shellcheck disable=SC2086 # a list of words
if ! tests/tools/apt_install.sh $missing; then
    printf 'make system-packages: please install these packages of your distribution:%s\n' "$missing" >&2
    exit 1
fi
