"""How often one address may try. Counted in each server process, so the true limit is the number
written here times the number of processes (docs/decisions/004-rate-limits.md)."""

import time

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits.storage import MemoryStorage


def _address_and_name() -> str:
    return f"{get_remote_address()} {request.form.get('sign_in_name', '').strip().lower()}"


class _Counts(MemoryStorage):
    """Counts kept in this process.

    Its parent starts a thread to forget old ones whenever it counts; this one forgets them itself,
    each time that so many more have been counted.
    """

    STORAGE_SCHEME = ["counts"]  # noqa: RUF012  (read by the class that registers it)
    _tidy_after = 1_000

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.time()
        with self.locks["counting"]:
            if len(self.expirations) >= self._tidy_after:
                self._forget(now)
            if self.expirations.get(key, 0) <= now:
                self.storage[key] = 0
                self.expirations[key] = now + expiry
            self.storage[key] += amount
            return self.storage[key]

    def _forget(self, now: float) -> None:
        for key in [each for each, until in self.expirations.items() if until <= now]:
            self.storage.pop(key, None)
            self.expirations.pop(key, None)
        self._tidy_after = 1_000 + len(self.expirations)


limiter = Limiter(get_remote_address, storage_uri="counts://")

limit_sign_in = limiter.limit("30/minute", methods=["POST"])
limit_sign_in_name = limiter.limit("5/minute", key_func=_address_and_name, methods=["POST"])
limit_hold = limiter.limit("20/minute;100/hour", methods=["POST"])
limit_look = limiter.limit("60/minute")  # a page that watches a payment looks every four seconds
limit_credit = limiter.limit("10/minute;50/hour", methods=["POST"])


def init_limits(app: Flask) -> None:
    limiter.init_app(app)
