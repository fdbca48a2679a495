# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a mark: whole or not at all, one owner, and what was recorded first stays."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import sys

import pytest
from unit.plugins.marks import HAPROXY, LATER, NOBODY, NOW, SERVICES, answer, in_child, mark, open_to_all, race

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import mark_file
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import ClaimedByAnotherRun, MarkError, MarkFile, balancer_path

TASKS = {"provider": "tasks", "files": ["/srv/back.yml"]}


@pytest.fixture
def file(tmp_path):
    return MarkFile(str(tmp_path / "facts.d" / "azure_maintenance.fact"))


def touches_the_system(function):
    """A call into C that others can see something of: of ``os`` and ``fcntl``, or to a file. All others only compute, and a crash in one of
    them leaves what a crash in the next one that does not leaves."""
    return getattr(function, "__module__", None) in ("posix", "fcntl", "_io", "io") or isinstance(getattr(function, "__self__", None), io.IOBase)


def crash_after(calls, action):
    """Run ``action`` in a process that dies at once, without any cleaning up, after so many calls to the system; whether it came to its end."""
    child = os.fork()
    if not child:
        left = [calls]

        def count(frame, event, argument):
            if event == "c_call" and touches_the_system(argument):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

        sys.setprofile(count)
        action()
        sys.setprofile(None)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# -- whole or not at all --------------------------------------------------------------------------------------------------


def test_a_crash_anywhere_leaves_the_old_mark_or_the_new_one(file, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    old, new = mark("one", SERVICES), mark("one", step="redeploy", heartbeat=LATER)
    seen, calls, done = [], 0, False
    while not done:
        file.write(old) if file.read() is None else file.replace(old)
        done = crash_after(calls, lambda: file.write(new))
        found = file.read()
        assert found in (old, {**new, "undo": [SERVICES]})
        seen.append(found["step"])
        calls += 1
    assert calls > 40 and seen == sorted(seen), "one moment divides old from new"
    assert set(seen) == {"drain", "redeploy"}


def test_a_crash_while_the_first_mark_is_written_leaves_none_or_all_of_it(file, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    calls, done, seen = 0, False, set()
    while not done:
        done = crash_after(calls, lambda: file.write(mark("one", SERVICES)))
        found = file.read()
        assert found in (None, mark("one", SERVICES))
        seen.add(found is None)
        if found is not None:
            file.remove("one")
        calls += 1
    assert seen == {True, False}


def test_a_crash_while_it_is_removed_leaves_it_or_nothing(file):
    calls, done, seen = 0, False, []
    while not done:
        file.write(mark("one", SERVICES))
        done = crash_after(calls, lambda: file.remove("one"))
        assert file.read() in (None, mark("one", SERVICES))
        seen.append(file.read() is None)
        calls += 1
    assert seen == sorted(seen) and set(seen) == {True, False}


def test_it_is_on_disk_before_its_name_and_its_name_before_the_call_ends(file, monkeypatch):
    order = []
    fsync, replace, unlink = os.fsync, os.replace, os.unlink

    def noted_fsync(handle):
        order.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "content")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("name"), replace(*names)))
    monkeypatch.setattr(os, "unlink", lambda name: (order.append("no name"), unlink(name)))
    file.write(mark())
    assert order == ["content", "name", "folder"]
    file.remove("one")
    assert order[3:] == ["no name", "folder"]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["os.open", "os.fsync", "os.fchmod", "os.replace", "fcntl.flock"])
def test_whatever_fails_the_old_mark_stays_and_the_remedy_is_named(file, monkeypatch, call, code):
    file.write(mark("one", SERVICES))

    def fails(*arguments, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(call, fails)
    with pytest.raises(MarkError) as caught:
        file.write(mark("one", step="redeploy"))
    monkeypatch.undo()
    assert file.path in str(caught.value) and os.strerror(code) in str(caught.value) and "(drain_become)" in str(caught.value)
    assert file.read() == mark("one", SERVICES)


@pytest.mark.parametrize("action", ["write", "remove", "read", "write where no folder is"])
def test_who_is_not_root_hears_to_become_it(action):
    with open_to_all() as folder:
        file = MarkFile(str(folder / "facts.d" / "a.fact"))
        if action != "write where no folder is":
            file.write(mark())
        if action == "read":
            os.chmod(file.path, 0o600)
        todo = {"write": lambda: file.write(mark("one")), "remove": lambda: file.remove("one"), "read": file.read}[action.partition(" ")[0]]
        kind, words = answer(in_child(todo, NOBODY))
        assert kind == "MarkError" and "Permission denied" in words and "become root on this host (drain_become)" in words


def test_a_folder_that_hides_its_marks_does_not_look_like_one_without():
    with open_to_all() as folder:
        file = MarkFile(str(folder / "facts.d" / "a.fact"))
        file.write(mark())
        os.chmod(folder / "facts.d", 0o700)
        for todo in (file.read, lambda: file.remove("one")):
            assert answer(in_child(todo, NOBODY))[0] == "MarkError"


def test_everybody_may_read_it_whatever_the_umask(tmp_path):
    file, before = MarkFile(str(tmp_path / "ansible" / "facts.d" / "a.fact")), os.umask(0o077)
    try:
        file.write(mark())
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (file.path, tmp_path / "ansible" / "facts.d", tmp_path / "ansible")]
    assert modes == [0o644, 0o755, 0o755]


# -- one owner ------------------------------------------------------------------------------------------------------------


def test_of_two_that_write_at_once_exactly_one_gets_the_host(file):
    for number in range(40):
        runs = [f"{name}{number}" for name in "ab"]
        told = race(*[lambda run=run: file.write(mark(run, SERVICES)) for run in runs])
        won = [run for run, (kind, value) in zip(runs, told) if kind == "answer"]
        lost = [(kind, words) for kind, words in told if kind != "answer"]
        assert len(won) == 1 and [kind for kind, words in lost] == ["ClaimedByAnotherRun"] and f"run {won[0]} of {won[0]}@bastion" in lost[0][1]
        assert file.read() == mark(won[0], SERVICES)
        file.remove(won[0])


def test_of_two_that_take_over_at_once_exactly_one_does(file):
    for number in range(40):
        file.write(mark("dead", SERVICES))
        told = race(*[lambda run=run: file.write(mark(run), take_over="dead") for run in ("a", "b")])
        assert sorted(kind for kind, value in told) == ["ClaimedByAnotherRun", "answer"]
        won = next(run for run, (kind, value) in zip("ab", told) if kind == "answer")
        assert file.read() == {**mark(won, SERVICES), "earlier_runs": ["dead"]}
        file.remove(won)


def test_whoever_takes_over_keeps_what_is_to_be_undone_and_since_when(file):
    file.write(mark("dead", SERVICES, vm_id="/subscriptions/1", boot_id="b"))
    assert file.write(mark("b", step="finish", since=LATER, heartbeat=LATER), take_over="dead") == mark("dead", SERVICES, vm_id="/subscriptions/1", boot_id="b")
    file.write(mark("c", step="finish", since=LATER), take_over="b")
    found = file.read()
    assert found["earlier_runs"] == ["dead", "b"] and found["undo"] == [SERVICES] and found["since"] == NOW
    assert (found["run_id"], found["owner"], found["step"], found["vm_id"]) == ("c", "c@bastion", "finish", "/subscriptions/1")
    with pytest.raises(ClaimedByAnotherRun):
        file.write(mark("b"), take_over="dead")


def test_the_first_undo_of_a_run_stays_and_other_providers_are_added(file):
    assert file.write(mark("one", SERVICES)) is None
    file.write(mark("one", {**SERVICES, "services": []}, TASKS, step="redeploy", since=LATER, heartbeat=LATER))
    file.write({key: value for key, value in mark("one", step="verify").items() if key != "undo"})
    assert file.read() == mark("one", SERVICES, TASKS, step="verify")


def test_another_runs_mark_is_neither_written_nor_removed(file):
    file.write(mark("theirs", SERVICES))
    for todo in (lambda: file.write(mark("mine")), lambda: file.write(mark("mine"), take_over="other"), lambda: file.remove("mine", "other")):
        with pytest.raises(ClaimedByAnotherRun, match="run theirs of theirs@bastion, step drain, last written 2026-03-02T08:16:02Z") as caught:
            todo()
        assert caught.value.mark == file.read() == mark("theirs", SERVICES)
    assert file.remove("mine", "theirs")["run_id"] == "theirs" and file.read() is None and file.remove("theirs") is None


def test_a_mark_without_a_run_is_nobodys_to_take(file):
    file.replace({"undo": [SERVICES]})
    for take_over in (None, ""):
        with pytest.raises(ClaimedByAnotherRun):
            file.write(mark("one"), take_over=take_over)
    assert file.read() == {"undo": [SERVICES]}


@pytest.mark.parametrize("undo", [{"provider": "services"}, [{"services": []}], ["services"], None, [{"provider": ""}]])
def test_an_undo_that_nobody_could_undo_is_not_written(file, undo):
    with pytest.raises(MarkError, match="undo must be a list"):
        file.write({**mark(), "undo": undo})
    assert file.read() is None


# -- copies on the controller ---------------------------------------------------------------------------------------------


def test_a_copy_goes_unless_another_run_has_just_put_it_there(tmp_path):
    copy = MarkFile(str(tmp_path / "web-01.json"))
    assert copy.clear("one", NOW) is False
    for there, goes in ((mark("one", heartbeat=LATER), True), (mark("old", heartbeat="2026-03-02T08:16:01Z"), True), (mark("new", heartbeat=NOW), False)):
        copy.replace(there)
        assert copy.clear("one", NOW) is goes and (copy.read() is None) is goes
    (tmp_path / "web-01.json").write_text("{")
    assert copy.clear("one", NOW) is True and os.listdir(tmp_path) == [".lock"]


def test_what_fails_with_a_copy_names_its_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MarkError, match="see drain_marks_dir"):
        MarkFile(str(tmp_path / "file" / "web-01.json")).write(mark())


# -- what cannot be understood --------------------------------------------------------------------------------------------


WHOLE = json.dumps(mark("one", SERVICES))


@pytest.mark.parametrize("text", [
    "", "{", WHOLE[:-1], WHOLE[:20], "null", "[]", "7", "{}", '{"run_id": "one"}', '{"undo": {}}', '{"undo": [1]}', "\udcff", "\0"])
def test_what_cannot_be_understood_never_looks_like_no_mark(file, text):
    os.makedirs(os.path.dirname(file.path))
    with open(file.path, "wb") as raw:
        raw.write(text.encode(errors="surrogateescape"))
    for todo in (file.read, lambda: file.write(mark("one")), lambda: file.remove("one")):
        with pytest.raises(MarkError, match="cannot be understood.*: restore by hand what was drained, then remove it"):
            todo()
    with open(file.path, "rb") as raw:
        assert raw.read() == text.encode(errors="surrogateescape")


def test_notes_of_balancers_have_a_name_for_each_host():
    assert balancer_path("web-01") == "/etc/ansible/facts.d/azure_maintenance_drained_web-01.fact"
    assert balancer_path("a/b") == "/etc/ansible/facts.d/azure_maintenance_drained_a_b.fact"
    assert mark_file.drained_host(balancer_path("web-01")) == "web-01"
    path = balancer_path("web-01")
    assert mark_file.parse(json.dumps(mark("one", HAPROXY)), path)["undo"] == [HAPROXY]
    for undo in ([], [SERVICES], [HAPROXY, HAPROXY]):
        with pytest.raises(MarkError, match="cannot be understood"):
            mark_file.parse(json.dumps(mark("one", *undo)), path)


def test_the_last_runs_that_are_done_are_kept(tmp_path):
    file, finished = MarkFile(str(tmp_path / "a.fact")), tmp_path / "finished.fact"
    finished.write_text("broken")
    for number in range(60):
        file.write(mark(str(number % 55)))
        file.remove(str(number % 55), finished=str(finished))
    runs = json.loads(finished.read_text())["runs"]
    assert len(runs) == len(set(runs)) == 50 and runs[-1] == "4" and runs[0] == "10"
