# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage of a scenario: directories and environment, the simulated Azure, commands shown and run, the load."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from demo import guests, processes, screen
from demo.cloud import Cloud

ROOT = Path(__file__).resolve().parents[2]
FLEET = ROOT / "tests" / "simulator" / "fleets" / "demo.yml"
INVENTORY = "tests/demo/inventory"
# HTTP requests a second: they cost the same two processors that the rollout runs on
RATE = 40
_ENV = """\
# The demo by hand: once its simulator runs, `. {env}` lets any command of your shell work on its fleet.
. {simulator}
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
export PATH={bin}:"$PATH"
export LC_ALL=C.UTF-8
"""
_INTERRUPTED_SECONDS = 15.0
_WORTH_SAYING = 60.0


class StageError(Exception):
    """The scenario cannot go on; the text says why and where to look."""


class Stage:
    """`out` is where everything is written to; `state` and `journal` in it are what a rerun goes on from."""

    def __init__(self, out: Path) -> None:
        self.out, self.state, self.journal, self.logs = (out, out / "state", out / "journal", out / "log")
        self.cloud = Cloud(FLEET, self.state, Path(sys.executable))
        self.commands: list[dict[str, Any]] = []
        self.began = time.monotonic()
        self._env: dict[str, str] = dict(os.environ)

    def clear(self) -> None:
        """Forget everything an earlier scenario left."""
        shutil.rmtree(self.out, ignore_errors=True)

    def power_on(self) -> dict[str, dict[str, Any]]:
        """Start the simulated Azure and take on its environment; returns how the guests look."""
        self.logs.mkdir(parents=True, exist_ok=True)
        screen.command(f"make simulator SIMULATOR_STATE={_short(self.state)}    # in a terminal of its own")
        self.cloud.start({**os.environ, "PYTHONPATH": str(ROOT / "tests")}, self.logs / "simulator.log")
        env = self.out / "env.sh"
        self._write_env(env)
        screen.command(f". {_short(env)}")
        script = f". {shlex.quote(str(env))}; exec env -0"
        listed = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout
        self._env = dict(item.split("=", 1) for item in listed.split("\0") if item)
        seen = guests.look_when_well(self.cloud.addresses(), self.cloud.guests)
        if lost := {name: look["error"] for name, look in seen.items() if "error" in look}:
            raise StageError(f"guests that cannot be reached: {lost}")
        return seen

    def _write_env(self, path: Path) -> None:
        own = {f"GUEST_{key.upper()}": str(value) for key, value in self.cloud.guests.items()}
        own |= {"ANSIBLE_CONFIG": str(ROOT / "tests" / "demo" / "ansible.cfg"), "DEMO_JOURNAL": str(self.journal)}
        text = _ENV.format(
            env=_short(path),
            simulator=shlex.quote(str(self.cloud.env_file)),
            bin=shlex.quote(str(Path(sys.executable).parent)),
        )
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in own.items()]
        path.write_text(text + "".join(lines), encoding="utf-8")

    def run(
        self, name: str, words: Sequence[str], *, expected: int | None = 0, quiet: bool = False, env: Mapping[str, str] | None = None
    ) -> str:
        """Show a command and run it in sight, or `quiet`; returns what it said. `expected` None: any failure will do.

        Its exit status is in `commands`, with the one expected.
        """
        screen.command(shlex.join(words))
        log = self.logs / f"{len(self.commands) + 1}-{name}.log"
        log.unlink(missing_ok=True)
        began = time.monotonic()
        with log.open("w", encoding="utf-8") if quiet else nullcontext() as out:
            logged = {} if quiet else {"ANSIBLE_LOG_PATH": str(log)}
            process = processes.start(words, {**self._env, **logged, **(env or {})}, out)
            try:
                status = process.wait()
            finally:
                processes.end(process, _INTERRUPTED_SECONDS)
        seconds = round(time.monotonic() - began, 1)
        wanted = (status or 1) if expected is None else expected
        self.commands.append(
            {"name": name, "command": shlex.join(words), "status": status, "expected": wanted, "seconds": seconds}
        )
        if status != wanted or seconds > _WORTH_SAYING:
            screen.note(f"({seconds:.0f} s, exit status {status})")
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def must(self, name: str, words: Sequence[str], *, quiet: bool = False) -> str:
        """The same for a command without which there is no point in going on; raises StageError."""
        said = self.run(name, words, quiet=quiet)
        if self.commands[-1]["status"] != 0:
            raise StageError(f"{name} failed; what it said is in {_short(self.logs)}")
        return said

    @contextmanager
    def load(self, name: str) -> Iterator[dict[str, Any]]:
        """A steady HTTP load through the balancer; at the end its summary is in `name` and in what was yielded."""
        out = self.out / name
        summary: dict[str, Any] = {}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.unlink(missing_ok=True)
        words = [
            "python",
            "tests/demo/load.py",
            "--rate",
            str(RATE / 4),
            "--url",
            self._balancer(),
            "--out",
            _short(out),
        ]
        screen.command(f"{shlex.join(words)} &")
        process = processes.start([sys.executable, *words[1:]], self._env, background=True)
        try:
            yield summary
        finally:
            status = processes.end(process, _INTERRUPTED_SECONDS)
        if not out.exists():
            raise StageError(f"the load left no summary in {_short(out)}; it ended with {status}")
        summary.update(json.loads(out.read_text(encoding="utf-8")))

    def _balancer(self) -> str:
        vm = next(vm for vm in self.cloud.fleet.vms.values() if vm.guest and "balancer" in vm.guest)
        return f"http://{vm.guest_address}:{vm.guest['balancer']['port']}/"

    def look(self) -> dict[str, dict[str, Any]]:
        """How the guests look now."""
        self.cloud.refresh()
        return guests.look(self.cloud.addresses(), self.cloud.guests)

    def marks(self) -> list[str]:
        """Marks on the controller: hosts it took out of service and did not bring back."""
        return sorted(path.stem for path in (self.journal / "marks").glob("*.json"))

    def journal_file(self, name: str) -> dict[str, Any]:
        """A document that a playbook wrote into the journal's directory; empty if it wrote none."""
        path = self.journal / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def write(self, name: str, document: Any) -> None:
        """Write a document for the reader, in one step."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)

    def close(self) -> None:
        """End the simulator and whatever else is left."""
        self.cloud.stop()
        processes.end_orphans()


def _short(path: Path) -> str:
    """The path as a user in the top directory would type it."""
    return os.path.relpath(path, ROOT)
