# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A big simulated fleet in a process of its own, so that what is measured pays nothing for serving."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

from simulator.fleet import generate
from simulator.server import Simulator

_START_SECONDS = 300
_TESTS = Path(__file__).resolve().parents[1]


class Cloud:
    """A running simulator; a context manager. ``settings`` go to :func:`simulator.fleet.generate.fleet`."""

    def __init__(self, vms: int, state: Path, **settings: Any) -> None:
        self._order = json.dumps({"vms": vms, "state": str(state), "settings": settings})
        self._process: subprocess.Popen[str] | None = None
        self.environment: dict[str, str] = {}
        """What a client needs to reach it."""

    def __enter__(self) -> Cloud:
        env = {**os.environ, "PYTHONPATH": str(_TESTS)}
        command = [sys.executable, "-m", "benchmarks.cloud", self._order]
        self._process = subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE)
        timer = threading.Timer(_START_SECONDS, self._process.kill)
        timer.start()
        try:
            self.environment = json.loads(self._process.stdout.readline())
        finally:
            timer.cancel()
        return self

    def __exit__(self, *dummy: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._process.stdout.close()

    def ask(self, path: str) -> Any:
        """What the control path answers."""
        context = ssl.create_default_context(cafile=self.environment["SSL_CERT_FILE"])
        with urllib.request.urlopen(f"{self.environment['BENCH_URL']}/_sim/{path}", context=context, timeout=60) as answer:
            return json.load(answer)


def _serve(order: dict[str, Any]) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *dummy: stop.set())
    fleet = generate.fleet(order["vms"], **order["settings"])
    with Simulator(fleet, order["state"], fresh=True) as simulator:
        ids = ",".join(simulator.fleet.subscriptions)
        print(json.dumps({**simulator.env(), "BENCH_URL": simulator.url, "BENCH_SUBSCRIPTIONS": ids}), flush=True)
        stop.wait()


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
