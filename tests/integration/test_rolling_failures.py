# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in a wave: who is restored, who stays drained, what is said, what a second run does."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from integration.cli import Project
from integration.cloud import Cloud

TWO_WAVES = ("web-1", "web-4", "web-2")


@contextmanager
def long_requests(cloud: Cloud, *names: str) -> Iterator[None]:
    """Requests straight to these servers, past the balancer, that keep a connection open until the end."""
    connections = [http.client.HTTPConnection(cloud.address(name), 8080, timeout=120) for name in names]
    for connection in connections:
        connection.request("GET", "/slow?seconds=100")
    readers = [threading.Thread(target=_drop, args=(connection,), daemon=True) for connection in connections]
    for reader in readers:
        reader.start()
    yield
    for connection in connections:
        connection.close()


def _drop(connection: http.client.HTTPConnection) -> None:
    """Wait for an answer that nobody wants; the guest may cut it."""
    try:
        connection.getresponse().read()
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        pass


def test_an_aborted_vm_ends_the_run_after_its_wave(cloud: Cloud, project: Project) -> None:
    cloud.reset(TWO_WAVES)
    cloud.patch("web-1", operations={"performMaintenance": "aborted"})
    before = cloud.boot_ids(TWO_WAVES)
    run = project.playbook("rolling_redeploy")
    assert run.rc != 0
    assert cloud.posts() == {"web-1": 1, "web-4": 1}, run.out
    assert "web-1 (update domain 0 of WEB): web-1: aborted: Azure aborted the maintenance" in run.text
    assert "left: in service" in run.text
    assert "STOPPED before wave 2: web-1 failed" in run.text and "Not started: web-2" in run.text
    after = cloud.boot_ids(TWO_WAVES)
    assert {name for name in TWO_WAVES if before[name] != after[name]} == {"web-4"}
    cloud.all_in_service()
    assert project.marks() == []
    cloud.patch("web-1", operations={})
    rest = project.playbook("rolling_redeploy")
    assert rest.rc == 0, rest.out
    cloud.check_ledger(TWO_WAVES)
    cloud.all_in_service()


def test_a_failed_verify_keeps_the_host_drained_until_it_is_mended(cloud: Cloud, project: Project) -> None:
    cloud.reset(TWO_WAVES)
    broken = project.write("broken", "")
    probe = [{"name": "Ask the application", "ansible.builtin.command": f"test ! -e {broken}", "changed_when": False, "delegate_to": "localhost"}]
    project.write("host_vars/web-1.yml", {"verify_tasks": [str(project.write("files/probe.yml", probe))]})
    run = project.playbook("rolling_redeploy")
    assert run.rc != 0 and cloud.posts() == {"web-1": 1, "web-4": 1}, run.out
    said = run.text[run.text.index("web-1 (update domain 0 of WEB):"):]
    assert "left: DRAINED; to undo:" in said and "services" in said and "haproxy" in said and str(project.journal / "marks/web-1.json") in said
    assert project.marks() == ["web-1"] and cloud.marked(TWO_WAVES) == ["web-1"]
    assert cloud.backends()["web-1"] in ("MAINT", "DRAIN") and cloud.backends()["web-4"] == "UP"
    broken.unlink()
    mended = project.playbook("rolling_redeploy")
    assert mended.rc == 0, mended.out
    assert mended.out.index("web-1 was left drained by an earlier run and is back in service") < mended.out.index("Plan for perform_maintenance")
    cloud.check_ledger(TWO_WAVES)
    cloud.all_in_service()


def test_a_drain_that_takes_too_long_fails_or_goes_on_as_told(cloud: Cloud, project: Project) -> None:
    cloud.reset(["web-1", "web-4"])
    project.write("host_vars/web-1.yml", {"drain_timeout": 3})
    for name in ("web-1", "web-4"):
        cloud.ssh(name, "echo STOP_SECONDS=2 >> /etc/default/web")  # how long a stop waits for running requests
    with long_requests(cloud, "web-1"):
        run = project.playbook("rolling_redeploy")
        assert run.rc != 0 and not cloud.writes(), run.out
        assert "connections to port 8080 did not end in 3 s; drain_on_timeout is fail" in run.text
        assert "web-4 (update domain 0 of WEB): not redeployed, because web-1 of its wave did not drain" in run.text
        cloud.all_in_service()
        assert project.marks() == []
        project.write("host_vars/web-1.yml", {"drain_timeout": 3, "drain_on_timeout": "force"})
        project.write("host_vars/web-4.yml", {"drain_timeout": 3, "drain_on_timeout": "continue"})
        with long_requests(cloud, "web-4"):
            went_on = project.playbook("rolling_redeploy")
    assert went_on.rc == 0, went_on.out
    for name, word in {"web-1": "force", "web-4": "continue"}.items():
        assert f"{name}: not drained in time, going on all the same (drain_on_timeout: {word})" in went_on.text
    cloud.check_ledger(["web-1", "web-4"])
    cloud.all_in_service()


def test_a_vm_that_does_not_come_back_stays_drained_until_it_runs_again(cloud: Cloud, project: Project) -> None:
    """Azure loses the VM: it stays known as drained, is not started again, and is returned to service once it runs."""
    cloud.reset(["web-2"])
    cloud.patch("web-2", operations={"performMaintenance": {"result": "failed", "power_after": "stopped"}})
    run = project.playbook("rolling_redeploy", redeploy_timeout=15)
    assert run.rc != 0 and cloud.posts() == {"web-2": 1} and project.marks() == ["web-2"], run.out
    assert "web-2 (update domain 1 of WEB): web-2: failed" in run.text and "left: DRAINED; to undo:" in run.text
    assert cloud.backends()["web-2"] != "UP"
    still = project.playbook("rolling_redeploy", verify_timeout=4)
    assert still.rc != 0 and cloud.posts() == {"web-2": 1} and project.marks() == ["web-2"], still.out
    cloud.patch("web-2", power="running", agent="ready", operations={})
    mended = project.playbook("rolling_redeploy")
    assert "web-2 was left drained by an earlier run and is back in service" in mended.text, mended.out
    assert cloud.posts() == {"web-2": 1} and project.marks() == []
    cloud.all_in_service()
