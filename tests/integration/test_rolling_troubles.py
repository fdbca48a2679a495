# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with a host: who is restored, who stays drained, what is said, what a next run does.

Four runs over one fleet, in which each host has a trouble of its own (see troubles.py): one that is refused before anything is touched; one in which
everything happens; one that comes too early, when some hosts are not mended; and one that finishes these and redeploys some of the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from integration import cloud as clouds
from integration import troubles
from integration.cli import Project, Run
from integration.cloud import Cloud, wait_until
from integration.conftest import environment
from integration.sessions import Session, past_balancer, through_balancer
from integration.troubles import Seen, fill, look

LEFT_DRAINED = ("archiveless", "cut-off", "fallen", "slow", "stayed", "unheard", "unproven")
STARTED = ("aborted", "going-on", *LEFT_DRAINED)
RESTORED = ("aborted", "busy-up", "ports", "unstoppable", "own-tasks", "packing", "untold")
AGAIN = ("busy-up", "busy-down", "ports")
"""Redeployed by the last run."""
RUN_SECONDS = 500


@dataclass(frozen=True)
class Prepared:
    """The fleet and the user's project, and the boot ids of the first day."""

    cloud: Cloud
    project: Project
    boot_ids: dict[str, str]


@dataclass(frozen=True)
class Troubled:
    """A run with users; `cut` is when their sessions broke off (seconds since 1970), if they did."""

    seen: Seen
    cut: dict[str, float | None]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Prepared]:
    with clouds.start(troubles.fleet(), tmp_path_factory.mktemp("troubles"), guests=True) as cloud:
        env = {**environment(cloud, home), "ANSIBLE_FORKS": "10"}
        yield Prepared(cloud, Project(tmp_path_factory.mktemp("user") / "project", env, troubles.variables(cloud)), cloud.boot_ids(troubles.DUE))


@pytest.fixture(scope="module")
def refused(prepared: Prepared) -> Seen:
    """A first try over hosts of which each is set up wrongly."""
    cloud, project = prepared.cloud, prepared.project
    wrong = troubles.wrong_from_the_start(project)
    for name in ("unproven", "going-on"):
        fill(cloud, name)
    cloud.ssh("packing", "head -c 60000000 /dev/urandom > /mnt/big; head -c 10000000 /dev/zero > /run/filler")
    return look(cloud, project, project.playbook("rolling_redeploy", "--limit", ",".join(wrong)))


@pytest.fixture(scope="module")
def troubled(prepared: Prepared, refused: Seen) -> Troubled:
    """Everything that may happen happens, in one wave; and a second wave, of which nobody is left."""
    cloud, project = prepared.cloud, prepared.project
    troubles.troubles(project)
    for name in ("archiveless", "aborted", "packing"):
        fill(cloud, name)
    cloud.ssh("packing", "rm /run/filler; mkdir -p /mnt/cache; mv /mnt/big /mnt/cache; truncate -s 6G /mnt/cache/sparse")  # many seconds for tar and gzip
    cloud.ssh("unstoppable", """echo '[ "$1" != stop ] || exit 1' >> /etc/default/web""")
    cloud.ssh("slow", troubles.BROKEN_START)
    cloud.patch("aborted", operations={"performMaintenance": "aborted"})
    cloud.patch("fallen", operations={"performMaintenance": {"result": "failed", "power_after": "stopped"}})
    cloud.patch("slow", operations={"performMaintenance": {"after_seconds": 7200}})
    cloud.haproxy("disable health web/busy-down; set server web/busy-down health down; disable health web/going-on")
    guests = cloud.sim.world.guests.guests
    real_boot, stay = guests.boot, {"boot_id": prepared.boot_ids["stayed"]}
    guests.boot = lambda name, address, **more: real_boot(name, address, **{**more, **(stay if name == "stayed" else {})})
    try:
        run, cut = with_users(prepared, ("busy-up", "busy-down", "going-on"), rollout_partial_wave=True, rollout_error_budget=30, redeploy_timeout=15,
                              **troubles.hooks(project))
    finally:
        guests.boot = real_boot
    return Troubled(look(cloud, project, run, ("fallen", "slow", "cut-off")), cut)


def with_users(prepared: Prepared, names: tuple[str, ...], *arguments: str, **variables: object) -> tuple[Run, dict[str, float | None]]:
    """A run while these servers have sessions, and `ports` a request past the balancer; the run, and when the sessions were cut."""
    cloud, project = prepared.cloud, prepared.project
    begun, go = project.folder / "begun", project.folder / "go"
    begun.unlink(missing_ok=True), go.unlink(missing_ok=True)
    running = project.start_playbook("rolling_redeploy", *arguments, **variables, **troubles.pause(project))
    with ExitStack() as stack:
        running.wait_until(begun.exists, "its wave began", RUN_SECONDS)
        # It gets its user while HAProxy takes it for well.
        cloud.haproxy("set server web/busy-down health up")
        sessions: dict[str, Session] = stack.enter_context(through_balancer(cloud, *names))
        cloud.haproxy("set server web/busy-down health down")
        stack.enter_context(past_balancer(cloud, "ports"))
        go.touch()
        run = running.finish(RUN_SECONDS)
        return run, {name: session.cut for name, session in sessions.items()}


@pytest.fixture(scope="module")
def early(prepared: Prepared, troubled: Troubled) -> Seen:
    """What is marked is finished, once Azure is done with it; but one VM is still down, and on another the service does not start."""
    cloud, project = prepared.cloud, prepared.project
    (project.folder / "broken").unlink()
    cloud.ssh("unproven", "echo later > /mnt/cache/a/file")
    cloud.ssh("archiveless", f"mv /srv/lost/*.gz {troubles.FOLDER}")
    cloud.ssh("lb-3", f"mv {troubles.SOCKET}.gone {troubles.SOCKET}")
    guests = cloud.sim.world.guests.guests
    guests.halt("cut-off")
    guests.boot("cut-off", cloud.address("cut-off"))
    project.write("host_vars/cut-off.yml", {})
    project.write("host_vars/fallen.yml", {"verify_timeout": 4})
    running = project.start_playbook("rolling_redeploy")
    running.wait_until(lambda: "slow was left out of service by run" in running.out, "it began to finish what was left", RUN_SECONDS)
    cloud.sim.clock.advance(7200)
    return look(cloud, project, running.finish(RUN_SECONDS), ("fallen",))


@pytest.fixture(scope="module")
def mended(prepared: Prepared, early: Seen) -> Troubled:
    """The last two are well again, and some of those that were restored are tried once more, with another policy."""
    cloud, project = prepared.cloud, prepared.project
    cloud.ssh("slow", "sed -i '/exit 1/d' /etc/default/web")
    # Its attempt failed, so Azure allows no other.
    cloud.patch("fallen", power="running", agent="ready", allowed=False, operations={})
    project.write("host_vars/fallen.yml", {})
    busy = {"drain_provider": ["haproxy"], "drain_timeout": 6, "drain_on_timeout": "force"}
    keep = {"drain_provider": ["haproxy", "temp_disk"], "drain_temp_disk_folder": "/run/azure_maintenance", "drain_temp_disk_keep": "controller"}
    seed = [{"name": "Make the cache anew", "ansible.builtin.file": {"path": "/mnt/cache", "state": "directory", "mode": "0755"}}]
    anew = {"verify_temp_disk_tasks": [str(project.write("files/seed.yml", seed))]}
    for name, values in {"busy-up": {**busy, **keep}, "busy-down": busy, "ports": {"drain_timeout": 3, "drain_on_timeout": "force", **anew}}.items():
        project.write(f"host_vars/{name}.yml", values)
    for name in ("busy-up", "ports"):
        fill(cloud, name)
    run, cut = with_users(prepared, ("busy-up", "busy-down"), "--limit", ",".join(("fallen", "slow", *AGAIN)), rollout_accept=["temp_disk_in_use"])
    # Those that were down are seen to be up again by their balancer a second later.
    wait_until(lambda: all(cloud.backends()[name] == "UP" for name in ("fallen", "slow", "busy-up", "ports")), "they have traffic")
    return Troubled(look(cloud, project, run), cut)


def started(cloud: Cloud, name: str) -> float:
    """When Azure took the start of a VM, in seconds since 1970 by this machine's clock."""
    (write,) = (write for write in cloud.writes() if write["name"] == name)
    return datetime.fromisoformat(write["start"]).timestamp()


# -- the first try: refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "said"), [
    ("away", ""),
    ("unproven", "temp_disk_in_use: the redeploy empties /mnt, and it holds 2 files"),
    ("unproven", "/mnt/cache/a/file"),
    ("going-on", "temp_disk_in_use: the redeploy empties /mnt, and it holds 2 files"),
    ("slow", "no temporary disk is mounted at /srv of slow, but at /mnt"),
    ("archiveless", "/mnt/keep of archiveless would not last: it is on the temporary disk itself"),
    ("packing", "MB are on /mnt of packing, and"),
    ("packing", "free for their archive in /run/archive; set drain_temp_disk_folder"),
    ("aborted", "drain_provder (drain_provider?): there is no such variable"),
    ("untold", "drain refused: backend 'web' on lb-2 would have 0 of 1 server up, drain_haproxy_min_up is 1. Nothing was drained. Add a server, or name"),
])
def test_what_is_wrong_from_the_start_is_named_and_left_untouched(refused: Seen, host: str, said: str) -> None:
    assert said in refused.lost(host) and "left: not changed" in refused.lost(host)


def test_a_host_that_fails_its_preparation_stops_the_run_before_its_wave(refused: Seen, prepared: Prepared) -> None:
    assert refused.run.rc != 0 and not refused.posts, refused.run.out
    assert re.search("STOPPED before wave 1: [^.]*away[^.]* failed, and rollout_error_budget is 0", refused.run.text)
    assert refused.marks == [] and all(refused.in_service(name) for name in troubles.DUE)
    assert {name: guest.boot_id for name, guest in refused.guests.items()} == prepared.boot_ids


# -- the run in which everything happens ------------------------------------------------------------------------------------


def test_within_the_budget_all_others_go_on(troubled: Troubled) -> None:
    seen = troubled.seen
    assert seen.run.rc != 0 and seen.posts == dict.fromkeys(STARTED, 1), seen.run.out
    assert seen.marks == sorted(LEFT_DRAINED)
    assert sorted(seen.report["lost"]) == sorted({*LEFT_DRAINED, *RESTORED, "busy-down", "away"})
    assert sorted(seen.report["not_started"]) == sorted({*RESTORED, "busy-down", "away", "mate"} - {"aborted"})
    assert seen.in_service("mate") and seen.guests["going-on"].serves


def test_unreachable_in_the_preparation(troubled: Troubled) -> None:
    """Its wave goes on without it, but no other domain of its set."""
    assert "left: not changed" in troubled.seen.lost("away") and troubled.seen.in_service("away")
    assert "not changed: mate: the rest of its set is not healthy: away" in troubled.seen.run.text


def test_a_member_that_is_down_holds_its_set_back(troubled: Troubled) -> None:
    assert "set_not_healthy" in troubled.seen.run.text and "held-2 (power state is stopped" in troubled.seen.run.text


@pytest.mark.parametrize(("host", "why"), [
    ("aborted", "aborted: Azure aborted the maintenance"),
    ("busy-up", "sessions were left after 3 s in web; drain_on_timeout is fail"),
    ("ports", "connections to port 8080 did not end in 3 s; drain_on_timeout is fail"),
    ("unstoppable", "Failed to stop service: web"),
    ("own-tasks", "non-zero return code"),
    ("packing", "what is on /mnt could not be kept: it was not packed in 1 s (drain_timeout)"),  # whatever drain_on_timeout says
    ("untold", ""),
])
def test_a_host_that_was_not_started_is_restored(troubled: Troubled, prepared: Prepared, host: str, why: str) -> None:
    said = troubled.seen.lost(host)
    assert f"{host} (single VM): " in said and why in said and "left: in service (what was drained is restored)" in said
    assert troubled.seen.in_service(host)
    assert troubled.seen.guests[host].boot_id == prepared.boot_ids[host]


@pytest.mark.parametrize(("host", "wave", "seconds", "why"), [
    ("unstoppable", 1, "-", "Failed to stop service: web"),
    ("own-tasks", 1, "-", "non-zero return code"),
    ("unheard", 1, r"\d+", ".*left: DRAINED"),  # not succeeded, whatever Azure says
])
def test_the_table_at_the_end_says_lost(troubled: Troubled, host: str, wave: int, seconds: str, why: str) -> None:
    assert re.search(rf"^ +{wave}  {host} +\S+  lost +{seconds}  {why}", troubled.seen.run.out, re.MULTILINE), troubled.seen.run.out[-6000:]


def test_own_tasks_that_had_begun_are_undone(troubled: Troubled) -> None:
    assert "undone after all" in troubled.seen.run.text


def test_fail_gives_the_server_back_with_its_session(troubled: Troubled) -> None:
    """Also one that HAProxy calls DOWN, which it then is again."""
    for host in ("busy-up", "busy-down"):
        assert troubled.cut[host] is None, f"the session of {host} was to go on"
    assert "sessions were left after 3 s in web; drain_on_timeout is fail -- left: in service" in troubled.seen.lost("busy-down")
    assert troubled.seen.servers["busy-down"].startswith("DOWN") and not troubled.seen.guests["busy-down"].marked


def test_continue_leaves_sessions_to_the_redeploy(troubled: Troubled, prepared: Prepared) -> None:
    """On a server that HAProxy does not check; it is not checked afterwards either."""
    seen, cut = troubled.seen, troubled.cut["going-on"]
    assert "going-on: sessions were left after 6 s in web, going on all the same (drain_on_timeout: continue)" in seen.run.text
    assert cut is None or cut > started(prepared.cloud, "going-on"), "it was to be left alone"
    assert seen.servers["going-on"] == "no check" and not seen.guests["going-on"].marked
    assert seen.guests["going-on"].boot_id != prepared.boot_ids["going-on"]


@pytest.mark.parametrize(("host", "why"), [
    ("unproven", ""),
    ("archiveless", f"what was on /mnt was to be in {troubles.FOLDER}/temp_disk-"),
    ("archiveless", "and is not there"),
    ("fallen", "fallen: failed"),
    ("slow", "slow: still_running"),
    ("cut-off", "could not be reached while it was probed"),
    ("stayed", "NOT RESTARTED: Azure says that the maintenance succeeded, but the boot id is the one from before the drain ("),
    ("unheard", ""),
])
def test_a_host_that_was_started_and_is_not_proven_stays_drained(troubled: Troubled, prepared: Prepared, host: str, why: str) -> None:
    """Named with what there is to restore and where its marks are; on the host, too, if that can be looked at."""
    seen = troubled.seen
    said = seen.lost(host)
    assert why in said and "left: DRAINED; to restore:" in said and " ready on " in said and "start " in said, said
    assert str(prepared.project.journal / f"marks/{host}.json") in said
    assert host not in seen.guests or seen.guests[host].marked
    assert host == "unheard" or seen.servers[host] != "UP"


def test_a_boot_id_that_is_still_the_same_is_named(troubled: Troubled, prepared: Prepared) -> None:
    assert f"from before the drain ({prepared.boot_ids['stayed']}). It stays out of service" in troubled.seen.lost("stayed")


def test_hosts_left_out_of_service_are_listed_at_the_very_end(troubled: Troubled) -> None:
    for host in LEFT_DRAINED:
        assert f"LEFT OUT OF SERVICE: {host}, step redeploy" in troubled.seen.run.text


def test_files_of_a_temporary_disk_that_was_emptied_are_put_back(troubled: Troubled) -> None:
    """From an archive on the host. One that is lost keeps its host drained."""
    guests = troubled.seen.guests
    assert guests["going-on"].content == "of-going-on 640" and guests["going-on"].archives == ""
    assert guests["unproven"].content == "of-unproven 640"
    assert guests["archiveless"].content == "nothing"


def test_files_of_a_temporary_disk_that_was_not_emptied_stay_as_they_are(troubled: Troubled, prepared: Prepared) -> None:
    guests = troubled.seen.guests
    assert guests["aborted"].content == "later 640", "the archive was put over a disk that was never emptied"
    assert guests["packing"].content == "of-packing 640"
    assert prepared.cloud.ssh("packing", "stat -c %s /mnt/cache/big") == "60000000"
    assert guests["aborted"].archives == guests["packing"].archives == "" and troubled.seen.copies == []


# -- the run that comes too early -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["unproven", "archiveless", "cut-off", "stayed", "unheard"])
def test_what_is_marked_is_finished_first(early: Seen, host: str) -> None:
    assert f"{host} was left drained by an earlier run and is back in service" in early.run.text, early.run.out
    assert early.in_service(host)


def test_the_same_boot_id_has_the_same_verdict_in_the_next_run(early: Seen, prepared: Prepared) -> None:
    """It is returned to service, for it is well, and it is said once more that it was not restarted."""
    assert early.run.text.count("NOT RESTARTED: Azure says that the maintenance succeeded") == 1, early.run.out
    assert f"stayed was left drained by an earlier run and is back in service. NOT RESTARTED: Azure says that the maintenance succeeded, but the boot id is " \
           f"the one from before the drain ({prepared.boot_ids['stayed']}). It is healthy, and so it was returned to service" in early.run.text
    assert re.search(r"stayed +\S+ +recovered .*an earlier run left it drained; NOT RESTARTED \(boot id unchanged", early.run.out)


@pytest.mark.parametrize("host", ["fallen", "slow"])
def test_what_is_not_mended_stays_drained(early: Seen, host: str) -> None:
    """A VM that is still down, and one that came back in this run, without its service."""
    assert f"{host} was left drained by an earlier run, and could not be returned to service" in early.run.text, early.run.out
    assert early.servers[host] != "UP"
    assert host not in early.guests or early.guests[host].marked


def test_nothing_new_is_started_before_all_is_finished(early: Seen) -> None:
    assert early.run.rc != 0 and early.posts == dict.fromkeys(STARTED, 1), early.run.out
    assert early.marks == ["fallen", "slow"]
    assert "Left drained by an earlier run: fallen, slow" in early.run.text


def test_an_archive_that_came_back_is_unpacked_and_one_that_was_unpacked_is_not_unpacked_again(early: Seen) -> None:
    assert (early.guests["archiveless"].content, early.guests["unproven"].content) == ("of-archiveless 640", "later 640")
    assert early.guests["archiveless"].archives == early.guests["unproven"].archives == ""


# -- the run that finishes ---------------------------------------------------------------------------------------------------


def test_all_is_finished_and_each_vm_was_started_once(mended: Troubled, prepared: Prepared) -> None:
    seen = mended.seen
    assert seen.run.rc == 0, seen.run.out
    for host in ("fallen", "slow"):
        said = f"{host} was left drained by an earlier run and is back in service"
        assert seen.run.out.index(said) < seen.run.out.index("Plan for perform_maintenance")
    assert seen.posts == dict.fromkeys([*STARTED, *AGAIN], 1)
    prepared.cloud.check_distance()
    assert seen.marks == [] and not any(guest.marked for guest in seen.guests.values())
    assert all(seen.in_service(host) for host in troubles.DUE if host not in ("busy-down", "going-on"))
    moved = {host for host, guest in seen.guests.items() if guest.boot_id != prepared.boot_ids[host]}
    assert moved >= {*STARTED, *AGAIN} - {"aborted", "stayed"} and not moved & {"aborted", "away", "mate", "unstoppable", "own-tasks", "packing", "untold"}


def test_force_ends_the_sessions_before_the_start(mended: Troubled, prepared: Prepared) -> None:
    """Also on a server that HAProxy calls DOWN."""
    assert "busy-down on lb-1: its health check fails in web" in mended.seen.run.text
    for host in ("busy-up", "busy-down"):
        assert f"{host}: sessions were left after 6 s in web, they were ended (drain_on_timeout: force)" in mended.seen.run.text
        cut = mended.cut[host]
        # The simulated clock was put forward by two hours.
        assert cut is not None and cut < started(prepared.cloud, host) - 7200


def test_connections_to_ports_are_not_waited_for_any_longer(mended: Troubled) -> None:
    assert "ports: not drained in time, going on all the same (drain_on_timeout: force)" in mended.seen.run.text


def test_a_temporary_disk_lost_with_consent_is_filled_again(mended: Troubled, prepared: Prepared) -> None:
    assert mended.seen.guests["ports"].content == "nothing" and prepared.cloud.ssh("ports", "ls -d /mnt/cache") == "/mnt/cache"


def test_files_kept_on_the_controller_are_put_back(mended: Troubled) -> None:
    assert mended.seen.guests["busy-up"].content == "of-busy-up 640"
    assert mended.seen.guests["busy-up"].archives == "" and mended.seen.copies == []
