# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch, pass by pass: when it drains, approves and restores, and what it does after crashes, failures and doubles."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import types
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jinja2
import pytest
import yaml

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils import _bounds, _files
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import scheduled_events
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.scheduled_events import Document, Event, EventsError

INSTALLED = {"azure_maintenance._bounds": _bounds, "azure_maintenance._files": _files, "azure_maintenance._guest.scheduled_events": scheduled_events}
ROLE = Path(__file__).resolve().parents[3] / "roles" / "watch_events"


def load(name: str):
    """A file of the role, as it finds those that the role installs with it."""
    spec = importlib.util.spec_from_file_location(name, ROLE / "files" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


with pytest.MonkeyPatch.context() as patch:
    patch.setitem(sys.modules, "azure_maintenance", types.SimpleNamespace(_files=_files))
    for installed, module in INSTALLED.items():
        patch.setitem(sys.modules, installed, module)
    settings = load("watch_settings")
    patch.setitem(sys.modules, "watch_settings", settings)
    watch = load("watch_events")


def install(folder: Path) -> None:
    """What the role installs, in a folder."""
    for path in (ROLE / "files").glob("*.py"):
        shutil.copy(path, folder)
    for installed, module in INSTALLED.items():
        place = folder / f"{installed.replace('.', '/')}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(module.__file__, place)


class Machine:
    """One VM: its metadata service, its commands, its time. `new()` is a process after a crash or a reboot."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.events, self.approved, self.ran = folder, [], [], []
        self.reads, self.broken, self.stopped, self.trouble, self.refused = 0, set(), set(), None, set()
        self.time = datetime(2026, 3, 2, tzinfo=timezone.utc)
        self.mark = folder / "mark"
        self.new()

    def new(self, **changes) -> None:
        config = {**settings.DEFAULTS, "services": ["web", "db"], "drain": [["leave"]], "restore": [["join"]], "vm_name": "web-03",
                  "mark": str(self.mark), "state": str(self.folder / "state"), **changes}
        self.watcher = watch.Watcher(config, self, lambda: self.time, self.run)

    # the metadata service
    def read(self):
        self.reads += 1
        if self.trouble:
            raise EventsError("unavailable", self.trouble)
        return Document(1, list(self.events), "2020-07-01")

    def approve(self, event_ids):
        if self.refused & set(event_ids):
            raise EventsError("refused", "400 unknown event")
        self.approved += event_ids

    # the commands
    def run(self, argv, seconds, environment):
        if argv[0] in ("service", "systemctl"):
            name, action = (argv[1], argv[2]) if argv[0] == "service" else (argv[-1], "status" if "is-active" in argv else argv[1])
            argv = [action, name]
            if action == "status":
                if name in self.stopped:
                    raise watch.StepFailed("stopped")
                return
        self.ran.append(" ".join(argv))
        self.environment = environment
        if argv[0] in self.broken or " ".join(argv) in self.broken:
            raise watch.StepFailed(f"{argv[0]}: exit status 1")

    # the world
    def event(self, number="e1", type_="Redeploy", status="Scheduled", source="Platform", resources=("web-03",), seconds=None):
        found = Event(number, type_, source, status, "VirtualMachine", list(resources), None, None, seconds)
        self.events = [event for event in self.events if event.id != number] + [found]

    def state(self):
        path = self.folder / "state"
        return json.loads(path.read_text()) if path.exists() else None

    def passes(self, count=1):
        return [self.watcher.once() for dummy in range(count)]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # a crash of the machine is not under test, and disks are slow
    return Machine(tmp_path)


DRAINED = ["leave", "stop web", "stop db"]
RESTORED = ["start db", "start web", "join"]


def test_drain_approve_restore_once_each(machine):
    assert machine.passes(2) == ["idle", "idle"] and machine.state() is None
    machine.event()
    assert machine.passes(3) == ["approved", "drained", "drained"]
    assert machine.ran == DRAINED and machine.approved == ["e1"]
    assert machine.environment == {"AZURE_EVENT_ID": "e1", "AZURE_EVENT_TYPE": "Redeploy", "AZURE_EVENT_SOURCE": "Platform", "AZURE_EVENT_NOT_BEFORE": ""}
    machine.event(status="Started")
    machine.new()
    assert machine.passes(2) == ["drained", "drained"] and machine.approved == ["e1"]
    machine.events = []
    assert machine.passes(3) == ["drained", "restored", "idle"]
    assert machine.ran == DRAINED + RESTORED and machine.state() is None


def test_one_read_without_the_event_restores_nothing(machine):
    machine.event()
    machine.passes()
    machine.events = []
    assert machine.passes() == ["drained"]
    machine.event(status="Started")
    assert machine.passes() == ["drained"]
    machine.events = []
    assert machine.passes() == ["drained"] and machine.ran == DRAINED


def test_a_second_event_is_approved_without_a_second_drain(machine):
    machine.event("e1")
    machine.passes()
    machine.event("e2", "Reboot")
    assert machine.passes() == ["approved"] and machine.approved == ["e1", "e2"]
    machine.events = machine.events[1:]
    assert machine.passes(3) == ["drained"] * 3
    machine.events = []
    machine.passes(2)
    assert machine.ran == DRAINED + RESTORED


def test_an_event_during_the_restore_drains_again_and_remembers_the_services(machine):
    machine.event("e1")
    machine.passes()
    machine.events, machine.broken, machine.stopped = [], {"join"}, {"web", "db"}
    assert machine.passes(2) == ["drained", "failed"]
    machine.event("e2")
    machine.broken, machine.time = set(), machine.time + timedelta(minutes=2)
    assert machine.passes() == ["approved"]
    machine.events = []
    machine.passes(2)
    assert machine.ran[-len(RESTORED):] == RESTORED


def test_only_services_that_ran_are_started_again(machine):
    machine.stopped = {"db"}
    machine.event()
    machine.passes()
    machine.events = []
    machine.passes(2)
    assert machine.ran == ["leave", "stop web", "start web", "join"]


@pytest.mark.parametrize("at", ["leave", "stop db"])
def test_a_crash_in_the_drain_is_finished_by_the_next_process(machine, at):
    machine.broken = {at}
    machine.event()
    assert machine.passes() == ["failed"] and machine.state()["phase"] == "draining" and not machine.approved
    machine.new()
    machine.broken, machine.time = set(), machine.time + timedelta(minutes=2)
    assert machine.passes() == ["approved"] and machine.state()["services"] == ["web", "db"]


def test_a_crash_in_the_drain_and_no_event_any_more(machine):
    machine.broken = {"stop db"}
    machine.event()
    machine.passes()
    machine.new()
    machine.events, machine.broken, machine.time = [], set(), machine.time + timedelta(minutes=2)
    assert machine.passes(2)[-1] == "restored" and machine.ran[-3:] == RESTORED


def test_what_fails_is_tried_again_with_pauses_and_not_approved(machine):
    machine.broken = {"leave"}
    machine.event()
    for dummy in range(60):
        machine.passes()
        machine.time += timedelta(seconds=5)
    assert machine.ran == ["leave"] * len(machine.ran) and 6 <= len(machine.ran) <= 9
    assert "exit status 1" in machine.state()["reason"] and not machine.approved


def test_a_rolling_run_is_left_alone(machine):
    machine.mark.write_text("{}")
    os.utime(machine.mark, (machine.time.timestamp(),) * 2)
    machine.event()
    assert machine.passes(2) == ["held", "held"] and machine.reads == 0 and not machine.ran
    machine.time += timedelta(hours=25)
    assert machine.passes() == ["approved"]


def test_a_rolling_run_that_comes_while_it_drains_is_not_approved_for(machine):
    run = machine.run

    def mark(argv, *rest):
        if argv == ["leave"]:
            machine.mark.write_text("{}")
            os.utime(machine.mark, (machine.time.timestamp(),) * 2)
        run(argv, *rest)

    machine.new()
    machine.watcher._run = mark
    machine.event()
    assert machine.passes(2) == ["held", "held"] and not machine.approved
    machine.events = []
    assert machine.passes() == ["held"] and machine.state()["phase"] == "drained"
    machine.mark.unlink()
    assert machine.passes(2) == ["drained", "restored"]


def test_trouble_with_the_service_changes_nothing(machine, capsys):
    machine.event()
    machine.passes()
    machine.trouble = "it still answers 500"
    trouble = []
    assert [watch.one_pass(machine.watcher, trouble) for dummy in range(3)] == ["unavailable"] * 3
    assert machine.ran == DRAINED and capsys.readouterr().out.count("answers 500") == 1


def test_a_rolling_run_that_marks_the_machine_first_wins(machine, monkeypatch):
    """Both look at the same moment: the mark appears between this watch's look and its own note of what it does."""
    save = watch.State.save

    def late(state, content):
        save(state, content)
        machine.mark.write_text("{}")
        os.utime(machine.mark, (machine.time.timestamp(),) * 2)

    monkeypatch.setattr(watch.State, "save", late)
    machine.event()
    assert machine.passes() == ["held"] and not machine.ran and machine.state() is None
    monkeypatch.setattr(watch.State, "save", save)
    machine.mark.unlink()
    assert machine.passes() == ["approved"]


def test_a_refused_approval_keeps_no_other_from_being_given(machine, capsys):
    machine.event("e1")
    machine.event("e2", "Reboot")
    machine.refused = {"e1"}
    assert machine.passes(3) == ["approved", "drained", "drained"] and machine.approved == ["e2"]
    assert capsys.readouterr().out.count("event e1: its approval was refused") == 1
    machine.refused = set()
    assert machine.passes() == ["approved"] and machine.approved == ["e2", "e1"]


def test_nothing_is_drained_that_could_not_be_restored(machine, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    machine.event()
    trouble = []
    with monkeypatch.context() as disk:
        disk.setattr(watch.os, "replace", full)
        assert [watch.one_pass(machine.watcher, trouble) for dummy in range(3)] == ["failed"] * 3
        assert not machine.ran and not machine.approved and capsys.readouterr().out.count("No space left") == 1
    assert watch.one_pass(machine.watcher, trouble) == "approved"


@pytest.mark.parametrize("content", ["", "[]", '{"phase": "dra'])
def test_a_state_that_cannot_be_read_is_said_and_ends_nothing(machine, content, capsys):
    (machine.folder / "state").write_text(content)
    machine.event()
    assert watch.one_pass(machine.watcher, []) == "failed" and not machine.ran
    assert "restore by hand" in capsys.readouterr().out


def test_a_log_or_a_temporary_directory_that_is_full_ends_nothing(monkeypatch):
    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watch.sys, "stdout", Full())
    watch.say("x")
    monkeypatch.setattr(watch.tempfile, "TemporaryFile", full)
    watch.execute(["true"], 5, {})
    with pytest.raises(watch.StepFailed, match="exit status 3"):
        watch.execute(["sh", "-c", "echo no; exit 3"], 5, {})


def test_a_clock_that_was_set_back_prolongs_no_pause(machine):
    machine.broken = {"leave"}
    machine.event()
    assert machine.passes() == ["failed"]
    machine.broken, machine.time = set(), machine.time - timedelta(hours=5)
    assert machine.passes() == ["approved"]


@pytest.mark.parametrize("event, did", [
    ({"status": "Started"}, "started"), ({"resources": ["web-04"]}, "idle"), ({"type_": "Freeze", "seconds": 5}, "idle"),
    ({"type_": "Freeze", "seconds": 30}, "approved"), ({"type_": "Freeze"}, "approved"), ({"resources": ["WEB-03"]}, "approved"),
    ({"resources": ["web-03", "web-04"]}, "drained"), ({"type_": "Preempt"}, "drained"), ({"type_": "Terminate"}, "drained"),
    ({"source": None}, "approved"), ({"source": "User"}, "approved")])
def test_what_is_acted_on(machine, event, did):
    machine.event(**event)
    assert machine.passes() == [did] and bool(machine.approved) == (did == "approved") and bool(machine.ran) == (did in ("approved", "drained"))


def test_sources_and_types_can_be_left_out(machine):
    machine.new(sources=["Platform"], types=["Redeploy"])
    machine.event("e1", source="User")
    machine.event("e2", type_="Reboot")
    assert machine.passes() == ["idle"]


def test_commands_end_in_time_and_leave_daemons_alone(tmp_path):
    watch.execute(["sh", "-c", "sleep 5 & exit 0"], 2, {})
    with pytest.raises(watch.StepFailed, match="exit status 3: no"):
        watch.execute(["sh", "-c", "echo no; exit 3"], 2, {})
    with pytest.raises(watch.StepFailed, match="timed out"):
        watch.execute(["sleep", "5"], 0.1, {})
    with pytest.raises(watch.StepFailed, match="No such file"):
        watch.execute([str(tmp_path / "none")], 1, {})


def test_settings_are_checked_and_the_role_knows_them_all(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"servics": []}')
    with pytest.raises(ValueError, match="servics"):
        settings.load_config(str(path))
    path.write_text('{"freeze_seconds": "30", "drain": [["leave", "now"]]}')
    assert settings.load_config(str(path))["freeze_seconds"] == 30
    for content, words in (('{"freeze_seconds": "soon"}', "freeze_seconds 'soon' is no number"), ('{"drain": "leave"}', "each command is a list"),
                           ('{"drain": [[]]}', "each command is a list"), ('{"services": "web"}', "services is no list"), ('{"mark": 1}', "mark 1 is no text"),
                           ("[]", "no object"), ("{", "Expecting")):
        path.write_text(content)
        with pytest.raises(ValueError, match=words):
            settings.load_config(str(path))
    written = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__watch_events_settings"]
    assert set(settings.DEFAULTS) - {"state", "lock"} == set(written)
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert all(defaults[f"watch_events_{key}"] == settings.DEFAULTS[key] for key in written)
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert set(options) == set(defaults)
    assert all(spec["default"] == defaults[name] for name, spec in options.items() if "default" in spec)


@pytest.mark.parametrize("content, code", [('{"endpoint": "http://127.0.0.1:9"}', 0), ("{", 2), ('{"endpoint": "nowhere"}', 2), (None, 2)])
def test_settings_can_be_checked_before_they_are_used(tmp_path, content, code):
    install(tmp_path)
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    command = [sys.executable, "-sE", str(tmp_path / "watch_events.py"), "--check", "--config", str(tmp_path / "config.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code and not done.stderr and ("cannot be used" in done.stdout) == bool(code)


def test_a_second_watch_gives_way(tmp_path):
    install(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"lock": str(tmp_path / "lock"), "mark": str(tmp_path / "config.json"), "state": str(tmp_path / "state")}))
    command = [sys.executable, "-sE", str(tmp_path / "watch_events.py"), "--config", str(tmp_path / "config.json")]
    with subprocess.Popen([*command, "--every", "60"], stdout=subprocess.PIPE, text=True) as first:
        assert "keeping out of its way" in first.stdout.readline()
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        first.terminate()
    assert second.returncode == 0 and "another pass is under way" in second.stdout


@pytest.mark.parametrize("thing", [
    os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink(path.parent / "victim", path),
    lambda path: os.symlink(path.parent / "nothing", path)], ids=["pipe", "folder", "link to a device", "link to a file", "link to nothing"])
@pytest.mark.parametrize("name", ["state", "lock"])
def test_what_was_put_in_the_place_of_its_files_is_left_alone(tmp_path, name, thing):
    """As root it would overwrite whatever a link leads to."""
    install(tmp_path)
    (tmp_path / "victim").write_text("{}")
    (tmp_path / "victim").chmod(0o600)
    thing(tmp_path / name)
    places = {key: str(tmp_path / key) for key in ("lock", "mark", "state")}
    (tmp_path / "config.json").write_text(json.dumps({"vm_name": "web-03", "endpoint": "http://127.0.0.1:9", **places}))
    command = [sys.executable, "-sE", str(tmp_path / "watch_events.py"), "--config", str(tmp_path / "config.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == (1 if name == "state" else 2) and str(tmp_path / name) in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "victim").read_text() == "{}" and (tmp_path / "victim").stat().st_mode & 0o777 == 0o600 and not (tmp_path / "nothing").exists()


def test_a_state_that_is_a_link_stops_the_pass_before_anything_is_drained(machine):
    os.symlink(machine.folder / "victim", machine.folder / "state")
    machine.event()
    for content in (None, "{}"):
        if content:
            (machine.folder / "victim").write_text(content)
        with pytest.raises(ValueError, match="state cannot be read .it is a symbolic link"):
            machine.passes()
    assert machine.ran == [] and (machine.folder / "victim").read_text() == "{}"


def test_systemd_takes_the_units(tmp_path):
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    values = {"watch_events_python": sys.executable, "watch_events_dir": "/usr/local/lib/azure_maintenance",
              "watch_events_config": "/etc/azure_maintenance/watch_events.json", "watch_events_interval": 5}
    for kind in ("service", "timer"):
        template = jinja2.Template((ROLE / "templates" / f"azure-maintenance-watch.{kind}.j2").read_text(), keep_trailing_newline=True)
        (tmp_path / f"azure-maintenance-watch.{kind}").write_text(template.render(values))
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run([tool, "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "azure-maintenance-watch" in line]
    assert not ours, ours
    (tmp_path / "azure-maintenance-watch.timer").write_text(Path(units[1]).read_text().replace("OnBootSec=5", "OnBootSec=soon"))
    broken = subprocess.run([tool, "verify", *units], capture_output=True, text=True, check=False)
    assert "azure-maintenance-watch" in broken.stdout + broken.stderr, "systemd-analyze would have passed anything"
