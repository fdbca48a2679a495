# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The redeploy of a list of VMs: read, guard, start once, watch, tell. The heart of the collection.

Order of work, which is the safety of it: read every VM; settle what an earlier run left open; let every guard of every VM and
its whole set speak; only then post, each VM with its intent on disk first; then watch all operations against one deadline.
"""

from __future__ import annotations

import datetime as dt
import threading
import typing as t
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils import guards
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.arm import COMPUTE, Arm, PostResult
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.attempts import BUSY, MAINTENANCE, History, iteration_of
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AzureError, OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.journal import NOT_EXECUTED, Journal
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.live import LiveReader
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.maintenance import format_time, parse_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.operations import Clock, Patience, Watch, Watched
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.outcome import ADVICE, fold
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.vm import Vm, VmId

_WORKERS = 8
_THROTTLE_SECONDS = 60.0
_ACTIONS = {"perform_maintenance": "performMaintenance", "redeploy": "redeploy", "reapply": "reapply"}


@dataclass(frozen=True)
class Order:
    """What was asked for. ``vms`` are ids as the caller spelled them; ``since`` is the time of the mail for plain redeploys;
    without ``start`` the call only attaches to what is under way."""

    vms: t.Sequence[str]
    policy: guards.Policy
    since: dt.datetime | None = None
    start: bool = True
    wait: bool = True
    check: bool = False


class Redeploy:
    """One call of the module."""

    def __init__(self, arm: Arm, journal: Journal, clock: Clock, patience: Patience, order: Order) -> None:
        self._arm, self._journal, self._clock, self._patience, self._order = arm, journal, clock, patience, order
        self._operation = order.policy.operation
        self._live = LiveReader(arm)
        self._history = History(arm, journal, self._live, clock, patience, self._operation, order.since)
        self._ids = {VmId.parse(text).key: text for text in order.vms}
        self._before: dict[str, Vm] = {}
        self._watched: dict[str, Watched] = {}
        self._results: dict[str, dict[str, t.Any]] = {}
        self._posted: set[str] = set()
        self._throttled_until = 0.0
        self._lock = threading.Lock()

    def run(self) -> dict[str, t.Any]:
        """The module result: every VM's outcome keyed by the id the caller gave."""
        for key, vm in self._live.vms([VmId.parse(text) for text in self._ids.values()], addresses=True).items():
            if vm is None:
                self._settle(key, "refused", "there is no such VM; correct the id, or read the fleet again")
                continue
            self._before[key] = vm
            if not (self._order.check or self._journal.lock(vm.id) and (vm.set_id is None or self._journal.lock_set(vm.set_id))):
                self._settle(key, "refused", "another process of this controller is working on it or its set; wait for it to end")
        candidates = [vm for key, vm in self._before.items() if key not in self._results and not self._known_from_before(vm)]
        cleared = self._guard(self._fresh(candidates) if self._history.waited else candidates)
        if self._order.check or not self._order.start:
            for vm in cleared:
                self._settle(vm.id.key, "would_start", f"{self._operation} would be started")
        else:
            with ThreadPoolExecutor(_WORKERS) as pool:
                list(pool.map(self._start_safely, cleared))
        if self._order.wait and self._watched:
            self._watch()
        changed = bool(self._posted) or bool(self._order.check and cleared)
        return fold({text: {**self._results[VmId.parse(text).key], "id": text} for text in self._order.vms}, changed)

    def _known_from_before(self, vm: Vm) -> bool:
        """Deal with what an earlier run did to this VM; True when nothing may be started."""
        past = self._history.past(vm, self._order.policy.accept, self._order.check)
        if past is None:
            return False
        self._settle(vm.id.key, past.outcome, past.reason, past.attach)
        if past.attach and not self._order.check:
            self._attach(vm, past.attach)
        return True

    def _attach(self, vm: Vm, attempt: t.Mapping[str, t.Any]) -> None:
        window_start = parse_time(attempt["iteration"]) if self._operation == MAINTENANCE else None
        url = attempt.get("operation_url") or attempt.get("location_url")
        self._watched[vm.id.key] = Watched(vm.id, self._operation, window_start, url)

    def _fresh(self, vms: t.Sequence[Vm]) -> list[Vm]:
        """The same VMs as they are now, for settling an earlier attempt took its time."""
        for key, vm in self._live.vms([vm.id for vm in vms], addresses=True).items():
            if vm is None:
                self._settle(key, "refused", "the VM no longer exists")
            else:
                self._before[key] = vm
        return [self._before[vm.id.key] for vm in vms if vm.id.key not in self._results]

    def _guard(self, candidates: t.Sequence[Vm]) -> list[Vm]:
        """The VMs that every guard lets pass; the others get their outcome."""
        refusals = guards.check(candidates, self._live.sets_of(candidates), self._order.policy, self._arm.now())
        for key, refusal in refusals.items():
            self._settle(key, *refusal)
        return [vm for vm in candidates if vm.id.key not in refusals]

    # -- start ------------------------------------------------------------------------------------------------------

    def _start_safely(self, vm: Vm) -> None:
        """Start one VM; whatever goes wrong stays with this VM."""
        try:
            self._start(vm)
        except (AzureError, OptionsError) as error:
            if vm.id.key in self._posted:  # only its URL is not on disk; the intent is
                self._results[vm.id.key]["reason"] += f"; {error}"
            else:
                self._settle(vm.id.key, "refused", str(error))

    def _start(self, vm: Vm | None) -> None:
        """Intent, POST, and again only after a 429, which says that nothing was executed."""
        throttled: tuple[dict[str, t.Any], PostResult] | tuple[()] = ()
        while vm := self._sit_out_throttle(vm, *throttled):
            attempt = {"operation": self._operation, "iteration": iteration_of(vm, self._operation, self._order.since),
                       "client_request_id": str(uuid.uuid4()), "intent_at": format_time(self._arm.now()),
                       "code_before": vm.status.code if vm.status else None}
            self._journal.intend(vm.id, attempt)
            try:
                answer = self._arm.post(f"{vm.id}/{_ACTIONS[self._operation]}", COMPUTE, attempt["client_request_id"])
            except AzureError as error:  # signing in failed: nothing was sent
                self._history.forget(vm, attempt, NOT_EXECUTED, str(error))
                raise
            if answer.kind != "throttled":
                self._after_post(vm, attempt, answer)
                return
            self._history.forget(vm, attempt, NOT_EXECUTED, f"HTTP 429 {answer.code}")
            throttled = (attempt, answer)

    def _sit_out_throttle(self, vm: Vm, attempt: dict[str, t.Any] | None = None, answer: PostResult | None = None) -> Vm | None:
        """The VM once Azure may be asked again; after any wait as it is then and behind its guards, or None when it was settled."""
        now = self._clock.monotonic()
        pause = 0.0 if answer is None else _THROTTLE_SECONDS if answer.retry_after is None else answer.retry_after
        if answer and now + pause > self._patience.deadline:
            self._settle(vm.id.key, "refused", f"Azure throttles (HTTP 429, wait {pause:.0f} s) and the time limit comes first", attempt, answer)
            return None
        with self._lock:
            self._throttled_until = max(self._throttled_until, now + pause)
        waited = answer is not None
        while (rest := self._throttled_until - self._clock.monotonic()) > 0:
            self._clock.sleep(rest)
            waited = True
        return self._look_again(vm.id, attempt, answer) if waited else vm

    def _look_again(self, vm_id: VmId, attempt: dict[str, t.Any] | None, answer: PostResult | None) -> Vm | None:
        """The VM as it is now if its guards still let it pass, else None, settled."""
        fresh = self._live.vm(vm_id)
        if fresh is None:
            self._settle(vm_id.key, "refused", "the VM no longer exists", attempt, answer)
            return None
        # Members this very call has started move together with it: they count as down, but are no reason to hold it back.
        refusals = guards.check([fresh], self._live.sets_of([fresh]), self._order.policy, self._arm.now(), frozenset(self._posted))
        if refusals:
            self._settle(vm_id.key, *refusals[vm_id.key], attempt, answer)
        return None if refusals else fresh

    def _after_post(self, vm: Vm, attempt: dict[str, t.Any], answer: PostResult) -> None:
        key = vm.id.key
        if answer.kind == "refused":
            self._history.forget(vm, attempt, NOT_EXECUTED, f"{answer.code}: {answer.message}")
            self._settle(key, *self._classify_refusal(vm, answer), attempt, answer)
            return
        self._posted.add(key)
        urls = {"operation_url": answer.operation_url, "location_url": answer.location_url}
        self._attach(vm, {**attempt, **urls})
        if answer.kind == "accepted":
            self._settle(key, "started", "Azure accepted it", attempt, answer)
        else:
            self._settle(key, "unknown", f"no clear answer to the start (HTTP {answer.status}, {answer.code}: {answer.message})", attempt, answer)
        self._journal.note(vm.id, attempt["client_request_id"], **urls)

    def _classify_refusal(self, vm: Vm, answer: PostResult) -> tuple[str, str]:
        """By what the VM shows now, never by the message alone: one 409 code stands for many things."""
        said = f"Azure refused it (HTTP {answer.status} {answer.code}): {answer.message}"
        if str(answer.code).lower() == "toomanyvmredeploymentrequests":
            return "retry_later", said
        if answer.status != 409:
            return "refused", said
        try:
            now = self._live.vm(vm.id)
        except AzureError as error:
            return "not_allowed", f"{said}; then {error}"
        if now is not None and self._operation == MAINTENANCE and (now.status is None or now.status.completed):
            return "already_done", f"{said}; Azure reports no maintenance to do"
        return ("refused" if now is not None and now.provisioning_state in BUSY else "not_allowed"), said

    # -- watch and tell ---------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        watched = list(self._watched.values())

        def tell(still_open: t.Sequence[Watched]) -> None:
            self._journal.progress(len(watched), [item.vm.name for item in still_open])

        tell(watched)
        try:
            Watch(self._arm, self._live, self._clock, self._patience).run(watched, self._on_verdict, tell)
        finally:
            self._journal.progress(0, [])

    def _on_verdict(self, item: Watched) -> None:
        result, verdict, now = self._results[item.vm.key], item.verdict, self._arm.now()
        final = verdict.outcome not in ("still_running", "unknown")
        result.update(outcome=verdict.outcome, reason=verdict.reason, advice=ADVICE[verdict.outcome])
        if final:
            try:
                self._journal.note(item.vm, result["client_request_id"], outcome=verdict.outcome, reason=verdict.reason, ended_at=format_time(now))
            except OptionsError as error:  # the outcome of this VM, and those still open, are worth more than their note
                result["reason"] += f"; {error}"
            result.update(ended_at=format_time(now), elapsed_seconds=int((now - parse_time(result["started_at"])).total_seconds()))
        after = self._with_addresses(item)
        if after is not None:
            result.update(state_after=after.state(now), after=after.to_record(now))

    def _with_addresses(self, item: Watched) -> Vm | None:
        """The view with addresses, which a redeploy may have changed; without them when they cannot be read now."""
        try:
            return self._live.vm(item.vm, addresses=True) or item.after
        except AzureError:
            return item.after

    def _settle(self, key: str, outcome: str, reason: str, attempt: t.Mapping[str, t.Any] | None = None, answer: PostResult | None = None) -> None:
        vm, attempt, now = self._before.get(key), attempt or {}, self._arm.now()
        state = vm.state(now) if vm else None
        self._results[key] = {
            "id": self._ids[key], "name": vm.name if vm else VmId.parse(self._ids[key]).name, "outcome": outcome, "reason": reason,
            "advice": ADVICE[outcome], "operation": self._operation,
            "availability_set": vm.availability_set if vm else None, "update_domain": vm.update_domain if vm else None,
            "state_before": state, "state_after": state, "started_at": attempt.get("intent_at"), "ended_at": None, "elapsed_seconds": None,
            "client_request_id": attempt.get("client_request_id"), "request_id": answer.request_id if answer else None,
            "before": vm.to_record(now) if vm else None, "after": None,
        }
