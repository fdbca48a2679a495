# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would be lost with the temporary disk, and that nothing is overlooked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from unit.plugins.marks import NOBODY, answer, in_child, open_to_all

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import block_devices, state
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.state import MOST_FILES, GuestError, temporary_disk


@pytest.fixture(autouse=True)
def no_disks_of_this_machine(tmp_path, monkeypatch):
    for name in ("DEV", "BLOCKS", "BTRFS"):
        monkeypatch.setattr(block_devices, name, str(tmp_path / name.lower()))


@pytest.fixture
def disk(tmp_path):
    """A folder to stand for a mounted temporary disk."""
    folder = tmp_path / "mnt"
    folder.mkdir()
    return folder


def look(disk, *, mount=None, links=(), swaps="/nonexistent", device="/dev/sdb1"):
    return temporary_disk(str(mount or disk), {"/": "/dev/sda1", str(disk): device}, links, str(swaps))


def only(**facts):
    """The answer for one disk, which is that for all."""
    return {**facts, "disks": [{"local": False, **{name: value for name, value in facts.items() if name != "mounted"}}] if facts["mounted"] else []}


def fill(disk, *names):
    for name in names:
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_text("four")


def test_files_are_in_use_wherever_they_are(disk):
    fill(disk, "b", "deep/er/a", ".hidden/c")
    (disk / "empty" / "folder").mkdir(parents=True)
    os.mkfifo(disk / "pipe")
    assert look(disk) == only(mount=str(disk), device="/dev/sdb1", mounted=True, certain=False, in_use=True, count=4, bytes=12,
                              files=[str(disk / name) for name in ("b", "pipe", ".hidden/c", "deep/er/a")])


def test_links_are_something_too_whatever_they_point_at(disk, tmp_path):
    fill(tmp_path, "elsewhere/x")
    for name, target in (("to-folder", tmp_path / "elsewhere"), ("to-file", tmp_path / "elsewhere/x"), ("to-nothing", "nothing"), ("round", disk)):
        (disk / name).symlink_to(target)
    assert look(disk)["files"] == [str(disk / name) for name in ("round", "to-file", "to-folder", "to-nothing")]


def test_the_vendors_warning_the_swap_file_and_empty_folders_are_nothing(disk, tmp_path):
    fill(disk, "DATALOSS_WARNING_README.txt", "DATA_LOSS_WARNING_README.txt", "swapfile", "with blank", "lost+found/#12")
    (disk / "a" / "b").mkdir(parents=True)
    swaps = tmp_path / "swaps"
    swaps.write_text(f"Filename\tType\tSize\tUsed\tPriority\n{disk}/swapfile file 1 0 -2\n{disk}/with\\040blank file 1 0 -3\n/dev/sdc2 partition 1 0 -4\n\n")
    assert look(disk, swaps=swaps) == only(mount=str(disk), device="/dev/sdb1", mounted=True, certain=True, in_use=False, count=0, bytes=0, files=[])
    assert look(disk)["files"] == [f"{disk}/swapfile", f"{disk}/with blank"], "no longer swapped to"


def test_only_at_the_top_they_are_nothing(disk):
    fill(disk, "backup/DATALOSS_WARNING_README.txt", "backup/lost+found/x")
    found = look(disk)
    assert found["count"] == 2 and not found["certain"]


@pytest.mark.parametrize("name", ["/", "/.", "//"])
def test_a_mount_point_may_be_written_otherwise(disk, tmp_path, name):
    fill(disk, "x", "DATALOSS_WARNING_README.txt")
    (tmp_path / "link").symlink_to(disk)
    for mount in (f"{disk}{name}", str(tmp_path / "link")):
        found = look(disk, mount=mount)
        assert (found["mount"], found["mounted"], found["count"]) == (mount, True, 1)


def test_what_is_not_mounted_has_nothing_to_lose(disk):
    fill(disk, "x")
    assert temporary_disk(str(disk), {"/": "/dev/sda1"}) == only(
        mount=str(disk), device=None, mounted=False, certain=False, in_use=False, files=[], bytes=0, count=0)


@pytest.mark.parametrize("named, device, is_it", [
    (["sdb1"], "sdb1", True), (["sdb"], "sdb1", True), (["sdb", "sdb1"], "sdb1", True), (["sdb"], "sdb", True), (["nvme1n1"], "nvme1n1p1", True),
    (["sdc1"], "sdb1", False), (["sdc"], "sdb1", False), (["sd"], "sdb1", False), (["sdb1"], "sdb", False), ([], "sdb1", True)])
def test_it_is_the_disk_that_azures_links_name(disk, tmp_path, named, device, is_it):
    fill(disk, "x")
    (tmp_path / "dev").mkdir()
    links = []
    for number, name in enumerate(named):
        fill(tmp_path, f"dev/{name}")
        links.append(tmp_path / "dev" / f"azure_resource{number}")
        links[-1].symlink_to(name)
    found = look(disk, links=[*links, tmp_path / "dev" / "none"], device=str(tmp_path / "dev" / device))
    assert (found["mounted"], found["in_use"], found["device"]) == (is_it, is_it, str(tmp_path / "dev" / device))
    assert found["certain"] is (is_it and bool(named)), "without links and without the vendor's warning it is only taken for one"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A data disk at /mnt, the temporary disk sdb1 at /mnt/resource, both folders of the test."""
    for name in ("mnt/data", "mnt/resource/x", "dev/sdb", "dev/sdb1", "dev/sdc1", "dev/dm-3"):
        fill(tmp_path, name)
    monkeypatch.setattr(state, "USUAL_PLACES", (f"{tmp_path}/mnt", f"{tmp_path}/mnt/resource"))
    (tmp_path / "link").symlink_to("dev/sdb")
    return tmp_path


def test_where_azures_agent_mounts_it_it_is_found_as_well(elsewhere):
    """RHEL's and SLES's images: the default, /mnt, is not the place there, and what is lost must not depend on that."""
    devices = {"/": "/dev/sda1", f"{elsewhere}/mnt": f"{elsewhere}/dev/sdc1", f"{elsewhere}/mnt/resource": f"{elsewhere}/dev/sdb1"}
    for links in ([f"{elsewhere}/link"], ()):
        found = temporary_disk(f"{elsewhere}/mnt", devices, links)
        if links:
            assert (found["mount"], found["mounted"], found["certain"], found["files"]) == (
                f"{elsewhere}/mnt/resource", True, True, [f"{elsewhere}/mnt/resource/x"])
        else:
            assert (found["mount"], found["certain"]) == (f"{elsewhere}/mnt", False), "nothing names it"
    fill(elsewhere, "mnt/resource/DATALOSS_WARNING_README.txt")
    found = temporary_disk(f"{elsewhere}/mnt", devices, ())
    assert (found["mount"], found["certain"], found["count"]) == (f"{elsewhere}/mnt/resource", True, 1)
    assert not temporary_disk(f"{elsewhere}/mnt", {"/": "/dev/sda1"}, [f"{elsewhere}/link"])["mounted"]


def test_what_the_drain_puts_there_is_not_in_use(disk):
    fill(disk, f"{state.KEPT}temp_disk-1.tar.gz")
    assert look(disk)["count"] == 0


def test_what_is_mounted_below_it_is_not_lost_with_it(tmp_path):
    """In a mount namespace of its own, with real file systems."""
    program = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[2])\n"
        "from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import state\n"
        "mounts = state.mounts(); print(json.dumps(state.temporary_disk(sys.argv[1], mounts, (), '/nonexistent')))")
    script = ('set -e; mount -t tmpfs disk "$1"; mkdir -p "$1/data/nested"; mount -t tmpfs other "$1/data/nested"\n'
              'touch "$1/data/own" "$1/data/nested/other"; shift; exec "$@"')
    place = tmp_path / "with blank"
    place.mkdir()
    command = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", script, "sh", str(place),
               sys.executable, "-c", program, str(place), json.dumps(sys.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and ("unshare" in done.stderr or "mount:" in done.stderr):
        pytest.skip(f"this machine allows no mount namespace: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    assert (found["device"], found["files"], found["count"]) == ("disk", [f"{place}/data/own"], 1)


@pytest.mark.parametrize("folder, mode", [("closed", 0o700), ("closed", 0o711), (".", 0o700), ("closed", 0o744)])
def test_a_folder_that_cannot_be_read_is_not_empty(folder, mode):
    with open_to_all() as disk:
        fill(disk, "closed/deep/x")
        (disk / folder).chmod(mode)
        kind, words = answer(in_child(lambda: look(disk), NOBODY))
        assert kind == "GuestError" and "Permission denied" in words and words.startswith("what is on the temporary disk cannot be read")
        assert words.endswith("become root for it, or set verify_temp_disk to an empty string")
        (disk / folder).chmod(0o755)
        assert answer(in_child(lambda: look(disk), NOBODY))[1]["count"] == 1


def test_a_disk_that_fails_is_not_empty(disk, monkeypatch):
    fill(disk, "x")

    def fails(path):
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(os, "scandir", fails)
    with pytest.raises(GuestError, match="Input/output error"):
        look(disk)
    monkeypatch.undo()
    with pytest.raises(GuestError, match="No such file"):
        temporary_disk("/nonexistent", {"/nonexistent": "/dev/sdb1"}, ())


def test_what_goes_while_we_look_is_nothing_to_lose(disk, monkeypatch):
    fill(disk, "a", "b", "going/x")
    files = state._files

    def and_remove(mount):
        for path in files(mount):
            os.unlink(path)
            if path.endswith("b"):
                os.unlink(disk / "going" / "x")
                os.rmdir(disk / "going")
            yield path

    monkeypatch.setattr(state, "_files", and_remove)
    found = look(disk)
    assert (found["count"], found["bytes"]) == (2, 0)


def test_counting_ends_somewhere(disk):
    for number in range(MOST_FILES + 50):
        os.close(os.open(disk / f"{number:06}", os.O_CREAT | os.O_WRONLY))
    found = look(disk)
    assert (found["count"], len(found["files"]), found["files"][0]) == (MOST_FILES, 10, str(disk / "000000"))
