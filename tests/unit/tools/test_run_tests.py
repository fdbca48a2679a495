# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make test` says at its end: where the time went, and a last line that never calls a failed run a good one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "run_tests.py"
MAKE = """#!/bin/sh
echo "output of $1"
case $1 in bad) exit 3 ;; pytest) echo '<testsuites><testsuite tests="5" failures="0" errors="0" skipped="1"/></testsuites>' >{reports}/units.xml ;; esac
"""


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with a make of our own and a folder of its own."""
    spec = importlib.util.spec_from_file_location("run_tests", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "run_tests", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "REPORTS", tmp_path / "reports")
    make = tmp_path / "make"
    make.write_text(MAKE.format(reports=tmp_path / "reports"), encoding="utf-8")
    make.chmod(0o755)
    monkeypatch.setenv("MAKE", str(make))
    return module


def test_side_by_side_and_one_after_another(runner: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["one+two", "pytest"]) == 0
    out = capfd.readouterr().out
    assert {"output of one", "output of two", "output of pytest"} <= set(out.splitlines())
    assert out.index("output of two") < out.index("==== make pytest")
    assert [line.split()[:2] for line in out.splitlines()[-5:-2]] == [["one", "passed"], ["two", "passed"], ["pytest", "passed"]]
    assert out.splitlines()[-2].startswith("in all") and "1 skipped" in out.splitlines()[-2]
    assert out.splitlines()[-1] == "4 passed, 0 failed"


def test_a_step_that_fails_is_named_counted_and_the_last(runner: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["pytest+bad", "never"]) == 1
    out = capfd.readouterr().out
    assert "output of bad" in out and "output of never" not in out
    assert out.splitlines()[-3].split()[:2] == ["bad", "failed"] and out.splitlines()[-1] == "4 passed, 1 failed"
