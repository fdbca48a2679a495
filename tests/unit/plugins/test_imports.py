# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom: modules and plugins -> adapters -> domain, never back. Read from the source, nothing is imported."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLUGINS, UTILS, SIMULATOR = ROOT / "plugins", ROOT / "plugins" / "module_utils", ROOT / "tests" / "simulator"
OURS = "ansible_collections.fleetops.azure_maintenance.plugins.module_utils."

# Standard library and each other; no I/O, no Ansible, no clock: now is an argument.
DOMAIN = {
    "addresses", "alert_group", "alerts", "announcements", "availability", "balancer_state", "codes", "errors", "estate", "fleet_summary", "guards",
    "hosts", "left_over", "maintenance", "minimum", "outcome", "overlay", "records", "redaction", "restart", "rollout", "rollout_budget",
    "rollout_calendar", "rollout_candidates", "rollout_chains", "rollout_command", "rollout_csv", "rollout_estimate", "rollout_file", "rollout_health",
    "rollout_lanes", "rollout_learn", "rollout_left", "rollout_options", "rollout_policy", "rollout_reasons", "rollout_recheck", "rollout_records",
    "rollout_regions", "rollout_report",
    "rollout_schedule", "rollout_sweep", "rollout_terms", "rollout_text", "rollout_when", "selection", "snapshot", "vm",
}
# The one domain file that needs a package: users' expressions are JMESPath.
EXPRESSIONS = "query"
AZURE = {"arm", "arm_transport", "credentials"}
ANSIBLE = {"module", "guest_module", "guest_program"}
CLOCKS = {"time.sleep", "time.time", "time.monotonic", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
DOING_IO = {"socket", "subprocess", "urllib.request", "http", "requests", "threading", "concurrent", "tempfile", "fcntl", "logging", "time", "os"}


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path):
    """Every module a file imports, anywhere in it; ``from a import b`` gives a.b, for b may be a module."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def own(path):
    """Files of module_utils that a file imports, by name."""
    return {name.removeprefix(OURS).split(".")[0] for name in imports(path) if name.startswith(OURS)}


def foreign(path):
    """Imports that are neither ours nor the standard library's."""
    return {name for name in imports(path) if not name.startswith(OURS) and name.split(".")[0] not in sys.stdlib_module_names}


def files(folder):
    return sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("name", sorted(DOMAIN | {EXPRESSIONS}))
def test_the_domain_knows_nobody(name):
    path = UTILS / f"{name}.py"
    assert own(path) <= DOMAIN | {EXPRESSIONS}
    assert foreign(path) <= ({"jmespath"} if name == EXPRESSIONS else set())
    standard = {part for found in imports(path) for part in (found, found.rsplit(".", 1)[0], found.split(".")[0])}
    assert not standard & DOING_IO


@pytest.mark.parametrize("name", sorted(DOMAIN | {EXPRESSIONS}))
def test_the_domain_has_no_clock(name):
    called = {ast.unparse(node.func) for node in ast.walk(tree(UTILS / f"{name}.py")) if isinstance(node, ast.Call)}
    assert not {call for call in called for clock in CLOCKS if call == clock or call.endswith("." + clock)}


def test_every_util_has_its_place():
    """A new file is domain, or is named here as an adapter."""
    adapters = AZURE | ANSIBLE | {
        "activity", "alert_store", "announcer", "approval", "arm_reader", "attempts", "bounds", "crowd", "documents", "fleet", "following",
        "guest_devices", "guest_state", "interrupt", "journal", "live", "load_balancer", "load_balancer_pool", "load_balancer_states", "mark_file",
        "mark_owner", "operations", "other_starts", "pacing", "packages", "private_files", "redeploy", "results", "retrying", "scheduled_events",
        "second_opinion", "set_members", "starting", "subscription", "surroundings", "underway",
    }
    assert {path.stem for path in UTILS.glob("*.py")} - {"__init__"} - DOMAIN - {EXPRESSIONS} <= adapters


@pytest.mark.parametrize("path", files(PLUGINS), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_azure_and_ansible_stay_where_they_belong(path):
    packages = {name.split(".")[0] for name in foreign(path)}
    in_utils = path.parent == UTILS
    if "azure" in packages or "msal" in packages:
        assert in_utils and path.stem in AZURE
    if any(name.startswith("ansible.module_utils.basic") for name in imports(path)):
        assert in_utils and path.stem in ANSIBLE
    if in_utils and path.stem not in ANSIBLE:
        assert "ansible" not in packages
    users = tuple(OURS.replace("module_utils.", folder) for folder in ("modules", "inventory", "callback"))
    assert not any(name.startswith(users) for name in imports(path)), "never back"


def test_adapters_do_not_go_in_circles():
    graph = {path.stem: own(path) for path in UTILS.glob("*.py")}
    done, under_way = set(), []

    def visit(name):
        assert name not in under_way, f"{' -> '.join([*under_way, name])}"
        if name not in done:
            under_way.append(name)
            for other in sorted(graph[name]):
                visit(other)
            done.add(under_way.pop())

    for name in sorted(graph):
        visit(name)
    assert done == set(graph)


@pytest.mark.parametrize("path", files(SIMULATOR), ids=lambda path: str(path.relative_to(SIMULATOR)))
def test_the_simulator_does_not_know_the_collection(path):
    assert not any("ansible" in name or name.startswith("plugins") for name in imports(path))


def test_the_collection_does_not_know_the_simulator():
    for path in files(PLUGINS):
        assert not any(name.split(".")[0] in ("simulator", "tests", "unit") for name in imports(path)), path
        assert "simulator" not in path.read_text(encoding="utf-8").lower(), path
