# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VMs belong to an availability set or a flexible scale set, with proof that none is missing.

A list can end early and look complete. So no list is believed alone: the set's own list, the VMs that name the set, and Resource
Manager's list of ids are compared. Where they cannot be, the answer is an error, for a guard must not overlook a member that is down.
"""

from __future__ import annotations

import dataclasses
import threading
import typing as t

from .._arm.client import COMPUTE, RESOURCE_LIST, Arm
from .._azure.instance_view import Json, Model
from .._azure.vm import Vm, VmId
from .._errors import AzureError, IncompleteFleet, SignInError
from .listing import ScaleSet

_ALL_VMS = {"$filter": "resourceType eq 'Microsoft.Compute/virtualMachines'"}
# VMs that only the list of resources names are read one by one, up to so many: with more, the other list is of no use.
_MOST_SINGLES = 200
_ODD_ANSWERS = (ValueError, KeyError, TypeError, AttributeError)


class _Index(t.NamedTuple):
    """Ids by set key of the VMs of a subscription that name a set; ``doubt`` is why VMs may be missing, None when none is."""

    sets: t.Mapping[str, t.Mapping[str, VmId]]
    doubt: str | None = None


def references(body: Json) -> list[VmId]:
    """The VMs that an availability set names. Raises BadVmId, or another error of an answer of an odd shape."""
    return [VmId.parse(member["id"]) for member in (body.get("properties") or {}).get("virtualMachines") or ()]


class SetMembers:
    """Finds the members of sets. What lists of a subscription say is asked once; make a new one for every judgment.

    ``read`` reads VMs by themselves: by key, None for one that is gone.
    """

    def __init__(self, arm: Arm, read: t.Callable[[t.Iterable[VmId]], t.Mapping[str, Vm | None]]) -> None:
        self._arm, self._read = arm, read
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._indexes: dict[str, _Index | AzureError] = {}

    def of(self, vm: Vm) -> list[VmId]:
        """Every member of the VM's set, the VM among them; a VM outside sets is its own set. Not for uniform scale sets.

        Raises AzureError when a list cannot be read, and IncompleteFleet when nothing proves that all members are known.
        """
        if vm.set_id is None:
            return [vm.id]
        if vm.availability_set:
            doing = f"read {vm.availability_set}"
            answer = self._arm.get(vm.availability_set, COMPUTE, doing)
            try:
                ids = references(answer)
            except _ODD_ANSWERS as error:
                raise IncompleteFleet(doing, f"{type(error).__name__}: {error}") from error
            if vm.id in ids:
                return ids
        found = self._by_name(vm) if vm.availability_set else self._flexible(vm)
        if vm.id.key not in found:
            raise self._unproven(vm, "the lists do not contain it, although it names this set as its own")
        return list(found.values())

    def _by_name(self, vm: Vm) -> dict[str, VmId]:
        """By the VMs themselves: a set that does not list its own member is not to be believed."""
        index = self._index(vm.id.subscription_id)
        if index.doubt:
            raise self._unproven(vm, f"the set does not list it, and {index.doubt}")
        return dict(index.sets.get(vm.set_key, {}))

    def _flexible(self, vm: Vm) -> dict[str, VmId]:
        """By the scale set's own list and the VMs that name it; where a list is lacking, the scale set's count speaks too."""
        index = self._index(vm.id.subscription_id)
        named, own = index.sets.get(vm.set_key, {}), {}
        try:
            own = self._instances(vm.scale_set)
        except SignInError:
            raise
        except AzureError as error:
            if index.doubt:
                raise self._unproven(vm, f"{error}, and {index.doubt}") from error
        else:
            if not index.doubt:
                return {**named, **own}
            if not named.keys() <= own.keys():
                raise self._unproven(vm, f"its own list lacks VMs that name it, and {index.doubt}")
        self._counted(vm, len({**named, **own}), index.doubt)
        return {**named, **own}

    def _instances(self, scale_set: str) -> dict[str, VmId]:
        """A flexible scale set's own list of its members, which says little more than their names."""
        found: dict[str, VmId] = {}

        def take(body: Json) -> None:
            vm_id = VmId.parse(body["id"])
            if vm_id.scale_set is not None:  # the id below the set is another name of the VM beside it
                vm_id = dataclasses.replace(vm_id, scale_set=None, name=body.get("name") or vm_id.name)
            found[vm_id.key] = vm_id

        self._arm.each(f"{scale_set}/virtualMachines", COMPUTE, f"list the instances of {scale_set}", take)
        return found

    def _counted(self, vm: Vm, seen: int, doubt: str | None) -> None:
        """Raises IncompleteFleet when the scale set's own count is higher, or with ``doubt`` when it does not say that this is all."""
        try:
            capacity = ScaleSet.of({**self._arm.get(vm.scale_set, COMPUTE, f"read {vm.scale_set}"), "id": vm.scale_set}).capacity
        except SignInError:
            raise
        except (AzureError, *_ODD_ANSWERS) as error:
            if doubt:
                raise self._unproven(vm, f"{error}, and {doubt}") from error
            return
        if capacity is not None and capacity > seen:
            raise self._unproven(vm, f"the scale set is to have {capacity}, {seen} were seen")
        if capacity is None and doubt:
            raise self._unproven(vm, f"the scale set does not say how many it has, and {doubt}")

    def _unproven(self, vm: Vm, why: str) -> IncompleteFleet:
        return IncompleteFleet(f"list all members of {vm.set_id}", f"nothing proves that the members seen are all: {why}; allow the identity "
                               "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read and Microsoft.Resources/subscriptions/resources/read")

    # -- the VMs of a subscription ------------------------------------------------------------------------------------

    def _index(self, subscription: str) -> _Index:
        key = subscription.lower()
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._indexes:
                try:
                    self._indexes[key] = self._listed(subscription)
                except AzureError as error:
                    self._indexes[key] = error
            found = self._indexes[key]
        if isinstance(found, AzureError):
            raise found
        return found

    def _listed(self, subscription: str) -> _Index:
        """The VM list, with what it left out."""
        sets: dict[str, dict[str, VmId]] = {}
        seen: set[str] = set()

        def take(body: Json) -> None:
            model = Model.of(body)
            seen.add(model.id.key)
            for set_id in filter(None, (model.availability_set, model.scale_set)):
                sets.setdefault(set_id.lower(), {})[model.id.key] = model.id

        self._arm.each(f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines", COMPUTE,
                       f"list virtual machines of subscription {subscription}", take)
        try:
            unseen = [vm_id for key, vm_id in self._resources(subscription).items() if key not in seen]
            if len(unseen) > _MOST_SINGLES:
                return _Index(sets, f"the list of virtual machines of subscription {subscription} lacks {len(unseen)} that the list of resources names")
            for vm in filter(None, self._read(unseen).values()):
                if vm.set_id:
                    sets.setdefault(vm.set_key, {})[vm.id.key] = vm.id
        except SignInError:
            raise
        except AzureError as error:
            return _Index(sets, str(error))
        return _Index(sets)

    def _resources(self, subscription: str) -> dict[str, VmId]:
        """Every VM of the subscription by Resource Manager's own list, which knows nothing of sets."""
        found: dict[str, VmId] = {}

        def take(body: Json) -> None:
            vm_id = VmId.parse(body["id"])
            found[vm_id.key] = vm_id

        self._arm.each(f"/subscriptions/{subscription}/resources", RESOURCE_LIST, f"list resources of subscription {subscription}", take, _ALL_VMS)
        return found
