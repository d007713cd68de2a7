"""How often one address may try. Counted in each server process, so the true limit is the number
written here times the number of processes (docs/decisions/004-rate-limits.md)."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from threading import Lock
from typing import Any, TypeVar, cast

from flask import Flask, abort, current_app, request

from cbt.clock import utc_now

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Rate:
    """So many tries in a span of time, which begins with the first of them."""

    most: int
    within: timedelta


class Counts:
    """How often each thing was tried in the span that runs. Spans that are over are forgotten."""

    def __init__(self) -> None:
        self._until: dict[Hashable, datetime] = {}
        self._tries: dict[Hashable, int] = {}
        self._tidy_at = 1_000
        self._lock = Lock()

    def allows(self, key: Hashable, rate: Rate, now: datetime) -> bool:
        """Count a try; whether it is not one too many."""
        with self._lock:
            if len(self._until) >= self._tidy_at:
                self._forget(now)
            if self._until.get(key, now) <= now:
                self._until[key], self._tries[key] = now + rate.within, 0
            self._tries[key] += 1
            return self._tries[key] <= rate.most

    def _forget(self, now: datetime) -> None:
        for key in [key for key, until in self._until.items() if until <= now]:
            del self._until[key], self._tries[key]
        self._tidy_at = 1_000 + 2 * len(self._until)


def init_limits(app: Flask) -> None:
    app.extensions["tries"] = Counts()


def _address() -> str:
    return request.remote_addr or ""


def _address_and_name() -> str:
    return f"{_address()} {request.form.get('sign_in_name', '').strip().lower()}"


def limit(
    *rates: Rate, by: Callable[[], str] = _address, methods: tuple[str, ...] = ("POST",)
) -> Callable[[View], View]:
    """A view that answers 429 to whoever tried it more often than the rates allow."""

    def limited(view: View) -> View:
        @wraps(view)
        def counted(*values: Any, **named: Any) -> Any:
            if request.method in methods:
                _count(view, rates, by())
            return view(*values, **named)

        return cast(View, counted)

    return limited


def _count(view: Hashable, rates: tuple[Rate, ...], who: str) -> None:
    counts, now = cast(Counts, current_app.extensions["tries"]), utc_now()
    if not all(counts.allows((view, rate, who), rate, now) for rate in rates):
        abort(429)


_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
limit_sign_in = limit(Rate(30, _MINUTE))
limit_sign_in_name = limit(Rate(5, _MINUTE), by=_address_and_name)
limit_hold = limit(Rate(20, _MINUTE), Rate(100, _HOUR))
limit_credit = limit(Rate(10, _MINUTE), Rate(50, _HOUR))
limit_feeds = limit(Rate(10, _MINUTE))  # each waits for an outside server
limit_look = limit(Rate(60, _MINUTE), methods=("GET",))
"""A page that watches a payment looks every four seconds."""
