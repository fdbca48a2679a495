# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""maintenance_mark on balancers, and balancer_info: the half that runs there, in this process: beside a real HAProxy, and beside one that misbehaves."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest
from unit.plugins.marks import LATER, NOBODY, NOW, answer, in_child, mark, open_to_all, run_module

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.haproxy import ask, table
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.mark_file import MarkFile
from ansible_collections.fleetops.azure_maintenance.plugins.modules import balancer_info, maintenance_mark

STAMP = {"version": 1, "host": "web-01", "process": {"machine": "m", "pid": 7, "started": "1"}, "since": NOW, "heartbeat": NOW, "expires": LATER}
CONFIG = """
global
    stats socket {folder}/admin.sock mode 600 level admin
    stats socket {folder}/operator.sock mode 600 level operator
    stats socket {folder}/user.sock mode 600 level user
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
backend plain
    server web-01 127.0.0.1:{up}
    server web-02 127.0.0.1:{up}
backend checked
    server web-01 127.0.0.1:{up} check inter 50ms fall 1
    server down 127.0.0.1:{down} check inter 50ms fall 1
backend off
    server web-01 127.0.0.1:{up} disabled
backend spare
    server web-01 127.0.0.1:{up}
"""


def admin(path, command):
    return ask(str(path), command).strip()


@pytest.fixture(scope="module")
def haproxy():
    """Folder of the sockets of a HAProxy whose one checked server is up and the other down."""
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no haproxy on this machine")
    with open_to_all() as folder, socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refused
        config = folder / "haproxy.cfg"
        config.write_text(CONFIG.format(folder=folder, up=server.getsockname()[1], down=closed.getsockname()[1]))
        with subprocess.Popen([program, "-db", "-f", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                deadline = time.monotonic() + 10
                while not ((folder / "admin.sock").exists() and "checked,down" in admin(folder / "admin.sock", "show stat")
                           and states(folder)["checked", "down"] == "DOWN" and states(folder)["checked", "web-01"] == "UP"):
                    assert process.poll() is None and time.monotonic() < deadline
                    time.sleep(0.02)
                yield folder
            finally:
                process.terminate()


def states(folder):
    rows = table(ask(str(folder / "admin.sock"), "show stat"), ",")
    return {(row["pxname"], row["svname"]): row["status"] for row in rows}


class Balancer:
    def __init__(self, path, folder, capsys, monkeypatch):
        self.socket, self.folder, self._capsys = path, folder, capsys
        monkeypatch.setattr(maintenance_mark, "balancer_path", lambda host: self.file(host).path)
        monkeypatch.setattr(balancer_info, "balancer_paths", lambda: [str(path) for path in folder.glob("*.fact")])

    def file(self, host="web-01"):
        return MarkFile(str(self.folder / f"drained_{host}.fact"))

    def run(self, code=0, check=False, **params):
        given = {"host": "web-01", "server": "web-01", "backends": ["plain"], "socket": str(self.socket), "run_id": "one", "owner": "alice@bastion",
                 "stamp": STAMP, **params}
        given = {name: value for name, value in given.items() if value is not None}
        server = {name: given.pop(name) for name in maintenance_mark.HAPROXY_SPEC if name in given}
        return run_module(maintenance_mark, self._capsys, code, check=check, haproxy=server, **given)

    def stays(self, code=0, check=False, **params):
        """What is said when it is asked who stays up."""
        given = {"server": "web-01", "backends": ["plain"], "socket": str(self.socket), "min_up": "1", "balancer": "lb-01", **params}
        return run_module(balancer_info, self._capsys, code, check=check, **{name: value for name, value in given.items() if value is not None})


@pytest.fixture
def balancer(haproxy, tmp_path, capsys, monkeypatch):
    """The module on the host of that HAProxy, in which nobody has taken anything out."""
    for name in ("plain/web-01", "checked/web-01", "spare/web-01"):
        assert admin(haproxy / "admin.sock", f"set server {name} state ready") == ""
    return Balancer(haproxy / "admin.sock", tmp_path, capsys, monkeypatch)


def test_it_notes_where_the_server_takes_traffic(balancer):
    result = balancer.run(backends=["checked", "plain"], vm_id="/subscriptions/1")
    undo = {"provider": "haproxy", "server": "web-01", "socket": str(balancer.socket), "backends": ["checked", "plain"], "unhealthy": [],
            "unchecked": ["plain"], "taken_out": []}
    assert balancer.file().read() == {**STAMP, "run_id": "one", "owner": "alice@bastion", "vm_id": "/subscriptions/1", "step": "drain", "undo": [undo]}
    assert (result["changed"], result["backends"], result["unhealthy"], result["taken_out"]) == (True, ["checked", "plain"], [], [])
    assert result["unchecked"] == ["plain"], "HAProxy never calls it UP there"


@pytest.mark.parametrize("state", ["drain", "maint"])
def test_where_somebody_else_has_taken_it_out_is_theirs(balancer, state):
    admin(balancer.socket, f"set server spare/web-01 state {state}")
    result = balancer.run(backends=["spare", "plain", "off"])
    assert (result["backends"], result["unhealthy"], result["taken_out"]) == (["plain"], [], ["spare", "off"])
    assert balancer.file().read()["undo"][0]["backends"] == ["plain"]
    assert balancer.run(check=True, backends=["off"], run_id="two")["backends"] == []


def test_one_declared_disabled_and_made_ready_since_is_ours(balancer):
    admin(balancer.socket, "set server off/web-01 state ready")
    try:
        result = balancer.run(backends=["off", "plain"])
    finally:
        admin(balancer.socket, "set server off/web-01 state maint")
    assert (result["backends"], result["taken_out"]) == (["off", "plain"], [])


def test_an_ill_server_is_ours_and_ill(balancer):
    result = balancer.run(server="down", backends=["checked"])
    assert (result["backends"], result["unhealthy"], result["taken_out"]) == (["checked"], ["checked"], [])


def test_what_was_noted_first_stays_after_our_own_drain(balancer):
    balancer.run(backends=["plain", "spare"])
    admin(balancer.socket, "set server plain/web-01 state drain")
    for params in ({}, {"run_id": "two", "take_over": "one"}):
        again = balancer.run(backends=["plain", "spare"], stamp={**STAMP, "heartbeat": LATER}, **params)
        assert (again["backends"], again["taken_out"]) == (["plain", "spare"], []) and balancer.file().read()["heartbeat"] == LATER
    assert balancer.file().read()["earlier_runs"] == ["one"]


def test_check_mode_learns_and_writes_nothing(balancer):
    assert balancer.run(check=True)["backends"] == ["plain"] and os.listdir(balancer.folder) == []
    balancer.file().replace(mark("theirs", {"provider": "haproxy", "server": "web-01", "socket": "s", "backends": ["plain"]}))
    kept = balancer.file().read()
    assert balancer.run(check=True)["backends"] == ["plain"] and balancer.run(check=True, state="absent")["changed"] is True
    assert balancer.file().read() == kept


def test_another_runs_note_is_neither_written_over_nor_removed(balancer):
    balancer.run(run_id="theirs")
    kept = balancer.file().read()
    for params in ({}, {"take_over": "other"}, {"state": "absent"}, {"state": "absent", "earlier_runs": ["other"]}):
        result = balancer.run(1, **params)
        assert result["foreign"] == kept == balancer.file().read() and "run theirs" in result["msg"]
    assert balancer.run(state="absent", earlier_runs=["other", "theirs"])["changed"] is True
    assert balancer.run(state="absent", server=None, stamp=None)["changed"] is False and balancer.file().read() is None


@pytest.mark.parametrize("params, words", [
    ({"backends": ["plain", "nosuch", "nor"]}, "has no server web-01 in backend nosuch, nor; correct drain_haproxy_server or drain_haproxy_backends"),
    ({"server": "web-02", "backends": ["plain", "checked"]}, "has no server web-02 in backend checked"), ({"server": "nobody"}, "has no server nobody in")])
def test_what_haproxy_does_not_know_is_said_and_not_noted(balancer, params, words):
    assert words in balancer.run(1, **params)["msg"] and balancer.file().read() is None


@pytest.mark.parametrize("level", ["user", "operator"])
def test_a_socket_that_may_not_drain_is_found_out_before(balancer, level):
    words = balancer.run(1, socket=str(balancer.socket).replace("admin", level))["msg"]
    assert f"has the level {level}, which may not drain; see drain_haproxy_socket" in words and balancer.file().read() is None


def test_a_socket_that_is_not_there(balancer, tmp_path):
    words = balancer.run(1, socket=str(tmp_path / "none.sock"))["msg"]
    assert "cannot be asked: [Errno 2]" in words and "see drain_haproxy_socket, and become root there (drain_become)" in words


def test_a_socket_that_we_may_not_open(haproxy):
    kind, words = answer(in_child(lambda: ask(str(haproxy / "admin.sock"), "show stat"), NOBODY))
    if os.geteuid() == 0:
        assert kind == "MarkError" and "Permission denied" in words and "(drain_become)" in words
    else:
        assert kind == "answer"


# -- who stays up ---------------------------------------------------------------------------------------------------------

ONE_OF = {"server": "web-02"}


def test_all_that_have_a_note_leave_together(balancer):
    balancer.run()
    assert balancer.stays()["servers"] == {"plain": {"web-01": "no check", "web-02": "no check"}}
    balancer.run(**ONE_OF, host="web-02", run_id="another's")
    for params, name in (({}, "web-02"), (ONE_OF, "web-01")):
        words = balancer.stays(1, **params)["msg"]
        assert f"backend 'plain' on lb-01 would have 0 of 2 servers up ({name} is about to be drained, too), drain_haproxy_min_up is 1. Nothing was" in words
        assert balancer.stays(allow_last=["plain"], **params)["changed"] is False
    balancer.run(**ONE_OF, host="web-02", run_id="another's", state="absent")
    assert balancer.stays()["changed"] is False


def test_in_check_mode_those_that_leave_are_named(balancer):
    leaving = [{"server": "web-01", "balancers": {"lb-01": ["plain"], "lb-02": ["other"]}, "socket": "any"},
               {"server": "web-02", "balancers": {"lb-02": ["plain"]}}]
    assert balancer.stays(check=True, leaving=leaving)["changed"] is False
    leaving[1]["balancers"]["lb-01"] = ["plain"]
    for params in ({}, ONE_OF):
        assert "0 of 2 servers up" in balancer.stays(1, check=True, leaving=leaving, **params)["msg"]
    assert os.listdir(balancer.folder) == []


def test_the_last_one_up_is_not_taken_out(balancer):
    words = balancer.stays(1, backends=["checked", "plain"])["msg"]
    assert "backend 'checked' on lb-01 would have 0 of 2 servers up (down is DOWN), drain_haproxy_min_up is 1" in words and "plain" not in words
    admin(balancer.socket, "set server plain/web-02 state drain")
    try:
        assert "web-02 is DRAIN" in balancer.stays(1)["msg"] and balancer.stays(**ONE_OF)["servers"]["plain"]["web-02"] == "DRAIN"
    finally:
        admin(balancer.socket, "set server plain/web-02 state ready")


@pytest.mark.parametrize("params, words", [
    ({"backends": ["spare"]}, "backend 'spare' on lb-01 would have 0 of 1 server up, drain_haproxy_min_up is 1"),
    ({"min_up": "2"}, "would have 1 of 2 servers up, drain_haproxy_min_up is 2"), ({"min_up": "51%"}, "drain_haproxy_min_up is 51%"),
    ({"min_up": "most"}, "drain_haproxy_min_up 'most' is neither a count, such as 1")])
def test_what_can_never_be_granted_is_refused_before_it_is_noted(balancer, params, words):
    assert words in balancer.run(1, **{"min_up": "1", "balancer": "lb-01", **params})["msg"] and balancer.file().read() is None
    assert balancer.run(backends=["checked", "plain", "off"], min_up="1")["backends"] == ["checked", "plain"]
    assert balancer.run(check=True, run_id="two", backends=["spare"], min_up="1", allow_last=["spare"])["backends"] == ["spare"]


def test_a_note_that_cannot_be_understood_refuses(balancer):
    (balancer.folder / "drained_web-02.fact").write_text("{}")
    assert "cannot be understood" in balancer.stays(1)["msg"]


# -- one that misbehaves --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def answering(path, text):
    """A socket that gives the same answer to everything."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as connection:
                        connection.recv(1000)
                        connection.sendall(text.encode())

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield path
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


WHOLE = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n2 plain 1 web-01 127.0.0.1 2 0\n\n"


@pytest.mark.parametrize("text, words", [
    ("", "something else than a table: nothing"),
    ("Permission denied\n\n", "something else than a table: Permission denied; is drain_haproxy_socket its admin"),
    (WHOLE[:-1], "answer broke off; try again"), (WHOLE[:-6], "broke off"), (WHOLE[:-40], "broke off"), (WHOLE[:20], "broke off")])
def test_half_an_answer_is_none(tmp_path, capsys, monkeypatch, text, words):
    with answering(tmp_path / "s", text) as path:
        one = Balancer(path, tmp_path, capsys, monkeypatch)
        assert words in one.run(1)["msg"] and one.file().read() is None


def test_reading_alone_refuses_nothing(balancer):
    balancer.run()
    assert balancer.stays(server=None, min_up=None, backends=["checked", "spare"])["servers"] == {
        "checked": {"web-01": "UP", "down": "DOWN"}, "spare": {"web-01": "no check"}}
    assert "server" in balancer.stays(1, server=None)["msg"]
