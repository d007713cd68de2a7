"""Death of a process at a statement that is drawn beforehand.

A process can die before and after each statement that it sends to its database, before it sends a
COMMIT, and after that COMMIT was done though nobody heard of it. Each of these is one point.
"""

import os
import pickle
import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, event


class Point(StrEnum):
    """Where a process can die."""

    BEFORE_STATEMENT = "before a statement"
    AFTER_STATEMENT = "after a statement"
    BEFORE_COMMIT = "before a commit"
    AFTER_COMMIT = "after a commit"


class Died(BaseException):
    """The process is gone. Nothing in the product may catch this and go on."""


@dataclass(frozen=True)
class Plan:
    """Die at the `at`th point, or of one `kind` of points at the `at`th of these."""

    at: int
    kind: Point | None = None


class Way(Protocol):
    """How a process dies."""

    def __call__(self, point: Point) -> None: ...


def abandon(_point: Point) -> None:
    """The cheap way: the test's own process plays one that is gone."""
    raise Died


def kill_myself(pipe: int) -> Way:
    """The real way: SIGKILL, after a last word through a pipe about where it hit."""

    def die(point: Point) -> None:
        os.write(pipe, pickle.dumps(("died", point)))
        os.kill(os.getpid(), signal.SIGKILL)

    return die


class Reaper:
    """Counts the points that a process passes, and lets it die at the planned one.

    Whoever died sends nothing any more: each further statement dies as well, and connections are
    closed as they are, without a ROLLBACK of ours.
    """

    def __init__(self, engine: Engine) -> None:
        self.passed = dict.fromkeys(Point, 0)
        self.died_at: Point | None = None
        self._plan: Plan | None = None
        self._way: Way = abandon
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "commit", self._commits)
        self._commit = engine.dialect.do_commit
        engine.dialect.do_commit = self._committed

    def arm(self, plan: Plan | None, way: Way = abandon) -> None:
        """A new process begins; `plan` is when it dies, None for never."""
        self.passed, self.died_at = dict.fromkeys(Point, 0), None
        self._plan, self._way = plan, way

    @property
    def points(self) -> int:
        return sum(self.passed.values())

    def _before(self, connection: Connection, *_: Any) -> None:
        self._pass(Point.BEFORE_STATEMENT, connection)

    def _after(self, connection: Connection, *_: Any) -> None:
        self._pass(Point.AFTER_STATEMENT, connection)

    def _commits(self, connection: Connection) -> None:
        self._pass(Point.BEFORE_COMMIT, connection)

    def _committed(self, driver: Any) -> None:
        self._commit(driver)
        self._pass(Point.AFTER_COMMIT, None)

    def _pass(self, point: Point, connection: Connection | None) -> None:
        if self.died_at is None:
            self.passed[point] += 1
            if not self._is_due(point):
                return
            self.died_at = point
        if connection is not None and not connection.invalidated:
            connection.invalidate()
        self._way(point)

    def _is_due(self, point: Point) -> bool:
        if self._plan is None:
            return False
        kind = self._plan.kind
        reached = self.points if kind is None else self.passed[kind]
        return kind in (None, point) and reached == self._plan.at
