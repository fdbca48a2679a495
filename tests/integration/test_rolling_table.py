# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what stops what, row by row, on guests that are really reached: unreachable, slow, half-booted, never returning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from integration.cli import Project, Run
from integration.cloud import Cloud

TWO_WAVES = ("web-1", "web-4", "web-2")


def lost(run: Run, host: str) -> str:
    """What was said about a lost host."""
    assert f"LOST {host}" in run.text, run.out[-6000:]
    return run.text.split(f"LOST {host}", 1)[1][:2500]


def report(project: Project) -> dict[str, Any]:
    return json.loads((project.journal / "report.json").read_text(encoding="utf-8"))


def test_unreachable_in_the_preparation(cloud: Cloud, project: Project) -> None:
    """Found before the first wave, with nothing touched; within the budget the others go on, but not another domain of its set."""
    cloud.reset([*TWO_WAVES, "solo-1", "ne-1"])
    project.write("host_vars/web-1.yml", {"ansible_port": 1, "verify_timeout": 3})
    run = project.playbook("rolling_redeploy")
    assert run.rc != 0 and not cloud.writes(), run.out
    assert run.out.count("fatal: [web-1]") == 1, "one host that is lost is one failure, that at the end"
    assert "left: untouched" in lost(run, "web-1") and "STOPPED before wave 1: web-1 failed, and rollout_error_budget is 0" in run.text
    within = project.playbook("rolling_redeploy", rollout_error_budget="50%", rollout_break_glass=True)
    assert within.rc != 0 and cloud.posts() == {"solo-1": 1}, within.out
    for name in ("web-4", "web-2"):
        assert f"untouched: {name}: the rest of its set is not healthy: web-1" in within.text
    assert "untouched: ne-1: web-1 in westeurope, the pair of northeurope, is out of service" in within.text
    assert list(report(project)["lost"]) == ["web-1"] and sorted(report(project)["not_started"]) == ["ne-1", "web-1", "web-2", "web-4"]
    cloud.all_in_service()


def test_lost_while_it_drains(cloud: Cloud, project: Project) -> None:
    """The host goes away in the midst of its drain: nobody of its wave is redeployed, the others are restored, it is named, the hooks are told."""
    cloud.reset(TWO_WAVES)
    guests = cloud.sim.world.guests.guests
    here = f"{project.folder}/here"
    wait = [{"name": "Say that the drain begins", "ansible.builtin.file": {"path": here, "state": "touch", "mode": "0600"}, "delegate_to": "localhost"},
            {"name": "Let the host go", "ansible.builtin.wait_for": {"path": f"{here}-gone", "timeout": 30}, "delegate_to": "localhost"}]
    told = {"content": "{{ rollout_hook.reason }}", "dest": f"{project.folder}/told-{{{{ rollout_hook.host }}}}", "mode": "0600"}
    tell = [{"name": "Note it", "ansible.builtin.copy": told, "delegate_to": "localhost"}]
    running = project.start_playbook("rolling_redeploy", verify_timeout=5,
                                     rollout_hooks_before_drain=[str(project.write("files/wait.yml", wait))],
                                     rollout_hooks_on_failure=[str(project.write("files/tell.yml", tell))])
    running.wait_until(Path(here).exists, "the drain began")
    guests.halt("web-1")
    Path(f"{here}-gone").touch()
    run = running.finish()
    assert run.rc != 0 and not cloud.writes(), run.out
    assert "could not be reached" in lost(run, "web-1") or "cannot be reached" in lost(run, "web-1")
    assert "web-1 of its wave did not drain -- left: in service" in lost(run, "web-4")
    assert "web-1" in (project.folder / "told-web-1").read_text(encoding="utf-8") and (project.folder / "told-web-4").exists()
    assert cloud.backends()["web-4"] == "UP" and report(project)["not_started"] == ["web-1", "web-4", "web-2"]
    guests.boot("web-1", cloud.address("web-1"))
    rest = project.playbook("rolling_redeploy")
    assert rest.rc == 0, rest.out
    cloud.check_ledger(TWO_WAVES)
    cloud.all_in_service()


def test_slow_then_half_booted_then_well(cloud: Cloud, project: Project) -> None:
    """A redeploy beyond its limit leaves the host drained; the next run attaches; a guest without its service stays drained until that is mended."""
    cloud.reset(["web-2"])
    cloud.patch("web-2", operations={"performMaintenance": {"after_seconds": 20}})
    cloud.ssh("web-2", """echo '[ "$1" != start ] || exit 1' >> /etc/default/web""")  # from the next start on its service does not come up
    slow = project.playbook("rolling_redeploy", redeploy_timeout=6)
    assert slow.rc != 0 and cloud.posts() == {"web-2": 1} and project.marks() == ["web-2"], slow.out
    assert "web-2: still_running" in lost(slow, "web-2") and "left: DRAINED" in lost(slow, "web-2")
    assert "LEFT OUT OF SERVICE: web-2, step redeploy" in slow.text
    half = project.playbook("rolling_redeploy")
    assert half.rc != 0 and "web-2 was left drained by an earlier run, and could not be returned to service" in half.text, half.out
    assert cloud.posts() == {"web-2": 1} and cloud.marked(["web-2"]) == ["web-2"] and cloud.backends()["web-2"] != "UP"
    cloud.ssh("web-2", "sed -i '/exit 1/d' /etc/default/web")
    well = project.playbook("rolling_redeploy")
    assert well.rc == 0 and "web-2 was left drained by an earlier run and is back in service" in well.text, well.out
    cloud.check_ledger(["web-2"])
    cloud.all_in_service()


def test_lost_while_it_is_probed(cloud: Cloud, project: Project) -> None:
    """Redeployed and gone again: named like every other lost host, and brought back by the next run."""
    cloud.reset(["web-2"])
    guests = cloud.sim.world.guests.guests
    project.write("host_vars/web-2.yml", {"verify_commands": [["pkill", "-KILL", "sshd"]]})
    run = project.playbook("rolling_redeploy")
    assert run.rc != 0 and cloud.posts() == {"web-2": 1}, run.out
    assert "could not be reached while it was probed" in lost(run, "web-2") and "left: DRAINED; to undo:" in lost(run, "web-2")
    assert "web-2" in report(project)["lost"] and project.marks() == ["web-2"]
    guests.halt("web-2")
    guests.boot("web-2", cloud.address("web-2"))
    (project.folder / "host_vars/web-2.yml").unlink()
    rest = project.playbook("rolling_redeploy")
    assert rest.rc == 0 and "web-2 was left drained by an earlier run and is back in service" in rest.text, rest.out
    cloud.check_ledger(["web-2"])
    cloud.all_in_service()


def test_a_host_that_never_went_away(cloud: Cloud, project: Project) -> None:
    """Azure says it is done, the boot id says it never left: not believed, and not returned to service."""
    cloud.reset(["web-2"])
    before = cloud.boot_ids(["web-2"])["web-2"]
    guests = cloud.sim.world.guests.guests
    real_boot = guests.boot
    guests.boot = lambda name, address, **more: real_boot(name, address, **{**more, "boot_id": before})
    try:
        run = project.playbook("rolling_redeploy")
    finally:
        guests.boot = real_boot
    assert run.rc != 0 and f"it never went away (the boot id is still {before})" in lost(run, "web-2"), run.out
    assert cloud.marked(["web-2"]) == ["web-2"] and cloud.backends()["web-2"] != "UP"
    # Nothing is known to be wrong with it any more once somebody looked: the next run only finishes what is marked.
    again = project.playbook("rolling_redeploy")
    assert again.rc == 0 and cloud.posts() == {"web-2": 1}, again.out
    cloud.all_in_service()
