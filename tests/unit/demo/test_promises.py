# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's judge: each promise is kept by a good run and broken, by name, by the one thing that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from demo import abort_promises, promises
from demo.promises import Promise

IDS = {
    name: f"/subscriptions/s/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/{name}"
    for name in ("web-01", "web-02", "web-03", "db-01", "api-01", "lb-01")
}
EXPECTED = {IDS[name].lower(): "completed" for name in ("web-01", "web-02", "web-03", "db-01", "api-01")}
WAVES = [
    [IDS["web-01"].lower(), IDS["web-02"].lower(), IDS["db-01"].lower()],
    [IDS["web-03"].lower()],
    [IDS["api-01"].lower()],
]
PAIRS = {frozenset(("westeurope", "northeurope"))}


def write(name: str, second: int, seconds: int | None = 5, **more: Any) -> dict[str, Any]:
    """One ledger entry that begins so many seconds after noon; `seconds` None: it has not ended."""
    end = None if seconds is None else f"2026-11-22T12:00:{second + seconds:02}.500000+00:00"
    place = {"web-01": ("shop/web", 0), "web-02": ("shop/web", 0), "web-03": ("shop/web", 1), "db-01": ("shop/db", 0)}
    group, domain = place.get(name, (None, None))
    region = "northeurope" if name == "api-01" else "westeurope"
    entry = {
        "id": IDS[name],
        "name": name,
        "operation": "performMaintenance",
        "outcome": "completed",
        "down": True,
        "start": f"2026-11-22T12:00:{second:02}+00:00",
        "end": end,
        "set": group,
        "update_domain": domain,
        "region": region,
    }
    return {**entry, **more}


def ledger() -> list[dict[str, Any]]:
    """A good run."""
    return [write("web-02", 0), write("web-01", 0), write("db-01", 0), write("web-03", 10), write("api-01", 20)]


def look(boot_id: str = "one", marks: tuple[str, ...] = (), web: bool = True, **servers: str) -> dict[str, Any]:
    return {"boot_id": boot_id, "marks": list(marks), "services": {"web": web}, "servers": servers}


def broken(promise: Promise, *words: str) -> None:
    assert not promise.kept
    for word in words:
        assert word in promise.proof


def test_a_good_run_keeps_every_promise_about_the_ledger():
    judged = [
        promises.once_each(ledger(), EXPECTED),
        promises.nothing_else(ledger(), EXPECTED, 6),
        promises.waves_kept(ledger(), WAVES),
        promises.domains_apart(ledger()),
        promises.regions_apart(ledger(), PAIRS),
        promises.ledger_unchanged(ledger(), ledger()),
    ]
    assert [promise.proof for promise in judged if not promise.kept] == []
    assert judged[0].proof == "5 startable VMs, 5 writes: 5 completed"
    assert "shop/web 4.5 s apart" in judged[3].proof
    assert "northeurope and westeurope: 4.5 s apart" in judged[4].proof


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([*ledger(), write("web-01", 30)], ("web-01: completed, completed instead of one completed",)),
        ([entry for entry in ledger() if entry["name"] != "db-01"], ("db-01: no write",)),
        ([*ledger()[:-1], write("api-01", 20, outcome="refused")], ("api-01: refused",)),
    ],
)
def test_a_vm_started_twice_or_never_or_in_vain_is_named(entries: list[dict[str, Any]], words: tuple[str, ...]):
    broken(promises.once_each(entries, EXPECTED), *words)


def test_a_write_to_another_vm_is_named():
    broken(promises.nothing_else([*ledger(), write("lb-01", 30, operation="restart")], EXPECTED, 6), "restart on lb-01")


def test_two_update_domains_down_together_are_named():
    late = [*ledger()[:3], write("web-03", 4), ledger()[4]]
    broken(promises.domains_apart(late), "web-03 (shop/web update domain 1)", "web-01 (shop/web update domain 0)")


def test_an_operation_that_has_not_ended_meets_what_comes_after_it():
    broken(promises.domains_apart([write("web-01", 0, None), write("web-03", 50)]), "web-01")


def test_vms_that_stay_up_may_overlap():
    aborted = write("web-03", 2, down=False)
    assert promises.domains_apart([*ledger()[:3], aborted]).kept


def test_update_domains_of_two_sets_may_overlap():
    assert promises.domains_apart([write("web-03", 0), write("db-01", 0)]).kept


def test_redeploys_held_for_scheduled_events_were_let_go_early():
    held = [write("db-01", 8, accepted="2026-11-22T12:00:06.500000+00:00", notice_seconds=60.0), write("web-01", 0, notice_seconds=0.0)]
    told = promises.holds_cut_short(held, {IDS["db-01"].lower()})
    assert told.kept and "held their redeploys for 60 s in all" in told.proof and "held them for 1.5 s (longest: 1.5 s)" in told.proof
    nobody = [write("db-01", 50, accepted="2026-11-22T11:59:50+00:00", notice_seconds=60.0)]
    broken(promises.holds_cut_short(nobody, {IDS["db-01"].lower()}), "db-01 waited 60.0 of 60 s: nobody approved")
    broken(promises.holds_cut_short(held[1:], {IDS["db-01"].lower()}), "db-01 was not held at all")


def test_paired_regions_touched_together_are_named():
    broken(
        promises.regions_apart([write("web-01", 0), write("api-01", 3)], PAIRS), "web-01 (region westeurope)", "api-01"
    )


def test_regions_that_are_no_pair_may_overlap():
    assert promises.regions_apart([write("web-01", 0), write("api-01", 3)], {frozenset(("westeurope", "uksouth"))}).kept


@pytest.mark.parametrize(
    ("entries", "word"),
    [
        ([*ledger()[:3], write("web-03", 3), ledger()[4]], "web-03 of wave 2 was started before"),
        (
            [*ledger()[:2], write("web-03", 10), write("db-01", 20), write("api-01", 30)],
            "db-01 of wave 1 was started after wave 2",
        ),
        (ledger()[:-1], "api-01 is in wave 3 and was not started"),
        ([*ledger(), write("lb-01", 40)], "lb-01 is in no wave"),
    ],
)
def test_waves_that_are_not_the_plans_are_named(entries: list[dict[str, Any]], word: str):
    broken(promises.waves_kept(entries, WAVES), word)


LOAD = {
    "requests": 5000,
    "failed": 0,
    "errors": {},
    "idle_close_retries": 0,
    "per_server": {"web-01": 5000},
    "longest_gap_seconds": 0.05,
}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"failed": 1, "errors": {"status 503": 1}}, "1 failed: {'status 503': 1}"),
        ({"requests": 10}, "only 10 requests"),
        ({"idle_close_retries": 2}, "2 had to be sent twice"),
    ],
)
def test_a_load_that_lost_something_breaks_the_promise(change: dict[str, Any], word: str):
    assert promises.load_served(LOAD, 2000).kept
    broken(promises.load_served({**LOAD, **change}, 2000), word)


def test_guests_are_judged_by_their_boot_ids():
    before = {"web-01": look(), "lb-01": look()}
    assert promises.moved_only(before, {"web-01": look("two"), "lb-01": look()}, {"web-01"}).kept
    broken(promises.moved_only(before, before, {"web-01"}), "web-01 never went away")
    broken(promises.moved_only(before, {"web-01": look("two"), "lb-01": look("two")}, {"web-01"}), "lb-01 was rebooted")


@pytest.mark.parametrize(
    ("after", "marks", "word"),
    [
        (look(marks=("/etc/ansible/facts.d/azure_maintenance.fact",)), [], "web-01 still has the mark /etc/ansible"),
        (look(web=False), [], "service web on web-01 is stopped"),
        (look(**{"web/web-01": "MAINT"}), [], "web/web-01 on web-01 is MAINT"),
        (look(), ["web-01"], "the controller still has the mark web-01"),
        ({"error": "no answer"}, [], "web-01 cannot be looked at: no answer"),
    ],
)
def test_what_is_not_restored_is_named(after: dict[str, Any], marks: list[str], word: str):
    before = {"web-01": look()}
    assert promises.restored(before, {"web-01": look("two", **{"web/web-01": "UP"})}, []).kept
    broken(promises.restored(before, {"web-01": after}, marks), word)


def test_a_ledger_that_grew_or_shrank_is_told():
    broken(promises.ledger_unchanged(ledger()[:-1], ledger()), "performMaintenance on api-01")
    broken(promises.ledger_unchanged(ledger(), ledger()[:-1]), "1 writes are missing")


def test_an_exit_status_that_was_not_expected_is_told():
    good = {"name": "plan", "status": 0, "expected": 0}
    assert promises.commands_succeeded([good]).kept
    broken(promises.commands_succeeded([good, {"name": "roll", "status": 2, "expected": 0}]), "roll ended with 2")


def test_the_message_of_an_abort_must_be_one_line_with_vm_reason_and_rest():
    line = "web-03 (update domain 1 of WEB): web-03: aborted: Azure aborted it. -- left: in service"
    assert abort_promises.message(f"before\n    {line}\nafter", "web-03") == Promise(
        "its message names the VM, the reason and what is left where", True, line
    )
    broken(abort_promises.message(line.replace(" -- left: in service", ""), "web-03"), "no line names web-03")
    broken(abort_promises.message(line, "web-04"), "no line names web-04")


def test_after_an_abort_peers_are_back_and_no_wave_follows():
    before = {"web-01": look(), "web-02": look(), "db-01": look(), "api-01": look()}
    after = {**before, "web-02": look("two"), "db-01": look("two")}
    assert abort_promises.peers(before, after, WAVES[0], "web-01", []).kept
    broken(abort_promises.peers(before, before, WAVES[0], "web-01", []), "web-02 never went away")
    broken(
        abort_promises.peers(before, {**after, "db-01": look("two", web=False)}, WAVES[0], "web-01", []),
        "service web on db-01",
    )
    assert abort_promises.next_wave(ledger()[:3], WAVES, 1) == Promise(
        "no wave after it was started", True, "2 VMs of 2 waves not started"
    )
    broken(abort_promises.next_wave(ledger(), WAVES, 1), "web-03, api-01 was started")
    assert not abort_promises.stopped(0).kept
