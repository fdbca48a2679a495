# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items of lists as bytes, kept until the VM changes: what makes listing thousands of VMs cheap."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from ..fleet.fleet import Fleet
from ..fleet.model import Vm
from ..runtime.clock import Clock
from ..wire.messages import encode

Render = Callable[[Vm], dict[str, Any]]


class Items:
    """The rendered items of each kind of list. An item is made again when the VM's state has another version, when an
    edge of a wave's windows was passed, or when the fleet is told to render otherwise.
    """

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        self.fleet, self.clock = fleet, clock
        self._edges = sorted(
            edge.timestamp() for wave in fleet.waves.values() for edge in (*wave.self_service, *wave.scheduled)
        )
        self._kept: dict[str, dict[str, tuple[int, tuple[Any, ...], bytes]]] = {}

    def keeper(self, kind: str, render: Render) -> Callable[[Vm], bytes]:
        """Return what gives a VM's item of this kind, as of now."""
        now = self.clock.now()
        quirks = self.fleet.quirks.values()
        salt = (bisect_right(self._edges, now.timestamp()), self.fleet.status_only, *quirks)
        kept = self._kept.setdefault(kind, {})

        def item(vm: Vm) -> bytes:
            state = vm.state
            # What moves, or has just been booted, looks different from moment to moment.
            if state.operation or (state.agent_ready_at and state.agent_ready_at > now):
                return encode(render(vm))
            found = kept.get(vm.key)
            if found is None or found[0] != state.version or found[1] != salt:
                found = kept[vm.key] = (state.version, salt, encode(render(vm)))
            return found[2]

        return item
