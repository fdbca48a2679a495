# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks until there is an answer, for requests that change nothing: throttling, passing failures, broken bodies, stale tokens.

What a 429 asks for is waited by everybody who reads the same subscription (:mod:`rate_limit`); all else by the one who met it.
"""

from __future__ import annotations

import typing as t
import urllib.parse
from dataclasses import dataclass

from .._bounds import TooMuch, seconds_of
from .._errors import AzureError
from .rate_limit import Budget, Clock, Pacing, TooLong
from .transport import CONNECT_TIMEOUT, READ_TIMEOUT, Answer, Renewable, Wire, first_line, http_error, is_no_answer, is_sign_in, sign_in_error

_PASSING = (408, 500, 502, 503, 504)
_TRIES = 5
_LONGEST_PAUSE = 30.0
_PATIENCE = 1800.0
# What is begun shortly before the limit is given a few seconds.
_LEAST_TIMEOUT = 5.0
_READS_LEFT = "x-ms-ratelimit-remaining-subscription-reads"


@dataclass
class _Effort:
    """What one request has cost so far."""

    failures: int = 0
    throttled: int = 0
    waited: float = 0.0
    renewed: bool = False


class _Passing(Exception):
    """A failure that may be gone at the next try; ``error`` is what it becomes when it is not."""

    def __init__(self, error: AzureError) -> None:
        super().__init__(str(error))
        self.error = error


class Reader:
    """Reads through one wire, with one pacing for all threads. ``credential`` is None for requests without a token."""

    def __init__(self, wire: Wire, clock: Clock, pacing: Pacing, credential: Renewable | None = None) -> None:
        self._wire, self._clock, self.pacing, self._credential = wire, clock, pacing, credential
        self._until: float | None = None
        self._grace = 0.0
        self._stopping: t.Callable[[], bool] = lambda: False

    def limit(self, until: float | None, stopping: t.Callable[[], bool] = lambda: False, grace: float = 0.0) -> None:
        """From now on nothing waits past ``until`` on the clock (None: however long it takes), nor for long once ``stopping`` is true.

        Reads have ``grace`` seconds more, for what is to be told at the limit.
        """
        self._until, self._stopping, self._grace = until, stopping, grace

    def timeout(self, read: bool = True) -> dict[str, float]:
        """The transport's options for a request sent now; nothing when its own will do."""
        left = READ_TIMEOUT if self._until is None else self._left(self._until, read)
        if left >= READ_TIMEOUT:
            return {}
        left = max(_LEAST_TIMEOUT, left)
        return {"read_timeout": left, "connection_timeout": min(CONNECT_TIMEOUT, left)}

    def _left(self, until: float, read: bool = True) -> float:
        return until + (self._grace if read else 0.0) - self._clock.monotonic()

    def _worthwhile(self, seconds: float) -> bool:
        if seconds > 1 and self._stopping():
            return False
        return self._until is None or seconds <= self._left(self._until)

    def read(self, request: t.Any, doing: str, parse: t.Callable[[bytes], t.Any], patient: bool = True, once: bool = False) -> t.Any:
        """What ``parse`` makes of the body, None for an empty one. ``parse`` raises ValueError for a body cut short.

        ``patient`` false is for pages of lists, see :meth:`Budget.take`. ``once``: what is not answered at once is not worth waiting for.

        Raises NotFound, AuthError or AzureError when asking again makes no sense any more.
        """
        budget = self.pacing.of(urllib.parse.urlsplit(request.url).path)
        effort = _Effort()
        while True:
            try:
                budget.take(patient, self._worthwhile)
            except TooLong as long:
                detail = f"HTTP 429: Azure throttles for {long.seconds:.0f} s more, and the time limit comes first"
                raise AzureError(doing, detail, status=429, retry_after=long.seconds) from None
            generation = self._credential.generation if self._credential else 0
            try:
                return self._once(request, doing, parse, budget)
            except _Passing as passing:
                if once:
                    raise passing.error from None
                pause = self._again(passing.error, effort)
            except AzureError as error:
                if once and error.status != 401:
                    raise
                pause = self._despite(error, effort, budget, generation)
            if pause:
                self._clock.sleep(pause)

    def _once(self, request: t.Any, doing: str, parse: t.Callable[[bytes], t.Any], budget: Budget) -> t.Any:
        host = urllib.parse.urlsplit(request.url).netloc
        try:
            answer = self._wire.send(request, **self.timeout())
        except Exception as error:
            if is_sign_in(error):
                raise sign_in_error(error) from None
            if is_no_answer(error):
                raise _Passing(AzureError(doing, f"no answer from {host}: {first_line(error)}")) from None
            raise
        left = seconds_of(answer.headers.get(_READS_LEFT))
        if left is not None:
            budget.left(left)
        if answer.status_code >= 300:
            raise http_error(doing, answer)
        try:
            return self._body(answer, doing, parse)
        except TooMuch as error:
            raise AzureError(doing, f"the answer of {host} cannot be taken: {error}") from None

    @staticmethod
    def _body(answer: Answer, doing: str, parse: t.Callable[[bytes], t.Any]) -> t.Any:
        if isinstance(answer.trouble, TooMuch):
            raise answer.trouble
        if answer.trouble:
            raise _Passing(AzureError(doing, f"no whole answer: {first_line(answer.trouble)}"))
        running = {"status": "InProgress"} if answer.status_code == 202 else None
        if not answer.content.strip():
            return running
        try:
            body = parse(answer.content)
        except TooMuch:
            raise
        except ValueError:
            begin = answer.content[:40].decode("utf-8", "replace")
            raise _Passing(AzureError(doing, f"the answer is not JSON ({len(answer.content)} bytes, beginning {begin!r})")) from None
        return {**running, **body} if running and isinstance(body, dict) else body

    def _despite(self, error: AzureError, effort: _Effort, budget: Budget, generation: int) -> float:
        """Seconds to pause after an answer that was an error; raises it when that is the end."""
        if error.status == 401 and self._credential and not effort.renewed:
            effort.renewed = True
            self._credential.renew(generation)
            return 0.0
        if error.status == 429:
            return self._throttled(error, effort, budget)
        if error.status in _PASSING:
            return self._again(error, effort)
        raise error

    @staticmethod
    def _throttled(error: AzureError, effort: _Effort, budget: Budget) -> float:
        """The waiting itself is the budget's."""
        effort.throttled += 1
        effort.waited += error.retry_after or 0.0
        said = error.retry_after is not None
        if effort.waited > _PATIENCE or effort.throttled >= (4 * _TRIES if said else _TRIES):
            error.args = (f"{error} (asked {effort.throttled} times; Azure asks to wait {error.retry_after or 'some'} seconds more)",)
            raise error
        budget.close(max(1.0, error.retry_after) if said else None)
        return 0.0

    def _again(self, error: AzureError, effort: _Effort) -> float:
        effort.failures += 1
        pause = min(_LONGEST_PAUSE, 0.4 * 2 ** effort.failures) if error.retry_after is None else min(error.retry_after, 2 * _LONGEST_PAUSE)
        if effort.failures >= _TRIES or not self._worthwhile(pause):
            raise error
        return pause
