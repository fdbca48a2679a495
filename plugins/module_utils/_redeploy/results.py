# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a redeploy tells: one result per VM, of one shape on every path, from the first moment on."""

from __future__ import annotations

import typing as t

from .._arm.client import Arm, PostResult
from .._azure.maintenance import format_time, parse_time
from .._azure.vm import Vm, VmId
from .outcome import advise, fold

_NAMED = 5


class Results:
    """Results by VM key. ``before`` holds the VMs as they were last read before a start."""

    def __init__(self, arm: Arm, vms: t.Sequence[str], operation: str) -> None:
        self._arm, self._given, self._operation = arm, list(vms), operation
        self.ids = {VmId.parse(text).key: VmId.parse(text) for text in vms}
        self._text = {VmId.parse(text).key: text for text in vms}
        self.before: dict[str, Vm] = {}
        self.attempts = dict.fromkeys(self.ids, 0)
        """Starts sent in this call, by VM key."""
        self._results: dict[str, dict[str, t.Any]] = {}
        self._remarks: dict[str, list[str]] = {}
        self._alarms: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._results

    def __getitem__(self, key: str) -> dict[str, t.Any]:
        return self._results[key]

    def settle(self, key: str, outcome: str, reason: str, attempt: t.Mapping[str, t.Any] | None = None, answer: PostResult | None = None) -> None:
        """The outcome of a VM for now."""
        vm, attempt, now = self.before.get(key), attempt or {}, self._arm.now()
        state = vm.state(now) if vm else None
        code = answer.code if answer and answer.kind != "accepted" else None
        self._results[key] = {
            "id": self._text[key], "name": vm.name if vm else self.ids[key].name, "outcome": outcome, "reason": reason,
            "advice": advise(outcome, code, vm.status if vm else None, now), "operation": self._operation, "code": code,
            "availability_set": vm.availability_set if vm else None, "scale_set": vm.scale_set if vm else None,
            "update_domain": vm.update_domain if vm else None, "state_before": state, "state_after": state, "attempts": 0,
            "started_at": attempt.get("intent_at"), "ended_at": None, "elapsed_seconds": None,
            "client_request_id": attempt.get("client_request_id"), "request_id": answer.request_id if answer else None,
            "before": vm.to_record(now) if vm else None, "after": None,
        }

    def amend(self, key: str, outcome: str, reason: str, code: str | None = None) -> None:
        """Another outcome for a VM whose result already tells of its attempt."""
        result, vm = self._results[key], self.before.get(key)
        advice = advise(outcome, code, vm.status if vm else None, self._arm.now())
        result.update(outcome=outcome, reason=reason, code=code, advice=advice)

    def add(self, key: str, words: str) -> None:
        """More words to the reason."""
        self._results[key]["reason"] += f"; {words}"

    def remark(self, key: str, words: str, loud: bool) -> None:
        """Words that the reason ends with, whatever becomes of the VM; ``loud`` ones fail the call and are a warning."""
        self._remarks.setdefault(key, []).append(words)
        if loud:
            self._alarms.append(f"{self._results[key]['name']}: {words}")

    def seen(self, key: str, after: Vm | None, final: bool) -> None:
        """How the VM is now, and with ``final`` that its attempt has ended."""
        result, now = self._results[key], self._arm.now()
        if final:
            elapsed = (now - parse_time(result["started_at"])).total_seconds()
            result.update(ended_at=format_time(now), elapsed_seconds=int(elapsed))
        if after is not None:
            advice = advise(result["outcome"], result["code"], after.status, now)
            result.update(state_after=after.state(now), after=after.to_record(now), advice=advice)

    def fold(self, changed: bool) -> dict[str, t.Any]:
        """The module result, keyed by the ids as they were given."""
        told = {key: {**result, "attempts": self.attempts[key], "reason": "; ".join([result["reason"], *self._remarks.get(key, ())])}
                for key, result in self._results.items()}
        folded = fold({text: {**told[VmId.parse(text).key], "id": text} for text in self._given}, changed)
        if not self._alarms:
            return folded
        return {**folded, "failed": True, "warnings": list(self._alarms), "msg": "; ".join([*self._alarms[:_NAMED], folded["msg"]])}


def refusal_words(answer: PostResult) -> str:
    """Azure's refusal of a start, for a reason."""
    status = f"HTTP {answer.status} " if answer.status else ""
    return f"Azure refused it ({status}{answer.code}): {answer.message}"
