# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the run of a mark is alive: its process, what it left behind, and the time limit of runs elsewhere."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from unit.plugins.marks import NOBODY, answer, in_child, mark

from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark import liveness
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.liveness import alive_because, describe, process_of, run_process, stamp

NOW = dt.datetime(2026, 3, 2, 8, 30, tzinfo=dt.timezone.utc)
# A run that is killed while its worker, a fork of it, goes on. Both are told: number of the run, number of the worker.
RUN = textwrap.dedent("""\
    import json, os, sys, time
    sys.path[:0] = json.loads(sys.argv[1])
    from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark import liveness
    run, process = os.getpid(), liveness.process_of(os.getpid())
    worker = os.fork()
    if worker:
        print("begun", flush=True)
        time.sleep(60)
    while os.getppid() == run:
        time.sleep(0.01)
    if sys.argv[2] == "ask":  # the worker is a run of its own by now; it has a worker, which asks about the dead one
        if os.fork():
            time.sleep(60)
    import datetime
    now = datetime.datetime.now(datetime.timezone.utc)
    print(json.dumps([process, os.getpid(), os.getppid(), liveness.alive_because({"process": process}, now), liveness.run_process()]), flush=True)
    time.sleep(60)
""")


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def orphan(how):
    """A run that was killed; what its orphan says, see RUN."""
    run = subprocess.Popen([sys.executable, "-c", RUN, json.dumps(sys.path), how], stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "begun\n"
    run.kill()
    run.wait()
    return run, *json.loads(run.stdout.readline())


@contextlib.contextmanager
def ended(*pids):
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def alive(process, **fields):
    return alive_because({"process": process, **fields}, NOW)


def test_a_process_is_alive_until_it_is_gone(sleeper):
    process = process_of(sleeper.pid)
    assert alive(process) == f"its process {sleeper.pid} runs on this machine"
    assert alive(json.loads(json.dumps(process)), expires="2026-03-02T08:00:00Z"), "past its time, and yet at work"
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert alive(process) is None, "a zombie does nothing any more"
    assert process_of(sleeper.pid)["started"] is None
    sleeper.wait()
    assert alive(process) is None and alive(process, expires="2026-03-02T09:00:00Z") is None, "its time limit is for others"


def test_a_number_that_somebody_else_has_by_now_is_not_the_run(sleeper):
    process = process_of(sleeper.pid)
    assert alive({**process, "started": str(int(process["started"]) - 1), "command": "another"}) is None


def test_a_worker_that_outlives_its_run_is_named():
    run, process, worker, parent, itself, own = orphan("sleep")
    with run.stdout, ended(worker):
        assert parent != run.pid and process["pid"] == run.pid
        assert alive(process) == f"its process {run.pid} is gone, but a worker of it, process {worker}, still works on this machine"
        assert itself is None, "it does not count itself"
        assert own == {**process, "pid": worker, "started": process_of(worker)["started"]}, "who took the worker in is not the run"
        other = {**process, "command": process_of(os.getpid())["command"]}
        assert alive(other) is None, "another command's orphan"
        os.kill(worker, signal.SIGSTOP)
        assert alive(process), "what is stopped may go on"
        os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while alive(process) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert alive(process) is None


def test_the_same_command_once_more_does_not_count_itself():
    run, process, worker, parent, itself, own = orphan("ask")
    with run.stdout, ended(worker, parent):
        assert itself is None, "asked by a worker of the second run"
        assert alive(process) == f"its process {run.pid} is gone, but a worker of it, process {parent}, still works on this machine"
        assert own["pid"] == parent


def test_the_session_manager_of_a_user_takes_in_orphans_too(monkeypatch, tmp_path):
    comms = {1: "init", 10: "systemd", 11: "bash"}
    files = open
    monkeypatch.setattr(liveness, "open", lambda path, **options: files(tmp_path / path.split("/")[2], **options), raising=False)
    for pid, comm in comms.items():
        (tmp_path / str(pid)).write_text(f"{comm}\n")
    assert [pid for pid in (*comms, 12) if liveness._takes_in_orphans(pid)] == [1, 10]


def test_workers_name_the_run_they_are_forks_of():
    kind, own = answer(in_child(run_process))
    assert kind == "answer" and own == process_of(os.getpid())


def test_processes_that_may_not_be_looked_at_count_as_alive(monkeypatch):
    """As where /proc hides what others run: there is one of this number, and it is not ours."""
    process = process_of(os.getppid())
    hidden = os.path.exists

    def ask():
        monkeypatch.setattr(os.path, "exists", lambda path: not str(path).startswith("/proc/") and hidden(path))
        return alive(process)

    if os.geteuid() == 0:
        assert answer(in_child(ask, NOBODY)) == ("answer", f"its process {process['pid']} runs on this machine")
    assert answer(in_child(lambda: alive({**process, "pid": 2 ** 22 + 5, "command": None}))) == ("answer", None)


def test_where_there_is_no_proc_the_number_has_to_do(sleeper):
    process = {**process_of(sleeper.pid), "started": None, "command": None}
    assert alive(process)
    sleeper.kill()
    sleeper.wait()
    assert alive(process) is None


def test_a_working_directory_that_may_not_be_read_does_not_make_it_another_command():
    words, folder = process_of(os.getpid())["command"].split(":")
    assert liveness._same(f"{words}:{folder}", f"{words}:") and liveness._same(f"{words}:{folder}", f"{words}:{folder}")
    assert not any(liveness._same(f"{words}:{folder}", other) for other in (f"{words}:x", f"x:{folder}", "x:", None, ""))


@pytest.mark.parametrize("expires, ends", [
    ("2026-03-02T08:30:01Z", "2026-03-02T08:30:01Z"), ("2026-03-02T08:30:00Z", None), ("2026-03-02T08:29:59Z", None), ("", None), (None, None),
    ("soon", None), (1772440200, None), ("2026-03-02 09:30", None), ([], None)])
@pytest.mark.parametrize("process", [
    {"machine": "elsewhere", "pid": os.getpid(), "started": None}, {}, None, "4711", {"machine": None, "pid": 1}],
    ids=["elsewhere", "none", "null", "text", "odd"])
def test_of_runs_elsewhere_only_the_time_limit_tells(process, expires, ends):
    assert alive(process, expires=expires) == (ends and f"its step may take until {ends}")


@pytest.mark.parametrize("pid", [None, "x", -1, [], 10 ** 30])
def test_a_process_of_this_machine_that_cannot_be_one_is_not_alive(pid):
    assert alive({**process_of(os.getpid()), "pid": pid, "command": None}, expires="2026-03-02T08:00:00Z") is None


def test_a_boot_of_this_machine_is_a_machine_of_its_own(sleeper):
    process = process_of(sleeper.pid)
    boot = process["machine"].partition("/")[0]
    assert alive({**process, "machine": process["machine"].replace(boot, "0" * len(boot))}) is None


def test_times_and_words():
    assert stamp(NOW) == "2026-03-02T08:30:00Z" and stamp(NOW.astimezone(dt.timezone(dt.timedelta(hours=2))), 90) == "2026-03-02T08:31:30Z"
    assert describe(mark("one")) == "run one of one@bastion, step drain, since 2026-03-02T08:16:02Z, last written 2026-03-02T08:16:02Z"
    assert describe({}) == "run ? of ?, step ?, since ?, last written ?"
