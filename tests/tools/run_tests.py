# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the targets given, one after another, and ends with where the time went and a last line `N passed, N failed`.

Targets joined by `+` are made side by side; what each of them printed is shown when it has ended. The counts are those of the pytest
runs. A step that fails without a failed test (a linter, an installation) counts as one failure, so that the closing line never says
`0 failed` of a run that failed.
"""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "build" / "test"


def counts() -> tuple[int, int, int]:
    """Passed, failed and skipped tests over all the reports pytest wrote."""
    passed = failed = skipped = 0
    for report in REPORTS.glob("*.xml"):
        for suite in ElementTree.parse(report).iter("testsuite"):
            bad = int(suite.get("errors", 0)) + int(suite.get("failures", 0))
            left_out = int(suite.get("skipped", 0))
            passed += int(suite.get("tests", 0)) - bad - left_out
            failed += bad
            skipped += left_out
    return passed, failed, skipped


@dataclass
class Step:
    """One target being made. Side by side with others its output goes to a file."""

    target: str
    alone: bool
    status: int | None = None
    seconds: float = 0.0

    def start(self) -> None:
        """Begin."""
        print(f"==== make {self.target}", flush=True)
        self._began = time.monotonic()
        self.log = REPORTS / f"{self.target}.log"
        out = None if self.alone else self.log.open("w", encoding="utf-8")
        self._process = subprocess.Popen([os.environ.get("MAKE", "make"), self.target], cwd=ROOT, stdout=out, stderr=out and subprocess.STDOUT)

    def poll(self) -> bool:
        """Whether it has ended; the first time it has, show what it printed."""
        if self.status is None and (status := self._process.poll()) is not None:
            self.status, self.seconds = status, time.monotonic() - self._began
            if not self.alone:
                print(f"==== make {self.target}: {self.word} after {self.seconds:.0f} s\n{self.log.read_text(encoding='utf-8', errors='replace')}", flush=True)
        return self.status is not None

    def end(self, number: int | None) -> None:
        """Pass a signal on, unless Ctrl-C has reached it by itself, and wait: what tests started is theirs to end."""
        if number is not None:
            self._process.send_signal(number)
        self._process.wait()

    @property
    def word(self) -> str:
        """How it ended."""
        return "failed" if self.status else "passed"


def make(targets: list[str]) -> list[Step]:
    """Make targets side by side; returns them when all have ended."""
    steps = [Step(target, alone=len(targets) == 1) for target in targets]
    begun: list[Step] = []
    try:
        for step in steps:
            step.start()
            begun.append(step)
        while [step for step in steps if not step.poll()]:
            time.sleep(0.2)
    except (KeyboardInterrupt, SystemExit) as stop:
        for step in begun:
            step.end(signal.SIGTERM if isinstance(stop, SystemExit) else None)
        raise
    return steps


def main(groups: list[str]) -> int:
    """Stops behind the first group in which one fails; returns the exit status."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    began, steps = time.monotonic(), []
    for group in groups:
        steps += make(group.split("+"))
        if any(step.status for step in steps):
            break
    broken = [step for step in steps if step.status]
    passed, failed, skipped = counts()
    failed = max(failed, 1) if broken else failed
    print("====", *(f"{step.target:<16} {step.word} {step.seconds:6.1f} s" for step in broken or steps), sep="\n")
    print(f"{'in all':<16} {'':<6} {time.monotonic() - began:6.1f} s" + (f", {skipped} skipped" if skipped else ""))
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
