"""Bookings per second beside their floors, on SQLite and PostgreSQL: python -m bench.booking [--quick]."""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from flask import Flask
from sqlalchemy import Engine, create_engine, select

from bench import floor
from bench.browser import Browser, NotShown
from cbt.app import create_app
from cbt.bookings.hold import HoldRequest, hold
from cbt.clock import utc_now, village_day
from cbt.communities.models import Community
from cbt.config import ROOT
from cbt.db import db
from cbt.experiences.models import Experience
from cbt.payments.pay import start_attempt
from cbt.payments.provider import (
    Asked,
    AttemptState,
    NormalisedPayment,
    Providers,
    Received,
    Started,
)
from cbt.payments.providers.demo import DemoProvider
from cbt.payments.queries import get_attempt_of
from cbt.payments.take_in import ask_anew
from tests import factories, postgres
from tests.site import SECRET, free_port, make_settings, migrate

ROOM = 1_000_000
_SPREAD = 4
_numbers = count(1)


@dataclass(frozen=True)
class Counts:
    """How often each thing is done: rounds, and within a round."""

    rounds: int
    holds: int
    wholes: int
    visits: int


QUICK = Counts(rounds=2, holds=20, wholes=8, visits=2)
USUAL = Counts(rounds=5, holds=60, wholes=30, visits=6)


@dataclass(frozen=True)
class Place:
    """A database with villages that never fill up, and the bare tables beside them."""

    name: str
    instance: Path
    url: str
    app: Flask
    engine: Engine
    villages: list[factories.Village]


# --- the databases -------------------------------------------------------------------------------


@contextmanager
def places() -> Iterator[list[Place]]:
    """SQLite, and PostgreSQL where one is found. Both wait for the disk, as they do when serving."""
    with tempfile.TemporaryDirectory(prefix="cbt-bench-") as folder:
        instance = Path(folder) / "sqlite"
        found = [_prepare("SQLite", instance, f"sqlite:///{instance}/cbt.db")]
        server = None if postgres.URL in os.environ else postgres.start(waits_for_disk=True)
        if server:
            os.environ[postgres.URL] = server.address("postgres")
        address = ""
        try:
            if postgres.URL in os.environ:
                address = postgres.create("cbt_bench")
                url = postgres.sqlalchemy_url(address)
                found.append(_prepare("PostgreSQL", Path(folder) / "postgresql", url))
            else:
                print("PostgreSQL: NOT MEASURED, no server found (tests/postgres.py says where)")
            yield found
        finally:
            for place in found:
                place.engine.dispose()
            if address:
                postgres.drop(address)
            if server:
                server.stop()


def _prepare(name: str, instance: Path, url: str) -> Place:
    settings = make_settings(instance, DATABASE_URL=url)
    migrate(settings)
    app = create_app(settings)
    on = village_day(utc_now(), "Asia/Bangkok") + timedelta(days=60)
    with app.app_context():
        villages = [factories.make_village(capacity=ROOM, on=on) for _ in range(_SPREAD)]
        db.session.remove()
        db.engine.dispose()
    engine = create_engine(url)
    floor.prepare(engine, 20)
    return Place(name, instance, url, app, engine, villages)


# --- what is done --------------------------------------------------------------------------------


def hold_only(village: factories.Village) -> None:
    request = HoldRequest(
        departure_id=village.departure_id,
        party={"ADULT": 2},
        policy_version_id=village.policy_id,
        language="en",
        request_key=_key(),
    )
    hold(request, utc_now())


class PaidAtOnce(DemoProvider):
    """A provider that says at once that everything asked for was paid; it has no database."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}

    def start(self, asked: Asked, now: datetime) -> Started:
        started = super().start(asked, now)
        self._asked[started.provider_ref] = asked.amount_satang
        return started

    def fetch(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedPayment:
        amount = self._asked.pop(provider_ref)
        fee = self.estimate_fee(amount)
        received = Received(f"{provider_ref}-1", amount, fee, now)
        return NormalisedPayment(AttemptState.PAID, (received,))


_PROVIDERS: Providers = {"demo": PaidAtOnce()}


def book_whole(village: factories.Village) -> None:
    """Hold, details, pay: confirmed, payment and fee in the books, mail queued."""
    now = utc_now()
    reference = factories.hold(village, now=now, key=_key())
    number = start_attempt(reference, "demo", _PROVIDERS, now)
    ask_anew(get_attempt_of(db.session(), reference, number), _PROVIDERS, now)


def _key() -> str:
    return f"bench {os.getpid()} {next(_numbers)}"


def _rate(do: Callable[[], object], times: int) -> float:
    """Times a second, in this process."""
    began = time.perf_counter()
    for _ in range(times):
        do()
    return times / (time.perf_counter() - began)


# --- several processes ---------------------------------------------------------------------------


def _bookings_of_one(
    instance: Path, url: str, village: factories.Village, times: int, rounds: int, start: Any
) -> Iterator[float]:
    """For each round, wait for the others, then book; give the seconds that it took."""
    app = create_app(make_settings(instance, DATABASE_URL=url))
    with app.app_context():
        book_whole(village)
        for _ in range(rounds):
            start.wait()
            began = time.perf_counter()
            for _ in range(times):
                book_whole(village)
            yield time.perf_counter() - began


def _work(queue: Any, *arguments: Any) -> None:
    queue.put(list(_bookings_of_one(*arguments)))


def in_processes(place: Place, number: int, counts: Counts) -> list[float]:
    """Whole bookings a second of so many processes, each in a village of its own."""
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue()
    start = context.Barrier(number)
    workers = [
        context.Process(
            target=_work,
            args=(
                *(queue, place.instance, place.url, village),
                *(counts.wholes // 2, counts.rounds, start),
            ),
        )
        for village in place.villages[:number]
    ]
    for worker in workers:
        worker.start()
    seconds = [queue.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    return [number * (counts.wholes // 2) / max(each) for each in zip(*seconds, strict=True)]


# --- over HTTP -----------------------------------------------------------------------------------


@contextmanager
def served(application: str, **environment: str) -> Iterator[int]:
    """An application behind gunicorn with two workers, on a loopback port."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}"]
    child = subprocess.Popen(
        [*command, "--workers", "2", "--no-control-socket", "--log-level", "error"],
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        for _ in range(200):
            try:
                Browser(port).get("/")
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        child.terminate()
        child.wait(timeout=20)


def book_at_bare(port: int) -> None:
    """As many requests as a booking at ours takes: five pages, four forms, four redirects."""
    browser = Browser(port)
    browser.get("/")
    browser.post(f"/hold/{os.getpid()}-{next(_numbers)}", {})
    for _step in ("details", "method", "bank"):
        browser.post(browser.address, {})


def book_at_ours(port: int, address: str) -> None:
    """A guest books as in a browser without script: every redirect is followed."""
    browser = Browser(port)
    browser.get(f"{address}&ADULT=2")
    browser.send("hold")
    browser.send("", name="Ann", email="ann@example.org")
    browser.send("", method="demo")
    browser.send("pay")
    if "confirmed" not in browser.page:
        raise NotShown(browser.page)


def visit(do: Callable[[], None], clients: int, times: int) -> tuple[float, list[float]]:
    """(times a second, seconds of each) of several clients at once."""
    seconds: list[float] = []

    def run() -> None:
        for _ in range(times):
            began = time.perf_counter()
            do()
            seconds.append(time.perf_counter() - began)

    threads = [threading.Thread(target=run) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients * times / (time.perf_counter() - began), seconds


# --- telling -------------------------------------------------------------------------------------


def compare(
    name: str,
    rounds: int,
    bare: Callable[[], float],
    ours: Callable[[], float],
    target: float,
    unit: str = "a second",
) -> None:
    """Run the floor and ours in turn, A B A B; print medians, the ratio and its spread."""
    bare(), ours()  # once to warm up
    pairs = [(bare(), ours()) for _ in range(rounds)]
    tell(name, [each[0] for each in pairs], [each[1] for each in pairs], target, unit)


def tell(name: str, floors: list[float], ours: list[float], target: float, unit: str) -> None:
    ratios = [own / bare for bare, own in zip(floors, ours, strict=True)]
    print(
        f"  {name:<44} floor {median(floors):8.1f}  ours {median(ours):7.1f} {unit}"
        f"   ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        f"   target {target:.2f} {'reached' if median(ratios) >= target else 'MISSED'}",
        flush=True,
    )


def p95_ms(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * (len(seconds) - 1))] * 1000


def measure(place: Place, counts: Counts) -> None:
    print(place.name)
    village = place.villages[0]
    with place.app.app_context():
        compare(
            "hold, one process",
            counts.rounds,
            lambda: _rate(lambda: floor.hold(place.engine, 1, _key()), counts.holds),
            lambda: _rate(lambda: hold_only(village), counts.holds),
            0.45,
        )
        compare(
            "whole booking, one process",
            counts.rounds,
            lambda: _rate(lambda: floor.whole(place.engine, 1, _key()), counts.wholes),
            lambda: _rate(lambda: book_whole(village), counts.wholes),
            0.45,
        )
        db.session.remove()
        db.engine.dispose()
    single = in_processes(place, 1, counts)
    spread = in_processes(place, _SPREAD, counts)
    target = 1.0 if place.name == "SQLite" else 1.5
    tell("whole booking, four processes beside one", single, spread, target, "a second")
    measure_http(place, counts)


def measure_http(place: Place, counts: Counts) -> None:
    address = _address(place)
    ours_env = {
        "INSTANCE": str(place.instance),
        "DATABASE_URL": place.url,
        "SECRET_KEY": SECRET,
    }
    with (
        served("bench.floor:from_environment()", BARE_URL=place.url) as bare,
        served("wsgi:app", **ours_env) as ours,
    ):
        for clients in (1, 4):
            times = counts.visits if clients == 1 else counts.visits // 2
            tails: dict[str, list[float]] = {"bare": [], "ours": [], "page": [], "own page": []}

            run = _runner(clients, times, tails)
            compare(
                f"booking over HTTP, {clients} client{'s' * (clients > 1)}",
                counts.rounds,
                run("bare", lambda: book_at_bare(bare)),
                run("ours", lambda: book_at_ours(ours, address)),
                0.45,
            )
            run("page", lambda: _get(bare, "/"))()
            print(
                f"    p95: a bare page {p95_ms(tails['page']):.0f} ms, a bare booking"
                f" {p95_ms(tails['bare']):.0f} ms, ours {p95_ms(tails['ours']):.0f} ms (under 250)"
            )
            compare(
                f"experience page, {clients} client{'s' * (clients > 1)}",
                counts.rounds,
                run("page", lambda: _get(bare, "/")),
                run("own page", lambda: _get(ours, address)),
                0.50,
            )


def _runner(
    clients: int, times: int, tails: dict[str, list[float]]
) -> Callable[[str, Callable[[], None]], Callable[[], float]]:
    """What makes a measurement of a thing to do: its rate, and its seconds into `tails`."""

    def measured(which: str, do: Callable[[], None]) -> Callable[[], float]:
        def rate() -> float:
            found, seconds = visit(do, clients, times)
            tails[which].extend(seconds)
            return found

        return rate

    return measured


def _get(port: int, address: str) -> None:
    Browser(port).get(address)


def _address(place: Place) -> str:
    """The page on which the first village's departure is chosen."""
    village = place.villages[0]
    with place.app.app_context():
        slug = db.session.scalar(
            select(Experience.slug)
            .join(Community, Community.id == Experience.community_id)
            .where(Community.id == village.id)
        )
        on = village_day(utc_now(), "Asia/Bangkok") + timedelta(days=60)
        db.session.remove()
        db.engine.dispose()
    return f"/en/c/{village.slug}/{slug}?on={on}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer of each, in under 30 seconds")
    counts = QUICK if parser.parse_args().quick else USUAL
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {counts.rounds} rounds"
        " in turn with the floor; quote the ratios, not the figures"
    )
    with places() as found:
        for place in found:
            measure(place, counts)


if __name__ == "__main__":
    main()
