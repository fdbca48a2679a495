# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of ansible-core's inventory as the inventory source needs them: by name where a group has the same one, with the variables that count in a run."""

from __future__ import annotations

import os

from ansible.errors import AnsibleError
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError


class HostName(str):
    """Name of a host where ansible-core takes a name: it would look for a group of that name first, and make that the VM."""


class HostsFirst:
    """The inventory for ansible-core's own construction of variables and groups: a :class:`HostName` is the host and nothing else."""

    def __init__(self, inventory):
        self._inventory = inventory

    def __getattr__(self, name):
        return getattr(self._inventory, name)

    def add_child(self, group, child):
        if isinstance(child, HostName):
            return self._inventory.add_host(str(child), group)
        return self._inventory.add_child(group, child)

    def set_variable(self, entity, name, value):
        if isinstance(entity, HostName) and entity in self._inventory.groups:
            self._inventory.hosts[entity].set_variable(name, value)
        else:
            self._inventory.set_variable(str(entity), name, value)


class HostVariables:
    """Some variables of hosts as ansible-core will give them in a run, as far as an inventory source can see.

    They come from the sources so far (hosts and groups), from group_vars and host_vars beside their files and beside ``source``, the one that is
    read now, and are templated. What is beside a playbook, and later sources, cannot be seen.
    """

    def __init__(self, inventory, loader, templar, source, names):
        self._loader, self._templar, self._names = loader, templar, names
        folders = [os.path.dirname(path) for path in [*inventory.processed_sources, source] if path and os.path.isfile(path)]
        self._folders = list(dict.fromkeys(reversed(folders)))[::-1]  # each once, where it counts most
        self._of_groups = {}

    def of(self, host):
        """Those of the variables that the host has. Raises OptionsError for a template that cannot be evaluated."""
        groups = host.get_groups()
        key = tuple(sorted(group.name for group in groups))
        if key not in self._of_groups:
            found = {}
            for some in ([one for one in groups if one.name == "all"], sort_groups(one for one in groups if one.name != "all")):
                found = self._joined(found, get_group_vars(some), some)
            self._of_groups[key] = found
        found = self._joined(self._of_groups[key], host.get_vars(), [host])
        return {name: self._plain(host, name, found) for name in self._names if name in found}

    def _joined(self, found, own, of):
        return combine_vars(combine_vars(found, own), get_vars_from_inventory_sources(self._loader, self._folders, of, "all"))

    def _plain(self, host, name, variables):
        value = variables[name]
        if not isinstance(value, str) or not self._templar.is_template(value):
            return value
        self._templar.available_variables = variables
        try:
            return self._templar.template(value)
        except AnsibleError as error:
            raise OptionsError(f"host {host.name}: {name} is a template that cannot be evaluated here ({' '.join(str(error).split())}), so nothing says "
                               "which VM this host is; write the id itself, or use only variables of the inventory") from None
