# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All temporary disks of a host are found: local NVMe disks by links or model, several of them, and whatever lies on them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import block_devices, state
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.state import GuestError, temporary_disk

DIRECT, REMOTE = "Microsoft NVMe Direct Disk v2", "MSFT NVMe Accelerator v1.0"


class Guest:
    """The folders of a guest that tell of its disks, below a folder of the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mounts: dict[str, str] = {"/": "/dev/root"}
        self.swaps = root / "swaps"
        self.swaps.write_text("Filename Type Size Used Priority\n")

    def add(self, name: str, *, model: str = "", disk: str = "", of: tuple[str, ...] = ()) -> str:
        folder = self.root / "blocks" / (f"{disk}/{name}" if disk else name)
        for one in (folder / "holders", folder / "slaves"):
            one.mkdir(parents=True)
        if disk:
            (folder / "partition").write_text("1\n")
            (self.root / "blocks" / name).symlink_to(folder)
        if model:
            (folder / "device").mkdir()
            (folder / "device" / "model").write_text(f"{model:40}\n")
        for below in of:
            (folder / "slaves" / below).mkdir()
            (self.root / "blocks" / below / "holders" / name).mkdir()
        (self.root / "dev").mkdir(exist_ok=True)
        (self.root / "dev" / name).touch()
        return str(self.root / "dev" / name)

    def link(self, name: str, place: str) -> None:
        path = self.root / "links" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(self.root / "dev" / name)

    def mount(self, name: str, place: str, *files: str) -> str:
        folder = self.root / place
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).write_text("four")
        self.mounts[str(folder)] = str(self.root / "dev" / name)
        return str(folder)

    def look(self, mount: str = "mnt") -> dict:
        return temporary_disk(str(self.root / mount), self.mounts, (f"{self.root}/links/resource",), str(self.swaps), (f"{self.root}/links/local/by-*/*",))


@pytest.fixture
def guest(tmp_path, monkeypatch):
    for name in ("DEV", "BLOCKS", "BTRFS"):
        monkeypatch.setattr(block_devices, name, str(tmp_path / name.lower()))
    monkeypatch.setattr(state, "USUAL_PLACES", (f"{tmp_path}/mnt", f"{tmp_path}/mnt/resource"))
    return Guest(tmp_path)


def whole(guest):
    guest.add("nvme1n1")
    return "nvme1n1"


def partition(guest):
    whole(guest)
    guest.add("nvme1n1p1", disk="nvme1n1")
    return "nvme1n1p1"


def encrypted(guest):
    guest.add("dm-0", of=(partition(guest),))
    return "dm-0"


def array(guest):
    whole(guest)
    guest.add("nvme2n1")
    guest.add("md127", of=("nvme2n1", "nvme1n1"))
    return "md127"


def volume_on_array(guest):
    guest.add("dm-3", of=(array(guest),))
    return "dm-3"


def volume_beside_a_disk_that_lasts(guest):
    guest.add("sdc")
    guest.add("dm-4", of=("sdc", whole(guest)))
    return "dm-4"


def several_disks_of_btrfs(guest):
    guest.add("sdc")
    for name in ("sdc", whole(guest)):
        (guest.root / "btrfs" / "a-b-c" / "devices" / name).mkdir(parents=True)
    return "sdc"  # the only one that /proc/mounts names


LAYOUTS = [whole, partition, encrypted, array, volume_on_array, volume_beside_a_disk_that_lasts, several_disks_of_btrfs]
NAMED = ["local/by-index/1", "local/by-serial/0123-1", "local/by-name/nvme-440G-1", "model"]


def name(guest, by):
    """Let Azure's links, or the model of the disk alone, name nvme1n1."""
    if by == "model":
        (guest.root / "blocks/nvme1n1/device").mkdir()
        (guest.root / "blocks/nvme1n1/device/model").write_text(f"{DIRECT}\n")
    else:
        guest.link("nvme1n1", by)


@pytest.mark.parametrize("scsi", [None, "empty", "in use"])
@pytest.mark.parametrize("by", NAMED)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_local_disk_is_found_alone_and_beside_a_scsi_disk(guest, layout, by, scsi):
    data = guest.mount(layout(guest), "data", "orders.db")
    name(guest, by)
    if scsi:
        guest.add("sdb")
        guest.add("sdb1", disk="sdb")
        guest.link("sdb", "resource")
        guest.mount("sdb1", "mnt", "DATALOSS_WARNING_README.txt", *["cache"] * (scsi == "in use"))
    found = guest.look()
    assert found["mounted"] and found["certain"] and found["in_use"] and f"{data}/orders.db" in found["files"]
    assert {disk["mount"]: disk["in_use"] for disk in found["disks"]} == {data: True, **({f"{guest.root}/mnt": scsi == "in use"} if scsi else {})}
    assert all(disk["certain"] and disk["local"] is (disk["mount"] == data) for disk in found["disks"])
    assert found["mount"] == (f"{guest.root}/mnt" if scsi == "in use" else data), "what would be lost, rather than what is looked for"
    assert found["count"] == 1 + (scsi == "in use") and found["bytes"] == 4 * found["count"]


def test_every_local_disk_counts(guest):
    for number in (1, 2, 3):
        guest.add(f"nvme{number}n1", model=DIRECT)
        guest.mount(f"nvme{number}n1", f"data{number}", *["file"] * (number > 1))
    assert {disk["mount"][-1]: disk["in_use"] for disk in guest.look()["disks"]} == {"1": False, "2": True, "3": True}


@pytest.mark.parametrize("other", ["nvme1n10", "nvme10n1", "nvme2n1"])
def test_another_disk_is_none_of_them(guest, other):
    whole(guest)
    guest.link("nvme1n1", "local/by-index/1")
    guest.add(other, model=REMOTE)
    guest.mount(other, "data", "file")
    found = guest.look()
    assert (found["mounted"], found["in_use"], found["disks"]) == (False, False, [])


def test_a_scsi_disk_that_no_link_names_is_still_found_beside_local_ones(guest):
    whole(guest)
    name(guest, "model")
    guest.add("sdb1")
    guest.mount("sdb1", "mnt", "file")
    found = guest.look()
    assert (found["mount"], found["certain"], found["in_use"]) == (f"{guest.root}/mnt", False, True)


@pytest.mark.parametrize("layout", [array, volume_on_array, encrypted], ids=lambda layout: layout.__name__)
def test_a_volume_that_nobody_mounts_counts(guest, layout):
    """A database on a raw volume, a virtual machine's disk, a file system that only a container has mounted."""
    device = layout(guest)
    name(guest, "model")
    found = guest.look()
    assert (found["mounted"], found["in_use"], found["certain"]) == (False, True, False)
    assert found["disks"] == [{"mount": None, "device": f"{guest.root}/dev/{device}", "certain": True, "local": True, "in_use": True,
                               "files": [], "bytes": 0, "count": 0}]


def test_a_second_volume_beside_a_mounted_one_counts(guest):
    guest.add("dm-0", of=(whole(guest),))
    guest.add("dm-1", of=("nvme1n1",))
    name(guest, "model")
    guest.mount("dm-0", "data")
    assert [(disk["mount"], disk["device"][-4:], disk["in_use"]) for disk in guest.look()["disks"]] == [
        (f"{guest.root}/data", "dm-0", False), (None, "dm-1", True)]


@pytest.mark.parametrize("layout", [whole, partition], ids=lambda layout: layout.__name__)
def test_a_disk_that_something_has_for_itself_counts_and_a_free_one_does_not(guest, monkeypatch, layout):
    """Such as ZFS, which tells the kernel of no device. Real claims: the kernel answers EBUSY."""
    device = f"{guest.root}/dev/{layout(guest)}"
    name(guest, "model")
    answer = {"error": None}

    def exclusively(path, flags, *more, real=os.open):
        assert path == device and flags & os.O_EXCL and not flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT)
        if answer["error"]:
            raise OSError(answer["error"], os.strerror(answer["error"]), path)
        return real(path, flags)

    monkeypatch.setattr(block_devices.stat, "S_ISBLK", stat.S_ISREG)
    monkeypatch.setattr(block_devices.os, "open", exclusively)
    for error, in_use in ((None, False), (errno.EBUSY, True), (errno.ENXIO, False)):
        answer["error"] = error
        assert guest.look()["in_use"] is in_use
    answer["error"] = errno.EACCES
    with pytest.raises(GuestError, match="what is on the temporary disk cannot be read .*Permission denied.*; become root for it"):
        guest.look()


@pytest.mark.parametrize("layout", [partition, volume_on_array], ids=lambda layout: layout.__name__)
def test_swap_is_nothing_to_lose(guest, layout):
    guest.swaps.write_text(f"Filename Type Size Used Priority\n{guest.root}/dev/{layout(guest)} partition 1 0 -2\n")
    name(guest, "model")
    assert not guest.look()["in_use"]


def test_a_folder_that_is_mounted_once_more_is_not_counted_again(guest, monkeypatch):
    whole(guest)
    name(guest, "model")
    data, again = guest.mount("nvme1n1", "data", "orders.db"), guest.mount("nvme1n1", "part", "orders.db")
    info = guest.root / "mountinfo"
    monkeypatch.setattr(block_devices, "MOUNT_INFO", str(info))
    info.write_text(f"1 0 259:1 / {data} rw - ext4 /dev/x rw\n2 0 259:1 /part {again} rw - ext4 /dev/x rw\n")
    assert [disk["mount"] for disk in guest.look("part")["disks"]] == [data], "a part of it is not what could be packed"
    info.write_text(f"1 0 259:1 /one {data} rw - ext4 /dev/x rw\n2 0 259:1 /part {again} rw - ext4 /dev/x rw\n")
    assert [disk["mount"] for disk in guest.look()["disks"]] == [data, again], "neither shows all of it"
    info.write_text(f"1 0 259:1 / {data} rw - ext4 /dev/x rw\n2 0 259:1 / {again} rw - ext4 /dev/x rw\n")
    assert [disk["mount"] for disk in guest.look("part")["disks"]] == [again], "the same all over: the one that was asked for"
