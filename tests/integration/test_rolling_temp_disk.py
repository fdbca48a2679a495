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
    project.write("host_vars/web-4.yml", {"drain_provider": ["temp_disk"], "drain_temp_disk_mount": "/srv"})  # no consent for /mnt
    refused = project.playbook("rolling_redeploy")
    assert refused.rc != 0 and not cloud.writes(), refused.out
    for name in PAIR:
        assert f"LOST {name}: temp_disk_in_use: the redeploy empties /mnt, and it holds 2 files" in refused.text and "/mnt/cache/a/file" in refused.text
    project.write("host_vars/web-1.yml", {"drain_provider": ["temp_disk"], "drain_temp_disk_folder": "/mnt/keep"})
    cloud.ssh("web-4", "rm -r /mnt/cache")
    wrong = project.playbook("rolling_redeploy")
    assert wrong.rc != 0 and not cloud.writes() and not cloud.marked(PAIR), wrong.out
    assert "/mnt/keep of web-1 would not last: it is on the temporary disk itself" in wrong.text
    assert "no temporary disk is mounted at /srv of web-4, but at /mnt" in wrong.text
    fill(cloud, "web-4")
    keep = {"drain_provider": ["haproxy", "services", "temp_disk"], "drain_temp_disk_folder": "/srv/azure_maintenance"}  # a disk of its own
    project.write("host_vars/web-1.yml", keep)
    project.write("host_vars/web-4.yml", {**keep, "drain_temp_disk_folder": "/run/azure_maintenance", "drain_temp_disk_keep": "controller"})  # does not last
    kept = project.playbook("rolling_redeploy")
    assert kept.rc == 0, kept.out
    assert {name: content(cloud, name) for name in PAIR} == {name: f"of-{name}\n640" for name in PAIR}
    assert archives(cloud, "web-1") == [] == list(project.journal.glob("temp_disks/*")) and cloud.ssh("web-4", "ls /run/azure_maintenance") == ""
    cloud.check_ledger(PAIR)
    cloud.all_in_service()


def archives(cloud: Cloud, name: str) -> list[str]:
    return cloud.ssh(name, "ls /srv/azure_maintenance 2>/dev/null; true").split()


def test_what_fails_in_the_midst_of_it_is_undone_and_later_files_stay(cloud: Cloud, project: Project) -> None:
    """One host has no time to pack, whatever the policy says; the other is packed, written to again and then aborted by Azure."""
    cloud.reset(PAIR)
    for name in PAIR:
        fill(cloud, name)
    cloud.ssh("web-1", "head -c 60000000 /dev/urandom > /mnt/cache/big")
    write = [{"name": "Write once more", "ansible.builtin.shell": "echo later > /mnt/cache/a/file"}]
    nothing = [{"name": "Nothing to undo", "ansible.builtin.debug": {"msg": "restored"}}]
    keep = {"drain_provider": ["haproxy", "services", "temp_disk"], "drain_temp_disk_folder": "/srv/azure_maintenance", "drain_temp_disk_keep": "controller"}
    cloud.ssh("web-1", "head -c 10000000 /dev/zero > /run/filler")  # leaves less room there than the archive may need
    project.write("host_vars/web-1.yml", {**keep, "drain_temp_disk_folder": "/run/archive"})
    project.write("host_vars/web-4.yml", {**keep, "drain_provder": ["tasks"]})
    refused = project.playbook("rolling_redeploy")
    assert refused.rc != 0 and not cloud.writes() and not cloud.marked(PAIR), refused.out
    assert "MB are on /mnt of web-1, and" in refused.text and "free for their archive in /run/archive; set drain_temp_disk_folder" in refused.text
    assert "LOST web-4: drain_provder (drain_provider?): there is no such variable" in refused.text
    cloud.ssh("web-1", "truncate -s 6G /mnt/cache/sparse")  # no room, but many seconds for tar and gzip
    project.write("host_vars/web-1.yml", {**keep, "drain_timeout": 1, "drain_on_timeout": "continue"})
    project.write("host_vars/web-4.yml", {**keep, "drain_provider": [*keep["drain_provider"], "tasks"],
                                          "drain_tasks": [str(project.write("files/w.yml", write))],
                                          "drain_restore_tasks": [str(project.write("files/n.yml", nothing))]})
    cloud.patch("web-4", operations={"performMaintenance": "aborted"})
    run = project.playbook("rolling_redeploy", rollout_partial_wave=True)
    assert run.rc != 0 and cloud.posts() == {"web-4": 1}, run.out
    assert "web-1 (update domain 0 of WEB): what is on /mnt could not be kept: it was not packed in 1 s (drain_timeout) -- left: in service" in run.text
    assert "web-4: aborted" in run.text
    assert content(cloud, "web-1") == "of-web-1\n640" and cloud.ssh("web-1", "stat -c %s /mnt/cache/big") == "60000000"
    assert content(cloud, "web-4") == "later\n640", "the archive was put over a disk that was never emptied"
    assert archives(cloud, "web-1") == archives(cloud, "web-4") == [] == list(project.journal.glob("temp_disks/*"))
    cloud.all_in_service()


def test_an_archive_that_is_lost_keeps_the_host_drained_and_one_that_was_unpacked_is_not_unpacked_again(cloud: Cloud, project: Project) -> None:
    cloud.reset(PAIR)
    for name in PAIR:
        fill(cloud, name)
    broken = project.write("broken", "")
    probe = [{"name": "Ask the application", "ansible.builtin.command": f"test ! -e {broken}", "changed_when": False, "delegate_to": "localhost"}]
    keep = {"drain_provider": ["haproxy", "services", "temp_disk"], "drain_temp_disk_folder": "/srv/azure_maintenance"}
    project.write("host_vars/web-4.yml", {**keep, "verify_tasks": [str(project.write("files/probe.yml", probe))]})
    lose = [{"name": "Lose the archive", "ansible.builtin.shell": "mkdir /srv/lost && mv /srv/azure_maintenance/*.gz /srv/lost"}]
    project.write("host_vars/web-1.yml", {
        **keep, "drain_provider": [*keep["drain_provider"], "tasks"], "drain_tasks": [str(project.write("files/lose.yml", lose))],
        "drain_restore_tasks": [str(project.write("files/n.yml", [{"name": "Nothing", "ansible.builtin.debug": {"msg": "restored"}}]))]})
    run = project.playbook("rolling_redeploy")
    assert run.rc != 0 and cloud.posts() == {"web-1": 1, "web-4": 1}, run.out
    assert "web-1 (update domain 0 of WEB): what was on /mnt was to be in /srv/azure_maintenance/temp_disk-" in run.text and "and is not there" in run.text
    assert project.marks() == ["web-1", "web-4"] and content(cloud, "web-1") == "nothing" and content(cloud, "web-4") == "of-web-4\n640"
    cloud.ssh("web-4", "echo later > /mnt/cache/a/file")
    cloud.ssh("web-1", "mv /srv/lost/*.gz /srv/azure_maintenance")
    broken.unlink()
    again = project.playbook("rolling_redeploy")
    assert again.rc == 0, again.out
    assert (content(cloud, "web-1"), content(cloud, "web-4")) == ("of-web-1\n640", "later\n640")
    assert archives(cloud, "web-1") == archives(cloud, "web-4") == []
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
