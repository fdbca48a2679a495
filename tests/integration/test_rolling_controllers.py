# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers that know nothing of each other, at the same time, on the same set."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from integration import cloud as clouds
from integration.cli import Project
from integration.cloud import MARK, Cloud
from integration.conftest import environment


def test_a_live_run_is_left_alone_and_named(cloud: Cloud, project: Project, tmp_path: Path, home: Path) -> None:
    """One run drains web-1. Another one sees it at its start; a third, whose limit hides web-1, backs off from its set."""
    cloud.reset(["web-1", "web-2"])
    go = tmp_path / "go"
    wait = [{"name": "Take long", "ansible.builtin.wait_for": {"path": str(go), "timeout": 200}, "delegate_to": "localhost"}]
    drain = [str(project.write("files/wait.yml", wait))]
    project.write("host_vars/web-1.yml", {"drain_provider": ["haproxy", "tasks"], "drain_tasks": drain, "drain_restore_tasks": drain})
    other = Project(tmp_path / "other", environment(cloud, home), clouds.variables(cloud.guests))
    first = project.start_playbook("rolling_redeploy", "--limit", "web-1,lb-1")
    try:
        first.wait_until(lambda: cloud.backends()["web-1"] == "DRAIN", "it drained")
        seen = other.playbook("rolling_redeploy")
        hidden = other.playbook("rolling_redeploy", "--limit", "web-2,lb-1")
        go.touch()
        done = first.finish()
    finally:
        if first.process.poll() is None:
            first.kill()
    assert seen.rc != 0 and "Another run is active on web-1 (run" in seen.text, seen.out
    assert re.search(r"run (\S+) of \S+@\S+, step drain, since \S+, last written \S+; its process \d+ runs on this machine", seen.text)
    assert hidden.rc != 0 and "FAILED web-2" in hidden.text, hidden.out
    assert "another run has a member of its set, or a member is unreachable: marked: " in hidden.text, hidden.out
    assert "left: in service" in hidden.text and other.marks() == []
    assert done.rc == 0, done.out
    assert cloud.posts() == {"web-1": 1}
    rest = other.playbook("rolling_redeploy")
    assert rest.rc == 0, rest.out
    cloud.check_ledger(["web-1", "web-2"])
    cloud.all_in_service()


@pytest.mark.long
def test_a_mark_from_another_machine_holds_until_it_expires(cloud: Cloud, project: Project) -> None:
    """Of a machine that cannot be asked only the time tells; its dead run's services are started again, and only those.

    One that takes the host when this run has looked already keeps it: nothing of what it did is undone.
    """
    cloud.reset(["web-2"])
    mark = {"run_id": "elsewhere-1", "owner": "alice@bastion", "host": "web-2", "vm_id": "", "since": "2026-01-01T00:00:00Z", "step": "drain",
            "heartbeat": "2026-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z", "process": {"machine": "another", "pid": 1, "started": "1"},
            "undo": [{"provider": "services", "services": ["web"]}]}
    write = f"mkdir -p /etc/ansible/facts.d && cat > {MARK} <<'END'\n%s\nEND\nservice web stop"
    late = project.write("files/late.yml", [{"name": "Be quicker", "ansible.builtin.shell": write % json.dumps(mark)}])
    beaten = project.playbook("rolling_redeploy", rollout_hooks_before_drain=[str(late)])
    assert beaten.rc != 0 and not cloud.writes() and project.marks() == [], beaten.out
    said = r"FAILED web-2 .* is the drain marker of run elsewhere-1 .* -- left: web-2 is out of service for run elsewhere-1 of alice@bastion"
    assert re.search(said, beaten.text)
    assert cloud.marked(["web-2"]) == ["web-2"] and not cloud.service_up("web-2") and cloud.backends()["web-2"] == "DOWN"
    held = project.playbook("rolling_redeploy")
    assert held.rc != 0 and "elsewhere-1 of alice@bastion, step drain" in held.text and "2099-01-01T00:00:00Z" in held.text, held.out
    assert not cloud.writes() and cloud.marked(["web-2"]) == ["web-2"] and not cloud.service_up("web-2")
    cloud.ssh("web-2", write % json.dumps({**mark, "expires": "2026-01-01T01:00:00Z"}))
    taken = project.playbook("rolling_redeploy")
    assert taken.rc == 0 and "web-2 was left drained by an earlier run and is back in service" in taken.text, taken.out
    cloud.check_ledger(["web-2"])
    cloud.all_in_service()


def test_a_mark_that_nobody_understands_stops_the_run(cloud: Cloud, project: Project) -> None:
    cloud.reset(["web-2"])
    cloud.ssh("web-2", f"mkdir -p /etc/ansible/facts.d && echo '{{\"run_id\": \"x\", ' > {MARK}")
    run = project.playbook("rolling_redeploy")
    assert run.rc != 0 and "cannot be understood" in run.text and "restore by hand" in run.text and not cloud.writes(), run.out
    cloud.ssh("web-2", f"rm {MARK}")
