# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of hosts and VMs that a run leaves behind, whether it came to its end or was interrupted. Standard library only; no I/O."""

from __future__ import annotations

import typing as t

from .._mark.recovery import restore_words

_Json = t.Mapping[str, t.Any]


def left(mark: _Json) -> str:
    """The line of a host that still has a mark: out of service only where something was drained."""
    steps = restore_words(mark)
    what, rest = ("LEFT OUT OF SERVICE", f"to restore: {steps}") if steps else ("LEFT MARKED", "nothing was drained")
    return f"{what}: {mark.get('host')}, step {mark.get('step')}; {rest}; run the playbook again to recover it"


def end_not_seen(name: str, attempts: t.Iterable[_Json]) -> t.Iterator[str]:
    """A line for each attempt (of the journal) of a VM that has no outcome yet."""
    for attempt in attempts:
        sent = f"Azure accepted it ({attempt['accepted']})" if attempt.get("accepted") else "whether Azure got it is not known"
        yield (f"STARTED, END NOT SEEN: {name}: {attempt['operation']} of {attempt['intent_at']}; {sent}. Nothing was stopped in Azure. "
               f"The next run waits for its end and does not start it again")


def next_step(command: str, drained: bool) -> str:
    """What to do after an interruption; ``drained`` is whether any host is out of service."""
    first = "first returns the hosts above to service, then goes on with the rest" if drained else "goes on with the rest"
    return f"Next: run the same command again; it {first}:\n  {command}"
