# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy: what its admin socket says of its servers, where it sends traffic, and what a backend has left when servers leave.

Errors name the options of the role ``drain``. Runs on balancers: standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import contextlib
import csv
import io
import socket
import typing as t

from .mark_file import MarkError
from .minimum import Minimum, Terms

Row = t.Mapping[str, str]
Rows = list[dict[str, str]]

OUT = 0x01 | 0x02 | 0x08 | 0x10 | 0x20
"""Of srv_admin_state what takes a server out: maintenance and drain, its own or that of a server it tracks, and a name that is not resolved.

0x04, declared `disabled`, stays for ever, also when the server was made ready at run time; 0x40 is a name that was set at run time.
"""
SERVES = ("UP", "no check")
"""How the status of a server begins that takes new requests."""
UNUSED = "MAINT (resolution)"
"""Status of a slot of a server template that stands for no address: it is no server, and none of a percentage."""
_TERMS = Terms("backend", "server", SERVES, "drain_haproxy_min_up", "drain_haproxy_allow_last")


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
    missing = [name for name in backends if not status.get(name)]
    if missing:
        raise ValueError(f"'show stat' says nothing of server {server} in backend {', '.join(missing)}")
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
        status = {(row["pxname"], row["svname"]): row["status"] for row in stat}
        known = [(row["be_name"], row["srv_name"]) for row in state]
    except KeyError as error:
        raise ValueError(f"it answered with other columns than are known ({error!r})") from None
    missing = [f"{backend}/{name}" for backend, name in known if backend in backends and not status.get((backend, name))]
    if missing:
        raise ValueError(f"'show stat' says nothing of {', '.join(missing)}")
    return {backend: {name: status[place, name] for place, name in known if place == backend and status[place, name] != UNUSED} for backend in backends}


class Rule(t.NamedTuple):
    """What must stay up in each backend: ``minimum`` servers (a count or a percentage), but for the backends ``allowed``, which may lose their last one."""

    minimum: str
    allowed: t.Sequence[str] = ()

    def refusal(self, servers: t.Mapping[str, t.Mapping[str, str]], server: str, balancer: str, leaving: t.Collection[tuple[str, str]] | None) -> str:
        """Why a server may not be taken out of the backends that ``servers`` has the statuses of, and what to do; empty when it may.

        ``leaving`` are (backend, server) that are about to be taken out as well; None: see :meth:`Minimum.refusal`. Raises ValueError for a minimum that
        is none.
        """
        backends = [backend for backend in servers if backend not in self.allowed]
        names = {backend: f"backend {backend!r} on {balancer}" for backend in backends}
        gone = None if leaving is None else {(names[backend], name) for backend, name in leaving if backend in names}
        return Minimum(self.minimum, _TERMS).refusal({names[backend]: servers[backend] for backend in backends}, {server}, gone)


def tables(path: str) -> tuple[Rows, Rows]:
    """Rows of what HAProxy knows of its servers: their administrative state, and their statistics. Raises MarkError."""
    return table(ask(path, "show servers state"), " "), table(ask(path, "show stat"), ",")


@contextlib.contextmanager
def understood(path: str) -> t.Iterator[None]:
    """Raises MarkError for rows that are none of HAProxy's."""
    try:
        yield
    except ValueError as error:
        raise MarkError(f"HAProxy at {path} cannot be understood: {error}; nothing was drained; is drain_haproxy_socket its admin socket?") from None


def ask(path: str, command: str) -> str:
    """The answer of HAProxy's admin socket. Raises MarkError."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10)
            connection.connect(path)
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError as error:
        raise MarkError(f"HAProxy's admin socket {path} cannot be asked: {error}; see drain_haproxy_socket, and become root there (drain_become)") from None


def table(text: str, delimiter: str) -> Rows:
    """Rows of an answer by column; the line of names begins with a hash. Raises MarkError."""
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("# ")), None)
    if start is None:
        raise MarkError(f"HAProxy answered something else than a table: {text.strip()[:200] or 'nothing'}; is drain_haproxy_socket its admin socket?")
    if not text.endswith("\n\n"):
        raise MarkError("HAProxy's answer broke off; try again")
    lines[start] = lines[start][2:]
    return list(csv.DictReader(io.StringIO("\n".join(line for line in lines[start:] if line)), delimiter=delimiter))


def learn(options: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    """Where the ``server`` of the options takes traffic, of their ``backends``, as :func:`places` says it.

    Raises MarkError for a backend that does not know it or can never spare it, and for a socket that could not drain it.
    """
    path, server = options["socket"], options["server"]
    level = ask(path, "show cli level").strip()
    if level in ("user", "operator"):
        raise MarkError(f"HAProxy's socket {path} has the level {level}, which may not drain; see drain_haproxy_socket, and give that one the level admin")
    state, stat = tables(path)
    with understood(path):
        try:
            learnt = places(state, stat, server, options["backends"])
        except LookupError as error:
            raise MarkError(f"HAProxy at {path} has no server {server} in backend {error}; correct drain_haproxy_server or drain_haproxy_backends") from None
        if options["min_up"] is not None:
            must_stay_up(options, statuses(state, stat, learnt["backends"]), None)
    return learnt


def must_stay_up(options: t.Mapping[str, t.Any], servers: t.Mapping[str, t.Mapping[str, str]], leaving: t.Collection[tuple[str, str]] | None) -> None:
    """Raises MarkError if fewer servers than ``min_up`` of the options stay up; ``servers`` and ``leaving`` are those of :meth:`Rule.refusal`."""
    try:
        refusal = Rule(options["min_up"], options["allow_last"]).refusal(servers, options["server"], options["balancer"], leaving)
    except ValueError as error:
        raise MarkError(f"drain_haproxy_min_up {error}. Nothing was drained. Correct it") from None
    if refusal:
        raise MarkError(refusal)
