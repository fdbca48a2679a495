# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `ansible-test sanity` on a copy of the checkout; arguments are passed on to ansible-test."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "build" / "log" / "sanity.log"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# what pip says while ansible-test makes its environments; the log has it all
PIP_CHATTER = re.compile(
    r"Installing requirements|Using cached|Looking in |Collecting |Processing /|Installing collected|Successfully installed"
    r"|Requirement already|WARNING: (Location|Using locale|Reviewing previous 1 warning)|  (Downloading|Using cached|Obtaining) |\s*$|\s+━"
)


def copy_checkout(target: Path) -> None:
    """Copies tracked and new, but not ignored, files to target: below an ignored folder ansible-test skips everything."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and (source.is_symlink() or source.is_file()):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)


def provide_pip() -> None:
    """Puts our get_pip.py where ansible-test looks, so that its environments need no download from beyond PyPI."""
    spec = find_spec("ansible_test")
    folder = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
    source = (folder / "_internal" / "python_requirements.py").read_text(encoding="utf-8") if folder else ""
    for version in re.findall(r"\bpip='([0-9.]+)'", source):
        cached = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
        if not cached.exists():
            cached.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(__file__).with_name("get_pip.py"), cached)


def run(collection: Path, arguments: list[str]) -> int:
    """Runs ansible-test in the copy, passing its output through; returns its status, or 1 if it tested nothing."""
    # only real interpreters on PATH: a version manager's stand-in for an absent one ends ansible-test
    path = os.pathsep.join([str(Path(sys.executable).parent), SYSTEM_PATH])
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [str(Path(sys.executable).with_name("ansible-test")), "sanity", "--python", version, *arguments]
    skipped = False
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("w", encoding="utf-8") as log, subprocess.Popen(
        command, cwd=collection, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            skipped = skipped or "All targets skipped" in line
            log.write(line)
            if not PIP_CHATTER.match(line):
                print(line, end="", flush=True)
    if process.returncode:
        print(f"make sanity: all that was said is in {LOG.relative_to(ROOT)}", file=sys.stderr)
    if skipped:
        print("make sanity: ansible-test exited without testing anything", file=sys.stderr)
    return process.returncode or int(skipped)


def main() -> int:
    """Copies, tests, cleans up; returns the exit status."""
    provide_pip()
    with tempfile.TemporaryDirectory(prefix="azure_maintenance-sanity-") as scratch:
        collection = Path(scratch) / "ansible_collections" / "fleetops" / "azure_maintenance"
        copy_checkout(collection)
        return run(collection, sys.argv[1:])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
