# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of marks share: marks, processes that race, die or are nobody, and modules run through their main()."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

NOBODY = 65534
NOW = "2026-03-02T08:16:02Z"
LATER = "2026-03-02T09:00:00Z"
SERVICES = {"provider": "services", "services": ["nginx"]}
HAPROXY = {"provider": "haproxy", "server": "web-01", "socket": "/run/haproxy/admin.sock", "backends": ["web"], "unhealthy": [], "taken_out": []}


def mark(run_id: str = "one", *undo: dict[str, t.Any], **fields: t.Any) -> dict[str, t.Any]:
    """A mark as a run hands it to MarkFile."""
    return {"version": 1, "run_id": run_id, "owner": f"{run_id}@bastion", "host": "web-01", "step": "drain", "since": NOW, "heartbeat": NOW,
            "expires": LATER, "undo": list(undo), **fields}


def in_child(action: t.Callable[[], t.Any], user: int | None = None) -> int:
    """Begin ``action`` in a fork, as ``user`` where that can be had; where its answer comes, see :func:`answer`."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return reading
    try:
        if user is not None and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        told: t.Any = ["answer", action()]
    except BaseException as error:  # pylint: disable=broad-exception-caught  # the parent has to hear of every kind
        told = [type(error).__name__, str(error)]
    os.write(writing, json.dumps(told).encode())
    os._exit(0)


def answer(reading: int) -> tuple[str, t.Any]:
    """``("answer", what the action returned)``, or name and text of what it raised."""
    with os.fdopen(reading, "rb") as file:
        said = file.read()
    os.wait()
    kind, value = json.loads(said)
    return kind, value


def race(*actions: t.Callable[[], t.Any]) -> list[tuple[str, t.Any]]:
    """Let all actions begin at once, each in a process of its own; their answers."""
    gate, hold = os.pipe()

    def when_open(action: t.Callable[[], t.Any]) -> t.Any:
        os.close(hold)
        os.read(gate, 1)
        return action()

    readings = [in_child(lambda action=action: when_open(action)) for action in actions]
    os.close(gate)
    os.close(hold)
    return [answer(reading) for reading in readings]


@contextlib.contextmanager
def open_to_all() -> t.Iterator[Path]:
    """A folder that nobody may enter as well; those of pytest are for its own user only."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def run_module(module: t.Any, capsys: pytest.CaptureFixture[str], code: int = 0, *, check: bool = False, **params: t.Any) -> dict[str, t.Any]:
    """What a module says when it is called with these parameters; it must end with this exit status."""
    with patch_module_args({"_ansible_check_mode": check, **params}), pytest.raises(SystemExit) as ended:
        module.main()
    result = json.loads(capsys.readouterr().out)
    assert ended.value.code == code, result
    return result
