# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view: single VMs and whole sets, read from Azure right now. The lists of a fleet only propose; this decides."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.addresses import Nic, PublicIp, addresses_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.arm import COMPUTE, NETWORK, SCALE_SET_NETWORK, Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import IncompleteFleet, NotFound
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.estate import view_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.records import Json, Model, View, make_vm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Addresses, Vm, VmId

_WORKERS = 12
_EXPAND = {"$expand": "instanceView"}


class Network(t.NamedTuple):
    """Network interfaces and public addresses by lower-case id, complete for the (lower-case) subscriptions ``listed``."""

    nics: t.Mapping[str, Nic]
    ips: t.Mapping[str, PublicIp]
    listed: t.Collection[str]


class LiveReader:
    """Reads VMs and scale-set instances one by one, many at a time. Makes only GET requests."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def vms(self, ids: t.Iterable[VmId], addresses: bool = False) -> dict[str, Vm | None]:
        """Vm by key; None where Azure says that there is no such VM. Raises AzureError when one cannot be read."""
        wanted = {vm_id.key: vm_id for vm_id in ids}
        with ThreadPoolExecutor(_WORKERS) as pool:
            return dict(zip(wanted, pool.map(lambda vm_id: self.vm(vm_id, addresses), wanted.values())))

    def vm(self, vm_id: VmId, addresses: bool = False, network: Network | None = None) -> Vm | None:
        """One VM; its addresses come from ``network`` when that has its subscription."""
        doing = f"read {vm_id}"
        try:
            found = self._vm(self._arm.get(str(vm_id), COMPUTE, doing, _EXPAND), doing, addresses, network)
        except NotFound:
            return None
        if found.id != vm_id:
            raise IncompleteFleet(doing, f"the answer is about {found.id}")
        return found

    def _vm(self, body: Json, doing: str, addresses: bool = False, network: Network | None = None) -> Vm:
        """A Vm from a body with its view; the view is asked for when the body came without."""
        try:
            model, view = Model.of(body), View.of((body.get("properties") or {}).get("instanceView"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IncompleteFleet(doing, f"{type(error).__name__}: {error}") from error
        if view is None:
            view = view_of(self._arm.get(f"{model.id}/instanceView", COMPUTE, f"read {model.id}"), model.id)
        return make_vm(model, view, self._addresses(model, network) if addresses else Addresses(), {})

    def _addresses(self, model: Model, network: Network | None) -> Addresses:
        """Interfaces and addresses that are gone give nothing: that says nothing of the VM."""
        if model.instance_id is not None:  # no list of the subscription has them
            return self._instance_addresses(model)
        if network is not None and model.id.subscription_id.lower() in network.listed:
            return addresses_of(model.nics, network.nics, network.ips)
        nics, ips = {}, {}
        for nic_id in model.nics:
            nics[nic_id.lower()] = nic = Nic.of(self._there_or_empty(nic_id))
            for dummy, public in nic.configurations:
                if public:
                    ips[public] = PublicIp.of(self._there_or_empty(public))
        return addresses_of(model.nics, nics, ips)

    def _there_or_empty(self, resource_id: str) -> Json:
        try:
            return self._arm.get(resource_id, NETWORK, f"read {resource_id}")
        except NotFound:
            return {}

    def _instance_addresses(self, model: Model) -> Addresses:
        bodies = self._arm.list(f"{model.id}/networkInterfaces", SCALE_SET_NETWORK, f"list the network interfaces of {model.id}")
        nics, ips = {body["id"].lower(): Nic.of(body) for body in bodies}, {}
        if any(public for nic in nics.values() for dummy, public in nic.configurations):
            bodies = self._arm.list(f"{model.scale_set}/publicIPAddresses", SCALE_SET_NETWORK, f"list the public IP addresses of {model.scale_set}")
            ips = {body["id"].lower(): PublicIp.of(body) for body in bodies}
        return addresses_of(model.nics, nics, ips)

    def sets_of(self, vms: t.Iterable[Vm]) -> dict[str, list[Vm]]:
        """Every member of each VM's set, by set key; a VM outside sets is its own set."""
        members: dict[str, list[Vm]] = {}
        known = {vm.id.key: vm for vm in vms}
        for set_key, one in {vm.failure_domain.set_key: vm for vm in known.values()}.items():
            if one.instance_id is not None:
                members[set_key] = self._instances(one)
                continue
            ids = self._member_ids(one)
            missing = [vm_id for vm_id in ids if vm_id.key not in known]
            read = self.vms(missing)
            found = [known.get(vm_id.key) or read[vm_id.key] for vm_id in ids]
            members[set_key] = [vm for vm in found if vm is not None]
        return members

    def _instances(self, one: Vm) -> list[Vm]:
        """All instances of a uniform scale set, with their views, from its own list."""
        doing = f"list the instances of {one.scale_set}"
        found = [self._vm(body, doing) for body in self._arm.list(f"{one.scale_set}/virtualMachines", COMPUTE, doing, _EXPAND)]
        if one.id not in [vm.id for vm in found]:
            raise IncompleteFleet(doing, f"the list does not contain {one.id}")
        return found

    def _member_ids(self, vm: Vm) -> list[VmId]:
        if vm.set_id is None:
            return [vm.id]
        if vm.availability_set:
            answer = self._arm.get(vm.availability_set, COMPUTE, f"read {vm.availability_set}")
            ids = [VmId.parse(member["id"]) for member in (answer.get("properties") or {}).get("virtualMachines") or ()]
            if vm.id in ids:
                return ids
        # A flexible scale set does not list its members with their ids, and a set that does not list its own member is not to be
        # believed; the VMs themselves name their set.
        return self._ids_by_set(vm)

    def _ids_by_set(self, vm: Vm) -> list[VmId]:
        subscription, ids = vm.id.subscription_id, []

        def take(body: Json) -> None:
            model = Model.of(body)
            if vm.set_id.lower() in (str(model.availability_set).lower(), str(model.scale_set).lower()):
                ids.append(model.id)

        self._arm.each(f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines", COMPUTE,
                       f"list virtual machines of subscription {subscription}", take)
        if vm.id not in ids:
            raise IncompleteFleet(f"list the members of {vm.set_id}", f"the list does not contain {vm.id}, which names it as its set")
        return ids
