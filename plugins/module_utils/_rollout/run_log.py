# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events of a run as lines of text: one JSON object a line, each with its version and time. Standard library only; no I/O, no clock.

What the events mean is :mod:`run_state`'s; that they are on disk before the run goes on is the action plugins'.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from .._bounds import loads

VERSION = 1
NAME = "events.jsonl"
"""Of the file, in the directory of the run."""
_OWN = ("v", "time", "event", "host")


@dataclass(frozen=True)
class Event:
    """One thing that happened in a run. ``time`` in seconds since 1970, ``host`` None for what concerns the run as a whole."""

    time: float
    event: str
    host: str | None = None
    detail: t.Mapping[str, t.Any] = field(default_factory=dict)


def line(event: Event) -> bytes:
    """An event as it is appended to the log, without the end of the line."""
    own = {"v": VERSION, "time": round(event.time, 3), "event": event.event, "host": event.host}
    return json.dumps({**own, **{key: value for key, value in event.detail.items() if key not in own}}, sort_keys=True).encode()


def parse(content: bytes) -> tuple[list[Event], int]:
    """The events of a log, and how many of its lines cannot be read: half-written, damaged, or of a version that is not known.

    What such a line said is not known, so whoever decides by the events takes for granted nothing that they do not say.
    """
    events, damaged = [], 0
    for text in content.splitlines():
        if not text.strip():
            continue
        try:
            events.append(_event(loads(text)))
        except (ValueError, TypeError, KeyError, AttributeError):
            damaged += 1
    return events, damaged


def _event(entry: t.Mapping[str, t.Any]) -> Event:
    if entry["v"] != VERSION or not isinstance(entry["event"], str) or not isinstance(entry["host"], (str, type(None))):
        raise ValueError("not an event of this version")
    return Event(float(entry["time"]), entry["event"], entry["host"], {key: value for key, value in entry.items() if key not in _OWN})
