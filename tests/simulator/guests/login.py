# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to a guest: what tests and the demo ask one directly, past Ansible. ``how`` is what Guests.describe() gives."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

_TALK = """\
import socket, sys
balancer = socket.socket(socket.AF_UNIX)
balancer.connect('/run/haproxy/admin.sock')
balancer.sendall(sys.argv[1].encode() + b'\\n')
print(balancer.makefile().read())
"""


def ssh_command(how: Mapping[str, Any], address: str) -> list[str]:
    """Return the command line of an SSH client; a command for the guest may follow."""
    options = ["-F", "none", "-i", str(how["private_key"]), "-p", str(how["port"]), *shlex.split(how["ssh_common_args"]), "-o", "BatchMode=yes"]
    return ["ssh", *options, f"{how['user']}@{address}"]


def ssh(how: Mapping[str, Any], address: str, command: str, seconds: float = 20) -> str:
    """Return what a command printed on a guest. Raises CalledProcessError when it failed, TimeoutExpired after these seconds."""
    done = subprocess.run([*ssh_command(how, address), command], check=True, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    return done.stdout.strip()


def ask_haproxy(how: Mapping[str, Any], address: str, command: str) -> str:
    """Return what the admin socket of a balancer answers."""
    return ssh(how, address, shlex.join([str(how["python"]), "-c", _TALK, command]))
