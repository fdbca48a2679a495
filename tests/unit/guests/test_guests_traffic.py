# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic through the real balancer: what draining keeps, what a crash loses, and that the load sees both."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from unit.guests.guest_fleet import BALANCER, DB_01, LOAD, WEB_01, Fleet, can_connect, end_load, wait_until


def get(address: str, path: str) -> tuple[int, str]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(address, 8080, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_web_answers_and_can_be_unhealthy(fleet: Fleet) -> None:
    status, body = get(WEB_01, "/")
    assert status == 200
    assert json.loads(body) == {"name": "web-01", "boot_id": fleet.ssh("web-01", "cat /proc/sys/kernel/random/boot_id")}
    assert get(WEB_01, "/healthz")[0] == 200
    assert get(WEB_01, "/nothing")[0] == 404
    fleet.ssh("web-01", "mkdir -p /srv/web && touch /srv/web/maintenance")
    assert get(WEB_01, "/healthz")[0] == 503
    fleet.wait_for_servers({"web-01": "DOWN"})
    fleet.ssh("web-01", "rm /srv/web/maintenance")
    fleet.wait_for_servers({"web-01": "UP"})


def test_web_stops_gracefully(fleet: Fleet) -> None:
    answers: list[tuple[int, str]] = []
    running = threading.Thread(target=lambda: answers.append(get(WEB_01, "/slow?seconds=2")))
    idle = http.client.HTTPConnection(WEB_01, 8080, timeout=10)
    idle.request("GET", "/")
    idle.getresponse().read()
    running.start()
    time.sleep(0.5)
    began = time.monotonic()
    stop = subprocess.Popen([*fleet.ssh_command("web-01"), "service web stop"], stdin=subprocess.DEVNULL)
    wait_until(lambda: not can_connect(WEB_01, 8080), "no new connections", 1.2)
    assert answers == []
    assert idle.sock.recv(1) == b""
    idle.close()
    assert stop.wait(10) == 0
    assert 1.0 < time.monotonic() - began < 3.0
    running.join()
    assert answers == [(200, "." * 20)]


def test_db_keeps_connections_until_it_stops(fleet: Fleet) -> None:
    client = socket.create_connection((DB_01, 5432), timeout=10)
    stream = client.makefile("rw")
    assert stream.readline().startswith("db-01 ")
    stream.write("ping\n")
    stream.flush()
    assert stream.readline() == "ping\n"
    fleet.ssh("db-01", "service db stop")
    assert stream.read() == "shutting down\n"
    stream.close()
    client.close()


def test_drain_then_redeploy_loses_nothing(fleet: Fleet, tmp_path: Path) -> None:
    out = tmp_path / "load.json"
    load = fleet.load(out)
    try:
        time.sleep(1)
        fleet.balancer("set server web/web-01 state drain")
        fleet.wait_for_servers({"web-01": "DRAIN"})
        fleet.ssh("web-01", "service web stop")
        fleet.guests.halt("web-01")
        time.sleep(1)
        fleet.guests.boot("web-01", WEB_01)
        fleet.balancer("set server web/web-01 state ready")
        fleet.wait_for_servers({"web-01": "UP"})
        time.sleep(1)
    finally:
        summary = end_load(load, out)
    assert summary["failed"] == 0, summary
    assert summary["idle_close_retries"] == 0
    assert summary["requests"] == sum(summary["per_server"].values()) == summary["statuses"]["200"]
    assert summary["requests"] > 50 * summary["seconds"]
    assert summary["longest_gap_seconds"] < 1
    seconds = [set(one) - {"second"} for one in summary["timeline"]]
    both = {"web-01", "web-02"}
    assert both in seconds and {"web-02"} in seconds
    assert both in seconds[seconds.index({"web-02"}) :]


def test_a_crash_under_load_is_seen_as_lost_requests(fleet: Fleet, tmp_path: Path) -> None:
    out = tmp_path / "load.json"
    load = fleet.load(out)
    try:
        time.sleep(1)
        # One halt may hit a moment with nothing under way; three in a row do not.
        for dummy in range(3):
            fleet.guests.halt("web-01")
            time.sleep(0.2)
            fleet.guests.boot("web-01", WEB_01)
            fleet.wait_for_servers({"web-01": "UP"})
            time.sleep(0.7)
    finally:
        summary = end_load(load, out)
    assert summary["failed"] > 0, summary
    assert summary["failed"] == sum(summary["errors"].values()) == len(summary["failures"])
    assert summary["requests"] == summary["failed"] + sum(summary["per_server"].values())


def run_load(url: str, out: Path, *arguments: str) -> dict:
    """Run the load to its end; returns its summary."""
    command = [sys.executable, str(LOAD), "--url", url, "--out", str(out), *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return json.loads(out.read_text())


@pytest.mark.parametrize(
    ("behaviour", "error"), [("status", "status 503"), ("short", "IncompleteRead"), ("hangup", "RemoteDisconnected")]
)
def test_load_counts_every_kind_of_loss(tmp_path: Path, behaviour: str, error: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            if behaviour == "hangup":
                time.sleep(0.02)
                return
            self.send_response(503 if behaviour == "status" else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"o" if behaviour == "short" else b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    summary = run_load(f"http://127.0.0.1:{server.server_port}/", tmp_path / "load.json", "--seconds", "0.5")
    server.shutdown()
    server.server_close()
    assert summary["requests"] == summary["failed"] == summary["errors"][error] > 10
    assert summary["longest_gap_seconds"] >= summary["seconds"] - 0.1


def test_load_takes_a_close_between_requests_for_no_loss(tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 0.01

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.send_header("X-Served-By", "one")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    stop_file = tmp_path / "stop"
    stopper = threading.Timer(0.8, stop_file.touch)
    stopper.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    summary = run_load(url, tmp_path / "load.json", "--stop-file", str(stop_file), "--seconds", "20")
    server.shutdown()
    server.server_close()
    assert summary["failed"] == 0
    assert summary["idle_closes"] > 5
    assert summary["per_server"] == {"one": summary["requests"]}
    assert summary["seconds"] < 5


def test_load_finds_nobody(tmp_path: Path) -> None:
    summary = run_load(f"http://{BALANCER}:9/", tmp_path / "load.json", "--seconds", "0.3")
    assert summary["failed"] == summary["errors"]["ConnectionRefusedError"] > 0
