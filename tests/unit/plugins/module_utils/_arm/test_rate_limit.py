# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No faster than the documented bucket, no slower than it allows; one wait for a whole subscription."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.rate_limit import BURST, PER_SECOND, UNSAID_WAIT, Abandoned, Pacing, WallClock

A, B = "/subscriptions/A/providers/x", "/subscriptions/b/resourceGroups/g"


class Time:
    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock():
    return Time()


@pytest.mark.parametrize("reads", [1, 250, 300, 1000, 5000])
def test_as_fast_as_the_bucket_allows(clock, reads):
    budget = Pacing(clock).of(A)
    for dummy in range(reads):
        budget.take()
    least = max(0.0, reads - BURST) / PER_SECOND
    assert least <= clock.now - 1000 <= least * 1.05 + 0.1


def test_never_faster_than_the_bucket_in_any_stretch(clock):
    budget, moments = Pacing(clock).of(A), []
    for number in range(1500):
        budget.take()
        moments.append(clock.now)
        if number % 400 == 399:
            clock.now += 3
    for begin in range(0, 1500, 50):
        for end in range(begin, 1500, 50):
            assert end - begin + 1 <= BURST + PER_SECOND * (moments[end] - moments[begin]) + 1


def test_each_subscription_has_its_own_in_any_letter_case(clock):
    pacing = Pacing(clock)
    assert pacing.of(A) is pacing.of(A.lower()) is pacing.of("/subscriptions/a") and pacing.of(A) is not pacing.of(B)
    assert pacing.of("/subscriptions") is pacing.of("/providers/Microsoft.ResourceGraph/resources") is pacing.of("/")
    pacing.of(A).close(50)
    pacing.of(B).take()
    assert clock.now == 1000


def test_one_wait_for_all_who_were_refused(clock):
    budget = Pacing(clock).of(A)
    for dummy in range(5):
        budget.close(20)
    budget.take()
    assert clock.now == 1020
    budget.close(5)
    budget.close(2)
    budget.take()
    assert clock.now == 1025, "the longest counts"


def test_a_wait_that_azure_does_not_name(clock):
    budget = Pacing(clock).of(A)
    assert budget.close(None) == UNSAID_WAIT
    budget.take()
    assert clock.now == 1000 + UNSAID_WAIT


def test_what_others_use_up_counts_and_what_azure_offers_beyond_does_not(clock):
    budget = Pacing(clock).of(A)
    budget.left(3)
    for dummy in range(3):
        budget.take()
    assert clock.now == 1000
    budget.left(100000)
    budget.take()
    assert clock.now > 1000


def test_pages_of_lists_count_and_wait_only_for_what_is_closed(clock):
    budget = Pacing(clock).of(A)
    for dummy in range(300):
        budget.take(patient=False)
    assert clock.now == 1000
    budget.take()
    assert clock.now - 1000 == pytest.approx(51 / PER_SECOND, abs=0.01), "the single read pays for the pages before it"
    budget.close(7)
    before = clock.now
    budget.take(patient=False)
    assert clock.now == before + 7


def test_a_clock_that_is_abandoned_stops_those_who_wait_and_those_who_come():
    clock, ended = WallClock(), []
    budget = Pacing(clock).of(A)
    budget.close(600)

    def read():
        with pytest.raises(Abandoned):
            budget.take()
        ended.append(True)

    waiting = threading.Thread(target=read, daemon=True)
    waiting.start()
    clock.abandon()
    waiting.join(5)
    assert ended
    with pytest.raises(Abandoned):
        budget.take(patient=False)
