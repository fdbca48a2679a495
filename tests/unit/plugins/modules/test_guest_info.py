# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""guest_info, the whole module in this process."""

from __future__ import annotations

import os
import socket

import pytest
import yaml
from unit.plugins.marks import run_module

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import state
from ansible_collections.fleetops.azure_maintenance.plugins.modules import guest_info


@pytest.fixture
def info(capsys, monkeypatch, tmp_path):
    """The module on a guest with init scripts: nginx runs, cron does not; a temporary disk is at tmp_path/mnt."""
    monkeypatch.setattr(state, "has_systemd", lambda: False)
    monkeypatch.setattr(state, "INIT_SCRIPTS", str(tmp_path / "init.d"))
    monkeypatch.setattr(state, "service_manager", lambda: "sysvinit")
    for folder in ("init.d", "bin", "mnt"):
        (tmp_path / folder).mkdir()
    for name in ("nginx", "cron"):
        (tmp_path / "init.d" / name).write_text("")
    (tmp_path / "bin" / "service").write_text('#!/bin/sh\n[ "$2" = status ] && [ "$1" = nginx ] || exit 3\n')
    (tmp_path / "bin" / "service").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    monkeypatch.setattr(state, "mounts", lambda: {"/": "/dev/sda1", str(tmp_path / "mnt"): "/dev/sdb1"})
    return lambda code=0, **params: run_module(guest_info, capsys, code, **params)


def test_all_of_it_is_as_documented(info, tmp_path):
    (tmp_path / "mnt" / "x").write_text("four")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        result = info(services=["nginx", "cron", "apache2"], ports=[port, 1], temp_disk=str(tmp_path / "mnt"), addresses=["127.0.0.1", "192.0.2.1"])
    result.pop("invocation")
    disk = {"mount": str(tmp_path / "mnt"), "device": "/dev/sdb1", "certain": False, "in_use": True, "files": [str(tmp_path / "mnt" / "x")],
            "bytes": 4, "count": 1}
    assert result == {
        "changed": False, "boot_id": state.boot_id(), "failed_units": [], "service_manager": "sysvinit",
        "services": {"nginx": "running", "cron": "stopped", "apache2": "missing"},
        "listening": [port], "foreign": ["192.0.2.1"], "mounts": ["/", str(tmp_path / "mnt")],
        "temp_disk": {**disk, "mounted": True, "disks": [{**disk, "local": False}]}}
    documented = yaml.safe_load(guest_info.RETURN)
    assert set(result) - {"changed"} == set(documented) and set(result["temp_disk"]) == set(documented["temp_disk"]["contains"])
    assert set(result["temp_disk"]["disks"][0]) == set(documented["temp_disk"]["contains"]["disks"]["contains"])


@pytest.mark.parametrize("check", [False, True])
def test_nothing_asked_is_little_read(info, monkeypatch, check):
    for name in ("listening", "temporary_disk"):
        monkeypatch.setattr(state, name, lambda *arguments: pytest.fail("was not asked for"))
    result = info(check=check)
    assert (result["services"], result["listening"], result["temp_disk"], result["changed"]) == ({}, [], None, False)


def test_names_that_are_no_text_come_back_all_the_same(info, tmp_path):
    with open(os.path.join(os.fsencode(tmp_path / "mnt"), b"caf\xe9"), "wb"):
        pass
    assert info(temp_disk=str(tmp_path / "mnt"))["temp_disk"]["count"] == 1


@pytest.mark.parametrize("params, words", [
    ({"address": "no.such.host.invalid", "ports": [80]}, "the address no.such.host.invalid of the ports means nothing on this guest"),
    ({"ports": ["http"]}, "ports"), ({"temp_disk": "/mnt", "temp_disc": 1}, "temp_disc")])
def test_what_cannot_be_read_is_one_message(info, params, words):
    result = info(1, **params)
    assert result["failed"] and words in result["msg"] and "exception" not in result


def test_a_service_manager_that_does_not_tell_is_one_message(info, tmp_path):
    (tmp_path / "bin" / "service").write_text("#!/bin/sh\necho not for you >&2; exit 4\n")
    result = info(1, services=["nginx"])
    assert result["msg"] == "service nginx status cannot tell: not for you; become root for it"
