# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where HAProxy sends traffic. Pure; rows of `show servers state` and `show stat` come in.

Runs on balancers: standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import typing as t

Row = t.Mapping[str, str]

OUT = 0x01 | 0x02 | 0x08 | 0x10 | 0x20
"""Of srv_admin_state what takes a server out: maintenance and drain, its own or that of a server it tracks, and a name that is not resolved.

0x04, declared `disabled`, stays for ever, also when the server was made ready at run time; 0x40 is a name that was set at run time.
"""
SERVES = ("UP", "no check")
"""How the status of a server begins that takes new requests."""


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
