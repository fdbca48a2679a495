#!/bin/sh
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# unpack_temp_disk.sh ARCHIVE MOUNT BOOT_ID SECONDS
#
# Puts back what pack_temp_disk.sh kept, if the disk was emptied since: a disk that was not, or was filled again before, holds
# later files. BOOT_ID is that of when the host was marked. Waits SECONDS for the disk to be mounted: at the end of a boot it
# may not be yet, and files put into the bare folder would be hidden by it. Prints "unpacked" when it did. Exit status 4: the
# archive is not there.
set -eu
archive=$1 mount=$(readlink -f -- "$2") boot_id=$3 seconds=$4
kept=".azure_maintenance_kept_in_$(basename -- "$archive")"

until mountpoint -q -- "$mount"; do
    [ "$seconds" -gt 0 ] || { echo "nothing is mounted at $mount" >&2; exit 1; }
    seconds=$((seconds - 1))
    sleep 1
done
[ ! -e "$mount/$kept" ] || exit 0
if [ ! -e "$archive" ]; then
    # The drain did not come to it, and nothing has happened to the disk.
    [ "$(cat /proc/sys/kernel/random/boot_id)" != "$boot_id" ] || exit 0
    exit 4
fi
tar --extract --gzip --file "$archive" --directory "$mount" --preserve-permissions --acls --xattrs --xattrs-include='*'
: >"$mount/$kept"
echo unpacked
