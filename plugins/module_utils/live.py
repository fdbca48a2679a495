# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view: single VMs and whole sets, read from Azure right now. Lists only propose; this decides."""

from __future__ import annotations

import datetime as dt
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.arm import ACTIVITY_LOG, COMPUTE, NETWORK, Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AzureError, IncompleteFleet, NotFound
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.fleet import make_vm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.records import Json, has_view
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Vm, VmId

_WORKERS = 12


class LiveReader:
    """Reads VMs one by one, many at a time. Makes only GET requests."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def vms(self, ids: t.Iterable[VmId], addresses: bool = False) -> dict[str, Vm | None]:
        """Vm by key; None where Azure says that there is no such VM. Raises AzureError when one cannot be read."""
        wanted = {vm_id.key: vm_id for vm_id in ids}
        with ThreadPoolExecutor(_WORKERS) as pool:
            return dict(zip(wanted, pool.map(lambda vm_id: self.vm(vm_id, addresses), wanted.values())))

    def vm(self, vm_id: VmId, addresses: bool = False) -> Vm | None:
        doing = f"read {vm_id}"
        try:
            model = self._arm.get(str(vm_id), COMPUTE, doing, {"$expand": "instanceView"})
            view = (model.get("properties") or {}).get("instanceView")
            if not has_view(view):
                view = self._arm.get(f"{vm_id}/instanceView", COMPUTE, doing)
        except NotFound:
            return None
        if not has_view(view):
            raise IncompleteFleet(doing, "its instance view has no statuses")
        nics, ips = self._network(model) if addresses else ({}, {})
        return make_vm(model, view, nics, ips, {})

    def _network(self, model: Json) -> tuple[dict[str, Json], dict[str, Json]]:
        nics, ips = {}, {}
        for reference in ((model.get("properties") or {}).get("networkProfile") or {}).get("networkInterfaces") or ():
            nic = self._arm.get(reference["id"], NETWORK, f"read {reference['id']}")
            nics[reference["id"].lower()] = nic
            for configuration in (nic.get("properties") or {}).get("ipConfigurations") or ():
                pip = ((configuration.get("properties") or {}).get("publicIPAddress") or {}).get("id")
                if pip:
                    ips[pip.lower()] = self._arm.get(pip, NETWORK, f"read {pip}")
        return nics, ips

    def sets_of(self, vms: t.Iterable[Vm]) -> dict[str, list[Vm]]:
        """Every member of each VM's set, by set key; a VM outside sets is its own set."""
        members: dict[str, list[Vm]] = {}
        known = {vm.id.key: vm for vm in vms}
        for set_key, one in {vm.failure_domain.set_key: vm for vm in known.values()}.items():
            ids = self._member_ids(one)
            missing = [vm_id for vm_id in ids if vm_id.key not in known]
            read = self.vms(missing)
            found = [known.get(vm_id.key) or read[vm_id.key] for vm_id in ids]
            members[set_key] = [vm for vm in found if vm is not None]
        return members

    def _member_ids(self, vm: Vm) -> list[VmId]:
        if vm.set_id is None:
            return [vm.id]
        if vm.availability_set:
            answer = self._arm.get(vm.availability_set, COMPUTE, f"read {vm.availability_set}")
            ids = [VmId.parse(member["id"]) for member in (answer.get("properties") or {}).get("virtualMachines") or ()]
            if vm.id in ids:
                return ids
        # A set that does not list its own member is not to be believed; the VMs themselves name their set.
        return self._ids_by_set(vm)

    def _ids_by_set(self, vm: Vm) -> list[VmId]:
        subscription = vm.id.subscription_id
        models = self._arm.list(f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines", COMPUTE,
                                f"list virtual machines of subscription {subscription}")
        ids = []
        for model in models:
            properties = model.get("properties") or {}
            names = [str((properties.get(kind) or {}).get("id")).lower() for kind in ("availabilitySet", "virtualMachineScaleSet")]
            if vm.set_id.lower() in names:
                ids.append(VmId.parse(model["id"]))
        if vm.id not in ids:
            raise IncompleteFleet(f"list the members of {vm.set_id}", f"the list does not contain {vm.id}, which names it as its set")
        return ids

    def activity(self, vm_id: VmId, operation: str, since: dt.datetime) -> list[str] | None:
        """Lower-case statuses (started, accepted, succeeded, failed) the activity log has of this operation on this VM since
        then; None when it may not be read. The log is minutes late: an empty answer is no proof by itself."""
        text = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        query = {"$filter": f"eventTimestamp ge '{text}' and resourceUri eq '{vm_id}'"}
        path = f"/subscriptions/{vm_id.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values"
        try:
            events = self._arm.list(path, ACTIVITY_LOG, f"read the activity log of {vm_id}", query)
        except AzureError:
            return None
        action = f"microsoft.compute/virtualmachines/{operation.replace('_', '')}/action"
        return [_value(event, "status") for event in events if _value(event, "operationName") == action]


def _value(event: Json, field: str) -> str:
    """A localisable field of an activity-log event, lower-case."""
    return str((event.get(field) or {}).get("value", "")).lower()
