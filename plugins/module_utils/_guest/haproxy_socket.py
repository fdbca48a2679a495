# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's admin socket: what is asked there, as rows, and errors that name the options of the role ``drain``.

Runs on balancers: standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import contextlib
import csv
import io
import socket
import typing as t

from . import haproxy
from .mark_file import MarkError

Rows = list[dict[str, str]]


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


def must_stay_up(options: t.Mapping[str, t.Any], servers: t.Mapping[str, t.Mapping[str, str]], leaving: t.Collection[tuple[str, str]] | None) -> None:
    """Raises MarkError if fewer servers than ``min_up`` of the options stay up; ``servers`` and ``leaving`` are those of :meth:`haproxy.Rule.refusal`."""
    try:
        words = haproxy.Rule(options["min_up"], options["allow_last"]).refusal(servers, options["server"], options["balancer"], leaving)
    except ValueError as error:
        raise MarkError(f"drain_haproxy_min_up {error}. Nothing was drained. Correct it") from None
    if words:
        raise MarkError(words)
