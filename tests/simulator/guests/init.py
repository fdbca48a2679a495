# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pid 1 of a guest: builds the guest's view of the machine, starts its services, dies when its lifeline closes.

Runs as a script inside fresh PID, mount and UTS namespaces, with /proc already the guest's own. Standard input is the
lifeline: a pipe whose other end only the simulator holds. End of file there means power off, and the kernel ends
everything in a PID namespace together with its pid 1. Standard output takes one line, `up`, once SSH listens.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

MS_NOSUID, MS_NODEV, MS_BIND = 2, 4, 4096
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RUNLEVEL = Path("/etc/rc2.d")
TEMPORARY_DISK_WARNING = """\
This is a temporary disk. Whatever is kept here is lost without warning
when the machine moves to another host, as a redeploy makes it do.
"""

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, filesystem: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """Call mount(2); raises OSError that names the target."""
    encoded = [None if text is None else text.encode() for text in (source, target, filesystem, data)]
    if _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def build_view(disk: Path) -> None:
    """Put the guest's own files over the machine's; what is mounted last may hide the place the rest came from."""
    systemctl = shutil.which("systemctl", path=PATH)
    if systemctl:
        # Without this Ansible sees an offline systemd (/sbin/init links to it) and drives the wrong service manager.
        mount(str(disk / "masked"), os.path.realpath(systemctl), flags=MS_BIND)
    mount(str(disk / "boot_id"), "/proc/sys/kernel/random/boot_id", flags=MS_BIND)
    for name, target in (("log", "/var/log"), ("srv", "/srv"), ("etc", "/etc")):
        mount(str(disk / name), target, flags=MS_BIND)
    # Named as on Azure: Ansible's mount facts leave out what has no device.
    mount("/dev/sdb1", "/mnt", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=755")
    Path("/mnt/DATALOSS_WARNING_README.txt").write_text(TEMPORARY_DISK_WARNING, encoding="ascii")
    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=755")
    for folder in ("sshd", "lock", "guest"):
        Path("/run", folder).mkdir(mode=0o755)


def start_services(environment: dict[str, str]) -> None:
    """Start what is enabled, in the runlevel's order; only SSH is needed for a boot to count as one."""
    lines = [f"export {key}={shlex.quote(value)}" for key, value in environment.items()]
    Path("/run/guest/env").write_text("\n".join([*lines, ""]), encoding="utf-8")
    for link in sorted(RUNLEVEL.glob("S[0-9][0-9]*")):
        done = subprocess.run(
            [str(link), "start"], stdin=subprocess.DEVNULL, stdout=sys.stderr, env={"PATH": PATH, "LANG": "C.UTF-8"}, check=False
        )
        print(f"init: {link.name} start: {done.returncode}", file=sys.stderr, flush=True)
        if done.returncode != 0 and link.name.endswith("ssh"):
            raise RuntimeError(f"sshd did not start on {environment['GUEST_ADDRESS']}")


def reap_until_power_off() -> None:
    """Collect orphans, as a pid 1 must, until the lifeline closes."""
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        ready = select.select([0, wake_read], [], [])[0]
        if wake_read in ready:
            os.read(wake_read, 4096)
        if 0 in ready and not os.read(0, 1):
            return


def main() -> None:
    """Boot, say so, and stay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--disk", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--address", required=True)
    options = parser.parse_args()
    os.chdir("/")
    os.umask(0o022)
    build_view(options.disk)
    socket.sethostname(options.name)
    # Ansible takes any other name for the name of a service manager.
    Path("/proc/self/comm").write_text("init", encoding="ascii")
    start_services({"GUEST_NAME": options.name, "GUEST_ADDRESS": options.address, "GUEST_PYTHON": sys.executable})
    os.write(1, b"up\n")
    os.close(1)
    reap_until_power_off()


if __name__ == "__main__":
    try:
        main()
    except (OSError, RuntimeError) as error:
        sys.exit(f"init: {error}")
    # Not sys.exit: nothing is to run between the power going and the kernel ending the guest.
    os._exit(0)
