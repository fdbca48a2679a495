# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a fleet file, each with its check."""

from __future__ import annotations

from . import build_load_balancers, build_sets, build_vms, schema
from .faults import check_fault
from .transitions import check_operations

_WINDOW = schema.keys({"start": schema.anything, "end": schema.anything}, ("start", "end"))
_ROLE = schema.one_of("contributor", "reader", "listed", "none")
_LOCK = schema.keys(
    {"name": schema.text, "level": schema.one_of("ReadOnly", "CanNotDelete"), "scope": schema.text}, ("name", "level", "scope")
)
IMDS_VERSIONS = ("2017-03-01", "2017-08-01", "2017-11-01", "2019-01-01", "2019-04-01", "2019-08-01", "2020-07-01")
_IMDS = schema.keys(
    {
        "port": schema.whole(1),
        "listening": schema.flag,
        "notice_seconds": schema.seconds,
        "enabling_seconds": schema.seconds,
        "versions": schema.list_of(schema.one_of(*IMDS_VERSIONS)),
    },
    ("port",),
)
TOP: dict[str, schema.Check] = {
    "clock": schema.anything,
    "tenant": schema.text,
    "credentials": schema.list_of(
        schema.keys(
            {
                "client_id": schema.text,
                "client_secret": schema.text,
                "object_id": schema.text,
                "subscriptions": schema.list_of(schema.text),
                "role": _ROLE,
                "roles": schema.map_of(_ROLE),
            },
            ("client_id", "client_secret"),
        )
    ),
    "subscriptions": schema.list_of(schema.keys({"id": schema.text, "name": schema.text}, ("id",))),
    "regions": schema.map_of(
        schema.maybe(
            schema.keys(
                {
                    "display": schema.text,
                    "paired": schema.list_of(schema.text),
                    "zones": schema.whole(0),
                    "type": schema.one_of("Physical", "Logical"),
                    "geography": schema.text,
                }
            )
        )
    ),
    "waves": schema.map_of(schema.keys({"self_service": _WINDOW, "scheduled": _WINDOW}, ("self_service", "scheduled"))),
    "resource_groups": schema.map_of(schema.keys({"region": schema.text, "subscription": schema.text}, ("region",))),
    "availability_sets": schema.list_of(build_sets.check_set),
    "scale_sets": schema.list_of(build_sets.check_scale_set),
    "load_balancers": schema.list_of(build_load_balancers.check_load_balancer),
    "vms": schema.list_of(build_vms.check_vm),
    "defaults": build_vms.check_defaults,
    "operations": check_operations,
    "faults": schema.list_of(check_fault),
    "locks": schema.list_of(_LOCK),
    "status_only": schema.one_of("full", "lean", "guestless", "minimal"),
    "page_size": schema.whole(1),
    "limits": schema.flag,
    "agent_after_seconds": schema.seconds,
    "identity_header": schema.text,
    "latency_ms": schema.seconds,
    "token_seconds": schema.whole(1),
    "service_health": schema.keys(
        {"extra": schema.list_of(schema.text), "missing": schema.list_of(schema.text)}
    ),
    "imds": _IMDS,
    "quirks": schema.keys(
        {
            "upper_case_ids": schema.flag,
            "null_message": schema.flag,
            "empty_first_page": schema.flag,
            "power_in_motion": schema.one_of("missing", "running", "starting", "stopped"),
        }
    ),
}
QUIRKS = {"upper_case_ids": True, "null_message": False, "empty_first_page": False, "power_in_motion": "starting"}
DEFAULT_CREDENTIAL = {
    "client_id": "11111111-1111-4111-8111-111111111111",
    "client_secret": "simulated-secret",  # noqa: S105 - a made-up value, valid only on loopback
}
