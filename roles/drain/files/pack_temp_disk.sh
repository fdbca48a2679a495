#!/bin/sh
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# pack_temp_disk.sh ARCHIVE MOUNT [fetch]
#
# Packs what is on the temporary disk, but for swap and the vendor's warning, into ARCHIVE. The disk gets a file of its own
# first: as long as that is there, nobody has emptied the disk. With "fetch", whoever becomes root by sudo for this may read
# the archive, and "given" is printed.
set -eu
archive=$1 mount=$(readlink -f -- "$2") fetch=${3:-}
kept=".azure_maintenance_kept_in_$(basename -- "$archive")"

mountpoint -q -- "$mount" || { echo "nothing is mounted at $mount" >&2; exit 1; }
# A second drain without a restore must not pack an emptied disk over it.
[ ! -e "$archive" ] || exit 0
: >"$mount/$kept"

folder=$(dirname -- "$archive")
[ -d "$folder" ] || { mkdir -p -- "$folder"; chmod 711 -- "$folder"; }
umask 077
set --
while read -r file rest; do
    case $file in "$mount"/*) set -- "$@" "--exclude=./${file#"$mount"/}" ;; esac
done </proc/swaps
tar --create --gzip --file "$archive.new" --directory "$mount" --one-file-system --sparse --acls --xattrs --xattrs-include='*' \
    --anchored --no-wildcards --exclude=./lost+found --exclude="./$kept" \
    --exclude=./DATALOSS_WARNING_README.txt --exclude=./DATA_LOSS_WARNING_README.txt "$@" .
[ -z "$fetch" ] || [ -z "${SUDO_UID:-}" ] || { chown -- "$SUDO_UID" "$archive.new"; echo given; }
# The redeploy cuts the power.
sync "$archive.new"
mv -- "$archive.new" "$archive"
sync "$folder"
