# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Linux guest is like right now. Runs on the guest: standard library only, Python 3.9 or newer, read-only.

Every reading that cannot be made raises :class:`GuestError` with the thing and the remedy: silence must not look like health.
"""

from __future__ import annotations

import os
import socket
import struct
import typing as t

from . import block_devices

BOOT_ID = "/proc/sys/kernel/random/boot_id"
MOUNTS = "/proc/self/mounts"
SWAPS = "/proc/swaps"
INIT_SCRIPTS = "/etc/init.d"
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
    return {block_devices.plain(row[1]): block_devices.plain(row[0]) for row in rows}


def temporary_disk(mount: str, devices: t.Mapping[str, str], links: t.Iterable[str] = block_devices.RESOURCE_LINKS,
                   swaps: str = SWAPS, local: t.Iterable[str] = block_devices.LOCAL_LINKS) -> dict[str, t.Any]:
    """What would be lost with the temporary disks: the SCSI one at ``mount`` or wherever it is mounted, and all local NVMe disks.

    ``disks`` of the answer has one entry for each place where one is mounted, and for each device on one that is in use without a mount (``mount`` is
    None). ``in_use``: files besides swap and the vendor's warning; ``files`` the first of them, ``bytes`` and ``count`` of all. ``certain``: Azure's udev
    links or the disk's model name it, or the vendor's warning lies on it. ``local``: it lies on a local NVMe disk. The answer itself sums them up, and its
    ``mount``, ``device`` and ``certain`` are those of the entry that matters most. ``mounted`` is False when none is mounted; at ``mount`` is then another
    disk, or nothing.
    """
    place = mount if mount in devices else os.path.realpath(mount)  # a slash at its end, or a link to it
    swapping = _swaps(swaps)
    direct = block_devices.local_disks(local)
    entries = [{"mount": mount if where == place else where, "device": devices[where], "certain": certain,
                "local": block_devices.lies_on(devices[where], direct), **_content(where, swapping)}
               for where, certain in _places(place, devices, block_devices.named(links), direct).items()]
    try:
        used = block_devices.used_unmounted([*block_devices.named(links), *direct], [*devices.values(), *swapping])
    except OSError as error:
        raise _unreadable(error) from None
    entries += [{"mount": None, "device": device, "certain": True, "local": block_devices.lies_on(device, direct), "in_use": True,
                 "files": [], "bytes": 0, "count": 0} for device in used]
    nothing = {"mount": mount, "device": devices.get(place), "certain": False}
    main = min((entry for entry in entries if entry["mount"]), key=lambda entry: (not entry["in_use"], entry["mount"] != mount), default=nothing)
    return {
        **{name: main[name] for name in ("mount", "device", "certain")},
        "mounted": main is not nothing, "in_use": any(entry["in_use"] for entry in entries),
        "files": [path for entry in entries for path in entry["files"]][:SHOWN_FILES],
        **{name: sum(entry[name] for entry in entries) for name in ("bytes", "count")}, "disks": entries}


def _places(place: str, devices: t.Mapping[str, str], resource: list[str], local: list[str]) -> dict[str, bool]:
    """Where temporary disks are mounted, and whether that is certain. ``resource``: the SCSI one, if links name it."""
    found = {where: True for where in devices if block_devices.lies_on(devices[where], [*resource, *local])}
    if not resource:  # no links to a SCSI one: there is none, or the image does not make them
        warned = [where for where in (place, *USUAL_PLACES) if where in devices and any(os.path.exists(os.path.join(where, name)) for name in WARNING_FILES)]
        found.update(dict.fromkeys(warned, True) or {where: False for where in (place,) if where in devices and where not in found})
    return {where: found[where] for where in block_devices.separate(found, devices, place)}


def _content(place: str, swapping: set[str]) -> dict[str, t.Any]:
    """What is on the disk that is mounted there."""
    facts: dict[str, t.Any] = {"in_use": False, "files": [], "bytes": 0, "count": 0}
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


def _swaps(path: str) -> set[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return {os.path.realpath(block_devices.plain(line.split()[0])) for line in file.read().splitlines()[1:] if line.split()}
    except OSError:
        return set()
