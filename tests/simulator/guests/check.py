# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this machine can run guests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--mount-proc", "--propagation", "private"]
PACKAGES = {
    "/usr/sbin/sshd": "openssh-server",
    "/usr/sbin/haproxy": "haproxy",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "service": "init-system-helpers",
}
HIDDEN = ("/etc", "/mnt", "/run", "/srv", "/var/log", "/proc")


def guest_python() -> Path:
    """The interpreter guests use: the one behind the virtual environment, which needs no file of the checkout."""
    return Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))


def find_problems() -> list[str]:
    """One line per thing that is missing; empty when guests can run."""
    if not sys.platform.startswith("linux"):
        return ["guests need Linux"]
    problems = [
        f"{Path(tool).name} is missing: apt-get install {package}"
        for tool, package in PACKAGES.items()
        if not shutil.which(tool, path=PATH)
    ]
    for needed in (guest_python(), Path(__file__).resolve()):
        if str(needed).startswith(tuple(f"{folder}/" for folder in HIDDEN)):
            problems.append(f"{needed} is out of a guest's sight: guests have their own {', '.join(HIDDEN)}")
    problems.extend(f"{folder} is missing: mkdir {folder}" for folder in ("/mnt", "/srv") if not Path(folder).is_dir())
    if os.geteuid() != 0:
        problems.append(
            "guests need root: they mount file systems and let root log in (run as root, or without guests)"
        )
    elif shutil.which("unshare", path=PATH):
        trial = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if trial.returncode != 0:
            problems.append(f"guests need namespaces: {trial.stderr.strip() or 'unshare failed'}")
    return problems
