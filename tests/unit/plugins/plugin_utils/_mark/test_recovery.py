# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts earlier runs left out of service: marks of guests, notes of balancers, copies on this controller."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys

import pytest
from ansible.errors import AnsibleFilterError
from unit.plugins.marks import HAPROXY, NOW, SERVICES, mark

from ansible_collections.fleetops.azure_maintenance.plugins.filter import start_patience as patience_filter
from ansible_collections.fleetops.azure_maintenance.plugins.filter.failure_words import ANOTHER, failure_words
from ansible_collections.fleetops.azure_maintenance.plugins.filter.left_over import left_over
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._mark.recovery import left_words, restore_words, sort_out, start_patience, to_undo

HOST = "web-01"
ALIVE = "its process 4711 runs on this machine"
PLACES = {"provider": "haproxy", "server": "web-01", "socket": "/run/haproxy/admin.sock",
          "balancers": {"lb-1": ["web"], "lb-2": ["web", "api"]}, "unhealthy": {}}
COPY = {**mark("one", SERVICES, PLACES), "alive": None}
NOTE = {**mark("one", HAPROXY), "alive": None}


def asked(mark=None, alive=None, drained=None, trouble=None, reached=True):
    """What maintenance_mark_info answers for a host."""
    return {"reached": reached, "mark": mark, "alive": alive, "drained": drained or {}, "trouble": trouble}


LOST = asked(reached=False, trouble="the host cannot be reached: no route to host")
NOTED, FORGOTTEN = asked(drained={HOST: NOTE}), asked()


def found(guest, copy=None, **balancers):
    """Word and mark for the one host that there is; None when it is nobody's."""
    result = sort_out({HOST: guest, **{name.replace("_", "-"): answer for name, answer in balancers.items()}}, {HOST: copy} if copy else {})
    words = [(word, result[word][HOST]) for word in ("finish", "live") if HOST in result[word]]
    assert len(words) < 2 and {*result["finish"], *result["live"]} <= {HOST}
    return words[0] if words else None


def balancers_of(answer):
    return {place: names for entry in answer[1]["undo"] if entry["provider"] == "haproxy" for place, names in entry["balancers"].items()}


# -- what the guest itself says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copy", [None, COPY, {**COPY, "alive": ALIVE}], ids=["no copy", "copy", "live copy"])
@pytest.mark.parametrize("alive, word", [(None, "finish"), (ALIVE, "live")])
def test_a_guests_own_mark_is_what_counts(alive, word, copy):
    own = mark("two", SERVICES)
    assert found(asked(own, alive), copy, lb_1=NOTED) == (word, {**own, "alive": alive, "on_host": True, "known_here": copy is not None, "reached": True})


def test_nothing_anywhere_is_nothing():
    assert sort_out({HOST: asked(), "lb-1": FORGOTTEN, "web-02": LOST}, {}) == {"finish": {}, "live": {}, "finished": {}, "unread": {}}


# -- a copy, and no mark on the guest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lb_1, lb_2, left", [
    (NOTED, NOTED, {"lb-1": ["web"], "lb-2": ["web", "api"]}), (NOTED, FORGOTTEN, {"lb-1": ["web"]}), (FORGOTTEN, NOTED, {"lb-2": ["web", "api"]}),
    (FORGOTTEN, FORGOTTEN, {}), (LOST, FORGOTTEN, {"lb-1": ["web"]}), (LOST, LOST, {"lb-1": ["web"], "lb-2": ["web", "api"]}),
    (NOTED, None, {"lb-1": ["web"], "lb-2": ["web", "api"]})],
    ids=["noted", "one noted", "other noted", "finished elsewhere", "one lost", "both lost", "one not asked"])
def test_what_was_finished_elsewhere_is_not_restored_on_balancers_again(lb_1, lb_2, left):
    answer = found(asked(), COPY, lb_1=lb_1, **({"lb_2": lb_2} if lb_2 else {}))
    assert answer[0] == "finish" and balancers_of(answer) == left and answer[1]["undo"][0] == SERVICES
    assert (answer[1]["run_id"], answer[1]["on_host"], answer[1]["known_here"]) == ("one", False, True)
    assert COPY["undo"][1] is PLACES and len(PLACES["balancers"]) == 2, "the copy is as it was"


def test_what_the_host_says_was_finished_is_not_undone_again():
    """Its services may have been stopped by somebody since, its disk been written to: nothing is undone again. Balancers tell themselves."""
    copy, guest = COPY, {**asked(), "finished": ["zero", "one"]}
    result = sort_out({HOST: guest, "lb-1": FORGOTTEN, "lb-2": FORGOTTEN}, {HOST: copy})
    assert result == {"finish": {}, "live": {}, "finished": {HOST: copy}, "unread": {}}
    word, answer = found(guest, copy, lb_1=NOTED, lb_2=FORGOTTEN)
    assert word == "finish" and answer["undo"] == [{**SERVICES, "finished": True}, {**PLACES, "balancers": {"lb-1": ["web"]}}]
    assert found(guest, {**copy, "alive": ALIVE}, lb_1=FORGOTTEN, lb_2=FORGOTTEN)[0] == "live"


@pytest.mark.parametrize("guest", [{"finished": []}, {"finished": ["another"]}, {}], ids=["new system disk", "of other runs", "silent"])
def test_a_host_that_does_not_say_so_is_drained_still(guest):
    word, answer = found({**asked(), **guest}, COPY, lb_1=FORGOTTEN, lb_2=FORGOTTEN)
    assert word == "finish" and answer["undo"][0] == SERVICES


def test_of_a_guest_that_cannot_be_asked_the_copy_counts_whole():
    for lb_1 in (NOTED, FORGOTTEN, LOST):
        assert found(LOST, COPY, lb_1=lb_1) == ("finish", {**COPY, "on_host": False, "known_here": True, "reached": False})
    assert found(LOST, {**COPY, "alive": ALIVE})[0] == "live"


@pytest.mark.parametrize("guest", [asked(), LOST], ids=["reached", "lost"])
@pytest.mark.parametrize("alive, word", [(ALIVE, "live"), (None, "finish")])
def test_a_note_of_another_run_came_after_the_copy(guest, alive, word):
    """Its host was finished elsewhere and taken out anew: what our old copy says would put it back under that run's hands."""
    theirs = {**mark("theirs", HAPROXY), "alive": alive}
    answer = found(guest, COPY, lb_1=asked(drained={HOST: theirs}), lb_2=NOTED)
    assert answer[0] == word and answer[1]["run_id"] == "theirs" and balancers_of(answer) == {"lb-1": ["web"]}
    assert (answer[1]["on_host"], answer[1]["known_here"]) == (False, True)


def test_a_run_that_took_over_knows_the_notes_of_the_one_before():
    copy = {**COPY, "run_id": "finish-1", "earlier_runs": ["one"]}
    assert balancers_of(found(asked(), copy, lb_1=NOTED, lb_2=FORGOTTEN)) == {"lb-1": ["web"]}


# -- only balancers know --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guest", [asked(), LOST], ids=["reached", "lost"])
def test_a_note_alone_is_enough_to_bring_the_host_back(guest):
    other = {**NOTE, "undo": [{**HAPROXY, "backends": ["api"], "unhealthy": ["api"]}]}
    word, answer = found(guest, lb_1=NOTED, lb_2=asked(drained={HOST: other}), lb_3=LOST)
    assert word == "finish" and (answer["run_id"], answer["on_host"], answer["known_here"], answer["earlier_runs"]) == ("one", False, False, [])
    assert answer["undo"] == [{"provider": "haproxy", "server": "web-01", "socket": "/run/haproxy/admin.sock",
                               "balancers": {"lb-1": ["web"], "lb-2": ["api"]}, "unhealthy": {"lb-1": [], "lb-2": ["api"]},
                               "unchecked": {"lb-1": [], "lb-2": []}}]


def test_one_live_note_keeps_everybody_away():
    word, answer = found(LOST, lb_1=NOTED, lb_2=asked(drained={HOST: {**mark("two", HAPROXY), "alive": ALIVE}}))
    assert (word, answer["alive"]) == ("live", ALIVE)


def test_notes_of_several_dead_runs_are_all_taken_away():
    word, answer = found(LOST, lb_1=NOTED, lb_2=asked(drained={HOST: {**mark("two", HAPROXY, earlier_runs=["zero"]), "alive": None}}))
    assert word == "finish" and answer["run_id"] == "one" and answer["earlier_runs"] == ["two", "zero"]


def test_a_host_that_was_not_asked_is_found_by_its_note():
    result = sort_out({"lb-1": asked(drained={"db-01": {**NOTE, "host": "db-01"}})}, {})
    assert list(result["finish"]) == ["db-01"] and result["finish"]["db-01"]["known_here"] is False


# -- what could not be read -----------------------------------------------------------------------------------------------


def test_marks_that_cannot_be_understood_are_told_and_lost_hosts_are_not():
    broken = asked(trouble="the mark x cannot be understood")
    result = sort_out({HOST: broken, "web-02": LOST, "lb-1": broken, "web-03": asked()}, {})
    assert result == {"finish": {}, "live": {}, "finished": {}, "unread": {HOST: "the mark x cannot be understood", "lb-1": "the mark x cannot be understood"}}
    assert sort_out({HOST: broken}, {HOST: COPY})["unread"] == {HOST: "the mark x cannot be understood"}


# -- what is said and waited for ------------------------------------------------------------------------------------------

NOTHING = [{"provider": "services", "services": []}, {"provider": "haproxy", "balancers": {"lb-1": [], "lb-2": []}}, {**SERVICES, "finished": True},
           {"provider": "azure_load_balancer", "members": []}, {"provider": "kubernetes", "cordon": False}]
POOL = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/front/backendAddressPools/web"
SOMETHING = [
    (SERVICES, "start nginx on web-01"),
    (PLACES, "set server web/web-01 ready on lb-1; set server web/web-01 ready on lb-2; set server api/web-01 ready on lb-2"),
    (HAPROXY, "restore what the provider haproxy drained on web-01"),
    ({"provider": "azure_load_balancer", "members": [{"pool": POOL, "name": "nic-1", "admin_state": "up"}]}, "set adminState of nic-1 in pool web to up"),
    ({"provider": "azure_load_balancer", "members": [{}]}, "set adminState of web-01 in pool unknown to none"),
    ({"provider": "kubernetes", "cordon": True, "node": "node-1"}, "uncordon node node-1"),
    ({"provider": "temp_disk", "archive": "/srv/a.tar.gz", "mount": "/mnt"}, "unpack /srv/a.tar.gz into /mnt on web-01"),
    ({"provider": "tasks", "files": ["/etc/back.yml"]}, "run /etc/back.yml for web-01"),
    ({"provider": "tasks", "files": []}, "restore what the provider tasks drained on web-01"),
    ({"provider": "services"}, "restore what the provider services drained on web-01")]


@pytest.mark.parametrize("undo", [None, [], *([entry] for entry in NOTHING), NOTHING])
def test_a_host_that_nothing_drained_is_not_called_drained(undo):
    left = {"run_id": "one", "undo": undo}
    assert to_undo(left) == [] and to_undo({}) == []
    for words in (left_words(left, "marks/web-01.json"), left_words({}, "marks/web-01.json")):
        assert "DRAINED" not in words and "to restore: " not in words and "nothing was drained" in words and "marks/web-01.json" in words


@pytest.mark.parametrize("entry, steps", SOMETHING)
def test_what_was_drained_is_named_and_nothing_else(entry, steps):
    words = left_words({"host": HOST, "undo": [*NOTHING, entry]}, "marks/web-01.json")
    assert words.startswith(f"DRAINED; to restore: {steps}; the drain marker is marks/web-01.json and, on the host, /etc/ansible/facts.d/")


def test_what_was_drained_last_is_restored_first():
    assert restore_words(mark("one", PLACES, SERVICES)).startswith("start nginx on web-01; set server web/web-01 ready on lb-1; ")


def in_hand(heartbeat=NOW, outcome="would_start", **fields):
    """Variables of a host that this run finishes; its dead run was about to start it."""
    return {"redeploy_forecast": {"outcome": outcome}, "rollout_left_mark": {"step": "redeploy", "known_here": False, "heartbeat": heartbeat, **fields}}


QUIET = [{}, {"rollout_left_mark": {"step": "redeploy"}}, {"redeploy_forecast": {}, "rollout_left_mark": {}}, in_hand(outcome="started"),
         in_hand(known_here=True), in_hand(step="drain"), in_hand(step=None)]
"""Hosts that nobody waits for: lost before anybody asked Azure about them, started already, known to the journal, not to be started yet."""


@pytest.mark.parametrize("gone, hosts, seconds", [
    (0, [in_hand()], 120), (50, [in_hand()], 70), (500, [in_hand()], 0), (50, [in_hand(step="finish")], 70),
    (50, [in_hand("2026-03-02T08:00:00Z"), in_hand()], 70), (50, [in_hand("2026-03-02T09:00:00Z")], 120), (50, [in_hand("yesterday")], 120),
    (50, [in_hand(None)], 120), (0, [], 0)])
@pytest.mark.parametrize("quiet", [[], QUIET], ids=["all of them", "beside others"])
def test_how_long_a_start_that_may_be_on_its_way_is_waited_for(gone, hosts, seconds, quiet):
    now = dt.datetime(2026, 3, 2, 8, 16, 2, tzinfo=dt.timezone.utc) + dt.timedelta(seconds=gone)
    for together in ([*quiet, *hosts], [*hosts, *quiet]):
        assert start_patience(together, 120, now) == seconds


def test_the_filter_asks_hosts_for_nothing_that_they_may_not_have():
    class Lost(dict):
        """Variables as ansible-core hands them out: a name that is not there is an error."""

        def get(self, name, default=None):
            return self[name]

    assert patience_filter.start_patience([Lost(), Lost(in_hand("2026-03-02T08:16:02Z"))], 120) == 0
    assert patience_filter.start_patience([Lost(), Lost(in_hand("?"))], "120") == 120


@pytest.mark.parametrize("result, task, words", [
    ({}, {}, ANOTHER), ({}, None, ANOTHER), ({"msg": ""}, {}, ANOTHER), ({"msg": "no route"}, {"name": "Look"}, "no route"),
    ({}, {"name": "Look"}, "task failed: Look"), ({"rc": 1}, {"name": "", "action": "command"}, "task failed: command"),
    ({"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "a"}, {"unreachable": True, "msg": "b"},
                                                     {"failed": True, "msg": "a"}, {"failed": True}]}, {"name": "Look"}, "a; b"),
    ({"msg": "One or more items failed", "results": [{"failed": True}]}, {}, "One or more items failed"), ({"msg": ["a"]}, {}, "['a']")])
def test_what_failed_also_for_a_host_that_failed_nothing(result, task, words):
    assert failure_words(result, task) == words


# -- the filters ----------------------------------------------------------------------------------------------------------


def test_the_filter_reads_the_copies_and_says_whose_they_are(tmp_path):
    (tmp_path / "web-01.json").write_text(json.dumps(mark("one", SERVICES, expires="2026-03-02T08:16:02Z")))
    (tmp_path / "web-02.example.com.json").write_text(json.dumps(mark("two", SERVICES, expires="2999-01-01T00:00:00Z")))
    (tmp_path / "web-03.json.new").write_text("{")
    (tmp_path / ".lock").write_text("")
    result = left_over({HOST: asked()}, str(tmp_path))
    assert list(result["finish"]) == [HOST] and list(result["live"]) == ["web-02.example.com"]
    assert result["finish"][HOST]["words"] == "run one of one@bastion, step drain, since 2026-03-02T08:16:02Z, last written 2026-03-02T08:16:02Z"
    assert result["live"]["web-02.example.com"]["alive"] == "its step may take until 2999-01-01T00:00:00Z"
    assert left_over({}, str(tmp_path / "none")) == {"finish": {}, "live": {}, "finished": {}, "unread": {}}


def test_a_copy_that_cannot_be_understood_ends_the_search(tmp_path):
    (tmp_path / "web-01.json").write_text('{"run_id": "one"')
    with pytest.raises(AnsibleFilterError, match="web-01.json cannot be understood.*restore by hand"):
        left_over({}, str(tmp_path))


def test_modules_that_are_not_here_are_named_in_their_order():
    """Asked in a process of its own, for Ansible's loader of collections is set up once per process."""
    known = ["fleetops.azure_maintenance.guest_info", "ansible.builtin.copy", "fleetops.azure_maintenance.maintenance_mark", "ping"]
    missing = ["no.such.module", "fleetops.azure_maintenance.no_such", "nonesuch", "community.no_such.haproxy"]
    program = ("import json, sys; from ansible.plugins.loader import init_plugin_loader; init_plugin_loader()\n"
               "from ansible_collections.fleetops.azure_maintenance.plugins.filter.missing_modules import FilterModule\n"
               "print(json.dumps([FilterModule().filters()['missing_modules'](names) for names in json.loads(sys.argv[1])]))")
    asked_for = [known, [missing[0], *known, *missing[1:]], []]
    done = subprocess.run([sys.executable, "-c", program, json.dumps(asked_for)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], missing, []]
