# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One poll of the fleet after another for the event source: reads, compares with the state file, keeps what was said.

The state is written before the events are handed out, together with the events, and again when they were taken: after a crash in
between, that one batch is handed out again (each event has an id to know it by); everything else is handed out once.
"""

from __future__ import annotations

import json
import logging
import os
import typing as t
from pathlib import Path

from .. import _files
from .._arm.client import Arm
from .._arm.credentials import ENVIRONMENT, Settings
from .._bounds import loads
from .._errors import OptionsError
from .._fleet.fleet import Selection, read_fleet
from .announcements import Memory, announce

_SELECTION = ("subscriptions", "resource_groups", "exclude_resource_groups", "query")
_OWN = ("interval", "deadline_hours", "state_file", "eda_feedback_queue")
_FORMAT = 1
logger = logging.getLogger(__name__)
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")


class Announcer:
    """Made once per source; raises OptionsError for options that cannot work. Use from one thread at a time."""

    def __init__(self, options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> None:
        unknown = sorted(set(options) - set(_SELECTION) - set(_OWN) - set(ENVIRONMENT))
        if unknown:
            raise OptionsError(f"unknown option {', '.join(unknown)}; there are {', '.join([*_SELECTION, *_OWN[:-1], *ENVIRONMENT])}")
        self.interval = _number(options, "interval", 900, 1)
        hours = _texts(options, "deadline_hours", [72, 24, 4])
        self._hours = sorted({_number({"deadline_hours": number}, "deadline_hours", 0, 0) for number in hours})
        self._settings = Settings.from_options(*_sign_in(options, environ))
        chosen = {name: _texts(options, name, []) for name in _SELECTION[:3]}
        self._selection = Selection.from_options({**chosen, "query": options.get("query"), "addresses": False})
        self._explicit = chosen["subscriptions"] or [one for one in [self._settings.subscription_id] if one]
        asked = {name: sorted(str(one).lower() for one in values) for name, values in chosen.items()}
        path = Path(str(options.get("state_file") or "~/.azure_maintenance/announced.json")).expanduser()
        self._state = _StateFile(path, {**asked, "query": options.get("query")})
        self._arm: Arm | None = None

    def pending(self) -> list[t.Any]:
        """Events of a poll that an earlier process may not have handed out."""
        return self._state.pending

    def poll(self) -> list[t.Any]:
        """Read the fleet; the new events, already remembered. Raises AzureError, and then remembers nothing."""
        try:
            self._arm = self._arm or Arm(self._settings)
            fleet = read_fleet(self._arm, self._selection)
        except Exception:
            self._arm = None  # the next try signs in anew
            raise
        for warning in fleet.warnings:
            logger.warning("azure_maintenance: %s", warning)
        read = {one.lower() for one in self._explicit} or {vm.id.subscription_id.lower() for vm in fleet.vms}
        events, memory = announce(self._state.memory, fleet.vms, fleet.now, self._hours, read)
        self._state.keep(memory, events)
        return events

    def taken(self) -> None:
        """All events were handed out; not again by this process, even if that cannot be written down."""
        self._state.pending = []
        self._state.keep(self._state.memory, [])

    def close(self) -> None:
        self._state.close()


class _StateFile:
    """What was said, in a file of mode 0600, replaced as a whole; a lock beside it keeps a second source away."""

    def __init__(self, path: Path, selection: t.Mapping[str, t.Any]) -> None:
        self._path, self._selection = path, dict(selection)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = _files.lock(f"{path}.lock")
        except OSError as error:
            raise OptionsError(f"state_file {path} cannot be used: {error.strerror}; set a path in a directory that can be written") from error
        if handle is None:
            raise OptionsError(f"state_file {path} is in use by another event source; set another one for each source")
        self._lock: int | None = handle
        try:
            saved = self._load()
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise OptionsError(f"state_file {path} cannot be read ({error}); move it away to begin anew, which announces everything "
                               "again") from error
        # With another selection a VM that is missing was not deleted: it is not asked for any more.
        kept = saved["vms"] if saved["selection"] == self._selection else {}
        self.memory, self.pending = Memory(kept), saved["pending"]
        self._written = (kept, self.pending)

    def _load(self) -> t.Any:
        try:
            saved = loads(_files.read(str(self._path)))
        except FileNotFoundError:
            return {"selection": self._selection, "vms": {}, "pending": []}
        shape = {name: type(saved[name]) for name in ("selection", "vms", "pending")}
        if saved["format"] != _FORMAT or shape != {"selection": dict, "vms": dict, "pending": list}:
            raise ValueError("it is of another format")
        return saved

    def keep(self, memory: Memory, pending: list[t.Any]) -> None:
        if (memory.vms, pending) != self._written:
            content = {"format": _FORMAT, "selection": self._selection, "vms": memory.vms, "pending": pending}
            _files.replace(str(self._path), json.dumps(content).encode())
            self._written = (memory.vms, pending)
        self.memory, self.pending = memory, pending

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _number(options: t.Mapping[str, t.Any], name: str, default: float, least: float) -> float:
    value = options.get(name)
    try:
        number = float(default if value is None else value)
    except (TypeError, ValueError):
        raise OptionsError(f"{name} {value!r} is not a number") from None
    if not least <= number < 1e9:
        raise OptionsError(f"{name} {value!r} is out of range; at least {least:g}")
    return number


def _texts(options: t.Mapping[str, t.Any], name: str, default: list[t.Any]) -> list[t.Any]:
    """A list, or one value, or text with commas (rulebook variables often are text)."""
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _sign_in(options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Sign-in options that are given, and those of the environment for the others."""
    given = {name: options[name] for name in ENVIRONMENT if options.get(name) not in (None, "")}
    heard = {name: next((environ[variable] for variable in variables if environ.get(variable)), None)
             for name, variables in ENVIRONMENT.items() if name not in given}
    return _with_flag(given), _with_flag(heard)


def _with_flag(found: dict[str, t.Any]) -> dict[str, t.Any]:
    flag = str(found.get("disable_instance_discovery") or "").lower()
    if flag not in _TRUE + _FALSE:
        raise OptionsError(f"disable_instance_discovery {flag!r} is neither true nor false")
    return {**found, "disable_instance_discovery": flag in _TRUE}
