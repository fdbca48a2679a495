# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed at any point is finished by the next one: nothing is started twice, every VM gets an outcome."""

from __future__ import annotations

import datetime as dt
import json
import threading

import pytest
from unit.plugins.cloud import FakeClock

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal

SINCE = format_time(dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=3))


class Killed(BaseException):
    """The process is gone."""


class Fuse:
    """Counts the points before writes to the journal, before starts and after them; dead at the chosen point and at every later one."""

    def __init__(self, at=0):
        self.at, self.points, self._lock = at, 0, threading.Lock()

    def point(self):
        with self._lock:
            self.points += 1
            if self.dead:
                raise Killed

    @property
    def dead(self):
        return 0 < self.at <= self.points

    def wrap(self, call, after=False):
        def fused(*args, **named):
            self.point()
            result = call(*args, **named)
            if after:
                self.point()
            return result

        return fused


def run(cloud, names, fuse=None, **options):
    """One process: its result, or None when it was killed."""
    redeploy, journal = cloud.make(*names, **options)
    arm = cloud.arm()
    with pytest.MonkeyPatch.context() as patch:
        if fuse:
            patch.setattr(journal, "intend", fuse.wrap(journal.intend))
            patch.setattr(journal, "note", fuse.wrap(journal.note))
            patch.setattr(arm, "post", fuse.wrap(arm.post, after=True))
        try:
            return redeploy.run()
        except Killed:
            return None
        finally:
            journal.close()  # locks end with their process


# course of the operation, fault of the start, options -> how a VM may stand after the second run; refused only while the other
# one, started by the run that was killed, is still in motion
OPEN = {"succeeded", "already_done"}
COURSES = {
    "completed": ({"after_seconds": 8}, None, {}, OPEN),
    "waits for its guests": ({"waits_seconds": 15}, None, {}, OPEN),
    "moved to a due host": ({"result": "still_due"}, None, {}, {"still_due", "unknown"}),
    "dropped": ({"after_seconds": 0, "block": "vanishes"}, {"drop": "after"}, {}, OPEN),
    "throttled": ({"after_seconds": 0}, {"status": 429, "retry_after": 5}, {}, OPEN | {"unknown"}),
    "plain redeploy": ({"after_seconds": 8}, None, {"operation": "redeploy", "since": SINCE}, OPEN | {"unknown"}),
}


def begin(cloud, directory, course, fault):
    cloud.begin(directory)
    for name in ("web-0a", "web-0b"):
        cloud.change(name, operations={"default": course})
        if fault:
            cloud.post_fault(name, **fault)


@pytest.mark.parametrize("case", COURSES)  # every point of the first, every other of its variants
def test_killed_at_every_point(cloud, tmp_path, case):
    course, fault, options, allowed = COURSES[case]
    names = ["web-0a", "web-0b"]
    whole = Fuse()
    begin(cloud, tmp_path / "whole", course, fault)
    run(cloud, names, whole, **options)
    assert whole.points >= 10, "intent, before and after the start, URL and outcome of each"
    for at in range(1, whole.points + 1, 1 if case == "completed" else 2):
        begin(cloud, tmp_path / str(at), course, fault)
        assert run(cloud, names, Fuse(at), **options) is None
        result = run(cloud, names, **options)
        where = f"{case}, killed at point {at}"
        assert set(cloud.outcomes(result)) == set(names), where
        if "refused" in result["counts"]:
            assert any(word in result["msg"] for word in ("updating", "starting", "under way")), where
            cloud.clock.sleep(3600)
            result = run(cloud, names, **options)
        assert set(cloud.outcomes(result).values()) <= allowed, f"{where}: {result.get('msg')}"
        executed = cloud.executed()
        assert len(executed) == len(set(executed)), f"{where}: started twice"


def test_killed_in_the_middle_of_many(many):
    """Eight at once, twelve in all: those that were reached are attached to, the others are started, each once."""
    names = [vm.name for vm in many.simulator.fleet.vms.values()]
    assert run(many, names, Fuse(at=20)) is None
    result = run(many, names)
    assert set(many.outcomes(result).values()) == {"succeeded"} and len(result["vms"]) == 12
    assert many.executed() == sorted(names)


def test_killed_again_and_again(cloud):
    """Every run gets a little further; the work still ends, and every start was made once."""
    for at in range(3, 30, 3):
        done = run(cloud, ["solo", "duo", "far"], Fuse(at))
        if done:
            break
    assert set(cloud.outcomes(done).values()) <= {"succeeded", "already_done"}
    assert cloud.executed() == ["duo", "far", "solo"]


def intent_only(cloud, name="solo", age=0):
    """A journal as a run leaves it that was killed between intent and start."""
    assert run(cloud, [name], Fuse(at=2)) is None
    cloud.clock.sleep(age)


def test_an_intent_without_a_trace_is_started_after_its_time(cloud):
    intent_only(cloud)
    cloud.clock.sleeps.clear()
    result = run(cloud, ["solo"], settle=120, timeout=300)
    assert cloud.outcomes(result) == {"solo": "succeeded"} and cloud.executed() == ["solo"]
    assert sum(cloud.clock.sleeps) >= 118, "it was waited until no trace could come any more"
    file, = cloud.journal.glob("solo-*.json")
    assert [a["outcome"] for a in json.loads(file.read_text())["attempts"]] == ["not_executed", "succeeded"]


def test_an_old_intent_without_a_trace_is_started_at_once(cloud):
    intent_only(cloud, age=3600)
    cloud.change("solo", operations={"default": {"after_seconds": 0}})
    cloud.clock.sleeps.clear()
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "succeeded"} and cloud.clock.sleeps == [10], "only until the first look"


def test_an_intent_in_doubt_at_the_time_limit_is_not_started(cloud):
    intent_only(cloud)
    result = run(cloud, ["solo", "duo"], settle=500, timeout=60)
    assert cloud.outcomes(result)["solo"] == "unknown" and "too little time" in result["msg"]
    assert cloud.executed() in (["duo"], [])


def test_an_intent_whose_vm_has_no_block_any_more_is_done(cloud):
    intent_only(cloud)
    cloud.change("solo", wave=None)
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "succeeded"} and cloud.executed() == []


def test_the_activity_log_speaks_for_an_intent_without_other_traces(cloud):
    """It was executed, and the host it is on now is due: the view is as before, the log is not."""
    cloud.change("solo", operations={"default": {"result": "still_due", "after_seconds": 0}})
    assert run(cloud, ["solo"], Fuse(at=3)) is None
    result = run(cloud, ["solo"])
    assert cloud.outcomes(result) == {"solo": "still_due"}
    assert cloud.executed() == ["solo"]


REFUSALS = [{"status": 409}, {"status": 403}, {"status": 429, "retry_after": 5}, {"status": 404}]


@pytest.mark.parametrize("order", [{}, {"operation": "redeploy", "since": SINCE}])
@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: str(fault["status"]))
def test_a_start_that_was_refused_but_never_noted(cloud, fault, order):
    """Killed after Azure's answer, before the note: the log proves that it was not executed, so it is started at once."""
    cloud.post_fault("solo", **fault)
    assert run(cloud, ["solo"], Fuse(at=3), **order) is None
    assert cloud.outcomes(run(cloud, ["solo"], check=True, **order)) == {"solo": "would_start"}
    cloud.clock.sleeps.clear()
    assert cloud.outcomes(run(cloud, ["solo"], **order)) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"]
    file, = cloud.journal.glob("solo-*.json")
    assert [a["outcome"] for a in json.loads(file.read_text())["attempts"]] == ["not_executed", "succeeded"]


def test_a_refusal_that_the_view_shows_too_is_not_taken_for_an_attempt(cloud):
    """Azure refused for it was not allowed any more: that is no trace of a start."""
    cloud.post_fault("solo", status=409)
    assert run(cloud, ["solo"], Fuse(at=3)) is None
    cloud.change("solo", allowed=False)
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "not_allowed"} and cloud.executed() == []


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_in_the_log_proves_nothing(cloud, status):
    cloud.post_fault("solo", status=status)
    assert run(cloud, ["solo"], Fuse(at=3)) is None
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "unknown"} and cloud.executed() == []


def test_a_forgotten_redeploy_is_told_by_the_vm_when_the_log_is_closed(cloud):
    order = {"operation": "redeploy", "since": SINCE}
    cloud.change("solo", operations={"redeploy": {"result": "forgotten", "after_seconds": 20}})
    cloud.fault("/management/values", count=0, status=403)
    vm = cloud.redeploy("solo", **order)["vms"][cloud.id("solo")]
    assert vm["outcome"] == "succeeded" and "Azure accepted it, and the VM's last operation succeeded at" in vm["reason"]


def test_a_redeploy_without_any_answer_stays_unknown_when_the_log_is_closed(cloud):
    """That the VM changed may be anybody's doing; whether it was this start only the log could tell."""
    order = {"operation": "redeploy", "since": SINCE}
    cloud.change("solo", operations={"redeploy": {"after_seconds": 0}})
    cloud.fault("/management/values", count=0, status=403)
    cloud.post_fault("solo", drop="after")
    for dummy in range(2):
        assert cloud.outcomes(cloud.redeploy("solo", **order)) == {"solo": "unknown"}
    assert cloud.executed() == ["solo"]
    cloud.simulator.world.faults.clear()
    assert cloud.outcomes(cloud.redeploy("solo", **order)) == {"solo": "succeeded"}


def for_ever_unknown(cloud, operation="redeploy", **fault):
    """A plain operation whose answer got lost, on a VM that changed since, where no activity log can be read; its order."""
    order = {"operation": operation, "since": SINCE}
    cloud.change("solo", operations={operation: {"after_seconds": 0}})
    cloud.fault("/management/values", count=0, status=403)
    cloud.post_fault("solo", **(fault or {"drop": "after"}))
    result = cloud.redeploy("solo", **order)
    assert cloud.outcomes(result) == {"solo": "unknown"} and "accept: [unknown_attempt]" in result["msg"]
    cloud.simulator.fleet.named("solo")[0].state.changed = cloud.simulator.clock.now()
    return order


@pytest.mark.parametrize("operation", ["redeploy", "reapply"])
@pytest.mark.parametrize("fault", [{"drop": "after"}, {"status": 500, "executed": True}, {"status": 202, "executed": True, "body": "[" * 100_000}])
def test_what_is_unknown_for_ever_is_started_again_by_consent_alone(cloud, operation, fault):
    order = for_ever_unknown(cloud, operation, **fault)
    others = ["retry_after_abort", "completed_but_allowed"]
    assert cloud.outcomes(cloud.redeploy("solo", accept=others, **order)) == {"solo": "unknown"} and cloud.executed() == ["solo"]
    before = {path.name: path.read_bytes() for path in cloud.journal.iterdir()}
    assert cloud.outcomes(cloud.redeploy("solo", accept=["unknown_attempt"], check=True, **order)) == {"solo": "would_start"}
    assert before == {path.name: path.read_bytes() for path in cloud.journal.iterdir()}
    assert cloud.outcomes(cloud.redeploy("solo", accept=["unknown_attempt"], start=False, **order)) == {"solo": "would_start"}
    assert cloud.executed() == ["solo"], "recovery gives the attempt up, and starts nothing"
    assert cloud.outcomes(cloud.redeploy("solo", accept=["unknown_attempt"], **order)) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo", "solo"]
    assert cloud.outcomes(cloud.redeploy("solo", accept=["unknown_attempt"], **order)) == {"solo": "already_done"} and len(cloud.executed()) == 2


@pytest.mark.parametrize("change", [
    {"provisioning": "updating"}, {"power": "starting"}, {"power": "stopping"}, {"power": "stopped"}, {"agent": "not_ready"}], ids=str)
def test_consent_has_no_effect_while_anything_moves(cloud, change):
    order = for_ever_unknown(cloud)
    cloud.change("solo", **change)
    assert cloud.outcomes(cloud.redeploy("solo", accept=["unknown_attempt"], **order))["solo"] in ("unknown", "still_running", "failed")
    assert cloud.executed() == ["solo"]


def test_consent_has_no_effect_on_an_attempt_that_is_young(cloud):
    order = for_ever_unknown(cloud)
    for accept in ([], ["unknown_attempt"]):
        result = cloud.redeploy("solo", accept=accept, settle=3600, timeout=10, **order)
        assert cloud.outcomes(result) == {"solo": "unknown"} and cloud.executed() == ["solo"]


@pytest.mark.parametrize("answer, outcome, starts", [
    ({"body": {"status": "InProgress"}}, "still_running", 1), ({"status": 503}, "unknown", 1), ({"body": {"status": "Succeeded"}}, "succeeded", 1),
    ({"status": 404}, "succeeded", 2)])
def test_consent_asks_after_the_operation_first(cloud, answer, outcome, starts):
    order = {"operation": "redeploy", "since": SINCE}
    cloud.fault("/management/values", count=0, status=403)
    cloud.redeploy("solo", wait=False, **order)
    cloud.clock.sleep(120)
    cloud.simulator.fleet.named("solo")[0].state.changed = cloud.simulator.clock.now() - dt.timedelta(days=1)
    cloud.fault("/operations/", count=2 if starts == 2 else 0, **answer)
    assert cloud.outcomes(cloud.redeploy("solo", accept=["unknown_attempt"], **order)) == {"solo": outcome}
    assert len(cloud.executed()) == starts


def test_a_log_that_can_be_read_decides_whatever_was_consented_to(cloud):
    order = for_ever_unknown(cloud)
    cloud.simulator.world.faults.clear()
    assert cloud.outcomes(cloud.redeploy("solo", accept=["unknown_attempt"], **order)) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"]


@pytest.mark.parametrize("course", [{"result": "stuck"}, {"code": "SomethingNew"}], ids=str)
def test_the_one_attempt_of_a_maintenance_is_never_made_again_by_this_consent(cloud, course):
    cloud.change("solo", operations={"default": course})
    cloud.fault("/management/values", count=0, status=403)
    cloud.post_fault("solo", drop="after")
    for dummy in range(3):
        cloud.redeploy("solo", accept=["unknown_attempt"])
        cloud.clock.sleep(7200)
    assert cloud.executed() == ["solo"]


def test_an_intent_of_a_redeploy_that_the_log_never_heard_of(cloud):
    """Something else changed the VM after the intent; an hour later the log is complete."""
    order = {"operation": "redeploy", "since": SINCE}
    assert run(cloud, ["solo"], Fuse(at=2), **order) is None
    cloud.clock.sleep(60)
    cloud.simulator.fleet.named("solo")[0].state.changed = cloud.simulator.clock.now()
    assert cloud.outcomes(run(cloud, ["solo"], **order)) == {"solo": "unknown"} and cloud.executed() == []
    cloud.clock.sleep(3700)
    assert cloud.outcomes(run(cloud, ["solo"], **order)) == {"solo": "succeeded"}


def test_check_mode_attaches_to_nothing_and_waits_for_nothing(cloud):
    intent_only(cloud)
    cloud.clock.sleeps.clear()
    before = {path.name: path.read_bytes() for path in cloud.journal.iterdir()}
    result = run(cloud, ["solo"], check=True)
    assert cloud.outcomes(result) == {"solo": "started"} and "attached" in result["vms"][cloud.id("solo")]["reason"]
    assert before == {path.name: path.read_bytes() for path in cloud.journal.iterdir()} and not cloud.clock.sleeps


def test_what_changed_while_an_intent_was_settled_is_respected(cloud):
    """Settling the one takes minutes; the guards of the other must not speak about its past."""
    intent_only(cloud)
    cloud.clock.hooks.append(lambda: cloud.change("duo", power="stopped"))
    result = run(cloud, ["solo", "duo"])
    assert cloud.outcomes(result) == {"solo": "succeeded", "duo": "refused"} and "not_running" in result["msg"]
    assert cloud.executed() == ["solo"]


def test_the_next_wave_is_a_new_attempt(cloud):
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "succeeded"}
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "already_done"}
    cloud.change("solo", wave="next", code=None, allowed=None)
    cloud.simulator.clock.advance(4 * 86400)
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo", "solo"]


def test_an_unsettled_attempt_of_an_older_wave_holds_nothing_up(cloud):
    cloud.change("solo", operations={"default": [{"result": "forgotten", "block": "unchanged"}, {}]})
    cloud.fault("/management/values", count=0, status=403)
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "unknown"}
    cloud.change("solo", wave="next")
    cloud.simulator.clock.advance(4 * 86400)
    cloud.simulator.fleet.named("solo")[0].state.attempts = {"performMaintenance": 1}
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "succeeded"}


@pytest.mark.parametrize("course, first, second", [
    ({"result": "failed"}, "failed", "refused"), ({"result": "still_due"}, "still_due", "still_due"),
    ({"result": "aborted", "allowed": True}, "aborted", "refused"), ({"result": "retry_later", "allowed": True}, "retry_later", "retry_later")])
def test_an_ended_attempt_of_this_wave_is_not_made_twice(cloud, course, first, second):
    """Allowed again is not enough, except after RetryLater, where Azure says so."""
    cloud.change("solo", operations={"default": course})
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": first}
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": second}
    assert len(cloud.executed()) == (2 if first == "retry_later" else 1)


def test_an_aborted_attempt_is_made_again_with_consent(cloud):
    cloud.change("solo", operations={"default": [{"result": "aborted", "allowed": True}, {}]})
    assert cloud.outcomes(run(cloud, ["solo"])) == {"solo": "aborted"}
    assert cloud.outcomes(run(cloud, ["solo"], accept=["retry_after_abort"])) == {"solo": "succeeded"}


def test_a_plain_redeploy_since_the_mail_is_enough(cloud):
    """Whoever did it: the journal knows this controller's, the activity log everybody's."""
    order = {"operation": "redeploy", "since": SINCE}
    assert cloud.outcomes(run(cloud, ["solo", "duo"], **order)) == {"solo": "succeeded", "duo": "succeeded"}
    cloud.journal = cloud.journal.with_name("another controller")
    result = run(cloud, ["solo"], **order)
    assert cloud.outcomes(result) == {"solo": "already_done"} and "activity log" in result["vms"][cloud.id("solo")]["reason"]
    tomorrow = format_time(cloud.simulator.clock.now() + dt.timedelta(days=1))
    cloud.simulator.clock.advance(2 * 86400)
    assert cloud.outcomes(run(cloud, ["solo"], operation="redeploy", since=tomorrow)) == {"solo": "succeeded"}


def test_without_start_only_what_is_under_way_is_looked_at(cloud):
    run(cloud, ["solo"], wait=False).get("vms")
    result = run(cloud, ["solo", "duo"], start=False)
    assert cloud.outcomes(result) == {"solo": "succeeded", "duo": "would_start"}
    assert cloud.executed() == ["solo"]


# -- the journal itself goes wrong ----------------------------------------------------------------------------------------

ATTEMPT = {"operation": "perform_maintenance", "iteration": None, "client_request_id": "1", "intent_at": "2026-03-02T00:00:00Z", "outcome": None}
WRONG = {"operation": 1, "intent_at": ["2026-03-02T00:00:00Z"]}
NO_TIMES = ("soon", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-13-02T00:00:00Z", "")
ENTRIES = ["", "{", "[]", "{}", "7", '{"attempts": 3}', '{"attempts": [{}]}', '{"attempts": [3]}', "\x00\xff", "[" * 200_000, '{"attempts": [' + "[" * 200_000,
           *(json.dumps({"attempts": [{**ATTEMPT, name: value}]}) for name, value in WRONG.items()),
           *(json.dumps({"attempts": [{**ATTEMPT, "intent_at": text}]}) for text in NO_TIMES)]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("text", ENTRIES, ids=lambda text: text[:60] + text[-40:])
def test_an_unreadable_entry_is_named_and_holds_up_only_its_vm(cloud, text, check):
    run(cloud, ["solo"], wait=False, operation="reapply", since=SINCE)
    file, = cloud.journal.glob("solo-*.json")
    file.write_text(text, encoding="utf-8")
    result = run(cloud, ["solo", "duo"], check=check)
    assert cloud.outcomes(result) == {"solo": "unknown", "duo": "would_start" if check else "succeeded"}
    reason = result["vms"][cloud.id("solo")]["reason"]
    assert f"journal entry {file} cannot be read" in reason and "mend or remove it" in reason
    assert file.read_text(encoding="utf-8") == text and cloud.requests("POST", "solo/performMaintenance") == []


class Lost(Journal):
    """A journal whose directory vanishes before the nth call of one method."""

    def __init__(self, directory, method, nth=1):
        super().__init__(str(directory))
        self.prepare()
        left, call, turn = iter(range(nth, 0, -1)), getattr(self, method), threading.Lock()

        def vanishing(*args, **named):
            with turn:
                if next(left, 0) == 1:
                    directory.rename(directory.with_name("gone"))
            return call(*args, **named)

        setattr(self, method, vanishing)


def test_without_an_intent_on_disk_nothing_is_started(cloud):
    result = cloud.redeploy("solo", "duo", journal=Lost(cloud.journal, "intend"))
    assert cloud.outcomes(result) == {"solo": "refused", "duo": "refused"} and "cannot be written" in result["msg"]
    assert cloud.requests("POST", "performMaintenance") == []


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_journal_lost_later_loses_no_outcome(cloud, nth):
    """After the start every VM is watched to its end all the same."""
    cloud.clock = FakeClock(cloud.simulator)
    result = cloud.redeploy("solo", "duo", journal=Lost(cloud.journal, "note", nth))
    assert {outcome for name, outcome in cloud.outcomes(result).items() if name in cloud.executed()} == {"succeeded"}
    assert set(cloud.outcomes(result)) == {"solo", "duo"} and len(cloud.executed()) >= 1


def test_onlookers_cannot_stop_the_work(cloud):
    """The note on progress is for others; that it cannot be written stops nothing."""
    result = cloud.redeploy("solo", journal=Lost(cloud.journal, "progress"))
    assert cloud.outcomes(result) == {"solo": "succeeded"}
