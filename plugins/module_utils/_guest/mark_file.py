# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark of a run that has taken a host out of service, as a file of local facts: one owner, whole or not at all.

Runs on guests, balancers and the controller: standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import typing as t

from .. import _files
from .._bounds import loads

DIRECTORY = "/etc/ansible/facts.d"
GUEST_MARK = f"{DIRECTORY}/azure_maintenance.fact"
WATCH_MARK = f"{DIRECTORY}/azure_maintenance_watch.fact"
_DRAINED = f"{DIRECTORY}/azure_maintenance_drained_"
FINISHED = f"{DIRECTORY}/azure_maintenance_finished.fact"
"""Where a host keeps the last runs whose marks were taken away. Controllers that have copies of those marks learn it there."""
MOST_FINISHED = 50
MOST_BYTES = 1 << 20
"""Of a mark that is read without Python; a longer one is cut, and then not understood."""


def balancer_path(host: str) -> str:
    """Where a balancer notes that a host was taken out of it."""
    return f"{_DRAINED}{host.replace('/', '_')}.fact"


def balancer_paths() -> list[str]:
    """All notes of this balancer."""
    return sorted(glob.glob(f"{_DRAINED}*.fact"))


class MarkError(Exception):
    """A mark cannot be read or written; the text names it and the remedy."""


class ClaimedByAnotherRun(MarkError):
    """The mark is another run's; ``mark`` is it."""

    def __init__(self, path: str, mark: dict[str, t.Any]) -> None:
        self.mark = mark
        super().__init__(f"{path} is the drain marker of run {mark.get('run_id')} of {mark.get('owner')}, step {mark.get('step')}, "
                         f"last written {mark.get('heartbeat')}")


class MarkFile:
    """One mark. Changes are made under a lock of its directory, so that of two runs exactly one gets a host."""

    def __init__(self, path: str = GUEST_MARK) -> None:
        self.path = path
        self._folder = os.path.dirname(os.path.abspath(path))
        self._on_host = path.endswith(".fact")

    def read(self) -> dict[str, t.Any] | None:
        """The mark, or None. Raises MarkError for one that cannot be understood."""
        with self._explained("be read"):
            try:
                _files.check_folder(self._folder)
                return parse(_files.read(self.path), self.path)
            except FileNotFoundError:
                return None

    def write(self, mark: dict[str, t.Any], take_over: str | None = None) -> dict[str, t.Any] | None:
        """Write a mark; what was there before, or None.

        What an earlier call recorded stays: ``since``, ``boot_id``, and every entry of ``undo``, to which only other providers are added; the host is
        not as it was any more. Raises ClaimedByAnotherRun when the one that is there is neither of this run nor of the run ``take_over``.
        """
        if not _is_undo(mark.get("undo", [])):
            raise MarkError("undo must be a list of dictionaries, each with the provider that restores it")
        with self._locked():
            before = self.read()
            if before is not None and before.get("run_id") not in {mark["run_id"], take_over} - {None}:
                raise ClaimedByAnotherRun(self.path, before)
            if before is None and mark.get("undo") is None:
                raise MarkError(f"the mark {self.path} is gone: another run has recovered this host meanwhile. This run changed nothing")
            kept = dict(before or {})
            if kept and kept["run_id"] != mark["run_id"]:
                kept["earlier_runs"] = [*kept.get("earlier_runs", []), kept["run_id"]]
            undo = list(kept.get("undo", []))
            undo += [entry for entry in mark.get("undo", []) if entry["provider"] not in {known["provider"] for known in undo}]
            first = {key: kept[key] for key in ("since", "boot_id") if kept.get(key)}
            self._replace({**kept, **mark, **first, "undo": undo})
            return before

    def remove(self, *run_ids: str, finished: str = "") -> dict[str, t.Any] | None:
        """Take the mark of one of these runs away; what was there, or None. Raises ClaimedByAnotherRun for another run's.

        The runs it was of are noted in the file ``finished`` first.
        """
        with self._explained("be removed"):
            try:
                os.lstat(self.path)
            except FileNotFoundError:
                return None
        with self._locked():
            before = self.read()
            if before is None:
                return None
            if before.get("run_id") not in run_ids:
                raise ClaimedByAnotherRun(self.path, before)
            if finished:
                MarkFile(finished)._note([*before.get("earlier_runs", []), before["run_id"]])
            self._unlink()
            return before

    def replace(self, mark: dict[str, t.Any]) -> None:
        """Put this mark in place of whatever is there."""
        with self._locked():
            self._replace(mark)

    def clear(self, run_id: str, before: str) -> bool:
        """Take away whatever is there, except another run's mark that was heard of at this time or later; whether it is gone by that."""
        with self._explained("be removed"):
            if not os.path.lexists(self.path):
                return False
        with self._locked():
            try:
                mark = self.read() or {}
            except MarkError:
                mark = {}  # nobody can use it
            if mark.get("run_id", run_id) != run_id and mark.get("heartbeat", "") >= before:
                return False
            self._unlink()
            return True

    def _note(self, runs: list[str]) -> None:
        with self._explained("be read"):
            try:
                known = _runs(_files.read(self.path))
            except FileNotFoundError:
                known = []
        self._replace({"runs": [*(run for run in known if run not in runs), *runs][-MOST_FINISHED:]})

    def _replace(self, mark: dict[str, t.Any]) -> None:
        with self._explained("be written"):
            _files.replace(self.path, f"{json.dumps(mark, indent=2, sort_keys=True)}\n".encode(), 0o644)

    def _unlink(self) -> None:
        with self._explained("be removed"):
            os.unlink(self.path)
            _files.sync(self._folder)  # a redeploy cuts the power

    @contextlib.contextmanager
    def _explained(self, what: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            remedy = "become root on this host (drain_become), and see that the file system can be written" if self._on_host else "see drain_marks_dir"
            raise MarkError(f"the mark {self.path} cannot {what}: {error}; {remedy}") from None

    @contextlib.contextmanager
    def _locked(self) -> t.Iterator[None]:
        with self._explained("be locked"):
            _make(self._folder)
            if self._on_host:
                handle = _files.lock_folder(self._folder)
            else:  # on NFS, where a controller may keep its copies, only a file that can be written can be locked
                _files.check_folder(self._folder)
                handle = _files.lock(os.path.join(self._folder, ".lock"), wait=True)
        try:
            yield
        finally:
            os.close(handle)


def _make(folder: str) -> None:
    """A directory that everybody may read, whatever the umask: runs ask for marks without being root."""
    if os.path.isdir(folder):
        return
    _make(os.path.dirname(folder))
    try:
        os.mkdir(folder)
    except FileExistsError:
        return
    os.chmod(folder, 0o755)


READ_COMMAND = (
    f'for d in {os.path.dirname(DIRECTORY)} {DIRECTORY}; do [ ! -d "$d" ] || {{ [ -r "$d" ] && [ -x "$d" ]; }} || '
    f'{{ echo "$d may not be read" >&2; exit 1; }}; done; '
    f'for f in {GUEST_MARK} {FINISHED} {_DRAINED}*.fact; do [ -e "$f" ] || [ -h "$f" ] || continue; '
    'if [ -h "$f" ] || [ ! -f "$f" ]; then echo "$f is no regular file" >&2; exit 1; fi; '
    f'echo "== $f"; head -c {MOST_BYTES} < "$f" || exit 1; echo; done; echo "== end"')
"""For any POSIX shell: all marks that a host keeps. It ends with a line of its own, so that a lost rest is noticed.

It fails where marks may be and cannot be seen: a drained host must not look like one that is not drained.
"""


def parse_all(text: str) -> dict[str, dict[str, t.Any]]:
    """Mark by path, of what READ_COMMAND printed. Raises MarkError for an answer that is not whole or not understood."""
    return {path: parse(body, path) for path, body in _bodies(text).items() if path != FINISHED}


def finished_in(text: str) -> list[str]:
    """Runs that are done with the host, in what READ_COMMAND printed."""
    return _runs(_bodies(text).get(FINISHED, ""))


def _bodies(text: str) -> dict[str, str]:
    parts = re.split(r"^== ", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    if parts[-1].partition("\n")[0].strip() != "end":
        raise MarkError("the marks of this host could not be read to their end; try again")
    return {path: body for path, dummy, body in (part.partition("\n") for part in parts[1:-1])}


def _runs(text: str | bytes) -> list[str]:
    """Run ids of a FINISHED file; one that is broken tells of none, and copies are undone as if there were none."""
    try:
        runs = loads(text)["runs"]
    except (ValueError, TypeError, KeyError):
        return []
    return [run for run in runs if isinstance(run, str)] if isinstance(runs, list) else []


def drained_host(path: str) -> str:
    """The host that a balancer's note is about, by the name of the note."""
    return path[len(_DRAINED):-len(".fact")]


def parse(text: str | bytes, path: str) -> dict[str, t.Any]:
    """The mark that a text is; raises MarkError, for a host that somebody drained must not look like one that nobody did."""
    try:
        mark = loads(text)
    except ValueError as error:
        mark, why = None, f" ({error})"
    else:
        why = ""
    if not isinstance(mark, dict) or not _is_undo(mark.get("undo")) or (path.startswith(_DRAINED) and not _is_note(mark["undo"])):
        raise MarkError(f"the mark {path} cannot be understood{why}: restore by hand what was drained, then remove it")
    return mark


def _is_undo(undo: t.Any) -> bool:
    return isinstance(undo, list) and all(isinstance(entry, dict) and entry.get("provider") for entry in undo)


def _is_note(undo: list[dict[str, t.Any]]) -> bool:
    return len(undo) == 1 and {"server", "socket", "backends"} <= set(undo[0])
