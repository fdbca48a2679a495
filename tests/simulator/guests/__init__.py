# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated VMs that are really reached over SSH on loopback."""

from __future__ import annotations

from simulator.guests.disk import GuestError
from simulator.guests.guests import Guests

__all__ = ["GuestError", "Guests"]
