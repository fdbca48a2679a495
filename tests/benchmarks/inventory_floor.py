# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor of Ansible: an inventory plugin that only adds the hosts, variables and groups of a dump; and the tool that dumps a source.

``python inventory_floor.py SOURCE DUMP.floor.json`` reads a source with ansible-core and writes what it added. With
``ANSIBLE_INVENTORY_PLUGINS`` set to this folder and ``ANSIBLE_INVENTORY_ENABLED=inventory_floor``, the dump is an inventory itself.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: inventory_floor
short_description: Adds hosts, variables and groups from a JSON file, and does nothing else
version_added: 1.0.0
description: Measures what ansible-core itself costs for an inventory of a certain size. The source's name ends in C(.floor.json).
author:
  - fleetops contributors (@fleetops)
"""

import json
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.inventory import BaseInventoryPlugin


class InventoryModule(BaseInventoryPlugin):
    """Adds a dump through the calls that every inventory plugin uses."""

    NAME = "inventory_floor"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(".floor.json")

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        dump = json.loads(Path(path).read_bytes())
        for name, variables in dump["hosts"].items():
            inventory.add_host(name)
            for key, value in variables.items():
                inventory.set_variable(name, key, value)
        for group, hosts in dump["groups"].items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_child(group, host)
        for group, variables in dump["group_vars"].items():
            for key, value in variables.items():
                inventory.set_variable(group, key, value)


def dump_of(source: str) -> dict[str, Any]:
    """Hosts with their variables, groups with their own hosts, and variables of groups, as the source added them."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()
    manager = InventoryManager(DataLoader(), sources=[source])
    by_core = ("inventory_file", "inventory_dir")
    return {
        "hosts": {name: {key: value for key, value in host.vars.items() if key not in by_core} for name, host in manager.hosts.items()},
        "groups": {name: [host.name for host in group.hosts] for name, group in manager.groups.items() if name not in ("all", "ungrouped")},
        "group_vars": {name: group.vars for name, group in manager.groups.items() if group.vars},
    }


def main() -> int:
    """Dump a source to a file."""
    source, target = sys.argv[1:]
    dump = dump_of(source)
    Path(target).write_text(json.dumps(dump, default=str), encoding="utf-8")
    print(f"{len(dump['hosts'])} hosts, {len(dump['groups'])} groups")
    return 0


if __name__ == "__main__":
    sys.exit(main())
