# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest is a machine of its own: identity, files, redeploy, halt, leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from simulator.guests import GuestError, Guests
from unit.guests.guest_fleet import DB_01, NET, TESTS, WEB_01, Fleet, can_connect, require_guests, wait_until

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def processes_of(state: Path) -> list[str]:
    """Command lines of all processes that name the state directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"{state}/" in command and entry.name != str(os.getpid()):
            found.append(command)
    return found


def namespaces_with(state: Path) -> list[str]:
    """Processes in whose mount namespace something of the state directory is mounted."""
    found = []
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if f"{state}/" in table.read_text():
                found.append(str(table))
        except OSError:
            continue
    return found


def test_guests_are_different_machines(fleet: Fleet) -> None:
    machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    seen = [
        fleet.ssh(name, f"{BOOT_ID}; hostname; cat /etc/hostname /etc/machine-id; cat /etc/ssh/*.pub").split("\n")
        for name in ("web-01", "web-02")
    ]
    assert [one[1:3] for one in seen] == [["web-01", "web-01"], ["web-02", "web-02"]]
    assert len({one[0] for one in seen} | {machine}) == 3
    assert len({one[3] for one in seen}) == 2
    assert len({one[4] for one in seen}) == 2


def test_files_of_one_guest_are_seen_by_no_other(fleet: Fleet) -> None:
    fleet.ssh("web-01", "echo '{\"step\": 1}' > /etc/ansible/facts.d/own.fact; touch /run/own /mnt/own /srv/own ~/own")
    paths = "/etc/ansible/facts.d/own.fact /run/own /mnt/own /srv/own ~/own"
    assert fleet.ssh("web-02", f"ls {paths} 2>/dev/null | wc -l") == "0"
    assert not any(Path(path).expanduser().exists() for path in paths.split())
    assert fleet.ssh("web-01", "ps -e -o comm= | grep -c haproxy || true") == "0"


def test_a_guest_has_no_secret_of_the_machine(fleet: Fleet) -> None:
    etc = fleet.state / "guests" / "web-01" / "etc"
    assert (etc / "shadow").read_text().startswith("root:*:")
    assert not (etc / "ssl" / "private").exists()
    for path in Path("/etc").glob("**/*"):
        if path.is_file() and not path.is_symlink() and not path.stat().st_mode & 0o004:
            copy = etc / path.relative_to("/etc")
            assert not copy.exists() or copy.read_bytes() != path.read_bytes(), copy
    assert "PYTEST_CURRENT_TEST" not in fleet.ssh("web-01", "tr '\\0' '\\n' < /proc/1/environ")


def test_redeploy_keeps_the_disk_only(fleet: Fleet) -> None:
    before = fleet.ssh("web-01", BOOT_ID)
    fleet.ssh("web-01", "echo kept > /etc/ansible/facts.d/mark.fact; echo kept > /srv/data; touch /mnt/lost /run/lost")
    fleet.guests.halt("web-01")
    assert not can_connect(WEB_01, 2222)
    given = fleet.guests.boot("web-01", WEB_01)
    assert given != before
    assert fleet.ssh("web-01", BOOT_ID) == given
    assert fleet.ssh("web-01", "cat /etc/ansible/facts.d/mark.fact /srv/data") == "kept\nkept"
    assert fleet.ssh("web-01", "ls /mnt; ls /run | grep lost || true") == "DATALOSS_WARNING_README.txt"
    assert fleet.ssh("web-01", "findmnt -n -o FSTYPE /mnt") == "tmpfs"


def test_boot_takes_the_boot_id_and_the_address_it_is_given(fleet: Fleet) -> None:
    fleet.guests.halt("db-01")
    chosen = "11111111-2222-4333-8444-555555555555"
    assert fleet.guests.boot("db-01", f"{NET}.99", boot_id=chosen) == chosen
    try:
        assert can_connect(f"{NET}.99", 5432)
        assert not can_connect(DB_01, 2222)
        assert not can_connect(DB_01, 5432)
    finally:
        fleet.guests.halt("db-01")


def test_halt_cuts_an_open_session(fleet: Fleet) -> None:
    session = subprocess.Popen(
        [*fleet.ssh_command("web-01"), "echo here; sleep 60"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert session.stdout.readline() == "here\n"
    began = time.monotonic()
    fleet.guests.halt("web-01")
    assert session.wait(5) == 255
    assert time.monotonic() - began < 2
    session.stdout.close()


def test_create_keeps_and_wipe_os_forgets(fleet: Fleet) -> None:
    fleet.ssh("db-01", "touch /etc/ansible/facts.d/mark.fact /srv/data; update-rc.d db disable")
    key = fleet.ssh("db-01", "cat /etc/ssh/ssh_host_ed25519_key.pub")
    with pytest.raises(GuestError, match="db-01: halt it"):
        fleet.guests.wipe_os("db-01")
    fleet.guests.halt("db-01")
    fleet.guests.create("db-01", DB_01, {"services": ["db"]})
    fleet.guests.boot("db-01", DB_01)
    assert fleet.ssh("db-01", "ls /etc/ansible/facts.d/mark.fact /srv/data | wc -l; service db status; true") == (
        "2\ndb is stopped"
    )
    fleet.guests.halt("db-01")
    fleet.guests.wipe_os("db-01")
    fleet.guests.boot("db-01", DB_01)
    assert fleet.ssh("db-01", "ls /etc/ansible/facts.d /srv; service db status") == (
        "/etc/ansible/facts.d:\n\n/srv:\napp\nroot\ndb is running"
    )
    assert fleet.ssh("db-01", "cat /etc/ssh/ssh_host_ed25519_key.pub") != key


def test_a_taken_address_is_an_error_with_the_log(fleet: Fleet) -> None:
    fleet.guests.halt("db-01")
    with pytest.raises(GuestError, match=f"(?s)db-01: did not boot on {WEB_01}.*[Aa]ddress already in use"):
        fleet.guests.boot("db-01", WEB_01)
    assert not fleet.guests.running("db-01")
    with pytest.raises(GuestError, match="web-01: is running already"):
        fleet.guests.boot("web-01", WEB_01)


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        ("Upper", {}, "host name"),
        ("../up", {}, "host name"),
        ("web-09", {"services": ["mail"]}, "not known here: mail"),
        ("web-09", {"service": ["web"]}, "not known here: service"),
        ("web-09", {"services": ["web"], "web": {"delay": 1}}, "not known here: web.delay"),
        ("lb-09", {"balancer": {"port": 80}}, "needs `port` and `backends`"),
    ],
)
def test_a_bad_spec_is_refused_and_leaves_nothing(tmp_path: Path, name: str, spec: dict, message: str) -> None:
    guests = Guests(tmp_path)
    with pytest.raises(GuestError, match=message):
        guests.create(name, f"{NET}.50", spec)
    with pytest.raises(GuestError, match="never created"):
        guests.boot(name, f"{NET}.50")
    assert list(tmp_path.iterdir()) == []


def test_many_boot_in_parallel_and_nothing_is_left(tmp_path: Path) -> None:
    require_guests()
    guests = Guests(tmp_path)
    addresses = {f"web-{number:02d}": f"{NET}.{100 + number}" for number in range(1, 18)}
    failures: list[Exception] = []

    def make(name: str) -> None:
        try:
            guests.create(name, addresses[name], {"services": ["web"]})
            guests.boot(name, addresses[name])
        except GuestError as error:
            failures.append(error)

    began = time.monotonic()
    threads = [threading.Thread(target=make, args=(name,)) for name in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    try:
        assert failures == []
        # The threads that booted them have ended, the guests have not.
        assert all(can_connect(address, 8080) for address in addresses.values())
        assert len(namespaces_with(tmp_path)) >= 2 * len(addresses)
        assert took < 20
    finally:
        guests.stop_all()
    assert processes_of(tmp_path) == []
    assert namespaces_with(tmp_path) == []


def test_guests_die_with_the_process_that_booted_them(tmp_path: Path) -> None:
    require_guests()
    code = (
        "import sys, time; from pathlib import Path; from simulator.guests import Guests\n"
        "g = Guests(Path(sys.argv[1]))\n"
        "g.create('db-01', sys.argv[2], {'services': ['db']}); g.boot('db-01', sys.argv[2])\n"
        "print('up', flush=True); time.sleep(60)"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", code, f"{tmp_path}/state", f"{NET}.30"]
    owner = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline() == "up\n"
    assert can_connect(f"{NET}.30", 5432)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    wait_until(lambda: not namespaces_with(tmp_path / "state"), "the guest is gone", 5)
    assert processes_of(tmp_path / "state") == []
    assert not can_connect(f"{NET}.30", 2222)


def test_check_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.guests.check.shutil.which", lambda *_, **__: None)
    monkeypatch.setattr("simulator.guests.check.os.geteuid", lambda: 1000)
    problems = Guests.check()
    assert "sshd is missing: apt-get install openssh-server" in problems
    assert "haproxy is missing: apt-get install haproxy" in problems
    assert any(problem.startswith("guests need root: ") for problem in problems)
