# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest is like: its services, its listeners and its mounts."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import state
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.state import (
    GuestError, boot_id, failed_units, foreign, listening, mounts, service_manager, service_states,
)


class Commands:
    """AnsibleModule.run_command with recorded answers."""

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), []

    def __call__(self, arguments):
        self.calls.append(arguments)
        return self.answers.pop(0)


# -- services -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def systemd(monkeypatch):
    monkeypatch.setattr(state, "has_systemd", lambda: True)


@pytest.fixture
def sysv(monkeypatch, tmp_path):
    """A folder of init scripts, with one of nginx."""
    monkeypatch.setattr(state, "has_systemd", lambda: False)
    monkeypatch.setattr(state, "INIT_SCRIPTS", str(tmp_path))
    (tmp_path / "nginx").write_text("")


@pytest.mark.parametrize("load, active, state", [
    ("loaded", "active", "running"), ("loaded", "inactive", "stopped"), ("loaded", "failed", "stopped"), ("loaded", "activating", "running"),
    ("loaded", "deactivating", "running"), ("loaded", "reloading", "running"), ("loaded", "refreshing", "running"), ("loaded", "maintenance", "stopped"),
    ("masked", "inactive", "stopped"), ("masked", "active", "running"), ("not-found", "inactive", "missing"), ("not-found", "active", "missing"),
    ("bad-setting", "inactive", "missing"), ("error", "inactive", "missing")])
def test_states_of_systemd(systemd, load, active, state):
    run = Commands((0, f"LoadState={load}\nActiveState={active}\n", ""))
    assert service_states(["nginx"], run) == {"nginx": state}
    assert run.calls == [["systemctl", "show", "--property=LoadState,ActiveState", "--", "nginx"]]


@pytest.mark.parametrize("said", [
    (1, "", "Failed to connect to bus"), (1, "No such method", ""), (0, "", ""), (0, "LoadState=loaded\n", ""), (0, "ActiveState=\n", "")])
def test_a_systemd_that_does_not_tell_is_no_state(systemd, said):
    with pytest.raises(GuestError, match="systemctl .*nginx"):
        service_states(["nginx"], Commands(said))


@pytest.mark.parametrize("status, state", [(0, "running"), (1, "stopped"), (2, "stopped"), (3, "stopped")])
def test_states_of_init_scripts(sysv, status, state):
    run = Commands((status, "", ""))
    assert service_states(["nginx", "apache2"], run) == {"nginx": state, "apache2": "missing"} and run.calls == [["service", "nginx", "status"]]


def test_an_init_script_that_may_not_look_is_no_state(sysv):
    with pytest.raises(GuestError, match="nginx status cannot tell: may not read the pid file; become root"):
        service_states(["nginx"], Commands((4, "", "may not read the pid file\n")))


@pytest.mark.parametrize("text, units", [
    ("", []), ("nginx.service loaded failed failed A web server\nlogrotate.service loaded failed failed\n", ["logrotate.service", "nginx.service"]),
    ("● nginx.service loaded failed failed\n\n* dev-sdb1.device loaded failed failed\n", ["dev-sdb1.device", "nginx.service"])])
def test_failed_units_with_the_bullets_of_older_versions_and_without(systemd, text, units):
    assert failed_units(Commands((0, text, ""))) == units


def test_failed_units_that_cannot_be_listed_are_not_none(systemd, monkeypatch):
    with pytest.raises(GuestError, match="cannot list failed units: no bus"):
        failed_units(Commands((1, "", "no bus\n")))
    monkeypatch.setattr(state, "has_systemd", lambda: False)
    assert failed_units(Commands()) == []


@pytest.mark.parametrize("there, init, manager", [
    (["/run/systemd/system", "/etc/init.d", "/etc/rc2.d"], "systemd", "systemd"), (["/etc/init.d", "/etc/rc2.d"], "init", "sysvinit"),
    (["/etc/init.d", "/etc/rc2.d"], "sh", "auto"), (["/etc/init.d", "/etc/rc2.d", "/sbin/openrc"], "init", "auto"), (["/etc/init.d"], "init", "auto"),
    ([], "init", "auto"), (["/etc/init.d", "/etc/rc2.d"], None, "auto")])
def test_the_service_manager_is_named_only_where_it_is_certain(monkeypatch, tmp_path, there, init, manager):
    monkeypatch.setattr(os.path, "isdir", lambda path: path in there)
    monkeypatch.setattr(os.path, "exists", lambda path: path in there)
    if init:
        (tmp_path / "comm").write_text(f"{init}\n")
    assert service_manager(str(tmp_path / "comm")) == manager


def test_the_boot_id(tmp_path):
    (tmp_path / "boot_id").write_text("1d3f4b0e-6a0c-4c1e-9d43-6a6f9f0e6a10\n")
    assert boot_id(str(tmp_path / "boot_id")) == "1d3f4b0e-6a0c-4c1e-9d43-6a6f9f0e6a10" and len(boot_id()) == 36
    with pytest.raises(GuestError, match="is this a Linux guest"):
        boot_id(str(tmp_path / "none"))


# -- ports ----------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listener(address, only_v6=True):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as server:
        if ":" in address:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
        try:
            server.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                pytest.skip(f"this machine has no {address}")
            raise
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize("at, asked, heard", [
    ("127.0.0.1", "127.0.0.1", True), ("127.0.0.1", "localhost", True), ("127.0.0.1", "127.0.0.2", False), ("127.0.0.1", "::1", False),
    ("127.77.0.9", "127.0.0.1", False), ("127.77.0.9", "127.77.0.9", True), ("0.0.0.0", "127.0.0.1", True), ("0.0.0.0", "10.1.2.3", True),
    ("0.0.0.0", "::1", False), ("::1", "::1", True), ("::1", "0:0:0:0:0:0:0:1", True), ("::1", "127.0.0.1", False), ("::1", "fe80::1%lo", False),
    ("::", "::1", True), ("::", "127.0.0.1", True), ("::ffff:127.0.0.1", "127.0.0.1", True), ("::ffff:127.77.0.9", "127.0.0.1", False),
    ("::ffff:0.0.0.0", "127.0.0.1", True)])
def test_real_listeners_at_an_address(at, asked, heard):
    with listener(at, only_v6=False) as port:
        assert listening(asked, [port, port, 1]) == ([port] if heard else [])


def test_connections_and_bound_sockets_are_no_listeners():
    with listener("127.0.0.1") as port, socket.create_connection(("127.0.0.1", port)) as client, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert listening("127.0.0.1", [port, client.getsockname()[1], bound.getsockname()[1]]) == [port]


def test_ports_that_cannot_be_read_are_not_silent(tmp_path):
    (tmp_path / "tcp").write_text("sl local\n")
    assert listening("127.0.0.1", [80], (str(tmp_path / "tcp"), str(tmp_path / "tcp6"))) == [], "a kernel without IPv6"
    with pytest.raises(GuestError, match="which ports are listened on cannot be read"):
        listening("127.0.0.1", [80], (str(tmp_path / "none"), str(tmp_path / "tcp")))
    with pytest.raises(GuestError, match="which ports are listened on cannot be read"):
        listening("127.0.0.1", [80], (str(tmp_path / "tcp"), str(tmp_path)))
    with pytest.raises(GuestError, match="the address no.such.host.invalid of the ports means nothing on this guest"):
        listening("no.such.host.invalid", [80])


# -- mounts ---------------------------------------------------------------------------------------------------------------


def test_mounts_are_read_as_the_kernel_writes_them(tmp_path):
    (tmp_path / "mounts").write_bytes(
        b"/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /mnt ext4 rw 0 0\n//nas/a\\040b /srv/with\\040blank\\011tab\\012line cifs rw 0 0\n"
        b"back\\134slash /srv/\\134040 tmpfs rw 0 0\nhash\\043tag /srv/\\043 tmpfs rw 0 0\n/dev/sdc1 /srv/hidden ext4 rw 0 0\n"
        b"/dev/sdd1 /srv/hidden ext4 rw 0 0\nx /srv/no\xc2\xa0break tmpfs rw 0 0\nx /srv/\xff tmpfs rw 0 0\nx /srv/return\rx tmpfs rw 0 0\n\n")
    assert mounts(str(tmp_path / "mounts")) == {
        "/": "/dev/sda1", "/mnt": "/dev/sdb1", "/srv/with blank\ttab\nline": "//nas/a b", "/srv/\\040": "back\\slash", "/srv/#": "hash#tag",
        "/srv/hidden": "/dev/sdd1", "/srv/no\u00a0break": "x", "/srv/\udcff": "x", "/srv/return\rx": "x"}
    with pytest.raises(GuestError, match="the mounts .* cannot be read"):
        mounts(str(tmp_path / "none"))


def test_the_mounts_of_this_machine_have_a_root():
    found = mounts()
    assert "/" in found and "/proc" in found and all(os.path.isabs(place) for place in found)


def test_which_addresses_are_not_this_guests():
    """A connection is never seen at the address by which the rest of the world knows it; 192.0.2.0/24 is nobody's."""
    own = ["127.0.0.1", "0.0.0.0", "localhost"]
    assert foreign([*own, "192.0.2.1", "no.such.host.invalid"]) == ["192.0.2.1", "no.such.host.invalid"]
    assert foreign([]) == []
