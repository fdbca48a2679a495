# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source by the contract of its runner: the file run by its path, main(queue, args) awaited, and never ended by a failure."""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
from pathlib import Path

import pytest
import yaml
from unit.plugins.cloud import SUBSCRIPTION

# By way of the installed collection, as ansible-rulebook finds it: the directories above the file tell it where it is.
import ansible_collections.fleetops.azure_maintenance.plugins.module_utils._eda.announcer as announcer_module

EDA = Path(announcer_module.__file__).parents[3] / "extensions" / "eda"
SOURCE = EDA / "plugins" / "event_source" / "maintenance.py"


@pytest.fixture
def source():
    """The names that the file defines."""
    return runpy.run_path(str(SOURCE))


_sleep = asyncio.sleep


@pytest.fixture
def watch(cloud, source, tmp_path, monkeypatch):
    """Run the source until it has put so many events; they, and whether it was still running then. A second takes a twentieth of one."""
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: _sleep(seconds / 20))

    def run(count, put=None, **options):
        given = {"subscriptions": [SUBSCRIPTION], "query": "name == 'solo'", "interval": 1, "state_file": str(tmp_path / "state.json")}
        return asyncio.run(_watch(source["main"], count, put, {**given, **cloud.options(), **options}))

    return run


async def _watch(main, count, put, args):
    queue: asyncio.Queue = asyncio.Queue()
    if put:
        queue.put = put(queue.put)
    task = asyncio.create_task(main(queue, args))
    events = []
    async with asyncio.timeout(20):
        while len(events) < count:
            getting = asyncio.create_task(queue.get())
            await asyncio.wait({getting, task}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                getting.cancel()
                await task
            events.append((await getting)["maintenance"])
        await _sleep(0.1)  # the event is out, and the state behind it written
    alive = not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return events, alive


def kinds(events):
    return [event["kind"] for event in events]


def test_events_come_once_also_across_restarts(cloud, watch):
    events, alive = watch(2)
    assert kinds(events) == ["window_announced", "self_service_opened"] and alive
    assert json.dumps(events) and events[0]["vm"]["name"] == "solo"
    cloud.change("solo", code="MaintenanceCompleted", allowed=False)
    assert kinds(watch(1)[0]) == ["completed"]


def test_a_failure_is_an_event_and_the_source_goes_on(cloud, watch):
    cloud.fault("virtualMachines", status=403, code="AuthorizationFailed", count=3)
    events, alive = watch(4)
    assert alive and events[0]["kind"] == "error" and "AuthorizationFailed" in events[0]["reason"] and events[0]["next_try_seconds"] == 1
    assert kinds(events)[-3:] == ["window_announced", "self_service_opened", "recovered"]


def test_a_long_outage_is_no_flood(cloud, source):
    """Pauses double up to a quarter of an hour; of twenty failures those are told that are powers of two."""

    class Broken:
        interval = 60.0

        def pending(self):
            return []

        def poll(self):
            raise KeyError("value")  # a mistake of ours ends it no more than one of Azure's

    async def fail(times):
        queue, failures, pauses = asyncio.Queue(), 0, []
        for dummy in range(times):
            failures, pause = await source["_poll"](queue, Broken(), failures)
            pauses.append(pause)
        return [queue.get_nowait()["maintenance"]["failures"] for dummy in range(queue.qsize())], pauses

    told, pauses = asyncio.run(fail(20))
    assert told == [1, 2, 4, 8, 16] and pauses[:7] == [30, 60, 120, 240, 480, 900, 900] and pauses[-1] == 900


def test_a_batch_that_the_queue_did_not_take_comes_again(watch):
    refused = []

    def once(put):
        async def take(event):
            if event["maintenance"]["kind"] == "self_service_opened" and not refused:
                refused.append(event)
                raise ValueError("a filter does not like it")
            await put(event)
        return take

    events, dummy = watch(4, put=once)
    assert kinds(events) == ["window_announced", "error", "window_announced", "self_service_opened"]
    assert events[0]["id"] == events[2]["id"]


@pytest.mark.parametrize("options, words", [
    ({"interval": "soon"}, "interval 'soon'"), ({"query": "name =="}, "JMESPath"), ({"typo": 1}, "unknown option typo")])
def test_options_that_cannot_work_end_it_loudly(watch, options, words):
    with pytest.raises(ValueError, match=words):
        watch(1, **options)


def test_missing_packages_are_named(watch, monkeypatch):
    monkeypatch.setattr("ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.packages.missing_packages", lambda: "install azure-identity")
    with pytest.raises(RuntimeError, match="install azure-identity"):
        watch(1)


def test_it_finds_its_collection_beside_others(source, monkeypatch, tmp_path):
    """Another ansible_collections, a package with an __init__ as big distributions have it, comes first on the path."""
    (tmp_path / "ansible_collections").mkdir()
    (tmp_path / "ansible_collections" / "__init__.py").touch()
    for name in [name for name in sys.modules if name.split(".")[0] == "ansible_collections"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(entry for entry in sys.path if not Path(entry, "ansible_collections").exists())])
    assert source["_collection"]("_eda.announcements").RUN == "fleetops.azure_maintenance.plan"
    for name in [name for name in sys.modules if name.split(".")[0] == "ansible_collections"]:
        monkeypatch.delitem(sys.modules, name)


def test_the_documentation_names_every_option():
    documented = set(yaml.safe_load(runpy.run_path(str(SOURCE))["DOCUMENTATION"])["options"])
    assert documented == {*announcer_module._SELECTION, *announcer_module._OWN} - {"eda_feedback_queue"}


@pytest.mark.parametrize("path", sorted((EDA / "rulebooks").glob("*.yml")), ids=lambda path: path.name)
def test_rulebooks_use_what_there_is(path):
    playbooks = {f"fleetops.azure_maintenance.{book.stem}" for book in (EDA.parents[1] / "playbooks").glob("*.yml")}
    for ruleset in yaml.safe_load(path.read_text(encoding="utf-8")):
        own = [source["fleetops.azure_maintenance.maintenance"] for source in ruleset["sources"] if "fleetops.azure_maintenance.maintenance" in source]
        assert own and all(set(options) <= {*announcer_module._SELECTION, *announcer_module._OWN} for options in own)
        for rule in ruleset["rules"]:
            for action in rule.get("actions") or [rule["action"]]:
                assert "run_playbook" not in action or action["run_playbook"]["name"] in playbooks
        assert "rolling_redeploy" not in str([rule for rule in ruleset["rules"] if "payload.approve" not in rule["condition"]]), "never straight to act"
