# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch this VM's Scheduled Events: drain before one, approve it when drained, restore when it is over.

One pass per call. Standard library only, Python 3.9 or newer, no controller. What is done is in the state file before
it is done, so that a pass after a crash or a reboot finishes it. While a rolling run's mark is on this machine, nothing
is read, drained, approved or restored.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from datetime import datetime, timedelta, timezone

from azure_maintenance import _files
from azure_maintenance._bounds import loads
from azure_maintenance._guest.scheduled_events import Client, Event, EventsError
from watch_settings import load_config

# One answer without an event may be the service being turned on again; the next one settles it.
_MISSING_READS = 2
_LONGEST_PAUSE = 60


class StepFailed(Exception):
    """A step of the drain or the restore went wrong; the text names it."""


def say(text: str) -> None:
    """A line for the journal or the log; a log that cannot be written is no reason to stop."""
    try:
        sys.stdout.write(f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ} {text}\n")
        sys.stdout.flush()
    except OSError:
        pass


def execute(argv: t.Sequence[str], seconds: float, environment: dict[str, str]) -> None:
    """Run a command to its end. Raises StepFailed."""
    with _output() as output:
        try:
            done = subprocess.run(
                list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False,
                timeout=seconds, env={**os.environ, **environment},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StepFailed(f"{' '.join(argv)}: {error}") from None
        if done.returncode != 0:
            output.seek(0)
            said = output.read().decode("utf-8", "replace").strip()
            raise StepFailed(f"{' '.join(argv)}: exit status {done.returncode}: {said[-200:]}")


def _output() -> t.IO[bytes]:
    """Where a command's words go. No pipe: a daemon that it starts may keep that open for ever."""
    try:
        return tempfile.TemporaryFile()
    except OSError:  # no room for words; the command may do without
        return open(os.devnull, "w+b")


def service(name: str, action: str) -> list[str]:
    """The command that does this to a service, with whichever service manager runs here."""
    if os.path.isdir("/run/systemd/system"):
        return ["systemctl", *(["is-active", "--quiet"] if action == "status" else [action]), name]
    return ["service", name, action]


class State:
    """What this watcher has done to the machine; no file means: nothing."""

    def __init__(self, path: str) -> None:
        self._path = path

    def load(self) -> dict[str, t.Any]:
        """The state; empty when there is none. Raises ValueError for one that this watcher did not write."""
        try:
            state = loads(_files.read(self._path))
        except FileNotFoundError:
            return {}
        except (_files.NotOurs, ValueError) as error:
            raise ValueError(f"{self._path} cannot be read ({error}): restore by hand what was drained, and remove it") from None
        if not isinstance(state, dict):
            raise ValueError(f"{self._path} is no object: restore by hand what was drained, and remove it")
        return state

    def save(self, state: dict[str, t.Any]) -> None:
        """Replace the file in one step, on disk before this returns."""
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        _files.replace(self._path, json.dumps(state, indent=2).encode(), 0o644)

    def clear(self) -> None:
        """Nothing is left to undo."""
        os.unlink(self._path)


class Watcher:
    """One machine's watch. ``once`` says what it did: held, idle, started, failed, drained, approved or restored."""

    def __init__(
        self, config: dict[str, t.Any], client: Client | None = None,
        now: t.Callable[[], datetime] = lambda: datetime.now(timezone.utc), run: t.Callable[..., None] = execute,
    ) -> None:
        self.config = config
        self._client = client or Client(config["endpoint"], patience=config["patience"])
        self._now, self._run = now, run
        self._state = State(config["state"])
        self._name = config["vm_name"]
        self._held = False

    def once(self) -> str:
        """One pass.

        Raises EventsError when the metadata service could not be used, OSError or ValueError when the state could not:
        nothing is drained that could not be restored after a crash.
        """
        if self._is_held():
            return "held"
        self._name = self._name or self._client.own_name()
        state = self._state.load()
        events = {event.id: event for event in self._client.read().events if self._counts(event, state)}
        if not state and not any(event.status == "Scheduled" for event in events.values()):
            return "started" if events else "idle"
        self._note(state, events)
        if not state["events"]:
            return self._restore(state)
        if state.get("phase") != "drained":
            coming = [event for event in events.values() if event.status == "Scheduled"]
            if not coming:
                return "started"
            did = self._drain(state, coming[0])
            if did != "drained":
                return did
        return self._approve(state, events)

    # -- what there is ------------------------------------------------------------------------------------------------

    def _is_held(self) -> bool:
        """Whether a rolling run owns this machine; a mark older than mark_hours is that of a dead run."""
        path = self.config["mark"]
        try:
            changed = datetime.fromtimestamp(os.lstat(path).st_mtime, timezone.utc)
        except FileNotFoundError:
            self._held = False
            return False
        stale = self._now() - changed > timedelta(hours=self.config["mark_hours"])
        if not stale and not self._held:
            say(f"{path}: a rolling run owns this machine: keeping out of its way")
        self._held = not stale
        return self._held

    def _counts(self, event: Event, state: dict[str, t.Any]) -> bool:
        """Whether the event is one to act on: about this machine, of a kind that was asked for, no short freeze."""
        if not event.concerns(self._name):
            return False
        if event.id in state.get("events", {}):
            return True
        seconds = event.duration_seconds
        if event.type == "Freeze" and seconds is not None and seconds <= self.config["freeze_seconds"]:
            return False
        return event.type in self.config["types"] and (event.source or "Platform") in self.config["sources"]

    def _note(self, state: dict[str, t.Any], events: dict[str, Event]) -> None:
        """Bring the state's events up to date: those that are gone leave it after two reads without them."""
        known = state.setdefault("events", {})
        for event in events.values():
            entry = known.setdefault(event.id, {"approved": False})
            entry.update(type=event.type, status=event.status, not_before=event.not_before, missing=0)
        for number in [number for number in known if number not in events]:
            known[number]["missing"] += 1
            if known[number]["missing"] >= _MISSING_READS:
                say(f"event {number} ({known[number]['type']}) is over")
                del known[number]
        if state.get("phase"):
            self._state.save(state)

    # -- what is done about it ----------------------------------------------------------------------------------------

    def _drain(self, state: dict[str, t.Any], event: Event) -> str:
        if self._pauses(state):
            return "failed"
        untouched = "phase" not in state
        say(f"event {event.id}: {event.type} by {event.source or 'Platform'}, not before {event.not_before}: draining")
        state.update(phase="draining", since=state.get("since") or self._now().isoformat(), host=self._name)
        state.setdefault("services", [name for name in self.config["services"] if self._runs(name)])
        self._state.save(state)
        # A rolling run writes its mark and then looks for this state, this watch the other way round: one of them sees the other.
        if self._is_held():
            if untouched:
                self._state.clear()
            return "held"
        environment = {
            "AZURE_EVENT_ID": event.id, "AZURE_EVENT_TYPE": event.type, "AZURE_EVENT_SOURCE": event.source or "",
            "AZURE_EVENT_NOT_BEFORE": event.not_before or "",
        }
        steps = [*self.config["drain"], *(service(name, "stop") for name in state["services"])]
        return "drained" if self._steps(state, steps, environment, "drained") else "failed"

    def _restore(self, state: dict[str, t.Any]) -> str:
        if self._pauses(state):
            return "failed"
        say("no event is left: restoring")
        state["phase"] = "restoring"
        self._state.save(state)
        steps = [*(service(name, "start") for name in reversed(state.get("services", []))), *self.config["restore"]]
        if not self._steps(state, steps, {}, "restored"):
            return "failed"
        self._state.clear()
        return "restored"

    def _approve(self, state: dict[str, t.Any], events: dict[str, Event]) -> str:
        """Approve what is about this machine alone; for others the approval is not ours to give."""
        did = "drained"
        for event in events.values():
            entry = state["events"][event.id]
            wanted = event.type in self.config["approve_types"] and event.is_only(self._name)
            if event.status != "Scheduled" or entry["approved"] or not wanted:
                continue
            if self._is_held():
                return "held"
            try:
                self._client.approve([event.id])
            except EventsError as error:
                if error.kind != "refused":
                    raise
                # It may be over by now, or begins at its time; others may still be approved.
                if entry.get("refused") != str(error):
                    say(f"event {event.id}: its approval was refused: {error}")
                    entry["refused"] = str(error)
                    self._state.save(state)
                continue
            say(f"event {event.id}: approved")
            entry["approved"] = True
            self._state.save(state)
            did = "approved"
        return did

    def _steps(self, state: dict[str, t.Any], steps: list[list[str]], environment: dict[str, str], phase: str) -> bool:
        try:
            for step in steps:
                self._run(step, self.config["command_seconds"], environment)
        except StepFailed as error:
            tries = state.get("tries", 0) + 1
            pause = min(5 * 2 ** (tries - 1), _LONGEST_PAUSE)
            state.update(tries=tries, reason=str(error), retry_at=(self._now() + timedelta(seconds=pause)).isoformat())
            self._state.save(state)
            say(f"not {phase}: {error}; again in {pause} s")
            return False
        for key in ("tries", "reason", "retry_at"):
            state.pop(key, None)
        state["phase"] = phase
        self._state.save(state)
        say(phase)
        return True

    def _pauses(self, state: dict[str, t.Any]) -> bool:
        if not state.get("retry_at"):
            return False
        left = datetime.fromisoformat(state["retry_at"]) - self._now()
        return timedelta(0) < left <= timedelta(seconds=_LONGEST_PAUSE)  # a clock that was set back must not make it longer

    def _runs(self, name: str) -> bool:
        try:
            self._run(service(name, "status"), self.config["command_seconds"], {})
        except StepFailed:
            return False
        return True


def one_pass(watcher: Watcher, trouble: list[str]) -> str:
    """A pass that says each trouble once, until it is another; none ends the watch."""
    try:
        did = watcher.once()
    except EventsError as error:
        did, said = "unavailable", f"{error.kind}: {error}"
    except Exception as error:  # pylint: disable=broad-exception-caught  # a full disk, a state file that somebody edited
        did, said = "failed", f"nothing could be done: {error or type(error).__name__}"
    else:
        trouble.clear()
        return did
    if trouble != [said]:
        say(said)
    trouble[:] = [said]
    return did


def main() -> int:
    """Entry point; exit status 1 when a drain or a restore failed, 2 when the settings cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="/etc/azure_maintenance/watch_events.json")
    parser.add_argument("--every", type=float, help="seconds between passes, for ever: where no timer calls this")
    parser.add_argument("--check", action="store_true", help="only read the settings")
    options = parser.parse_args()
    try:
        watcher = Watcher(load_config(options.config))
    except (OSError, ValueError, EventsError) as error:
        say(f"{options.config} cannot be used: {error}")
        return 2
    if options.check:
        return 0
    try:
        lock = _files.lock(watcher.config["lock"])
    except OSError as error:
        say(f"the lock {watcher.config['lock']} cannot be taken: {error}")
        return 2
    if lock is None:
        say("another pass is under way")
        return 0
    trouble: list[str] = []
    did = one_pass(watcher, trouble)
    while options.every:
        time.sleep(options.every)
        did = one_pass(watcher, trouble)
    return 1 if did == "failed" else 0


if __name__ == "__main__":
    sys.exit(main())
