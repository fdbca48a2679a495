# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has come to, from its events: phases, gates, and what is told. Whatever order the events come in, and wherever the log ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout import run_state
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_log import Event
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_state import (
    FAILED, NOT_ADMITTED, STEPS, concerned, drain_refusal, failure_words, fold, hook_payload, rest_words, start_gate, stop_words, wave_gate,
)

# a and b are update domains 0 and 1 of one set, c is a VM of its own, d and e share domain 2 of the set
PLANNED = [("a", 1, "set", "set 0", True), ("b", 2, "set", "set 1", False), ("c", 2, "", " c", False), ("d", 3, "set", "set 2", False),
           ("e", 3, "set", "set 2", False)]
WELL = ("prepared", "admitted", "draining", "drained", "starting", "azure_done", "in_service")


def planned(soak=0):
    hosts = [{"host": name, "vm_id": f"/vms/{name}", "wave": wave, "lane": 1, "set": group, "place": place, "canary": canary}
             for name, wave, group, place, canary in PLANNED]
    return Event(0.0, "planned", None, {"hosts": hosts, "soak_minutes": soak})


def steps(name, *events, at=10.0, **detail):
    return [Event(at + number, event, name, detail) for number, event in enumerate(events)]


def through(name, at=10.0):
    return steps(name, *WELL, at=at)


def state_of(*events, soak=0):
    return fold([planned(soak), *events])


def phases(state):
    return {host.name: host.phase for host in state.hosts}


# -- phases --------------------------------------------------------------------------------------------------------------


def test_hosts_are_queued_in_the_order_of_the_plan():
    state = state_of()
    assert phases(state) == dict.fromkeys("abcde", "queued") and state.waves == 3 and state.begun == 0.0


@pytest.mark.parametrize("end", range(len(WELL)))
def test_a_host_is_in_the_phase_of_its_last_event_wherever_the_run_was_killed(end):
    assert phases(state_of(*steps("a", *WELL[:end + 1])))["a"] == WELL[end]


def test_the_first_of_two_equal_events_counts():
    host = state_of(*steps("a", "in_service", at=50.0, words="second"), *steps("a", "in_service", at=20.0, words="first")).host("a")
    assert (host.at["in_service"], host.words) == (20.0, "first")


@pytest.mark.parametrize("end", FAILED)
def test_of_two_ends_the_worse_counts(end):
    for events in (steps("a", end, "in_service"), steps("a", "in_service", end)):
        assert phases(state_of(*events))["a"] == end


def test_events_of_strangers_and_of_unknown_kinds_change_nothing():
    assert state_of(*steps("x", "in_service"), *steps("a", "celebrated"), Event(1.0, "in_service")) == state_of()


def test_a_log_without_a_plan_has_no_hosts():
    state = fold(through("a"))
    assert (state.hosts, state.waves, state.begun) == ((), 0, None) and state.host("a") is None


def test_what_was_said_last():
    host = state_of(*steps("a", "azure_done", result={"outcome": "succeeded"}), *steps("a", "in_service", at=20.0, result={}, address="10.0.0.2")).host("a")
    assert host.said("result") == {"outcome": "succeeded"} and host.said("address") == "10.0.0.2" and host.said("sessions") is None


EVENTS = st.lists(st.builds(Event, st.floats(0, 1000), st.sampled_from((*STEPS, "stopped", "nonsense")), st.sampled_from([*"abcdex", None]),
                            st.fixed_dictionaries({"words": st.sampled_from(["one", "two"])})), max_size=30)


@settings(max_examples=300)
@given(EVENTS, st.randoms())
def test_the_order_of_events_does_not_matter_nor_that_one_comes_twice(events, random):
    events = list({(event.time, event.event, event.host): event for event in events if event.event != "stopped"}.values())
    again = [*events, *random.sample(events, len(events) // 2)]
    random.shuffle(again)
    assert phases(state_of(*again)) == phases(state_of(*events))
    assert [host.at for host in state_of(*again).hosts] == [host.at for host in state_of(*events).hosts]


@settings(max_examples=300)
@given(EVENTS, st.integers(0, 30))
def test_no_gate_opens_for_a_host_of_which_the_log_says_too_little(events, kept):
    """A log that ends earlier, or has lost lines, never lets more hosts go."""
    state = state_of(*events[:kept])
    for host in state.hosts:
        seen = {event.event for event in events[:kept] if event.host == host.name}
        if drain_refusal(state, host.name, host.wave) is None:
            assert "admitted" in seen and not seen & {*FAILED, "in_service", "left_out", "draining"}
        if host.name in start_gate(state, host.name, "abcde", partial=True).going:
            assert "drained" in seen and not seen & {*FAILED, "in_service", "azure_done"}
        if host.name in wave_gate(state, host.wave, [host.name], now=2000.0).members:
            assert seen & {*STEPS} == {"prepared"}


@settings(max_examples=200)
@given(EVENTS)
def test_a_host_that_was_touched_is_out_of_service_until_it_is_returned(events):
    state = state_of(*events)
    out = {host.name for host in state.out_of_service(wave=9)}
    for host in state.hosts:
        assert (host.name not in out) == (host.phase in ("admitted", "in_service", "already_done", "left_out", "refused", "restored"))


# -- before a wave -------------------------------------------------------------------------------------------------------


def ready(*names):
    return [event for name in names for event in steps(name, "prepared", at=1.0)]


def test_a_wave_begins_with_the_hosts_that_were_prepared_and_have_not_failed():
    state = state_of(*through("a"), *ready("b"), *steps("c", "not_prepared"))
    gate = wave_gate(state, 2, ["b", "c"], now=100.0)
    assert (gate.members, gate.stop, gate.soak_seconds) == (("b",), None, 0.0)


def test_a_batch_with_hosts_of_another_wave_stops():
    gate = wave_gate(state_of(*ready(*"abcde")), 2, ["b", "c", "d"], now=100.0)
    assert gate.members == () and "not of this wave (d)" in gate.stop and "without --start-at-task" in gate.advice


def test_a_host_that_the_log_does_not_know_stops():
    assert "not of this wave (b)" in wave_gate(fold([]), 2, ["b"], now=100.0).stop


@pytest.mark.parametrize("end, stops", [("in_service", False), ("already_done", False), ("restored", True), ("starting", True), ("left_out", True)])
def test_canaries_come_first(end, stops):
    gate = wave_gate(state_of(*ready("a", "b", "c"), *steps("a", end)), 2, ["b", "c"], now=100.0)
    assert (gate.stop == "of the canaries a did not come through") is stops and bool(gate.members) is not stops
    assert wave_gate(state_of(*ready("a")), 1, ["a"], now=100.0).stop is None, "not before their own wave"


def test_a_stop_file_stops():
    gate = wave_gate(state_of(*through("a"), *ready("b", "c")), 2, ["b", "c"], now=100.0, stop_file="/x/stop")
    assert gate.members == () and gate.stop == "the stop file /x/stop is there" and "Take it away" in gate.advice


@pytest.mark.parametrize("batch, now, left", [
    (["b"], 110.0, 510.0), (["b"], 620.0, 0.0), (["b"], 9000.0, 0.0), (["c"], 110.0, 0.0), (["a"], 110.0, 0.0)],
    ids=["another domain of its set", "just settled", "long ago", "no set", "its own domain"])
def test_a_set_settles_before_its_next_domain(batch, now, left):
    state = state_of(*steps("a", "in_service", at=20.0), soak=10)
    assert state.soak_left(batch, now) == left


def test_the_soak_counts_from_the_last_return_to_another_place():
    state = state_of(*steps("a", "in_service", at=20.0), *steps("d", "in_service", at=80.0), soak=10)
    assert state.soak_left(["b"], 100.0) == 580.0
    assert state.soak_left(["e"], 100.0) == 520.0, "d is in the domain of e"
    assert wave_gate(state_of(*ready("b"), *through("a", at=14.0), soak=10), 2, ["b"], now=100.0).soak_seconds == 520.0


# -- before a drain, and before a start ----------------------------------------------------------------------------------


def test_only_an_admitted_host_of_this_wave_is_drained():
    state = state_of(*ready("a", "b"), *steps("a", "admitted"))
    assert drain_refusal(state, "a", 1) is None
    assert drain_refusal(state, "a", 2) == drain_refusal(state, "b", 2) == drain_refusal(state, "x", 1) == NOT_ADMITTED


def admitted(*names, then=()):
    return [event for name in names for event in steps(name, "prepared", "admitted", *then)]


def test_the_whole_wave_goes_when_all_of_it_is_drained():
    state = state_of(*admitted("d", "e", then=("draining", "drained")))
    assert start_gate(state, "d", ["d", "e"], partial=False).going == ("d", "e")


@pytest.mark.parametrize("others", [("draining",), ("draining", "restored"), ("draining", "left_drained"), ()])
def test_nobody_goes_when_one_of_the_wave_did_not_drain(others):
    state = state_of(*admitted("d", then=("draining", "drained")), *admitted("e", then=others))
    assert start_gate(state, "d", ["d", "e"], partial=False).refusal == "not redeployed, because e of its wave did not drain"
    assert start_gate(state, "d", ["d", "e"], partial=True).going == ("d",)
    assert start_gate(state, "e", ["d", "e"], partial=True).refusal, "an undrained host never goes"
    assert start_gate(state, "d", ["d"], partial=False).going == ("d",), "a host that core does not reach any more is not waited for"


@pytest.mark.parametrize("other", ["already_done", "refused", "left_out", "not_prepared"])
def test_hosts_that_need_no_drain_hold_nobody_back(other):
    state = state_of(*admitted("d", then=("draining", "drained")), *steps("e", other))
    assert start_gate(state, "d", ["d", "e"], partial=False).going == ("d",)


def test_a_host_that_failed_after_its_drain_is_not_started():
    state = state_of(*admitted("d", "e", then=("draining", "drained")), *steps("e", "restored", at=90.0))
    assert start_gate(state, "d", ["d", "e"], partial=False).going == ("d",)
    assert start_gate(state, "e", ["d", "e"], partial=False).refusal


# -- who counts as what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end, out", [("in_service", False), ("restored", False), ("left_drained", True), ("refused", False), ("not_prepared", True),
                                      ("already_done", False), ("starting", True), ("draining", True), ("prepared", True), ("left_out", False)])
def test_who_is_out_of_service_behind_a_wave(end, out):
    assert [host.name for host in state_of(*steps("a", end)).out_of_service(wave=2)] == (["a"] if out else [])


def test_later_waves_are_in_service_unless_they_failed_or_cannot_be_reached():
    state = state_of(*through("a"), *steps("d", "not_prepared"))
    assert [host.name for host in state.out_of_service(wave=2, unreachable=["e"])] == ["d", "e"]
    assert [host.name for host in state.failed(["e"])] == ["d", "e"]


def test_what_is_not_started_yet():
    state = state_of(*through("a"), *steps("b", "refused"), *steps("d", "already_done"))
    assert state.not_started(2, unreachable=["e"]) == ["c"] and state.not_started(1) == ["c", "e"]


# -- what is told --------------------------------------------------------------------------------------------------------


def test_hooks_of_a_wave_hear_of_its_hosts():
    state = state_of(*through("a"), *steps("b", "left_drained", words="b: no"), *steps("c", "left_out", words="c: its set"))
    told = hook_payload(state, "after_wave", "one", "b", 2)
    assert (told["hosts"], told["succeeded"], told["lost"], told["left_out"], told["not_started"]) == (["b", "c"], [], ["b"], ["c"], [])
    assert (told["host"], told["reason"], told["wave"], told["waves"], told["run_id"]) == (None, None, 2, 3, "one")
    assert told["summary"] == "Azure maintenance: after wave: wave 2: 2 hosts: 0 done, 1 failed, 1 skipped"


def test_hooks_of_a_host_hear_of_it_and_of_why_it_failed():
    state = state_of(*steps("b", "left_drained", words="b: no"))
    failed, drained = (hook_payload(state, point, "one", "b", 2) for point in ("on_failure", "before_drain"))
    assert (failed["host"], failed["reason"], failed["summary"]) == ("b", "b: no", "Azure maintenance: on failure: wave 2: b: b: no")
    assert (drained["host"], drained["reason"], drained["summary"]) == ("b", None, "Azure maintenance: before drain: wave 2: b")


def test_hooks_of_the_run_hear_of_all_and_of_why_it_stopped():
    state = state_of(*through("a"), Event(90.0, "stopped", None, {"words": "STOPPED before wave 2"}), Event(91.0, "stopped", None, {"words": "again"}))
    told = hook_payload(state, "after_run", "one", "elsewhere", 0)
    assert (told["wave"], told["host"], told["reason"], told["hosts"]) == (None, None, "STOPPED before wave 2", [*"abcde"])
    assert told["not_started"] == [*"bcde"] and told["summary"].endswith("5 hosts: 1 done, 0 failed, 0 skipped: STOPPED before wave 2")
    assert hook_payload(state, "before_run", "one", None, None)["summary"] == "Azure maintenance: before run: 5 hosts"


def test_what_was_not_done_is_said_with_the_command():
    state = state_of(*steps("c", "left_out", words="c: its set"), Event(90.0, "stopped", None, {"words": "STOPPED before wave 2"}))
    assert rest_words(state, "plan it") == "SKIPPED, not changed: c: its set. Mend that, then plan the rest: plan it STOPPED before wave 2"
    assert rest_words(state_of(*through("a")), "plan it") == ""
    assert stop_words("before wave 2", "a stop", ["b", "c"], "Run again", "run it") == "STOPPED before wave 2: a stop. Not started: b, c. Run again: run it"
    assert "Not started: none." in stop_words("before wave 2", "a stop", [], "Run again", "run it")


@pytest.mark.parametrize("phase, group, said", [
    ("refused", "web", "b: no -- left: not changed"), ("left_drained", "web", "b (update domain 0 of web): no -- left: DRAINED"),
    ("restored", None, "b (single VM): no -- left: DRAINED")])
def test_how_a_failure_is_said(phase, group, said):
    assert failure_words("b", phase, "no", "DRAINED", group, 0) == said


def test_who_stands_for_what_was_not_done():
    state = state_of(*through("a"), *steps("d", "restored"))
    assert concerned(state, ["a", "b", "d", "lb-1"]) == ["d", "b", "a", "lb-1"]


def test_the_phases_are_documented_where_they_are_defined():
    assert [phase for phase in run_state.PHASES if phase not in run_state.__doc__] == []
