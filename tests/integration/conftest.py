# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: the fleet with guests, one without, and a project folder of a user for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from integration import cloud as clouds
from integration.cli import BIN, Project


def environment(cloud: clouds.Cloud, home: Path) -> dict[str, str]:
    """What commands see: nothing of the caller's Ansible or Azure settings, everything of the simulator's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ANSIBLE_", "ARM_", "MSI_", "IDENTITY_"))}
    # Beside the ansible.cfg that people copy: guests make new host keys each time, tests count skipped tasks too, and two processors are not for 25 forks.
    ansible = {"ANSIBLE_HOST_KEY_CHECKING": "false", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true", "ANSIBLE_FORKS": "5"}
    return {**kept, **ansible, **cloud.environment, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def arm_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clouds.Cloud]:
    """The Azure side alone: for all that touches no host."""
    data = clouds.fleet(guests=False, page_size=4)
    data["vms"] += [{"name": "twin", "wave": None}, {"name": "twin", "wave": None, "resource_group": "shop-ne", "region": "northeurope"}]
    with clouds.start(data, tmp_path_factory.mktemp("arm"), guests=False) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def guest_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clouds.Cloud]:
    """The fleet with guests."""
    with clouds.start(clouds.fleet(), tmp_path_factory.mktemp("guests"), guests=True) as cloud:
        yield cloud


@pytest.fixture
def arm(arm_cloud: clouds.Cloud) -> clouds.Cloud:
    """The Azure side as on the first day."""
    arm_cloud.faults()
    arm_cloud.reset()
    return arm_cloud


@pytest.fixture
def cloud(guest_cloud: clouds.Cloud) -> clouds.Cloud:
    """The fleet as on the first day; a test that needs fewer VMs resets it again."""
    guest_cloud.faults()
    guest_cloud.reset()
    return guest_cloud


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a short path, for ssh keeps its control sockets below it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def make_project(tmp_path: Path, home: Path) -> Callable[[clouds.Cloud], Project]:
    """A project folder for a cloud."""

    def make(cloud: clouds.Cloud, **more: dict[str, Any]) -> Project:
        return Project(tmp_path / "project", environment(cloud, home), {**clouds.variables(cloud.guests), **more})

    return make


@pytest.fixture
def project(cloud: clouds.Cloud, make_project: Callable[[clouds.Cloud], Project]) -> Project:
    """A project folder for the fleet with guests."""
    return make_project(cloud)


@pytest.fixture
def arm_project(arm: clouds.Cloud, make_project: Callable[[clouds.Cloud], Project]) -> Project:
    """A project folder for the Azure side alone."""
    return make_project(arm)
