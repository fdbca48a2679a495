# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where HAProxy sends traffic, and what a backend has left when servers leave. Pure; rows of `show servers state` and `show stat` come in.

Runs on balancers: standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import re
import typing as t

Row = t.Mapping[str, str]

OUT = 0x01 | 0x02 | 0x08 | 0x10 | 0x20
"""Of srv_admin_state what takes a server out: maintenance and drain, its own or that of a server it tracks, and a name that is not resolved.

0x04, declared `disabled`, stays for ever, also when the server was made ready at run time; 0x40 is a name that was set at run time.
"""
SERVES = ("UP", "no check")
"""How the status of a server begins that takes new requests."""
UNUSED = "MAINT (resolution)"
"""Status of a slot of a server template that stands for no address: it is no server, and none of a percentage."""
_MOST_NAMES = 5


def taken_out(admin: int, status: str) -> bool:
    """Whether somebody has taken the server out. Where it serves all the same, the bits are wrong: it is drained, for nothing else would do it."""
    return bool(admin & OUT) and not status.startswith(SERVES)


def places(state: t.Iterable[Row], stat: t.Iterable[Row], server: str, backends: t.Sequence[str]) -> dict[str, list[str]]:
    """Of these backends those it takes traffic in, of them those where it is not well or not checked, and those it is taken out of.

    Raises LookupError for backends that do not have the server, with their names, and ValueError for rows that are none of HAProxy's.
    """
    try:
        admin = {row["be_name"]: int(row["srv_admin_state"]) for row in state if row["srv_name"] == server}
        status = {row["pxname"]: row["status"] for row in stat if row["svname"] == server}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"it answered with other columns than are known ({error!r})") from None
    unknown = [name for name in backends if name not in admin]
    if unknown:
        raise LookupError(", ".join(unknown))
    untold = [name for name in backends if not status.get(name)]
    if untold:
        raise ValueError(f"'show stat' says nothing of server {server} in backend {', '.join(untold)}")
    ours = [name for name in backends if not taken_out(admin[name], status[name])]
    return {
        "backends": ours,
        "unhealthy": [name for name in ours if not status[name].startswith(SERVES)],
        "unchecked": [name for name in ours if status[name] == "no check"],
        "taken_out": [name for name in backends if name not in ours],
    }


def statuses(state: t.Iterable[Row], stat: t.Iterable[Row], backends: t.Iterable[str]) -> dict[str, dict[str, str]]:
    """Status of each server by backend and name. Raises ValueError for rows that are none of HAProxy's."""
    try:
        told = {(row["pxname"], row["svname"]): row["status"] for row in stat}
        known = [(row["be_name"], row["srv_name"]) for row in state]
    except KeyError as error:
        raise ValueError(f"it answered with other columns than are known ({error!r})") from None
    untold = [f"{backend}/{name}" for backend, name in known if backend in backends and not told.get((backend, name))]
    if untold:
        raise ValueError(f"'show stat' says nothing of {', '.join(untold)}")
    return {backend: {name: told[place, name] for place, name in known if place == backend and told[place, name] != UNUSED} for backend in backends}


def required(minimum: str, servers: int) -> int:
    """How many of so many servers must stay up: a count, or a percentage of them such as ``50%``, rounded up. Raises ValueError for anything else."""
    found = re.fullmatch(r"([0-9]+)(%?)", minimum.strip())
    if not found or (found[2] and int(found[1]) > 99):
        raise ValueError(f"{minimum!r} is neither a count of servers, such as 1, nor a percentage of them from 0% to 99%, such as 50%")
    return -(-servers * int(found[1]) // 100) if found[2] else int(found[1])


class Rule(t.NamedTuple):
    """What must stay up in each backend: ``minimum`` as :func:`required` takes it, but for the backends ``allowed``, which may lose their last server."""

    minimum: str
    allowed: t.Sequence[str] = ()

    def refusal(self, servers: t.Mapping[str, t.Mapping[str, str]], server: str, balancer: str, leaving: t.Collection[tuple[str, str]] | None) -> str:
        """Why a server may not be taken out of the backends that ``servers`` has the statuses of, and what to do; empty when it may.

        ``leaving`` are (backend, server) that are about to be taken out as well. With None only those are refused that can never spare the server,
        however many are up. Where it takes no requests as it is, taking it out changes nothing, and is not refused.
        """
        short, remedies = [], []
        for backend, known in servers.items():
            needed = required(self.minimum, len(known))
            if backend in self.allowed or not known.get(server, "").startswith(SERVES):
                continue
            others = {name: status for name, status in known.items() if name != server}
            gone = {name for name in others if (backend, name) in (leaving or ())}
            down = {name: status for name, status in others.items() if name not in gone and not status.startswith(SERVES)} if leaving is not None else {}
            up = len(others) - len(gone) - len(down)
            if up >= needed:
                continue
            why = [f"{name} is {status}" for name, status in sorted(down.items())], [f"{name} is about to be drained, too" for name in sorted(gone)]
            short.append(f"backend {backend!r} on {balancer} would have {up} of {len(known)} server{'s' * (len(known) != 1)} up{_brackets(*why)}, "
                         f"drain_haproxy_min_up is {self.minimum}")
            remedies += ["bring a server up"] if down else []
            remedies += ["take fewer hosts out at once (rollout_max_parallel; in a play of yours serial)"] if gone else []
            remedies += ["add a server"] if len(others) < needed else []
            remedies += ["lower drain_haproxy_min_up"] if needed > 1 else []
        if not short:
            return ""
        remedy = ", ".join(dict.fromkeys(remedies))
        return (f"drain refused: {'; '.join(short)}. Nothing was drained. {remedy[0].upper()}{remedy[1:]}, or name the backend in drain_haproxy_allow_last")


def _brackets(*lists: t.Sequence[str]) -> str:
    """The first of each list, in brackets with a blank before them."""
    named = [text for texts in lists for text in (*texts[:_MOST_NAMES], *([f"and {len(texts) - _MOST_NAMES} more"] if len(texts) > _MOST_NAMES else []))]
    return f" ({', '.join(named)})" if named else ""
