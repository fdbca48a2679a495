# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that one subscription takes: its lists, what they left out, and views where the status list will not do.

Requests come as :class:`Job`, so that those of all subscriptions run at once; answers go into the subscription's Listing.
"""

from __future__ import annotations

import collections
import functools
import typing as t

from .._arm.client import COMPUTE, NETWORK, RESOURCE_LIST, RESOURCES, SCALE_SET_NETWORK, Arm
from .._azure import error_codes
from .._azure.instance_view import Json, Model, pairs_from_locations
from .._azure.vm import VmId
from .._errors import AzureError, IncompleteFleet, NotFound
from .listing import Listing, Missing, ScaleSet, view_of

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


class SubscriptionReader:
    """Makes the jobs of one subscription."""

    def __init__(self, arm: Arm, subscription: str, listing: Listing) -> None:
        self._arm, self.id, self.listing = arm, subscription, listing
        self._warnings: list[str] = []
        self._without_interfaces: dict[int | None, list[str]] = {}
        self.locations: list[Json] = []
        self._subject = {"subscription": subscription}

    # -- lists --------------------------------------------------------------------------------------------------------

    def lists(self) -> list[Job]:
        """The lists of the subscription, each a job of its own."""
        listing = self.listing
        jobs = [
            self._list(f"{_COMPUTE}/virtualMachines", "list virtual machines", listing.take_model),
            self._list(f"{_COMPUTE}/virtualMachines", "list the status of virtual machines", listing.take_status, params={"statusOnly": "true"},
                       without="the view of every VM is read by itself"),
            Job(self._subject, self._scale_sets),
            self._list(f"{_COMPUTE}/availabilitySets", "list availability sets", listing.take_availability_set, without=_ONE_BY_ONE),
            Job(self._subject, self._resources),
        ]
        if listing.with_addresses:
            jobs.insert(2, self._list(f"{_NETWORK}/networkInterfaces", "list network interfaces", listing.take_nic, NETWORK, without=_ONE_BY_ONE))
            jobs.append(self._list(f"{_NETWORK}/publicIPAddresses", "list public IP addresses", listing.take_public_ip, NETWORK, without=_ONE_BY_ONE))
        return jobs

    def location_list(self) -> Job:
        """The regions and their pairs, as this subscription sees them."""
        return self._list("locations", "list locations", self._take_location, RESOURCES, without="pairs of regions are unknown")

    def _take_location(self, body: Json) -> None:
        """Only what tells of pairs: Azure says far more of each region."""
        kept = {"name": body["name"], "metadata": {"pairedRegion": (body.get("metadata") or {}).get("pairedRegion")}}
        pairs_from_locations([kept])  # what cannot be understood is to fail here, where it has a name
        self.locations.append(kept)

    def _list(self, path: str, doing: str, take: t.Callable[[Json], t.Any], api_version: str = COMPUTE,
              params: t.Mapping[str, str] | None = None, without: str = "") -> Job:
        """``without`` says what is done where there is no such list; a list that has nothing in its place has none."""
        def run() -> None:
            try:
                self._each(path, api_version, doing, take, params)
            except AzureError as error:
                if not without or error.status not in _NOT_OFFERED:
                    raise
                self.warn(f"cannot {doing} (HTTP {error.status} {error.code or ''}): {without}".replace(" )", ")"))

        return Job(self._subject, run)

    def _each(self, path: str, api_version: str, doing: str, take: t.Callable[[Json], t.Any], params: t.Mapping[str, str] | None = None) -> None:
        """A list of the subscription. Where the provider was never registered there is nothing of that kind: an empty list."""
        taken = 0

        def count(body: Json) -> None:
            nonlocal taken
            taken += 1
            take(body)

        try:
            self._arm.each(self._path(path), api_version, self._of(doing), count, params)
        except AzureError as error:
            if taken or not error_codes.nothing_there(error.code):
                raise

    def warn(self, text: str) -> None:
        """Take note of what is worth saying and loses nothing."""
        self._warnings.append(f"subscription {self.id}: {text}")

    def warnings(self) -> list[str]:
        """What was worth saying: what several scale sets have in common is said once, with their number."""
        counted = [f"subscription {self.id}: cannot list the network interfaces of {len(sets)} scale set{'s' if len(sets) > 1 else ''} (HTTP {status}, "
                   f"{'first ' if len(sets) > 1 else ''}{min(sets)}): {_ONE_BY_ONE}" for status, sets in self._without_interfaces.items()]
        return [*self._warnings, *counted]

    def _path(self, path: str) -> str:
        return f"/subscriptions/{self.id}/{path}"

    def _of(self, doing: str) -> str:
        return f"{doing} of subscription {self.id}"

    def _scale_sets(self) -> list[Job]:
        try:
            self._each(f"{_COMPUTE}/virtualMachineScaleSets", COMPUTE, "list scale sets", self.listing.take_scale_set)
        except AzureError as error:
            if error.status not in _NO_SUCH_KIND:
                raise
            # The list of resources would still name those that there are.
            self.warn(f"there is no list of scale sets (HTTP {error.status} {error.code or ''}); only those that the list of resources names are read")
        return [job for scale_set in list(self.listing.scale_sets.values()) for job in self._instance_lists(scale_set)]

    def _resources(self) -> None:
        """Resource Manager's own list of ids: it shows what another list lost when it ended early."""
        try:
            self._arm.each(self._path("resources"), RESOURCE_LIST, self._of("list resources"), self.listing.take_resource, {"$filter": _KINDS})
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
            self._instance_ips(scale_set.id)

    def _instance_ips(self, set_id: str) -> None:
        self._arm.each(f"{set_id}/publicIPAddresses", SCALE_SET_NETWORK, f"list the public IP addresses of {set_id}", self.listing.take_public_ip)

    # -- what no list showed ------------------------------------------------------------------------------------------

    def singles(self) -> list[Job]:
        """What somebody named and no list showed, to be read one by one. Ask again when they are done: they may name more."""
        read = {"vm": self._vm, "availability_set": self._availability_set, "scale_set": self._scale_set, "nic": self._nic,
                "public_ip": self._public_ip, "instance_ips": self._instance_ips}
        return [self._single(item, read[item.kind]) for item in self.listing.missing()]

    def _single(self, item: Missing, read: t.Callable[[str], t.Any]) -> Job:
        def run() -> t.Any:
            try:
                return read(item.id)
            except NotFound:
                if item.kind == "vm":
                    self.listing.forget(item.id.lower())
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise IncompleteFleet(f"understand {item.id}", f"{type(error).__name__}: {error}") from error
            return None

        subject = self._subject if item.kind == "availability_set" else {"id": item.needed_by or item.id}
        return Job(subject, run)

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

    # -- views --------------------------------------------------------------------------------------------------------

    def views(self, models: t.Sequence[Model], lanes: int, report: Report) -> list[Job]:
        """Read the views of these VMs one by one, so many at once; failures are reported per VM. How fast is the budget's."""
        queue = collections.deque(models)
        return [Job(self._subject, lambda: self._lane(queue, report)) for dummy in range(min(lanes, len(queue)))]

    def _lane(self, queue: collections.deque[Model], report: Report) -> None:
        while queue:
            try:
                vm_id = queue.popleft().id
            except IndexError:  # another lane took the last one
                return
            try:
                self._view(vm_id)
            except NotFound:
                self.listing.forget(vm_id.key)
            except AzureError as error:
                if not report({"id": str(vm_id)}, error):
                    queue.clear()

    def _view(self, vm_id: VmId) -> None:
        body = self._arm.get(f"{vm_id}/instanceView", COMPUTE, f"read the instance view of {vm_id}")
        self.listing.take_view(vm_id.key, view_of(body, vm_id))


def _network_version(resource_id: str) -> str:
    return SCALE_SET_NETWORK if "/virtualmachinescalesets/" in resource_id.lower() else NETWORK
