# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify observes on Windows: the script as text (no Windows is at hand), and the task file with a stand-in for win_powershell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell
import yaml

ROLE = Path(__file__).resolve().parents[3] / "roles" / "verify"
SCRIPT = (ROLE / "files" / "observe_windows.ps1").read_text(encoding="utf-8").rstrip()
READ, _LOST, TAKE = yaml.safe_load((ROLE / "tasks" / "observe_windows.yml").read_text(encoding="utf-8"))
READING = {"Get-CimInstance", "Get-Item", "Get-StoppedService", "Test-Path", "Where-Object", "ForEach-Object", "Start-Sleep"}

# Answers with what the environment says, one answer after the other, and notes what it was given in the file that the environment names.
STAND_IN = """
import json, os
from ansible.module_utils.basic import AnsibleModule
names = dict.fromkeys(["script", "error_action", "host", "port", "timeout"], dict(type="raw"))
module = AnsibleModule(argument_spec=dict(names, parameters=dict(type="dict"), argv=dict(type="list")), supports_check_mode=True)
with open(os.environ["CALLS"], "a+") as calls:
    calls.seek(0)
    answers = json.loads(os.environ["ANSWERS"])
    turn = sum(1 for call in calls if json.loads(call)["script"])
    given = {name: value for name, value in module.params.items() if value is not None}
    calls.write(json.dumps(dict(given, script=given.get("script"), check_mode=module.check_mode)) + "\\n")
module.exit_json(changed=False, result=answers[min(turn, len(answers) - 1)])
"""
ANSWER = {"boot": "2026-03-02T10:00:00Z", "stopped": ["MSSQLSERVER"], "drive": True, "running": ["W3SVC"], "missing": ["Spooler"], "listening": [443]}
HOSTS = {
    "first": {"verify_services": ["Spooler"], "drain_provider": ["services"], "drain_services": ["W3SVC"], "verify_ports": [443, 80],
              "ansible_host": "10.0.0.4"},
    "same": {"verify_boot_id_before": "2026-03-02T10:00:00Z", "drain_provider": "haproxy", "drain_services": ["W3SVC"]},
    "corrected": {"verify_boot_id_before": "2026-03-02T09:58:30Z", "verify_temp_disk": "e:\\"},
    "back": {"verify_boot_id_before": "2026-02-01T06:00:00Z", "verify_before": {"failed_units": ["MSSQLSERVER"]}, "verify_port_timeout": 7,
             "verify_temp_disk": ""},
}


def nodes(node: tree_sitter.Node):
    yield node
    for child in node.children:
        yield from nodes(child)


@pytest.fixture(scope="module")
def tree() -> list[tree_sitter.Node]:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    return list(nodes(parser.parse(SCRIPT.encode()).root_node))


def play(folder: Path, entry: str, hosts: dict[str, dict], *arguments: str) -> tuple[subprocess.CompletedProcess, dict[str, dict]]:
    """Run a task file of the role with stand-ins for ansible.windows, which give each host its `answers`; the run, and by host its facts and the
    calls of the modules."""
    modules = folder / "collections/ansible_collections/ansible/windows/plugins/modules"
    modules.mkdir(parents=True)
    for name in ("win_powershell", "win_wait_for", "win_command"):
        (modules / f"{name}.py").write_text(STAND_IN, encoding="utf-8")
    facts = {name: f"{{{{ {name} | default(none) }}}}" for name in TAKE["ansible.builtin.set_fact"]}
    tasks = [
        {"ansible.builtin.include_role": {"name": "fleetops.azure_maintenance.verify", "tasks_from": entry}},
        {"ansible.builtin.debug": {"msg": "TOLD {{ inventory_hostname }} {{ found | to_json }}"}, "vars": {"found": facts}},
    ]
    environment = {"ANSWERS": "{{ answers | to_json }}", "CALLS": f"{folder}/{{{{ inventory_hostname }}}}.calls"}
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "environment": environment, "tasks": tasks}]), encoding="utf-8")
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": variables}}), encoding="utf-8")
    env = {**{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}, "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "play.yml", *arguments]
    run = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    words = [json.loads(text).split(" ", 2) for text in re.findall(r'"msg": ("TOLD .*")$', run.stdout, re.MULTILINE)]
    told = {host: json.loads(facts) for dummy, host, facts in words}
    found = {}
    for host in hosts:
        calls = folder / f"{host}.calls"
        found[host] = {**told.get(host, {}), "calls": [json.loads(line) for line in calls.read_text(encoding="utf-8").splitlines()] if calls.exists() else []}
    return run, found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What observing gave, in check mode."""
    hosts = {name: {**variables, "answers": [ANSWER]} for name, variables in HOSTS.items()}
    run, found = play(tmp_path_factory.mktemp("windows"), "observe_windows", hosts, "--check")
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    return found


def test_the_script_is_powershell(tree):
    assert [node.start_point for node in tree if node.is_error or node.is_missing] == []


def test_the_script_only_reads(tree):
    commands = {node.text.decode() for node in tree if node.type == "command_name"}
    written = {node.children[0].text.decode() for node in tree if node.type == "assignment_expression"}
    assert commands <= READING and {"Get-CimInstance", "Test-Path"} <= commands
    assert {name for name in written if not re.fullmatch(r"\$\w+", name)} == {"$Ansible.Changed", "$Ansible.Result"}


def test_parameters_and_answer_are_those_of_the_task():
    names = re.findall(r"^    \[[\w\[\]]+\]\$(\w+) =", SCRIPT, re.MULTILINE)
    assert sorted(READ["ansible.windows.win_powershell"]["parameters"]) == sorted(names)
    answer = re.findall(r"^    (\w+) = ", SCRIPT.partition("$Ansible.Result = @{")[2], re.MULTILINE)
    assert sorted(answer) == sorted(set(re.findall(r"__verify_seen\.result\.(\w+)", yaml.safe_dump(TAKE, width=1000)))) == sorted(ANSWER)


def test_one_call_gets_the_whole_script_and_the_facts_are_its_answer(seen):
    first = seen["first"]
    (call,) = first["calls"]
    assert call["script"] == SCRIPT and call["error_action"] == "stop" and not call["check_mode"], "it would be skipped in check mode"
    assert call["parameters"] == {
        "Drive": "D:", "Services": ["Spooler", "W3SVC"], "Ports": [443, 80], "Address": "10.0.0.4", "Known": [], "Patience": 0,
    }
    assert (first["__verify_boot_id"], first["__verify_failed_units"], first["__verify_temp_disks"]) == (
        ANSWER["boot"], ["MSSQLSERVER"], [{"mount": "/mnt", "local": False}])
    assert (first["__verify_running"], first["__verify_missing"], first["__verify_listening"]) == (["W3SVC"], ["Spooler"], [443])


def test_services_that_this_host_does_not_drain_are_not_looked_at(seen):
    (call,) = seen["same"]["calls"]
    assert call["parameters"]["Services"] == []


def test_a_corrected_clock_is_no_other_boot_but_a_redeploy_is(seen):
    assert {host: seen[host]["__verify_boot_id"] == HOSTS[host].get("verify_boot_id_before") for host in HOSTS} == {
        "first": False, "same": True, "corrected": True, "back": False,
    }
    assert seen["back"]["__verify_boot_id"] == ANSWER["boot"]


def test_after_a_redeploy_it_waits_for_services_that_ran_before(seen):
    back = seen["back"]["calls"][0]["parameters"]
    assert (back["Known"], back["Patience"], back["Drive"]) == (["MSSQLSERVER"], 7, "")
    assert seen["corrected"]["calls"][0]["parameters"]["Drive"] == "e:"


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess, dict[str, dict]]:
    """Two hosts are probed: on `web` the service comes back, on `lost` it does not."""
    before = {"verify_before": {"running": ["W3SVC"]}, "verify_services": ["W3SVC"]}
    web = {"verify_services": ["W3SVC", "Spooler"], "verify_port_timeout": 3, "verify_ports": [443, 80], "__verify_listening": [443],
           "verify_address": "10.0.0.4", "verify_commands": ["site check"], "answers": [{"running": []}, {"running": ["W3SVC"]}]}
    lost = {"verify_port_timeout": 1, "answers": [{"running": []}]}
    return play(tmp_path_factory.mktemp("probed"), "probes_windows", {"web": {**before, **web}, "lost": {**before, **lost}})


def test_probes_wait_for_what_ran_before_and_ask_only_for_what_is_not_known(probed):
    run, found = probed
    assert "failed=0" in re.search(r"^web +: (.*)$", run.stdout, re.MULTILINE)[1], run.stdout
    services, ports, commands = ([call for call in found["web"]["calls"] if key in call and call[key]] for key in ("script", "port", "argv"))
    assert [call["parameters"] for call in services] == [{"Services": ["W3SVC"]}] * 2, "the one that did not run before is not asked for"
    assert [(call["host"], call["port"], call["timeout"]) for call in ports] == [("10.0.0.4", 80, 3)]
    assert [call["argv"] for call in commands] == [["site", "check"]]


def test_a_service_that_does_not_come_back_fails_the_host(probed):
    run, found = probed
    assert run.returncode == 2 and "failed=1" in re.search(r"^lost +: (.*)$", run.stdout, re.MULTILINE)[1]
    assert "Wait for the services that ran before" in run.stdout and len(found["lost"]["calls"]) == 2


NAMES = [("ssh", None, False), ("local", "sh", False), ("ansible.builtin.ssh", "ansible.builtin.sh", False), ("community.general.lxc", "", False),
         ("winrm", None, True), ("psrp", None, True), ("ansible.builtin.winrm", None, True), ("ansible.builtin.psrp", None, True),
         ("ssh", "powershell", True), ("ssh", "cmd", True), ("ansible.builtin.ssh", "ansible.builtin.powershell", True), ("ssh", "ansible.builtin.cmd", True)]


def test_connections_and_shells_are_known_by_short_and_by_full_names(tmp_path):
    hosts = {f"h{at}": {"ansible_connection": connection, **({} if shell is None else {"ansible_shell_type": shell})}
             for at, (connection, shell, _windows) in enumerate(NAMES)}
    tasks = [*({"ansible.builtin.include_vars": str(ROLE.parent / role / "vars" / "main.yml")} for role in ("verify", "drain")),
             {"ansible.builtin.debug": {"msg": "FOUND {{ inventory_hostname }} {{ __verify_windows }} {{ __drain_windows }}"}}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
    env = {**{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}, "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}
    run = subprocess.run([str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "play.yml"], cwd=tmp_path, env=env,
                         capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = dict(re.findall(r"FOUND (h\d+) (\w+ \w+)", run.stdout))
    assert found == {f"h{at}": f"{windows} {windows}" for at, (_connection, _shell, windows) in enumerate(NAMES)}, run.stdout + run.stderr
