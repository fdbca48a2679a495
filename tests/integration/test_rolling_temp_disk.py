# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the temporary disk: found before anything is touched, lost only with consent, or kept and put back."""

from __future__ import annotations

from integration.cli import Project
from integration.cloud import Cloud

PAIR = ("web-1", "web-4")


def fill(cloud: Cloud, name: str) -> None:
    cloud.ssh(name, "mkdir -p /mnt/cache/a && echo of-%s > /mnt/cache/a/file && chmod 640 /mnt/cache/a/file && ln -sf a/file /mnt/cache/link" % name)


def content(cloud: Cloud, name: str) -> str:
    return cloud.ssh(name, "cat /mnt/cache/link 2>/dev/null && stat -c %a /mnt/cache/a/file || echo nothing")


def test_found_then_kept_here_and_there(cloud: Cloud, project: Project) -> None:
    """Refused by name and size; then one host keeps its files on its system disk, the other on the controller."""
    cloud.reset(PAIR)
    for name in PAIR:
        fill(cloud, name)
    refused = project.playbook("rolling_redeploy")
    assert refused.rc != 0 and not cloud.writes(), refused.out
    assert "temp_disk_in_use: the redeploy empties /mnt, and it holds 2 files" in refused.text and "/mnt/cache/a/file" in refused.text
    keep = {"drain_provider": ["haproxy", "services", "temp_disk"], "drain_temp_disk_folder": "/srv/azure_maintenance"}  # a disk of its own
    project.write("host_vars/web-1.yml", keep)
    project.write("host_vars/web-4.yml", {**keep, "drain_temp_disk_keep": "controller"})
    kept = project.playbook("rolling_redeploy")
    assert kept.rc == 0, kept.out
    assert {name: content(cloud, name) for name in PAIR} == {name: f"of-{name}\n640" for name in PAIR}
    assert cloud.ssh("web-1", "ls /srv/azure_maintenance | wc -l") == "0"
    cloud.check_ledger(PAIR)
    cloud.all_in_service()


def test_lost_with_consent_and_filled_again(cloud: Cloud, project: Project) -> None:
    cloud.reset(["web-1"])
    fill(cloud, "web-1")
    seed = [{"name": "Make the cache anew", "ansible.builtin.file": {"path": "/mnt/cache", "state": "directory", "mode": "0755"}}]
    project.write("host_vars/web-1.yml", {"verify_temp_disk_tasks": [str(project.write("files/seed.yml", seed))]})
    run = project.playbook("rolling_redeploy", rollout_accept=["temp_disk_in_use"])
    assert run.rc == 0, run.out
    assert content(cloud, "web-1") == "nothing" and cloud.ssh("web-1", "ls -d /mnt/cache") == "/mnt/cache"
    cloud.check_ledger(["web-1"])
