# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor of reading: the same pages as the collection asks for, fetched with requests, all lists at once, parsed and counted.

``python raw_fetch.py`` signs in with what ``env.sh`` of a simulator sets and prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import requests

COMPUTE = "providers/Microsoft.Compute"
NETWORK = "providers/Microsoft.Network"
OF_COMPUTE = {"api-version": "2024-11-01"}
OF_NETWORK = {"api-version": "2024-05-01"}
OF_INSTANCES = {"api-version": "2018-10-01"}
KINDS = "resourceType eq 'Microsoft.Compute/virtualMachines' or resourceType eq 'Microsoft.Compute/virtualMachineScaleSets'"
LISTS = {
    "models": (f"{COMPUTE}/virtualMachines", OF_COMPUTE),
    "status": (f"{COMPUTE}/virtualMachines", {"statusOnly": "true", **OF_COMPUTE}),
    "sets": (f"{COMPUTE}/availabilitySets", OF_COMPUTE),
    "scale_sets": (f"{COMPUTE}/virtualMachineScaleSets", OF_COMPUTE),
    "nics": (f"{NETWORK}/networkInterfaces", OF_NETWORK),
    "ips": (f"{NETWORK}/publicIPAddresses", OF_NETWORK),
    "resources": ("resources", {"$filter": KINDS, "api-version": "2021-04-01"}),
}
LOCATIONS = ("locations", {"api-version": "2022-12-01"})
WORKERS = 12


@dataclass
class Fetched:
    """What was fetched: requests and bytes by count, items by list, wall seconds and the peak of this process."""

    requests: int = 0
    bytes: int = 0
    items: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    peak_mb: float = 0.0


class Reader:
    """Plain GETs against one Azure, with a bearer token."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.arm = environment["AZURE_CLOUD_ENVIRONMENT"].rstrip("/")
        self.session = requests.Session()
        self.session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=WORKERS))
        self.session.verify = environment["REQUESTS_CA_BUNDLE"]
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {self._token(environment)}"
        self.got = Fetched()

    def _token(self, environment: dict[str, str]) -> str:
        where = f"{environment['AZURE_AUTHORITY_HOST'].rstrip('/')}/{environment['AZURE_TENANT_ID']}/oauth2/v2.0/token"
        form = {"grant_type": "client_credentials", "client_id": environment["AZURE_CLIENT_ID"],
                "client_secret": environment["AZURE_CLIENT_SECRET"], "scope": f"{self.arm}/.default"}
        return self.session.post(where, data=form, timeout=60).json()["access_token"]

    def pages(self, path: str, params: dict[str, str]) -> list[dict[str, Any]]:
        """All items of a list, page after page."""
        items: list[dict[str, Any]] = []
        url: str | None = f"{self.arm}/{path.lstrip('/')}"
        while url:
            answer = self.session.get(url, params=params, timeout=120)
            answer.raise_for_status()
            page = json.loads(answer.content)
            items += page["value"]
            self.got.requests += 1
            self.got.bytes += len(answer.content)
            url, params = page.get("nextLink"), {}
        return items

    def instances(self, scale_set: str) -> list[dict[str, Any]]:
        """Instances of a uniform scale set; their network interfaces, and public addresses if there are any, are fetched too."""
        found = self.pages(f"{scale_set}/virtualMachines", {"$expand": "instanceView", **OF_COMPUTE})
        nics = self.pages(f"{scale_set}/networkInterfaces", OF_INSTANCES)
        if any(configuration["properties"].get("publicIPAddress") for nic in nics for configuration in nic["properties"]["ipConfigurations"]):
            self.pages(f"{scale_set}/publicIPAddresses", OF_INSTANCES)
        return found


def fetch(environment: dict[str, str], subscriptions: list[str]) -> tuple[Fetched, dict[str, list[dict[str, Any]]]]:
    """Every list of every subscription at once; counts and the parsed items."""
    began = time.perf_counter()
    reader = Reader(environment)
    with ThreadPoolExecutor(WORKERS) as pool:
        asked = [("locations", pool.submit(reader.pages, f"subscriptions/{subscriptions[0]}/{LOCATIONS[0]}", LOCATIONS[1]))]
        asked += [(name, pool.submit(reader.pages, f"subscriptions/{one}/{path}", params))
                  for one in subscriptions for name, (path, params) in LISTS.items()]
        found: dict[str, list[dict[str, Any]]] = {}
        for name, answer in asked:
            found.setdefault(name, []).extend(answer.result())
        uniform = [one["id"] for one in found["scale_sets"] if one["properties"].get("orchestrationMode") != "Flexible"]
        found["instances"] = [item for items in pool.map(reader.instances, uniform) for item in items]
    reader.got.items = {name: len(items) for name, items in found.items()}
    reader.got.seconds = time.perf_counter() - began
    reader.got.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return reader.got, found


def main() -> int:
    """Fetch the subscriptions named, else that of the environment."""
    environment = dict(os.environ)
    got, _found = fetch(environment, sys.argv[1:] or [environment["AZURE_SUBSCRIPTION_ID"]])
    print(json.dumps(asdict(got)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
