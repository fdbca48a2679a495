# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command and says what it cost: wall time, processor time, peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KILO = 1024  # ru_maxrss counts kibibytes on Linux


class Failed(Exception):
    """A command that ended badly; the message has the end of what it said."""


@dataclass(frozen=True)
class Cost:
    """``seconds`` of wall time, ``cpu`` seconds, ``peak_mb`` of the largest process, ``requests`` it made to the cloud."""

    seconds: float
    cpu: float
    peak_mb: float
    requests: int | None = None

    @classmethod
    def median(cls, costs: Sequence[Cost]) -> Cost:
        """Median of the times, the worst of the memory; the requests of the last run."""
        return cls(statistics.median(cost.seconds for cost in costs), statistics.median(cost.cpu for cost in costs),
                   max(cost.peak_mb for cost in costs), costs[-1].requests)


def run(command: Sequence[str | Path], env: Mapping[str, str], cwd: Path, output: Path) -> Cost:
    """Run to the end with its output in files ``output`` and ``output``.err; raises Failed unless it ends with 0."""
    errors = output.with_name(output.name + ".err")
    with output.open("wb") as out, errors.open("wb") as err:
        began = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        dummy, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = (errors.read_text(errors="replace") or output.read_text(errors="replace"))[-2000:]
        raise Failed(f"{' '.join(map(str, command))} ended with {process.returncode}: {said}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _KILO)
