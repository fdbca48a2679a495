# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lint of retired words finds them in what people read, and nowhere else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "retired_words.py"
WORDS = {"left over": "recovery", "LOST": "FAILED", "alive": "active"}
spec = importlib.util.spec_from_file_location("retired_words", SCRIPT)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


@pytest.mark.parametrize("name, text, found", [
    ("page.md", "A run\nthat is alive, and what was left\nover.\n", [(2, "left over"), (2, "alive")]),
    ("page.md", "The key `alive`, the variable left_over.alive, and lost hosts.\n", []),
    ("tasks.yml", "# alive\n- name: Say it\n  debug: {msg: LOST web-01}\n", [(3, "LOST")]),
    ("code.py", '"""A run is alive."""\nalive = f"{alive} is alive"  # alive\nkey = "alive"\n', [(2, "alive")]),
])
def test_what_is_found(tmp_path: Path, name: str, text: str, found: list[tuple[int, str]]) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert [(line, word) for line, word, dummy in tool.findings(path, WORDS)] == found
