# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in which every host meets a trouble of its own, named after it; and what is seen of the guests after a run."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from integration import cloud as clouds
from integration.cli import Project, Run
from integration.cloud import MARK, Cloud

SINGLE = ("busy-up", "busy-down", "going-on", "ports", "unstoppable", "own-tasks", "packing", "aborted", "unproven", "archiveless", "fallen", "slow",
          "cut-off", "stayed", "untold", "unheard")
"""Guests that are in no set."""
DUE = (*SINGLE, "away", "mate")
"""All guests that are to be redeployed; the last two are of one set."""
BALANCERS = {"lb-2": ["untold"], "lb-3": ["unheard"], "lb-1": [name for name in DUE if name not in ("untold", "unheard")]}
FOLDER = "/srv/azure_maintenance"
SOCKET = "/run/haproxy/admin.sock"
BROKEN_START = """echo '[ "$1" != start ] || exit 1' >> /etc/default/web"""
KEEPING = {"drain_provider": ["haproxy", "services", "temp_disk"], "drain_temp_disk_folder": FOLDER}
_FIRST_ADDRESS = 200


def fleet() -> dict[str, Any]:
    """Single VMs, a set of two guests in two domains, and one without guests of which a member is down; a balancer for most, and one for each of two."""
    data = clouds.fleet(guests=False)
    names = [*DUE, *BALANCERS]
    addresses = {name: f"{clouds.NET}.{_FIRST_ADDRESS + number}" for number, name in enumerate(names)}
    vms: list[dict[str, Any]] = [{"name": name, "addresses": {"private": addresses[name]}, "guest": {"services": ["web"]}} for name in DUE]
    vms[-2] |= {"availability_set": "pair", "update_domain": 0}
    vms[-1] |= {"availability_set": "pair", "update_domain": 1}
    for balancer, behind in BALANCERS.items():
        servers = {name: f"{addresses[name]}:8080" for name in behind}
        vms.append({"name": balancer, "wave": None, "addresses": {"private": addresses[balancer]},
                    "guest": {"balancer": {"port": 8080, "backends": {"web": {"servers": servers}}}}})
    vms += [{"name": "held-1", "availability_set": "held", "guest": None}, {"name": "held-2", "availability_set": "held", "power": "stopped", "guest": None}]
    sets = [{"name": name, "resource_group": "shop", "region": "westeurope", "update_domains": 2} for name in ("pair", "held")]
    return {**data, "vms": vms, "availability_sets": sets}


def variables(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """What all have in common."""
    ours = clouds.variables(cloud.guests)
    return {"all": {**ours["all"], **ours["availability_set_shop_web"]}}


def wrong_from_the_start(project: Project) -> list[str]:
    """Host variables of which each is refused before anything is touched; the hosts concerned, and one with which all is well."""
    only = {"drain_provider": ["temp_disk"]}
    found = {
        "away": {"ansible_port": 1, "verify_timeout": 3},
        "unproven": {},  # there are files on its temporary disk
        "going-on": {**only, "drain_temp_disk_mount": "/srv"},  # and this is no consent for /mnt
        "slow": {**only, "drain_temp_disk_mount": "/srv"},  # there are none here
        "archiveless": {**only, "drain_temp_disk_folder": "/mnt/keep"},
        "packing": {**only, "drain_temp_disk_folder": "/run/archive", "drain_temp_disk_keep": "controller"},
        "aborted": {**KEEPING, "drain_provder": ["tasks"]},
        "untold": {"drain_haproxy_hosts": ["lb-2"]},  # of whose backend it is the only server
    }
    for name, values in found.items():
        project.write(f"host_vars/{name}.yml", values)
    return [*found, "ports"]


def troubles(project: Project) -> None:
    """Host variables of the run in which every host meets its trouble. One of them is probed for the absence of a file `broken`, which is there."""
    files = {
        "fail": [{"name": "Fail", "ansible.builtin.command": "false"}],
        "undo": [{"name": "Say it", "ansible.builtin.debug": {"msg": "undone after all"}}],
        "nothing": [{"name": "Nothing to undo", "ansible.builtin.debug": {"msg": "restored"}}],
        "write": [{"name": "Write once more", "ansible.builtin.shell": "echo later > /mnt/cache/a/file"}],
        "lose": [{"name": "Lose the archive", "ansible.builtin.shell": f"mkdir /srv/lost && mv {FOLDER}/*.gz /srv/lost"}],
        "probe": [{"name": "Ask the application", "ansible.builtin.command": f"test ! -e {project.write('broken', '')}", "changed_when": False,
                   "delegate_to": "localhost"}],
    }
    paths = {name: [str(project.write(f"files/{name}.yml", tasks))] for name, tasks in files.items()}
    busy = {"drain_provider": ["haproxy"], "drain_timeout": 3}
    then_tasks = {**KEEPING, "drain_provider": [*KEEPING["drain_provider"], "tasks"], "drain_restore_tasks": paths["nothing"]}
    for name, values in {
        "busy-up": busy, "busy-down": busy,
        "going-on": {**KEEPING, "drain_provider": ["haproxy", "temp_disk"], "drain_timeout": 6, "drain_on_timeout": "continue"},
        "ports": {"drain_timeout": 3},
        "own-tasks": {"drain_provider": ["haproxy", "services", "tasks"], "drain_tasks": paths["fail"], "drain_restore_tasks": paths["undo"]},
        "packing": {**KEEPING, "drain_temp_disk_keep": "controller", "drain_timeout": 1, "drain_on_timeout": "continue"},
        "aborted": {**then_tasks, "drain_temp_disk_folder": "/run/azure_maintenance", "drain_temp_disk_keep": "controller", "drain_tasks": paths["write"]},
        "unproven": {**KEEPING, "verify_tasks": paths["probe"]},
        "archiveless": {**then_tasks, "drain_tasks": paths["lose"]},
        "cut-off": {"verify_commands": [["pkill", "-KILL", "sshd"]]},
        "slow": {}, "untold": {"drain_haproxy_hosts": ["lb-2"], "drain_haproxy_allow_last": ["web"]},
        "unheard": {"drain_haproxy_hosts": ["lb-3"], "drain_haproxy_allow_last": ["web"]},
    }.items():
        project.write(f"host_vars/{name}.yml", values)


def hooks(project: Project) -> dict[str, Any]:
    """Variables: balancers that lose their socket before the drain of one host and before the restore of another."""

    def socket(balancer: str, move: str, host: str) -> list[dict[str, Any]]:
        return [{"name": "Change the balancer", "ansible.builtin.shell": move, "delegate_to": balancer, "when": f"inventory_hostname == '{host}'"}]

    gone, back = f"mv {SOCKET} {SOCKET}.gone", f"mv {SOCKET}.gone {SOCKET}"
    files = {"before": socket("lb-2", gone, "untold"), "after": socket("lb-3", gone, "unheard"), "failed": socket("lb-2", back, "untold")}
    paths = {name: str(project.write(f"files/{name}-hook.yml", tasks)) for name, tasks in files.items()}
    return {"rollout_hooks_before_drain": [paths["before"]], "rollout_hooks_after_verify": paths["after"],  # a single hook need not be a list
            "rollout_hooks_on_failure": [paths["failed"]]}


def pause(project: Project) -> dict[str, Any]:
    """Variables: before a wave the file `begun` appears, and `go` is waited for."""
    here = {"delegate_to": "localhost", "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}}
    tasks = [{"name": "Say that it begins", "ansible.builtin.file": {"path": f"{project.folder}/begun", "state": "touch", "mode": "0600"}, **here},
             {"name": "Wait for the users", "ansible.builtin.wait_for": {"path": f"{project.folder}/go", "timeout": 100}, **here}]
    return {"rollout_hooks_before_wave": [str(project.write("files/pause.yml", tasks))]}


def fill(cloud: Cloud, name: str) -> None:
    """Put files on a temporary disk."""
    cloud.ssh(name, f"mkdir -p /mnt/cache/a && echo of-{name} > /mnt/cache/a/file && chmod 640 /mnt/cache/a/file && ln -sf a/file /mnt/cache/link")


@dataclass(frozen=True)
class Guest:
    """A guest as it is seen; `content` is what a link on its temporary disk leads to, and the mode of that file."""

    boot_id: str
    marked: bool
    serves: bool
    archives: str
    content: str


_LOOK = f"""cat /proc/sys/kernel/random/boot_id; test -e {MARK} && echo yes || echo no; service web status >/dev/null && echo yes || echo no
echo $(find {FOLDER} /run/azure_maintenance -type f 2>/dev/null); echo $(cat /mnt/cache/link 2>/dev/null && stat -c %a /mnt/cache/a/file || echo nothing)"""


def _look(cloud: Cloud, name: str) -> Guest:
    boot_id, marked, serves, archives, content = (cloud.ssh(name, _LOOK) + "\n").split("\n")[:5]
    return Guest(boot_id, marked == "yes", serves == "yes", archives, content)


@dataclass(frozen=True, repr=False)
class Seen:
    """All that there is to see after a run."""

    run: Run
    guests: dict[str, Guest]
    servers: dict[str, str]
    posts: dict[str, int]
    marks: list[str]
    copies: list[str]
    report: dict[str, Any]

    def lost(self, host: str) -> str:
        """The line about a lost host."""
        found = [line for line in self.run.out.splitlines() if f"FAILED {host} " in line or f"FAILED {host}:" in line]
        assert len(found) == 1, f"{host}: {found}\n{self.run.out[-6000:]}"
        return found[0]

    def in_service(self, host: str) -> bool:
        """Up, with traffic and without a mark of anybody."""
        return self.servers[host] == "UP" and self.guests[host].serves and not self.guests[host].marked and host not in self.marks


def look(cloud: Cloud, project: Project, run: Run, unreachable: tuple[str, ...] = ()) -> Seen:
    """See everything after a run, on all guests but those."""
    names = [name for name in DUE if name not in unreachable]
    with ThreadPoolExecutor(4) as pool:
        guests = dict(zip(names, pool.map(lambda name: _look(cloud, name), names), strict=True))
    servers: dict[str, str] = {}
    for balancer in BALANCERS:
        servers |= cloud.backends(balancer) if _tells(cloud, balancer) else {}
    report = project.journal / "report.json"
    copies = [path.name for path in project.journal.glob("temp_disks/*")]
    return Seen(run, guests, servers, cloud.posts(), project.marks(), copies, json.loads(report.read_text(encoding="utf-8")) if report.exists() else {})


def _tells(cloud: Cloud, balancer: str) -> bool:
    return cloud.ssh(balancer, f"test -e {SOCKET} && echo yes || echo no") == "yes"
