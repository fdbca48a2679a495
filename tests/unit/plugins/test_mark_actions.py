# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the marks, through real ansible-playbook: one host in a mount namespace of its own, and one that is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from unit.plugins.mark_controller import Controller
from unit.plugins.marks import HAPROXY, SERVICES, mark

MARK, NOTE = (f"fleetops.azure_maintenance.{name}_mark" for name in ("maintenance", "balancer"))


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    return Controller(tmp_path_factory.mktemp("controller"))


@pytest.fixture
def fresh(controller):
    """The controller, and a host without marks."""
    for folder in (controller.etc / "ansible", controller.marks):
        shutil.rmtree(folder, ignore_errors=True)
    controller.fact.parent.mkdir(parents=True)
    return controller


def task(**arguments):
    return {MARK: arguments}


def test_the_copy_comes_after_the_hosts_mark_and_goes_after_it(fresh):
    copy, marks = fresh.marks / "here.json", str(fresh.marks)
    (fresh.folder / "file").write_text("")
    theirs = mark("theirs", SERVICES)
    read = {"ansible.builtin.command": f"cat {copy}", "changed_when": False}
    answers = fresh.run("order", [
        ("empty", task(state="query")),
        ("written", task(run_id="one", owner="alice@bastion", undo=[{"provider": "tasks", "files": []}], directory=marks)),
        ("copied", read),
        ("own", task(state="query")),
        ("foreign", task(run_id="two", directory=marks)),
        ("foreign_gone", task(run_id="two", state="absent", directory=marks)),
        ("still", read),
        ("no_room", task(run_id="one", step="redeploy", directory=f"{fresh.folder}/file/marks")),
        ("after", task(state="query")),
        ("gone", task(run_id="one", state="absent", directory=marks)),
        ("no_copy", {"ansible.builtin.stat": {"path": str(copy)}}),
        ("gone_again", task(run_id="one", state="absent", directory=marks)),
        ("put", {"ansible.builtin.copy": {"content": json.dumps(theirs), "dest": str(fresh.fact), "mode": "0644"}}),
        ("refused", task(run_id="three", directory=marks)),
        ("no_copy_either", {"ansible.builtin.stat": {"path": str(copy)}}),
    ])["here"]
    assert (answers["empty"]["reached"], answers["empty"]["mark"], answers["empty"]["trouble"]) == (True, None, None)
    written = answers["written"]["mark"]
    assert answers["written"]["changed"] and (written["host"], written["run_id"], written["owner"]) == ("here", "one", "alice@bastion")
    assert json.loads(answers["copied"]["stdout"]) == written == answers["own"]["mark"] == json.loads(answers["still"]["stdout"])
    assert answers["own"]["alive"] == f"its process {written['process']['pid']} runs on this machine", "this very run, by its main process"
    for key in ("foreign", "foreign_gone"):
        assert answers[key]["failed"] and answers[key]["foreign"] == written
    assert answers["no_room"]["failed"] and "see drain_marks_dir" in answers["no_room"]["msg"]
    assert answers["after"]["mark"]["step"] == "redeploy", "the host's mark comes first, and is what is true"
    assert answers["gone"]["changed"] and answers["gone"]["before"]["run_id"] == "one" and not answers["no_copy"]["stat"]["exists"]
    assert answers["gone_again"]["changed"] is False
    assert answers["refused"]["foreign"] == theirs and not answers["no_copy_either"]["stat"]["exists"]


def test_check_mode_writes_neither(fresh):
    marks = str(fresh.marks)
    answers = fresh.run("check", [
        ("written", task(run_id="one", undo=[], directory=marks)), ("only_copy", task(run_id="one", undo=[], directory=marks, on_host=False)),
        ("gone", task(run_id="one", state="absent", directory=marks)), ("only_gone", task(run_id="one", state="absent", directory=marks, on_host=False)),
        ("found", task(state="query"))], check=True)["here"]
    assert answers["written"]["changed"] and answers["only_copy"]["changed"] and not fresh.fact.exists() and not fresh.marks.exists()
    assert not answers["gone"]["changed"] and answers["found"]["reached"] and answers["found"]["mark"] is None


def test_without_a_mark_on_the_host_the_copy_is_the_mark(fresh):
    marks = {"directory": str(fresh.marks), "on_host": False}
    copies = [f"{fresh.marks}/here.json", f"{fresh.marks}/windows.json"]
    tasks = [
        ("written", task(run_id="one", undo=[SERVICES], **marks)), ("again", task(run_id="one", step="redeploy", undo=[{**SERVICES, "services": []}], **marks)),
        ("foreign", task(run_id="two", undo=[], **marks)), ("foreign_gone", task(run_id="two", state="absent", **marks)),
        ("taken", task(run_id="two", take_over="one", **marks)), ("nobody", task(undo=[], **marks)), ("found", task(state="query", on_host=False)),
        ("gone", task(run_id="two", state="absent", **marks)), ("gone_again", task(run_id="two", state="absent", **marks))]
    answers = fresh.run("copies", tasks, "here:windows")
    for host in ("here", "windows"):
        said = answers[host]
        assert said["written"]["mark"]["host"] == host and said["again"]["before"] == said["written"]["mark"]
        assert (said["again"]["mark"]["undo"], said["again"]["mark"]["step"]) == ([SERVICES], "redeploy")
        for key in ("foreign", "foreign_gone"):
            assert said[key]["failed"] and said[key]["foreign"] == said["again"]["mark"]
        assert said["taken"]["mark"]["earlier_runs"] == ["one"] and "run_id is missing" in said["nobody"]["msg"]
        assert said["found"]["reached"] and said["found"]["mark"] is None
        assert (said["gone"]["changed"], said["gone_again"]["changed"]) == (True, False)
    assert not fresh.fact.exists() and not any(map(os.path.exists, copies))


def test_a_host_that_cannot_be_reached_fails_and_is_not_lost(fresh):
    """Every task after the first is still run for it: Ansible would drop an unreachable host from the play."""
    marks = str(fresh.marks)
    delegated = {"delegate_to": "lost"}
    answers = fresh.run("lost", [
        ("found", task(state="query")), ("written", task(run_id="one", undo=[], directory=marks)),
        ("gone", task(run_id="one", state="absent", directory=marks)),
        ("elsewhere", {NOTE: {"host": "here", "server": "here", "run_id": "one"}, **delegated}),
        ("asked_there", {**task(state="query"), **delegated})], "here:lost")
    for key in ("written", "gone"):
        said = answers["lost"][key]
        assert said["failed"] and not said.get("unreachable") and said["msg"].startswith("the host cannot be reached: ")
        assert not answers["here"][key].get("failed")
    for host in ("here", "lost"):
        assert answers[host]["elsewhere"]["failed"] and answers[host]["elsewhere"]["msg"].startswith("the balancer cannot be reached: ")
        assert not answers[host]["elsewhere"].get("unreachable")
    for said in (answers["lost"]["found"], answers["here"]["asked_there"]):
        assert not said.get("failed") and said["reached"] is False and said["trouble"].startswith("the host cannot be reached: ") and said["mark"] is None
    assert os.listdir(fresh.marks) == [".lock"], "what is not on the host is not in a copy"


def test_a_query_tells_the_copy_where_the_host_has_no_mark(fresh):
    """The host's own mark is what is true, and a copy that cannot be understood is no obstacle beside it."""
    fresh.marks.mkdir(parents=True, exist_ok=True)
    query = task(state="query", directory=str(fresh.marks))
    (fresh.marks / "here.json").write_text(json.dumps(mark("one", SERVICES)))
    tasks = [("only_copy", query), ("written", task(run_id="two", undo=[])), ("both", query), ("no_directory", task(state="query"))]
    said = fresh.run("copy", tasks)["here"]
    assert said["only_copy"]["controller_copy"] == mark("one", SERVICES) and said["only_copy"]["mark"] is None
    assert said["both"]["controller_copy"] is None and said["both"]["mark"]["run_id"] == "two" and said["no_directory"]["controller_copy"] is None
    (fresh.marks / "here.json").unlink()
    os.mkfifo(fresh.marks / "here.json")
    said = fresh.run("pipe", [("both", query), ("gone", task(run_id="two", state="absent")), ("only_copy", query)])["here"]
    assert said["both"]["trouble"] is None and "here.json cannot be read: it is a pipe, not a regular file" in said["only_copy"]["trouble"]


def test_a_query_tells_notes_and_what_cannot_be_understood(fresh):
    note = {**mark("one", HAPROXY, host="web-07", expires="2999-01-01T00:00:00Z"), "process": {"machine": "elsewhere", "pid": 1}}
    for name, content in (("web-07", note), ("web-08", {key: value for key, value in mark("two", HAPROXY).items() if key != "host"})):
        fresh.fact.with_name(f"azure_maintenance_drained_{name}.fact").write_text(json.dumps(content))
    spoil = {"ansible.builtin.copy": {"content": "{", "dest": str(fresh.fact), "mode": "0644"}}
    answers = fresh.run("notes", [("found", task(state="query")), ("spoilt", spoil), ("broken", task(state="query")), ("refused", task(run_id="one"))])["here"]
    assert answers["found"]["drained"]["web-07"] == {**note, "alive": "its step may take until 2999-01-01T00:00:00Z"}
    assert sorted(answers["found"]["drained"]) == ["web-07", "web-08"] and answers["found"]["drained"]["web-08"]["alive"] is None
    broken = answers["broken"]
    assert not broken.get("failed") and broken["reached"] and broken["mark"] is None and "azure_maintenance.fact cannot be understood" in broken["trouble"]
    assert "restore by hand" in answers["refused"]["msg"]


def test_a_run_that_was_killed_is_dead_once_its_worker_is(fresh):
    wait = {"ansible.builtin.command": "sleep 60", "changed_when": False}
    run = fresh.begin("killed", [("written", task(run_id="one", undo=[])), ("asleep", wait)], "here", False)
    with run:
        deadline = time.monotonic() + 30
        while not fresh.fact.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process = json.loads(fresh.fact.read_text())["process"]
        assert process["pid"] == run.pid, "unshare, sh and ansible-playbook become each other"
        while not (workers := sleeping(run.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        run.kill()
        run.stdout.close()
    try:
        found = fresh.run("who", [("found", task(state="query"))])["here"]["found"]
        assert found["mark"]["run_id"] == "one" and found["alive"] == (
            f"its process {run.pid} is gone, but a worker of it, process {workers[0]}, is still at it on this machine")
    finally:
        os.killpg(workers[0], signal.SIGKILL)
    assert fresh.run("who_now", [("found", task(state="query"))])["here"]["found"]["alive"] is None


def sleeping(run):
    """Workers of a run, each a session of its own, that have begun a sleep of a minute."""
    said = subprocess.run(["ps", "-eo", "pid=,ppid=,sid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 3) for line in said.splitlines()]
    sessions = {int(sid) for pid, parent, sid, words in rows if words == "sleep 60"}
    return [int(pid) for pid, parent, sid, words in rows if int(parent) == run and int(pid) in sessions]
