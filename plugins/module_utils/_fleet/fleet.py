# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many subscriptions -> every VM as it is now, or a clear failure. An incomplete listing is never returned as if it were complete.

The lists of all subscriptions are read at once, a handful each, and joined on lower-cased ids. The bulk status list
(``statusOnly=true``) is used where it proves to carry what is needed; otherwise each VM's own view is read.
"""

from __future__ import annotations

import collections
import datetime as dt
import threading
import typing as t
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from .._arm.client import RESOURCES, Arm
from .._arm.cross_check import second_opinion
from .._azure.instance_view import pairs_from_locations
from .._azure.maintenance import STATES, format_time
from .._azure.query import mistakes, no_match
from .._azure.vm import Vm
from .._errors import AzureError, IncompleteFleet, SignInError
from .listing import ODD_ANSWERS, Listing, understanding
from .selection import Selection
from .subscription import LOCATIONS, Job, SubscriptionReader

__all__ = ["Fleet", "Selection", "read_fleet"]
_VIEWS_AT_ONCE = 8
_WORTH_SAYING = 250
_NO_RIGHTS = (" -- give the identity the role Reader on the whole subscription, or the rights of docs/permissions.md there; rights on a resource group are not "
              "enough, for what is read are lists of the subscription")
_FEWEST_THREADS, _MOST_THREADS = 8, 32
_STILL_TO_START = ("startable", "upcoming", "retry_later")
"""Now, or later in the same window; an aborted attempt, one that Azure blocks and what is not understood wait for Azure or for a person."""


@dataclass
class Fleet:
    """The VMs selected, in the order of their ids, and what it took to know them.

    ``gone`` are ids that were listed and no longer exist; ``left_out`` (only without ``complete``) says by ``subscription`` or
    ``id``, each with a ``reason``, what could not be read. Callers show every one of the ``warnings``.
    """

    vms: list[Vm] = field(default_factory=list)
    now: dt.datetime = dt.datetime.min
    gone: list[str] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    second_opinion: dict[str, t.Any] | None = None
    unmatched: int = 0
    """How many VMs there were to choose from, when the query matched none of them."""

    def records(self) -> t.Iterator[dict[str, t.Any]]:
        """The record of each VM, made when it is asked for."""
        return (vm.to_record(self.now) for vm in self.vms)

    def summary(self) -> dict[str, t.Any]:
        """``states`` (number of VMs by state), ``startable`` (names of those that may be started now and need no consent), ``need_consent``
        (names of startable ones with a blocking hazard), ``next_deadline`` (end of the self-service window that ends first among
        VMs that can still be started, now or later, as ISO time, or None), ``next_deadline_vms`` (their names) and ``text`` (one sentence)."""
        states = collections.Counter(vm.state(self.now) for vm in self.vms)
        startable = [vm for vm in self.vms if vm.state(self.now) == "startable"]
        consent = [vm for vm in startable if vm.blocking_hazards]
        ends = collections.defaultdict(list)
        for vm in self.vms:
            window = vm.status.self_service_window if vm.status and vm.state(self.now) in _STILL_TO_START else None
            if window and window.end > self.now:
                ends[window.end].append(vm.name)
        deadline = min(ends, default=None)
        return {
            "states": {state: states[state] for state in STATES if states[state]},
            "startable": [vm.name for vm in startable if not vm.blocking_hazards], "need_consent": [vm.name for vm in consent],
            "next_deadline": format_time(deadline), "next_deadline_vms": ends[deadline] if deadline else [],
            "text": f"The query matched none of {self.unmatched} VMs." if self.unmatched else self._sentence(states, len(consent), deadline),
        }

    def _sentence(self, states: t.Mapping[str, int], consent: int, deadline: dt.datetime | None) -> str:
        total = len(self.vms)
        affected = total - states["not_hosted"] - states["not_scheduled"]
        text = f"{affected} of {total} VM{'' if total == 1 else 's'} affected, {states['startable']} may be started now"
        if consent:
            text += f" ({consent} of them only with consent)"
        if states["done"]:
            text += f", {states['done']} done"
        if deadline:
            left = deadline - self.now
            span = f"{left.days} days" if left.days else f"{left.seconds // 3600} hours"
            text += f"; self-service ends first at {format_time(deadline)} (in {span})"
        return text + "."


def read_fleet(arm: Arm, selection: Selection = Selection()) -> Fleet:
    """The VMs selected. Raises AzureError, mostly IncompleteFleet: what was asked, seen, and is missing."""
    subscriptions = _subscriptions(arm, selection.subscriptions)
    pool = ThreadPoolExecutor(min(_MOST_THREADS, max(_FEWEST_THREADS, 2 * len(subscriptions))))
    try:
        return _FleetReader(arm, selection, subscriptions, pool).read()
    except (KeyboardInterrupt, SystemExit):
        arm.abandon()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _subscriptions(arm: Arm, wanted: t.Sequence[str]) -> list[str]:
    """Raises AzureError when there is none."""
    if wanted or arm.settings.subscription_id:
        return list({one.lower(): one for one in wanted or [arm.settings.subscription_id]}.values())
    seen: list[str] = []

    def take(body: t.Mapping[str, t.Any]) -> None:
        if str(body.get("state") or "Enabled").lower() in ("enabled", "warned", "pastdue"):
            seen.append(body.get("subscriptionId") or body["id"].split("/")[2])

    arm.each("/subscriptions", RESOURCES, "list subscriptions", take)
    if not seen:
        raise AzureError("list subscriptions", "the identity sees no subscription; give it Reader on one, or set subscription_id")
    return seen


class _FleetReader:
    """One reading: jobs of all subscriptions at once, phase by phase, with the failures they had."""

    def __init__(self, arm: Arm, selection: Selection, subscriptions: t.Sequence[str], pool: ThreadPoolExecutor) -> None:
        self._arm, self._selection, self._pool = arm, selection, pool
        self._fleet = Fleet()
        wants_group = selection.wants_group()
        self._readers = [SubscriptionReader(arm, one, Listing(wants_group, selection.addresses)) for one in subscriptions]
        self._failures: dict[tuple[str, str], AzureError] = {}
        self._lock = threading.Lock()

    def read(self) -> Fleet:
        self._run([self._readers[0].job(LOCATIONS), *(job for reader in self._readers for job in reader.lists())])
        while jobs := [job for reader in self._complete_readers() for job in reader.singles()]:
            self._run(jobs)
        self._fail_if_incomplete()
        views_read = self._read_views()
        pairs = self._pairs()
        self._fail_if_incomplete()
        self._fleet.now = self._arm.now()
        self._assemble(pairs, views_read)
        return self._fleet

    # -- jobs and failures --------------------------------------------------------------------------------------------

    def _run(self, jobs: t.Iterable[Job]) -> None:
        """Run the jobs and all that follow from them; failures are kept, signing in is the only one that ends it at once."""
        pending: set[Future[t.Any]] = {self._pool.submit(self._attempt, job) for job in jobs}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            pending |= {self._pool.submit(self._attempt, job) for future in done for job in future.result() or ()}

    def _attempt(self, job: Job) -> t.Any:
        (about,) = job.subject.values()
        try:
            with understanding(f"understand an answer about {about}"):
                return job.run()
        except SignInError:
            raise
        except AzureError as error:
            self._report(job.subject, error)
        return None

    def _report(self, subject: t.Mapping[str, str], error: AzureError) -> bool:
        (found,) = subject.items()
        with self._lock:
            # Lists fail side by side; which of their errors is shown should not depend on which came first.
            if found not in self._failures or str(error) < str(self._failures[found]):
                self._failures[found] = error
        return not self._selection.complete

    def _fail_if_incomplete(self) -> None:
        """Fail when something could not be read, unless it may be left out and something else is there."""
        if self._failures and (self._selection.complete or not self._complete_readers()):
            raise self._incomplete()

    def _incomplete(self) -> IncompleteFleet:
        missing = [{kind: name, "reason": str(error)} for (kind, name), error in sorted(self._failures.items())]
        first = self._failures[min(self._failures)]
        asked = {"subscriptions": len(self._readers)}
        seen = {"subscriptions": len(self._complete_readers()), "vms": sum(len(reader.listing.models) for reader in self._readers)}
        more = f" (and {len(missing) - 1} more like it)" if len(missing) > 1 else ""
        names = ", ".join(next(iter(item.values())) for item in missing[:5]) + (" ..." if len(missing) > 5 else "")
        remedy = _NO_RIGHTS if first.status == 403 else ""
        detail = (f"{first.detail}{more}{remedy}; asked for {asked['subscriptions']} subscription(s), read {seen['subscriptions']} completely, saw "
                  f"{seen['vms']} VMs, missing: {names}")
        return IncompleteFleet(first.doing, detail, asked=asked, seen=seen, missing=missing, status=first.status, code=first.code,
                               request_id=first.request_id, retry_after=first.retry_after)

    def _complete_readers(self) -> list[SubscriptionReader]:
        """Those of subscriptions of which nothing as a whole is missing."""
        return [reader for reader in self._readers if ("subscription", reader.id) not in self._failures]

    # -- views and pairs ----------------------------------------------------------------------------------------------

    def _read_views(self) -> int:
        """Read the views that the status lists do not replace; the number of views read."""
        complete = self._complete_readers()
        # One block seen in any list shows that this cloud's lists carry them.
        blocks_listed = self._selection.trust_status_list or any(reader.listing.lists_blocks() for reader in complete)
        wanted = blocks_listed, self._selection.only_affected, self._selection.thorough
        lacking = [(reader, reader.listing.without_view(*wanted)) for reader in complete]
        lacking = [(reader, models) for reader, models in lacking if models]
        at_once = max(1, min(_VIEWS_AT_ONCE, _MOST_THREADS // max(1, len(lacking))))
        self._run([job for reader, models in lacking for job in reader.views(models, at_once, self._report)])
        read = sum(len(models) for dummy, models in lacking)
        if read > _WORTH_SAYING and not blocks_listed:
            self._fleet.warnings.append(f"no status list showed a VM under announced maintenance, which proves nothing; {read} views were read one by one, "
                                        "25 a second and subscription (set trust_status_list where the lists are known to show maintenance)")
        return read

    def _pairs(self) -> dict[str, tuple[str, ...]]:
        """Paired regions. One subscription's answer serves all, unless another has VMs in a region that it did not show."""
        pairs = pairs_from_locations(self._readers[0].listing.locations)
        for reader in self._complete_readers():
            if self._regions(reader) - pairs.keys():
                self._run([reader.job(LOCATIONS)])
                pairs = pairs_from_locations(place for one in self._readers for place in one.listing.locations)
                for region in sorted(self._regions(reader) - pairs.keys()):
                    reader.warn(f"region {region} is in no list of locations; the region it is paired with is unknown")
        return pairs

    @staticmethod
    def _regions(reader: SubscriptionReader) -> set[str]:
        return {model.location for model in reader.listing.models.values()}

    # -- the result ---------------------------------------------------------------------------------------------------

    def _warn_of_empty_groups(self) -> None:
        """A group that is asked for and has no VM may be one that is misspelt."""
        seen = {model.id.resource_group.lower() for reader in self._complete_readers() for model in reader.listing.models.values()}
        empty = [name for name in self._selection.resource_groups if name.lower() not in seen]
        if empty:
            self._fleet.warnings.append(f"resource group {', '.join(empty)}: no VM there in any subscription read; is the name right?")

    def _assemble(self, pairs: t.Mapping[str, tuple[str, ...]], views_read: int) -> None:
        fleet, selection = self._fleet, self._selection
        self._name_left_out()
        self._warn_of_empty_groups()
        known, affected, others = 0, [], []
        for reader in self._complete_readers():
            fleet.gone += reader.listing.gone
            fleet.warnings += reader.warnings()
            for key in self._readable(reader.listing):
                view = reader.listing.views[key]
                known += 1
                if view.status:
                    affected.append((key, view.status.completed))
                elif selection.only_affected:
                    continue
                vm = reader.listing.vm(key, pairs)
                matched = selection.matches is None or selection.matches(vm.to_record(fleet.now))
                (fleet.vms if matched else others).append(vm)
        self._doubt_query(others)
        fleet.vms.sort(key=lambda vm: vm.id.key)
        if selection.second_opinion != "none":
            self._compare({key for key, completed in affected if not completed})
        fleet.counts = {"subscriptions": len(self._readers), "vms": known, "affected": len(affected), "returned": len(fleet.vms),
                        "gone": len(fleet.gone), "left_out": len(fleet.left_out), "views_listed": max(0, known - views_read),
                        "views_read": views_read, "requests": self._arm.requests}

    def _doubt_query(self, others: t.Sequence[Vm]) -> None:
        """A query that matches nothing, or names what no VM has, may be one that is misspelt."""
        fleet, query = self._fleet, self._selection.query
        if not query or not (fleet.vms or others):
            return
        records = [vm.to_record(fleet.now) for vm in (*fleet.vms, *others)]
        text = mistakes(query, records)
        if not fleet.vms:
            fleet.unmatched = len(others)
            text = f"matches none of the {len(others)} VMs{' under announced maintenance' if self._selection.only_affected else ''}: {no_match(query, records)}"
        if text:
            fleet.warnings.append(f"query {query!r} {text}")

    def _name_left_out(self) -> None:
        for (kind, name), error in sorted(self._failures.items()):
            self._fleet.left_out.append({kind: name, "reason": str(error)})
            self._fleet.warnings.append(f"left out: {'subscription ' if kind == 'subscription' else ''}{name}: {error}")

    def _readable(self, listing: Listing) -> t.Iterator[str]:
        """VMs of which nothing is missing, nor of their scale set."""
        unread = {name.lower() for kind, name in self._failures if kind == "id"}
        for key, model in listing.models.items():
            if key not in unread and not (unread and model.scale_set and model.scale_set.lower() in unread):
                yield key

    def _compare(self, due: set[str]) -> None:
        """A second opinion is welcome and no more: without it there is a warning, not a failure."""
        source = self._selection.second_opinion
        try:
            subscriptions = [reader.id for reader in self._complete_readers()]
            self._fleet.second_opinion = second_opinion(self._arm, source, subscriptions, self._selection.wants_group(), due)
        except AzureError as error:
            self._fleet.warnings.append(f"no second opinion of {source}: {error}")
        except ODD_ANSWERS as error:
            self._fleet.warnings.append(f"no second opinion of {source}: cannot understand its answer: {type(error).__name__}: {error}")
