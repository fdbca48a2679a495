# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which block devices of a Linux guest a redeploy empties, and what lies on them. Runs on the guest: standard library only, Python 3.9 or newer, read-only.

A host may have several: L sizes have a SCSI temporary disk and local NVMe disks, sizes from v6 on have one or more local NVMe disks alone.
Sources: the udev rules of Azure/azure-vm-utils, WALinuxAgent and cloud-init.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
import typing as t

RESOURCE_LINKS = ("/dev/disk/cloud/azure_resource-part1", "/dev/disk/cloud/azure_resource", "/dev/disk/azure/resource-part1", "/dev/disk/azure/resource")
"""Links that Azure's agent, azure-vm-utils and cloud-init's udev rules make to the SCSI temporary disk."""
LOCAL_LINKS = ("/dev/disk/azure/local/by-*/*", "/dev/disk/azure/temp/by-*/*")
"""Patterns of the links of azure-vm-utils (the second: of its first releases) to local NVMe disks and their partitions."""
LOCAL_MODEL = "Microsoft NVMe Direct Disk"
"""How the model of a local NVMe disk begins, which those rules go by as well; an image need not have them. Remote disks are a "MSFT NVMe Accelerator"."""
DEV = "/dev"
BLOCKS = "/sys/class/block"
BTRFS = "/sys/fs/btrfs"
MOUNT_INFO = "/proc/self/mountinfo"
_NOT_THERE = (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM)


def named(links: t.Iterable[str]) -> list[str]:
    """The devices that these links, or patterns of links, point to."""
    found = (link for pattern in links for link in sorted(glob.glob(os.fspath(pattern))) if os.path.exists(link))
    return list(dict.fromkeys(os.path.realpath(link) for link in found))


def local_disks(links: t.Iterable[str] = LOCAL_LINKS) -> list[str]:
    """The local NVMe disks: those that links name, and those whose model says so."""
    direct = (_device(name) for name in sorted(_names(BLOCKS)) if _line(os.path.join(BLOCKS, name, "device", "model")).startswith(LOCAL_MODEL))
    return list(dict.fromkeys([*named(links), *direct]))


def lies_on(device: str, disks: t.Iterable[str]) -> bool:
    """Whether a device is one of these disks, a partition of one, or made of one."""
    return any(_is_of(base, disk) for base in bases(device) for disk in disks)


def bases(device: str) -> list[str]:
    """A device, and those that it is made of: encryption, volume groups, arrays and file systems of several disks lie on top of the disks themselves."""
    real = os.path.realpath(device)
    return [base for one in (real, *_btrfs_members(os.path.basename(real))) for base in _stack(one)]


def _stack(device: str) -> list[str]:
    below = sorted(_names(BLOCKS, os.path.basename(device), "slaves"))
    return [device, *(base for name in below for base in _stack(_device(name)))]


def used_unmounted(disks: t.Iterable[str], explained: t.Iterable[str]) -> list[str]:
    """Devices on these disks that are in use, though none of the ``explained`` ones, which are mounted or swapped to.

    Such are ZFS, volumes without a file system, arrays that nobody mounts, and mounts that only a container sees. Raises OSError when that cannot be told.
    """
    known = {base for device in explained for base in bases(device)}
    plain = {os.path.realpath(disk) for disk in disks}
    tops = sorted({top for disk in plain for top in _tops(disk)} - known)
    return [top for top in tops if not any(_is_of(top, disk) for disk in plain) or _is_claimed(top)]


def separate(mounts: t.Iterable[str], devices: t.Mapping[str, str], first: str) -> list[str]:
    """These mount points without those that show what another one shows, too (bind mounts); ``first`` is kept rather than an equal one."""
    roots = _roots()
    kept: dict[tuple[str, int | None], list[str]] = {}
    for mount in sorted(mounts, key=lambda mount: mount != first):
        kept.setdefault((os.path.realpath(devices[mount]), _file_system(mount)), []).append(mount)
    chosen = {one for group in kept.values() for one in [mount for mount in group if roots.get(mount, "/") == "/"][:1] or group}
    return [mount for mount in mounts if mount in chosen]


def _is_of(device: str, disk: str) -> bool:
    """Whether a device is this disk, or a partition of it; not every guest has links to its partitions."""
    return re.fullmatch(re.escape(disk) + (r"(p[0-9]+)?" if disk[-1:].isdigit() else r"([0-9]+)?"), device) is not None


def _tops(device: str) -> list[str]:
    """What can be used of a device: itself, or else its partitions and what is made of it."""
    folder = os.path.join(BLOCKS, os.path.basename(device))
    above = [name for name in _names(folder) if os.path.exists(os.path.join(folder, name, "partition"))] + _names(folder, "holders")
    return [top for name in above for top in _tops(_device(name))] or [device]


def _is_claimed(device: str) -> bool:
    """Whether something has the device for itself: the kernel then lets nobody else open it exclusively."""
    try:
        if not stat.S_ISBLK(os.stat(device).st_mode):
            return False
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return True
        if error.errno not in _NOT_THERE:
            raise
    return False


def _btrfs_members(name: str) -> list[str]:
    for system in _names(BTRFS):
        members = _names(BTRFS, system, "devices")
        if name in members:
            return [_device(member) for member in sorted(members) if member != name]
    return []


def _roots() -> dict[str, str]:
    """Which folder of its file system each mount point shows."""
    try:
        with open(MOUNT_INFO, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            rows = [line.split(" ") for line in file if line.count(" ") > 4]
    except OSError:
        return {}
    return {plain(row[4]): plain(row[3]) for row in rows}


def plain(name: str) -> str:
    """The kernel writes blanks, backslashes and the like as a backslash and three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), name)


def _file_system(mount: str) -> int | None:
    try:
        return os.stat(mount).st_dev
    except OSError:
        return None


def _device(name: str) -> str:
    return os.path.realpath(os.path.join(DEV, name))


def _names(*folder: str) -> list[str]:
    try:
        return os.listdir(os.path.join(*folder))
    except OSError:
        return []


def _line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""
