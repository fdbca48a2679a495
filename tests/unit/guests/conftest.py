# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the guest tests: real guests where the machine can run them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from unit.guests.guest_fleet import Fleet, require_guests


@pytest.fixture(scope="session")
def session_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    require_guests()
    fleet = Fleet(tmp_path_factory.mktemp("state"))
    yield fleet
    fleet.guests.stop_all()


@pytest.fixture
def fleet(session_fleet: Fleet) -> Fleet:
    """The fleet with everything up, whatever the test before has left."""
    session_fleet.up()
    return session_fleet
