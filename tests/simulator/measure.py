# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What serving big fleets costs the simulator: python -m simulator.measure 1000 5000 10000 [--latency-ms N]."""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import shlex
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from .fleet import generate

_COMPUTE, _NETWORK = "providers/Microsoft.Compute", "providers/Microsoft.Network"
_LISTS = (
    f"{_COMPUTE}/virtualMachines?",
    f"{_COMPUTE}/virtualMachines?statusOnly=true&",
    f"{_COMPUTE}/availabilitySets?",
    f"{_COMPUTE}/virtualMachineScaleSets?",
    f"{_NETWORK}/networkInterfaces?",
    f"{_NETWORK}/publicIPAddresses?",
)


class Server:
    """A simulator of a generated fleet in a process of its own, and a plain client with one connection."""

    def __init__(self, vms: int, directory: Path, latency_ms: float) -> None:
        fleet = generate.fleet(vms, subscriptions=max(1, vms // 200), scale_sets=0.2, affected_every=10)
        (directory / "fleet.json").write_text(json.dumps(fleet), encoding="utf-8")
        state = directory / "state"
        options = ["--fleet", str(directory / "fleet.json"), "--state", str(state), "--latency-ms", str(latency_ms)]
        command = [sys.executable, "-m", "simulator", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        lines = itertools.takewhile(lambda line: line.startswith("export "), self.process.stdout)
        env = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        self.url = env["AZURE_CLOUD_ENVIRONMENT"]
        self.subscriptions = [item["id"] for item in fleet.get("subscriptions", [])] or [env["AZURE_SUBSCRIPTION_ID"]]
        context = ssl.create_default_context(cafile=str(state / "ca.pem"))
        self.connection = http.client.HTTPSConnection(self.url.removeprefix("https://"), context=context)
        secret = {"client_id": env["AZURE_CLIENT_ID"], "client_secret": env["AZURE_CLIENT_SECRET"]}
        form = urlencode({"grant_type": "client_credentials", "scope": f"{self.url}/.default", **secret})
        token = json.loads(self.ask("POST", f"/{env['AZURE_TENANT_ID']}/oauth2/v2.0/token", form, {}))["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> bytes:
        """Return the body of an answer."""
        self.connection.request(method, path, body, self.headers if headers is None else headers)
        return self.connection.getresponse().read()

    def fetch(self) -> tuple[int, int]:
        """Fetch every page of every list of every subscription; return items and bytes."""
        items = size = 0
        for subscription in self.subscriptions:
            for path in _LISTS:
                link = f"/subscriptions/{subscription}/{path}api-version=2024-11-01"
                while link:
                    content = self.ask("GET", link)
                    page = json.loads(content)
                    items, size = items + len(page["value"]), size + len(content)
                    link = page.get("nextLink", "").removeprefix(self.url)
        return items, size

    def cpu(self) -> float:
        """Return the processor seconds the server has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> int:
        """Return the most memory the server has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def measure(vms: int, latency_ms: float) -> None:
    """Fetch all lists twice, print what each round cost."""
    with tempfile.TemporaryDirectory() as directory:
        server = Server(vms, Path(directory), latency_ms)
        try:
            for name in ("cold", "warm"):
                before, began = server.cpu(), time.monotonic()
                items, size = server.fetch()
                spent, wall = (server.cpu() - before) * 1e6 / items, time.monotonic() - began
                print(f"{vms:6} VMs {name}: {items} items, {size / items:.0f} B each, server {spent:.1f} us an item, "
                      f"wall {wall:.1f} s, peak {server.peak_mb()} MB", flush=True)
        finally:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(30)


def main() -> int:
    """Measure each size."""
    parser = argparse.ArgumentParser(prog="simulator.measure", description=__doc__)
    parser.add_argument("vms", nargs="+", type=int)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    options = parser.parse_args()
    for vms in options.vms:
        measure(vms, options.latency_ms)
    return 0


if __name__ == "__main__":
    sys.exit(main())
