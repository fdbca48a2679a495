# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever lies where a file of ours is expected: a named error at once, nothing read from it, nothing written to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat

import pytest
from unit.plugins.marks import NOBODY, SERVICES, mark

from ansible_collections.fleetops.azure_maintenance.plugins.callback.rollout_progress import CallbackModule
from ansible_collections.fleetops.azure_maintenance.plugins.filter.left_over import left_over
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils import _files
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._eda.announcer import _StateFile
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import MarkError, MarkFile
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.documents import read_json, write_all

VM = VmId.parse("/subscriptions/s/resourceGroups/Shop/providers/Microsoft.Compute/virtualMachines/Web-01")
ATTEMPT = {"operation": "redeploy", "iteration": None, "client_request_id": "id", "intent_at": "2026-03-02T00:00:00Z", "code_before": None}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture(autouse=True)
def no_waiting():
    """Who waits for a pipe, or reads from an endless device, is interrupted."""
    def late(*dummy):
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# -- what can lie there ---------------------------------------------------------------------------------------------------


def a_link(path, content):
    target = path.parent.parent / "somebody's"
    target.write_text(content)
    target.chmod(0o600)
    path.symlink_to(target)


def a_socket(path, content):
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def a_file_of(user, mode=0o644):
    def make(path, content):
        path.write_text(content)
        path.chmod(mode)
        os.chown(path, user, user)
    return make


def a_huge_file(path, content):
    path.write_text(content)
    os.truncate(path, _files.MOST_BYTES + 1)


THINGS = {
    "a pipe": lambda path, content: os.mkfifo(path),
    "a device": lambda path, content: path.symlink_to("/dev/zero"),
    "a directory": lambda path, content: path.mkdir(),
    "a link": a_link,
    "a link to nothing": lambda path, content: path.symlink_to(path.parent.parent / "nothing"),
    "a link in a circle": lambda path, content: path.symlink_to(path.name),
    "a socket": a_socket,
    "somebody else's file": pytest.param(a_file_of(NOBODY), marks=ROOT_ONLY),
    "a file that others may change": pytest.param(a_file_of(0, 0o666), marks=ROOT_ONLY),
}
if os.geteuid() == 0:
    THINGS["the device itself"] = lambda path, content: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def things(*without):
    made = {name: thing for name, thing in THINGS.items() if name not in without}
    return pytest.mark.parametrize("thing", [thing if hasattr(thing, "values") else pytest.param(thing) for thing in made.values()], ids=made)


def tree(folder):
    """Everything below, with type, mode and what links and files hold."""
    def fact(path):
        facts = os.lstat(path)
        held = os.readlink(path) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(facts.st_mode) and facts.st_size < 10**6 else facts.st_size
        return stat.S_IFMT(facts.st_mode), stat.S_IMODE(facts.st_mode), facts.st_uid, held

    return {str(path): fact(path) for path in sorted(folder.rglob("*")) if not path.is_dir() or path.is_symlink()}


# -- who opens it ---------------------------------------------------------------------------------------------------------


def entry(folder):
    return Journal(str(folder))._path(VM)


def state(path):
    _StateFile(path, {}).close()


MARK = json.dumps(mark("one", SERVICES))
ENTRY = json.dumps({"vm": str(VM), "attempts": [ATTEMPT | {"outcome": None}]})
# Where it lies, what a sound one holds, what is done, and the error that it must be.
USES = {
    "an entry is read": (entry, ENTRY, lambda folder, path: Journal(str(folder)).last(VM, "redeploy"), OptionsError),
    "an entry is written": (entry, ENTRY, lambda folder, path: Journal(str(folder)).intend(VM, ATTEMPT), OptionsError),
    "a VM is locked": (lambda folder: entry(folder).with_suffix(".lock"), "", lambda folder, path: Journal(str(folder)).lock(VM), OptionsError),
    "a host's mark is read": (lambda folder: folder / "a.fact", MARK, lambda folder, path: MarkFile(str(path)).read(), MarkError),
    "a host's mark is written": (lambda folder: folder / "a.fact", MARK, lambda folder, path: MarkFile(str(path)).write(mark("one")), MarkError),
    "a host's mark is put in place": (lambda folder: folder / "a.fact", MARK, lambda folder, path: MarkFile(str(path)).replace(mark("one")), MarkError),
    "a copy is read": (lambda folder: folder / "web-01.json", MARK, lambda folder, path: MarkFile(str(path)).read(), MarkError),
    "copies are read": (lambda folder: folder / "web-01.json", MARK, lambda folder, path: left_over({}, str(folder)), Exception),
    "a copy is put in place": (lambda folder: folder / "web-01.json", MARK, lambda folder, path: MarkFile(str(path)).replace(mark("one")), MarkError),
    "copies are locked": (lambda folder: folder / ".lock", "", lambda folder, path: MarkFile(str(folder / "web-01.json")).replace(mark("one")), MarkError),
    "a run is noted as finished": (lambda folder: folder / "finished.fact", '{"runs": []}', lambda folder, path: finish(folder, path=path), MarkError),
    "a document is written": (lambda folder: folder / "plan.json", "{}", lambda folder, path: write_all({str(path): "{}\n"}), OptionsError),
    "a run's plan is read": (lambda folder: folder / "run.json", "{}", lambda folder, path: read_json(str(path), "plan file", ours=True), OptionsError),
    "what was announced is read": (lambda folder: folder / "state.json", '{"format": 1, "selection": {}, "vms": {}, "pending": []}',
                                   lambda folder, path: state(path), OptionsError),
    "announcements are locked": (lambda folder: folder / "state.json.lock", "", lambda folder, path: state(folder / "state.json"), OptionsError),
}


def finish(folder, path):
    file = MarkFile(str(folder / "a.fact"))
    file.write(mark("one", SERVICES))
    file.remove("one", finished=str(path))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own").mkdir(mode=0o700)
    return tmp_path / "own"


@pytest.mark.parametrize("use", USES)
@things()
def test_it_is_refused_and_left_alone(folder, thing, use):
    place, content, action, kind = USES[use]
    path = place(folder)
    thing(path, content)
    before = tree(folder.parent)
    with pytest.raises(kind, match=r"(cannot be|is|are) .*(not a regular file|belongs to another user|others may write|[Ii]s a directory)") as caught:
        action(folder, path)
    assert str(path) in str(caught.value) or path.name in str(caught.value) or str(folder) in str(caught.value), "it is named"
    after = tree(folder.parent)
    assert {name: after.get(name) for name in before} == before


@pytest.mark.parametrize("use", [use for use in USES if " read" in use])
def test_what_is_larger_than_anything_of_ours_is_not_read(folder, use):
    place, content, action, kind = USES[use]
    a_huge_file(place(folder), content)
    with pytest.raises(kind, match="larger than 64 MiB"):
        action(folder, place(folder))


@pytest.mark.parametrize("use", USES)
def test_a_sound_one_is_used(folder, use):
    place, content, action, dummy = USES[use]
    place(folder).write_text(content)
    action(folder, place(folder))


@things("a link")
def test_a_file_that_the_user_names_may_be_anybodys_but_must_be_one(folder, thing):
    thing(folder / "plan.json", "{}")
    if (folder / "plan.json").is_file():
        assert read_json(str(folder / "plan.json"), "plan file") == {}
    else:
        with pytest.raises(OptionsError, match="the plan file .*plan.json cannot be read"):
            read_json(str(folder / "plan.json"), "plan file")


def test_a_plan_behind_a_link_of_the_users_is_read(folder):
    a_link(folder / "plan.json", "{}")
    assert read_json(str(folder / "plan.json"), "plan file") == {}


@things()
def test_onlookers_see_nothing_and_do_not_wait(folder, thing):
    (folder / "marks").mkdir()
    thing(folder / "marks" / "web-01.json", json.dumps(mark("one", SERVICES)))
    callback = CallbackModule()
    callback._journal, callback._run_id = folder, "one"
    assert list(callback._left()) == []
    thing(folder / "progress.json", "{}")
    Journal(str(folder)).progress(1, ["web-01"])


# -- folders and paths ----------------------------------------------------------------------------------------------------

FOLDERS = {
    "somebody else's": pytest.param(lambda folder: os.chown(folder, NOBODY, NOBODY), "belongs to another user", marks=ROOT_ONLY),
    "open to all": (lambda folder: folder.chmod(0o777), "others may write into"),
    "open to all, names protected": (lambda folder: folder.chmod(0o1777), "others may write into"),
    "open to a group of others": pytest.param(lambda folder: (os.chown(folder, 0, NOBODY), folder.chmod(0o770)), "others may write into", marks=ROOT_ONLY),
}


@pytest.mark.parametrize("use", [use for use, (place, *dummy) in USES.items() if "entry" in use or "mark" in use or "cop" in use or "finished" in use])
@pytest.mark.parametrize("change, words", [case if hasattr(case, "values") else pytest.param(*case) for case in FOLDERS.values()], ids=FOLDERS)
def test_a_folder_that_others_can_change_is_not_believed(folder, use, change, words):
    place, content, action, kind = USES[use]
    place(folder).write_text(content)
    change(folder)
    with pytest.raises(kind, match=words):
        action(folder, place(folder))


@pytest.mark.parametrize("change, words", [case if hasattr(case, "values") else pytest.param(*case) for case in FOLDERS.values()], ids=FOLDERS)
def test_a_journal_that_others_can_change_is_refused_before_anything(folder, change, words):
    change(folder)
    with pytest.raises(OptionsError, match=f"the journal directory .*{words}"):
        Journal(str(folder)).prepare()
    with pytest.raises(OptionsError, match=words):
        Journal(str(folder)).last(VM, "redeploy")


def test_a_folder_of_a_group_of_ours_will_do(folder):
    """Volumes of containers are such, and home directories of one's own group."""
    folder.chmod(0o2770)
    os.chown(folder, -1, os.getegid())
    Journal(str(folder)).prepare()


@pytest.mark.parametrize("action", [
    Journal, lambda path: write_all({path: "x"}), lambda path: write_all({f"{path}/x": "x"}), lambda path: read_json(path, "plan file"),
    lambda path: MarkFile(path).read(), lambda path: MarkFile(path).replace(mark("one"))])
def test_a_path_that_is_none(tmp_path, action):
    with pytest.raises((OptionsError, MarkError), match="is no path|cannot be"):
        action(f"{tmp_path}/a\0b")


def test_a_written_file_has_its_mode_whatever_the_umask(folder):
    before = os.umask(0)
    try:
        _files.replace(str(folder / "private"), b"x")
        _files.replace(str(folder / "public"), b"x", 0o644)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(os.stat(folder / name).st_mode) for name in ("private", "public")] == [0o600, 0o644]
    assert sorted(os.listdir(folder)) == ["private", "public"]


def test_lines_are_appended_whole_and_one_that_was_cut_short_spoils_no_other(folder):
    path = folder / "lines"
    _files.append(str(path), b"one")
    with path.open("ab") as file:
        file.write(b"tw")  # killed in the middle of it
    _files.append(str(path), b"three")
    assert path.read_bytes() == b"one\ntw\nthree\n" and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_processes_that_append_at_once_lose_no_line(folder):
    path = folder / "lines"
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            for turn in range(50):
                _files.append(str(path), f"{number}-{turn} {'x' * 5000}".encode())
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    lines = path.read_text().splitlines()
    assert {line.split()[0] for line in lines} == {f"{number}-{turn}" for number in range(4) for turn in range(50)} and len(lines) == 200
    assert {len(line.split()[1]) for line in lines} == {5000}


def test_nothing_is_appended_to_what_is_not_ours(folder):
    (folder / "target").write_text("")
    (folder / "lines").symlink_to(folder / "target")
    with pytest.raises(_files.NotOurs, match="a symbolic link"):
        _files.append(str(folder / "lines"), b"one")
    assert (folder / "target").read_text() == ""
