# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes of the module, many of them cheaply: one parent imports everything once and forks for each run.

As a program it is that parent: a line of JSON (`out`, `params`) starts a run, a line with its pid and one with its status answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Runs:
    """The parent, and what a test asks of it."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ANSIBLE_AZURE_", "ARM_"))}
        self._folder, self._count = folder, 0
        self._parent = subprocess.Popen([sys.executable, __file__], env={**kept, **environment}, text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._parent.stdout.readline() == "ready\n"

    def start(self, params: dict[str, Any]) -> "Run":
        """One run of the module as a process of its own."""
        self._count += 1
        out = self._folder / f"run-{self._count}.json"
        self._parent.stdin.write(json.dumps({"out": str(out), "params": params}) + "\n")
        return Run(int(self._parent.stdout.readline()), out, self._parent)

    def close(self) -> None:
        self._parent.stdin.close()
        self._parent.wait(timeout=30)


class Run:
    """A run under way."""

    def __init__(self, pid: int, out: Path, parent: subprocess.Popen) -> None:
        self.pid, self.began = pid, time.monotonic()
        self._out, self._parent = out, parent

    def signal(self, number: int, after: float = 0.0) -> None:
        """Send a signal, so many seconds after the start; one that has ended is left alone."""
        time.sleep(max(0.0, self.began + after - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def finish(self) -> tuple[int, dict[str, Any]]:
        """Wait for its end: exit status (negative: the signal) and the result, empty when it left none."""
        status = os.waitstatus_to_exitcode(int(self._parent.stdout.readline()))
        text = self._out.read_text(encoding="utf-8")
        return status, json.loads(text) if text.strip() else {}


def _serve() -> None:
    from ansible.module_utils.testing import patch_module_args

    from ansible_collections.fleetops.azure_maintenance.plugins.modules import vm_redeploy

    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(os.open(order["out"], os.O_WRONLY | os.O_CREAT, 0o600), 1)
            status = 1
            try:
                with patch_module_args(order["params"]):
                    vm_redeploy.main()
            except SystemExit as end:
                status = end.code or 0
            finally:
                sys.stdout.flush()
                os._exit(status)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    _serve()
