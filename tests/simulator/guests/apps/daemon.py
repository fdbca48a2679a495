# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a service into a daemon the SysV way: the starting command returns once the service listens."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path


def serve_until_term(pid_file: Path, serve: Callable[[], None], stop: Callable[[], None]) -> None:
    """Fork away, run `serve` in a thread until SIGTERM, then `stop`. Bind sockets before, start threads after."""
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    signal.sigwait({signal.SIGTERM})
    stop()
    pid_file.unlink(missing_ok=True)


def boot_id() -> str:
    """The boot id of the machine this runs on."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
