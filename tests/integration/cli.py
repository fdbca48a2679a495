# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's project folder (inventory, group variables, ansible.cfg) and the real command line run in it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from integration.forks import Forks

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
INVENTORY = "fleet.azure_maintenance.yml"
PLUGIN = "fleetops.azure_maintenance.azure_maintenance"
NAMESPACE = "fleetops.azure_maintenance"
PLUGIN_VARIABLES = ("AZURE_", "ANSIBLE_AZURE_", "IDENTITY_")
"""Beginnings of what is read when it is needed, and not when ansible is imported."""
STOCK = (ROOT / "ansible.cfg").read_text(encoding="utf-8")
_INVENTORIES: dict[str, Forks] = {}
"""By home, for as long as the tests run: they end with the pipe to them."""


@dataclass(frozen=True)
class Run:
    """What a command did; `out` and `err` as printed, `text` both with runs of white space as one blank."""

    rc: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """For searching: ansible wraps long messages."""
        return " ".join(f"{self.out}\n{self.err}".split())

    def json(self) -> Any:
        """The standard output, parsed."""
        return json.loads(self.out)

    def tasks(self) -> list[str]:
        """Names of the tasks that ran, in order, without their roles."""
        return [name.split(" : ")[-1] for name in re.findall(r"^(?:TASK|RUNNING HANDLER) \[(.*?)\] \*", self.out, re.MULTILINE)]

    def recap(self) -> dict[str, dict[str, int]]:
        """Counts by host of the play recap."""
        lines = self.out.partition("PLAY RECAP")[2].splitlines()[1:]
        found = [re.match(r"(\S+)\s+: (ok=.*)", line) for line in lines]
        return {m[1]: {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", m[2])} for m in found if m}


class Project:
    """A folder of a user, with everything that commands started there use."""

    def __init__(self, folder: Path, environment: dict[str, str], variables: dict[str, Any]) -> None:
        self.folder = folder
        self.environment = environment
        self.journal = folder / ".azure_maintenance"
        (folder / "group_vars").mkdir(parents=True)
        (folder / "ansible.cfg").write_text(STOCK, encoding="utf-8")
        self.inventory_file()
        for group, values in variables.items():
            self.group_vars(group, values)

    # -- files ----------------------------------------------------------------------------------------------------------

    def write(self, name: str, data: Any) -> Path:
        """Write text, or anything else as YAML."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return path

    def inventory_file(self, name: str = INVENTORY, **options: Any) -> str:
        """Write an inventory source; its name."""
        self.write(name, {"plugin": PLUGIN, "address_preference": ["public", "private"], **options})
        return name

    def group_vars(self, group: str, values: dict[str, Any]) -> None:
        """Write or replace the variables of a group."""
        self.write(f"group_vars/{group}.yml", values)

    def marks(self) -> list[str]:
        """Hosts with a mark on the controller."""
        return sorted(path.stem for path in self.journal.glob("marks/*.json"))

    def files(self) -> list[str]:
        """What is in the journal's folder."""
        return sorted(str(path.relative_to(self.journal)) for path in self.journal.rglob("*") if path.is_file())

    # -- commands -------------------------------------------------------------------------------------------------------

    def start(self, *command: str, env: dict[str, str] | None = None) -> "Running":
        """Start a command of the virtual environment."""
        return Running([str(BIN / command[0]), *command[1:]], self.folder, {**self.environment, **(env or {})})

    def run(self, *command: str, env: dict[str, str] | None = None, seconds: float = 240) -> Run:
        """Run a command of the virtual environment to its end."""
        return self.start(*command, env=env).finish(seconds)

    def playbook(
        self, name: str, *arguments: str, env: dict[str, str] | None = None, inventory: str = INVENTORY, **variables: Any
    ) -> Run:
        """Run ansible-playbook on one of the collection's playbooks, or on a file."""
        return self.run(*self.playbook_command(name, *arguments, inventory=inventory, **variables), env=env)

    def start_playbook(self, name: str, *arguments: str, env: dict[str, str] | None = None, **variables: Any) -> "Running":
        """The same, left running."""
        return self.start(*self.playbook_command(name, *arguments, **variables), env=env)

    def playbook_command(self, name: str, *arguments: str, inventory: str = INVENTORY, **variables: Any) -> list[str]:
        """The command line of a playbook run; variables go in as JSON, so that they keep their types."""
        full = name if "." in name else f"{NAMESPACE}.{name}"
        extra = ["-e", json.dumps(variables)] if variables else []
        return ["ansible-playbook", "-i", inventory, full, *extra, *arguments]

    def inventory(self, *arguments: str, source: str | list[str] = INVENTORY, env: dict[str, str] | None = None) -> Run:
        """Run ansible-inventory: forked from a process that has it imported, unless how Ansible is set up is another than ours."""
        sources = [source] if isinstance(source, str) else source
        command = [*(word for one in sources for word in ("-i", one)), *arguments]
        set_up = [name for name in (*self.environment, *(env or {})) if name.startswith("ANSIBLE_") and not name.startswith(PLUGIN_VARIABLES)]
        if set_up or not all(name.startswith(PLUGIN_VARIABLES) for name in env or {}) or self._configuration() != STOCK:
            return self.run("ansible-inventory", *command, env=env)
        home = self.environment["HOME"]
        if home not in _INVENTORIES:
            folder = Path(tempfile.mkdtemp(dir=home))
            (folder / "ansible.cfg").write_text(STOCK, encoding="utf-8")
            _INVENTORIES[home] = Forks("ansible-inventory", self.environment, folder)
        return Run(*_INVENTORIES[home].start({"folder": str(self.folder), "arguments": command}, {**self.environment, **(env or {})}).finish())

    def _configuration(self) -> str:
        return (self.folder / "ansible.cfg").read_text(encoding="utf-8")

    def hosts(self, source: str | list[str] = INVENTORY, env: dict[str, str] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Groups and host variables of a source that must be readable."""
        run = self.inventory("--list", source=source, env=env)
        assert run.rc == 0, run.err
        groups = plain(run.json())
        return groups, groups.pop("_meta")["hostvars"]

    def module(self, name: str, options: dict[str, Any], *arguments: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """Run one module ad hoc on localhost; exit status and result."""
        run = self.run("ansible", "localhost", "-m", f"{NAMESPACE}.{name}", "-a", json.dumps(options), *arguments,
                       env={"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal", **(env or {})})
        _head, arrow, result = run.out.rpartition("localhost | ")[2].partition(" => ")
        assert arrow, f"{run.out}\n{run.err}"
        return run.rc, json.JSONDecoder().raw_decode(result)[0]

    def play(self, tasks: dict[str, dict[str, Any]], *arguments: str) -> tuple[Run, dict[str, Any]]:
        """Run tasks on localhost in one playbook; the run, and what each was told by its name."""
        steps = [{"name": name, "register": name, **task} for name, task in tasks.items()]
        told = ", ".join(f"'{name}': {name}" for name in tasks)
        tell = {"name": "Tell", "ansible.builtin.debug": {"msg": f"TOLD {{{{ {{{told}}} | to_json }}}}"}}
        self.write("play.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": [*steps, tell]}])
        run = self.run("ansible-playbook", "play.yml", *arguments)
        assert run.rc == 0, run.text
        return run, json.loads(json.loads(re.search(r'"msg": ("TOLD .*")$', run.out, re.MULTILINE)[1]).removeprefix("TOLD "))


def keep(content: str, place: str) -> dict[str, Any]:
    """A task that writes a file on the controller, in check mode, too, and without the two modules that a copy takes."""
    write = "{{ lookup('ansible.builtin.pipe', 'printf %s ' ~ (content | quote) ~ ' > ' ~ (place | quote)) }}"
    return {"name": "keep", "ansible.builtin.debug": {"msg": write}, "vars": {"content": content, "place": place}}


def plain(data: Any) -> Any:
    """The values themselves: ansible-inventory wraps text that no template may come from."""
    if isinstance(data, dict):
        return data["__ansible_unsafe"] if set(data) == {"__ansible_unsafe"} else {key: plain(value) for key, value in data.items()}
    return [plain(value) for value in data] if isinstance(data, list) else data


class Running:
    """A command under way; its output goes to files, so that nothing blocks and a kill loses nothing."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        # Of its own for each: lanes run side by side.
        self._out, self._err = (Path(tempfile.mkstemp(dir=folder, prefix="command-", suffix=f".{name}")[1]) for name in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    @property
    def out(self) -> str:
        """What it printed so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 300) -> None:
        """Wait while it runs; fails by name when the command ends first or time is up."""
        deadline = time.monotonic() + seconds
        while not condition():
            ended = self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"{'the command ended' if ended else 'time was up'} before {what}\n{self.out[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL to it and to all it started, as when the controller dies."""
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def interrupt(self, number: int = signal.SIGINT, seconds: float = 60) -> Run:
        """Ctrl-C, or another signal: to it alone, for ansible's workers are in sessions of their own at a terminal, too."""
        self.process.send_signal(number)
        return self.finish(seconds)

    def finish(self, seconds: float = 240) -> Run:
        """Wait for its end; a command that does not end is killed and fails the test."""
        try:
            rc = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not ended after {seconds:.0f} s\n{self.out[-3000:]}") from None
        return Run(rc, self.out, self._err.read_text(encoding="utf-8", errors="replace"))


def descendants(pid: int) -> list[int]:
    """All processes below this one; ansible's workers have sessions of their own, so the process group does not name them."""
    below: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            for child in map(int, path.read_text(encoding="ascii").split()):
                below += [child, *descendants(child)]
    return below
