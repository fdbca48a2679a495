# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: azure_maintenance
short_description: Azure VMs as hosts, grouped by maintenance state, window and update domain
version_added: 1.0.0
description:
  - Reads whole subscriptions in a few list requests, adds each VM as a host and groups hosts by maintenance state, window, availability set and
    update domain.
  - The answer is complete or the source fails, saying what could not be read. Set C(any_unparsed_is_failed = true) in the C([inventory]) section of
    your C(ansible.cfg), or ansible-core goes on without the hosts.
  - The file's name must end in C(azure_maintenance.yml) or C(azure_maintenance.yaml).
options:
  plugin:
    description: Must be V(fleetops.azure_maintenance.azure_maintenance).
    type: str
    required: true
    choices: [fleetops.azure_maintenance.azure_maintenance]
  subscriptions:
    description: Subscriptions to read. Default is O(subscription_id), else every subscription the identity can see.
    type: list
    elements: str
    default: []
  resource_groups:
    description: Add only VMs of these resource groups (any letter case).
    type: list
    elements: str
    default: []
  only_affected:
    description: Add only VMs that are in a maintenance wave.
    type: bool
    default: false
  query:
    description: JMESPath expression over a record (see M(fleetops.azure_maintenance.vm_maintenance_info)); VMs for which it is true are added.
    type: str
  hostnames:
    description:
      - JMESPath expressions over a record, the first that gives a string names the host. For example V(tags.hostname).
      - Without it a host has the VM's name, with the resource group (and subscription) appended where the name is not unique.
    type: list
    elements: str
    default: []
  address_preference:
    description: Which address becomes C(ansible_host), the first that the VM has.
    type: list
    elements: str
    choices: [private, public, fqdn]
    default: [private, public, fqdn]
  default_groups:
    description:
      - V(true) for all default groups, V(false) for none, or a list of families.
      - Families are maintenance_state (C(maintenance_<state>)), maintenance_due (startable now), maintenance_window (C(maintenance_window_<start>) of the
        self-service window), scheduled_window (C(scheduled_window_<start>)), availability_set (C(availability_set_<group>_<set>)), scale_set,
        update_domain (C(update_domain_<group>_<set>_<n>)) and region (C(region_<location>)).
    type: raw
    default: true
  hostvars_record:
    description: Add the whole record as C(azure_vm). Big inventories become slow with it.
    type: bool
    default: false
extends_documentation_fragment:
  - fleetops.azure_maintenance.azure.plugin
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
notes:
  - "User C(keyed_groups) need text keys and treat 0 as empty: write C(azure_update_domain | string)."
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
# prod.azure_maintenance.yml: everything the identity can see
plugin: fleetops.azure_maintenance.azure_maintenance

---
# Only what is affected, by public address, with a group per tier
plugin: fleetops.azure_maintenance.azure_maintenance
subscriptions: [11111111-1111-1111-1111-111111111111]
only_affected: true
address_preference: [public]
keyed_groups:
  - key: azure_tags.tier
    prefix: tier
"""

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.arm import Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.credentials import ENVIRONMENT, Settings
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AzureError, OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.fleet import read_fleet, subscriptions_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.hosts import GROUP_FAMILIES, Grouper, address, host_names, host_vars
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.packages import missing_packages
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.query import compile_query


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Fetches records (or takes them from the cache), then names, describes and groups them."""

    NAME = "fleetops.azure_maintenance.azure_maintenance"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("azure_maintenance.yml", "azure_maintenance.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            families = self._families()
            filters = self._filters()
            records = self._records(path, cache)
            self._populate([record for record in records if all(keep(record) for keep in filters)], families)
        except (AzureError, OptionsError) as error:
            raise AnsibleParserError(f"{path}: {error}") from None  # one clear line; the chain adds nothing to it

    def _families(self):
        chosen = self.get_option("default_groups")
        if isinstance(chosen, bool):
            return GROUP_FAMILIES if chosen else ()
        unknown = [name for name in chosen if name not in GROUP_FAMILIES] if isinstance(chosen, list) else [chosen]
        if unknown:
            raise OptionsError(f"default_groups {unknown[0]!r} is unknown; use true, false, or a list of {', '.join(GROUP_FAMILIES)}")
        return chosen

    def _filters(self):
        filters = []
        groups = {name.lower() for name in self.get_option("resource_groups")}
        if groups:
            filters.append(lambda record: record["resource_group"].lower() in groups)
        if self.get_option("only_affected"):
            filters.append(lambda record: record["maintenance"]["last_operation"] is not None)
        if self.get_option("query"):
            filters.append(compile_query(self.get_option("query"), "query"))
        return filters

    def _records(self, path, cache):
        """All records of the source, from the cache where it is on and warm (then nothing is asked of Azure)."""
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        use_cache = self.get_option("cache") and cache
        if use_cache and key in self._cache:
            return self._cache[key]
        records = self._fetch()
        if self.get_option("cache"):
            self._cache[key] = records
        return records

    def _fetch(self):
        missing = missing_packages()
        if missing:
            raise OptionsError(missing)
        arm = Arm(Settings.from_options({name: self.get_option(name) for name in ENVIRONMENT}))
        fleet = read_fleet(arm, subscriptions_of(arm, self.get_option("subscriptions")))
        return [vm.to_record(fleet.now) for vm in fleet.vms]

    def _populate(self, records, families):
        strict = self.get_option("strict")
        grouper = Grouper(records, families)
        for name, record in zip(self._names(records), records):
            host = self.inventory.add_host(name)
            values = host_vars(record)
            where = address(record, self.get_option("address_preference"))
            if where:
                values["ansible_host"] = where
            if self.get_option("hostvars_record"):
                values["azure_vm"] = record
            for key, value in values.items():
                self.inventory.set_variable(host, key, value)
            for group in grouper.groups(record):
                self.inventory.add_child(self.inventory.add_group(group), host)
            self._construct(host, values, strict)

    def _construct(self, host, values, strict):
        """What the user composes; groups see composed variables too, as with ansible.builtin.constructed."""
        if self.get_option("compose"):
            self._set_composite_vars(self.get_option("compose"), values, host, strict=strict)
            values = self.inventory.get_host(host).get_vars()
        self._add_host_to_composed_groups(self.get_option("groups"), values, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), values, host, strict=strict)

    def _names(self, records):
        searches = [compile_query(expression, "hostnames") for expression in self.get_option("hostnames")]
        if not searches:
            return host_names(records)
        names, taken = [], {}
        for record in records:
            found = [name for search in searches if isinstance(name := search(record), str) and name]
            if not found:
                raise OptionsError(f"hostnames gives no name for {record['id']}; add an expression that every VM has, such as name")
            if found[0] in taken:
                raise OptionsError(f"hostnames gives {found[0]!r} to both {taken[found[0]]} and {record['id']}; make it unique")
            taken[found[0]] = record["id"]
            names.append(found[0])
        return names
