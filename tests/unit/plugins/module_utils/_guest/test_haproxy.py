# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backends a server takes traffic in: srv_admin_state is a field of bits, and `show stat` says whether they are true. And who stays up."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.haproxy import Rule, places, statuses
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.minimum import required

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


# -- how many stay up -----------------------------------------------------------------------------------------------------

IDLE = ("DOWN", "DOWN 1/2", "MAINT", "MAINT (via web/web-01)", "DRAIN", "NOLB")


def refusal(minimum="1", allowed=(), leaving=(), **servers):
    """Why `a` may not leave the backend web of these servers."""
    gone = None if leaving is None else {("web", name) for name in leaving}
    return Rule(minimum, allowed).refusal({"web": servers}, "a", "lb-01", gone)


@pytest.mark.parametrize("minimum, servers, needed", [
    ("0", 3, 0), ("1", 3, 1), ("7", 3, 7), (" 2 ", 3, 2), ("50%", 1, 1), ("50%", 2, 1), ("50%", 3, 2), ("33%", 3, 1), ("34%", 3, 2), ("0%", 9, 0),
    ("99%", 3, 3), ("50%", 0, 0)])
def test_a_percentage_is_of_all_servers_and_rounded_up(minimum, servers, needed):
    assert required(minimum, servers) == needed


@pytest.mark.parametrize("minimum", ["", "one", "-1", "1.5", "50 %", "%", "100%", "150%", "1%%", "\u0661"])
def test_what_is_no_minimum_is_named(minimum):
    with pytest.raises(ValueError, match="neither a count, such as 1, nor a percentage from 0% to 99%"):
        required(minimum, 3)


@pytest.mark.parametrize("minimum, leaving, servers", [
    ("1", "", {"a": "UP", "b": "UP"}), ("1", "b", {"a": "UP", "b": "UP", "c": "UP"}), ("50%", "", {"a": "UP", "b": "UP", "c": "UP"}),
    ("1", "", {"a": "UP", "b": "no check"}), ("1", "", {"a": "no check", "b": "UP 1/3"}), ("0", "b", {"a": "UP", "b": "UP"}), ("0%", "", {"a": "UP"}),
    # A note of a server that is of another backend, or was taken out of this one since.
    ("1", "x", {"a": "UP", "b": "UP"}), ("1", "a", {"a": "UP", "b": "UP"})])
def test_enough_stay_up(minimum, leaving, servers):
    assert refusal(minimum, leaving=leaving, **servers) == ""


@pytest.mark.parametrize("status", IDLE)
def test_a_server_that_takes_no_requests_is_not_up_and_may_leave(status):
    assert f"would have 0 of 2 servers up (b is {status}), drain_haproxy_min_up is 1" in refusal(a="UP", b=status)
    assert refusal(a=status, b="UP") == refusal(a=status, b=status) == refusal("5", a=status) == refusal(leaving=None, a=status) == ""


def test_whose_servers_leave_together_is_what_counts():
    assert refusal(leaving="b", a="UP", b="UP") == (
        "drain refused: backend 'web' on lb-01 would have 0 of 2 servers up (b is about to be drained, too), drain_haproxy_min_up is 1. Nothing was drained. "
        "Take fewer hosts out at once (rollout_max_parallel; in a play of yours serial), or name the backend in drain_haproxy_allow_last")
    assert "1 of 4 servers up (d is DOWN, b is about to be drained, too), drain_haproxy_min_up is 50%. Nothing was drained. Bring a server up, take fewer" in \
        refusal("50%", leaving="b", a="UP", b="UP", c="UP", d="DOWN")
    # Who is down and leaves is counted once.
    assert "1 of 3 servers up (b is about" in refusal("2", leaving="b", a="UP", b="DOWN", c="UP")


def test_what_was_said_is_what_is_to_be_done():
    assert refusal(a="UP", b="DOWN") == (
        "drain refused: backend 'web' on lb-01 would have 0 of 2 servers up (b is DOWN), drain_haproxy_min_up is 1. Nothing was drained. "
        "Bring a server up, or name the backend in drain_haproxy_allow_last")
    assert refusal(a="UP") == refusal(leaving=None, a="UP") == (
        "drain refused: backend 'web' on lb-01 would have 0 of 1 server up, drain_haproxy_min_up is 1. Nothing was drained. "
        "Add a server, or name the backend in drain_haproxy_allow_last")
    assert refusal("2", a="UP", b="UP").endswith("Add a server, lower drain_haproxy_min_up, or name the backend in drain_haproxy_allow_last")
    many = {f"s{number}": "DOWN" for number in range(9)}
    assert "(s0 is DOWN, s1 is DOWN, s2 is DOWN, s3 is DOWN, s4 is DOWN, and 4 more)" in refusal(a="UP", **many)


def test_before_the_waves_only_what_can_never_be_granted_is_refused():
    assert refusal(leaving=None, a="UP", b="DOWN") == refusal("50%", leaving=None, a="UP", b="MAINT", c="DOWN") == ""
    assert "would have 1 of 2 servers up, drain_haproxy_min_up is 2" in refusal("2", leaving=None, a="UP", b="UP")


def test_consent_is_for_a_backend_by_name():
    assert refusal(allowed=["web"], a="UP") == refusal(allowed=["api", "web"], leaving=None, a="UP") == refusal("9", ["web"], "b", a="UP", b="UP") == ""
    both = {"web": {"a": "UP"}, "api": {"a": "UP", "b": "UP"}}
    assert "backend 'api' on" not in Rule("1").refusal(both, "a", "lb-01", {("web", "b")})
    text = Rule("1", ["web"]).refusal(both, "a", "lb-01", {("api", "b")})
    assert "backend 'api' on" in text and "'web'" not in text
    assert Rule("1").refusal(both, "a", "lb-01", {("api", "b")}).count("; backend '") == 1


def rows(**status):
    return [{"be_name": "web", "srv_name": name} for name in status], [{"pxname": "web", "svname": name, "status": word} for name, word in status.items()]


def test_slots_without_an_address_are_no_servers():
    state, stat = rows(a="UP", b="MAINT", c="MAINT (resolution)")
    stat.append({"pxname": "web", "svname": "BACKEND", "status": "UP"})
    assert statuses(state, stat, ["web"]) == {"web": {"a": "UP", "b": "MAINT"}} and statuses(state, stat, ["api"]) == {"api": {}}


@pytest.mark.parametrize("broken, words", [
    ({"pxname": "api"}, "says nothing of web/b"), ({"status": ""}, "says nothing of web/b"), ({"status": None}, "web/b")])
def test_a_server_without_a_status_is_not_passed_over(broken, words):
    state, stat = rows(a="UP", b="UP")
    stat[1].update(broken)
    with pytest.raises(ValueError, match=words):
        statuses(state, stat, ["web"])
    with pytest.raises(ValueError, match="other columns"):
        statuses([{"srv_name": "a"}], stat, ["web"])
