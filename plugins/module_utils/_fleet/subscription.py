# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that fill a Listing: lists of a subscription, what they left out, and views where the status list will not do.

Requests of a fleet come as :class:`Job`, so that those of all subscriptions run at once.
"""

from __future__ import annotations

import collections
import functools
import typing as t

from .._arm.client import COMPUTE, NETWORK, RESOURCE_LIST, RESOURCES, SCALE_SET_NETWORK, Arm
from .._azure import error_codes
from .._azure.instance_view import Json, Model
from .._azure.vm import VmId
from .._errors import AzureError, IncompleteFleet, NotFound
from .listing import Listing, Missing, ScaleSet, understanding, view_of

_COMPUTE = "providers/Microsoft.Compute"
_NETWORK = "providers/Microsoft.Network"
_KINDS = " or ".join(f"resourceType eq 'Microsoft.Compute/{kind}'" for kind in ("virtualMachines", "virtualMachineScaleSets"))
# Answers that say that this list is not to be had, here or by this identity; all else (a server in trouble) is a failure to read.
_NOT_FOR_US = (400, 403, 404, 405, 501)
# Answers that say that there is no such list at all: neither a lack of rights nor trouble of a server.
_NOT_OFFERED = (400, 404, 405, 501)
_NO_SUCH_KIND = (404, 405, 501)
_EXPAND = {"$expand": "instanceView"}
_ONE_BY_ONE = "those that VMs name are read one by one"
Report = t.Callable[[t.Mapping[str, str], AzureError], bool]
"""Takes note of a failure; False when going on is of no use."""


class Job(t.NamedTuple):
    """``run`` may return jobs that follow from its answer. ``subject`` is what is left out if it fails: a subscription or an id."""

    subject: t.Mapping[str, str]
    run: t.Callable[[], t.Any]


class List(t.NamedTuple):
    """A list of a subscription. ``without`` says what is done where there is no such list; one that has nothing in its place has none."""

    path: str
    doing: str
    take: t.Callable[[Listing, Json], t.Any]
    api_version: str = COMPUTE
    params: t.Mapping[str, str] | None = None
    without: str = ""


MODELS = List(f"{_COMPUTE}/virtualMachines", "list virtual machines", Listing.take_model)
STATUSES = List(f"{_COMPUTE}/virtualMachines", "list the status of virtual machines", Listing.take_status, params={"statusOnly": "true"},
                without="the view of every VM is read by itself")
AVAILABILITY_SETS = List(f"{_COMPUTE}/availabilitySets", "list availability sets", Listing.take_availability_set, without=_ONE_BY_ONE)
SCALE_SETS = List(f"{_COMPUTE}/virtualMachineScaleSets", "list scale sets", Listing.take_scale_set)
INTERFACES = List(f"{_NETWORK}/networkInterfaces", "list network interfaces", Listing.take_nic, NETWORK, without=_ONE_BY_ONE)
PUBLIC_IPS = List(f"{_NETWORK}/publicIPAddresses", "list public IP addresses", Listing.take_public_ip, NETWORK, without=_ONE_BY_ONE)
RESOURCE_IDS = List("resources", "list resources", Listing.take_resource, RESOURCE_LIST, {"$filter": _KINDS})
"""Resource Manager's own list: it shows what another list left out when it ended early."""
LOCATIONS = List("locations", "list locations", Listing.take_location, RESOURCES, without="pairs of regions are unknown")


def read_list(arm: Arm, subscription: str, which: List, take: t.Callable[[Json], t.Any]) -> None:
    """Hand every item to ``take``. Where the provider was never registered there is nothing of that kind: an empty list. Raises AzureError."""
    taken = 0

    def count(body: Json) -> None:
        nonlocal taken
        taken += 1
        take(body)

    try:
        arm.each(f"/subscriptions/{subscription}/{which.path}", which.api_version, f"{which.doing} of subscription {subscription}", count, which.params)
    except AzureError as error:
        # Resource Manager's own list lacks no provider, and others are judged by it.
        if taken or which is RESOURCE_IDS or not error_codes.nothing_there(error.code):
            raise


class SubscriptionReader:
    """Fills the listing of one subscription, request by request."""

    def __init__(self, arm: Arm, subscription: str, listing: Listing) -> None:
        self._arm, self.id, self.listing = arm, subscription, listing
        self._warnings: list[str] = []
        self._without_interfaces: dict[int | None, list[str]] = {}
        self._subject = {"subscription": subscription}

    # -- lists --------------------------------------------------------------------------------------------------------

    def read_lists(self, *lists: List) -> None:
        """Read these one after another. Raises AzureError when one cannot be had, whatever might be done in its place."""
        for which in lists:
            read_list(self._arm, self.id, which, functools.partial(which.take, self.listing))

    def lists(self) -> list[Job]:
        """What a fleet is known by, each list a job of its own."""
        wanted = MODELS, STATUSES, AVAILABILITY_SETS, *((INTERFACES, PUBLIC_IPS) if self.listing.with_addresses else ())
        return [*map(self.job, wanted), Job(self._subject, self._scale_sets), Job(self._subject, self._resources)]

    def job(self, which: List) -> Job:
        """The job of reading a list, or of saying what is done without it."""
        def run() -> None:
            try:
                self.read_lists(which)
            except AzureError as error:
                if not which.without or error.status not in _NOT_OFFERED:
                    raise
                self.warn(f"cannot {which.doing} (HTTP {error.status} {error.code or ''}): {which.without}".replace(" )", ")"))

        return Job(self._subject, run)

    def warn(self, text: str) -> None:
        """Take note of what is worth saying and loses nothing."""
        self._warnings.append(f"subscription {self.id}: {text}")

    def warnings(self) -> list[str]:
        """What callers show: what several scale sets have in common is one warning, with their number."""
        counted = [f"subscription {self.id}: cannot list the network interfaces of {len(sets)} scale set{'s' if len(sets) > 1 else ''} (HTTP {status}, "
                   f"{'first ' if len(sets) > 1 else ''}{min(sets)}): {_ONE_BY_ONE}" for status, sets in self._without_interfaces.items()]
        return [*self._warnings, *counted]

    def _scale_sets(self) -> list[Job]:
        try:
            self.read_lists(SCALE_SETS)
        except AzureError as error:
            if error.status not in _NO_SUCH_KIND:
                raise
            # The list of resources would still name those that there are.
            self.warn(f"there is no list of scale sets (HTTP {error.status} {error.code or ''}); only those that the list of resources names are read")
        return [job for scale_set in list(self.listing.scale_sets.values()) for job in self._instance_lists(scale_set)]

    def _resources(self) -> None:
        try:
            self.read_lists(RESOURCE_IDS)
        except AzureError as error:
            if error.status not in _NOT_FOR_US:
                raise
            self.warn(f"its list of resources cannot be read ({error.code or error.status}), so that scale sets and VMs were only counted against the "
                      "other lists; allow Microsoft.Resources/subscriptions/resources/read")

    # -- uniform scale sets -------------------------------------------------------------------------------------------

    def _instance_lists(self, scale_set: ScaleSet) -> list[Job]:
        if not scale_set.uniform:  # its members are VMs, which name it
            return []
        reads = [self._instances, *([self._instance_addresses] if self.listing.with_addresses else [])]
        return [Job({"id": scale_set.id}, functools.partial(self._of_set, scale_set, read)) for read in reads]

    def _of_set(self, scale_set: ScaleSet, read: t.Callable[[ScaleSet], None]) -> None:
        """A scale set that is deleted while it is read is gone, as a VM is; anything else is for the caller."""
        try:
            read(scale_set)
        except NotFound:
            try:
                self._arm.get(scale_set.id, COMPUTE, f"read {scale_set.id}")
            except NotFound:
                self.listing.forget_set(scale_set.id)
                return
            raise

    def _instances(self, scale_set: ScaleSet) -> None:
        """Every instance with its view, counted against the set's own count: no other list knows them for certain."""
        seen = self._list_instances(scale_set)
        if scale_set.capacity is not None and seen >= scale_set.capacity:
            return
        counted = self._counted(scale_set)
        should = counted if counted is not None and counted >= seen else scale_set.capacity or 0
        if seen < should and (seen := self._list_instances(scale_set)) < should:
            raise IncompleteFleet(f"list the instances of {scale_set.id}", f"the list ended after {seen} of {should} instances",
                                  asked={"instances": should}, seen={"instances": seen})

    def _list_instances(self, scale_set: ScaleSet) -> int:
        keys: set[str] = set()

        def take(body: Json) -> None:
            keys.add(body["id"].lower())
            self.listing.take_single(body)

        doing = f"list the instances of {scale_set.id}"
        try:
            self._arm.each(f"{scale_set.id}/virtualMachines", COMPUTE, doing, take, _EXPAND)
        except AzureError as error:
            if error.status != 400:
                raise
            self._arm.each(f"{scale_set.id}/virtualMachines", COMPUTE, doing, take)  # without views, which are then read one by one
        return len(keys)

    def _counted(self, scale_set: ScaleSet) -> int | None:
        """Instances by the scale set's own view, which counts them by provisioning state; None when it does not."""
        try:
            view = self._arm.get(f"{scale_set.id}/instanceView", COMPUTE, f"count the instances of {scale_set.id}")
        except AzureError as error:
            if error.status not in _NOT_FOR_US:
                raise
            return None
        return ScaleSet.counted(view)

    def _instance_addresses(self, scale_set: ScaleSet) -> None:
        public = False

        def take(body: Json) -> None:
            nonlocal public
            self.listing.take_nic(body)
            public = public or any(key for dummy, key in self.listing.nics[body["id"].lower()].configurations)

        doing = f"list the network interfaces of {scale_set.id}"
        try:
            self._arm.each(f"{scale_set.id}/networkInterfaces", SCALE_SET_NETWORK, doing, take)
        except AzureError as error:
            if error.status == 404:
                self._arm.get(scale_set.id, COMPUTE, f"read {scale_set.id}")  # is it the set that is gone?
            elif error.status not in _NOT_OFFERED:
                raise
            self._without_interfaces.setdefault(error.status, []).append(scale_set.id)
        if public:
            self.instance_ips(scale_set.id)
    # -- what no list showed ------------------------------------------------------------------------------------------

    def singles(self) -> list[Job]:
        """What an answer named and no list showed, to be read one by one. Ask again when they are done: they may name more."""
        return [Job(self._subject if item.kind == "availability_set" else {"id": item.needed_by or item.id}, functools.partial(self.read, item))
                for item in self.listing.missing()]

    def read(self, item: Missing) -> t.Any:
        """Read it by itself, unless it is gone; may return jobs that follow. Raises AzureError when it cannot be read."""
        read = {"vm": self._vm, "availability_set": self._availability_set, "scale_set": self._scale_set, "nic": self._nic,
                "public_ip": self._public_ip, "instance_ips": self.instance_ips}[item.kind]
        try:
            with understanding(f"understand {item.id}"):
                return read(item.id)
        except NotFound:
            if item.kind == "vm":
                self.listing.forget(item.id.lower())
        return None

    def _vm(self, vm_id: str) -> None:
        self.listing.take_single(self._arm.get(vm_id, COMPUTE, f"read {vm_id}", _EXPAND))

    def _availability_set(self, set_id: str) -> None:
        self.listing.take_availability_set(self._arm.get(set_id, COMPUTE, f"read {set_id}"))

    def _scale_set(self, set_id: str) -> list[Job]:
        body = self._arm.get(set_id, COMPUTE, f"read {set_id}")
        self.listing.take_scale_set(body)
        return self._instance_lists(ScaleSet.of(body))

    def _nic(self, nic_id: str) -> None:
        self.listing.take_nic(self._arm.get(nic_id, _network_version(nic_id), f"read {nic_id}"))

    def _public_ip(self, ip_id: str) -> None:
        self.listing.take_public_ip(self._arm.get(ip_id, _network_version(ip_id), f"read {ip_id}"))

    def instance_ips(self, set_id: str) -> None:
        """Every public address of a uniform scale set."""
        self._arm.each(f"{set_id}/publicIPAddresses", SCALE_SET_NETWORK, f"list the public IP addresses of {set_id}", self.listing.take_public_ip)

    # -- views --------------------------------------------------------------------------------------------------------

    def views(self, models: t.Sequence[Model], at_once: int, report: Report) -> list[Job]:
        """Read the views of these VMs one by one, so many at once; failures are reported per VM. How fast is the budget's."""
        queue = collections.deque(models)
        return [Job(self._subject, lambda: self._read_views(queue, report)) for dummy in range(min(at_once, len(queue)))]

    def _read_views(self, queue: collections.deque[Model], report: Report) -> None:
        while queue:
            try:
                vm_id = queue.popleft().id
            except IndexError:  # another job took the last one
                return
            try:
                self.view(vm_id)
            except NotFound:
                self.listing.forget(vm_id.key)
            except AzureError as error:
                if not report({"id": str(vm_id)}, error):
                    queue.clear()

    def view(self, vm_id: VmId) -> None:
        """The VM's own view. Raises NotFound when it is gone, AzureError when it cannot be read."""
        body = self._arm.get(f"{vm_id}/instanceView", COMPUTE, f"read the instance view of {vm_id}")
        self.listing.take_view(vm_id.key, view_of(body, vm_id))


def _network_version(resource_id: str) -> str:
    return SCALE_SET_NETWORK if "/virtualmachinescalesets/" in resource_id.lower() else NETWORK
