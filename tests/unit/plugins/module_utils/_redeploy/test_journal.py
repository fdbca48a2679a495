# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: private, whole at every moment, one process per VM."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import NOT_EXECUTED, Journal

VM = VmId.parse("/subscriptions/s/resourceGroups/Shop/providers/Microsoft.Compute/virtualMachines/Web-01")
OTHER = VmId.parse("/subscriptions/s/resourceGroups/Shop-2/providers/Microsoft.Compute/virtualMachines/Web-01")


def attempt(number=1, operation="perform_maintenance", **more):
    return {"operation": operation, "iteration": "2026-03-02T00:00:00Z", "client_request_id": f"id-{number}", "intent_at": "2026-03-02T00:00:00Z",
            "code_before": "None", **more}


@pytest.fixture
def journal(tmp_path):
    made = Journal(str(tmp_path / "deep" / "journal"))
    made.prepare()
    yield made
    made.close()


def entry(tmp_path):
    file, = (tmp_path / "deep" / "journal").glob("*.json")
    return file


def test_private_to_its_owner(journal, tmp_path):
    old = os.umask(0)
    try:
        journal.lock(VM)
        journal.intend(VM, attempt())
    finally:
        os.umask(old)
    folder = entry(tmp_path).parent
    assert {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {".json": 0o600, ".lock": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_newest_attempt_that_counts(journal):
    assert journal.last(VM, "perform_maintenance") is None
    for number in (1, 2, 3):
        journal.intend(VM, attempt(number))
    journal.intend(VM, attempt(4, "redeploy"))
    journal.note(VM, "id-3", outcome=NOT_EXECUTED)
    journal.note(VM, "id-2", outcome="succeeded", operation_url="https://x")
    journal.note(VM, "nobody", outcome="failed")
    last = journal.last(VM, "perform_maintenance")
    assert (last["client_request_id"], last["outcome"], last["operation_url"]) == ("id-2", "succeeded", "https://x")
    assert journal.last(VM, "redeploy")["client_request_id"] == "id-4" and journal.last(VM, "reapply") is None


def test_an_intent_is_unsettled(journal):
    journal.intend(VM, attempt())
    last = journal.last(VM, "perform_maintenance")
    assert [last[key] for key in ("outcome", "operation_url", "location_url", "reason", "ended_at")] == [None] * 5


def test_one_vm_in_all_its_spellings(journal):
    journal.intend(VmId.parse(str(VM).upper()), attempt())
    assert journal.last(VmId.parse(str(VM).lower()), "perform_maintenance") and journal.last(OTHER, "perform_maintenance") is None


def test_an_entry_is_never_half_written(journal, tmp_path, monkeypatch):
    journal.intend(VM, attempt(1))
    before = entry(tmp_path).read_bytes()

    def broken(*dummy, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(KeyboardInterrupt):
        journal.intend(VM, attempt(2))
    monkeypatch.undo()
    assert entry(tmp_path).read_bytes() == before and not list(entry(tmp_path).parent.glob("*.new"))


def test_it_is_on_disk_before_it_counts(journal, monkeypatch):
    """Written, flushed to the disk, only then put in place, and its name flushed, too."""
    calls = []
    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, lambda *given, name=name, real=getattr(os, name): calls.append(name) or real(*given))
    journal.intend(VM, attempt())
    assert calls == ["fsync", "replace", "fsync"]


def test_a_lock_keeps_others_out_until_its_end(journal, tmp_path):
    other = Journal(str(tmp_path / "deep" / "journal"))
    assert journal.lock(VM) and journal.lock(VM), "it is ours already"
    assert not other.lock(VM) and other.lock(OTHER)
    journal.close()
    assert other.lock(VM)
    other.close()


def test_a_lock_ends_with_its_process(journal, tmp_path):
    """Also with one that is killed and could not clean up."""
    code = ("import sys, time; from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal\n"
            "from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId\n"
            "j = Journal(sys.argv[1]); print(j.lock(VmId.parse(sys.argv[2])), flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "deep" / "journal"), str(VM)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().strip() == "True"
        assert not journal.lock(VM)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while not journal.lock(VM) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert journal.lock(VM)


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    journal = Journal(str(tmp_path / "file" / "journal"))
    with pytest.raises(OptionsError, match="journal directory .*/file/journal cannot be written .*; set journal to one that can"):
        journal.prepare()
    for call in (lambda: journal.intend(VM, attempt()), lambda: journal.lock(VM)):
        with pytest.raises(OptionsError, match="cannot be (written|taken|read)"):
            call()


def test_home_is_understood(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    Journal("~/journal").prepare()
    assert (tmp_path / "journal").is_dir()


def test_progress_for_onlookers(journal, tmp_path):
    folder = tmp_path / "deep" / "journal"
    journal.progress(3, ["a", "b"])
    assert json.loads((folder / "progress.json").read_text()) == {"total": 3, "open": ["a", "b"], "notes": {}}
    journal.progress(0, [])
    journal.progress(0, [])
    assert list(folder.iterdir()) == []
