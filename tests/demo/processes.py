# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that are started here and that never outlive this one, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def start(
    command: Sequence[str | Path], env: Mapping[str, str], out: IO[str] | None = None, *, background: bool = False
) -> subprocess.Popen[str]:
    """Start a command that ends when this process is killed; in the `background` Ctrl-C does not reach it."""
    return subprocess.Popen(
        [str(word) for word in command],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT if out else None,
        text=True,
        start_new_session=background,
        preexec_fn=_end_with_parent,
    )


def end(process: subprocess.Popen[str], seconds: float) -> int:
    """Ask a process to end, wait so many seconds, then kill it; returns its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends: workers of Ansible, masters of ssh."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_orphans(seconds: float = 5.0) -> None:
    """End, by pid, whatever is left of the descendants; killed when they take longer than so many seconds."""
    deadline = time.monotonic() + seconds
    while children := _children():
        for pid in children:
            _signal(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.05)


def _children() -> list[int]:
    """The living children of this process; dead ones are let go."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return []
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # pid (name) state parent ...; a name may hold blanks and brackets
            parent = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if int(parent) == os.getpid():
            found.append(int(stat.parent.name))
    return found


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
