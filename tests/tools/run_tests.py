# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the targets given, one after another, and ends with a summary whose last line is `N passed, N failed`.

The counts are those of the pytest runs. A step that fails without a failed test (a linter, an installation) counts as one
failure, so that the closing line never says `0 failed` of a run that failed.
"""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
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


def make(target: str) -> tuple[bool, str]:
    """Makes one target; returns whether it succeeded and the line of the summary that says so."""
    print(f"==== make {target}", flush=True)
    began = time.monotonic()
    process = subprocess.Popen([os.environ.get("MAKE", "make"), target], cwd=ROOT)
    try:
        status = process.wait()
    except (KeyboardInterrupt, SystemExit) as stop:
        # Ctrl-C reaches the tests by itself; what they started is theirs to end, so wait
        if isinstance(stop, SystemExit):
            process.terminate()
        process.wait()
        raise
    word = "failed" if status else "passed"
    return status == 0, f"{target:<16} {word} {time.monotonic() - began:6.1f} s"


def main(targets: list[str]) -> int:
    """Stops at the first target that fails; returns the exit status."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    lines = []
    good = True
    for target in targets:
        good, line = make(target)
        lines.append(line)
        if not good:
            break
    passed, failed, skipped = counts()
    if not good:
        failed = failed or 1
        lines = lines[-1:]
    print("\n".join(["====", *lines]))
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if good and not failed else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
