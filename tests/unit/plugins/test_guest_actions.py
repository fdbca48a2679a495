# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that run on hosts: one that breaks off says why, and a host that is lost is one failure, which rescue sees."""

from __future__ import annotations

import pytest
from unit.plugins.mark_controller import Controller, Play

from ansible_collections.fleetops.azure_maintenance.plugins.filter.failure_words import failure_words
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.guest_action import explained

NO_JSON = "MODULE FAILURE: No start of json char found\nSee stdout/stderr for the exact error"
TRACE = "Traceback (most recent call last):\n  File \"<stdin>\", line 1, in <module>\nOSError: [Errno 28] No space left on device\n"
SAYS = [
    ({"module_stderr": "/bin/sh: 1: /usr/bin/python3: not found\nand more\n", "rc": 127}, "(exit status 127): /bin/sh: 1: /usr/bin/python3: not found"),
    ({"module_stderr": TRACE, "module_stdout": "", "rc": 1}, "(exit status 1): OSError: [Errno 28] No space left on device"),
    ({"module_stderr": "Shared connection to 10.0.0.4 closed.\r\n", "module_stdout": "\r\nsudo: a password is required\r\n", "rc": 1},
     "(exit status 1): sudo: a password is required"),
    ({"module_stderr": "Warning: Permanently added '10.0.0.4' (ED25519) to the list of known hosts.\n\nKilled\n", "rc": 137}, "(exit status 137): Killed"),
    ({"module_stderr": "", "module_stdout": "", "rc": 0}, "(exit status 0): the host printed nothing"),
    ({"module_stderr": None, "module_stdout": "hello"}, "(exit status unknown): hello"),
    ({"module_stderr": "x" * 2000, "rc": 1}, "(exit status 1): " + "x" * 500),
]


@pytest.mark.parametrize("result, words", SAYS)
def test_a_module_without_an_answer_says_what_the_host_printed(result, words):
    failed = {"failed": True, "msg": NO_JSON, "exception": "(traceback unavailable)", **result}
    told = explained(failed, "fleetops.azure_maintenance.guest_info")
    assert told["msg"] == f"guest_info gave no answer {words}" and told["failed"] and "exception" not in told
    assert failure_words(failed, {"action": "ansible.builtin.service"}) == f"service gave no answer {words}"


@pytest.mark.parametrize("result", [
    {"failed": True, "msg": "the boot id cannot be read", "exception": "kept"}, {"failed": False, "changed": True}, {"module_stdout": "x"}, {}])
def test_an_answer_stays_what_it_is(result):
    assert explained(dict(result), "m") == result
    assert failure_words({"msg": "as it is"}) == "as it is"


ON_HOSTS = [("guest_info", {}), ("maintenance_mark", {"run_id": "one", "undo": []}), ("scheduled_events_info", {}), ("scheduled_events_approve", {})]
ON_BALANCERS = [("maintenance_mark", {"run_id": "one", "haproxy": {"host": "here", "server": "here"}}), ("balancer_info", {"backends": ["web"]})]
MODULES = {f"{name}_on_{place}": (name, place, arguments) for place, modules in (("host", ON_HOSTS), ("balancer", ON_BALANCERS)) for name, arguments in modules}


def test_through_ansible_for_every_module_of_hosts(tmp_path):
    """With a Python that breaks off, and on a host that is lost; every task after the first is still run."""
    controller = Controller(tmp_path)
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{TRACE}END\nexit 1\n")
    broken.chmod(0o755)
    python = {"vars": {"ansible_python_interpreter": str(broken)}}
    tasks = [(key, {f"fleetops.azure_maintenance.{name}": arguments, **python}) for key, (name, dummy, arguments) in MODULES.items()]
    answers = controller.run("broken", {"broken": Play(tasks, "here:lost")})["broken"]
    for key, (name, place, dummy) in MODULES.items():
        here, lost = answers["here"][key], answers["lost"][key]
        assert here["failed"] and here["msg"] == f"{name} gave no answer (exit status 1): OSError: [Errno 28] No space left on device", here
        assert "No start of json" not in str(here.get("exception", "")) and not lost.get("unreachable")
        assert lost["failed"] and lost["msg"].startswith(f"the {place} cannot be reached: "), lost
