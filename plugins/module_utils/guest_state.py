# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Linux guest is like right now. Runs on the guest: standard library only, Python 3.9 or newer, read-only.

Every reading that cannot be made raises :class:`GuestError` with the thing and the remedy: silence must not look like health.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import typing as t

BOOT_ID = "/proc/sys/kernel/random/boot_id"
MOUNTS = "/proc/self/mounts"
SWAPS = "/proc/swaps"
BLOCKS = "/sys/class/block"
INIT_SCRIPTS = "/etc/init.d"
RESOURCE_LINKS = ("/dev/disk/cloud/azure_resource-part1", "/dev/disk/cloud/azure_resource", "/dev/disk/azure/resource-part1", "/dev/disk/azure/resource")
"""Links that Azure's agent and cloud-init's udev rules make to the temporary disk."""
USUAL_PLACES = ("/mnt", "/mnt/resource")
"""Where cloud-init and Azure's agent mount it."""
KEPT = ".azure_maintenance_kept_in_"
"""How the file begins by which the drain tells whether the disk was emptied since it was packed."""
WARNING_FILES = ("DATALOSS_WARNING_README.txt", "DATA_LOSS_WARNING_README.txt")
MOST_FILES = 20000
SHOWN_FILES = 10
_LISTEN = "0A"
_MAPPED = bytes(10) + b"\xff\xff"

Run = t.Callable[..., t.Tuple[int, str, str]]
"""AnsibleModule.run_command: (exit status, standard output, standard error)."""


class GuestError(Exception):
    """Something on the guest cannot be read; the text says what and what to do."""


def boot_id(path: str = BOOT_ID) -> str:
    """Changes with every boot and with nothing else."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError as error:
        raise GuestError(f"the boot id {path} cannot be read ({error}); is this a Linux guest?") from None


# -- services --------------------------------------------------------------------------------------------------------


def has_systemd() -> bool:
    """Whether systemd is the service manager that runs."""
    return os.path.isdir("/run/systemd/system")


def service_manager(init: str = "/proc/1/comm") -> str:
    """``systemd`` or ``sysvinit``, as ansible.builtin.service calls them; ``auto`` where it had better look itself."""
    if has_systemd():
        return "systemd"
    try:
        with open(init, encoding="ascii", errors="replace") as file:
            name = file.read().strip()
    except OSError:
        return "auto"
    return "sysvinit" if name == "init" and os.path.isdir("/etc/init.d") and not os.path.exists("/sbin/openrc") and os.path.isdir("/etc/rc2.d") else "auto"


def service_states(names: t.Iterable[str], run: Run) -> dict[str, str]:
    """``running``, ``stopped`` or ``missing`` by service."""
    names = list(names)
    return {name: (_systemd_state if has_systemd() else _sysv_state)(name, run) for name in names}


def _systemd_state(name: str, run: Run) -> str:
    status, out, err = run(["systemctl", "show", "--property=LoadState,ActiveState", "--", name])
    if status != 0:
        raise GuestError(f"systemctl cannot tell about {name}: {err.strip() or out.strip()}")
    facts = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    if facts.get("LoadState") in ("not-found", "bad-setting", "error"):
        return "missing"
    if not facts.get("ActiveState"):
        raise GuestError(f"systemctl says nothing about {name}; see what systemctl show {name} says on this guest")
    # On its way up or down counts as running: it is somebody's to stop, and to start again.
    return "stopped" if facts["ActiveState"] in ("inactive", "failed", "maintenance") else "running"


def _sysv_state(name: str, run: Run) -> str:
    if not os.path.exists(f"{INIT_SCRIPTS}/{name}"):
        return "missing"
    status, out, err = run(["service", name, "status"])
    if status == 4:  # the LSB's number for unknown
        raise GuestError(f"service {name} status cannot tell: {err.strip() or out.strip() or 'no reason given'}; become root for it")
    return "running" if status == 0 else "stopped"


def failed_units(run: Run) -> list[str]:
    """Units of systemd that have failed; [] where another service manager runs."""
    if not has_systemd():
        return []
    status, out, err = run(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--full"])
    if status != 0:
        raise GuestError(f"systemctl cannot list failed units: {err.strip() or out.strip()}")
    return sorted(line.lstrip("●* ").split()[0] for line in out.splitlines() if line.strip("●* "))


# -- ports -----------------------------------------------------------------------------------------------------------


def listening(address: str, ports: t.Iterable[int], tables: t.Iterable[str] = ("/proc/net/tcp", "/proc/net/tcp6")) -> list[int]:
    """Those of the ports on which something listens at this address, or at all addresses."""
    wanted = set(ports)
    try:
        own = {row[4][0].partition("%")[0] for row in socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise GuestError(f"the address {address} of the ports means nothing on this guest: {error}") from None
    # A listener on :: takes IPv4 as well, unless it says no to that; the kernel's tables do not tell.
    own |= {"::"} | ({"0.0.0.0"} if any("." in one for one in own) else set())
    return sorted({port for where, port in _listeners(tables) if port in wanted and where in own})


def foreign(addresses: t.Iterable[str]) -> list[str]:
    """Those of the addresses, or names, that are none of this guest's own: nothing can be bound to them."""
    return [address for address in addresses if not _is_own(address)]


def _is_own(address: str) -> bool:
    try:
        rows = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    for family, kind, protocol, dummy, place in rows:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(place)
                return True
        except OSError:
            continue
    return False


def _listeners(tables: t.Iterable[str]) -> t.Iterator[tuple[str, int]]:
    for number, table in enumerate(tables):
        try:
            with open(table, encoding="ascii") as file:
                rows = file.read().splitlines()[1:]
        except OSError as error:
            if number and isinstance(error, FileNotFoundError):
                continue  # a kernel without IPv6 has no second table
            raise GuestError(f"which ports are listened on cannot be read: {error}") from None
        for row in rows:
            cells = row.split()
            if cells[3] == _LISTEN:
                host, dummy, port = cells[1].partition(":")
                yield _address(host), int(port, 16)


def _address(digits: str) -> str:
    """An address of the kernel's tables, which keep it in words of the machine's byte order. IPv4 in IPv6's clothes counts as IPv4."""
    words = [int(digits[start:start + 8], 16) for start in range(0, len(digits), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    if len(words) == 1 or packed.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[-4:])
    return socket.inet_ntop(socket.AF_INET6, packed)


# -- the temporary disk ----------------------------------------------------------------------------------------------


def mounts(path: str = MOUNTS) -> dict[str, str]:
    """Device by mount point; of several mounts on one point the last, which hides the others."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            rows = [line.split(" ") for line in file if line.count(" ") > 1]
    except OSError as error:
        raise GuestError(f"the mounts {path} cannot be read ({error}); is this a Linux guest?") from None
    return {_plain(row[1]): _plain(row[0]) for row in rows}


def _plain(name: str) -> str:
    """The kernel writes blanks, backslashes and the like as a backslash and three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), name)


def temporary_disk(mount: str, devices: t.Mapping[str, str], links: t.Iterable[str] = RESOURCE_LINKS, swaps: str = SWAPS) -> dict[str, t.Any]:
    """What would be lost with the temporary disk at ``mount``, or wherever else it is mounted: ``mount`` of the answer tells.

    ``mounted`` is False when nothing is mounted there, or what is mounted is another disk than the one that Azure's udev
    links name. ``certain``: those links name it, or the vendor's warning lies on it. ``in_use``: files besides swap and
    that warning; ``files`` the first of them, ``bytes`` of all.
    """
    place = mount if mount in devices else os.path.realpath(mount)  # a slash at its end, or a link to it
    known = [os.path.realpath(link) for link in links if os.path.exists(link)]
    if known:
        mounted = [where for where, device in devices.items() if any(_is_of(base, disk) for base in _bases(device) for disk in known)]
        certain = True
    else:
        mounted = [where for where in (place, *USUAL_PLACES) if where in devices and any(os.path.exists(os.path.join(where, name)) for name in WARNING_FILES)]
        certain = bool(mounted)
        mounted = mounted or [place] * (place in devices)
    if place not in mounted and mounted:
        mount = place = mounted[0]
    facts: dict[str, t.Any] = {"mount": mount, "device": devices.get(place), "mounted": bool(mounted), "certain": certain and bool(mounted), "in_use": False,
                               "files": [], "bytes": 0, "count": 0}
    if not mounted:
        return facts
    swapping = _swap_files(swaps)
    for path in _files(place):
        name = os.path.basename(path)
        if os.path.realpath(path) in swapping or (os.path.dirname(path) == place and (name in WARNING_FILES or name.startswith(KEPT))):
            continue
        facts["count"] += 1
        if len(facts["files"]) < SHOWN_FILES:
            facts["files"].append(path)
        try:
            facts["bytes"] += os.lstat(path).st_size
        except OSError:
            pass  # gone while we looked: nothing that could be lost
        if facts["count"] >= MOST_FILES:
            break
    return {**facts, "in_use": facts["count"] > 0}


def _is_of(device: str, disk: str) -> bool:
    """Whether a device is this disk, or a partition of it; not every guest has links to its partitions."""
    return re.fullmatch(re.escape(disk) + r"(p?[0-9]+)?", device) is not None


def _bases(device: str, blocks: str = BLOCKS) -> list[str]:
    """A device, and those that it is made of: disk encryption, volume groups and arrays lie on top of the disk itself."""
    real = os.path.realpath(device)
    try:
        below = os.listdir(os.path.join(blocks, os.path.basename(real), "slaves"))
    except OSError:
        below = []
    return [real, *(base for name in sorted(below) for base in _bases(f"/dev/{name}", blocks))]


def _unreadable(error: OSError) -> GuestError:
    return GuestError(f"what is on the temporary disk cannot be read ({error}); become root for it, or set verify_temp_disk to an empty string")


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # gone while we looked: nothing that could be lost
        raise _unreadable(error)


def _files(mount: str) -> t.Iterator[str]:
    """Everything that is no folder, on this one file system. Raises GuestError for a folder that cannot be read."""
    try:
        device = os.stat(mount).st_dev
    except OSError as error:
        raise _unreadable(error) from None
    for folder, folders, files in os.walk(mount, onerror=_refuse):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = sorted(name for name in folders if (folder, name) != (mount, "lost+found") and _is_on(os.path.join(folder, name), device))
        for name in sorted([*files, *links]):
            yield os.path.join(folder, name)


def _is_on(folder: str, device: int) -> bool:
    try:
        return os.lstat(folder).st_dev == device
    except OSError as error:
        _refuse(error)
        return False


def _swap_files(path: str) -> set[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return {os.path.realpath(_plain(line.split()[0])) for line in file.read().splitlines()[1:] if line.split()}
    except OSError:
        return set()
