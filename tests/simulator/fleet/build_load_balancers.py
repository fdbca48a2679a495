# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancers of a fleet file: their keys, how they are made, and how somebody else changes them."""

from __future__ import annotations

from typing import Any

from . import schema
from .build_vms import subscription
from .fleet import Fleet
from .ids import nic_id, subnet_id
from .load_balancers import ADMIN_STATES, Address, LoadBalancer, Pool, attach
from .model import Vm
from .schema import FleetError

_STATE = schema.maybe(schema.one_of(*ADMIN_STATES))
_MEMBER = schema.keys({"vm": schema.text, "address": schema.text, "network": schema.text, "name": schema.text, "admin_state": _STATE})
_WRITE = schema.keys(
    {
        "after_seconds": schema.seconds,
        "result": schema.one_of("succeeded", "failed", "canceled", "stuck", "forgotten"),
        "code": schema.text,
        "message": schema.text,
    }
)


def _member(where: str, value: Any) -> dict[str, Any]:
    found = _MEMBER(where, {"vm": value} if isinstance(value, str) else value)
    if ("vm" in found) == ("address" in found):
        raise FleetError(f"{where}: names a vm or an address")
    return found


_POOL = schema.keys(
    {"name": schema.text, "kind": schema.one_of("nic", "ip"), "probe": schema.flag, "members": schema.list_of(_member)}, ("name",)
)
check_load_balancer = schema.keys(
    {
        "name": schema.text,
        "resource_group": schema.text,
        "region": schema.text,
        "subscription": schema.text,
        "sku": schema.one_of("Standard", "Basic"),
        "pools": schema.list_of(_POOL),
        "writes": schema.list_of(_WRITE),
    },
    ("name", "resource_group", "region"),
)
check_change = schema.keys(
    {
        "name": schema.text,
        "pool": schema.text,
        "add": schema.list_of(_member),
        "remove": schema.list_of(schema.text),
        "admin_state": schema.map_of(_STATE),
        "writes": schema.list_of(_WRITE),
    }
)


def add_load_balancers(data: dict[str, Any], fleet: Fleet) -> None:
    """Make the load balancers of a fleet file; its VMs and instances are there already. Raises FleetError."""
    for index, item in enumerate(data.get("load_balancers", ())):
        where = f"load_balancers[{index}]"
        if item["region"] not in fleet.regions:
            raise FleetError(f"{where}.region: no region {item['region']!r}")
        owner = subscription(f"{where}.subscription", item.get("subscription"), fleet.subscriptions)
        balancer = LoadBalancer(
            item["name"], item["resource_group"], owner, item["region"], item.get("sku", "Standard"), writes=item.get("writes", [])
        )
        if balancer.key in fleet.load_balancers:
            raise FleetError(f"{where}.name: {balancer.name!r} is there twice in {balancer.resource_group}")
        for at, given in enumerate(item.get("pools", ())):
            pool = balancer.pools[given["name"].lower()] = Pool(given["name"], given.get("kind", "nic"), given.get("probe", True))
            for number, member in enumerate(given.get("members", ())):
                add_member(f"{where}.pools[{at}].members[{number}]", fleet, balancer, pool, member)
        fleet.load_balancers[balancer.key] = balancer


def add_member(where: str, fleet: Fleet, balancer: LoadBalancer, pool: Pool, given: dict[str, Any]) -> None:
    """Add a member as the fleet file names it. Raises FleetError."""
    if balancer.sku == "Basic" and given.get("admin_state"):
        raise FleetError(f"{where}.admin_state: not with sku Basic")
    vm = _vm(where, fleet, balancer, given["vm"]) if "vm" in given else None
    if vm is None and pool.kind == "nic":
        raise FleetError(f"{where}: members of a pool of kind nic are VMs")
    group = vm.resource_group if vm else balancer.resource_group
    network = subnet_id(balancer.subscription, group).partition("/subnets/")[0]
    if "network" in given:
        network = f"{network.rpartition('/')[0]}/{given['network']}"
    fallback = f"{nic_id(vm).rpartition('/')[2]}-ipconfig1" if vm else f"address-{given['address']}"
    if vm and vm.instance_id is not None:
        fallback = f"{vm.name}-{fallback}"
    address = Address(given.get("name", fallback), vm.key if vm else None, admin_state=given.get("admin_state"))
    if pool.kind == "ip":
        address.ip, address.network = (vm.state.private if vm else given["address"]), network
    pool.addresses.append(address)
    attach(fleet, balancer, pool, address)


def _vm(where: str, fleet: Fleet, balancer: LoadBalancer, name: str) -> Vm:
    found = [vm for vm in fleet.named(name) if name.startswith("/") or vm.subscription == balancer.subscription]
    if len(found) != 1:
        raise FleetError(f"{where}: {name!r} names {len(found)} VMs")
    return found[0]


def change(fleet: Fleet, name: str, given: dict[str, Any]) -> LoadBalancer:
    """Change a load balancer as somebody else would; for the control path and for faults. Raises FleetError."""
    checked = check_change(name, given)
    wanted = f"/{name.strip('/')}".lower()
    found = [one for key, one in fleet.load_balancers.items() if wanted in (key, f"/{one.name.lower()}")]
    if len(found) != 1:
        raise FleetError(f"{name}: names {len(found)} load balancers (use the id where a name is not unique)")
    balancer = found[0]
    if "writes" in checked:
        balancer.writes, balancer.attempts = checked["writes"], 0
    pool = balancer.pools.get(checked.get("pool", "").lower())
    if pool is None:
        if checked.keys() & {"add", "remove", "admin_state"}:
            raise FleetError(f"{name}.pool: {checked.get('pool')!r} is none of {', '.join(balancer.pools)}")
        return balancer
    for member in checked.get("add", ()):
        add_member(f"{name}.add", fleet, balancer, pool, member)
    _alter(fleet, balancer, pool, checked)
    balancer.version += 1
    return balancer


def _alter(fleet: Fleet, balancer: LoadBalancer, pool: Pool, checked: dict[str, Any]) -> None:
    """Take members out, and give others another adminState; both by the members' names."""
    named = {address.name: address for address in pool.addresses}
    for who in (*checked.get("remove", ()), *checked.get("admin_state", ())):
        if who not in named:
            raise FleetError(f"{balancer.name}.{pool.name}: {who!r} is none of {', '.join(named)}")
    for who in checked.get("remove", ()):
        pool.addresses.remove(named[who])
        attach(fleet, balancer, pool, named[who], there=False)
    for who, state in checked.get("admin_state", {}).items():
        named[who].admin_state = state
