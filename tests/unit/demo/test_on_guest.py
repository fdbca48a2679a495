# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo takes for a mark on a guest is told by what is in a file, not by what the file is called."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from demo.scenarios import groups_of

SCRIPT = Path(__file__).parents[2] / "demo" / "on_guest.py"


def is_mark(path: Path) -> bool:
    """The function of the script, which as a whole runs on guests only."""
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, (ast.Import, ast.FunctionDef))]
    scope: dict = {}
    exec(compile(tree, str(SCRIPT), "exec"), scope)
    return scope["is_mark"](str(path))


@pytest.mark.parametrize(("text", "mark"), [
    (json.dumps({"run_id": "r", "undo": []}), True),
    (json.dumps({"run_id": "r", "undo": [{"provider": "services"}]}), True),
    (json.dumps({"phase": "drained"}), True),
    ('{"run_id": "r", "un', True),
    ("", True),
    (json.dumps({"runs": ["r-1", "r-2"]}), False),
    (json.dumps({"site": "ams", "rack": 4}), False),
    (json.dumps(["of", "somebody", "else"]), False),
], ids=["drained nothing yet", "drained", "watch", "half written", "empty", "finished runs", "own facts", "list"])
def test_a_mark_is_told_by_what_it_says(tmp_path: Path, text: str, mark: bool) -> None:
    for name in ("azure_maintenance.fact", "azure_maintenance_finished.fact", "site.fact"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        assert is_mark(path) is mark, name


def test_groups_are_read_from_the_graph() -> None:
    graph = "@all:\n  |--@ungrouped:\n  |--@maintenance_due:\n  |  |--web-01\n  |  |--web-02\n  |--@region_westeurope:\n  |  |--web-01\n"
    found = groups_of(graph)
    assert found["maintenance_due"] == ["web-01", "web-02"] and found["region_westeurope"] == ["web-01"]
