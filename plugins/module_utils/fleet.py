# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many subscriptions -> every VM with its live view, or a clear failure. Never a short list.

Per subscription a handful of lists, fetched at once and joined on lower-cased ids. The bulk status list
(``statusOnly=true``) is used where it proves to carry what is needed; otherwise each VM's own view is read.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.arm import COMPUTE, NETWORK, RESOURCES, Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AzureError, IncompleteFleet, NotFound
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.records import (
    Json, addresses_from_arm, has_view, pairs_from_locations, vm_from_arm,
)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Vm

_WORKERS = 12
_COMPUTE = "providers/Microsoft.Compute"
_NETWORK = "providers/Microsoft.Network"


@dataclass
class Fleet:
    """All VMs of the subscriptions asked for, in the order of their ids.

    ``gone`` are ids that were listed and no longer exist; ``counts`` tell what was asked and seen.
    """

    vms: list[Vm]
    now: dt.datetime
    gone: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def members(self) -> dict[str, list[Vm]]:
        """Set key -> its members."""
        sets: dict[str, list[Vm]] = {}
        for vm in self.vms:
            sets.setdefault(vm.failure_domain.set_key, []).append(vm)
        return sets


def subscriptions_of(arm: Arm, wanted: t.Sequence[str] | None) -> list[str]:
    """The subscriptions to read: those wanted, else the one of the sign-in options, else all that the identity can see.

    Raises AzureError when there is none.
    """
    if wanted or arm.settings.subscription_id:
        return list({one.lower(): one for one in wanted or [arm.settings.subscription_id]}.values())
    seen = [s["subscriptionId"] for s in arm.list("/subscriptions", RESOURCES, "list subscriptions")
            if str(s.get("state", "Enabled")).lower() in ("enabled", "warned", "pastdue")]
    if not seen:
        raise AzureError("list subscriptions", "the identity sees no subscription; give it Reader on one, or set subscription_id")
    return seen


def read_fleet(arm: Arm, subscriptions: t.Sequence[str]) -> Fleet:
    """Every VM of the subscriptions. Raises AzureError (IncompleteFleet) naming what could not be read."""
    fleet = Fleet([], arm.now(), counts={"subscriptions": len(subscriptions)})
    with ThreadPoolExecutor(_WORKERS) as pool:
        for subscription in subscriptions:
            _SubscriptionReader(arm, subscription, pool).read_into(fleet)
    fleet.vms.sort(key=lambda vm: vm.id.key)
    fleet.now = arm.now()
    fleet.counts.update(vms=len(fleet.vms), gone=len(fleet.gone), requests=arm.requests)
    return fleet


class _SubscriptionReader:
    """Reads one subscription into a fleet."""

    def __init__(self, arm: Arm, subscription: str, pool: ThreadPoolExecutor) -> None:
        self._arm, self._id, self._pool = arm, subscription, pool
        self._base = f"/subscriptions/{subscription}"

    def read_into(self, fleet: Fleet) -> None:
        lists = {
            "models": self._list(f"{_COMPUTE}/virtualMachines", COMPUTE, "list virtual machines"),
            "status": self._list(f"{_COMPUTE}/virtualMachines", COMPUTE, "list the status of virtual machines", {"statusOnly": "true"}),
            "sets": self._list(f"{_COMPUTE}/availabilitySets", COMPUTE, "list availability sets"),
            "nics": self._list(f"{_NETWORK}/networkInterfaces", NETWORK, "list network interfaces"),
            "ips": self._list(f"{_NETWORK}/publicIPAddresses", NETWORK, "list public IP addresses"),
            "locations": self._list("locations", RESOURCES, "list locations"),
        }
        got = {name: future.result() for name, future in lists.items()}
        models = self._complete_models(got, fleet)
        views = self._views(models, by_id(got["status"]), fleet)
        nics, ips, pairs = by_id(got["nics"]), by_id(got["ips"]), pairs_from_locations(got["locations"])
        for key, model in models.items():
            if key in views:
                fleet.vms.append(make_vm(model, views[key], nics, ips, pairs))

    def _list(self, path: str, api_version: str, doing: str, params: t.Mapping[str, str] | None = None):
        return self._pool.submit(self._arm.list, f"{self._base}/{path}", api_version, f"{doing} of subscription {self._id}", params)

    def _complete_models(self, got: t.Mapping[str, list[Json]], fleet: Fleet) -> dict[str, Json]:
        """Models by key. A VM that only the status list, its set or its network interface knows is read by itself: a list may have lost it."""
        models = by_id(got["models"])
        known_elsewhere = {item["id"].lower(): item["id"] for item in got["status"]}
        for availability_set in got["sets"]:
            for member in (availability_set.get("properties") or {}).get("virtualMachines") or ():
                known_elsewhere.setdefault(member["id"].lower(), member["id"])
        for nic in got["nics"]:
            owner = ((nic.get("properties") or {}).get("virtualMachine") or {}).get("id")
            if owner:
                known_elsewhere.setdefault(owner.lower(), owner)
        missing = [spelling for key, spelling in known_elsewhere.items() if key not in models]
        for spelling, model in zip(missing, self._pool.map(lambda i: self._read(i, "", "read"), missing)):
            if model is None:
                fleet.gone.append(spelling)
            else:
                models[spelling.lower()] = model
        return models

    def _views(self, models: t.Mapping[str, Json], status: t.Mapping[str, Json], fleet: Fleet) -> dict[str, Json]:
        """Instance view of every VM, from the status list where it can be trusted, else one by one."""
        listed = {key: (item.get("properties") or {}).get("instanceView") for key, item in status.items()}
        # The block is optional, so its absence proves nothing unless some VM of the same answer shows that blocks are sent.
        carries_blocks = any((view or {}).get("maintenanceRedeployStatus") for view in listed.values())
        views = {key: view for key, view in listed.items() if key in models and carries_blocks and _sufficient(view, models[key])}
        rest = [key for key in models if key not in views]
        answers = self._pool.map(lambda key: self._read(models[key]["id"], "/instanceView", "read the instance view of"), rest)
        for key, view in zip(rest, answers):
            if view is None:
                fleet.gone.append(models[key]["id"])
            elif not has_view(view):
                raise IncompleteFleet(f"read the instance view of {models[key]['id']}", "the answer has no statuses")
            else:
                views[key] = view
        fleet.counts["views_from_list"] = fleet.counts.get("views_from_list", 0) + len(models) - len(rest)
        fleet.counts["views_read"] = fleet.counts.get("views_read", 0) + len(rest)
        return views

    def _read(self, resource_id: str, suffix: str, doing: str) -> Json | None:
        """One VM or its view; None when Azure says that it no longer exists."""
        try:
            return self._arm.get(f"{resource_id}{suffix}", COMPUTE, f"{doing} {resource_id}")
        except NotFound:
            return None


def _sufficient(view: Json | None, model: Json) -> bool:
    in_set = (model.get("properties") or {}).get("availabilitySet")
    return has_view(view) and (not in_set or view.get("platformUpdateDomain") is not None)


def by_id(items: t.Iterable[Json]) -> dict[str, Json]:
    return {item["id"].lower(): item for item in items}


def make_vm(model: Json, view: Json, nics: t.Mapping[str, Json], ips: t.Mapping[str, Json],
            pairs: t.Mapping[str, t.Iterable[str]]) -> Vm:
    """:func:`vm_from_arm` with addresses joined in; a body it cannot read becomes an IncompleteFleet naming the VM."""
    try:
        return vm_from_arm(model, view, addresses_from_arm(model, nics, ips), pairs)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IncompleteFleet(f"understand {model.get('id')}", f"{type(error).__name__}: {error}") from error
