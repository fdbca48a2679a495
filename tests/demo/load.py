# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steady HTTP load that notices every lost request.

Half of the threads keep their connection, half open a new one per request. A request has failed when it got no
complete 200 answer within ten seconds. A kept connection that its peer closed *before* a request is sent is no failure
(`idle_closes`). When the close crosses the request on the wire, HTTP says to send it again on a new connection: that
is done, and counted (`idle_close_retries`), only when the close was seen at once; later it may well be a request that
was lost while it was worked on, and that is what this program is here to see.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import select
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0
CROSSING_SECONDS = 0.003
CLOSED_BY_PEER = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Record:
    """What happened, from all threads; counts per second since the start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.started = time.monotonic()
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.per_server: Counter[str] = Counter()
        self.timeline: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.failures: list[dict[str, object]] = []
        self.longest_gap = 0.0
        self.last_good = self.started

    def count(self, what: str) -> None:
        """One more of `idle_closes` or `idle_close_retries`."""
        with self._lock:
            self.counts[what] += 1

    def answer(self, status: int | None, server: str, error: str | None) -> None:
        """One finished request: `error` is None for a complete 200."""
        now = time.monotonic()
        with self._lock:
            self.counts["requests"] += 1
            second = self.timeline[int(now - self.started)]
            if status is not None:
                self.statuses[str(status)] += 1
            if error is None:
                self.per_server[server] += 1
                second[server] += 1
                self.longest_gap = max(self.longest_gap, now - self.last_good)
                self.last_good = now
            else:
                self.counts["failed"] += 1
                self.errors[error] += 1
                second["failed"] += 1
                self.failures.append({"at": round(now - self.started, 3), "error": error})

    def summary(self) -> dict[str, object]:
        """The JSON document: counts, seconds as floats, the timeline as a list of {second, NAME: answers}."""
        now = time.monotonic()
        with self._lock:
            return {
                "requests": self.counts["requests"],
                "failed": self.counts["failed"],
                "errors": dict(self.errors),
                "seconds": round(now - self.started, 3),
                "per_server": dict(sorted(self.per_server.items())),
                "statuses": dict(self.statuses),
                "longest_gap_seconds": round(max(self.longest_gap, now - self.last_good), 3),
                "idle_closes": self.counts["idle_closes"],
                "idle_close_retries": self.counts["idle_close_retries"],
                "failures": self.failures,
                "timeline": [{"second": second, **dict(counts)} for second, counts in sorted(self.timeline.items())],
            }


class Client:
    """One thread's client."""

    def __init__(self, url: str, keep: bool, record: Record) -> None:
        self._url = urlsplit(url)
        self._keep = keep
        self._record = record
        self._connection: http.client.HTTPConnection | None = None

    def request(self) -> None:
        """Send one request and record how it ended."""
        sent = time.monotonic()
        reused = self._still_open()
        try:
            try:
                status, server = self._exchange(sent)
            except CLOSED_BY_PEER:
                self._close()
                if not reused or time.monotonic() - sent > CROSSING_SECONDS:
                    raise
                self._record.count("idle_close_retries")
                status, server = self._exchange(sent)
        except (OSError, http.client.HTTPException) as error:
            self._close()
            self._record.answer(None, "", type(error).__name__)
            return
        late = time.monotonic() - sent > TIMEOUT_SECONDS
        error = "TooLate" if late else None if status == 200 else f"status {status}"
        self._record.answer(status, server, error)

    def _exchange(self, sent: float) -> tuple[int, str]:
        left = max(0.001, sent + TIMEOUT_SECONDS - time.monotonic())
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=left)
        headers = {} if self._keep else {"Connection": "close"}
        self._connection.request("GET", self._url.path or "/", headers=headers)
        answer = self._connection.getresponse()
        answer.read()
        if not self._keep:
            self._close()
        return answer.status, answer.headers.get("X-Served-By", "unknown")

    def _still_open(self) -> bool:
        """Whether a kept connection can be used; one its peer closed meanwhile is let go."""
        if self._connection is None or self._connection.sock is None:
            self._close()
            return False
        if select.select([self._connection.sock], [], [], 0)[0]:
            self._record.count("idle_closes")
            self._close()
            return False
        return True

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def work(client: Client, interval: float, offset: float, stop: threading.Event) -> None:
    """Send a request every `interval` seconds; after a slow one go on at the same pace, without catching up."""
    due = time.monotonic() + offset
    while not stop.wait(max(0.0, due - time.monotonic())):
        client.request()
        due = max(due + interval, time.monotonic())


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--out", type=Path, required=True, help="where the JSON summary goes when the load ends")
    parser.add_argument("--stop-file", type=Path, help="end when this file appears")
    parser.add_argument("--seconds", type=float, help="end after this long")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--rate", type=float, default=25.0, help="requests per second of each thread")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, ended: Callable[[], bool]) -> dict[str, object]:
    """Load until `ended()`, the stop file or the time; returns the summary."""
    record = Record()
    stop = threading.Event()
    interval = 1.0 / options.rate
    threads = []
    for number in range(options.threads):
        client = Client(options.url, number % 2 == 0, record)
        offset = interval * number / options.threads
        threads.append(threading.Thread(target=work, args=(client, interval, offset, stop)))
        threads[-1].start()
    while not stop.wait(0.1):
        over = options.seconds is not None and time.monotonic() - record.started >= options.seconds
        if over or ended() or (options.stop_file and options.stop_file.exists()):
            stop.set()
    for thread in threads:
        thread.join()
    return record.summary()


def main() -> None:
    """Run, write the summary in one step, exit 0: judging it is the reader's business."""
    options = parse_arguments()
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # Not an Event: setting one from a handler can wait for the very thread that the handler interrupts.
        signal.signal(number, lambda received, _: signals.append(received))
    summary = run(options, lambda: bool(signals))
    partial = options.out.with_name(f"{options.out.name}.partial")
    partial.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, options.out)
    print(f"{summary['requests']} requests, {summary['failed']} failed", file=sys.stderr)


if __name__ == "__main__":
    main()
