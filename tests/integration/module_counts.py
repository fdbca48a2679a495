# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts module executions on guests, which are not tasks: one task may take several, and one that is skipped or delegated none.

`install` makes a program for `ansible_python_interpreter`; each guest then has a log of its own, which survives redeploys.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

PROGRAM = Path(__file__).with_name("traffic") / "python_that_counts.py"


def install(folder: Path, python: str) -> Path:
    """Write the program into a folder that guests see; `python` is the interpreter that runs the modules."""
    program = folder / PROGRAM.stem
    # Isolated and without site: a third of the start-up.
    program.write_text(f"#!{python} -IS\nREAL_PYTHON = {python!r}\n{PROGRAM.read_text(encoding='utf-8')}", encoding="utf-8")
    program.chmod(0o755)
    return program


def executions(state: Path, names: Iterable[str], since: float = 0.0) -> dict[str, list[str]]:
    """Modules that ran on each guest, in order; `state` is the simulator's directory, `since` is in seconds since 1970."""
    return {name: [module for when, module in _read(state / "guests" / name / "log" / "modules.log") if when >= since] for name in names}


def table(ran: dict[str, list[str]]) -> str:
    """For reading: hosts that ran the same modules share a line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, modules in ran.items():
        alike.setdefault(tuple(modules), []).append(name)
    return "\n".join(f"{len(modules):3} on {', '.join(names)}: {' '.join(modules)}" for modules, names in sorted(alike.items()))


def _read(log: Path) -> list[tuple[float, str]]:
    lines = log.read_text(encoding="ascii").splitlines() if log.exists() else []
    return [(float(when), name) for when, name in (line.split(" ", 1) for line in lines)]
