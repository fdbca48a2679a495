# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers with their backend pools: who is in them, in which adminState, and the write that is under way."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .model import guid

if TYPE_CHECKING:
    from .fleet import Fleet

ADMIN_STATES = ("None", "Up", "Down")


@dataclass
class Address:
    """A member of a pool: of a VM's interface (``vm``, its key), or an address in a virtual network (``ip``, ``network``)."""

    name: str
    vm: str | None = None
    ip: str | None = None
    network: str | None = None
    admin_state: str | None = None


@dataclass
class Pool:
    """A backend pool; in one of kind nic the interfaces say who is a member, in one of kind ip the pool does."""

    name: str
    kind: str
    probe: bool = True
    addresses: list[Address] = field(default_factory=list)

    def states(self, fleet: Fleet) -> dict[str, str]:
        """Return adminState by name."""
        return {address.name: address.admin_state or "None" for address in self.living(fleet)}

    def living(self, fleet: Fleet) -> list[Address]:
        """Return the members whose interface is still there."""
        return [address for address in self.addresses if self.kind == "ip" or address.vm in fleet.vms]


@dataclass
class Update:
    """A write that was accepted; ``end`` None: it never ends."""

    id: str
    end: datetime | None
    result: str
    code: str
    message: str

    def status(self, now: datetime) -> str:
        """Return InProgress, Succeeded, Failed or Canceled."""
        if self.end is None or now < self.end:
            return "InProgress"
        return {"failed": "Failed", "canceled": "Canceled"}.get(self.result, "Succeeded")


@dataclass
class LoadBalancer:
    """A load balancer; pools are named in lower case. ``writes`` says how its writes fare, one each, the last repeats."""

    name: str
    resource_group: str
    subscription: str
    region: str
    sku: str = "Standard"
    pools: dict[str, Pool] = field(default_factory=dict)
    writes: list[dict[str, Any]] = field(default_factory=list)
    version: int = 1
    attempts: int = 0
    updates: dict[str, Update] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Network/loadBalancers/{self.name}"
        )

    @cached_property
    def key(self) -> str:
        return self.id.lower()

    def provisioning(self, now: datetime) -> str:
        """Return provisioningState: of the last write."""
        last = next(reversed(self.updates.values()), None)
        status = last.status(now) if last else "Succeeded"
        return {"InProgress": "Updating", "Canceled": "Failed"}.get(status, status)

    def etag(self, fleet: Fleet, now: datetime) -> str:
        """Return the etag that all its parts share: new with each write, and with its end."""
        members = sum(len(pool.living(fleet)) for pool in self.pools.values())
        return f'W/"{guid("lb-etag", self.key, self.version, self.provisioning(now), members)}"'

    def begin(self, now: datetime) -> Update:
        """Take note of a write that was accepted."""
        how = self.writes[min(self.attempts, len(self.writes) - 1)] if self.writes else {}
        self.attempts += 1
        self.version += 1
        result = how.get("result", "succeeded")
        end = None if result == "stuck" else now + timedelta(seconds=how.get("after_seconds", 0))
        text = how.get("message", "An error occurred.")
        update = Update(str(uuid.uuid4()), end, result, how.get("code", "InternalServerError"), text)
        self.updates[update.id] = update
        return update

    def saved(self) -> dict[str, Any]:
        """Return what changes, with ISO times."""
        own = {name: getattr(self, name) for name in ("writes", "version", "attempts")}
        updates = [{**asdict(update), "end": update.end and update.end.isoformat()} for update in self.updates.values()]
        return {**own, "pools": [asdict(pool) for pool in self.pools.values()], "updates": updates}

    def restore(self, saved: dict[str, Any], fleet: Fleet) -> None:
        """Take over what saved once returned."""
        self.writes, self.version, self.attempts = saved["writes"], saved["version"], saved["attempts"]
        for item in saved["updates"]:
            self.updates[item["id"]] = Update(**{**item, "end": item["end"] and datetime.fromisoformat(item["end"])})
        for pool in list(self.pools.values()):
            for address in pool.addresses:
                attach(fleet, self, pool, address, there=False)
        self.pools = {}
        for item in saved["pools"]:
            pool = Pool(**{**item, "addresses": [Address(**address) for address in item["addresses"]]})
            self.pools[pool.name.lower()] = pool
            for address in pool.addresses:
                attach(fleet, self, pool, address)


def attach(fleet: Fleet, balancer: LoadBalancer, pool: Pool, address: Address, *, there: bool = True) -> None:
    """Write the pool into the interface's configuration, or take it out; only interfaces' own pools are named there."""
    vm = fleet.vms.get(address.vm or "")
    if pool.kind != "nic" or vm is None:
        return
    mine = f"{balancer.id}/backendAddressPools/{pool.name}"
    if fleet.quirks["upper_case_ids"]:
        mine = mine.replace(balancer.resource_group, balancer.resource_group.lower(), 1)
    vm.pools = [other for other in vm.pools if other.lower() != mine.lower()] + ([mine] if there else [])
    vm.state.etag += 1
