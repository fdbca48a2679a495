# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""maintenance_mark, the half that runs on the host: the whole module in this process."""

from __future__ import annotations

import json
import os

import pytest
from unit.plugins.marks import LATER, NOW, SERVICES, mark, run_module

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import MarkFile
from ansible_collections.fleetops.azure_maintenance.plugins.modules import maintenance_mark

STAMP = {"version": 1, "host": "web-01", "process": {"machine": "m", "pid": 7, "started": "1"}, "since": NOW, "heartbeat": NOW, "expires": LATER}
CANDIDATES = [{"provider": "services", "candidates": ["nginx", "cron", "php"]}]
TASKS = {"provider": "tasks", "files": ["/srv/back.yml"]}


class Host:
    """A host whose facts are below a folder; its clock only moves while the module sleeps."""

    def __init__(self, folder, capsys, monkeypatch):
        self.file, self.watch = MarkFile(str(folder / "azure_maintenance.fact")), folder / "azure_maintenance_watch.fact"
        self.states = {"nginx": "running", "cron": "running", "php": "stopped"}
        self.asked, self.slept, self.on_sleep, self._capsys = [], 0, [], capsys
        self.finished = folder / "azure_maintenance_finished.fact"
        monkeypatch.setattr(maintenance_mark, "FINISHED", str(self.finished))
        monkeypatch.setattr(maintenance_mark, "WATCH_MARK", str(self.watch))
        monkeypatch.setattr(maintenance_mark, "MarkFile", lambda: self.file)
        monkeypatch.setattr(maintenance_mark, "service_states", self._service_states)
        monkeypatch.setattr(maintenance_mark.time, "monotonic", lambda: self.slept)
        monkeypatch.setattr(maintenance_mark.time, "sleep", self._sleep)

    def _service_states(self, names, run_command):
        self.asked.append((self.slept, self.file.read()))
        return {name: self.states.get(name, "missing") for name in names}

    def _sleep(self, seconds):
        self.slept += seconds
        for action in self.on_sleep:
            action(self.slept)

    def drain_by_watch(self):
        """What the watch does for an event: it notes itself, and stops what runs."""
        self.watch.write_text("{}")
        self.states.update(nginx="stopped", cron="stopped")

    def restore_by_watch(self):
        """It does so only while no mark is there."""
        if self.file.read() is None:
            self.states.update(nginx="running", cron="running")
            self.watch.unlink(missing_ok=True)

    def run(self, code=0, check=False, **params):
        given = {"run_id": "one", "owner": "alice@bastion", "stamp": STAMP, **params}
        return run_module(maintenance_mark, self._capsys, code, check=check, **{name: value for name, value in given.items() if value is not None})


@pytest.fixture
def host(tmp_path, capsys, monkeypatch):
    return Host(tmp_path, capsys, monkeypatch)


def test_it_records_what_runs_of_the_candidates_and_everything_else_as_given(host):
    result = host.run(undo=[*CANDIDATES, TASKS], vm_id="/subscriptions/1", boot_id="b", step="drain")
    expected = {**STAMP, "run_id": "one", "owner": "alice@bastion", "step": "drain", "vm_id": "/subscriptions/1", "boot_id": "b",
                "undo": [{"provider": "services", "services": ["nginx", "cron"]}, TASKS]}
    assert result["changed"] and result["before"] is None and result["mark"] == expected == host.file.read()


def test_later_steps_keep_the_first_undo(host):
    host.run(undo=CANDIDATES)
    host.states.update(nginx="stopped")
    later = host.run(undo=CANDIDATES, step="redeploy", stamp={**STAMP, "since": LATER, "heartbeat": LATER})
    assert later["before"]["step"] == "drain" and later["mark"] == host.file.read()
    assert later["mark"]["undo"][0]["services"] == ["nginx", "cron"] and (later["mark"]["since"], later["mark"]["heartbeat"]) == (NOW, LATER)
    assert host.run(step="verify")["mark"]["undo"] == later["mark"]["undo"]


def test_the_boot_id_is_that_of_the_host_when_it_was_first_marked(host, monkeypatch):
    monkeypatch.setattr(maintenance_mark, "boot_id", lambda: "first")
    assert host.run(undo=[TASKS])["mark"]["boot_id"] == "first"
    monkeypatch.setattr(maintenance_mark, "boot_id", lambda: "second")
    assert host.run(undo=[TASKS], step="again")["mark"]["boot_id"] == "first"
    assert host.run(boot_id="second", step="redeploy")["mark"]["boot_id"] == "first"


def test_services_that_there_are_not_end_it_before_anything_is_written(host):
    result = host.run(1, undo=[{"provider": "services", "candidates": ["nginx", "ngnix", "http"]}])
    assert result["msg"] == "there is no service ngnix, http on this host; correct drain_services. Nothing was changed" and host.file.read() is None
    assert os.listdir(os.path.dirname(host.file.path)) == []


def written(host):
    """Changes with every write; when it was read last is no matter."""
    status = os.stat(host.file.path)
    return status.st_ino, status.st_mtime_ns


@pytest.mark.parametrize("params", [{"undo": CANDIDATES}, {"undo": CANDIDATES, "take_over": "theirs"}, {"state": "absent"}])
@pytest.mark.parametrize("there", [None, mark("one", SERVICES), mark("theirs", SERVICES)], ids=["none", "ours", "theirs"])
def test_check_mode_writes_nothing(host, params, there):
    if there:
        host.file.replace(there)
    kept = written(host) if there else None
    result = host.run(check=True, **params)
    assert result["before"] == there == host.file.read() and (written(host) if there else None) == kept
    if "undo" in params:
        assert result["changed"] and result["mark"]["undo"] == [{"provider": "services", "services": ["nginx", "cron"]}]
    else:
        assert result["changed"] is (there is not None) and result["mark"] is None
    assert os.listdir(os.path.dirname(host.file.path)) == (["azure_maintenance.fact"] if there else [])


@pytest.mark.parametrize("params", [{}, {"take_over": "other"}, {"state": "absent"}])
def test_another_runs_mark_ends_it_and_is_told(host, params):
    host.file.replace(mark("theirs", SERVICES))
    result = host.run(1, **params)
    assert result["foreign"] == mark("theirs", SERVICES) == host.file.read()
    assert "is the drain marker of run theirs of theirs@bastion, step drain" in result["msg"]


def test_taking_over_and_removing(host):
    host.file.replace(mark("dead", SERVICES))
    assert host.run(take_over="dead", step="finish")["mark"]["earlier_runs"] == ["dead"]
    gone = host.run(state="absent", stamp=None)
    assert gone["changed"] and gone["before"]["undo"] == [SERVICES] and gone["mark"] is None and host.file.read() is None
    assert json.loads(host.finished.read_text()) == {"runs": ["dead", "one"]}, "so that controllers with copies know"
    assert host.run(state="absent", stamp=None)["changed"] is False


@pytest.mark.parametrize("state, missing", [("present", "run_id"), ("present", "stamp"), ("absent", "run_id")])
def test_what_is_needed_is_said(host, state, missing):
    result = host.run(1, state=state, **{missing: None})
    words = "missing required arguments: run_id" if missing == "run_id" else f"state is {state} but all of the following are missing: {missing}"
    assert words in result["msg"] and host.file.read() is None


def test_a_mark_that_cannot_be_understood_is_left_alone(host):
    with open(host.file.path, "w", encoding="utf-8") as file:
        file.write("{")
    for params in ({}, {"state": "absent"}, {"take_over": "x"}):
        assert "restore by hand" in host.run(1, **params)["msg"]
    with open(host.file.path, encoding="utf-8") as file:
        assert file.read() == "{"


# -- beside the watch of Scheduled Events ---------------------------------------------------------------------------------


def test_while_the_watch_has_the_host_nothing_is_written(host):
    host.drain_by_watch()
    result = host.run(1, watch_timeout=30, undo=CANDIDATES)
    assert "drained by watch_events" in result["msg"] and "nothing was changed. Run again when the event is over" in result["msg"]
    assert host.slept == 30 and host.file.read() is None and host.asked == []


def test_it_waits_for_the_watch_and_looks_at_what_runs_after_that(host):
    host.drain_by_watch()
    host.on_sleep = [lambda now: now == 20 and host.restore_by_watch()]
    assert host.run(watch_timeout=30, undo=CANDIDATES)["mark"]["undo"] == [{"provider": "services", "services": ["nginx", "cron"]}]
    assert host.slept == 20 and host.asked == [(20, None)]


def test_a_watch_that_sees_the_mark_in_time_gives_way(host, monkeypatch):
    write = host.file.write
    monkeypatch.setattr(host.file, "write", lambda *given: (write(*given), host.watch.write_text("{}"))[0])
    host.on_sleep = [lambda now: host.watch.unlink()]
    assert host.run(undo=CANDIDATES)["mark"] == host.file.read() and host.slept == 1


def test_a_watch_that_had_begun_is_given_way_to(host):
    """It came between our first look and our mark, has stopped the services, and keeps still while a mark is there: it could never end."""
    services = host._service_states
    seen = []

    def and_begin(names, run_command):
        if not seen:
            host.drain_by_watch()
        seen.append(True)
        return services(names, run_command)

    maintenance_mark.service_states = and_begin  # the fixture takes it back
    host.on_sleep = [lambda now: now >= 20 and host.restore_by_watch()]
    result = host.run(watch_timeout=60, undo=CANDIDATES)
    assert result["mark"]["undo"] == [{"provider": "services", "services": ["nginx", "cron"]}] and result["mark"] == host.file.read()
    assert len(seen) == 2 and host.slept == 20, "what the watch had stopped was not taken for stopped by somebody else"


@pytest.mark.parametrize("timeout", [0, 3, 12])
def test_giving_way_ends_with_the_time(host, monkeypatch, timeout):
    write = host.file.write
    monkeypatch.setattr(host.file, "write", lambda *given: (write(*given), host.drain_by_watch())[0])
    result = host.run(1, undo=[], watch_timeout=timeout)
    assert "drained by watch_events" in result["msg"] and host.slept == timeout and host.file.read() is None


def test_a_mark_that_was_there_before_stays_when_the_watch_comes(host):
    host.file.replace(mark("one", SERVICES))
    host.drain_by_watch()
    assert "drained by watch_events" in host.run(1, watch_timeout=0, step="redeploy")["msg"] and host.file.read() == mark("one", SERVICES)
