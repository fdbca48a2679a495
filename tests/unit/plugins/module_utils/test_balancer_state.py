# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backends a server takes traffic in: srv_admin_state is a field of bits, and `show stat` says whether they are true."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.balancer_state import places

NOT_OUT, OUT = (0x00, 0x04, 0x40, 0x44, 0x80, 0x100), (0x01, 0x02, 0x08, 0x10, 0x20)


def learnt(admin, status):
    state = [{"be_name": "web", "srv_name": "web-01", "srv_admin_state": str(admin)}, {"be_name": "web", "srv_name": "web-02", "srv_admin_state": "1"}]
    stat = [{"pxname": "web", "svname": "web-01", "status": status}, {"pxname": "web", "svname": "BACKEND", "status": "UP"}]
    return {name for name, backends in places(state, stat, "web-01", ["web"]).items() if backends}


@pytest.mark.parametrize("admin", [*NOT_OUT, *OUT])
@pytest.mark.parametrize("status, more", [("UP", set()), ("UP 1/3", set()), ("UP (agent)", set()), ("no check", {"unchecked"})])
def test_what_serves_is_drained_whatever_the_bits_say(admin, status, more):
    assert learnt(admin, status) == {"backends"} | more


@pytest.mark.parametrize("admin", NOT_OUT)
@pytest.mark.parametrize("status", ["DOWN", "DOWN 1/2", "DOWN (agent)", "NOLB", "DRAIN", "MAINT"])
def test_bits_that_take_nothing_out_leave_an_ill_server_ours(admin, status):
    assert learnt(admin, status) == {"backends", "unhealthy"}


@pytest.mark.parametrize("admin", [one | other for one in OUT for other in (*NOT_OUT, *OUT)])
@pytest.mark.parametrize("status", ["MAINT", "MAINT (via web/web-01)", "MAINT (resolution)", "DRAIN", "DRAIN (agent)", "DOWN", "NOLB"])
def test_who_is_out_was_taken_out_by_somebody_else(admin, status):
    assert learnt(admin, status) == {"taken_out"}


def test_a_backend_without_the_server_is_named():
    with pytest.raises(LookupError, match="^api, other$"):
        places([{"be_name": "web", "srv_name": "web-01", "srv_admin_state": "0"}], [], "web-01", ["api", "web", "other"])


@pytest.mark.parametrize("state, stat, words", [
    ({"srv_admin_state": "?"}, {}, "other columns"), ({"srv_admin_state": ""}, {}, "other columns"), ({"srv_admin_state": None}, {}, "other columns"),
    ({}, {"pxname": "api"}, "says nothing of server web-01 in backend web"), ({}, {"status": ""}, "says nothing of"),
    ({}, {"status": None}, "says nothing of")])
def test_half_of_what_is_needed_is_nothing(state, stat, words):
    row = {"be_name": "web", "srv_name": "web-01", "srv_admin_state": "0", **state}
    with pytest.raises(ValueError, match=words):
        places([row], [{"pxname": "web", "svname": "web-01", "status": "UP", **stat}], "web-01", ["web"])
    with pytest.raises(ValueError, match="'srv_admin_state'"):
        places([{"be_name": "web", "srv_name": "web-01"}], [], "web-01", ["web"])
