# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments with a real client each, and commands run there that know of no Azure but the simulated one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from integration.cli import ROOT, Run

HOME = ROOT / "build" / "clients"
PIP_SECONDS = 3600
COMMAND_SECONDS = 600


class Broken(Exception):
    """An environment that could not be made; the message says why and where the log is."""


class Client:
    """The environment build/clients/NAME, of the interpreter that runs the tests; kept until `make clean`."""

    def __init__(self, name: str) -> None:
        self.folder = HOME / name
        self.bin = self.folder / "bin"
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.site_packages = self.folder / "lib" / version / "site-packages"
        self._log = HOME / f"{name}.log"
        self._stamp = self.folder / ".ready"

    def install(self, *steps: Sequence[str | Path]) -> None:
        """Make it by `pip install` of each step in turn, unless the same steps have made it before; raises Broken."""
        recipe = json.dumps([sys.version, [[str(word) for word in step] for step in steps]])
        if self._stamp.exists() and self._stamp.read_text(encoding="utf-8") == recipe:
            return
        HOME.mkdir(parents=True, exist_ok=True)
        self._log.write_text("", encoding="utf-8")
        self._make("venv", [sys.executable, "-m", "venv", "--clear", str(self.folder)])
        pip = [str(self.bin / "python"), "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check"]
        for step in steps:
            self._make("pip", [*pip, *map(str, step)])
        self._stamp.write_text(recipe, encoding="utf-8")

    def _make(self, tool: str, command: list[str]) -> None:
        """With the caller's environment, which says how the package index is reached."""
        try:
            done = subprocess.run(command, check=False, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=PIP_SECONDS)
            said, good = done.stdout, done.returncode == 0
        except subprocess.TimeoutExpired:
            said, good = f"nothing within {PIP_SECONDS} s", False
        with self._log.open("a", encoding="utf-8") as log:
            log.write(said)
        if not good:
            lines = [line for line in said.splitlines() if line.strip() and not line.startswith("WARNING")]
            errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
            where, log_file = self.folder.relative_to(ROOT), self._log.relative_to(ROOT)
            raise Broken(f"{where} cannot be made, {tool} failed: {' '.join(errors)} (log: {log_file})")

    def version(self, name: str) -> str:
        """The version that is installed of a distribution or, if the name has a dot, of a collection."""
        if "." in name:
            manifest = self.site_packages.joinpath("ansible_collections", *name.split("."), "MANIFEST.json")
            return json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
        script = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
        command = [str(self.bin / "python"), "-c", script, name]
        done = subprocess.run(command, check=True, text=True, capture_output=True, timeout=60)
        return done.stdout.strip()

    def run(self, command: str, *arguments: str, home: Path, env: dict[str, str]) -> Run:
        """Run a command in `home` with `env` and next to nothing of the caller's: no CA bundle, proxy or setting."""
        kept = {name: os.environ[name] for name in ("TMPDIR", "TZ") if name in os.environ}
        own = {"PATH": f"{self.bin}:{os.defpath}", "HOME": str(home), "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
        done = subprocess.run([str(self.bin / command), *arguments], check=False, text=True, cwd=home,
                              env={**kept, **own, **env}, capture_output=True, stdin=subprocess.DEVNULL,
                              timeout=COMMAND_SECONDS)
        return Run(done.returncode, done.stdout, done.stderr)
