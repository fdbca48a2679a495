# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders load balancers and their backend pools as the network provider does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..fleet.fleet import Fleet
from ..fleet.ids import nic_id
from ..fleet.load_balancers import Address, LoadBalancer, Pool
from ..fleet.model import guid

_TYPE = "Microsoft.Network/loadBalancers"


def load_balancer(fleet: Fleet, balancer: LoadBalancer, now: datetime) -> dict[str, Any]:
    """Return a load balancer with one frontend, and for each pool a rule and, unless it has none, a probe."""
    state, etag = balancer.provisioning(now), balancer.etag(fleet, now)
    front = f"{balancer.id}/frontendIPConfigurations/front"
    pools = list(balancer.pools.values())
    rules = [_rule(balancer, pool, port, front) for port, pool in enumerate(pools, 8001)]
    probes = [_part(balancer, "probes", pool.name, {"protocol": "Tcp", "port": 8080}) for pool in pools if pool.probe]
    for part in (*rules, *probes):
        part |= {"etag": etag}
    return {
        "name": balancer.name,
        "id": balancer.id,
        "etag": etag,
        "type": _TYPE,
        "location": balancer.region,
        "properties": {
            "provisioningState": state,
            "resourceGuid": guid("lb", balancer.key),
            "frontendIPConfigurations": [_part(balancer, "frontendIPConfigurations", "front", {"privateIPAllocationMethod": "Dynamic"})],
            "backendAddressPools": [pool_of(fleet, balancer, pool, now) for pool in pools],
            "loadBalancingRules": rules,
            "probes": probes,
            "inboundNatRules": [],
            "outboundRules": [],
            "inboundNatPools": [],
        },
        "sku": {"name": balancer.sku, "tier": "Regional"},
    }


def pool_of(fleet: Fleet, balancer: LoadBalancer, pool: Pool, now: datetime) -> dict[str, Any]:
    """Return a backend pool; adminState is absent where nobody ever set it."""
    etag, state = balancer.etag(fleet, now), balancer.provisioning(now)
    identity = f"{balancer.id}/backendAddressPools/{pool.name}"
    addresses = [_address(fleet, balancer, identity, etag, address) for address in pool.living(fleet)]
    properties: dict[str, Any] = {"provisioningState": state, "loadBalancerBackendAddresses": addresses}
    if pool.kind == "nic" and addresses:
        properties["backendIPConfigurations"] = [
            {"id": address["properties"]["networkInterfaceIPConfiguration"]["id"]} for address in addresses
        ]
    properties["loadBalancingRules"] = [{"id": f"{balancer.id}/loadBalancingRules/{pool.name}"}]
    return {"name": pool.name, "id": identity, "etag": etag, "properties": properties, "type": f"{_TYPE}/backendAddressPools"}


def _address(fleet: Fleet, balancer: LoadBalancer, pool: str, etag: str, address: Address) -> dict[str, Any]:
    properties: dict[str, Any] = {"provisioningState": "Succeeded"}
    if address.ip:
        properties |= {"ipAddress": address.ip, "virtualNetwork": {"id": address.network}}
    else:
        configuration = f"{nic_id(fleet.vms[address.vm or ''])}/ipConfigurations/ipconfig1"
        if fleet.quirks["upper_case_ids"]:
            configuration = configuration.replace(balancer.resource_group, balancer.resource_group.upper(), 1)
        properties["networkInterfaceIPConfiguration"] = {"id": configuration}
    if address.admin_state:
        properties["adminState"] = address.admin_state
    return {
        "name": address.name,
        "id": f"{pool}/loadBalancerBackendAddresses/{address.name}",
        "etag": etag,
        "properties": properties,
        "type": f"{_TYPE}/backendAddressPools/loadBalancerBackendAddresses",
    }


def _rule(balancer: LoadBalancer, pool: Pool, port: int, front: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "frontendIPConfiguration": {"id": front},
        "frontendPort": port,
        "backendPort": 8080,
        "protocol": "Tcp",
        "backendAddressPool": {"id": f"{balancer.id}/backendAddressPools/{pool.name}"},
        "backendAddressPools": [{"id": f"{balancer.id}/backendAddressPools/{pool.name}"}],
    }
    if pool.probe:
        properties["probe"] = {"id": f"{balancer.id}/probes/{pool.name}"}
    return _part(balancer, "loadBalancingRules", pool.name, properties)


def _part(balancer: LoadBalancer, kind: str, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    whole = {"provisioningState": "Succeeded", **properties}
    return {"name": name, "id": f"{balancer.id}/{kind}/{name}", "type": f"{_TYPE}/{kind}", "properties": whole}
