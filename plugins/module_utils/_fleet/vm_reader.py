# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view: single VMs and whole sets, read from Azure right now. The lists of a fleet only propose; this decides."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from .._arm.client import COMPUTE, NETWORK, SCALE_SET_NETWORK, Arm
from .._azure import error_codes
from .._azure.addresses import Nic, PublicIp, addresses_of
from .._azure.instance_view import Json, Model, View, make_vm, shows_all
from .._azure.vm import Addresses, Vm, VmId
from .._errors import AzureError, IncompleteFleet, NotFound, SignInError
from .listing import view_of
from .set_members import SetMembers

_WORKERS = 12
_EXPAND = {"$expand": "instanceView"}


class Network(t.NamedTuple):
    """Network interfaces and public addresses by lower-case id, complete for the (lower-case) subscriptions ``listed``."""

    nics: t.Mapping[str, Nic]
    ips: t.Mapping[str, PublicIp]
    listed: t.Collection[str]


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
        try:
            model, view = self._parts(body, doing, own=True)
            if model.id != vm_id:
                raise IncompleteFleet(doing, f"the answer is about {model.id}")
            return make_vm(model, view, self._wanted_addresses(model, network, lenient) if addresses else Addresses(), {})
        except NotFound as error:
            raise IncompleteFleet(error.doing, f"{error.detail}; the VM itself is there", status=error.status, code=error.code) from error

    def _parts(self, body: Json, doing: str, own: bool) -> tuple[Model, View]:
        """Model and view of a body; the VM's own view is asked for when the body came without, or (not ``own``) is a list's and tells less."""
        try:
            model, view = Model.of(body), View.of((body.get("properties") or {}).get("instanceView"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IncompleteFleet(doing, f"{type(error).__name__}: {error}") from error
        if view is None or not (own or shows_all(model, view)):
            view = view_of(self._arm.get(f"{model.id}/instanceView", COMPUTE, f"read the instance view of {model.id}"), model.id)
        return model, view

    def _wanted_addresses(self, model: Model, network: Network | None, lenient: bool) -> Addresses:
        try:
            return self._addresses(model, network)
        except SignInError:
            raise
        except AzureError:
            if lenient:
                return Addresses()
            raise

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

    def members(self) -> SetMembers:
        """Who belongs to which set, as lists tell it from now on."""
        return SetMembers(self._arm, self.vms)

    def sets_of(self, vms: t.Iterable[Vm], members: SetMembers | None = None) -> dict[str, list[Vm]]:
        """Every member of each VM's set, by set key; a VM outside sets is its own set. Raises AzureError when one may be missing."""
        found: dict[str, list[Vm]] = {}
        known, members = {vm.id.key: vm for vm in vms}, members or self.members()
        for set_key, one in {vm.failure_domain.set_key: vm for vm in known.values()}.items():
            if one.instance_id is not None:
                found[set_key] = self.instances(one)
                continue
            ids = members.of(one)
            read = self.vms(vm_id for vm_id in ids if vm_id.key not in known)
            together = [known.get(vm_id.key) or read[vm_id.key] for vm_id in ids]
            found[set_key] = [vm for vm in together if vm is not None]
        return found

    def instances(self, one: Vm, thorough: bool = True) -> list[Vm]:
        """All instances of a uniform scale set, with their views, from its own list. Whether they are all, its count tells.

        ``thorough``: those of which the list does not say how the guest is are read by themselves.
        """
        doing = f"list the instances of {one.scale_set}"
        bodies = self._arm.list(f"{one.scale_set}/virtualMachines", COMPUTE, doing, _EXPAND)
        with ThreadPoolExecutor(_WORKERS) as pool:
            parts = list(pool.map(lambda body: self._parts(body, doing, own=not thorough), bodies))
        found = [make_vm(model, view, Addresses(), {}) for model, view in parts]
        if one.id not in [vm.id for vm in found]:
            raise IncompleteFleet(doing, f"the list does not contain {one.id}")
        return found
