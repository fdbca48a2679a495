# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a host for its marks with nothing but a shell: all of them, or an error."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from unit.plugins.marks import HAPROXY, NOBODY, SERVICES, mark, open_to_all

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import (
    DIRECTORY, FINISHED, GUEST_MARK, READ_COMMAND, MarkError, balancer_path, finished_in, parse_all,
)

ANSIBLE = os.path.dirname(DIRECTORY)
MARKS = {GUEST_MARK: mark("one", SERVICES), balancer_path("web-01"): mark("one", HAPROXY), balancer_path("web-02"): mark("two", HAPROXY, host="web-02")}


def ask(root, user=None):
    """What the command says on a host whose /etc/ansible is ``root``."""
    as_user = {"user": user, "group": user, "extra_groups": []} if user is not None and os.geteuid() == 0 else {}
    return subprocess.run(["sh", "-c", READ_COMMAND.replace(ANSIBLE, str(root))], capture_output=True, text=True, check=False, **as_user)


@pytest.fixture
def root():
    with open_to_all() as folder:
        yield folder / "ansible"


def put(root, marks, end="\n"):
    (root / "facts.d").mkdir(parents=True)
    for path, content in marks.items():
        (root / os.path.relpath(path, ANSIBLE)).write_text(json.dumps(content, indent=2) + end)


def answer(root, user=None):
    done = ask(root, user)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace(str(root), ANSIBLE)


@pytest.mark.parametrize("marks", [{}, {GUEST_MARK: MARKS[GUEST_MARK]}, MARKS], ids=["none", "one", "all"])
@pytest.mark.parametrize("end", ["\n", "", "\n\n"], ids=["as written", "edited, no end of line", "edited, empty line"])
@pytest.mark.parametrize("user", [None, NOBODY], ids=["root", "nobody"])
def test_all_marks_come_back(root, marks, end, user):
    put(root, marks, end)
    assert parse_all(answer(root, user)) == marks
    assert parse_all(answer(root, user).replace("\n", "\r\n")) == marks, "with a terminal in between"
    assert parse_all(f"Welcome to web-01\n{answer(root, user)}Connection closed\n") == marks


@pytest.mark.parametrize("content, runs", [
    ('{"runs": ["one", "two"]}', ["one", "two"]), ('{"runs": ["one", 2]}', ["one"]), ('{"runs": "one"}', []), ("[]", []), ('{"ru', []), ("", [])])
def test_which_runs_are_done_with_the_host_comes_along(root, content, runs):
    """A broken list tells of none, and hides no mark."""
    put(root, MARKS)
    (root / os.path.relpath(FINISHED, ANSIBLE)).write_text(content)
    assert finished_in(answer(root)) == runs and parse_all(answer(root)) == MARKS
    with pytest.raises(MarkError):
        finished_in(answer(root)[:-5])


def test_no_run_was_ever_done_with_a_new_host(root):
    assert finished_in(answer(root)) == []


def test_other_facts_and_the_watch_of_events_are_no_marks(root):
    put(root, {GUEST_MARK: MARKS[GUEST_MARK]})
    for name in ("other.fact", "azure_maintenance_watch.fact", "azure_maintenance.fact.new", "azure_maintenance_drained_web-01.fact.new"):
        (root / "facts.d" / name).write_text("what is this")
    assert parse_all(answer(root)) == {GUEST_MARK: MARKS[GUEST_MARK]}


def test_an_answer_that_is_cut_off_anywhere_is_refused(root):
    put(root, MARKS)
    text = answer(root)
    assert text.endswith("== end\n") and len(text) > 1000
    for length in range(len(text) - 1):
        with pytest.raises(MarkError):
            parse_all(text[:length])
    assert parse_all(text[:-1]) == parse_all(text) == MARKS


def test_a_lost_piece_in_the_middle_is_refused(root):
    put(root, {GUEST_MARK: MARKS[GUEST_MARK]})
    text = answer(root)
    start, end = text.index("{"), text.rindex("}")
    for place in range(start, end):
        try:
            found = parse_all(text[:place] + text[end + 1:])
        except MarkError:
            continue
        pytest.fail(f"{place}: {found}")


@pytest.mark.parametrize("last", ["", "== \n", "== endless\n", "==end\n", " == end\n"])
def test_only_the_last_line_ends_it(last):
    with pytest.raises(MarkError, match="could not be read to their end"):
        parse_all(f"== {GUEST_MARK}\n{json.dumps(MARKS[GUEST_MARK])}\n{last}")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run_id": "x"}'])
def test_one_mark_that_cannot_be_understood_spoils_the_answer(root, content):
    put(root, MARKS)
    (root / "facts.d" / "azure_maintenance_drained_web-02.fact").write_text(content)
    with pytest.raises(MarkError, match="azure_maintenance_drained_web-02.fact cannot be understood"):
        parse_all(answer(root))


@pytest.mark.parametrize("folder", ["", "facts.d"])
@pytest.mark.parametrize("mode", [0o700, 0o711, 0o744])
def test_a_folder_whose_marks_cannot_be_seen_does_not_look_empty(root, folder, mode):
    put(root, MARKS)
    (root / folder).chmod(mode)
    done = ask(root, NOBODY)
    assert done.returncode == 1 and "== end" not in done.stdout and done.stderr == f"{(root / folder)} may not be read\n"
    assert parse_all(answer(root)) == MARKS, "root may"


def test_a_mark_that_may_not_be_read_ends_the_answer(root):
    put(root, MARKS)
    (root / "facts.d" / "azure_maintenance.fact").chmod(0o600)
    done = ask(root, NOBODY)
    assert done.returncode == 1 and "== end" not in done.stdout and "Permission denied" in done.stderr


@pytest.mark.parametrize("name", ["azure_maintenance", "azure_maintenance_finished", "azure_maintenance_drained_web-02"])
@pytest.mark.parametrize("thing", [
    os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink("/nowhere", path), lambda path: os.symlink("/etc/passwd", path)],
    ids=["pipe", "folder", "link to a device", "link to nothing", "link to a file"])
def test_what_is_no_file_ends_the_answer_at_once(root, name, thing):
    put(root, {})
    thing(root / "facts.d" / f"{name}.fact")
    done = ask(root)
    assert done.returncode == 1 and "== " not in done.stdout and done.stderr == f"{root}/facts.d/{name}.fact is no regular file\n"


def test_a_mark_without_end_is_cut_and_not_understood(root):
    put(root, MARKS)
    os.truncate(root / "facts.d" / "azure_maintenance.fact", 1 << 30)
    with pytest.raises(MarkError, match="cannot be understood"):
        parse_all(answer(root))


def test_a_host_without_ansibles_folder_has_no_marks(root):
    assert parse_all(answer(root)) == {}
    root.mkdir()
    assert parse_all(answer(root)) == {}
