# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom, folder by folder: plugins -> packages -> what lies under them, never back. Read from the source, nothing is imported."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLUGINS, SIMULATOR = ROOT / "plugins", ROOT / "tests" / "simulator"
UTILS = PLUGINS / "module_utils"
OURS = "ansible_collections.fleetops.azure_maintenance.plugins."

BASE = {"_bounds", "_errors", "_files", "_spelling"}
BELOW: dict[str, set[str]] = {
    "_bounds": set(),
    "_redaction": set(),
    "_errors": {"_redaction"},
    "_files": set(),
    "_spelling": set(),
    "_azure": {"_errors", "_redaction", "_spelling"},
    "_arm": {"_azure", "_redaction", *BASE},
    "_fleet": {"_arm", "_azure", *BASE},
    "_redeploy": {"_fleet", "_arm", "_azure", "_redaction", *BASE},
    "_rollout": {"_azure", *BASE},
    "_guest": {"_bounds", "_files"},
    "_load_balancer": {"_arm", "_azure", *BASE},
    "_alert": {"_arm", "_azure", *BASE},
    "_eda": {"_fleet", "_arm", "_azure", *BASE},
    "_module": {"_arm", "_azure", *BASE},
}
"""Of each package, and each file beside them, what it may import besides itself."""
CONTROLLER = {
    "_inventory": {"_azure", *BASE},
    "_mark": BASE,
    "_run": {"_rollout", *BASE},
}
"""The same of plugin_utils, which only the controller's process imports."""
PURE = (
    "_azure", "_rollout", "_inventory/hosts.py", "_inventory/overlay.py", "_inventory/cache.py", "_alert/alert.py", "_alert/action_group.py",
    "_eda/announcements.py", "_fleet/listing.py", "_fleet/selection.py", "_guest/minimum.py",
    "_redeploy/guards.py", "_redeploy/outcome.py", "_mark/recovery.py", "_run/restart.py", "_run/command.py", "_run/left_drained.py",
)
"""Folders and files that decide over plain values: no I/O, no Ansible, and now is an argument."""
WRITES = "_rollout/documents.py"
PACKAGES = {"_azure/query.py": {"jmespath"}}
AZURE = {"client", "transport", "credentials"}
SDK = ("azure.identity", "azure.mgmt.compute", "azure.core", "azure.mgmt.core")
"""The required packages, and two without which these do not come."""
ANSIBLE = ("_module.py", "_guest/module.py")
CLOCKS = {"time.sleep", "time.time", "time.monotonic", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
DOING_IO = {"socket", "subprocess", "urllib.request", "http", "requests", "threading", "concurrent", "tempfile", "fcntl", "logging", "time", "os"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it, by its full name; ``from a import b`` gives a.b, for b may be a module."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = path.relative_to(PLUGINS).parts[:-node.level]
                base = ".".join(filter(None, (OURS + ".".join(here), base)))
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def own(path: Path, folder: str) -> set[str]:
    """What a file imports of module_utils or plugin_utils: packages, or files beside them."""
    return {name.removeprefix(f"{OURS}{folder}.").split(".")[0] for name in imports(path) if name.startswith(f"{OURS}{folder}.")}


def foreign(path: Path) -> set[str]:
    """Imports that are neither ours nor the standard library's."""
    return {name for name in imports(path) if not name.startswith(OURS) and name.split(".")[0] not in sys.stdlib_module_names}


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(PLUGINS))


def room(path: Path) -> str:
    """The package of a file, or its own name where it lies beside them."""
    return path.relative_to(PLUGINS).parts[1].removesuffix(".py")


@pytest.mark.parametrize("path", files(UTILS), ids=name_of)
def test_packages_import_downwards(path: Path) -> None:
    assert own(path, "module_utils") - {room(path)} <= BELOW[room(path)]
    others = {name for name in imports(path) if name.startswith(OURS) and not name.startswith(f"{OURS}module_utils.")}
    assert not others, "never back"


@pytest.mark.parametrize("path", files(PLUGINS / "plugin_utils"), ids=name_of)
def test_what_the_controller_imports(path: Path) -> None:
    assert own(path, "module_utils") <= CONTROLLER[room(path)] | {"_guest"}
    assert own(path, "plugin_utils") <= {room(path), *(["_mark"] if room(path) == "_run" else [])}


@pytest.mark.parametrize("path", [*files(PLUGINS / "modules"), *files(UTILS)], ids=name_of)
def test_modules_run_where_plugin_utils_is_not(path: Path) -> None:
    assert not own(path, "plugin_utils")


def test_the_arrows_between_packages_make_no_circle() -> None:
    """Of the table above, and so of every import."""
    left = {name: set(below) for name, below in BELOW.items()}
    while left:
        lowest = {name for name, below in left.items() if not below & set(left)}
        assert lowest, left
        left = {name: below for name, below in left.items() if name not in lowest}


def test_files_of_a_package_make_no_circle() -> None:
    graph = {path: imports(path) for path in files(UTILS)}
    modules = {OURS + ".".join(path.relative_to(PLUGINS).with_suffix("").parts): path for path in graph}
    done: set[Path] = set()
    under_way: list[Path] = []

    def visit(path: Path) -> None:
        assert path not in under_way, " -> ".join(map(name_of, [*under_way, path]))
        if path not in done:
            under_way.append(path)
            for name in sorted(graph[path]):
                for module in (name, name.rpartition(".")[0]):
                    if modules.get(module, path) != path:
                        visit(modules[module])
            done.add(under_way.pop())

    for path in graph:
        visit(path)
    assert done == set(graph)


def pure() -> list[Path]:
    found = [path for path in files(UTILS) + files(PLUGINS / "plugin_utils")
             if str(path.relative_to(path.parents[1])) in PURE or path.parent.name in PURE]
    return [path for path in found if str(path.relative_to(path.parents[1])) != WRITES]


@pytest.mark.parametrize("path", pure(), ids=name_of)
def test_what_decides_does_no_io_and_has_no_clock(path: Path) -> None:
    assert {name.split(".")[0] for name in foreign(path)} <= PACKAGES.get(str(path.relative_to(path.parents[1])), set())
    standard = {part for found in imports(path) for part in (found, found.rsplit(".", 1)[0], found.split(".")[0])}
    assert not standard & DOING_IO
    called = {ast.unparse(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}
    assert not {call for call in called for clock in CLOCKS if call == clock or call.endswith("." + clock)}


@pytest.mark.parametrize("path", files(PLUGINS), ids=name_of)
def test_azure_and_ansible_stay_where_they_belong(path: Path) -> None:
    packages = {name.split(".")[0] for name in foreign(path)}
    if packages & {"azure", "msal"}:
        assert room(path) == "_arm" and path.stem in AZURE
    sdk = {name for name in foreign(path) if name.startswith("azure")}
    assert not {name for name in sdk if not any(f"{name}.".startswith(f"{known}.") for known in SDK)}
    assert path.stem == "transport" or not any(name.startswith("azure.mgmt.compute") for name in sdk)
    knows_ansible = str(path.relative_to(UTILS)) in ANSIBLE if path.is_relative_to(UTILS) else False
    if any(name.startswith("ansible.module_utils.basic") for name in imports(path)):
        assert knows_ansible
    if path.is_relative_to(UTILS) and not knows_ansible:
        assert "ansible" not in packages


@pytest.mark.parametrize("path", files(SIMULATOR), ids=lambda path: str(path.relative_to(SIMULATOR)))
def test_the_simulator_does_not_know_the_collection(path: Path) -> None:
    assert not any("ansible" in name or name.startswith("plugins") for name in {
        alias.name for node in ast.walk(tree(path)) if isinstance(node, ast.Import) for alias in node.names} | {
        node.module or "" for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)})


@pytest.mark.parametrize("path", files(PLUGINS), ids=name_of)
def test_the_collection_does_not_know_the_simulator(path: Path) -> None:
    assert not any(name.split(".")[0] in ("simulator", "tests", "unit") for name in imports(path))
    assert "simulator" not in path.read_text(encoding="utf-8").lower()
