# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on guests: Python 3.9 and its standard library, by its source and in a real run."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from unit.plugins.mark_controller import Controller, Play

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
UTILS = PLUGINS / "module_utils"
FILES = [*sorted((UTILS / "_guest").glob("*.py")), UTILS / "_bounds.py", UTILS / "_files.py",
         *(PLUGINS / "modules" / f"{name}.py" for name in ("balancer_info", "guest_info", "maintenance_mark"))]
OURS = "ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest"
COLLECTION = "fleetops.azure_maintenance."


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_grammar_and_its_imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = {(node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
             for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, "level", 0) for alias in node.names}
    assert "__future__" in names, "annotations are not evaluated"
    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name in foreign if not name.startswith(OURS)} <= {"ansible.module_utils.basic"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_union_of_types_is_evaluated(path):
    """Such as an alias X = str | None, which Python 3.9 cannot make."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    annotations = [part for node in ast.walk(tree) for part in (getattr(node, "annotation", None), getattr(node, "returns", None)) if part]
    lazy = {id(node) for part in annotations for node in ast.walk(part)}
    unions = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and id(node) not in lazy]
    for union in unions:
        for side in (union.left, union.right):
            text = ast.unparse(side)
            types = {"str", "int", "bool", "dict", "list", "set", "tuple", "Callable", "Mapping"}
            assert text != "None" and text.split("[", maxsplit=1)[0].rpartition(".")[2] not in types


def old_python() -> str | None:
    """A Python 3.9 that starts, if this machine has one."""
    versions = Path(os.environ["PYENV_ROOT"], "versions").glob("3.9.*/bin/python3.9") if "PYENV_ROOT" in os.environ else ()
    for place in [*versions, shutil.which("python3.9")]:
        if place and subprocess.run([str(place), "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(place)
    return None


def test_the_modules_run_on_it(tmp_path):
    python = old_python()
    if python is None:
        pytest.skip("no Python 3.9 on this machine: only parsed with its grammar")
    old = {"vars": {"ansible_python_interpreter": python}}
    said = Controller(tmp_path).run("old", {"old": Play([
        ("version", {"ansible.builtin.command": f"{python} --version", "changed_when": False}),
        ("info", {f"{COLLECTION}guest_info": {"temp_disk": str(tmp_path), "ports": [1]}, **old}),
        ("written", {f"{COLLECTION}maintenance_mark": {"run_id": "one", "undo": []}, **old}),
        ("foreign", {f"{COLLECTION}maintenance_mark": {"run_id": "two"}, **old}),
        ("noted", {f"{COLLECTION}maintenance_mark": {
            "run_id": "one", "haproxy": {"host": "x", "server": "x", "backends": ["x"], "socket": f"{tmp_path}/none"}}, **old}),
        ("asked", {f"{COLLECTION}balancer_info": {"backends": ["x"], "socket": f"{tmp_path}/none"}, **old}),
        ("gone", {f"{COLLECTION}maintenance_mark": {"run_id": "one", "state": "absent"}, **old})])})["old"]["here"]
    assert said["version"]["stdout"].startswith("Python 3.9.")
    assert (len(said["info"]["boot_id"]), said["info"]["temp_disk"]["mounted"], said["info"]["listening"]) == (36, False, [])
    assert said["written"]["mark"]["run_id"] == "one" and said["foreign"]["foreign"]["run_id"] == "one" and said["gone"]["changed"]
    assert "cannot be asked" in said["noted"]["msg"] and "cannot be asked" in said["asked"]["msg"]
