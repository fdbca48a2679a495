# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network provider's load balancers: read, and backend pools written as a whole, under If-Match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fleet.load_balancers import ADMIN_STATES, Address, LoadBalancer, Pool, Update
from ..views.load_balancers import load_balancer, pool_of
from ..wire.messages import ArmError, Request, Response
from . import locks
from .lookup import need_group, not_found
from .paging import page
from .routing import Route, route

if TYPE_CHECKING:
    from .world import World

_SUB = "/subscriptions/{subscription}"
_GROUP = f"{_SUB}/resourceGroups/{{group}}"
_BALANCERS = "/providers/Microsoft.Network/loadBalancers"
_KIND = "Microsoft.Network/loadBalancers"


def routes(world: World) -> list[Route]:
    """Return the routes of this part."""
    part = LoadBalancers(world)
    one = f"{_GROUP}{_BALANCERS}/{{name}}"
    pools = f"{one}/backendAddressPools"
    return [
        route("GET", f"{_SUB}{_BALANCERS}", part.list),
        route("GET", f"{_GROUP}{_BALANCERS}", part.list),
        route("GET", one, part.get),
        route("GET", pools, part.list_pools),
        route("GET", f"{pools}/{{pool}}", part.get_pool),
        route("PUT", f"{pools}/{{pool}}", part.put_pool),
        route("GET", f"{_SUB}/providers/Microsoft.Network/locations/{{location}}/operations/{{operation}}", part.status),
    ]


class LoadBalancers:
    """Answers for the load balancers of the fleet, which holds them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def list(self, request: Request, subscription: str, group: str = "") -> Response:
        """All of a subscription, or of one resource group."""
        if group:
            need_group(self.world, subscription, group)
        below = f"/subscriptions/{subscription}/".lower() + (f"resourcegroups/{group}/".lower() if group else "")
        fleet, now = self.world.fleet, self.world.clock.now()
        found = [one for key, one in fleet.load_balancers.items() if key.startswith(below)]
        return page(self.world, request, found, lambda one: load_balancer(fleet, one, now))

    def get(self, request: Request, **where: str) -> Response:
        """One by name."""
        body = load_balancer(self.world.fleet, self._find(**where), self.world.clock.now())
        return Response(200, body, {"ETag": body["etag"]})

    def list_pools(self, request: Request, **where: str) -> Response:
        """The backend pools of one."""
        balancer, now = self._find(**where), self.world.clock.now()
        return page(self.world, request, list(balancer.pools.values()), lambda pool: pool_of(self.world.fleet, balancer, pool, now))

    def get_pool(self, request: Request, pool: str, **where: str) -> Response:
        """One backend pool."""
        balancer = self._find(**where)
        if pool.lower() not in balancer.pools:
            raise _no_pool(balancer, pool)
        return self._answer(200, balancer, balancer.pools[pool.lower()])

    def put_pool(self, request: Request, pool: str, **where: str) -> Response:
        """Create or replace a backend pool: 201 or 200, with an operation that may take its time."""
        balancer, body, now = self._find(**where), request.json() or {}, self.world.clock.now()
        self._admit(request, balancer)
        old = balancer.pools.get(pool.lower())
        given = (body.get("properties") or {}).get("loadBalancerBackendAddresses") or []
        self._check(balancer, old, given)
        target = old or Pool(pool, "ip" if given else "nic")
        before = target.states(self.world.fleet)
        self._fill(target, given)
        balancer.pools[pool.lower()] = target
        update = balancer.begin(now)
        self._note(request, balancer, target, update, {"status": 200 if old else 201, "before": before, "outcome": "updated" if old else "created"})
        answer = self._answer(200 if old else 201, balancer, target)
        version = request.query["api-version"]
        base = f"{self.world.url}/subscriptions/{balancer.subscription}/providers/Microsoft.Network/locations/{balancer.region}"
        url = f"{base}/operations/{update.id}?api-version={version}&c=c&h=h&s=s&t=t"
        answer.headers |= {"Azure-AsyncNotification": "Enabled", "Azure-AsyncOperation": url}
        return answer

    def status(self, request: Request, subscription: str, location: str, operation: str) -> Response:
        """The status document of a write; the network provider's holds no times."""
        for balancer in self.world.fleet.load_balancers.values():
            update = balancer.updates.get(operation.lower())
            if update and update.result != "forgotten" and balancer.subscription == subscription.lower() and balancer.region == location.lower():
                body: dict[str, Any] = {"status": update.status(self.world.clock.now())}
                if body["status"] in ("Failed", "Canceled"):
                    body["error"] = {"code": update.code, "message": update.message, "details": []}
                return Response(200, body)
        raise ArmError(404, "OperationNotFound", f"Operation {operation} was not found.")

    def _find(self, subscription: str, group: str, name: str) -> LoadBalancer:
        need_group(self.world, subscription, group)
        key = f"/subscriptions/{subscription}/resourceGroups/{group}{_BALANCERS}/{name}".lower()
        if key not in self.world.fleet.load_balancers:
            raise not_found(_KIND, name, group)
        return self.world.fleet.load_balancers[key]

    def _answer(self, status: int, balancer: LoadBalancer, pool: Pool) -> Response:
        body = pool_of(self.world.fleet, balancer, pool, self.world.clock.now())
        return Response(status, body, {"ETag": body["etag"]})

    def _admit(self, request: Request, balancer: LoadBalancer) -> None:
        """Raise ArmError for a write that comes too late or too early, or that a lock forbids."""
        locked = locks.refusal(self.world.fleet, balancer)
        if locked:
            raise locked
        now = self.world.clock.now()
        etag, wanted = balancer.etag(self.world.fleet, now), request.headers.get("if-match", "*")
        if wanted not in ("*", etag):
            text = f"Etag provided in if-match header {wanted} does not match etag {etag} of resource {balancer.id} in NRP data store."
            detail = {"code": "PreconditionFailedEtagMismatch", "message": text}
            raise ArmError(412, "PreconditionFailed", "Precondition failed.", details=[detail])
        if balancer.provisioning(now) == "Updating":
            text = f"Another operation on this or dependent resource is in progress. Please retry. Resource: {balancer.id}."
            raise ArmError(429, "RetryableErrorDueToAnotherOperation", text)

    def _check(self, balancer: LoadBalancer, old: Pool | None, given: list[dict[str, Any]]) -> None:
        """Raise ArmError 400 for what a pool must not be."""
        known = {address.name for address in old.living(self.world.fleet)} if old else set()
        for item in given:
            properties = item.get("properties") or {}
            state, has_ip = properties.get("adminState"), bool(properties.get("ipAddress"))
            if state is not None and state not in ADMIN_STATES:
                raise ArmError(400, "InvalidRequestFormat", f"Cannot parse the request: '{state}' is not an adminState.")
            if state is not None and balancer.sku == "Basic":
                text = f"AdminState of backend address {item.get('name')} is not supported for load balancer {balancer.id} with Basic Sku."
                raise ArmError(400, "AdminStateNotSupportedForBasicSkuLoadBalancer", text)
            if state is not None and old is None and not has_ip:
                text = f"AdminState of backend address {item.get('name')} cannot be set at the creation of a pool of network interfaces."
                raise ArmError(400, "AdminStateNotSupportedAtCreation", text)
            if (old is not None and old.kind == "nic" or not has_ip) and item.get("name") not in known:
                raise ArmError(400, "InvalidResourceReference", f"Backend address {item.get('name')} was not found in the pool.")

    def _fill(self, pool: Pool, given: list[dict[str, Any]]) -> None:
        """Take over the members; in a pool of interfaces nobody joins or leaves by this way."""
        wanted = {item["name"]: item.get("properties") or {} for item in given}
        if pool.kind == "nic":
            for address in pool.addresses:
                address.admin_state = wanted.get(address.name, {}).get("adminState")
            return
        vms = {address.name: address.vm for address in pool.addresses}
        pool.addresses = [
            Address(name, vms.get(name), item["ipAddress"], (item.get("virtualNetwork") or {}).get("id"), item.get("adminState"))
            for name, item in wanted.items()
        ]

    def _note(self, request: Request, balancer: LoadBalancer, pool: Pool, update: Update, what: dict[str, Any]) -> None:
        failed = update.result in ("failed", "canceled")
        entry = self.world.ledger.write(
            at=self.world.clock.now(),
            method=request.method,
            operation=f"{_KIND}/backendAddressPools",
            id=f"{balancer.id}/backendAddressPools/{pool.name}",
            caller=request.caller.client_id,
            client_request_id=request.headers.get("x-ms-client-request-id"),
            operation_id=update.id,
            error=update.code if failed else None,
            after=pool.states(self.world.fleet),
            **{**what, "outcome": update.result if failed else what["outcome"]},
        )
        entry.end, entry.region = update.end, balancer.region
        self.world.engine.writes += 1


def _no_pool(balancer: LoadBalancer, name: str) -> ArmError:
    return ArmError(404, "NotFound", f"Resource {balancer.id}/backendAddressPools/{name} not found.", details=[])
