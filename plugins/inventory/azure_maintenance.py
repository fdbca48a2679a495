# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: azure_maintenance
short_description: Azure VMs as hosts, grouped by maintenance state, window and update domain
version_added: 1.0.0
description:
  - Reads whole subscriptions in a few list requests. Adds each VM and each scale-set instance as a host.
  - Groups hosts by maintenance state, window, availability set and update domain.
  - As an O(overlay) it adds no hosts. It describes and groups the hosts of earlier sources.
  - The answer is complete, or the source fails and says what could not be read.
  - Set C(any_unparsed_is_failed = true) in the C([inventory]) section of your C(ansible.cfg). Otherwise ansible-core goes on without the hosts.
  - The group C(all) gets C(azure_maintenance_read_at) (ISO time of the oldest reading) and C(azure_maintenance_left_out) (what O(complete=false)
    skipped). An overlay adds C(azure_maintenance_vms_without_host) (a number).
  - The file's name must end in C(azure_maintenance.yml) or C(azure_maintenance.yaml).
options:
  plugin:
    description: Must be V(fleetops.azure_maintenance.azure_maintenance).
    type: str
    required: true
    choices: [fleetops.azure_maintenance.azure_maintenance]
  hostnames:
    description:
      - JMESPath expressions over a record. The first that gives a string names the host. For example V(tags.hostname).
      - Without it a host has the VM's name, with the resource group (and subscription) appended where the name is not unique.
    type: list
    elements: str
    default: []
  address_preference:
    description: Which address becomes C(ansible_host). The first that the VM has is used.
    type: list
    elements: str
    choices: [private, public, fqdn]
    default: [private, public, fqdn]
  default_groups:
    description:
      - V(true) for all default groups, V(false) for none, or a list of families.
      - V(maintenance_state) makes C(maintenance_<state>). V(maintenance_due) has the VMs that may be started now.
      - V(maintenance_window) makes C(maintenance_window_<start>) of the self-service window, V(scheduled_window) C(scheduled_window_<start>).
      - V(availability_set) makes C(availability_set_<group>_<set>), V(scale_set) C(scale_set_<group>_<set>), V(region) C(region_<location>).
      - V(update_domain) makes C(update_domain_<group>_<set>_<n>), in a zoned scale set C(update_domain_<group>_<set>_zone<z>_<n>).
      - Where two sets would share a name, their names have the subscription in them, or a hash.
    type: raw
    default: true
  hostvars_record:
    description: Add the whole record as C(azure_vm). It makes big inventories slow.
    type: bool
    default: false
extends_documentation_fragment:
  - fleetops.azure_maintenance.azure.plugin
  - fleetops.azure_maintenance.inventory
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
notes:
  - "User C(keyed_groups) need text keys and treat 0 as empty: write C(azure_update_domain | string)."
  - A cached answer is used without any request until it times out, until a window of one of its VMs opens or closes, or until an option changes that
    decides what is read. Every redeploy reads the VM again before it acts.
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

---
# 50-overlay.azure_maintenance.yml, beside 10-fleet.azure_rm.yml: groups for hosts that azure_rm adds
plugin: fleetops.azure_maintenance.azure_maintenance
overlay: true
"""

import datetime as dt

import os

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import ENVIRONMENT, Settings
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.packages import missing_packages
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.query import compile_query, mistakes, no_match
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError, OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._spelling import did_you_mean
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._inventory.cache import Snapshot
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._inventory.core_hosts import HostName, HostsFirst, HostVariables
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._inventory.hosts import Grouper, families_of, host_names, host_vars, spellings
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._inventory.overlay import check_new, match

# What decides which data are read: a cache filled under other values of these answers another question.
_SCOPE = ("subscriptions", "resource_groups", "exclude_resource_groups", "only_affected", "overlay", "complete", "second_opinion",
          "addresses", "trust_status_list")
_SIGN_IN = ("auth_source", "profile", "subscription_id", "client_id", "tenant", "cloud_environment", "authority_host")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Takes one reading (from Azure or the cache), names or finds its hosts, then describes and groups them."""

    NAME = "fleetops.azure_maintenance.azure_maintenance"

    def verify_file(self, path):
        if not super().verify_file(path):
            return False
        if not path.endswith(("azure_maintenance.yml", "azure_maintenance.yaml")):
            # Only of a file that names this plugin does ansible-core pass an error on; any other is one for the next plugin.
            raise AnsibleParserError(f"{path}: the name of a file for {self.NAME} must end in azure_maintenance.yml (or .yaml); "
                                     f"rename it, such as to {os.path.splitext(path)[0]}.azure_maintenance.yml")
        return True

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self.inventory, self._source = HostsFirst(inventory), path
        self._config = self._read_config_data(path)
        try:
            self._refuse_unknown(self._config)
            missing = missing_packages()
            if missing:
                raise OptionsError(missing)
            families, keep, namer = families_of(self.get_option("default_groups")), self._filter(), self._namer()
            reading = self._reading(path, cache)
            pairs = self._matched(reading, keep, namer) if self.get_option("overlay") else self._named(reading, keep, namer)
            self._populate(pairs, Grouper(reading.records, families))
            self._describe(reading)
        except (AzureError, OptionsError) as error:
            raise AnsibleParserError(f"{path}: {error}") from None  # one clear line; the chain adds nothing to it

    # -- what the options say -------------------------------------------------------------------------------------------

    def _refuse_unknown(self, config):
        """ansible-core passes over a misspelt option, and the inventory would silently be another one."""
        known = self.get_options()
        for name in config:
            if name not in known:
                hint = did_you_mean(name, known)
                raise OptionsError(f"there is no option {name!r}" + (f"; {hint}" if hint else ""))

    def _filter(self):
        """Which records become hosts; the reading may hold more."""
        query = self.get_option("query")
        wanted = compile_query(query, "query") if query else None
        affected = self.get_option("only_affected")

        def chosen(records):
            found = [record for record in records if not affected or record["maintenance"]["last_operation"] is not None]
            matching = [record for record in found if wanted is None or wanted(record)]
            words = mistakes(query, found) if query else ""
            if found and not matching:
                words = f"matches none of the {len(found)} VMs{' under announced maintenance' if affected else ''}: {no_match(query, found)}"
            if words:
                self.display.warning(f"{self._source}: query {query!r} {words}")
            return matching

        return chosen

    def _namer(self):
        searches = [compile_query(expression, "hostnames") for expression in self.get_option("hostnames")]
        if not searches:
            return None
        return lambda record: next((name for search in searches if isinstance(name := search(record), str) and name), None)

    # -- one reading ----------------------------------------------------------------------------------------------------

    def _reading(self, path, cache):
        """From the cache where it is on and still true (then nothing is asked of Azure), else from Azure."""
        self.load_cache_plugin()
        caching, key, clock = self.get_option("cache"), self.get_cache_key(path), dt.datetime.now(dt.timezone.utc)
        asked = {name: self.get_option(name) for name in (*_SCOPE, *_SIGN_IN)}
        reading = Snapshot.from_text(self._cache[key], asked, clock) if caching and cache and key in self._cache else None
        if reading is None:
            reading = self._fetch()
            if caching and not reading.left_out:  # what is missing now may be there at the next run
                self._cache[key] = reading.to_text(asked, clock)
        for warning in reading.warnings:
            self.display.warning(f"{path}: {warning}")
        return reading

    def _fetch(self):
        arm = Arm(self._settings())
        # An overlay tells VMs of one name apart, so it needs those that are not affected too.
        fleet = read_fleet(arm, Selection(
            subscriptions=self.get_option("subscriptions"), resource_groups=self.get_option("resource_groups"),
            exclude_resource_groups=self.get_option("exclude_resource_groups"), complete=self.get_option("complete"),
            only_affected=self.get_option("only_affected") and not self.get_option("overlay"), second_opinion=self.get_option("second_opinion"),
            addresses=self.get_option("addresses"), trust_status_list=self.get_option("trust_status_list"),
        ))
        return Snapshot(list(fleet.records()), fleet.now, fleet.left_out, fleet.warnings)

    def _settings(self):
        """What the file says is told from what the environment says: a profile of the file is the whole identity."""
        given, environment = ({name: self.get_option(name) for name in ENVIRONMENT if (name in self._config) is there} for there in (True, False))
        return Settings.from_options(given, environment)

    # -- hosts and their VMs --------------------------------------------------------------------------------------------

    def _named(self, reading, keep, namer):
        """A host of its own for each VM."""
        records = keep(reading.records)
        pairs = list(zip(host_names(records, namer), records))
        check_new(self._hosts_there({host for host, _record in pairs}), pairs, self.get_option("overlay_id_vars"))
        return pairs

    def _matched(self, reading, keep, namer):
        """The hosts that are there already, with their VMs."""
        names = (lambda record: filter(None, [namer(record)])) if namer else spellings
        matches = match(self._hosts_there(), reading.records, self.get_option("overlay_id_vars"), names)
        self.display.v(f"{self.NAME} overlay: {matches}")
        homeless = matches.homeless()
        if homeless:
            self.display.warning(f"overlay: {len(homeless)} VMs that may be redeployed now have no host in this inventory, such as {homeless[0]}")
        self._add_up("vms_without_host", len(matches.records_left), lambda before, own: before + own)
        kept = {record["id"] for record in keep([record for _host, record in matches.pairs])}
        return [(host, record) for host, record in matches.pairs if record["id"] in kept]

    def _hosts_there(self, wanted=None):
        """Variables that may hold ids, by host; of all hosts, or of those wanted."""
        known = HostVariables(self.inventory, self.loader, self.templar, self._source, self.get_option("overlay_id_vars"))
        return {name: known.of(host) for name, host in self.inventory.hosts.items() if wanted is None or name in wanted}

    # -- the inventory --------------------------------------------------------------------------------------------------

    def _populate(self, pairs, grouper):
        inventory, known, construct = self.inventory, set(), self._constructor()
        addresses = () if self.get_option("overlay") else self.get_option("address_preference")
        whole = self.get_option("hostvars_record")
        new = {name for name, record in pairs if name not in inventory.hosts}
        try:
            for name, record in pairs:
                host = self._host(name)
                self._give(host, host_vars(record, addresses, whole), name in new)
                for group in grouper.groups(record):
                    if group not in known:
                        known.add(inventory.add_group(group))
                    inventory.add_host(name, group)  # add_child would add a group of the host's name
                construct(HostName(name))
                if not host.groups:
                    inventory.add_host(name, "ungrouped")  # for ansible-core would add a group of its name
        except AnsibleError:
            for name in new:  # ansible-core keeps what a failing source added; a part of a fleet is worse than none
                if name in inventory.hosts:
                    inventory.remove_host(inventory.hosts[name])
            raise

    def _host(self, name):
        """The host of this name, new or not."""
        namesake = self.inventory.groups.get(name) if name not in self.inventory.hosts else None
        self.inventory.add_host(name)
        host = self.inventory.hosts[name]
        if namesake:
            for variable in ("inventory_file", "inventory_dir"):  # ansible-core has just written them to the group
                host.set_variable(variable, namesake.vars.pop(variable, None))
        return host

    def _give(self, host, variables, new):
        if new:
            # set_variable copies and marks each value: of no use to text that stays untrusted, and half the time of a big inventory.
            host.vars.update(variables)
            return
        for key, value in variables.items():
            self.inventory.set_variable(HostName(host.name), key, value)

    def _constructor(self):
        """What the user composes: expressions see all of the host's variables, groups the composed ones too."""
        compose, groups, keyed, strict = (self.get_option(name) for name in ("compose", "groups", "keyed_groups", "strict"))

        def construct(host):
            there = self.inventory.hosts[str(host)]
            if compose:
                self._set_composite_vars(compose, there.get_vars(), host, strict=strict)
            values = there.get_vars()
            self._add_host_to_composed_groups(groups, values, host, strict=strict, fetch_hostvars=False)
            self._add_host_to_keyed_groups(keyed, values, host, strict=strict, fetch_hostvars=False)

        return construct if compose or groups or keyed else lambda host: None

    def _describe(self, reading):
        """How old and how complete this is, for all hosts."""
        self._add_up("read_at", format_time(reading.read_at), min)
        self._add_up("left_out", reading.left_out, lambda before, own: [*before, *own])

    def _add_up(self, name, own, both):
        """A variable of the group all that several sources have a part in."""
        name, there = f"azure_maintenance_{name}", self.inventory.groups["all"].vars
        self.inventory.set_variable("all", name, both(there[name], own) if name in there else own)
