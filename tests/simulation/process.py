"""The product's process: it runs a step, and is gone afterwards or in the midst of it.

Everything that it knows is in the database. A step is a function without a result that matters: who
wants to know what came of it looks into the database, as a page does.
"""

import gc
import logging
import os
import pickle
import secrets
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from random import Random
from unittest import mock

from flask import Flask

from cbt.db import db
from cbt.errors import CbtError
from tests.simulation.death import Died, Plan, Point, Reaper, abandon, kill_myself

Deed = Callable[[datetime], object]


class End(StrEnum):
    """How running a step ended, as whoever waits for the answer sees it."""

    DONE = "done"
    REFUSED = "refused"
    DIED = "died"


@dataclass(frozen=True)
class Outcome:
    """What whoever waited learnt; `refusal` names the error, `point` is where the process died."""

    end: End
    passed: int
    refusal: str = ""
    point: Point | None = None


class Broken(AssertionError):
    """The product raised what no door expects; the process's own words about it."""


class Process:
    """Runs steps of the product on one database, each in a process that knows nothing else."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        with app.app_context():
            self._reaper = Reaper(db.engine)

    def run(self, deed: Deed, now: datetime, chance: str, plan: Plan | None = None) -> Outcome:
        """Run a step in this process; what it would draw by chance comes from `chance`.

        Raises Broken for an error that is none of the product's refusals.
        """
        self._reaper.arm(plan, abandon)
        return self._run(deed, now, chance)

    def run_apart(self, deed: Deed, now: datetime, chance: str, plan: Plan) -> Outcome:
        """Run a step in a process of its own, which kills itself by SIGKILL at the planned point."""
        self.let_go()
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            self._live_apart(deed, now, chance, plan, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pickle.loads(pipe.read())
        _, status = os.waitpid(child, 0)
        if isinstance(said, Outcome):
            return said
        kind, what = said
        if kind == "broken":
            raise Broken(what)
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGKILL
        return Outcome(End.DIED, plan.at, point=what)

    def _live_apart(self, deed: Deed, now: datetime, chance: str, plan: Plan, pipe: int) -> None:
        said: object = ("broken", "")
        try:
            self._reaper.arm(plan, kill_myself(pipe))
            said = self._run(deed, now, chance)
        except BaseException:
            said = ("broken", traceback.format_exc())
        finally:
            os.write(pipe, pickle.dumps(said))
            os._exit(0)

    def _run(self, deed: Deed, now: datetime, chance: str) -> Outcome:
        end, refusal = End.DONE, ""
        swallowed: list[str] = []
        try:
            with foreseeable(chance), self._app.app_context(), heard() as swallowed:
                deed(now)
        except Died:
            end = End.DIED
        except CbtError as error:
            end, refusal = End.REFUSED, type(error).__name__
        except Exception:
            if self._reaper.died_at is None:
                raise
        point, passed = self._reaper.died_at, self._reaper.points
        if point is not None:
            self.let_go()
            return Outcome(End.DIED, passed, point=point)
        self._reaper.arm(None)
        if swallowed:
            raise Broken("\n".join(swallowed))
        return Outcome(end, passed, refusal)

    def let_go(self) -> None:
        """Close every connection that is left of a process which is gone."""
        self._reaper.arm(None)
        with self._app.app_context():
            db.session.remove()
            db.engine.dispose()
        gc.collect()  # a statement that was cut off keeps SQLite's connection alive, and its lock


class _Ear(logging.Handler):
    """Keeps what the product logged as an error of its own, and went on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        args = record.args if isinstance(record.args, tuple) else ()
        if record.levelno >= logging.ERROR or "IntegrityError" in args:
            self.heard.append(logging.Formatter().format(record))


@contextmanager
def heard() -> Iterator[list[str]]:
    """Within, errors that the product swallows so that others are not held up are kept."""
    ear, log = _Ear(), logging.getLogger("cbt")
    log.addHandler(ear)
    try:
        yield ear.heard
    finally:
        log.removeHandler(ear)


@contextmanager
def foreseeable(seed: str) -> Iterator[None]:
    """Within, the secrets that the product draws come from a seed."""
    chance = Random(seed)

    def letters(length: int | None = None) -> str:
        return f"{chance.getrandbits(8 * (length or 32)):x}"

    with (
        mock.patch.object(secrets, "choice", chance.choice),
        mock.patch.object(secrets, "randbelow", chance.randrange),
        mock.patch.object(secrets, "token_hex", letters),
        mock.patch.object(secrets, "token_urlsafe", letters),
    ):
        yield
