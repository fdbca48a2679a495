# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the marks, through real ansible-playbook: one host in a mount namespace of its own, and one that is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from unit.plugins.mark_controller import Controller, Play, on_controller
from unit.plugins.marks import HAPROXY, SERVICES, mark

MARK, READ = (f"fleetops.azure_maintenance.{name}" for name in ("maintenance_mark", "maintenance_mark_info"))


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    return Controller(tmp_path_factory.mktemp("controller"))


def task(**arguments):
    return {MARK: arguments}


def reading(**arguments):
    return {READ: arguments}


THEIRS = mark("theirs", SERVICES)
NOTE_OF_WEB_07 = {**mark("one", HAPROXY, host="web-07", expires="2999-01-01T00:00:00Z"), "process": {"machine": "elsewhere", "pid": 1}}


@pytest.fixture(scope="module")
def answers(controller):
    """What hosts answered in one run, in which each play but the first begins with a host without marks."""
    folder, fact, marks = controller.folder, controller.fact, str(controller.marks)
    fact.parent.mkdir(parents=True)
    (folder / "file").write_text("")
    copy, with_copy, nowhere = f"{marks}/here.json", {"directory": marks}, {"directory": f"{folder}/file/marks"}
    only_copy = {"on_host": False, **with_copy}
    without_host = {key: value for key, value in mark("two", HAPROXY).items() if key != "host"}
    for name, content in (("theirs", THEIRS), ("web-07", NOTE_OF_WEB_07), ("web-08", without_host)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    order = Play([
        ("empty", reading()),
        ("written", task(run_id="one", owner="alice@bastion", undo=[{"provider": "tasks", "files": []}], **with_copy)),
        ("copied", on_controller(f"cat {copy}")),
        ("own", reading()),
        ("foreign", task(run_id="two", **with_copy)),
        ("foreign_gone", task(run_id="two", state="absent", **with_copy)),
        ("still", on_controller(f"cat {copy}")),
        ("no_room", task(run_id="one", step="redeploy", **nowhere)),
        ("after", reading()),
        ("gone", task(run_id="one", state="absent", **with_copy)),
        ("no_copy", on_controller(f"ls {copy} 2>/dev/null || true")),
        ("gone_again", task(run_id="one", state="absent", **with_copy)),
        ("put", on_controller(f"cp {folder}/theirs.json {fact}")),
        ("refused", task(run_id="three", **with_copy)),
        ("no_copy_either", on_controller(f"ls {copy} 2>/dev/null || true")),
    ])
    check = Play([
        ("written", task(run_id="one", undo=[], **with_copy)), ("only_copy", task(run_id="one", undo=[], **only_copy)),
        ("gone", task(run_id="one", state="absent", **with_copy)), ("only_gone", task(run_id="one", state="absent", **only_copy)),
        ("found", reading()), ("left", on_controller(f"ls -d {fact} {marks} 2>/dev/null || true")),
    ], check=True)
    copies = Play([
        ("written", task(run_id="one", undo=[SERVICES], **only_copy)),
        ("again", task(run_id="one", step="redeploy", undo=[{**SERVICES, "services": []}], **only_copy)),
        ("foreign", task(run_id="two", undo=[], **only_copy)), ("foreign_gone", task(run_id="two", state="absent", **only_copy)),
        ("taken", task(run_id="two", take_over="one", **only_copy)), ("nobody", task(undo=[], **only_copy)),
        ("odd", task(run_id="two", state="query", **only_copy)), ("found", reading(on_host=False)),
        ("gone", task(run_id="two", state="absent", **only_copy)), ("gone_again", task(run_id="two", state="absent", **only_copy)),
        ("left", on_controller(f"ls {fact} {marks}/*.json 2>/dev/null || true"))], "here:windows")
    delegated = {"delegate_to": "lost"}
    lost = Play([
        ("found", reading()), ("written", task(run_id="one", undo=[], **with_copy)),
        ("gone", task(run_id="one", state="absent", **with_copy)),
        ("elsewhere", {**task(run_id="one", haproxy={"host": "here", "server": "here"}), **delegated}),
        ("asked_there", {**reading(), **delegated}), ("left", on_controller(f"ls -A {marks}"))], "here:lost")
    drained = f"{fact.parent}/azure_maintenance_drained"
    notes = Play([
        ("put", on_controller(f"cp {folder}/web-07.json {drained}_web-07.fact; cp {folder}/web-08.json {drained}_web-08.fact")),
        ("found", reading()), ("spoilt", on_controller(f"echo '{{' > {fact}")), ("broken", reading()), ("refused", task(run_id="one"))])
    read = reading(**with_copy)
    found_out = Play([
        ("put", on_controller(f"mkdir -p {marks} && cp {folder}/theirs.json {copy}")), ("only_copy", read), ("written", task(run_id="two", undo=[])),
        ("both", read), ("no_directory", reading()), ("pipe", on_controller(f"rm {copy} && mkfifo {copy}")), ("beside_pipe", read),
        ("gone", task(run_id="two", state="absent")), ("only_pipe", read)])
    reset = Play([("reset", on_controller(f"rm -rf {fact.parent.parent} {marks} && mkdir -p {fact.parent}"))])
    plays = {"order": order, "reset_1": reset, "check": check, "reset_2": reset, "copies": copies, "reset_3": reset, "lost": lost, "reset_4": reset,
             "notes": notes, "reset_5": reset, "found_out": found_out}
    return controller.run("all", plays)


def test_the_copy_comes_after_the_hosts_mark_and_goes_after_it(answers):
    answers = answers["order"]["here"]
    assert (answers["empty"]["reached"], answers["empty"]["mark"], answers["empty"]["trouble"]) == (True, None, None)
    written = answers["written"]["mark"]
    assert answers["written"]["changed"] and (written["host"], written["run_id"], written["owner"]) == ("here", "one", "alice@bastion")
    assert json.loads(answers["copied"]["msg"]) == written == answers["own"]["mark"] == json.loads(answers["still"]["msg"])
    assert answers["own"]["alive"] == f"its process {written['process']['pid']} runs on this machine", "this very run, by its main process"
    for key in ("foreign", "foreign_gone"):
        assert answers[key]["failed"] and answers[key]["foreign"] == written
    assert answers["no_room"]["failed"] and "see drain_marks_dir" in answers["no_room"]["msg"]
    assert answers["after"]["mark"]["step"] == "redeploy", "the host's mark comes first, and is what is true"
    assert answers["gone"]["changed"] and answers["gone"]["before"]["run_id"] == "one" and answers["no_copy"]["msg"] == ""
    assert answers["gone_again"]["changed"] is False
    assert answers["refused"]["foreign"] == THEIRS and answers["no_copy_either"]["msg"] == ""


def test_check_mode_writes_neither(answers):
    answers = answers["check"]["here"]
    assert answers["written"]["changed"] and answers["only_copy"]["changed"]
    assert answers["left"]["msg"] == "", "neither the host's mark nor a folder of copies"
    assert not answers["gone"]["changed"] and answers["found"]["reached"] and answers["found"]["mark"] is None


def test_without_a_mark_on_the_host_the_copy_is_the_mark(answers):
    for host in ("here", "windows"):
        said = answers["copies"][host]
        assert said["written"]["mark"]["host"] == host and said["again"]["before"] == said["written"]["mark"]
        assert (said["again"]["mark"]["undo"], said["again"]["mark"]["step"]) == ([SERVICES], "redeploy")
        for key in ("foreign", "foreign_gone"):
            assert said[key]["failed"] and said[key]["foreign"] == said["again"]["mark"]
        assert said["taken"]["mark"]["earlier_runs"] == ["one"] and "run_id is missing" in said["nobody"]["msg"]
        assert "neither present nor absent; maintenance_mark_info reads" in said["odd"]["msg"]
        assert said["found"]["reached"] and said["found"]["mark"] is None
        assert (said["gone"]["changed"], said["gone_again"]["changed"]) == (True, False)
    assert answers["copies"]["here"]["left"]["msg"] == "", "no mark on the host, and no copy"


def test_a_host_that_cannot_be_reached_fails_and_is_not_lost(answers):
    """Every task after the first is still run for it: Ansible would drop an unreachable host from the play."""
    answers = answers["lost"]
    for key in ("written", "gone"):
        said = answers["lost"][key]
        assert said["failed"] and not said.get("unreachable") and said["msg"].startswith("the host cannot be reached: ")
        assert not answers["here"][key].get("failed")
    for host in ("here", "lost"):
        assert answers[host]["elsewhere"]["failed"] and answers[host]["elsewhere"]["msg"].startswith("the balancer cannot be reached: ")
        assert not answers[host]["elsewhere"].get("unreachable")
    for said in (answers["lost"]["found"], answers["here"]["asked_there"]):
        assert not said.get("failed") and said["reached"] is False and said["trouble"].startswith("the host cannot be reached: ") and said["mark"] is None
    assert answers["here"]["left"]["msg"] == ".lock", "what is not on the host is not in a copy"


def test_reading_tells_the_copy_where_the_host_has_no_mark(answers):
    """The host's own mark is what is true, and a copy that cannot be understood is no obstacle beside it."""
    said = answers["found_out"]["here"]
    assert said["only_copy"]["controller_copy"] == THEIRS and said["only_copy"]["mark"] is None
    assert said["both"]["controller_copy"] is None and said["both"]["mark"]["run_id"] == "two" and said["no_directory"]["controller_copy"] is None
    assert said["beside_pipe"]["trouble"] is None
    assert "here.json cannot be read: it is a pipe, not a regular file" in said["only_pipe"]["trouble"]


def test_reading_tells_notes_and_what_cannot_be_understood(answers):
    answers = answers["notes"]["here"]
    assert answers["found"]["drained"]["web-07"] == {**NOTE_OF_WEB_07, "alive": "its step may take until 2999-01-01T00:00:00Z"}
    assert sorted(answers["found"]["drained"]) == ["web-07", "web-08"] and answers["found"]["drained"]["web-08"]["alive"] is None
    broken = answers["broken"]
    assert not broken.get("failed") and broken["reached"] and broken["mark"] is None and "azure_maintenance.fact cannot be understood" in broken["trouble"]
    assert "restore by hand" in answers["refused"]["msg"]


def test_a_run_that_was_killed_is_dead_once_its_worker_is(controller):
    shutil.rmtree(controller.etc / "ansible", ignore_errors=True)
    controller.fact.parent.mkdir(parents=True)
    run = controller.begin("killed", {"killed": Play([("written", task(run_id="one", undo=[])), ("asleep", {"ansible.builtin.command": "sleep 60"})])})
    with run:
        deadline = time.monotonic() + 30
        while not controller.fact.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process = json.loads(controller.fact.read_text())["process"]
        assert process["pid"] == run.pid, "unshare, sh and ansible-playbook become each other"
        while not (workers := sleeping(run.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        run.kill()
        run.stdout.close()
    try:
        end = on_controller(f"kill -9 -{workers[0]}; sleep 0.3")
        found = controller.run("who", {"who": Play([("found", reading()), ("end", end), ("now", reading())])})["who"]["here"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(workers[0], signal.SIGKILL)
    assert found["found"]["mark"]["run_id"] == "one" and found["found"]["alive"] == (
        f"its process {run.pid} is gone, but a worker of it, process {workers[0]}, still works on this machine")
    assert found["now"]["alive"] is None


def sleeping(run):
    """Workers of a run, each a session of its own, that have begun a sleep of a minute."""
    said = subprocess.run(["ps", "-eo", "pid=,ppid=,sid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 3) for line in said.splitlines()]
    sessions = {int(sid) for pid, parent, sid, words in rows if words == "sleep 60"}
    return [int(pid) for pid, parent, sid, words in rows if int(parent) == run and int(pid) in sessions]
