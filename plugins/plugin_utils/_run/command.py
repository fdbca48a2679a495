# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command to run again, from the arguments of the one that runs. Standard library only; no I/O.

A screen and a job log are read by more people than a command line is, so only values of this collection's own variables are repeated.
"""

from __future__ import annotations

import json
import shlex
import typing as t

_OWN = ("rollout_", "redeploy_", "drain_", "verify_")
_SECRET = "_auth"
_EXTRA = ("-e", "--extra-vars")
_ONLY_ONCE = ("--start-at-task", "--step")
"""Where the first run began says nothing about the next one."""
_CHECK = ("-C", "--check")


def again(arguments: t.Sequence[str], check: bool = False) -> str:
    """The same command, with playbook, inventory, limit and this collection's variables; ``arguments`` are those behind the program's name.

    ``check`` keeps ``--check``. Where values of other variables were left out, a comment behind the command names the variables.
    """
    words, withheld = ["ansible-playbook"], []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in _EXTRA or name == "--extra-vars" or (word.startswith("-e") and len(word) > 2):
            value = value if name == "--extra-vars" and equals else word[2:] if word not in _EXTRA else rest.pop(0) if rest else ""
            kept, left = _repeated(value)
            words += ["-e", shlex.quote(kept)] if kept else []
            withheld += left
        elif name in _ONLY_ONCE:
            if name == "--start-at-task" and not equals and rest:
                rest.pop(0)
        elif check or word not in _CHECK:
            words.append(shlex.quote(word))
    return " ".join(words) + (f"    # and with the same {', '.join(withheld)}" if withheld else "")


def _repeated(value: str) -> tuple[str, list[str]]:
    """What of an ``-e`` may be repeated, and the names of the variables that are left out."""
    if value.startswith("@"):
        return value, []
    if value.lstrip().startswith(("{", "[")):
        try:
            found = json.loads(value)
        except ValueError:
            return "", ["extra variables"]
        own = {name: one for name, one in found.items() if _is_own(name)} if isinstance(found, dict) else {}
        return json.dumps(own) if own else "", [name for name in found if name not in own] if isinstance(found, dict) else ["extra variables"]
    try:
        pairs = shlex.split(value)
    except ValueError:
        return "", ["extra variables"]
    split = [pair.partition("=") for pair in pairs]
    own = {name: one for name, equals, one in split if equals and _is_own(name)}
    if len(own) == len(split):
        return value, []
    others = [name if equals else "extra variables" for name, equals, one in split if name not in own]
    return json.dumps(own) if own else "", list(dict.fromkeys(others))


def _is_own(name: str) -> bool:
    return name.startswith(_OWN) and not name.endswith(_SECRET)
