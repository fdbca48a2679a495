# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two scripts that keep a temporary disk and put it back, on real file systems in a mount namespace of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles" / "drain" / "files"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
BEGIN = """\
set -e; mkdir -p disk system; mount -t tmpfs disk disk; mkdir "disk/with blank"; echo old >"disk/with blank/file"; chmod 640 "disk/with blank/file"
ln -s "with blank/file" disk/link; truncate -s 200M disk/sparse; echo warned >disk/DATALOSS_WARNING_README.txt
pack() { sh "$FILES/pack_temp_disk.sh" "$PWD/system/keep/a.tar.gz" "$PWD/disk" "$@"; }
unpack() { sh "$FILES/unpack_temp_disk.sh" "$PWD/system/keep/a.tar.gz" "$PWD/disk" "${1:-another}" "${2:-0}"; }
empty() { umount disk; mount -t tmpfs disk disk; }
"""


@pytest.fixture
def shell(tmp_path):
    """Runs a script behind BEGIN in a folder of its own; its result."""

    def run(script, **environment):
        command = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", BEGIN + script]
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "FILES": str(FILES), **environment}, capture_output=True, text=True, check=False)
        if "unshare:" in done.stderr or "mount:" in done.stderr:
            pytest.skip(f"this machine allows no mount namespace: {done.stderr.strip()}")
        return done

    return run


def lines(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_an_emptied_disk_gets_all_of_it_back_and_no_more(shell):
    assert lines(shell("""pack; empty; echo new >disk/new; unpack
        cat "disk/with blank/file" disk/new; stat -c %a "disk/with blank/file"; readlink disk/link; stat -c %s disk/sparse
        [ "$(stat -c %b disk/sparse)" -lt 1000 ] && echo sparse; ls disk/*README* 2>/dev/null || echo "not the vendor's warning"
        stat -c %a system/keep system/keep/a.tar.gz; ls system/keep""")) == [
        "unpacked", "old", "new", "640", "with blank/file", "209715200", "sparse", "not the vendor's warning", "711", "600", "a.tar.gz"]


@pytest.mark.parametrize("script, printed, content", [
    ("pack; echo later >'disk/with blank/file'; unpack", [], "later"),  # rebooted, or aborted by Azure: the disk was not emptied
    ("pack; empty; unpack; echo later >'disk/with blank/file'; unpack", ["unpacked"], "later"),  # filled before
    ("pack; empty; unpack; empty; unpack", ["unpacked", "unpacked"], "old"),  # emptied once more
    ("pack; empty; pack; unpack", ["unpacked"], "old"),  # drained again without a restore
    (f"echo later >'disk/with blank/file'; unpack {BOOT_ID}", [], "later"),  # the drain did not come to it
])
def test_it_is_put_back_when_the_disk_was_emptied_and_only_then(shell, script, printed, content):
    assert lines(shell(f"{script}; cat 'disk/with blank/file'")) == [*printed, content]


def test_a_lost_archive_is_told(shell):
    done = shell("pack; rm system/keep/a.tar.gz; empty; unpack")
    assert (done.returncode, done.stdout) == (4, "")


def test_nothing_is_put_into_a_bare_folder(shell):
    """At the end of a boot the disk may not be mounted yet; what is put there would be hidden by it."""
    done = shell("pack; umount disk; unpack another 1")
    assert done.returncode == 1 and "nothing is mounted at" in done.stderr
    assert lines(shell("pack; umount disk; (sleep 1; mount -t tmpfs disk disk) & unpack another 30; ls disk"))[0] == "unpacked"
    done = shell("umount disk; pack")
    assert done.returncode == 1 and "nothing is mounted at" in done.stderr


def test_a_broken_archive_is_no_success_and_is_tried_again(shell):
    done = shell("""pack; empty; cp system/keep/a.tar.gz whole; head -c 200 whole >system/keep/a.tar.gz; unpack && exit 9
        cp whole system/keep/a.tar.gz; unpack; cat 'disk/with blank/file'""")
    assert lines(done) == ["unpacked", "old"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_who_fetches_it_may_read_it_and_nobody_else(shell):
    look = "; stat -c '%u %a' system/keep/a.tar.gz"
    assert lines(shell(f"pack fetch{look}", SUDO_UID="65534")) == ["given", "65534 600"]
    assert lines(shell(f"rm -r system/keep; pack{look}", SUDO_UID="65534")) == ["0 600"]
