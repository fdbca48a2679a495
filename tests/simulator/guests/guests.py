# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes, boots and halts guests: each a tree of processes in its own PID, mount and UTS namespaces."""

from __future__ import annotations

import re
import selectors
import shutil
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from simulator.guests.check import UNSHARE, find_problems, guest_python
from simulator.guests.disk import GuestError, check_spec, copy_etc, make_disk, make_key, remake_disk

SSH_PORT = 2222
BOOT_SECONDS = 20.0
HALT_SECONDS = 5.0
LOG_LINES = 20
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
SSH_OPTIONS = (
    "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes "
    "-o ServerAliveInterval=2 -o ServerAliveCountMax=2"
)


class Guests:
    """The guests of one state directory. Safe to use from several threads; work on one guest waits its turn.

    Every guest dies with this process, however that ends: it holds one end of a pipe the guest's pid 1 watches.
    """

    def __init__(self, state_dir: Path) -> None:
        self._root = Path(state_dir).resolve() / "guests"
        self._template = self._root / ".etc"
        self._key = self._root / ".ssh" / "id_ed25519"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()

    @staticmethod
    def check() -> list[str]:
        """What keeps this machine from running guests, one line each; empty is fine."""
        return find_problems()

    def describe(self) -> dict[str, Any]:
        """How to reach any guest: user, port, private_key, python, ssh_common_args, remote_tmp."""
        return {
            "user": "root",
            "port": SSH_PORT,
            "private_key": str(self._key),
            "python": str(guest_python()),
            "ssh_common_args": SSH_OPTIONS,
            "remote_tmp": "/run/ansible-tmp",
        }

    def create(self, name: str, address: str, spec: dict[str, Any]) -> None:
        """Make a guest's disk; one that is there already is kept as it is. Raises GuestError for a bad name or spec."""
        if not NAME.fullmatch(name):
            raise GuestError(f"guest {name!r}: a name is a host name in lower case")
        check_spec(name, spec)
        with self._lock_of(name):
            disk = self._root / name
            if disk.exists():
                return
            try:
                self._prepare()
                key = self._key.with_name(f"{self._key.name}.pub").read_text(encoding="ascii")
                make_disk(disk, self._template, name, address, spec, key)
            except (OSError, subprocess.CalledProcessError) as error:
                raise GuestError(f"guest {name}: cannot make its disk: {error}") from error

    def boot(self, name: str, address: str, boot_id: str | None = None) -> str:
        """Start a halted guest on `address`; returns its boot id once SSH answers. GuestError shows the console."""
        with self._lock_of(name):
            disk = self._disk(name)
            if self.running(name):
                raise GuestError(f"guest {name}: is running already")
            # Lets go of what a guest that died by itself has left.
            self.halt(name)
            chosen = boot_id or str(uuid.uuid4())
            (disk / "boot_id").write_text(f"{chosen}\n", encoding="ascii")
            try:
                self._running[name] = self._power_on(disk, address)
                self._wait_until_up(self._running[name], address)
            except (OSError, GuestError) as error:
                self.halt(name)
                raise GuestError(f"guest {name}: did not boot on {address}: {error}\n{self._console(disk)}") from error
            return chosen

    def running(self, name: str) -> bool:
        """Whether the guest is powered on."""
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def halt(self, name: str) -> None:
        """Cut the power: every process of the guest is gone when this returns. A halted guest stays halted."""
        with self._lock_of(name):
            process = self._running.pop(name, None)
            if process is None:
                return
            process.stdin.close()
            try:
                process.wait(HALT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    def wipe_os(self, name: str) -> None:
        """Give a halted guest the disk of its first day: an ephemeral OS disk after a redeploy."""
        with self._lock_of(name):
            disk = self._disk(name)
            if self.running(name):
                raise GuestError(f"guest {name}: halt it before its disk is wiped")
            remake_disk(disk, self._template)

    def stop_all(self) -> None:
        """Halt every guest, also one that another thread is booting just now; their disks stay."""
        for name in list(self._locks):
            self.halt(name)

    def _lock_of(self, name: str) -> threading.RLock:
        with self._lock:
            return self._locks.setdefault(name, threading.RLock())

    def _disk(self, name: str) -> Path:
        disk = self._root / name
        if not (disk / "spec.json").is_file():
            raise GuestError(f"guest {name}: was never created")
        return disk

    def _prepare(self) -> None:
        """What all guests share: the key to log in with and the copy of the machine's /etc."""
        with self._lock:
            self._root.mkdir(parents=True, exist_ok=True)
            if not self._key.exists():
                self._key.parent.mkdir(mode=0o700, exist_ok=True)
                make_key(self._key)
            if not self._template.exists():
                copy_etc(self._template)

    def _power_on(self, disk: Path, address: str) -> subprocess.Popen[bytes]:
        init = Path(__file__).with_name("init.py")
        command = [shutil.which(UNSHARE[0]) or UNSHARE[0], *UNSHARE[1:], str(guest_python()), "-I", str(init)]
        command += ["--disk", str(disk), "--name", disk.name, "--address", address]
        with (disk / "console.log").open("wb") as console:
            # Nothing of this process's environment: it may hold credentials. A session of its own: Ctrl-C is for us.
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=console,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
                start_new_session=True,
            )

    def _wait_until_up(self, process: subprocess.Popen[bytes], address: str) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        with selectors.DefaultSelector() as selector:  # select() itself ends at 1,024 open files
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(BOOT_SECONDS):
                raise GuestError(f"not up after {BOOT_SECONDS:.0f} s")
        if process.stdout.readline() != b"up\n":
            raise GuestError("its init ended")
        with socket.create_connection((address, SSH_PORT), timeout=max(1.0, deadline - time.monotonic())) as connection:
            if not connection.recv(64).startswith(b"SSH-2.0-"):
                raise GuestError("what listens is not SSH")

    @staticmethod
    def _console(disk: Path) -> str:
        lines: list[str] = []
        for log in (disk / "console.log", disk / "log" / "ssh.log"):
            if log.exists():
                lines += log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(lines)
