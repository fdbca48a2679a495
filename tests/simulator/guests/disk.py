# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest keeps on its disk, below STATE/guests/NAME: etc, srv, log, boot_id, spec.json."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import uuid
from pathlib import Path
from typing import Any

from simulator.guests.services import KINDS, SSHD_CONFIG, write_services

APPS = Path(__file__).parent / "apps"
FSTAB = "/dev/disk/cloud/azure_resource-part1 /mnt auto defaults,nofail,comment=cloudconfig 0 2\n"
SHADOW = "root:*:20000:0:99999:7:::\n"

# Not copied from the machine: credentials, places where people keep them, and what a guest has of its own.
OWN_OR_SECRET = {
    "ansible", "apt", "cron.d", "docker", "environment", "gitconfig", "group-", "gshadow", "gshadow-", "haproxy",
    "hostname", "hosts", "init.d", "kubernetes", "letsencrypt", "machine-id", "npmrc", "passwd-", "pip.conf",
    "rc0.d", "rc1.d", "rc2.d", "rc3.d", "rc4.d", "rc5.d", "rc6.d", "rcS.d", "shadow", "shadow-", "ssh", "ssl/private",
    "sudoers", "sudoers.d", "wireguard",
}  # fmt: skip
OWN_FOLDERS = (
    "ansible/facts.d", "default", "init.d", "ssh",
    "rc0.d", "rc1.d", "rc2.d", "rc3.d", "rc4.d", "rc5.d", "rc6.d", "rcS.d",
)  # fmt: skip


class GuestError(Exception):
    """A guest could not be made, booted or changed; the text says which and why."""


def check_spec(name: str, spec: dict[str, Any]) -> None:
    """Refuse a spec that would only fail at boot, or silently leave something out."""
    unknown = set(spec) - {"services", "balancer", *KINDS}
    unknown |= set(spec.get("services") or []) - set(KINDS)
    unknown |= {f"{kind}.{option}" for kind in KINDS for option in set(spec.get(kind) or {}) - KINDS[kind]}
    if unknown:
        raise GuestError(f"guest {name}: its spec names what is not known here: {', '.join(sorted(unknown))}")
    balancer = spec.get("balancer")
    if balancer and not ({"port", "backends"} <= set(balancer)):
        raise GuestError(f"guest {name}: a balancer needs `port` and `backends`")


def copy_etc(target: Path) -> None:
    """Copy the machine's /etc, but for what not everybody on the machine may read and for OWN_OR_SECRET."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    _copy_folder(Path("/etc"), partial, "")
    for folder in OWN_FOLDERS:
        (partial / folder).mkdir(parents=True, exist_ok=True)
    partial.rename(target)


def _copy_folder(source: Path, target: Path, below: str) -> None:
    target.mkdir(mode=0o755)
    for entry in os.scandir(source):
        path = f"{below}{entry.name}"
        mode = entry.stat(follow_symlinks=False).st_mode
        if path in OWN_OR_SECRET or not (mode & stat.S_IROTH):
            continue
        if stat.S_ISLNK(mode) or stat.S_ISREG(mode):
            shutil.copy2(entry.path, target / entry.name, follow_symlinks=False)
        elif stat.S_ISDIR(mode):
            _copy_folder(Path(entry.path), target / entry.name, f"{path}/")


def make_disk(disk: Path, template: Path, name: str, address: str, spec: dict[str, Any], authorized_key: str) -> None:
    """Build a new disk in one step: it is there whole or not at all."""
    partial = disk.with_name(f".{disk.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o755, parents=True)
    subprocess.run(["cp", "-a", str(template), str(partial / "etc")], check=True)
    for folder in ("srv", "srv/root", "log"):
        (partial / folder).mkdir(mode=0o755)
    shutil.copytree(APPS, partial / "srv" / "app", ignore=shutil.ignore_patterns("__pycache__"))
    # No execute bit: laid over systemctl it makes that one not installed.
    (partial / "masked").touch(mode=0o644)
    (partial / "spec.json").write_text(
        json.dumps({"address": address, "spec": spec, "authorized_key": authorized_key}), encoding="utf-8"
    )
    _write_identity(partial / "etc", name, address)
    _write_ssh(partial / "etc", authorized_key)
    write_services(partial / "etc", spec)
    partial.rename(disk)


def remake_disk(disk: Path, template: Path) -> None:
    """Throw a disk away and build it again as it was on the first day, with new host keys as a reimaged machine has."""
    kept = json.loads((disk / "spec.json").read_text(encoding="utf-8"))
    shutil.rmtree(disk)
    make_disk(disk, template, disk.name, kept["address"], kept["spec"], kept["authorized_key"])


def _write_identity(etc: Path, name: str, address: str) -> None:
    (etc / "hostname").write_text(f"{name}\n", encoding="ascii")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{address} {name}\n", encoding="ascii")
    (etc / "fstab").write_text(FSTAB, encoding="ascii")
    (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
    for secret in ("shadow", "gshadow"):
        (etc / secret).write_text(SHADOW if secret == "shadow" else "root:*::\n", encoding="ascii")
        (etc / secret).chmod(0o600)
    users = (etc / "passwd").read_text(encoding="utf-8").splitlines()
    # The machine's home folders stay visible, so the guest's root lives elsewhere, on its own disk.
    users = ["root:x:0:0:root:/srv/root:/bin/bash" if user.startswith("root:") else user for user in users]
    (etc / "passwd").write_text("\n".join([*users, ""]), encoding="utf-8")


def _write_ssh(etc: Path, authorized_key: str) -> None:
    (etc / "ssh" / "sshd_config").write_text(SSHD_CONFIG, encoding="ascii")
    (etc / "ssh" / "authorized_keys").write_text(authorized_key, encoding="ascii")
    make_key(etc / "ssh" / "ssh_host_ed25519_key")


def make_key(path: Path) -> None:
    """An ed25519 key pair without passphrase at `path` and `path`.pub."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "simulator", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
