# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: simulated clouds that are started once and reset for every test, and an environment without Azure's names."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common import warnings
from azure.core.pipeline.transport import RequestsTransport
from hypothesis import HealthCheck, settings
from unit.plugins.cloud import FLEET, MANY, POOLS, Cloud
from unit.plugins.listener import Listener, reply

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm import transport
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import Settings

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.rate_limit import WallClock

# Examples are judged by what they find, not by how busy the machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def no_azure_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see only the sign-in options they set themselves."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "ANSIBLE_AZURE_", "ARM_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_warnings_of_other_tests() -> None:
    """Ansible keeps the warnings of a module in the process, where the next module would say them again."""
    warnings._global_warnings.clear()


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Callable[[dict[str, t.Any]], Cloud]]:
    """Gives the cloud of a fleet, started when it is first asked for; the same fleet has the same cloud."""
    running: dict[str, Cloud] = {}

    def get(fleet: dict[str, t.Any]) -> Cloud:
        key = json.dumps(fleet, sort_keys=True)
        if key not in running:
            running[key] = Cloud(fleet, tmp_path_factory.mktemp("cloud"))
        return running[key]

    yield get
    for cloud in running.values():
        cloud.simulator.stop()


@pytest.fixture
def cloud_of(
    clouds: t.Callable[[dict[str, t.Any]], Cloud], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> t.Callable[[dict[str, t.Any]], Cloud]:
    """Gives the cloud of a fleet as on its first day, and points this process to it; waiting moves its clock."""

    def get(fleet: dict[str, t.Any]) -> Cloud:
        cloud = clouds(fleet)
        cloud.begin(tmp_path / "journal")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cloud.simulator.ca))
        monkeypatch.setattr(os, "fsync", lambda handle: None)  # a crash of the machine is not under test, and disks are slow
        # azure-identity sleeps between its tries; here that moves the simulated clock, as it does for the tries of Arm, also in whole modules.
        monkeypatch.setattr(RequestsTransport, "sleep", lambda self, seconds: cloud.clock.sleep(seconds))
        monkeypatch.setattr(WallClock, "sleep", lambda self, seconds: cloud.clock.sleep(seconds))
        monkeypatch.setattr(WallClock, "monotonic", lambda self: cloud.clock.monotonic())
        return cloud

    return get


@pytest.fixture
def cloud(cloud_of: t.Callable[[dict[str, t.Any]], Cloud]) -> Cloud:
    """Two subscriptions: a set of two update domains and VMs outside sets."""
    return cloud_of(FLEET)


@pytest.fixture
def many(cloud_of: t.Callable[[dict[str, t.Any]], Cloud]) -> Cloud:
    """Twelve VMs outside sets, more than are started at once."""
    return cloud_of(MANY)


@pytest.fixture
def pools(cloud_of: t.Callable[[dict[str, t.Any]], Cloud]) -> Cloud:
    """A uniform scale set in two zones, a flexible one, and three VMs."""
    return cloud_of(POOLS)


@pytest.fixture
def bare(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[tuple[Arm, Listener]]:
    """An Arm whose Resource Manager is a listener (it has no metadata, tokens come from the simulator), and that listener."""
    monkeypatch.setattr(transport, "RequestsTransport", lambda **options: RequestsTransport(**{**options, "connection_timeout": 2, "read_timeout": 0.4}))
    with Listener(cloud.directory / "server.pem", reply(404, {"error": {"code": "NotFound"}})) as listener:
        options = {**cloud.options(), "cloud_environment": listener.url, "authority_host": cloud.simulator.url}
        yield Arm(Settings.from_options(options), cloud.clock), listener
