# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes of one program, many of them cheaply: one parent imports everything once and forks for each run.

As a program it is that parent: a line of JSON (`out`, `err`, `environment`, `order`) starts a run, a line with its pid and one with its
status answer. What a run gets is `order`; what the programs do with it is in `PROGRAMS`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Forks:
    """The parent, and what a test asks of it. `environment` is what the program is imported with."""

    def __init__(self, program: str, environment: dict[str, str], folder: Path) -> None:
        self.folder, self._count, self._environment = folder, 0, environment
        self._parent = subprocess.Popen([sys.executable, __file__, program], cwd=folder, env=environment, text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._parent.stdout.readline() == "ready\n"

    def start(self, order: Any, environment: dict[str, str] | None = None) -> "Fork":
        """One run of the program as a process of its own, in an environment of its own if need be."""
        self._count += 1
        out, err = (self.folder / f"run-{self._count}.{name}" for name in ("out", "err"))
        told = {"out": str(out), "err": str(err), "environment": environment or self._environment, "order": order}
        self._parent.stdin.write(json.dumps(told) + "\n")
        return Fork(int(self._parent.stdout.readline()), out, err, self._parent)

    def close(self) -> None:
        self._parent.stdin.close()
        self._parent.wait(timeout=30)


class Fork:
    """A run under way; the next one begins when it has been finished."""

    def __init__(self, pid: int, out: Path, err: Path, parent: subprocess.Popen) -> None:
        self.pid, self.began = pid, time.monotonic()
        self._out, self._err, self._parent = out, err, parent

    def signal(self, number: int, after: float = 0.0) -> None:
        """Send a signal, so many seconds after the start; one that has ended is left alone."""
        time.sleep(max(0.0, self.began + after - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def finish(self) -> tuple[int, str, str]:
        """Wait for its end: exit status (negative: the signal) and what it printed."""
        status = os.waitstatus_to_exitcode(int(self._parent.stdout.readline()))
        return status, *(path.read_text(encoding="utf-8", errors="replace") for path in (self._out, self._err))


# -- the parent -----------------------------------------------------------------------------------------------------------


def _vm_redeploy() -> Callable[[Any], None]:
    """The module; an order is its parameters."""
    from ansible.module_utils.testing import patch_module_args

    from ansible_collections.fleetops.azure_maintenance.plugins.modules import vm_redeploy

    def run(params: dict[str, Any]) -> None:
        with patch_module_args(params):
            vm_redeploy.main()

    return run


def _inventory() -> Callable[[Any], None]:
    """The command ansible-inventory, with the folder it is started in; an order is both."""
    import azure.identity  # noqa: F401  # pylint: disable=unused-import  # what the inventory plugin imports when it is needed
    from ansible.cli import inventory

    def run(order: dict[str, Any]) -> None:
        os.chdir(order["folder"])
        inventory.main(["ansible-inventory", *order["arguments"]])

    return run


PROGRAMS = {"vm_redeploy": _vm_redeploy, "ansible-inventory": _inventory}


def _serve(name: str) -> None:
    run = PROGRAMS[name]()
    print("ready", flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(run, told)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


def _child(run: Callable[[Any], None], told: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(told["environment"])
    for handle, place in ((0, os.devnull), (1, told["out"]), (2, told["err"])):
        os.dup2(os.open(place, os.O_RDWR | os.O_CREAT, 0o600), handle)
    status = 1
    try:
        run(told["order"])
        status = 0
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # what the parent has registered for its own end is not this one's to do


if __name__ == "__main__":
    _serve(sys.argv[1])
