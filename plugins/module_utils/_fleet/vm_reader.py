# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view of VMs, read from Azure right now: one by one, or many of a subscription with what one list spares.

Lists only propose. They say which operations are worth asking after and which addresses an interface has; the VM that is started,
and the end of its operation, are read by themselves.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._arm.client import COMPUTE, SCALE_SET_NETWORK, Arm
from .._azure import error_codes
from .._azure.instance_view import Json, Model, View
from .._azure.vm import Addresses, Vm, VmId, is_busy
from .._errors import AzureError, IncompleteFleet, NotFound, SignInError
from .listing import Listing, understanding
from .subscription import INTERFACES, PUBLIC_IPS, STATUSES, SubscriptionReader, read_list

MANY = 10
"""From so many VMs of one subscription on, a list is asked instead of each."""
_WORKERS = 12
_EXPAND = {"$expand": "instanceView"}
# A list is worth its pages (about 200 items each) while it spares more requests than it costs.
_ITEMS_A_VM = 100


class Network(t.NamedTuple):
    """Complete listings of interfaces and public addresses, by lower-case subscription."""

    listed: t.Mapping[str, Listing]


class VmReader:
    """Reads VMs and scale-set instances one by one, many at a time. Makes only GET requests."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def vms(self, ids: t.Iterable[VmId], addresses: bool = False) -> dict[str, Vm | None]:
        """Vm by key; None where Azure says that there is no such VM. Raises AzureError when one cannot be read."""
        wanted = {vm_id.key: vm_id for vm_id in ids}
        with ThreadPoolExecutor(_WORKERS) as pool:
            return dict(zip(wanted, pool.map(lambda vm_id: self.vm(vm_id, addresses), wanted.values())))

    def vm(self, vm_id: VmId, addresses: bool = False, network: Network | None = None, lenient: bool = False) -> Vm | None:
        """One VM, None where Azure says that there is none; its addresses come from ``network`` when that has its subscription.

        ``lenient``: addresses that cannot be read are left out. Only the answer about the VM itself says that it is gone.
        """
        doing = f"read {vm_id}"
        try:
            body = self._arm.get(str(vm_id), COMPUTE, doing, _EXPAND)
        except NotFound as error:
            if not error_codes.is_gone(error.code):
                raise
            return None
        reader = SubscriptionReader(self._arm, vm_id.subscription_id, Listing())
        try:
            with understanding(doing):
                model = reader.listing.take_single(body)
            self._read_views(reader, thorough=False)
            if model.id != vm_id:
                raise IncompleteFleet(doing, f"the answer is about {model.id}")
            return reader.listing.vm(vm_id.key, addresses=self._addresses(reader, model, network, lenient) if addresses else Addresses())
        except NotFound as error:
            raise IncompleteFleet(error.doing, f"{error.detail}; the VM itself is there", status=error.status, code=error.code) from error

    def instances(self, one: Vm, thorough: bool = True) -> list[Vm]:
        """All instances of a uniform scale set, with their views, from its own list, which may have ended early: the set's own count shows that.

        ``thorough``: those of which the list does not say how the guest is are read by themselves.
        """
        doing = f"list the instances of {one.scale_set}"
        reader = SubscriptionReader(self._arm, one.id.subscription_id, Listing())
        self._arm.each(f"{one.scale_set}/virtualMachines", COMPUTE, doing, reader.listing.take_single, _EXPAND)
        self._read_views(reader, thorough)
        if one.id.key not in reader.listing.models:
            raise IncompleteFleet(doing, f"the list does not contain {one.id}")
        return [reader.listing.vm(key, addresses=Addresses()) for key in reader.listing.models]

    @staticmethod
    def _read_views(reader: SubscriptionReader, thorough: bool) -> None:
        """Read the VMs' own views where an answer came without, or (``thorough``) is a list's and shows less."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            for dummy in pool.map(reader.view, [model.id for model in reader.listing.lacking_views(thorough)]):
                pass

    def _addresses(self, reader: SubscriptionReader, model: Model, network: Network | None, lenient: bool) -> Addresses:
        """Interfaces and addresses that are gone give nothing: that says nothing of the VM."""
        listed = network.listed.get(model.id.subscription_id.lower()) if network else None
        if listed and model.instance_id is None:  # no list of the subscription has those of instances
            return listed.addresses(model)
        try:
            if model.instance_id is not None:
                self._arm.each(f"{model.id}/networkInterfaces", SCALE_SET_NETWORK, f"list the network interfaces of {model.id}", reader.listing.take_nic)
                if any(item.kind == "instance_ips" for item in reader.listing.missing_addresses()):
                    reader.instance_ips(model.scale_set)
            else:
                while missing := reader.listing.missing_addresses():
                    for item in missing:
                        reader.read(item)
        except SignInError:
            raise
        except AzureError:
            if not lenient:
                raise
            return Addresses()
        return reader.listing.addresses(model)


class BulkReader:
    """Reads VMs through ``reader``, and what lists show of many at once."""

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
        listed: dict[str, Listing] = {}
        for subscription, wanted in _many_of_one(ids).items():
            if subscription in self._too_wide:
                continue
            reader = SubscriptionReader(self._arm, subscription, Listing())
            try:
                reader.read_lists(INTERFACES, PUBLIC_IPS)
            except AzureError:
                self._too_wide.add(subscription)
                continue
            listed[subscription] = reader.listing
            if len(reader.listing.nics) + len(reader.listing.public_ips) > _ITEMS_A_VM * len(wanted):
                self._too_wide.add(subscription)  # not again: addresses are then read one by one, when all else is known
        return Network(listed)

    def in_motion(self, ids: t.Sequence[VmId]) -> dict[str, bool]:
        """By VM key whether a list still shows it as being worked on, or not ready yet; VMs it says nothing about are not in the answer."""
        found: dict[str, bool] = {}
        for subscription, wanted in _many_of_one(ids).items():
            if subscription in self._useless:
                continue
            busy: dict[str, bool | None] = {}
            try:
                read_list(self._arm, subscription, STATUSES, lambda item: busy.__setitem__(str(item.get("id")).lower(), _is_busy(item)))
            except AzureError:
                self._useless.add(subscription)
                continue
            found |= {key: state for key in wanted if (state := busy.get(key)) is not None}
            if len(busy) > _ITEMS_A_VM * len(wanted) or not any(busy.get(key) is not None for key in wanted):
                self._useless.add(subscription)
        return found


def _many_of_one(ids: t.Sequence[VmId]) -> dict[str, set[str]]:
    """Keys of VMs by subscription, where there are many; instances of uniform scale sets are in no such list."""
    found: dict[str, set[str]] = {}
    for vm_id in ids:
        if vm_id.scale_set is None:
            found.setdefault(vm_id.subscription_id.lower(), set()).add(vm_id.key)
    return {subscription: keys for subscription, keys in found.items() if len(keys) >= MANY}


def _is_busy(item: Json) -> bool | None:
    """Whether a listed VM is worked on, or has just come up and waits for its agent: there is no verdict to be had on it yet.
    None when the list does not show it."""
    try:
        view = View.of((item.get("properties") or {}).get("instanceView"))
    except ValueError:
        return None
    return None if view is None else (is_busy(view.provisioning) or (view.power == "running" and view.agent == "not_ready"))
