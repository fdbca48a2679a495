# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: what was about to be started, on disk before it is, so that a killed run never starts anything twice.

One JSON file per VM (mode 0600, written atomically) with its attempts, newest last, and a lock file beside it. No secrets, whatever answers
were like. A journal into which others may write is not believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import typing as t
from pathlib import Path

from .. import _files
from .._azure.maintenance import parse_time
from .._azure.vm import VmId
from .._bounds import loads
from .._errors import OptionsError
from .._redaction import url_to_keep, without_secrets

NOT_EXECUTED = "not_executed"
_FIELDS = {"operation": str, "client_request_id": str, "intent_at": str, "iteration": (str, type(None)), "outcome": (str, type(None))}
"""What every attempt has, and of which kind."""


class Journal:
    """Attempts by VM. An attempt is a dict: operation, iteration (what makes it unique: the self-service window's start, or
    ``since``), client_request_id, intent_at, accepted (HTTP status, when Azure accepted it), operation_url, location_url, outcome
    (None = unsettled), reason, ended_at."""

    def __init__(self, directory: str) -> None:
        if "\0" in directory:
            raise OptionsError(f"journal {directory!r} is no path; set it to a directory")
        self._dir = Path(os.path.abspath(os.path.expanduser(directory)))
        self._locks: dict[str, int] = {}

    def prepare(self) -> None:
        """Make the directory; raises OptionsError when it cannot be written, or others may write into it."""
        try:
            self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _files.check_folder(str(self._dir))
            with tempfile.TemporaryFile(dir=self._dir):
                pass
        except OSError as error:
            raise OptionsError(f"the journal directory {self._dir} cannot be written ({error.strerror}); set journal to one that can") from error

    def lock(self, vm: VmId) -> bool:
        """Take this VM for this process until :meth:`close`; False when another process has it."""
        return self._take(vm.key, self._path(vm).with_suffix(".lock"))

    def lock_set(self, set_id: str) -> bool:
        """The same for a whole set: two processes must not each find it healthy and take a domain of it."""
        return self._take(set_id.lower(), self._dir / f"set-{hashlib.sha256(set_id.lower().encode()).hexdigest()[:12]}.lock")

    def _take(self, key: str, path: Path) -> bool:
        if key in self._locks:
            return True
        try:
            handle = _files.lock(str(path))
        except OSError as error:
            raise OptionsError(f"the lock {path} cannot be taken ({error.strerror}); see what it is, then remove it") from error
        if handle is not None:
            self._locks[key] = handle
        return handle is not None

    def close(self) -> None:
        """Give up the locks, as the end of the process does."""
        for handle in self._locks.values():
            os.close(handle)
        self._locks.clear()

    def last(self, vm: VmId, operation: str) -> dict[str, t.Any] | None:
        """The newest attempt of this operation that was or may have been executed."""
        attempts = [a for a in self._load(vm)["attempts"] if a["operation"] == operation and a["outcome"] != NOT_EXECUTED]
        return attempts[-1] if attempts else None

    def unsettled(self, vm: VmId) -> list[dict[str, t.Any]]:
        """Attempts of any operation of which the end is not known."""
        return [attempt for attempt in self._load(vm)["attempts"] if attempt["outcome"] is None]

    def intend(self, vm: VmId, attempt: dict[str, t.Any]) -> None:
        """Record an attempt before its POST goes out."""
        entry = self._load(vm)
        nothing_yet = dict.fromkeys(("accepted", "operation_url", "location_url", "outcome", "reason", "ended_at"))
        entry["attempts"].append({**nothing_yet, **_to_keep(attempt)})
        self._save(vm, entry)

    def note(self, vm: VmId, client_request_id: str, **news: t.Any) -> None:
        """Add what was learnt about an attempt."""
        entry = self._load(vm)
        for attempt in entry["attempts"]:
            if attempt["client_request_id"] == client_request_id:
                attempt.update(_to_keep(news))
        self._save(vm, entry)

    def progress(self, total: int, still_open: t.Sequence[str], notes: t.Mapping[str, str] | None = None) -> None:
        """Leave for onlookers how far this call is: names of the VMs it still waits for, and what some of them wait for;
        nothing when ``total`` is 0."""
        path = self._dir / "progress.json"
        with contextlib.suppress(OSError, OptionsError):  # the work does not depend on onlookers
            if total:
                self._write(path, {"total": total, "open": list(still_open), "notes": _to_keep(notes or {})})
            else:
                path.unlink(missing_ok=True)

    def _path(self, vm: VmId) -> Path:
        return self._dir / f"{vm.name.lower()}-{hashlib.sha256(vm.key.encode()).hexdigest()[:12]}.json"

    def _load(self, vm: VmId) -> dict[str, t.Any]:
        path = self._path(vm)
        try:
            _files.check_folder(str(self._dir))
            entry = loads(_files.read(str(path)))
            for attempt in entry["attempts"]:
                _check(attempt)
            return entry
        except FileNotFoundError:
            return {"vm": str(vm), "attempts": []}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise OptionsError(f"the journal entry {path} cannot be read ({error}); find out what became of {vm} in Azure, then mend or remove it") from error

    def _save(self, vm: VmId, entry: dict[str, t.Any]) -> None:
        self._write(self._path(vm), entry)

    def _write(self, path: Path, document: dict[str, t.Any]) -> None:
        try:
            _files.replace(str(path), json.dumps(document, indent=1).encode())
        except OSError as error:
            raise OptionsError(f"the journal entry {path} cannot be written ({error.strerror})") from error


def _to_keep(facts: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What was learnt from answers, without the secrets that they may echo."""
    return {name: value if not isinstance(value, str) else url_to_keep(value) if name.endswith("_url") else without_secrets(value)
            for name, value in facts.items()}


def _check(attempt: t.Mapping[str, t.Any]) -> None:
    """Raises ValueError or KeyError, naming the field, for an attempt that was not written here: nothing may be concluded from it."""
    for name, kind in _FIELDS.items():
        if not isinstance(attempt[name], kind):
            raise ValueError(f"{name} of an attempt is {attempt[name]!r:.80}")
    if parse_time(attempt["intent_at"]) is None:
        raise ValueError(f"intent_at of an attempt is {attempt['intent_at']!r}")
