# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many VMs of one subscription: what one list tells of all of them instead of one request for each.

Lists only propose. They say which operations are worth asking after, which addresses an interface has, and how the members
of a set are that this call does not start; the VM that is started, and the end of its operation, are read by themselves.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._arm.client import COMPUTE, NETWORK, Arm
from .._azure.addresses import Nic, PublicIp
from .._azure.instance_view import Model, View, make_vm, shows_all
from .._azure.vm import Addresses, Vm, VmId, is_busy
from .._errors import AzureError
from .set_members import references
from .vm_reader import VmReader, Network

MANY = 10
"""From so many VMs of one subscription on, a list is asked instead of each."""
# A list is worth its pages (about 200 items each) while it spares more requests than it costs.
_ITEMS_A_VM = 100
_STATUS = "the status of virtual machines"


class BulkReader:
    """Reads VMs through ``reader``, and what lists can tell of many at once."""

    def __init__(self, arm: Arm, reader: VmReader, need_addresses: bool = False) -> None:
        """``need_addresses``: a VM of which the addresses cannot be read counts as not readable."""
        self._arm, self._reader, self._need_addresses = arm, reader, need_addresses
        self._useless: set[str] = set()
        self._too_wide: set[str] = set()

    def vm(self, vm_id: VmId, network: Network) -> Vm | None:
        """One VM by itself, with its addresses if ``network`` has them."""
        return self._reader.vm(vm_id, addresses=vm_id.subscription_id.lower() in network.listed, network=network, lenient=True)

    def with_addresses(self, vm: Vm, network: Network) -> Vm:
        """The VM with its addresses; without them when they cannot be read now."""
        if vm.id.subscription_id.lower() in network.listed:
            return vm
        try:
            return self._reader.vm(vm.id, addresses=True) or vm
        except AzureError:
            return vm

    def vms(self, ids: t.Sequence[VmId]) -> dict[str, Vm | AzureError | None]:
        """Each VM by itself with its addresses, by key: None where there is none, the error where it cannot be read."""
        network = self.network(ids)

        def read(vm_id: VmId) -> Vm | AzureError | None:
            try:
                return self._reader.vm(vm_id, addresses=True, network=network, lenient=not self._need_addresses)
            except AzureError as error:
                return error

        with ThreadPoolExecutor(16) as pool:
            return dict(zip((vm_id.key for vm_id in ids), pool.map(read, ids)))

    def network(self, ids: t.Sequence[VmId]) -> Network:
        """Interfaces and public addresses of the subscriptions that many of the VMs are in; one that cannot be listed is left out."""
        nics: dict[str, t.Any] = {}
        ips: dict[str, t.Any] = {}
        listed = set()
        for subscription, wanted in self._many_of_one(ids).items():
            if subscription in self._too_wide:
                continue
            base = f"/subscriptions/{subscription}/providers/Microsoft.Network"
            try:
                self._arm.each(f"{base}/networkInterfaces", NETWORK, f"list network interfaces of subscription {subscription}",
                               lambda item: nics.__setitem__(item["id"].lower(), Nic.of(item)))
                self._arm.each(f"{base}/publicIPAddresses", NETWORK, f"list public IP addresses of subscription {subscription}",
                               lambda item: ips.__setitem__(item["id"].lower(), PublicIp.of(item)))
                listed.add(subscription)
            except AzureError:
                self._too_wide.add(subscription)
                continue
            if len(nics) + len(ips) > _ITEMS_A_VM * len(wanted):
                self._too_wide.add(subscription)  # not again: addresses are then read one by one, when all else is known
        return Network(nics, ips, listed)

    def sets_of(self, vms: t.Sequence[Vm]) -> dict[str, list[Vm] | AzureError]:
        """Every member of each VM's set by set key, or the error for which a set cannot be read."""
        groups: dict[str, list[Vm]] = {}
        for vm in vms:
            groups.setdefault(vm.failure_domain.set_key, []).append(vm)
        listed, members = self._listed_sets([vm for vm in vms if vm.availability_set]), self._reader.members()

        def read(key: str, group: t.Sequence[Vm]) -> list[Vm] | AzureError:
            own = {vm.id.key: vm for vm in group}
            if own.keys() <= {vm.id.key for vm in listed.get(key, ())}:
                return [own.get(vm.id.key, vm) for vm in listed[key]]
            try:
                return self._reader.sets_of(group, members)[key]
            except AzureError as error:
                return error

        with ThreadPoolExecutor(8) as pool:
            return dict(zip(groups, pool.map(read, groups, groups.values())))

    def _listed_sets(self, vms: t.Sequence[Vm]) -> dict[str, list[Vm]]:
        """Members of the availability sets, from lists, where there are many sets; sets that a list does not tell enough of are left out."""
        found: dict[str, list[Vm]] = {}
        by_subscription: dict[str, set[str]] = {}
        for vm in vms:
            by_subscription.setdefault(vm.id.subscription_id, set()).add(vm.failure_domain.set_key)
        for subscription, wanted in by_subscription.items():
            if len(wanted) >= MANY:
                try:
                    found |= self._members(subscription, wanted)
                except AzureError:
                    continue  # then each set is read by itself
        return found

    def _members(self, subscription: str, wanted: t.Collection[str]) -> dict[str, list[Vm]]:
        """Of sets of which every member that the set itself names is listed, with a view that shows all: a list can end early."""
        base, of = f"/subscriptions/{subscription}/providers/Microsoft.Compute", f"of subscription {subscription}"
        views: dict[str, View | None] = {}
        members: dict[str, list[Vm | None]] = {}
        named: dict[str, set[str]] = {}

        def take(item: t.Mapping[str, t.Any]) -> None:
            if str(((item.get("properties") or {}).get("availabilitySet") or {}).get("id")).lower() in wanted:
                model = Model.of(item)
                view = views.get(model.id.key)
                members.setdefault(model.availability_set.lower(), []).append(make_vm(model, view, Addresses(), {}) if _tells_enough(model, view) else None)

        self._arm.each(f"{base}/virtualMachines", COMPUTE, f"list {_STATUS} {of}",
                       lambda item: views.__setitem__(item["id"].lower(), View.of((item.get("properties") or {}).get("instanceView"))), {"statusOnly": "true"})
        self._arm.each(f"{base}/virtualMachines", COMPUTE, f"list virtual machines {of}", take)
        self._arm.each(f"{base}/availabilitySets", COMPUTE, f"list availability sets {of}",
                       lambda item: named.__setitem__(item["id"].lower(), {vm_id.key for vm_id in references(item)}))
        return {key: found for key, found in members.items() if None not in found and key in named and named[key] <= {vm.id.key for vm in found}}

    def in_motion(self, ids: t.Sequence[VmId]) -> dict[str, bool]:
        """By VM key whether a list still shows it as being worked on, or not ready yet; VMs it says nothing about are not in the answer."""
        told: dict[str, bool] = {}
        for subscription, wanted in self._many_of_one(ids).items():
            if subscription in self._useless:
                continue
            try:
                items = self._arm.list(f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines", COMPUTE,
                                       f"list {_STATUS} of subscription {subscription}", {"statusOnly": "true"})
            except AzureError:
                self._useless.add(subscription)
                continue
            busy = {str(item.get("id")).lower(): _is_busy(item) for item in items}
            told |= {key: state for key in wanted if (state := busy.get(key)) is not None}
            if len(items) > _ITEMS_A_VM * len(wanted) or not any(busy.get(key) is not None for key in wanted):
                self._useless.add(subscription)
        return told

    def _many_of_one(self, ids: t.Sequence[VmId]) -> dict[str, set[str]]:
        """Keys of VMs by subscription, where there are many; instances of uniform scale sets are in no such list."""
        found: dict[str, set[str]] = {}
        for vm_id in ids:
            if vm_id.scale_set is None:
                found.setdefault(vm_id.subscription_id.lower(), set()).add(vm_id.key)
        return {subscription: keys for subscription, keys in found.items() if len(keys) >= MANY}


def _tells_enough(model: Model, view: View | None) -> bool:
    """Whether a listed view says how a member of a set is, not only that it is there."""
    return view is not None and view.update_domain is not None and shows_all(model, view)


def _is_busy(item: t.Mapping[str, t.Any]) -> bool | None:
    """Whether a listed VM is worked on, or has just come up and waits for its agent: there is no verdict to be had on it yet.
    None when the list does not tell."""
    try:
        view = View.of((item.get("properties") or {}).get("instanceView"))
    except ValueError:
        return None
    return None if view is None else (is_busy(view.provisioning) or (view.power == "running" and view.agent == "not_ready"))
