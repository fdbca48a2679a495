# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which package of the simulator may import which: arrows go down only. Read from the source, types included; nothing is imported."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
SIMULATOR = TESTS / "simulator"
# The drawing in tests/simulator/README.md: a package and all those below it that it may use.
BELOW = {
    "wire": set(),
    "fleet": {"wire"},
    "runtime": {"wire", "fleet"},
    "views": {"wire", "fleet", "runtime"},
    "imds": {"wire", "fleet", "runtime"},
    "api": {"wire", "fleet", "runtime", "views", "imds"},
    "guests": set(),
}
TOP = {"__init__.py", "__main__.py", "server.py", "store.py", "measure.py"}


def imported(path):
    """The modules that a file imports, anywhere in it, by their full names; of ``from . import a`` it is a's."""
    here = list(path.relative_to(TESTS).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else []
            base += node.module.split(".") if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


def packages(path):
    """The packages of the simulator that a file uses besides its own; "server" and the like for files at the top."""
    used = {name.split(".")[1] for name in imported(path) if name.startswith("simulator.")}
    return used - {path.parent.name}


def files(folder):
    return sorted(path for path in folder.rglob("*.py") if "apps" not in path.parts)


def test_every_file_is_in_a_package():
    assert {path.name for path in SIMULATOR.glob("*.py")} == TOP
    assert {path.parent.name for path in files(SIMULATOR)} == {*BELOW, "simulator"}


@pytest.mark.parametrize("path", [path for name in BELOW for path in files(SIMULATOR / name)], ids=lambda path: str(path.relative_to(SIMULATOR)))
def test_arrows_go_down(path):
    assert packages(path) <= BELOW[path.parent.name]


def test_only_the_command_line_knows_the_guests():
    """The simulator is given an object; a test gives one that boots nothing."""
    assert {path.name for path in SIMULATOR.glob("*.py") if "guests" in packages(path)} == {"__main__.py"}


@pytest.mark.parametrize("path", files(TESTS / "kubeapi"), ids=lambda path: path.name)
def test_the_kubernetes_api_stands_beside_it(path):
    assert packages(path) <= {"wire"}


@pytest.mark.parametrize("path", files(TESTS / "unit"), ids=lambda path: str(path.relative_to(TESTS)))
def test_unit_tests_need_neither_benchmarks_nor_integration(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"benchmarks", "integration"}
