"""What goes wrong with the next calls, when a test says so."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatch
from threading import Lock
from typing import Any

from tests.stripe_double.state import Json


class Fault(StrEnum):
    """How a call fails. What is done stays done, so that a repeat with the same key finds it."""

    DROP_BEFORE = "drop before"  # the connection ends, nothing is done
    DROP_AFTER = "drop after"  # it is done, and the answer is lost
    ERROR_BEFORE = "error before"  # 500, nothing is done
    ERROR_AFTER = "error after"  # it is done, and the answer is 500
    CONFLICT = "conflict"  # 409, nothing is done
    LIMIT = "limit"  # 429, nothing is done
    DELAY = "delay"  # late, with the idempotency key taken meanwhile
    LIE = "lie"  # the answer says something else than what is kept


@dataclass
class Planned:
    """A fault for the next `times` calls of a pattern like "POST /v1/refunds" or "* /v1/*"."""

    pattern: str
    fault: Fault
    times: int = 1
    seconds: float = 0.0
    lies: Mapping[str, Any] = field(default_factory=dict)


class Faults:
    """The planned faults; each call takes the oldest that fits it."""

    def __init__(self) -> None:
        self._planned: list[Planned] = []
        self._lock = Lock()

    def plan(self, planned: Planned) -> None:
        with self._lock:
            self._planned.append(planned)

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    def take(self, call: str) -> Planned | None:
        with self._lock:
            for planned in self._planned:
                if fnmatch(call, planned.pattern):
                    planned.times -= 1
                    if not planned.times:
                        self._planned.remove(planned)
                    return planned
        return None


def wait(planned: Planned | None) -> None:
    if planned and planned.fault == Fault.DELAY:
        time.sleep(planned.seconds)


def lie(answer: Json, lies: Mapping[str, Any]) -> None:
    """Change fields of an answer by their dotted paths: {"payment_intent.amount": 1}."""
    for path, value in lies.items():
        *way, last = path.split(".")
        node: Any = answer
        for step in way:
            node = node[int(step) if isinstance(node, list) else step]
        node[last] = value
