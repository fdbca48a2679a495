# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source fleetops.azure_maintenance.maintenance: polls a fleet and tells each change of its planned maintenance once."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import logging
import os
import sys
import threading
import typing as t
from pathlib import Path

DOCUMENTATION = r"""
short_description: Events for changes in the planned maintenance of Azure VMs
description:
  - Polls the VMs of whole subscriptions and emits an event for each change, once for each VM and iteration, also across restarts.
  - An event is C(event.maintenance) with C(kind), C(vm) (facts), C(wave), C(hours), C(reason), C(more) and C(run). See docs/eda.md.
  - Kinds are C(window_announced), C(self_service_opened), C(deadline_near), C(scheduled_started), C(completed), C(cancelled), and C(error) and
    C(recovered) of the source itself.
  - Options for signing in are those of the modules of this collection, from the same environment variables.
options:
  subscriptions:
    description: Subscriptions to watch. Default is O(subscription_id), else every one the identity can see.
    type: list
    elements: str
  resource_groups:
    description: Only VMs of these resource groups.
    type: list
    elements: str
  exclude_resource_groups:
    description: No VM of these resource groups.
    type: list
    elements: str
  query:
    description:
      - JMESPath over the record of a VM. Only VMs for which it is true are watched.
      - Do not use a maintenance state here. Every change of it would look like a VM that is gone.
    type: str
  interval:
    description: Seconds between two polls.
    type: float
    default: 900
  deadline_hours:
    description: How many hours before the end of the self-service window to emit C(deadline_near).
    type: list
    elements: float
    default: [72, 24, 4]
  state_file:
    description: File of the events that were sent (mode 0600). Each source needs its own.
    type: path
    default: ~/.azure_maintenance/announced.json
"""

EXAMPLES = r"""
- name: Planned maintenance
  hosts: all
  sources:
    - name: Watch production
      fleetops.azure_maintenance.maintenance:
        subscriptions: [11111111-1111-1111-1111-111111111111]
        deadline_hours: [48, 12]
        state_file: /var/lib/eda/production.json
"""

_LONGEST_PAUSE = 900.0
_SHORTEST_PAUSE = 30.0
logger = logging.getLogger(__name__)


def _collection(name: str) -> t.Any:
    """A file of this collection's module_utils.

    ansible-rulebook runs this file by its path, without Ansible's collection loader; other collections may have put a package
    ansible_collections of their own on the path.
    """
    package = "ansible_collections.fleetops.azure_maintenance.plugins.module_utils"
    root = Path(__file__).absolute().parents[6]
    if root.name == "ansible_collections" and str(root.parent) not in sys.path:
        sys.path.insert(0, str(root.parent))
    if root.name == "ansible_collections":
        outer = importlib.import_module("ansible_collections")
        if str(root) not in outer.__path__:
            outer.__path__ = [str(root), *outer.__path__]
    return importlib.import_module(f"{package}.{name}")


async def _in_thread(function: t.Callable[[], t.Any]) -> t.Any:
    """Its result. Unlike asyncio's own threads this one does not keep the process from ending in the middle of a poll."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[t.Any] = loop.create_future()

    def settle(result: t.Any, error: Exception | None) -> None:
        if future.done():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)

    def work() -> None:
        try:
            outcome = function(), None
        except Exception as error:  # pylint: disable=broad-exception-caught
            outcome = None, error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, name="azure_maintenance", daemon=True).start()
    return await future


async def main(queue: t.Any, args: dict[str, t.Any]) -> None:
    """Poll for ever. Only options that cannot work end it, before the first poll, with an error that says so."""
    missing = _collection("_arm.packages").missing_packages()
    if missing:
        raise RuntimeError(missing)
    announcer = _collection("_eda.announcer").Announcer(args, os.environ)
    try:
        failures = 0
        while True:
            failures, pause = await _poll(queue, announcer, failures)
            await asyncio.sleep(pause)
    finally:
        announcer.close()


async def _poll(queue: t.Any, announcer: t.Any, failures: int) -> tuple[int, float]:
    """One poll; the number of failures in a row after it, and how long to pause."""
    try:
        # First what an earlier process, or an earlier try, did not hand out.
        await _hand_out(queue, announcer, announcer.pending())
        await _hand_out(queue, announcer, await _in_thread(announcer.poll))
    except Exception as error:  # pylint: disable=broad-exception-caught  # whatever it is, the next poll may do
        failures += 1
        longest = max(announcer.interval, _LONGEST_PAUSE)
        pause = min(longest, min(_SHORTEST_PAUSE, announcer.interval) * 2 ** min(failures - 1, 20))
        reason = str(error) or type(error).__name__
        logger.error("azure_maintenance: %s; %d in a row, next try in %d s", reason, failures, pause)
        if failures & (failures - 1) == 0:  # the first, second, fourth, eighth ...: a long outage is no flood
            await queue.put(_own("error", reason, failures, pause))
        return failures, pause
    if failures:
        await queue.put(_own("recovered", f"read again after {failures} failures", 0, announcer.interval))
    return 0, announcer.interval


async def _hand_out(queue: t.Any, announcer: t.Any, events: list[t.Any]) -> None:
    for event in events:
        await queue.put({"maintenance": event})
    if events:
        await _in_thread(announcer.taken)


def _own(kind: str, reason: str, failures: int, pause: float) -> dict[str, t.Any]:
    now = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"maintenance": {"kind": kind, "id": f"{kind}/{now}", "time": now, "reason": reason, "failures": failures, "next_try_seconds": pause,
                            "more": 0, "run": None}}
