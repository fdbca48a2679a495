# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the guests over SSH, as a watcher would: nothing of it goes through the collection or the simulator."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("on_guest.py")
_SECONDS = 20.0
_AT_ONCE = 4


def look(addresses: Mapping[str, str], how: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is seen on each guest (name to address): see `promises.Looks`. `how` is what Guests.describe() says."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(addresses, pool.map(lambda address: _look_at(address, how), addresses.values()), strict=True))


def look_when_well(
    addresses: Mapping[str, str], how: Mapping[str, Any], seconds: float = 15.0
) -> dict[str, dict[str, Any]]:
    """The same once every guest answers and every HAProxy server is up, or as it is after so many seconds."""
    deadline = time.monotonic() + seconds
    seen = look(addresses, how)
    while (unwell := {name for name, one in seen.items() if not _is_well(one)}) and time.monotonic() < deadline:
        time.sleep(0.5)
        seen |= look({name: addresses[name] for name in unwell}, how)
    return seen


def _is_well(one: Mapping[str, Any]) -> bool:
    return "error" not in one and all(status.startswith("UP") for status in one["servers"].values())


def _look_at(address: str, how: Mapping[str, Any]) -> dict[str, Any]:
    command = [
        "ssh",
        "-F",
        "none",
        "-i",
        how["private_key"],
        "-p",
        str(how["port"]),
        *shlex.split(how["ssh_common_args"]),
    ]
    command += ["-o", "BatchMode=yes", f"{how['user']}@{address}", how["python"], "-"]
    try:
        with _SCRIPT.open("rb") as script:
            done = subprocess.run(command, stdin=script, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer over SSH from {address} in {_SECONDS:.0f} s"}
    except subprocess.CalledProcessError as error:
        return {"error": f"{address}: {error.stderr.strip() or f'ssh ended with {error.returncode}'}"}
    return json.loads(done.stdout)
