# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: a running simulator of the small fleet, and a plain HTTPS client for it."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from simulator.server import Simulator

SMALL = Path(__file__).parents[2] / "simulator" / "fleets" / "small.yml"
COMPUTE = "/providers/Microsoft.Compute"
VERSION = "2025-04-01"


class Arm:
    """A client without retries or opinions: one connection per call, answers as (status, headers, body)."""

    def __init__(self, simulator: Simulator, credential: int = 0) -> None:
        self.simulator = simulator
        self.credential = simulator.fleet.credentials[credential]
        self.subscription = next(iter(simulator.fleet.subscriptions))
        self.context = ssl.create_default_context(cafile=str(simulator.ca))
        self.token: str | None = None

    def raw(self, method: str, target: str, body: bytes | None = None, **headers: str):
        """Send as is; lower-cased header names in the answer."""
        host, port = self.simulator.url.removeprefix("https://").split(":")
        connection = http.client.HTTPSConnection(host, int(port), context=self.context, timeout=10)
        try:
            connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        parsed = json.loads(content) if content and is_json else content or None
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, parsed

    def sign_in(self, tenant: str | None = None, **form: str):
        """Ask for a token."""
        fields = {
            "grant_type": "client_credentials",
            "client_id": self.credential["client_id"],
            "client_secret": self.credential["client_secret"],
            "scope": f"{self.simulator.url}/.default",
            **form,
        }
        return self.raw(
            "POST", f"/{tenant or self.simulator.fleet.tenant}/oauth2/v2.0/token", urlencode(fields).encode()
        )

    def call(self, method: str, target: str, body: Any = None, **headers: str):
        """Send with a token and an api-version; a target without a leading slash is below the subscription."""
        if self.token is None:
            self.token = self.sign_in()[2]["access_token"]
        if not target.startswith("/"):
            target = f"/subscriptions/{self.subscription}/{target}"
        if "api-version=" not in target:
            target += f"{'&' if '?' in target else '?'}api-version={VERSION}"
        data = None if body is None else json.dumps(body).encode()
        return self.raw(method, target, data, Authorization=f"Bearer {self.token}", **headers)

    def get(self, target: str, status: int = 200) -> Any:
        """GET; the body."""
        answer = self.call("GET", target)
        assert answer[0] == status, answer
        return answer[2]

    def follow(self, target: str) -> tuple[list[Any], int]:
        """All items of a list, and the number of its pages."""
        items: list[Any] = []
        pages = 0
        while target:
            body = self.get(target)
            items += body["value"]
            pages += 1
            target = body.get("nextLink", "").removeprefix(self.simulator.url)
        return items, pages

    def vm(self, name: str, rest: str = "", group: str = "alpha") -> str:
        """The path of a VM."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{group}{COMPUTE}/virtualMachines/{name}{rest}"

    def view(self, name: str) -> dict[str, Any]:
        """A VM's instance view."""
        return self.get(self.vm(name, "/instanceView"))

    def post(self, name: str, operation: str = "performMaintenance", **headers: str):
        """Start an operation."""
        return self.call("POST", self.vm(name, f"/{operation}"), **headers)

    def poll(self, answer: Any) -> dict[str, Any]:
        """The status document of a 202."""
        return self.get(answer[1]["azure-asyncoperation"].removeprefix(self.simulator.url))

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Use the control path; the body of its 200."""
        answer = self.raw(method, f"/_sim/{path}", None if body is None else json.dumps(body).encode())
        assert answer[0] == 200, answer
        return answer[2]


@pytest.fixture
def small() -> dict[str, Any]:
    """The small fleet as data, to be changed by a test."""
    return yaml.safe_load(SMALL.read_text(encoding="utf-8"))


@pytest.fixture
def sets(small: dict[str, Any]) -> dict[str, Any]:
    """The small fleet with a uniform and a flexible scale set."""
    place = {"resource_group": "alpha", "region": "westeurope", "wave": "now"}
    pool = {"name": "pool", **place, "update_domains": 3, "tags": {"tier": "2"}, "capacity": 4}
    flex = {"name": "flex", **place, "orchestration": "flexible", "fault_domains": 2}
    pool["instances"] = [{"id": 3, "power": "deallocated"}]
    flex["instances"] = [{"name": "flex-a"}, {"name": "flex-b"}]
    return small | {"scale_sets": [pool, flex]}


@pytest.fixture
def run(tmp_path: Path):
    """Start a simulator of a fleet in its own directory (the same for the same name); stopped after the test."""
    started: list[Simulator] = []

    def start(fleet: Any = SMALL, directory: str = "state", **options: Any) -> Arm:
        simulator = Simulator(fleet, tmp_path / directory, **options)
        started.append(simulator)
        simulator.start()
        return Arm(simulator)

    yield start
    for simulator in started:
        simulator.stop()


@pytest.fixture
def arm(run) -> Arm:
    """A client of the small fleet."""
    return run()
