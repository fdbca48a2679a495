# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides, by the run log, whether a wave may begin, a host may be drained, and whether it may be started."""

from __future__ import annotations

import math
import os
import time

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_state import drain_refusal, start_gate, wave_gate
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._run.rollout_action import RolloutAction


class ActionModule(RolloutAction):
    """See the documentation of the module."""

    _VALID_ARGS = frozenset(("before", "stop_file", "partial_wave", "marked"))

    def act(self, options):
        gates = {"wave": self._wave, "drain": self._drain, "start": self._start}
        if options.get("before") not in gates:
            raise AnsibleActionFail(f"before is {options.get('before')!r}; it must be one of {', '.join(gates)}")
        return gates[options["before"]](options)

    def _wave(self, options):
        state, unreachable, path = self.state(), set(self.unreachable), options.get("stop_file")
        gate = wave_gate(state, self.wave, set(self.batch), time.time(), path if path and os.path.isfile(path) else None)
        vms = {host.name: host.vm_id for host in state.hosts}
        failed = {host.name for host in state.failed(unreachable)}
        lost = {host.vm_id for host in state.out_of_service(self.wave, unreachable)} | set(self._vms(options.get("marked") or (), vms))
        return {"members": list(gate.members), "stop": gate.stop, "advice": gate.advice, "soak_seconds": math.ceil(gate.soak_seconds),
                "going": {name: vms[name] for name in self.batch if name in vms and name not in failed},
                "lost": sorted(lost), "failed_vms": sorted(vms[name] for name in failed)}

    def _vms(self, names, vms):
        """The VMs of hosts with a drain marker; of those that this run did not plan as the inventory says, where it says so."""
        for name in names:
            known = name in self._variables["hostvars"]
            vm_id = vms.get(name) or (self._variables["hostvars"][name].get("azure_vm_id") if known else None)
            if vm_id:
                yield str(vm_id)

    def _drain(self, dummy):
        refusal = drain_refusal(self.state(), self.host, self.wave)
        if refusal:
            return {"failed": True, "msg": refusal}
        self.folder.record("draining", self.host, wave=self.wave)
        return {}

    def _start(self, options):
        gate = start_gate(self.state(), self.host, self.batch, boolean(options.get("partial_wave"), strict=False))
        if gate.refusal:
            return {"failed": True, "msg": gate.refusal}
        self.folder.record("starting", self.host, wave=self.wave)
        return {"going": list(gate.going)}
