# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A provider fails in the midst of a drain or of a restore: what was done is undone, or named and undone by the next run."""

from __future__ import annotations

import re
from typing import Any

from integration.cli import Project
from integration.cloud import Cloud

SOCKET = "/run/haproxy/admin.sock"


def debug(text: str) -> list[dict[str, Any]]:
    return [{"name": "Say it", "ansible.builtin.debug": {"msg": text}}]


def on_balancer(command: str) -> list[dict[str, Any]]:
    return [{"name": "Change the balancer", "ansible.builtin.shell": command, "delegate_to": "lb-1"}]


def test_later_providers_fail_and_earlier_ones_are_undone(cloud: Cloud, project: Project) -> None:
    """The second provider of one host and the third of the other fail; their services and the balancer are as before."""
    cloud.reset(["web-1", "web-4"])
    cloud.ssh("web-1", """echo '[ "$1" != stop ] || exit 1' >> /etc/default/web""")  # it cannot be stopped
    project.write("host_vars/web-4.yml", {
        "drain_provider": ["haproxy", "services", "tasks"],
        "drain_tasks": [str(project.write("files/fail.yml", [{"name": "Fail", "ansible.builtin.command": "false"}]))],
        "drain_restore_tasks": [str(project.write("files/undo.yml", debug("undone after all")))]})
    run = project.playbook("rolling_redeploy")
    assert run.rc != 0 and not cloud.writes(), run.out
    for name, why in {"web-1": "Failed to stop service: web", "web-4": "non-zero return code"}.items():
        (said,) = (line for line in run.out.splitlines() if f"LOST {name} " in line)
        assert why in said and "left: in service (what was drained is restored)" in said, said
        assert re.search(rf"^ +1  {name} +0  lost +-  {why}", run.out, re.MULTILINE), "in the table at the end"
    assert "undone after all" in run.text, "its own tasks had begun"
    assert project.marks() == []
    cloud.all_in_service()


def test_a_balancer_that_cannot_be_told(cloud: Cloud, project: Project) -> None:
    """Its socket is gone before the drain: nothing happens. Gone before the restore: the host stays drained, by name, until a later run can."""
    cloud.reset(["web-2"])
    gone = str(project.write("files/gone.yml", on_balancer(f"mv {SOCKET} {SOCKET}.gone")))
    back = str(project.write("files/back.yml", on_balancer(f"mv {SOCKET}.gone {SOCKET}")))
    before = project.playbook("rolling_redeploy", rollout_hooks_before_drain=[gone], rollout_hooks_on_failure=[back])
    assert before.rc != 0 and not cloud.writes() and "LOST web-2" in before.text and "left: in service" in before.text, before.out
    assert project.marks() == []
    cloud.all_in_service()
    after = project.playbook("rolling_redeploy", rollout_hooks_after_verify=gone)  # a single hook need not be a list
    assert after.rc != 0 and cloud.posts() == {"web-2": 1} and "LOST web-2" in after.text and "left: DRAINED; to undo:" in after.text, after.out
    assert re.search(r"^ +1  web-2 +1  lost +\d+  .*left: DRAINED", after.out, re.MULTILINE), "not succeeded, whatever Azure says"
    assert project.marks() == ["web-2"] == cloud.marked()
    cloud.ssh("lb-1", f"mv {SOCKET}.gone {SOCKET}")
    assert cloud.backends()["web-2"] in ("DRAIN", "MAINT")
    last = project.playbook("rolling_redeploy")
    assert last.rc == 0 and "web-2 was left drained by an earlier run and is back in service" in last.text, last.out
    cloud.check_ledger(["web-2"])
    cloud.all_in_service()
