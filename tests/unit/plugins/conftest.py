# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: a simulated cloud that is started once and reset for every test, and an environment without Azure's names."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from azure.core.pipeline.transport import RequestsTransport
from unit.plugins.cloud import FLEET, MANY, POOLS, Cloud
from unit.plugins.listener import Listener, reply

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm import transport
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import Settings

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.rate_limit import WallClock

_FLEETS = {"fleet": FLEET, "many": MANY, "pools": POOLS}


@pytest.fixture(autouse=True)
def no_azure_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see only the sign-in options they set themselves."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "ANSIBLE_AZURE_", "ARM_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Callable[[str], Cloud]]:
    """Clouds by the name of their fleet, started when first asked for."""
    running: dict[str, Cloud] = {}

    def get(name: str) -> Cloud:
        if name not in running:
            running[name] = Cloud(_FLEETS[name], tmp_path_factory.mktemp(name))
        return running[name]

    yield get
    for cloud in running.values():
        cloud.simulator.stop()


def _ready(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cloud.simulator.ca))
    cloud.begin(tmp_path / "journal")
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # a crash of the machine is not under test, and disks are slow
    # azure-identity sleeps between its tries; here that moves the simulated clock, as it does for the tries of Arm, also in whole modules.
    monkeypatch.setattr(RequestsTransport, "sleep", lambda self, seconds: cloud.clock.sleep(seconds))
    monkeypatch.setattr(WallClock, "sleep", lambda self, seconds: cloud.clock.sleep(seconds))
    monkeypatch.setattr(WallClock, "monotonic", lambda self: cloud.clock.monotonic())
    return cloud


@pytest.fixture
def cloud(clouds: t.Callable[[str], Cloud], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Two subscriptions: a set of two update domains and VMs outside sets."""
    return _ready(clouds("fleet"), tmp_path, monkeypatch)


@pytest.fixture
def many(clouds: t.Callable[[str], Cloud], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Twelve VMs outside sets, more than are started at once."""
    return _ready(clouds("many"), tmp_path, monkeypatch)


@pytest.fixture
def pools(clouds: t.Callable[[str], Cloud], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A uniform scale set in two zones, a flexible one, and three VMs."""
    return _ready(clouds("pools"), tmp_path, monkeypatch)


@pytest.fixture
def bare(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[tuple[Arm, Listener]]:
    """An Arm whose Resource Manager is a listener (it has no metadata, tokens come from the simulator), and that listener."""
    monkeypatch.setattr(transport, "RequestsTransport", lambda **options: RequestsTransport(**{**options, "connection_timeout": 2, "read_timeout": 0.4}))
    with Listener(cloud.directory / "server.pem", reply(404, {"error": {"code": "NotFound"}})) as listener:
        options = {**cloud.options(), "cloud_environment": listener.url, "authority_host": cloud.simulator.url}
        yield Arm(Settings.from_options(options), cloud.clock), listener
