# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every member of a set, each as it is right now, with proof that none is missing.

A list can end early and look complete. So no list is believed alone: the set's own list, the VMs that name the set, and Resource
Manager's list of ids are compared. Where they cannot be, the answer is an error, for a guard must not overlook a member that is down.
Of a uniform scale set there is one list only; the caller compares it with the set's own count.
"""

from __future__ import annotations

import dataclasses
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._arm.client import COMPUTE, Arm
from .._azure.instance_view import Json
from .._azure.vm import Vm, VmId
from .._errors import AzureError, IncompleteFleet, SignInError
from .listing import Listing, ScaleSet, understanding
from .subscription import AVAILABILITY_SETS, MODELS, RESOURCE_IDS, STATUSES, SubscriptionReader
from .vm_reader import MANY, VmReader

_WORKERS = 8
# VMs that only the list of resources names are read one by one, up to so many: with more, the other list is of no use.
_MOST_SINGLES = 200


class _Index(t.NamedTuple):
    """Ids by set key of the VMs of a subscription that name a set; ``doubt`` is why VMs may be missing, None when none is."""

    sets: t.Mapping[str, t.Mapping[str, VmId]]
    doubt: str | None = None


class SetMembers:
    """Reads sets. What lists of a subscription say is asked once; make a new one for every judgment."""

    def __init__(self, arm: Arm, reader: VmReader) -> None:
        self._arm, self._reader = arm, reader
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._indexes: dict[str, _Index | AzureError] = {}

    def by_set(self, vms: t.Sequence[Vm]) -> dict[str, list[Vm] | AzureError]:
        """Every member of each VM's set by set key, or the error for which a set cannot be read."""
        groups: dict[str, list[Vm]] = {}
        for vm in vms:
            groups.setdefault(vm.failure_domain.set_key, []).append(vm)
        listed = self._listed_sets(vms)

        def read(key: str, group: t.Sequence[Vm]) -> list[Vm] | AzureError:
            own = {vm.id.key: vm for vm in group}
            if own.keys() <= {vm.id.key for vm in listed.get(key, ())}:
                return [own.get(vm.id.key, vm) for vm in listed[key]]
            try:
                return self.of(group)
            except AzureError as error:
                return error

        with ThreadPoolExecutor(_WORKERS) as pool:
            return dict(zip(groups, pool.map(read, groups, groups.values())))

    def _listed_sets(self, vms: t.Sequence[Vm]) -> dict[str, list[Vm]]:
        """Members of the availability sets, from lists, where there are many sets; sets of which a list does not show enough are left out."""
        found: dict[str, list[Vm]] = {}
        by_subscription: dict[str, set[str]] = {}
        for vm in vms:
            if vm.availability_set:
                by_subscription.setdefault(vm.id.subscription_id, set()).add(vm.failure_domain.set_key)
        for subscription, wanted in by_subscription.items():
            if len(wanted) >= MANY:
                reader = SubscriptionReader(self._arm, subscription, Listing())
                try:
                    reader.read_lists(STATUSES, MODELS, AVAILABILITY_SETS)
                except AzureError:
                    continue  # then each set is read by itself
                found |= reader.listing.proven_sets(wanted)
        return found

    def of(self, group: t.Sequence[Vm]) -> list[Vm]:
        """Every member of the set that these VMs have in common, they as given among them; a VM outside sets is its own set.

        Raises AzureError when one cannot be read, and IncompleteFleet when one may be missing.
        """
        one = group[0]
        if one.instance_id is not None:
            return self._reader.instances(one)
        ids, known = self._ids(one), {vm.id.key: vm for vm in group}
        now = {**self._reader.vms(vm_id for vm_id in ids if vm_id.key not in known), **known}
        return [vm for vm_id in ids if (vm := now[vm_id.key]) is not None]

    # -- the members of a set -----------------------------------------------------------------------------------------

    def _ids(self, vm: Vm) -> list[VmId]:
        """Every member of the VM's set, the VM among them. Raises as :meth:`of` does."""
        if vm.set_id is None:
            return [vm.id]
        if vm.availability_set:
            doing = f"read {vm.availability_set}"
            answer = self._arm.get(vm.availability_set, COMPUTE, doing)
            with understanding(doing):
                ids = [VmId.parse(member["id"]) for member in (answer.get("properties") or {}).get("virtualMachines") or ()]
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
        """By the scale set's own list and the VMs that name it; where a list is lacking, the scale set's own count must agree."""
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
            doing = f"read {vm.scale_set}"
            with understanding(doing):
                capacity = ScaleSet.of({**self._arm.get(vm.scale_set, COMPUTE, doing), "id": vm.scale_set}).capacity
        except SignInError:
            raise
        except AzureError as error:
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
        reader = SubscriptionReader(self._arm, subscription, Listing())
        reader.read_lists(MODELS)
        sets = reader.listing.by_set()
        try:
            reader.read_lists(RESOURCE_IDS)
            with understanding(f"list resources of subscription {subscription}"):
                unseen = [VmId.parse(vm_id) for vm_id in reader.listing.unseen()]
            if len(unseen) > _MOST_SINGLES:
                return _Index(sets, f"the list of virtual machines of subscription {subscription} lacks {len(unseen)} that the list of resources names")
            for vm in filter(None, self._reader.vms(unseen).values()):
                if vm.set_id:
                    sets.setdefault(vm.set_key, {})[vm.id.key] = vm.id
        except SignInError:
            raise
        except AzureError as error:
            return _Index(sets, str(error))
        return _Index(sets)
