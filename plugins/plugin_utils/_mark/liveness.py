# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a mark, and whether that run is still alive. Runs on the controller; standard library only.

A run on this very machine is alive if its process is, or one that it left behind: when ansible-playbook is killed, its workers go on
with what they are at. Of any other machine's run only the time tells: each step writes into the mark until when it may take at most.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import socket
import typing as t

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def process_of(pid: int) -> dict[str, t.Any]:
    """What tells a process from every other one, also after its number was given to somebody else."""
    return {"machine": _machine(), "pid": pid, "started": _started(pid), "command": _command(pid)}


def run_process() -> dict[str, t.Any]:
    """The run that this worker is of: its parent, unless that is gone. Then it is its own, for the process that took it in lives on."""
    parent = os.getppid()
    taken_in = _takes_in_orphans(parent) and not _same(_command(parent), _command(os.getpid()))
    return process_of(os.getpid() if taken_in else parent)


def _machine() -> str:
    """This boot of this machine and, in containers, this set of process numbers."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str | None:
    """When the process began, in the kernel's ticks; None when there is no such process, or no way to tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else fields[19]


def _runs(process: t.Mapping[str, t.Any]) -> bool:
    pid, started = int(process["pid"]), process.get("started")
    if started is not None and os.path.exists(f"/proc/{pid}/stat"):
        return _started(pid) == started
    try:  # No /proc, or one that hides the processes of others: the number is all there is to go by.
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return started is None


def _command(pid: int) -> str | None:
    """Digests of command line and working directory, which workers have in common with the process they are forks of.

    That of the directory is empty where it may not be read, as for processes of other users.
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read()
    except OSError:
        return None
    try:
        folder = _digest(os.fsencode(os.readlink(f"/proc/{pid}/cwd")))
    except OSError:
        folder = ""
    return f"{_digest(words)}:{folder}" if words else None


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


def _same(one: str | None, other: str | None) -> bool:
    """Whether two commands are the same, as far as can be told."""
    if not one or not other:
        return False
    return all(left == right or not left or not right for left, right in zip(one.split(":"), other.split(":")))


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _takes_in_orphans(pid: int) -> bool:
    """Init, and systemd's for the session of one user."""
    if pid == 1:
        return True
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip() == "systemd"
    except OSError:
        return False


def _left_behind(process: t.Mapping[str, t.Any]) -> t.Iterator[int]:
    """Orphans that do the same; not this run itself, which may well be the same command once more."""
    command = process.get("command")
    if not isinstance(command, str) or not os.path.isdir("/proc/self"):
        return
    own = {os.getpid(), os.getppid(), _parent(os.getppid())}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in own and _same(_command(int(name)), command) and _takes_in_orphans(_parent(int(name))):
            if _started(int(name)) is not None:
                yield int(name)


def stamp(now: dt.datetime, seconds: float = 0) -> str:
    """A time in a mark: ISO 8601 UTC."""
    return (now + dt.timedelta(seconds=seconds)).astimezone(dt.timezone.utc).strftime(_FORMAT)


def alive_because(mark: t.Mapping[str, t.Any], now: dt.datetime) -> str | None:
    """Why the run of a mark must be taken for alive, in words; None when it is dead.

    A mark without a time limit is that of a program which could not write one: dead.
    """
    process = mark.get("process")
    if isinstance(process, dict) and process.get("machine") == _machine() and str(process.get("pid")).isdigit():
        if _runs(process):
            return f"its process {process['pid']} runs on this machine"
        left = next(_left_behind(process), None)
        return f"its process {process['pid']} is gone, but a worker of it, process {left}, still works on this machine" if left else None
    try:
        ends = dt.datetime.strptime(str(mark.get("expires")), _FORMAT).replace(tzinfo=dt.timezone.utc)
    except ValueError:
        return None
    return f"its step may take until {mark['expires']}" if ends > now else None


def describe(mark: t.Mapping[str, t.Any]) -> str:
    """Whose mark it is and how far it got, for people."""
    return (f"run {mark.get('run_id', '?')} of {mark.get('owner', '?')}, step {mark.get('step', '?')}, since {mark.get('since', '?')}, "
            f"last written {mark.get('heartbeat', '?')}")
