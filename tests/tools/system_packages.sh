#!/bin/sh
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sees to it that sshd and haproxy, which the simulated guests run, are there; and wrk, without which only the test of a rollout
# under load is left out.
set -eu
cd "$(dirname "$0")/../.."
# an ordinary user's PATH often lacks the sbin folders
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=
wanted=
command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
command -v haproxy >/dev/null 2>&1 || missing="$missing haproxy"
command -v wrk >/dev/null 2>&1 || wanted=" wrk"
[ -n "$missing$wanted" ] || exit 0

# shellcheck disable=SC2086 # a list of words
tests/tools/apt_install.sh $missing $wanted && exit 0
# a distribution without the one may still have the others
# shellcheck disable=SC2086
if [ -n "$missing" ] && { [ -z "$wanted" ] || ! tests/tools/apt_install.sh $missing; }; then
    printf 'make system-packages: please install these packages of your distribution:%s\n' "$missing$wanted" >&2
    exit 1
fi
printf 'make system-packages: without it the test of a rollout under load is left out; your distribution may have it:%s\n' "$wanted" >&2
