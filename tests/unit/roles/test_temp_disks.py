# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles decide about all temporary disks of a host: refuse to lose files, keep those of one mount, and see every mount again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"


def disk(mount, files=(), *, device="/dev/nvme1n1", certain=True, in_use=None):
    return {"mount": mount, "device": device, "certain": certain, "local": True, "in_use": bool(files) if in_use is None else in_use, "files": list(files),
            "bytes": 4 * len(files), "count": len(files)}


def playbook(folder, hosts, tasks):
    """The result of every task that failed, by host."""
    inventory = {"all": {"vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "report": str(folder / "failed")},
                         "hosts": hosts}}
    (folder / "inventory.yml").write_text(json.dumps(inventory))
    words = "{{ ansible_failed_result.results | default([ansible_failed_result]) | selectattr('failed') | map(attribute='msg') | join('; ') }}"
    note = {"ansible.builtin.copy": {"dest": "{{ report }}-{{ inventory_hostname }}", "content": words, "mode": "0600"}}
    (folder / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{"block": tasks, "rescue": [note]}]}]))
    done = subprocess.run([Path(sys.executable).parent / "ansible-playbook", "-i", folder / "inventory.yml", folder / "play.yml"], cwd=ROLES.parent,
                          env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "false"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name[len("failed-"):]: path.read_text() for path in folder.glob("failed-*")}


def test_files_on_any_of_them_hold_the_host_back(tmp_path):
    [block] = yaml.safe_load((ROLES / "rollout/tasks/prepare.yml").read_text(encoding="utf-8"))
    [refuse] = [task for task in block["block"] if task["name"] == "Refuse to lose what is on the temporary disk"]
    mnt, data, raw = disk("/mnt", ["/mnt/a"]), disk("/data", ["/data/b", "/data/c"]), disk(None, device="/dev/dm-1", in_use=True)
    keep = {"drain_provider": ["temp_disk"]}
    cases = {
        "none": ({}, []), "empty": ({}, [disk("/mnt"), disk("/data")]),
        "local": ({}, [disk("/mnt"), data]), "both": ({}, [mnt, data]), "raw": ({}, [disk("/mnt"), raw]),
        "accepted": ({"redeploy_accept": ["temp_disk_in_use"]}, [mnt, data, raw]),
        "kept": (keep, [mnt]), "kept-there": ({**keep, "drain_temp_disk_mount": "/data/"}, [disk("/mnt"), data]),
        "kept-one": ({**keep, "drain_temp_disk_mount": "/data"}, [mnt, data, raw]), "kept-other": (keep, [disk("/mnt"), data]),
    }
    hosts = {name: {"redeploy_operation": "perform_maintenance", "__verify_guest": {"temp_disk": {"disks": disks}}, **options}
             for name, (options, disks) in cases.items()}
    hosts["unseen"] = {"redeploy_operation": "perform_maintenance", "__verify_guest": {"temp_disk": None}}
    refused = playbook(tmp_path, hosts, [refuse])
    end = ". To lose all of it: rollout_accept: [temp_disk_in_use], in the variables of this host or for all; to keep the files of one mount: " \
          "temp_disk in drain_provider, and that mount as drain_temp_disk_mount"
    begin = "temp_disk_in_use: the redeploy empties "
    assert refused == {name: f"{begin}{words}{end}" for name, words in {
        "local": "/data, and it holds 2 files, 8 bytes: /data/b, /data/c",
        "both": "/mnt, and it holds 1 files, 4 bytes: /mnt/a; and /data, and it holds 2 files, 8 bytes: /data/b, /data/c",
        "raw": "/dev/dm-1, which is in use without being mounted",
        "kept-one": "/mnt, and it holds 1 files, 4 bytes: /mnt/a; and /dev/dm-1, which is in use without being mounted",
        "kept-other": "/data, and it holds 2 files, 8 bytes: /data/b, /data/c"}.items()}


def test_the_provider_keeps_any_of_them_and_only_temporary_ones(tmp_path):
    checks = yaml.safe_load((ROLES / "drain/tasks/check_temp_disk.yml").read_text(encoding="utf-8"))[1:3]
    disks = [disk("/mnt", device="/dev/sdb1", certain=False), disk("/data"), disk(None, in_use=True)]
    hosts = {f"h{number}": {"drain_temp_disk_mount": mount, "__drain_temp_disk": {"temp_disk": {"mount": "/mnt", "mounted": True, "disks": disks}}}
             for number, mount in enumerate(["/data", "/mnt", "/srv"])}
    failed = playbook(tmp_path, hosts, checks)
    assert set(failed) == {"h1", "h2"}
    assert failed["h1"].startswith("nothing says that /mnt of h1 (/dev/sdb1) is the temporary disk: neither Azure's udev links nor its model name it")
    assert failed["h2"] == ("no temporary disk is mounted at /srv of h2, but at /mnt and /data; correct drain_temp_disk_mount, or leave out the provider "
                            "temp_disk")


@pytest.fixture
def mounted():
    """A place where something is mounted that has no files to read for long."""
    place = "/dev/pts"
    if not os.path.ismount(place):
        pytest.skip(f"nothing is mounted at {place}")
    return place


def test_every_mount_is_seen_again_or_made_again(tmp_path, mounted):
    """A local NVMe disk comes back without a file system: the user's tasks get to make one. They never fill the bare folder of another disk."""
    (tmp_path / "mount.yml").write_text(json.dumps([
        {"ansible.builtin.file": {"path": f"{tmp_path}/ran-{{{{ inventory_hostname }}}}", "state": "touch", "mode": "0600"}},
        {"ansible.builtin.set_fact": {"verify_temp_disk": mounted}}]))  # as though it was mounted now
    before = {"verify_boot_id_before": "another", "drain_boot_id": "", "verify_become": False, "verify_address": "localhost", "verify_temp_disk": "",
              "verify_ports": [], "verify_services": [], "verify_timeout": 30}
    tasks = {"verify_temp_disk_tasks": [f"{tmp_path}/mount.yml"]}
    there, gone = {"mount": mounted, "local": True}, {"mount": "/gone", "local": True}
    scsi = {"mount": "/mnt/scsi", "local": False}
    look = {"verify_temp_disk": mounted}
    cases = {"there": (look, [there]), "none": ({}, []), "gone": ({}, [gone]), "two": (look, [there, gone]),
             "made": (tasks, [there]), "tried": (tasks, [there, gone]), "scsi": (tasks, [scsi])}
    hosts = {name: {**before, "verify_temp_disk_tasks": [], **options, "verify_before": {"temp_disks": disks, "failed_units": []}}
             for name, (options, disks) in cases.items()}
    include = {"ansible.builtin.include_tasks": str(ROLES / "verify/tasks/after.yml")}
    load = {"ansible.builtin.include_vars": str(ROLES / "verify/vars/main.yml")}
    failed = playbook(tmp_path, hosts, [load, include])
    local = "the local NVMe disk is not mounted at /gone any more: Azure returns it without a file system. Make one and mount it, by a service of the " \
            "host's or in verify_temp_disk_tasks"
    assert failed == {"gone": local, "two": local, "tried": local, "scsi": "the temporary disk is not mounted at /mnt/scsi any more"}
    assert {path.name for path in tmp_path.glob("ran-*")} == {"ran-made", "ran-tried"}
