# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Simulator: one fleet behind one HTTPS port, from start to stop."""

from __future__ import annotations

import shlex
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .api.control import Control
from .api.tls import TlsServer
from .api.world import World
from .fleet import fleet_file
from .fleet.fleet import Fleet
from .imds.service import Imds
from .runtime.clock import Clock
from .runtime.guest_link import NoGuests, RealGuests
from .store import Store
from .wire import certs


class Simulator:
    """A simulated Azure on 127.0.0.1.

    ``fleet`` is a fleet file or its content, ``guests`` an object like simulator.guests.Guests or None.
    ``fresh`` forgets a saved state, ``latency_ms`` overrides the fleet's. Usable as a context manager. Raises
    FleetError for a wrong fleet.
    """

    def __init__(
        self,
        fleet: str | Path | dict[str, Any],
        state_dir: str | Path,
        guests: Any = None,
        *,
        port: int = 0,
        fresh: bool = False,
        latency_ms: float | None = None,
    ) -> None:
        self.directory = Path(state_dir).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._data = fleet_file.read(fleet)
        self._digest = fleet_file.digest(self._data)
        self._store = Store(self.directory)
        self._port = port
        self._latency_ms = latency_ms
        self._link = RealGuests(guests) if guests is not None else NoGuests()
        self._server: TlsServer | None = None
        self._imds = Imds(lambda: self.world.events)
        self._pump = threading.Thread(target=self._run_pump, daemon=True, name="operations")
        self._stopping = False
        saved = None if fresh else self._store.load(self._digest)
        self.world = self._make_world(saved)
        self.ca = certs.ensure(self.directory)[0]

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> Simulator:
        """Boot the guests, then listen; returns once requests are answered."""
        self._link.start(self.fleet.vms.values(), self.world.engine.is_up)
        dummy, certificate = certs.ensure(self.directory)
        self._server = TlsServer(certificate, self._port or self._store.port(), lambda: self)
        self._store.keep_port(self._server.port)
        self.world.url = f"https://127.0.0.1:{self._server.port}"
        self._server.start()
        self._imds.start()
        self._pump.start()
        with self.world.lock:
            self.save(force=True)
        return self

    def stop(self) -> None:
        """Stop listening, halt the guests, save. What has been stopped stays as it is."""
        if self._stopping:
            return
        self._stopping = True
        if self._server:
            self._server.stop()
        self._imds.stop()
        with self.world.lock:
            self.world.engine.changed.notify_all()
        if self._pump.is_alive():
            self._pump.join(timeout=5)
        self._link.stop()
        with self.world.lock:
            self.save(force=True)

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def reset(self) -> datetime:
        """Go back to the fleet file (clock, states, ledger, faults), reboot the guests, return the time it is then."""
        world = self._make_world(None)
        world.url = self.world.url
        if self._link.real:
            self._link.finish_jobs()
            for vm in self.world.fleet.vms.values():
                self._link.halt(vm)
            self._link.start(world.fleet.vms.values(), world.engine.is_up)
        old = self.world
        with old.lock:
            self.world = world
            old.engine.changed.notify_all()
        with world.lock:
            self.save(force=True)
        return world.clock.now()

    def save(self, *, force: bool = False) -> None:
        """Write the state if it changed; the caller holds the lock."""
        self._store.save(self.world, self._digest, self._epoch, force=force)

    def _make_world(self, saved: dict[str, Any] | None) -> World:
        if saved:
            self._epoch = datetime.fromisoformat(saved["epoch"])
            clock = Clock(saved["clock_offset"])
        else:
            real = datetime.now(UTC)
            self._epoch = fleet_file.start_time(self._data, real)
            clock = Clock((self._epoch - real).total_seconds())
        fleet = fleet_file.build(self._data, self._epoch)
        if self._latency_ms is not None:
            fleet.latency_ms = self._latency_ms
        world = World(fleet, self.directory, clock, self._link)
        if saved:
            self._store.apply(saved, world)
        self.control = Control(world, self.reset)
        return world

    def _run_pump(self) -> None:
        """End operations when their time has come, also while nobody asks."""
        while True:
            world = self.world
            with world.lock:
                if self._stopping:
                    return
                wait = world.engine.next_change()
                world.engine.changed.wait(timeout=1.0 if wait is None else min(max(wait, 0.01), 1.0))
                if world is not self.world:
                    continue
                if any(operation.phase in ("waiting", "moving") for operation in world.engine.running.values()):
                    world.engine.catch_up()
                self.save()

    # -- what tests and users ask -------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """https://127.0.0.1:PORT."""
        return self.world.url

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is now."""
        return self.world.fleet

    @property
    def clock(self) -> Clock:
        """The simulated clock."""
        return self.world.clock

    def ledger(self) -> list[dict[str, Any]]:
        """Return every write received so far."""
        with self.world.lock:
            self.world.engine.catch_up()
            return self.world.ledger.as_list()

    def requests(self) -> list[dict[str, Any]]:
        """Return every request received so far."""
        with self.world.lock:
            return list(self.world.requests)

    def env(self) -> dict[str, str]:
        """Return the environment that points Azure clients here."""
        fleet = self.fleet
        credential = fleet.credentials[0]
        subscription = next(iter(credential["subscriptions"] or fleet.subscriptions))
        ca = str(self.ca)
        return {
            "AZURE_TENANT_ID": fleet.tenant,
            "AZURE_CLIENT_ID": credential["client_id"],
            "AZURE_CLIENT_SECRET": credential["client_secret"],
            "AZURE_SUBSCRIPTION_ID": subscription,
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_CLOUD_ENVIRONMENT": self.url,
            "AZURE_DISABLE_INSTANCE_DISCOVERY": "true",
            "REQUESTS_CA_BUNDLE": ca,
            "CURL_CA_BUNDLE": ca,
            "SSL_CERT_FILE": ca,
            "AZURE_TENANT": fleet.tenant,
            "AZURE_SECRET": credential["client_secret"],
            "ARM_CLOUD_METADATA_URL": f"{self.url}/metadata/endpoints?api-version=2019-05-01",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        }

    def env_text(self) -> str:
        """Return the environment as lines for a shell to source."""
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.env().items())
