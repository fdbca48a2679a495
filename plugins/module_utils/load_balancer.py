# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which backend pools of Azure load balancers a VM is, by its interfaces or by its addresses. Reads only."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.addresses import nic_references
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.arm import COMPUTE, NETWORK, SCALE_SET_NETWORK, Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AuthError, NotFound, OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.load_balancer_pool import VERSION, Json
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import VmId, resource_name

_BALANCER = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/loadBalancers/[^/]+", re.IGNORECASE)
_POOL = re.compile(_BALANCER.pattern + r"/backendAddressPools/[^/]+", re.IGNORECASE)
_SAMPLE = "/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Network/loadBalancers/<name>"


def pool_id(text: str) -> str:
    """The id of a backend pool, checked; raises OptionsError."""
    if not _POOL.fullmatch(text.rstrip("/")):
        raise OptionsError(f"{text!r} is not the id of a backend pool; expected {_SAMPLE}/backendAddressPools/<name>")
    return text.rstrip("/")


def balancer_of(pool: str) -> str:
    """Id of the load balancer that a pool belongs to."""
    return re.split("/backendAddressPools/", pool, flags=re.IGNORECASE)[0]


@dataclass(frozen=True)
class Member:
    """What stands for one VM in pools: keys of its interfaces, pools that these name, and (address, key of the virtual network or None).
    ``ips`` are (key of an ipConfiguration, its private address)."""

    nics: frozenset[str] = frozenset()
    addresses: frozenset[tuple[str, str | None]] = frozenset()
    pools: tuple[str, ...] = ()
    ips: tuple[tuple[str, str], ...] = ()

    def has(self, address: Json) -> bool:
        """Whether a member of a pool is this VM. The same address may belong to somebody else in another virtual network."""
        properties = address.get("properties") or {}
        if _configuration(properties).partition("/ipconfigurations/")[0] in self.nics:
            return True
        network = _network(properties)
        return any(properties.get("ipAddress") == ip and (network is None or own is None or network == own) for ip, own in self.addresses)

    def ip(self, address: Json) -> str | None:
        """The private address of a member, as the pool or else the interface says."""
        properties = address.get("properties") or {}
        return properties.get("ipAddress") or dict(self.ips).get(_configuration(properties))

    @classmethod
    def of_addresses(cls, addresses: t.Iterable[str]) -> "Member":
        """Somebody of whom only addresses are known."""
        return cls(addresses=frozenset((ip, None) for ip in addresses))

    @classmethod
    def of_interfaces(cls, bodies: t.Iterable[Json]) -> "Member":
        """The VM that has these network interfaces."""
        nics, addresses, pools, ips = set(), set(), {}, {}
        for body in bodies:
            nics.add(str(body.get("id")).lower())
            for configuration in (body.get("properties") or {}).get("ipConfigurations") or ():
                properties = configuration.get("properties") or {}
                pools |= {str(pool["id"]).lower(): str(pool["id"]) for pool in properties.get("loadBalancerBackendAddressPools") or ()}
                if properties.get("privateIPAddress"):
                    addresses.add((properties["privateIPAddress"], _network(properties)))
                    ips[str(configuration.get("id")).lower()] = properties["privateIPAddress"]
        return cls(frozenset(nics), frozenset(addresses), tuple(pools.values()), tuple(ips.items()))


def _configuration(properties: Json) -> str:
    """Key of the ipConfiguration that a member of a pool stands for; empty when the pool does not say."""
    return str((properties.get("networkInterfaceIPConfiguration") or {}).get("id") or "").lower()


def _network(properties: Json) -> str | None:
    """Key of the virtual network of a member or of an ipConfiguration, which names its subnet."""
    network = (properties.get("virtualNetwork") or {}).get("id") or (properties.get("subnet") or {}).get("id")
    return str(network).lower().partition("/subnets/")[0] if network else None


class Finder:
    """Finds the pools of one member; ``subscription`` is where load balancers are looked for."""

    def __init__(self, arm: Arm, subscription: str | None) -> None:
        self._arm, self._subscription = arm, subscription
        self._balancers: dict[str, Json] = {}

    def member(self, vm: VmId) -> Member:
        """The VM with its interfaces, read from Azure. Raises NotFound or AzureError."""
        if vm.scale_set is not None:
            return Member.of_interfaces(self._arm.list(f"{vm}/networkInterfaces", SCALE_SET_NETWORK, f"list the network interfaces of {vm}"))
        body = self._arm.get(str(vm), COMPUTE, f"read {vm}")
        nics = nic_references(body.get("properties") or {})
        return Member.of_interfaces([self._arm.get(nic, NETWORK, f"read the network interface {nic}") for nic in nics])

    def pools(self, member: Member, named: t.Iterable[str], balancers: t.Iterable[str]) -> list[str]:
        """Ids of the pools that hold the member: those named, those of the load balancers (ids or names), or, without either, all there are.

        Raises OptionsError where it is not in what was named."""
        named, balancers = [pool_id(text) for text in named], list(balancers)
        found = {pool.lower(): pool for pool in named}
        for pool in named:
            body = next((one for one in _pools(self.balancer(balancer_of(pool))) if str(one.get("id")).lower() == pool.lower()), None)
            if body is None:
                raise OptionsError(f"the load balancer {resource_name(balancer_of(pool))} has no backend pool {resource_name(pool)}; "
                                   f"it has {self._names(balancer_of(pool))}")
            if not _holds(body, member):
                raise OptionsError(f"the VM is not in the backend pool {pool}; correct pools, or leave it out to have its pools found")
        for text in balancers:
            balancer = self._named(text)
            held = [str(one["id"]) for one in _pools(self.balancer(balancer)) if _holds(one, member)]
            if not held:
                raise OptionsError(f"the VM is in no backend pool of the load balancer {text}; correct load_balancers")
            found |= {pool.lower(): pool for pool in held}
        return list(found.values()) if named or balancers else self._all(member)

    def _all(self, member: Member) -> list[str]:
        """What the interfaces name, and pools of the subscription that hold one of the addresses."""
        found = {pool.lower(): pool for pool in member.pools}
        for body in self._listed():
            found |= {str(one["id"]).lower(): str(one["id"]) for one in _pools(body) if _holds(one, member)}
        return list(found.values())

    def _names(self, balancer: str) -> str:
        return ", ".join(str(one.get("name")) for one in _pools(self.balancer(balancer))) or "none"

    def balancer(self, balancer: str) -> Json:
        """The body of a load balancer. Raises OptionsError when there is none, AzureError."""
        key = balancer.lower()
        if key not in self._balancers:
            try:
                self._balancers[key] = self._arm.get(balancer, VERSION, f"read the load balancer {balancer}")
            except NotFound as error:
                raise OptionsError(f"there is no load balancer {balancer} ({error.code}); correct pools or load_balancers") from error
            except AuthError as error:
                raise _lacking(error) from error
        return self._balancers[key]

    def _listed(self) -> list[Json]:
        if not self._subscription:
            raise OptionsError("no subscription is named: set subscription_id, or name pools or load balancers by their ids")
        path = f"/subscriptions/{self._subscription}/providers/Microsoft.Network/loadBalancers"
        try:
            bodies = self._arm.list(path, VERSION, f"list the load balancers of {self._subscription}")
        except AuthError as error:
            raise _lacking(error) from error
        self._balancers |= {str(body.get("id")).lower(): body for body in bodies}
        return bodies

    def _named(self, text: str) -> str:
        """The id of a load balancer given by id or by a name that only one in the subscription has."""
        if "/" in text:
            if not _BALANCER.fullmatch(text.rstrip("/")):
                raise OptionsError(f"{text!r} is not the id of a load balancer; expected {_SAMPLE}, or its name alone")
            return text.rstrip("/")
        bodies = self._listed()
        found = [str(body["id"]) for body in bodies if str(body.get("name")).lower() == text.lower()]
        if len(found) != 1:
            there = ", ".join(found if found else sorted(str(body.get("name")) for body in bodies)) or "none"
            raise OptionsError(f"{len(found)} load balancers in subscription {self._subscription} are named {text!r} (there are: {there}); "
                               "give the id")
        return found[0]

    def must_have_admin_states(self, pool: str, down: bool) -> None:
        """Raise OptionsError where an adminState would be refused (SKU Basic) or, being ``down``, without effect (a rule without a probe)."""
        body = self.balancer(balancer_of(pool))
        name, sku = body.get("name"), str((body.get("sku") or {}).get("name") or "Basic")
        if sku.lower() == "basic":
            raise OptionsError(f"the load balancer {name} has the SKU Basic, which knows no adminState; upgrade it to Standard, name other pools, or drain "
                               "by another provider (services, haproxy, tasks)")
        for rule in (body.get("properties") or {}).get("loadBalancingRules") or ():
            properties = rule.get("properties") or {}
            used = [properties.get("backendAddressPool") or {}, *(properties.get("backendAddressPools") or ())]
            if down and not properties.get("probe") and pool.lower() in [str(one.get("id")).lower() for one in used]:
                raise OptionsError(f"the rule {rule.get('name')} of the load balancer {name} has no health probe, and without one adminState has no effect; "
                                   "give it a probe, name other pools, or drain by another provider")


def _pools(balancer: Json) -> list[Json]:
    return list((balancer.get("properties") or {}).get("backendAddressPools") or ())


def _holds(pool: Json, member: Member) -> bool:
    if str(pool.get("id")).lower() in [named.lower() for named in member.pools]:
        return True
    return any(member.has(address) for address in (pool.get("properties") or {}).get("loadBalancerBackendAddresses") or ())


def _lacking(error: AuthError) -> AuthError:
    if error.status != 403:
        return error
    detail = f"{error.detail}; give the identity the action Microsoft.Network/loadBalancers/read (docs/permissions.md), or name pools it may read"
    return type(error)(error.doing, detail, status=error.status, code=error.code, request_id=error.request_id)
