# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which backend pools of Azure load balancers a VM is, by its interfaces or by its addresses. Reads only."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._arm.client import COMPUTE, NETWORK, SCALE_SET_NETWORK, Arm
from .._azure.addresses import nic_references
from .._azure.vm import VmId, resource_name
from .._errors import AuthError, AzureError, NotFound, OptionsError

Json = dict[str, t.Any]
# As new as Azure's own recordings of pools: a write by an older version would leave out what it does not know.
VERSION = "2025-05-01"
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

    def in_pool(self, pool: Json) -> list[Json]:
        """The members of a pool that are, or where no network is named may be, this VM. The same address in another virtual network is another VM's."""
        return [address for address in members_of(pool) if self._has(address.get("properties") or {}, network_of(pool, address))]

    def _has(self, properties: Json, network: str | None) -> bool:
        interface = _configuration(properties).partition("/ipconfigurations/")[0]
        if interface and self.nics:
            return interface in self.nics
        return any(properties.get("ipAddress") == ip and (network is None or own is None or network == own) for ip, own in self.addresses)

    def ip(self, address: Json) -> str | None:
        """The private address of a member, as the pool or else the interface says."""
        properties = address.get("properties") or {}
        return properties.get("ipAddress") or dict(self.ips).get(_configuration(properties))

    @classmethod
    def of_addresses(cls, addresses: t.Iterable[str]) -> "Member":
        """A VM of which only addresses are known."""
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


def network_of(pool: Json, address: Json) -> str | None:
    """Key of the virtual network of a member: its own, or else its subnet's, the pool's, or that of the pool's other members, for a pool has only one."""
    properties = address.get("properties") or {}
    if network := _network(properties) or _network(pool.get("properties") or {}):
        return network
    networks = {_network(other.get("properties") or {}) for other in members_of(pool)} - {None}
    return networks.pop() if len(networks) == 1 else None


class Finder:
    """Finds the pools of one member; ``subscription`` is where load balancers are looked for."""

    def __init__(self, arm: Arm, subscription: str | None) -> None:
        self._arm, self._subscription = arm, subscription
        self._balancers: dict[str, Json] = {}
        self._others: dict[str, dict[str, Member]] = {}

    def member(self, vm: VmId) -> Member:
        """The VM with its interfaces, read from Azure. Raises NotFound or AzureError."""
        if vm.scale_set is not None:
            return Member.of_interfaces(self._arm.list(f"{vm}/networkInterfaces", SCALE_SET_NETWORK, f"list the network interfaces of {vm}"))
        body = self._arm.get(str(vm), COMPUTE, f"read {vm}")
        nics = nic_references(body.get("properties") or {})
        return Member.of_interfaces([self._arm.get(nic, NETWORK, f"read the network interface {nic}") for nic in nics])

    def pools_to_change(self, member: Member, named: t.Sequence[str], balancers: t.Sequence[str], state: str | None) -> list[str]:
        """As :meth:`pools`. Raises OptionsError also where the ``state`` cannot be set, or the VM is in none; None is for a look."""
        found = self.pools(member, named, balancers)
        for pool in found if state else ():
            self._must_have_admin_states(pool, state == "down")
        if state and not found:
            raise OptionsError("the VM is in no backend pool of an Azure load balancer of its subscription; name pools, or drain by another provider")
        return found

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
            held = [one for one in _pools(self.balancer(balancer)) if _holds(one, member)]
            if not held:
                raise OptionsError(f"the VM is in no backend pool of the load balancer {text}; correct load_balancers")
            found |= self._sure(held, member)
        return list(found.values()) if named or balancers else self._all(member)

    def _all(self, member: Member) -> list[str]:
        """What the interfaces name, and pools of the subscription that hold one of the addresses."""
        held = [one for body in self._listed() for one in _pools(body) if _holds(one, member)]
        return list(({pool.lower(): pool for pool in member.pools} | self._sure(held, member)).values())

    def _sure(self, held: list[Json], member: Member) -> dict[str, str]:
        """Ids of these pools by key. Raises OptionsError where a member of one may as well be another VM; a caller that names the pools has chosen."""
        seen: dict[str, dict[str, str]] = {}  # networks by address, with a pool that says so
        for pool in held:
            for address in member.in_pool(pool):
                ip, network = member.ip(address), network_of(pool, address)
                if ip is None or _configuration(address.get("properties") or {}):
                    continue
                seen.setdefault(ip, {})[network or ""] = str(pool["id"])
                if network is None and (other := self._other_with(ip, member, str(pool["id"]))):
                    raise OptionsError(f"the backend pool {pool['id']} holds {ip} and names no virtual network, and {other} has that address, too: which of "
                                       "them is meant cannot be told. Name the VM's pools (pools), or the virtual network in that pool")
        for ip, networks in seen.items():
            if len(networks) > 1 and (ip, None) in member.addresses:
                raise OptionsError(f"{ip} is in pools of {len(networks)} virtual networks ({', '.join(sorted(networks.values()))}), and without vm it cannot "
                                   "be told which of them is meant. Set vm, or name the pools")
        return {str(pool["id"]).lower(): str(pool["id"]) for pool in held}

    def _other_with(self, ip: str, member: Member, pool: str) -> str | None:
        """An interface of another VM that has this address and may be meant by the pool."""
        interfaces = {name: other for one in {pool.split("/")[2].lower(), (self._subscription or "").lower()} - {""}
                      for name, other in self._interfaces(one).items()}
        having = [name for name, other in interfaces.items() if not other.nics <= member.nics and ip in {own for own, dummy in other.addresses}]
        own = 0 if member.nics else 1  # where the VM's interfaces are not known, one of these is its own
        return having[own] if len(having) > own else None

    def _interfaces(self, subscription: str) -> dict[str, Member]:
        """The network interfaces of a subscription by id. Those of uniform scale sets are listed by set alone."""
        if subscription not in self._others:
            base = f"/subscriptions/{subscription}/providers"
            found = list(self._arm.list(f"{base}/Microsoft.Network/networkInterfaces", NETWORK, f"list the network interfaces of {subscription}"))
            for one in self._arm.list(f"{base}/Microsoft.Compute/virtualMachineScaleSets", COMPUTE, f"list the scale sets of {subscription}"):
                if str((one.get("properties") or {}).get("orchestrationMode")).lower() != "flexible":
                    found += self._arm.list(f"{one['id']}/networkInterfaces", SCALE_SET_NETWORK, f"list the network interfaces of {one['id']}")
            self._others[subscription] = {str(body.get("id")): Member.of_interfaces([body]) for body in found}
        return self._others[subscription]

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
                               "set the id")
        return found[0]

    def _must_have_admin_states(self, pool: str, down: bool) -> None:
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
    return bool(member.in_pool(pool))


def members_of(pool: Json) -> list[Json]:
    """The bodies of a pool's members, by the body of the pool."""
    return list((pool.get("properties") or {}).get("loadBalancerBackendAddresses") or ())


def _lacking(error: AuthError) -> AzureError:
    remedy = "give the identity the action Microsoft.Network/loadBalancers/read (docs/permissions.md), or name pools it may read"
    return error.advising(remedy if error.status == 403 else "")
