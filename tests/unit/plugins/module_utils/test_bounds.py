# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken of what others send, and where it ends: bytes, depth, digits, time."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import threading
import time
import tracemalloc
import zlib

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._bounds import MOST_DEPTH, TimedResponse, TooMuch, loads, read_body, seconds_of

MIB = 1 << 20


def pieces(content, size=4096):
    return [content[start:start + size] for start in range(0, len(content), size)]


# -- bytes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack, encoding", [(bytes, ""), (bytes, "identity"), (gzip.compress, "gzip"), (gzip.compress, " GZIP "), (gzip.compress, "x-gzip"),
                                            (zlib.compress, "deflate")])
@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 100_000])
def test_a_body_in_pieces_is_whole(pack, encoding, content):
    for size in (1, 7, 4096):
        assert read_body(pieces(pack(content), size), encoding, 100_000) == content


@pytest.mark.parametrize("pack, encoding", [(bytes, ""), (gzip.compress, "gzip"), (zlib.compress, "deflate")])
def test_more_than_the_bound_is_never_in_memory(pack, encoding):
    body = pack(bytes(64 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(TooMuch, match="larger than 1024 KiB"):
            read_body(iter(pieces(body)), encoding, MIB)
        assert tracemalloc.get_traced_memory()[1] < (len(body) * 1.1 if encoding == "" else 0) + 8 * MIB
    finally:
        tracemalloc.stop()


def test_an_endless_body_ends():
    with pytest.raises(TooMuch):
        read_body(iter(lambda: b"x" * 4096, b""), "", MIB)


@pytest.mark.parametrize("content, encoding, words", [
    (gzip.compress(b"x" * 100)[:-9], "gzip", "cut short"), (b"no gzip", "gzip", "cannot be unpacked"), (b"x", "br", "not asked for"),
    (gzip.compress(gzip.compress(b"x")), "gzip, gzip", "not asked for")],
    ids=["cut short", "no gzip", "unknown", "packed twice"])
def test_what_cannot_be_unpacked(content, encoding, words):
    with pytest.raises(ValueError, match=words) as caught:
        read_body([content], encoding)
    assert not isinstance(caught.value, TooMuch), "another try may bring a sound one"


# -- depth and digits -----------------------------------------------------------------------------------------------------


def nested(depth, opening="[", closing="]", inner=""):
    return opening * depth + inner + closing * depth


@pytest.mark.parametrize("depth", [MOST_DEPTH + 1, 5_000, 100_000])
@pytest.mark.parametrize("shape", [("[", "]", ""), ('{"a":', "}", "1"), ('{"a":[', "]}", ""), ('["]",', ',"["]', "0"), ('["\\"[\\\\",', "]", "1")])
def test_deep_json(depth, shape):
    opening, closing, inner = shape
    for text in (nested(depth, opening, closing, inner), nested(depth, opening, closing, inner).encode()):
        with pytest.raises(TooMuch, match="nested deeper than 100 levels"):
            loads(text)


def test_json_that_only_looks_deep():
    value = {"a": ["[" * 500, "{" * 500 + '"', "\\", '\\"' + "[" * 200], "b": [[1], [2]] * 500, "é[[": nested(0)}
    assert loads(json.dumps(value)) == value == loads(json.dumps(value, ensure_ascii=False).encode("utf-16"))
    assert loads(nested(MOST_DEPTH)) is not None


@pytest.mark.parametrize("text", ["1" * 101, "-" + "1" * 101, "1" * 10_000, "0." + "1" * 10_000, "1e999", "-1e999", "1e" + "1" * 50])
def test_long_numbers(text):
    with pytest.raises(TooMuch, match="a number"):
        loads(f'{{"a": [{text}]}}')


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "{", "", "[1", nested(MOST_DEPTH)[:-1]])
def test_what_is_no_json(text):
    with pytest.raises(ValueError) as caught:
        loads(text)
    assert not isinstance(caught.value, TooMuch)


@pytest.mark.parametrize("text, seconds", [("7", 7), (" 7.5 ", 7.5), ("-3", 0), ("1e300", 1e300), ("9" * 400, None), ("inf", None), ("nan", None), ("²", None),
                                           ("soon", None), ("", None), (None, None)])
def test_seconds(text, seconds):
    assert seconds_of(text) == seconds


# -- time -----------------------------------------------------------------------------------------------------------------


class Dripper:
    """Sends its bytes one by one, ``every`` so many seconds, for ever."""

    def __init__(self, *parts, every=0.05):
        self._parts, self._every = parts, every
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            connection, dummy = self._server.accept()
            connection.recv(65536)
            connection.sendall(self._parts[0])
            while True:
                time.sleep(self._every)
                connection.sendall(self._parts[1])

    def close(self):
        self._server.close()


DRIPS = {
    "status line": (b"HTTP/1.1 200", b" "), "headers": (b"HTTP/1.1 200 OK\r\nX: ", b"y"), "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"), "until the end": (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "size of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_the_timeout_is_for_the_whole_answer(drip):
    with contextlib.closing(Dripper(*DRIPS[drip])) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.4)
        connection.response_class = TimedResponse
        begun = time.monotonic()
        with contextlib.closing(connection), pytest.raises((OSError, http.client.HTTPException)):
            connection.request("GET", "/")
            connection.getresponse().read()
        assert time.monotonic() - begun < 2


def test_the_next_answer_of_a_connection_has_its_own_time():
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            other, dummy = server.accept()
            for dummy in range(3):
                other.recv(65536)
                time.sleep(0.3)
                other.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        threading.Thread(target=serve, daemon=True).start()
        connection = http.client.HTTPConnection("127.0.0.1", server.getsockname()[1], timeout=0.6)
        connection.response_class = TimedResponse
        for dummy in range(3):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"ok"
            assert connection.sock.gettimeout() == 0.6
        connection.close()
