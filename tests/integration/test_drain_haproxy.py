# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The haproxy provider when sessions do not end in time: real requests through a real HAProxy, in rolling runs."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime

from integration.cli import Project
from integration.cloud import Cloud, wait_until

PAIR = ("web-1", "web-4")
SESSION_SECONDS = 240


class Session:
    """A request through the balancer that takes longer than anybody waits; `server` serves it, `over` is when it ended (seconds since 1970)."""

    def __init__(self, balancer: str) -> None:
        self._connection = http.client.HTTPConnection(balancer, 8080, timeout=SESSION_SECONDS)
        self._connection.request("GET", f"/slow?seconds={SESSION_SECONDS}", headers={"Connection": "close"})
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        self.server = self._answer.getheader("X-Served-By")
        self.received = 0
        self.over: float | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while piece := self._answer.read1():
                self.received += len(piece)
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass  # cut, or closed by the test
        self.over = time.time()

    def close(self) -> None:
        with suppress(OSError):  # it is over
            self._socket.shutdown(socket.SHUT_RDWR)  # closing alone would wait for the thread that reads
        self._connection.close()


@contextmanager
def sessions(cloud: Cloud, *names: str) -> Iterator[dict[str, Session]]:
    """One session on each of these servers, by name."""
    with ExitStack() as stack:
        found: dict[str, Session] = {}
        while not found.keys() >= set(names):
            session = Session(cloud.address("lb-1"))
            if session.server in names and session.server not in found:
                found[session.server] = session
                stack.callback(session.close)
            else:
                session.close()
        yield found


def started(cloud: Cloud, name: str) -> float:
    """When Azure took the start of a VM, in seconds since 1970."""
    (write,) = (write for write in cloud.writes() if write["name"] == name)
    return datetime.fromisoformat(write["start"]).timestamp()


def test_fail_gives_the_server_back_with_its_session(cloud: Cloud, project: Project) -> None:
    cloud.reset(PAIR)
    project.write("host_vars/web-1.yml", {"drain_provider": ["haproxy"], "drain_timeout": 3})
    project.write("host_vars/web-4.yml", {"drain_provider": ["haproxy"], "drain_on_timeout": "force"})
    with sessions(cloud, "web-1") as open_sessions:
        run = project.playbook("rolling_redeploy")
        assert run.rc != 0 and not cloud.writes(), run.out
        assert "web-1 (update domain 0 of WEB):" in run.text and "left: in service" in run.text
        assert "web-4 (update domain 0 of WEB): not redeployed, because web-1 of its wave did not drain" in run.text
        session = open_sessions["web-1"]
        seen = session.received
        wait_until(lambda: session.received > seen, "the session goes on")
        assert session.over is None
        cloud.all_in_service()
        assert project.marks() == []


def test_force_ends_the_sessions_before_the_start_and_continue_leaves_them_to_it(cloud: Cloud, project: Project) -> None:
    cloud.reset(PAIR)
    project.write("host_vars/web-1.yml", {"drain_provider": ["haproxy"], "drain_timeout": 3, "drain_on_timeout": "force"})
    project.write("host_vars/web-4.yml", {"drain_provider": ["haproxy"], "drain_timeout": 3, "drain_on_timeout": "continue"})
    with sessions(cloud, *PAIR) as open_sessions:
        run = project.playbook("rolling_redeploy")
        assert run.rc == 0, run.out
        assert "web-1: sessions were left after 3 s in web, they were ended (drain_on_timeout: force)" in run.text
        assert "web-4: sessions were left after 3 s in web, going on all the same (drain_on_timeout: continue)" in run.text
        over = {name: session.over for name, session in open_sessions.items()}
    assert over["web-1"] is not None and over["web-1"] < started(cloud, "web-1")
    assert over["web-4"] is None or over["web-4"] > started(cloud, "web-4"), "it was to be left alone"
    cloud.check_ledger(PAIR)
    cloud.all_in_service()


def test_a_server_that_is_down_is_drained_all_the_same(cloud: Cloud, project: Project) -> None:
    """HAProxy goes on to call it DOWN. Its session counts: one that does not end is dealt with as the policy says. Another one is not checked at all."""
    cloud.reset(PAIR)
    project.write("host_vars/web-4.yml", {"drain_provider": ["haproxy"]})
    project.write("host_vars/web-1.yml", {"drain_provider": ["haproxy"], "drain_timeout": 3})
    with sessions(cloud, "web-1") as open_sessions:
        cloud.haproxy("disable health web/web-1; set server web/web-1 health down; disable health web/web-4")
        wait_until(lambda: cloud.backends()["web-4"] == "no check", "HAProxy never calls it UP")
        wait_until(lambda: cloud.backends()["web-1"].startswith("DOWN"), "its health check fails")
        failed = project.playbook("rolling_redeploy")
        assert failed.rc != 0 and not cloud.writes(), failed.out
        assert "sessions were left after 3 s in web; drain_on_timeout is fail -- left: in service" in failed.text
        assert open_sessions["web-1"].over is None and cloud.backends()["web-1"].startswith("DOWN") and project.marks() == []
        project.write("host_vars/web-1.yml", {"drain_provider": ["haproxy"], "drain_timeout": 3, "drain_on_timeout": "force"})
        run = project.playbook("rolling_redeploy")
        assert run.rc == 0, run.out
        assert "web-1 on lb-1: its health check fails in web" in run.text
        assert "web-1: sessions were left after 3 s in web, they were ended (drain_on_timeout: force)" in run.text
        over = open_sessions["web-1"].over
        assert over is not None and over < started(cloud, "web-1")
    cloud.check_ledger(PAIR)
    assert cloud.backends()["web-4"] == "no check"
    assert project.marks() == [] == cloud.marked(PAIR)
