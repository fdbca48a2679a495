# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: starts, announces itself, ends cleanly."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import simulator
import yaml
from simulator.fleet.generate import fleet
from simulator.guests import Guests
from simulator.server import Simulator

PACKAGE = Path(simulator.__file__).parent


def start(*arguments):
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "simulator", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_start_and_end(tmp_path, number):
    process = start(
        "--fleet", PACKAGE / "fleets" / "small.yml", "--state", tmp_path / "state", "--env", tmp_path / "e.sh"
    )
    try:
        assert select.select([process.stdout], [], [], 10)[0]
        first = process.stdout.readline()
        text = (tmp_path / "e.sh").read_text(encoding="utf-8")
        assert first in text and "AZURE_CLOUD_ENVIRONMENT=https://127.0.0.1:" in text
        assert (tmp_path / "e.sh").stat().st_mode & 0o077 == 0
        process.send_signal(number)
        dummy, errors = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    assert (tmp_path / "state" / "state.json").exists()


def test_how_guests_are_reached_is_written_for_group_vars(tmp_path):
    if Guests.check():
        pytest.skip("; ".join(Guests.check()))
    (tmp_path / "fleet.yml").write_text("vms: [{name: a, resource_group: rg, region: westeurope, guest: null}]\n", encoding="utf-8")
    process = start("--fleet", tmp_path / "fleet.yml", "--state", tmp_path / "state", "--guests")
    try:
        lines = iter(process.stdout.readline, "")
        assert any("group_vars/all.yml" in line for line in lines)
        found = yaml.safe_load((tmp_path / "state" / "guests.yml").read_text(encoding="utf-8"))
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert (found["ansible_user"], found["ansible_port"]) == ("root", 2222) and Path(found["ansible_python_interpreter"]).exists()
    assert Path(found["ansible_ssh_private_key_file"]).is_absolute()


def test_help_names_every_option_and_an_example_that_is_there():
    process = start("--help")
    text, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    assert text.startswith("usage: python -m simulator --fleet FILE --state DIR")
    assert all(f"  {option}" in text for option in ("--fleet", "--state", "--port", "--guests", "--env", "--fresh", "--latency-ms"))
    assert "tests/simulator/fleets/demo.yml" in text and (PACKAGE / "fleets" / "demo.yml").exists()


def test_a_wrong_fleet_is_one_line(tmp_path):
    (tmp_path / "wrong.yml").write_text("vms: [{name: a, powr: off}]\n", encoding="utf-8")
    process = start("--fleet", tmp_path / "wrong.yml", "--state", tmp_path)
    dummy, errors = process.communicate(timeout=10)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1 and "vms[0]" in errors and "'powr'" in errors


def test_starts_in_process_within_a_second(tmp_path):
    before = time.monotonic()
    with Simulator(fleet(500), tmp_path):
        assert time.monotonic() - before < 1
