"""Server and worker killed at random moments while guests hold and pay, then started again.

Guests do what guests do when a page does not answer: they send the same form once more. Afterwards
counters equal facts, the books explain every satang, each payment was taken in once, and no hold
outlives its time.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from html import unescape
from http.client import HTTPConnection, HTTPException
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select, text, update

from cbt.app import create_app
from cbt.audit.findings import Result
from cbt.audit.verify import verify
from cbt.bookings.models import Booking
from cbt.bookings.proof import prove_places, prove_slots
from cbt.bookings.states import BookingState
from cbt.clock import utc_now
from cbt.config import ROOT
from cbt.db import db, transaction
from cbt.experiences.models import Experience
from cbt.ledger.models import Entry
from cbt.payments.models import Capture, DemoEvent
from tests import factories, postgres
from tests.conftest import DEEP
from tests.site import SECRET, free_port, make_settings

KILLS = 100 if DEEP else 4
GUESTS = 4
LONGEST = 1_800 if DEEP else 60


# --- the site ------------------------------------------------------------------------------------


class Site:
    """A gunicorn and a worker that can be killed without a word and started again."""

    def __init__(self, instance, settings):
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.environment = {
            **os.environ,
            "INSTANCE": str(instance),
            "SECRET_KEY": SECRET,
            "PUBLIC_URL": self.address,
            **settings,
        }
        gunicorn = ["-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
        self.commands = {
            "server": [*gunicorn, "--no-control-socket", "--log-level", "critical"],
            "worker": ["-m", "flask", "--app", "wsgi", "worker"],
        }
        self.running = {}

    def start(self, name):
        self.running[name] = subprocess.Popen(
            [sys.executable, *self.commands[name]],
            cwd=ROOT,
            env=self.environment,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self, name):
        """The whole group at once: the server's processes have no time to say good-bye."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)

    def once(self):
        command = [sys.executable, *self.commands["worker"], "--once"]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, timeout=60)

    def wait_until_it_answers(self):
        for _ in range(600):
            try:
                urllib.request.urlopen(self.address + "/healthz", timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError(self.address)


@contextmanager
def running(instance, settings):
    site = Site(instance, settings)
    try:
        for name in site.commands:
            site.start(name)
        site.wait_until_it_answers()
        yield site
    finally:
        for name in list(site.running):
            site.kill(name)


# --- guests --------------------------------------------------------------------------------------


class _From(urllib.request.HTTPHandler):
    """Requests from an address of one's own, since each may hold so often only."""

    def __init__(self, number):
        super().__init__()
        self.here = (f"127.0.{number // 250 % 250}.{2 + number % 250}", 0)

    def http_open(self, request):
        return self.do_open(partial(HTTPConnection, source_address=self.here), request)


class Guest(threading.Thread):
    """Holds, says who comes, and pays, one booking after another, until told to stop."""

    def __init__(self, number, address, path, stop):
        super().__init__()
        self.number, self.address, self.path, self.stop = number, address, path, stop
        self.paid, self.faults = 0, []

    def run(self):
        for turn in range(10_000):
            if self.stop.is_set():
                return
            opener = urllib.request.build_opener(
                _From(self.number * 10_000 + turn), urllib.request.HTTPCookieProcessor(CookieJar())
            )
            try:
                self.book(opener)
            except GaveUp:
                continue

    def book(self, opener):
        at, page = self.send(opener, self.address + self.path)
        at, page = self.send(
            opener, self.address + self.path.split("?")[0], page, do="hold", ADULT=1
        )
        if "/b/" not in at:
            self.stop.wait(0.2)  # full
            return
        booking = at
        at, page = self.send(opener, booking, page, name="Guest", email="guest@example.org")
        at, page = self.send(opener, f"{booking}/pay", page, method="demo")
        if self.number % 4 == 0 or "/pay/" not in at:
            return  # changed their mind
        self.send(opener, f"{at}/act", page, act="pay")
        self.paid += 1

    def send(self, opener, address, page=None, **fields):
        """Open a page, or send a form of the page before, as often as it takes."""
        data = None
        if page is not None:
            data = urlencode({**hidden(page), **fields}).encode()
        for _ in range(400):
            if self.stop.is_set():
                raise GaveUp
            try:
                with opener.open(address, data, timeout=20) as answer:
                    return answer.geturl(), answer.read().decode()
            except urllib.error.HTTPError as error:
                if error.code >= 500:
                    self.faults.append((error.code, address))
                raise GaveUp from None
            except (OSError, HTTPException):
                time.sleep(0.05)  # the server is gone for a moment
        raise GaveUp


class GaveUp(Exception):
    """The guest went away."""


def hidden(page):
    """The hidden fields of a page's forms."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        own = {name: unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', tag)}
        if own.get("type") == "hidden" and own.get("name") and own["name"] not in found:
            found[own["name"]] = own.get("value", "")
    return found


# --- the test ------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """An instance folder and the settings of an empty database."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("prepared_file"), tmp_path / "cbt.db")
            settings = {}
        else:
            address = postgres.clone(request.getfixturevalue("prepared_template"))
            stack.callback(postgres.drop, address)
            settings = {"DATABASE_URL": postgres.sqlalchemy_url(address)}
        app = create_app(make_settings(tmp_path, **settings))
        with app.app_context():
            yield tmp_path, settings
            db.session.remove()
            db.engine.dispose()


def test_kills_at_random_moments_lose_no_place_and_no_satang(place):
    instance, settings = place
    on = (utc_now() + timedelta(days=40)).date()
    fleet = factories.make_fleet(
        boats=60, seats=4, jackets=240, ceiling=200, capacity=100, households=2, on=on
    )
    slug = db.session.scalar(
        select(Experience.slug)
        .where(Experience.community_id == fleet.mangrove.id)
        .order_by(Experience.id)
    )
    path = f"/en/c/{fleet.mangrove.slug}/{slug}?on={on.isoformat()}&ADULT=1"
    db.session.remove()
    chance = random.Random()
    stop = threading.Event()
    with running(instance, settings) as site:
        guests = [Guest(number, site.address, path, stop) for number in range(1, 1 + GUESTS)]
        for guest in guests:
            guest.start()
        try:
            kill_at_random(site, chance)
            wait_until(lambda: any(guest.paid for guest in guests))
        finally:
            stop.set()
            for guest in guests:
                guest.join(timeout=60)
    assert [fault for guest in guests for fault in guest.faults] == []
    wait_until(no_killed_client_is_served)
    assert_nothing_is_lost(fleet.mangrove)
    let_holds_run_out()
    site.once()
    assert_nothing_is_lost(fleet.mangrove)
    assert_each_payment_is_taken_in_once()
    stale = select(func.count()).where(
        Booking.state == BookingState.HELD, Booking.held_until <= utc_now()
    )
    assert db.session.scalar(stale) == 0


def kill_at_random(site, chance):
    """KILLS times: let them work for a moment, kill one or both, start what was killed."""
    until = time.monotonic() + LONGEST
    kills = 0
    while kills < KILLS:
        assert time.monotonic() < until, f"only {kills} kills in time"
        time.sleep(chance.uniform(0.05, 0.8))
        names = chance.choice([["server"], ["worker"], ["server", "worker"]])
        for name in names:
            site.kill(name)
            kills += 1
        for name in names:
            site.start(name)
        site.wait_until_it_answers()


def wait_until(is_so):
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def no_killed_client_is_served():
    """PostgreSQL learns only a little later that a client was killed."""
    if db.engine.dialect.name != "postgresql":
        return True
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    db.session.rollback()
    return db.session.scalar(others) == 0


def let_holds_run_out():
    """Half an hour passes for every hold that nobody paid."""
    with transaction() as session:
        session.execute(
            update(Booking)
            .where(Booking.state == BookingState.HELD)
            .values(held_until=utc_now() - timedelta(seconds=1))
        )


def assert_nothing_is_lost(village):
    db.session.rollback()
    assert prove_places(db.session()) == []
    assert prove_slots(db.session()).wrong == ()
    outcomes = verify(db.session(), village.card)
    assert [each for each in outcomes if each.result == Result.FAIL] == []


def assert_each_payment_is_taken_in_once():
    """What the pretended bank took stands once in the records and once in the books."""
    db.session.rollback()
    paid = db.session.execute(
        select(DemoEvent.provider_ref, DemoEvent.number).where(DemoEvent.kind == "pay")
    )
    happened = sorted(f"{row.provider_ref}-{row.number}" for row in paid)
    assert sorted(db.session.scalars(select(Capture.payment_id))) == happened
    keys = db.session.scalars(select(Entry.key).where(Entry.kind == "capture"))
    assert sorted(keys) == sorted(f"capture:demo:{each}" for each in happened)
