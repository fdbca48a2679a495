# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Polls of a simulated fleet: once each across restarts, a private state file, options, and what a failure leaves."""

from __future__ import annotations

import json
import stat

import pytest
from unit.plugins.cloud import OTHER, SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._eda import announcer as announcer_module
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._eda.announcer import Announcer
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError, OptionsError


@pytest.fixture
def start(cloud, tmp_path):
    """A source's announcer; the state file is the same unless another is named. Each is closed before the next begins."""
    made = []

    def make(environ=None, **options):
        for other in made:
            other.close()
        given = {"subscriptions": [SUBSCRIPTION], "state_file": str(tmp_path / "eda" / "state.json"), **cloud.options(), **options}
        made.append(Announcer({name: value for name, value in given.items() if value is not None}, environ or {}))
        return made[-1]

    yield make
    for other in made:
        other.close()


def kinds(events):
    return [(event["kind"], event["vm"]["name"]) for event in events]


def opened(*names):
    return [("window_announced", name) for name in names] + [("self_service_opened", name) for name in names]


def test_once_each_across_restarts(cloud, start):
    first = start()
    events = first.poll()
    assert kinds(events) == opened("disk", "duo", "solo", "web-0a", "web-0b", "web-1")
    first.taken()
    assert first.poll() == [] and start().poll() == []
    cloud.change("solo", code="MaintenanceCompleted", allowed=False)
    cloud.change("calm", wave="next")
    again = start()
    assert kinds(again.poll()) == [("window_announced", "calm"), ("completed", "solo")]
    again.taken()
    assert start().poll() == []


def test_a_batch_that_was_not_taken_is_handed_out_again(start):
    events = start().poll()
    after_a_crash = start()
    assert after_a_crash.pending() == events
    after_a_crash.taken()
    assert start().pending() == []


def test_a_batch_that_was_taken_comes_no_more_though_the_disk_is_full(start, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    source = start()
    source.poll()
    with monkeypatch.context() as disk:
        disk.setattr(announcer_module.os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            source.taken()
        assert source.pending() == [], "or each try would tell it again"
    assert source.poll() == [] and start().pending() == [], "written down as soon as there is room"


def test_the_state_is_private_and_whole(start, tmp_path):
    start().poll()
    files = sorted((tmp_path / "eda").iterdir())
    assert [path.name for path in files] == ["state.json", "state.json.lock"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600} and stat.S_IMODE((tmp_path / "eda").stat().st_mode) == 0o700
    assert "simulated-secret" not in files[0].read_text(encoding="utf-8")


def test_a_failed_poll_remembers_nothing_and_the_next_one_works(cloud, start):
    cloud.fault("statusOnly", status=403, code="AuthorizationFailed", count=1)
    source = start()
    with pytest.raises(AzureError, match="AuthorizationFailed"):
        source.poll()
    assert len(source.poll()) == 12


def test_a_subscription_that_is_seen_no_more_is_not_a_fleet_that_is_gone(cloud, start):
    source = start(subscriptions=None, subscription_id=None)
    assert ("window_announced", "far") in kinds(source.poll())
    half = start(subscriptions=None, **cloud.options(1))
    assert half.poll() == [] and start(subscriptions=None).poll() == []


def test_another_selection_begins_anew(start):
    start().poll()
    other = start(resource_groups=["shop"], query="name == 'solo'")
    assert kinds(other.poll()) == opened("solo")


def test_a_vm_that_is_deleted(cloud, start):
    source = start()
    source.poll()
    with cloud.simulator.world.lock:
        cloud.simulator.world.fleet.remove(cloud.simulator.fleet.named("duo")[0])
    assert kinds(source.poll()) == [("cancelled", "duo")]


def test_two_sources_do_not_share_a_state_file(cloud, start, tmp_path):
    first = start()
    with pytest.raises(OptionsError, match="is in use by another event source"):
        Announcer({**cloud.options(), "state_file": str(tmp_path / "eda" / "state.json")}, {})
    first.close()
    Announcer({**cloud.options(), "state_file": str(tmp_path / "eda" / "state.json")}, {}).close()


@pytest.mark.parametrize("content", [
    "", "{", "[]", "{}", '{"format": 9, "selection": {}, "vms": {}, "pending": []}', '{"format": 1, "selection": {}, "vms": [], "pending": []}'])
def test_a_state_file_that_cannot_be_read_is_not_overwritten(start, tmp_path, content):
    (tmp_path / "eda").mkdir()
    (tmp_path / "eda" / "state.json").write_text(content, encoding="utf-8")
    with pytest.raises(OptionsError, match="cannot be read .* move it away"):
        start()
    assert (tmp_path / "eda" / "state.json").read_text(encoding="utf-8") == content


@pytest.mark.parametrize("options, words", [
    ({"interval": "soon"}, "interval 'soon' is not a number"), ({"interval": 0}, "interval 0 is out of range"),
    ({"deadline_hours": ["x"]}, "deadline_hours 'x'"),
    ({"deadline_hours": -1}, "out of range"), ({"intervall": 5}, "unknown option intervall; there are subscriptions"),
    ({"query": "tags."}, "query 'tags.'"),
    ({"auth_source": "magic"}, "auth_source 'magic' is unknown"), ({"secret": None, "auth_source": "env"}, "needs secret too"),
    ({"disable_instance_discovery": "maybe"}, "neither true nor false"), ({"state_file": "/proc/nowhere/state.json"}, "cannot be used")])
def test_options_that_cannot_work(cloud, start, options, words):
    with pytest.raises(OptionsError, match=words):
        start(**options)
    assert cloud.requests() == []


def test_options_as_rulebook_variables_give_them(cloud, start):
    """Text where a list or a number is meant, and sign-in from the environment."""
    known = cloud.options()
    environ = {"AZURE_CLIENT_ID": known["client_id"], "AZURE_CLIENT_SECRET": known["secret"], "AZURE_TENANT_ID": known["tenant"],
               "AZURE_CLOUD_ENVIRONMENT": known["cloud_environment"], "AZURE_DISABLE_INSTANCE_DISCOVERY": "yes", "AZURE_SUBSCRIPTION_ID": OTHER}
    source = start(environ, **dict.fromkeys(cloud.options()), subscriptions=None, deadline_hours="24, 2400", interval="60", eda_feedback_queue=object())
    assert kinds(source.poll()) == [*opened("far"), ("deadline_near", "far")] and source.interval == 60


@pytest.mark.parametrize("name", ["AZURE_CLIENT_ID", "AZURE_SECRET", "AZURE_CLIENT_SECRET", "AZURE_TENANT", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"])
def test_a_profile_is_the_whole_identity(start, tmp_path, monkeypatch, name):
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "credentials").write_text("[test]\nsubscription_id = sub\nclient_id = c\nsecret = s\ntenant = t\n", encoding="utf-8")
    found = start({name: "of the environment"}, profile="test", **dict.fromkeys(("client_id", "secret", "tenant", "subscription_id")))._settings
    assert (found.client_id, found.secret, found.tenant, found.subscription_id) == ("c", "s", "t", "sub")


def test_a_disk_that_is_full_is_a_failure_of_that_poll(start, monkeypatch):
    source = start()

    def full(*dummy):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(announcer_module.os, "replace", full)
        source.poll()
    assert json.dumps(source.pending()) == "[]" and len(source.poll()) == 12
