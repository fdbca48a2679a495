# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark of a run that has taken a host out of service, as a file of local facts: one owner, whole or not at all.

Runs on guests, balancers and the controller: standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import typing as t

DIRECTORY = "/etc/ansible/facts.d"
GUEST_MARK = f"{DIRECTORY}/azure_maintenance.fact"
WATCH_MARK = f"{DIRECTORY}/azure_maintenance_watch.fact"
_DRAINED = f"{DIRECTORY}/azure_maintenance_drained_"


def balancer_path(host: str) -> str:
    """Where a balancer notes that a host was taken out of it."""
    return f"{_DRAINED}{host.replace('/', '_')}.fact"


class MarkError(Exception):
    """A mark cannot be read or written; the text names it and the remedy."""


class Foreign(MarkError):
    """The mark is another run's; ``mark`` is it."""

    def __init__(self, path: str, mark: dict[str, t.Any]) -> None:
        self.mark = mark
        super().__init__(f"{path} is the mark of run {mark.get('run_id')} of {mark.get('owner')}, step {mark.get('step')}, last heard of {mark.get('heartbeat')}")


class MarkFile:
    """One mark. Changes are made under a lock of its directory, so that of two runs exactly one gets a host."""

    def __init__(self, path: str = GUEST_MARK) -> None:
        self.path = path

    def read(self) -> dict[str, t.Any] | None:
        """The mark, or None. Raises MarkError for one that cannot be understood."""
        try:
            with open(self.path, encoding="utf-8") as file:
                return parse(file.read(), self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MarkError(f"the mark {self.path} cannot be read: {error}") from None

    def write(self, mark: dict[str, t.Any], take_over: str | None = None) -> dict[str, t.Any] | None:
        """Write a mark; what was there before, or None.

        What an earlier call recorded stays: ``since``, and every entry of ``undo``, to which only other providers are added; the host is
        not as it was any more. Raises Foreign when the one that is there is neither of this run nor of the run ``take_over``.
        """
        with self._locked():
            before = self.read()
            if before is not None and before.get("run_id") not in (mark["run_id"], take_over):
                raise Foreign(self.path, before)
            kept = dict(before or {})
            if kept and kept["run_id"] != mark["run_id"]:
                kept["earlier_runs"] = [*kept.get("earlier_runs", []), kept["run_id"]]
            undo = list(kept.get("undo", []))
            undo += [entry for entry in mark.get("undo", []) if entry["provider"] not in {known["provider"] for known in undo}]
            self.replace({**kept, **mark, "since": kept.get("since") or mark["since"], "undo": undo})
            return before

    def remove(self, *run_ids: str) -> dict[str, t.Any] | None:
        """Take the mark of one of these runs away; what was there, or None. Raises Foreign for another run's."""
        if not os.path.exists(self.path):
            return None
        with self._locked():
            before = self.read()
            if before is None:
                return None
            if before.get("run_id") not in run_ids:
                raise Foreign(self.path, before)
            os.unlink(self.path)
            self._sync()
            return before

    def replace(self, mark: dict[str, t.Any]) -> None:
        """Put this mark in place of whatever is there."""
        partial = f"{self.path}.new"
        try:
            with open(partial, "w", encoding="utf-8") as file:
                json.dump(mark, file, indent=2, sort_keys=True)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.chmod(partial, 0o644)
            os.replace(partial, self.path)
            self._sync()
        except OSError as error:
            raise MarkError(f"the mark {self.path} cannot be written: {error}; nothing was changed on this host") from None

    @contextlib.contextmanager
    def _locked(self) -> t.Iterator[None]:
        folder = os.path.dirname(self.path)
        try:
            os.makedirs(folder, mode=0o755, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise MarkError(f"there is no room for the mark {self.path}: {error}; become root on this host (drain_become)") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _sync(self) -> None:
        """The name on disk, too: a redeploy cuts the power."""
        handle = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


READ_COMMAND = (f'for f in {GUEST_MARK} {_DRAINED}*.fact; do [ -e "$f" ] || continue; echo "== $f"; cat "$f" || exit 1; done; echo "== end"')
"""For any POSIX shell: all marks that a host keeps. It ends with a line of its own, so that a lost rest is noticed."""


def parse_all(text: str) -> dict[str, dict[str, t.Any]]:
    """Mark by path, of what READ_COMMAND printed. Raises MarkError for an answer that is not whole or not understood."""
    parts = re.split(r"^== ", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    if not parts[-1].startswith("end"):
        raise MarkError("the marks of this host could not be read to their end")
    return {path: parse(body, path) for path, dummy, body in (part.partition("\n") for part in parts[1:-1])}


def parse(text: str, path: str) -> dict[str, t.Any]:
    """The mark that a text is; raises MarkError, for a host that somebody drained must not look like one that nobody did."""
    try:
        mark = json.loads(text)
    except ValueError as error:
        mark, why = None, f" ({error})"
    else:
        why = ""
    if not isinstance(mark, dict) or "undo" not in mark:
        raise MarkError(f"the mark {path} cannot be understood{why}: restore by hand what was drained, then remove it")
    return mark
