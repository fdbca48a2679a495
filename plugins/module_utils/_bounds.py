# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is taken of what others send: bytes after decompression, depth and digits of JSON, and time for a whole answer.

Standard library only, Python 3.9 or newer: it runs on the controller and on guests, where the role watch_events installs this very file.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import math
import socket
import time
import typing as t
import zlib

MOST_BYTES = 32 << 20
"""Resource Manager's own pages stay below 20 MB."""
MOST_DEPTH = 100
MOST_DIGITS = 100
_PACKED = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class TooMuch(ValueError):
    """More than is taken; the text says of what. Asking again would bring the same."""


def read_body(pieces: t.Iterable[bytes], encoding: str = "", most: int = MOST_BYTES) -> bytes:
    """A body that comes in pieces, unpacked as its Content-Encoding says and never more of it in memory than ``most`` bytes.

    Raises TooMuch for a longer one, ValueError for one that cannot be unpacked or is cut short.
    """
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", *_PACKED):
        raise ValueError(f"it is packed in a way that was not asked for ({encoding[:40]!r})")
    stream = zlib.decompressobj(_GZIP_OR_ZLIB) if encoding in _PACKED else None
    whole = bytearray()
    seen = False
    for piece in pieces:
        seen = seen or bool(piece)
        try:
            whole += piece if stream is None else stream.decompress(piece, most + 1 - len(whole))
        except zlib.error as error:
            raise ValueError(f"it cannot be unpacked ({error})") from None
        if len(whole) > most:
            raise TooMuch(f"it is larger than {most >> 10} KiB")
        if stream is not None and stream.eof:
            break
    if stream is not None and seen and not stream.eof:
        raise ValueError("it is cut short")
    return bytes(whole)


def loads(content: str | bytes) -> t.Any:
    """JSON as Python's own values. Raises TooMuch for what is nested too deep or has too long numbers, ValueError for what is no JSON."""
    text = content if isinstance(content, str) else content.decode(json.detect_encoding(content), "surrogatepass")
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_decimal, parse_constant=_constant)
    except RecursionError:
        raise TooMuch(f"its JSON is nested deeper than {MOST_DEPTH} levels") from None
    if _is_deep(text):
        raise TooMuch(f"its JSON is nested deeper than {MOST_DEPTH} levels")
    return value


def _is_deep(text: str) -> bool:
    """Of JSON that was read: takes strings away, then one level of brackets after the other. Ten times as fast as walking through the values."""
    plain = text.encode("ascii", "ignore").replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(plain.split(b'"')[::2]).translate(None, _NO_BRACKETS)
    for dummy in range(MOST_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return bool(brackets)


def _integer(digits: str) -> int:
    return int(_short(digits))


def _decimal(digits: str) -> float:
    value = float(_short(digits))
    if math.isinf(value):
        raise TooMuch(f"it has a number out of range ({digits[:40]})")
    return value


def _short(digits: str) -> str:
    if len(digits) > MOST_DIGITS:
        raise TooMuch(f"it has a number of {len(digits)} digits")
    return digits


def _constant(word: str) -> t.NoReturn:
    raise ValueError(f"{word} is no JSON")


def seconds_of(value: str | None) -> float | None:
    """A header that counts seconds (or tokens); None when it is absent or says something else."""
    try:
        seconds = float(value) if value else math.nan
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


class TimedResponse(http.client.HTTPResponse):
    """An answer that takes its socket's timeout for all of it: a server that sends a byte now and then cannot stretch it.

    Set it as ``response_class`` of a connection.
    """

    def __init__(self, sock: socket.socket, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(sock, *arguments, **options)
        if sock.gettimeout() is not None:
            self.fp = io.BufferedReader(_Timed(t.cast(io.BufferedReader, self.fp).detach(), sock))


class _Timed(io.RawIOBase):
    """What a socket receives until its timeout has passed once."""

    def __init__(self, raw: t.Any, sock: socket.socket) -> None:
        super().__init__()
        self._raw, self._sock, self._timeout = raw, sock, sock.gettimeout() or 0.0
        self._deadline = time.monotonic() + self._timeout

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def readinto(self, buffer: t.Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout(f"the answer was not complete after {self._timeout:.0f} s")
        self._sock.settimeout(left)
        return t.cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        if not self.closed:
            with contextlib.suppress(OSError):  # the connection may be used again
                self._sock.settimeout(self._timeout)
            self._raw.close()
        super().close()
