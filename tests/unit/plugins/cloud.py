# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated cloud in this process for the tests of adapters and modules: state, faults, a clock nobody waits for. Fixtures of it are in conftest.py."""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path

from simulator.fleet.faults import check_fault
from simulator.server import Simulator

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import ENVIRONMENT, Settings
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.rate_limit import Pacing
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.availability import Availability
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import parse_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.guards import Policy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.redeploy import Redeploy
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.session import Order, Patience

SUBSCRIPTION = "5ab00000-0000-4000-8000-000000000001"
OTHER = "5ab00000-0000-4000-8000-00000000000b"
CREDENTIALS = [
    {"client_id": "11111111-1111-4111-8111-111111111111", "client_secret": "simulated-secret"},
    {"client_id": "22222222-2222-4222-8222-222222222222", "client_secret": "half-secret", "subscriptions": [SUBSCRIPTION]},
    {"client_id": "33333333-3333-4333-8333-333333333333", "client_secret": "reader-secret", "role": "reader"},
]
WAVES = {
    "now": {"self_service": {"start": "-2d", "end": "+28d"}, "scheduled": {"start": "+30d", "end": "+37d"}},
    "next": {"self_service": {"start": "+3d", "end": "+28d"}, "scheduled": {"start": "+30d", "end": "+37d"}},
    "gap": {"self_service": {"start": "-9d", "end": "-1d"}, "scheduled": {"start": "+1d", "end": "+9d"}},
    "azure": {"self_service": {"start": "-20d", "end": "-9d"}, "scheduled": {"start": "-1d", "end": "+9d"}},
    "past": {"self_service": {"start": "-20d", "end": "-9d"}, "scheduled": {"start": "-8d", "end": "-1d"}},
}
FLEET: dict[str, t.Any] = {
    "credentials": CREDENTIALS,
    "subscriptions": [{"id": SUBSCRIPTION, "name": "Main"}, {"id": OTHER, "name": "Other"}],
    "regions": {"westeurope": {"display": "West Europe", "paired": ["northeurope"]}, "northeurope": {"paired": ["westeurope"]},
                "brazilsouth": {"paired": ["southcentralus"]}, "southcentralus": {}},
    "waves": WAVES,
    "agent_after_seconds": 0,
    "availability_sets": [{"name": "web", "resource_group": "Shop", "region": "westeurope", "update_domains": 3}],
    "defaults": {"resource_group": "Shop", "region": "westeurope", "wave": "now", "size": "Standard_D2s_v5"},
    "operations": {"default": {"after_seconds": 30}},
    "vms": [
        {"name": "web-0a", "availability_set": "web", "update_domain": 0, "addresses": {"private": "10.1.0.4"}},
        {"name": "web-0b", "availability_set": "web", "update_domain": 0, "addresses": {"private": "10.1.0.5"}},
        {"name": "web-1", "availability_set": "web", "update_domain": 1, "addresses": {"private": "10.1.0.6"}},
        {"name": "solo", "addresses": {"private": "10.1.0.7", "public": "20.50.0.7", "dynamic": True}},
        {"name": "duo"},
        {"name": "far", "resource_group": "Shop-NE", "region": "northeurope", "zone": "2", "subscription": "Other"},
        {"name": "calm", "wave": None},
        {"name": "disk", "ephemeral_os": True},
    ],
}
POOLS: dict[str, t.Any] = {
    **FLEET,
    "scale_sets": [
        {"name": "pool", "resource_group": "Shop", "region": "westeurope", "zones": ["1", "2"], "update_domains": 2, "wave": "now", "capacity": 5,
         "size": "Standard_D2s_v5", "instances": [{"id": 3, "power": "stopped", "addresses": {"private": "10.2.0.3", "public": "20.50.2.3"}}]},
        {"name": "flex", "resource_group": "Shop", "region": "westeurope", "orchestration": "flexible", "zones": ["1", "2"], "wave": "now",
         "size": "Standard_D2s_v5", "instances": [{"name": "flex-a"}, {"name": "flex-b", "power": "deallocated"}]},
    ],
    "vms": [vm for vm in FLEET["vms"] if vm["name"] in ("web-0a", "web-1", "solo")],
}
MANY: dict[str, t.Any] = {**FLEET, "availability_sets": [], "vms": [{"name": f"vm-{number:02}"} for number in range(12)]}


class FakeClock:
    """Seconds since it was made; sleeping moves it and the simulated cloud on. ``hooks`` run after every sleep."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator, self._lock = simulator, threading.Lock()
        self.seconds = 0.0
        self.sleeps: list[float] = []
        self.hooks: list[t.Callable[[], t.Any]] = []
        self.stopped = False

    def monotonic(self) -> float:
        return self.seconds

    def stopping(self) -> bool:
        return self.stopped

    def watch_signals(self) -> None:
        """Nobody sends any."""

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds
            self.sleeps.append(seconds)
            with self._simulator.world.lock:
                self._simulator.clock.advance(seconds)
                self._simulator.world.engine.catch_up()
        for hook in list(self.hooks):
            hook()


class _ClockOf:
    """The clock of a cloud's test, whichever is running."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def monotonic(self) -> float:
        return self._cloud.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._cloud.clock.sleep(seconds)


class Cloud:
    """One simulator, reset for every test, with what the tests ask and change."""

    def __init__(self, fleet: dict[str, t.Any], directory: Path) -> None:
        self.simulator = Simulator(fleet, directory).start()
        self.directory = directory
        self._arms: dict[int, Arm] = {}
        self.clock = FakeClock(self.simulator)
        self.journal = directory

    def begin(self, journal: Path) -> Cloud:
        """Back to the fleet file, with a clock and an (absent) journal directory of its own."""
        self.simulator.reset()
        self.clock = FakeClock(self.simulator)
        for arm in self._arms.values():
            arm.reader.pacing = Pacing(_ClockOf(self))
            arm.reader.limit(None)
        self.journal = journal
        return self

    # -- change and ask the cloud -----------------------------------------------------------------------------------

    def options(self, credential: int = 0) -> dict[str, t.Any]:
        """Sign-in options."""
        chosen = CREDENTIALS[credential]
        return {"client_id": chosen["client_id"], "secret": chosen["client_secret"], "tenant": self.simulator.fleet.tenant,
                "cloud_environment": self.simulator.url, "disable_instance_discovery": True}

    def arm(self, credential: int = 0) -> Arm:
        if credential not in self._arms:
            self._arms[credential] = Arm(Settings.from_options({**dict.fromkeys(ENVIRONMENT), **self.options(credential)}), _ClockOf(self))
        return self._arms[credential]

    def id(self, name: str) -> str:
        """The id of a VM, or of none when there is no such VM."""
        found = self.simulator.fleet.named(name)
        return found[0].id if found else f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Shop/providers/Microsoft.Compute/virtualMachines/{name}"

    def change(self, name: str, **state: t.Any) -> None:
        with self.simulator.world.lock:
            self.simulator.control.patch(name, state)

    def fault(self, path: str, method: str = "GET", *, nth: int = 1, count: int = 1, **what: t.Any) -> None:
        match = {"method": method, "path": path, "nth": nth, "count": count}
        self.simulator.world.faults.add([check_fault("fault", {"match": match, **what})])

    def post_fault(self, name: str = "", **what: t.Any) -> None:
        """A fault on the start of an operation (of one VM)."""
        self.fault(rf"/virtualMachines/{name or '[^/]+'}/(performMaintenance|redeploy|reapply)\?", "POST", **what)

    def requests(self, method: str = "GET", having: str = "") -> list[str]:
        """Paths of the requests Resource Manager got, in order."""
        return [r["path"] for r in self.simulator.requests() if r["method"] == method and "/subscriptions/" in r["path"] and having in r["path"]]

    def posts(self) -> list[tuple[str, str, str | None]]:
        """Every write: name, operation, and its outcome or the code it was refused with."""
        return [(e["name"], e["operation"], e["error"] if e["outcome"] == "refused" else e["outcome"]) for e in self.simulator.ledger()]

    def executed(self) -> list[str]:
        """Names of VMs on which an operation was really begun, once per beginning."""
        return sorted(e["name"] for e in self.simulator.ledger() if e["operation_id"])

    # -- run the product --------------------------------------------------------------------------------------------

    def make(self, *names: str, journal: Journal | None = None, credential: int = 0, timeout: float = 100, settle: float = 30,
             wait: bool = True, check: bool = False, start: bool = True, since: str | None = None, approve: bool = False,
             retries: int = 2, pause: float = 600, interval: float = 10, **policy: t.Any) -> tuple[Redeploy, Journal]:
        """A redeploy that has not been run, and its journal."""
        if journal is None:
            journal = Journal(str(self.journal))
            if not check:
                journal.prepare()
        availability = Availability.parse(policy.pop("max_unavailable", None), policy.pop("min_available", None))
        fields = {"operation": policy.get("operation", "perform_maintenance"), "accept": frozenset(policy.get("accept", ())),
                  "refuse": frozenset(policy.get("refuse", ())), "availability": availability}
        ids = [name if name.startswith("/") else self.id(name) for name in names]
        order = Order(ids, Policy(**fields), parse_time(since), start=start, wait=wait, check=check, approve=approve)
        patience = Patience(interval, self.clock.monotonic() + timeout, settle, self.clock.stopping, retries, pause)
        return Redeploy(self.arm(credential), journal, self.clock, patience, order), journal

    def redeploy(self, *names: str, **options: t.Any) -> dict[str, t.Any]:
        """Run it as a process of its own would; the module result."""
        run, journal = self.make(*names, **options)
        try:
            return run.run()
        finally:
            journal.close()

    def outcomes(self, result: dict[str, t.Any]) -> dict[str, str]:
        return {vm["name"]: vm["outcome"] for vm in result["vms"].values()}
