# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates and events of a run through ansible-playbook: what is written, what is decided by it, and that check mode leaves no file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_log import parse
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_state import NOT_ADMITTED

OURS = "fleetops.azure_maintenance."
PLAN = {"policy": {"soak_minutes": 0}, "waves": [{"number": 1, "lane": 1, "vms": [
    {"host": name, "name": name, "id": f"/vms/{name}", "set": None, "service": None, "zone": None, "update_domain": None, "region": "x", "canary": False}
    for name in ("web-1", "web-2")]}]}
INVENTORY = {"all": {"hosts": {"web-1": {}, "web-2": {}, "other": {}}, "vars": {"ansible_connection": "local"}}}


def task(name, action, **options):
    return {"name": name, f"{OURS}{action}": options, "register": name, "ignore_errors": True}


BEGIN = [{"name": "begin", "run_once": True, "register": "begin",
          f"{OURS}rollout_event": {"event": "planned", "plan": PLAN, "run_id": "one", "runs_dir": "runs"}},
         {"name": "queue", "ansible.builtin.add_host": {"name": "{{ item.host }}", "groups": ["rollout"], "rollout_wave": "{{ item.wave }}",
                                                        "rollout_run_id": "one", "rollout_run_dir": "{{ begin.run_dir }}"}, "loop": "{{ begin.hosts }}"}]
WAVE = [task("too_early", "rollout_gate", before="drain"), task("prepared", "rollout_event", event="prepared"),
        {**task("wave", "rollout_gate", before="wave", stop_file="stop"), "run_once": True}, task("admitted", "rollout_event", event="admitted"),
        task("drain", "rollout_gate", before="drain"), {**task("drained", "rollout_event", event="drained"), "when": "inventory_hostname == 'web-1'"},
        task("start", "rollout_gate", before="start"), task("partly", "rollout_gate", before="start", partial_wave="yes"),
        {**task("lost", "rollout_event", event="left_drained", reason="no", left="DRAINED", evidence={"result": {"outcome": "failed"}}),
         "when": "inventory_hostname == 'web-2'"},
        task("told", "rollout_info", point="after_wave", command="plan it")]


@pytest.fixture
def play(tmp_path: Path):
    """Runs plays; what each task of them answered, by name of the task and host."""
    (tmp_path / "inventory.json").write_text(json.dumps(INVENTORY))

    def run(*plays, arguments=()):
        environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "HOME": str(tmp_path)}
        names = sorted({one["register"] for hosts, tasks in plays for one in tasks if "register" in one})
        content = "{{ {" + ", ".join(f"'{name}': {name} | default(none)" for name in names) + "} | to_json }}"
        tell = {"name": "Tell", "ansible.builtin.copy": {"dest": str(tmp_path / "told-{{ inventory_hostname }}"), "mode": "0600", "content": content},
                "check_mode": False, "delegate_to": "localhost"}
        (tmp_path / "book.yml").write_text(json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": tasks} for hosts, tasks in [*plays, ("all", [tell])]]))
        done = subprocess.run([str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory.json", "book.yml", *arguments], cwd=tmp_path,
                              env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return {path.name.removeprefix("told-"): json.loads(path.read_text()) for path in tmp_path.glob("told-*")}

    return run


@pytest.mark.parametrize("check", [False, True])
def test_a_wave_by_its_events(play, tmp_path, check):
    told = play(("all", BEGIN), ("rollout", WAVE), arguments=["--check"] if check else [])
    one, two = told["web-1"], told["web-2"]
    assert one["too_early"]["failed"] and one["too_early"]["msg"] == NOT_ADMITTED
    assert (one["wave"]["members"], one["wave"]["stop"], one["wave"]["going"]) == (["web-1", "web-2"], None, {"web-1": "/vms/web-1", "web-2": "/vms/web-2"})
    assert one["admitted"]["event"] == "admitted" and not one["drain"].get("failed")
    assert one["start"]["msg"] == "not redeployed, because web-2 of its wave did not drain"
    assert one["partly"]["going"] == ["web-1"] and two["partly"]["failed"]
    assert two["lost"]["words"] == "web-2 (single VM): no -- left: DRAINED"
    assert (one["told"]["hook"]["lost"], one["told"]["hook"]["not_started"], one["told"]["concerned"]) == (["web-2"], ["web-1"], ["web-2", "web-1"])
    log = tmp_path / "runs/one/events.jsonl"
    assert log.exists() is not check and not list((tmp_path / "tmp").glob("*/runs"))
    if not check:
        events, damaged = parse(log.read_bytes())
        assert damaged == 0 and stat.S_IMODE(log.stat().st_mode) == 0o600 and stat.S_IMODE(log.parent.stat().st_mode) == 0o700
        assert [event.event for event in events if event.host == "web-1"] == ["prepared", "admitted", "draining", "drained", "starting"]
        assert [event.detail["result"] for event in events if event.event == "left_drained"] == [{"outcome": "failed"}]


def test_a_stop_is_said_with_what_is_not_started(play, tmp_path):
    (tmp_path / "stop").touch()
    stop = {**task("stop", "rollout_event", event="stopped", where="before wave 1", reason="{{ wave.stop }}", advice="{{ wave.advice }}", command="run it"),
            "run_once": True}
    gate = {**task("wave", "rollout_gate", before="wave", stop_file=str(tmp_path / "stop")), "run_once": True}
    told = play(("all", BEGIN), ("rollout", [WAVE[1], gate, stop]), ("other", [task("told", "rollout_info", point="after_run")]))
    words = f"STOPPED before wave 1: the stop file {tmp_path}/stop is there. Not started: web-1, web-2. Take it away and run again: run it"
    assert told["web-1"]["stop"]["words"] == words
    assert (told["other"]["told"]["rest"], told["other"]["told"]["hook"]["reason"]) == (words, words), "whoever speaks for the run"
    assert told["other"]["told"]["hook"]["run_id"] == "one"


def test_a_group_of_that_name_without_a_run_is_let_nowhere(play):
    named = {"name": "name", "ansible.builtin.add_host": {"name": "web-1", "groups": ["rollout"], "rollout_wave": 1, "rollout_run_id": "mine"}}
    told = play(("all", [named]), ("rollout", [task("drain", "rollout_gate", before="drain"), task("wave", "rollout_gate", before="wave")]))
    assert [told["web-1"][name]["msg"] for name in ("drain", "wave")] == [NOT_ADMITTED] * 2


@pytest.mark.parametrize("options, words", [({"event": "celebrated"}, "event is 'celebrated'; it must be one of planned"), ({}, "event is None")])
def test_an_event_that_there_is_none_of(play, options, words):
    told = play(("all", BEGIN), ("rollout", [task("event", "rollout_event", **options)]))
    assert words in told["web-1"]["event"]["msg"]
