"""The commands: what scripts rely on."""

import re
import sqlite3
from datetime import timedelta

import pytest
from flask.testing import FlaskCliRunner
from flask_migrate import upgrade
from sqlalchemy import func, inspect, select, text

from cbt import cli
from cbt.app import create_app
from cbt.audit.findings import Check
from cbt.bookings.departures import keep_ready
from cbt.bookings.models import Booking, BookingAddOn, Departure, NoShow, Slot, WaitingParty
from cbt.bookings.proof import prove_places, prove_slots
from cbt.bookings.queries import get_departure, list_unsettled_trips
from cbt.communities.models import Community, RestDay
from cbt.communities.queries import list_communities
from cbt.db import db, transaction
from cbt.demo import load
from cbt.errors import DemoFileInvalid
from cbt.experiences.models import ScheduleRule, Season
from cbt.ledger.models import Entry
from cbt.notices.models import Notice
from cbt.payments.models import Attempt, Capture, Refund
from cbt.people.models import Person
from cbt.pulse import last_beat
from cbt.revenue.models import Settlement
from cbt.web.health import WORKER
from tests.audit import bundles
from tests.conftest import DEEP
from tests.factories import PROVIDERS
from tests.site import NOW, load_samples, make_settings


@pytest.fixture
def run(sample_app):
    cli.init_app(sample_app)
    runner = FlaskCliRunner(sample_app)
    return lambda *arguments: runner.invoke(args=arguments)


def test_audit_verify_prints_a_line_a_check_and_exits_0_when_clean(run):
    result = run("audit", "verify", "--community", "buna-dara")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert len(lines) == len(Check)
    assert all(line.startswith("pass ") for line in lines)
    assert "Every booking's split recomputed from the facts" in result.output


def test_audit_verify_names_the_culprit_and_exits_1(run):
    with transaction() as session:
        session.execute(text("UPDATE service_record SET units = units + 1 WHERE id = 1"))
    result = run("audit", "verify", "--community", "buna-dara")
    assert result.exit_code == 1
    assert "fail" in result.output
    assert "Its record was changed after settlement." in result.output
    thai = run("audit", "verify", "--community", "buna-dara", "--language", "th")
    assert "บันทึกถูกแก้หลังปิดรอบ" in thai.output


def test_an_unknown_community_is_named(run):
    result = run("audit", "verify", "--community", "nowhere")
    assert result.exit_code == 1
    assert "there is no community nowhere" in result.output


def test_the_worker_performs_every_duty_once_and_exits(run):
    result = run("worker", "--once")
    assert result.exit_code == 0, result.output
    assert last_beat(db.session(), WORKER) is not None


# --- sample communities --------------------------------------------------------------------------


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def test_the_sample_month_is_paid_delivered_worked_and_settled(sample_app):
    assert count(Settlement) >= 90
    assert count(Capture) >= 200
    slugs = set(db.session.scalars(select(Community.slug)))
    assert slugs == {"buna-dara", "ban-mok-ngam", "ban-thep-fai"}
    states = {"settled", "confirmed", "held", "requested", "choosing", "cancelled"}
    assert set(db.session.scalars(select(Booking.state))) == states
    assert "reported" in set(db.session.scalars(select(Attempt.state)))


def test_the_samples_tell_what_happens_beside_the_usual(sample_app):
    """A full departure with its line, a guest who stayed away, extras, a code, money given back."""
    for model in (WaitingParty, NoShow, BookingAddOn, Refund, ScheduleRule, RestDay, Season):
        assert count(model) > 0, model
    waiting = db.session.scalars(select(WaitingParty)).one()
    assert get_departure(db.session(), waiting.departure_id).free == 0
    assert set(db.session.scalars(select(Refund.state))) == {"succeeded"}
    assert db.session.scalar(select(func.count()).where(Booking.discount_satang > 0)) == 1


def test_what_samples_sold_fits_the_things_they_share(sample_app):
    assert prove_places(db.session()) == []
    assert prove_slots(db.session()).wrong == ()
    assert db.session.scalar(select(func.sum(Slot.claimed))) > 300


def test_the_worker_keeps_a_year_of_sample_departures_ready(sample_app):
    ahead = select(func.max(Departure.starts_on))
    assert (db.session.scalar(ahead) - NOW.date()).days <= load.DAYS_AHEAD
    db.session.rollback()
    assert keep_ready(NOW) > 1_000
    assert (db.session.scalar(ahead) - NOW.date()).days >= 364
    db.session.rollback()
    assert keep_ready(NOW) == 0


def test_entries_of_the_samples_stand_in_the_order_of_their_time(sample_app):
    for book in set(db.session.scalars(select(Entry.book_id))):
        instants = list(
            db.session.scalars(
                select(Entry.recorded_at).where(Entry.book_id == book).order_by(Entry.seq)
            )
        )
        assert instants == sorted(instants)


def test_the_same_files_on_the_same_day_give_the_same_books(sample_app, tmp_path_factory):
    def heads():
        return db.session.execute(text("SELECT code, head_seq, head_hash FROM book")).all()

    first = heads()
    folder = tmp_path_factory.mktemp("again")
    load_samples(folder, NOW)
    with sqlite3.connect(folder / "cbt.db") as again:
        assert [tuple(row) for row in first] == again.execute(
            "SELECT code, head_seq, head_hash FROM book"
        ).fetchall()
    again.close()


def test_loading_again_changes_nothing(sample_app):
    before = count(Booking)
    assert not load.load_all(PROVIDERS, NOW)
    assert count(Booking) == before


def test_without_pretended_payments_no_samples_are_loaded(app):
    assert not load.load_all({"promptpay": PROVIDERS["promptpay"]}, NOW)
    assert count(Person) == 0


GOOD = (load.FOLDER / "3-ban-thep-fai.toml").read_text()


def changed(old, new, times=1):
    """The good file with something else in one place (0: everywhere)."""
    assert old in GOOD
    return GOOD.replace(old, new, times or -1)


def beside(text):
    """The good file with another table."""
    return GOOD.replace("[scenes]", f"{text}\n[scenes]", 1)


TITLE = 'title = { th = "ก" }\n'
PROMO = """[[promos]]
code = "X"
bp = 100
bearer = "mgmt"
from_day = 0
to_day = 9
most_uses = 5
"""
BAD = {
    "empty": "",
    "no-toml": "not toml at all: [",
    "no-text": "\0",
    "too-deep": "kind = " + "[" * 5000,
    "other-kind": 'kind = "something else"',
    "kind-alone": 'kind = "cbt-demo-community/1"',
    # the community
    "no-slug": changed('slug = "ban-thep-fai"', ""),
    "slug-of-other-letters": changed('slug = "ban-thep-fai"', 'slug = "Ban Thep Fai"'),
    "slug-with-a-line": changed('slug = "ban-thep-fai"', 'slug = "ban\\nfai"'),
    "slug-no-text": changed('slug = "ban-thep-fai"', "slug = 7"),
    "no-such-zone": changed("Asia/Bangkok", "Asia/Nowhere"),
    "zone-a-folder": changed("Asia/Bangkok", "Asia"),
    "zone-a-path": changed("Asia/Bangkok", "/etc/passwd"),
    "no-such-picture": changed("cover-weaving.svg", "cover-none.svg"),
    "picture-elsewhere": changed("cover-weaving.svg", "../site.css"),
    "province-no-code": changed('province_code = "32"', "province_code = 32"),
    "no-thai": changed('th = "นั่งกี่ทอผ้ามัดหมี่"', "").replace("{ , en", "{ en"),
    "thai-no-text": changed('th = "นั่งกี่ทอผ้ามัดหมี่"', "th = 7"),
    "other-language": changed('th = "สมมุติ", en', 'th = "สมมุติ", xx'),
    "text-missing": changed("story = ", "history = "),
    "nul-in-a-text": changed("Surin", "Su\\u0000rin"),
    # how it is paid
    "unknown-kind-of-id": changed('kind = "ewallet"', 'kind = "cheque"'),
    "id-too-short": changed('id = "000000000000000"', 'id = "123"'),
    "id-no-text": changed('id = "000000000000000"', "id = 0"),
    "no-receiver": changed("receiver_name", "receivers_name"),
    # its policy and households
    "too-many-votes": changed("voted_for = 5", "voted_for = 7"),
    "no-majority": changed("voted_for = 5", "voted_for = 3"),
    "nobody-present": changed("present = 6\nvoted_for = 5", "present = 0\nvoted_for = 0"),
    "more-present-than-households": changed("present = 6", "present = 9"),
    "votes-no-number": changed("voted_for = 5", 'voted_for = "5"'),
    "half-a-vote": changed("voted_for = 5", "voted_for = 4.5"),
    "a-share-missing": changed(
        'name = "CBT-Default-1"', 'name = "x"\nshares = { provider = 10000 }'
    ),
    "no-households": changed("[[households]]", "[[houses]]", 0),
    "no-code": changed('code = "T1"', ""),
    "one-code-twice": changed('code = "T2"', 'code = "T1"'),
    "code-of-an-office": changed('code = "T1"', 'code = "HOST"'),
    "code-with-a-line": changed('code = "T1"', 'code = "T\\n1"'),
    "members-below-none": changed("members = 2", "members = -1"),
    "half-a-member": changed("members = 2", "members = 2.5"),
    "members-yes": changed("members = 2", "members = true"),
    "nobody-does-it": changed('task = "craft"', 'task = "boat"'),
    "unknown-task": changed('"craft"', '"sing"', 0),
    "tasks-no-list": changed('tasks = ["craft", "cook"]', 'tasks = "craft"'),
    # what it offers
    "no-experiences": GOOD.partition("[[experiences]]")[0] + "experiences = []\n",
    "one-experience-twice": changed('slug = "indigo"', 'slug = "weaving"'),
    "experience-of-other-letters": changed('slug = "indigo"', 'slug = "In Digo"'),
    "experience-without-picture": changed('picture = "dyeing.svg"', 'picture = "none.svg"'),
    "one-option-twice": GOOD + GOOD[GOOD.rindex("[[experiences.options]]") :],
    "option-of-other-letters": changed('code = "morning"', 'code = "MORNING?"'),
    "no-such-hour": changed('starts_at = "09:00"', 'starts_at = "25:00"'),
    "hour-with-a-zone": changed('starts_at = "09:00"', 'starts_at = "09:00+07:00"'),
    "no-duration": changed("duration_minutes = 180", "duration_minutes = 0"),
    "endless": changed("duration_minutes = 180", "duration_minutes = 99999999999999"),
    "nights-below-none": changed("nights = 0", "nights = -1"),
    "party-of-none": changed("min_party = 1", "min_party = 0"),
    "party-above-its-most": changed("min_party = 1", "min_party = 7"),
    "no-capacity": changed("capacity = 6\nweekdays", "capacity = 0\nweekdays"),
    "capacity-no-number": changed("capacity = 6\nweekdays", 'capacity = "6"\nweekdays'),
    "weekday-eight": changed("weekdays = [2, 5, 6]", "weekdays = [2, 5, 8]"),
    "no-weekdays": changed("weekdays = [2, 5, 6]", "weekdays = []"),
    "weekdays-by-name": changed("weekdays = [2, 5, 6]", 'weekdays = ["sat"]'),
    "weekdays-no-list": changed("weekdays = [2, 5, 6]", "weekdays = 6"),
    "unknown-unit": changed('unit = "ADULT"', 'unit = "GIANT"'),
    "no-adults": changed('unit = "ADULT"', 'unit = "INFANT"'),
    "one-unit-twice": changed('unit = "CHILD"', 'unit = "ADULT"'),
    "price-below-none": changed("price = 480", "price = -480"),
    "part-of-a-satang": changed("price = 480", "price = 480.005"),
    "price-no-number": changed("price = 480", "price = nan"),
    "price-without-end": changed("price = 480", "price = inf"),
    "price-beyond-measure": changed("price = 480", "price = 1e18"),
    "age-below-none": changed("min_age = 8, max_age = 11", "min_age = 8, max_age = 7"),
    "unknown-cost": changed('code = "materials"', 'code = "bribe"'),
    "cost-above-the-price": changed("amount = 45", "amount = 481"),
    "cost-above-a-childs-price": changed("price = 320", "price = 0").replace(
        "amount = 45", "amount = 300"
    ),
    "cost-of-nothing": changed("amount = 45", "amount = 0"),
    "cost-per-something": changed("per_guest = true", 'per_guest = "yes"'),
    "work-per-guests-below-none": changed("per_guests = 3", "per_guests = -1"),
    "work-per-guests-no-number": changed("per_guests = 3", 'per_guests = "3"'),
    "minutes-below-none": changed("minutes = 210", "minutes = -1"),
    "minutes-of-a-month": changed("minutes = 210", "minutes = 43200"),
    "more-work-than-rows": changed("capacity = 6\nweekdays", "capacity = 500\nweekdays").replace(
        "per_guests = 3", "per_guests = 1"
    ),
    # what its departures share, and what is beside the listings
    "thing-without-thai": changed('th = "กี่ทอผ้า"', 'th = ""'),
    "unknown-kind-of-thing": changed('kind = "other"', 'kind = "rocket"'),
    "one-thing-twice": changed('code = "indigo-pots"', 'code = "looms"'),
    "fewer-than-none": changed("capacity = 4", "capacity = -4"),
    "half-a-thing": changed("capacity = 4", "capacity = 4.5"),
    "need-of-nothing-there": changed('thing = "looms"', 'thing = "boats"'),
    "need-below-none": changed("per_places = 2, units", "per_places = -2, units"),
    "need-of-none": changed("per_places = 2, units = 1", "per_places = 2, units = 0"),
    "need-of-no-extra": changed(
        "per_places = 2, units = 1", 'per_places = 2, units = 1, add_on = "x"'
    ),
    "cutoff-no-number": changed("min_party = 1", "cutoff_minutes = 1.5\nmin_party = 1"),
    "request-without-time": changed("min_party = 1", "request_hours = 0\nmin_party = 1"),
    "boat-without-seats": changed(
        "min_party = 1", "group_rate = { seats = 0, price = 10 }\nmin_party = 1"
    ),
    "unknown-season": changed(
        "min_party = 1", 'seasons = [{ code = "high", prices = { ADULT = 9 } }]\nmin_party = 1'
    ),
    "season-of-no-day": beside(
        '[[seasons]]\ncode = "x"\nfirst = "13-40"\nlast = "01-01"\n' + TITLE
    ),
    "nobody-bears-it": beside(PROMO.replace("mgmt", "guest")),
    "code-over-half": beside(PROMO.replace("bp = 100", "bp = 9000")),
    "code-that-ended-before": beside(PROMO.replace("to_day = 9", "to_day = -9")),
    "rest-of-a-year": beside('[[rests]]\nin_days = 3\ndays = 365\nreason = { th = "ก" }\n'),
    "rising-terms": beside('[terms]\nname = "x"\ntiers = [[30, 5000], [15, 10000]]\n'),
    "scene-nobody-knows": changed("called_off =", "dragon ="),
    "scene-elsewhere": changed('"indigo/afternoon"', '"indigo/dawn"'),
    "scene-without-code": changed("called_off =", "code ="),
    "no-work": re.sub(r"work = \[\n.*?\n\]", "work = []", GOOD, count=1, flags=re.S),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_file_that_is_no_sample_community_is_refused_and_writes_nothing(app, tmp_path, content):
    cli.init_app(app)
    file = tmp_path / "village.toml"
    file.write_text(content)
    result = FlaskCliRunner(app).invoke(args=["demo", "load", str(file)])
    assert result.exit_code == 1, result.output
    assert "village.toml" in result.output
    assert "Traceback" not in result.output
    assert count(Community) == 0
    assert count(Person) == 0
    assert count(Notice) == 0


GOOD_BUT_UNUSUAL = {
    "adults-alone": re.sub(r'    \{ unit = "CHILD".*\n', "", GOOD),
    "large-parties-only": changed("min_party = 1", "min_party = 6", 0),
    "one-guest-at-a-time": re.sub("(max_party|capacity) = [68]", r"\1 = 1", GOOD),
    "a-day-and-a-night": changed("duration_minutes = 180", "duration_minutes = 4000"),
    "names-in-thai-alone": re.sub(r', en = "[^"]*house"', "", GOOD),
    "two-places-each": changed("places = 1", "places = 2", 0),
}


@pytest.mark.parametrize("content", GOOD_BUT_UNUSUAL.values(), ids=GOOD_BUT_UNUSUAL)
def test_a_file_that_passes_is_loaded_to_its_end(sqlite_app, tmp_path, content):
    file = tmp_path / "village.toml"
    file.write_text(content)
    load.load_file(file, PROVIDERS, NOW)
    assert count(Settlement) > 0


def test_without_pretended_payments_no_file_is_loaded(app):
    file = load.FOLDER / "3-ban-thep-fai.toml"
    with pytest.raises(DemoFileInvalid):
        load.load_file(file, {"promptpay": PROVIDERS["promptpay"]}, NOW)
    assert count(Community) == 0


def test_a_community_that_is_loaded_already_is_refused(sample_app):
    cli.init_app(sample_app)
    file = str(load.FOLDER / "1-buna-dara.toml")
    result = FlaskCliRunner(sample_app).invoke(args=["demo", "load", file])
    assert result.exit_code == 1
    assert "loaded already" in result.output


@pytest.mark.parametrize("days", range(7) if DEEP else [1])
def test_whatever_the_weekday_every_sample_host_has_a_departure_to_settle(days, tmp_path):
    now = NOW + timedelta(days=days)
    load_samples(tmp_path, now)
    app = create_app(make_settings(tmp_path))
    with app.app_context():
        for community in list_communities(db.session()):
            assert list_unsettled_trips(db.session(), community.id, now), community.slug
        db.session.remove()
        db.engine.dispose()


def test_a_database_of_another_shape_is_refused_in_plain_words(tmp_path, caplog):
    """Before the first release a change of the books' shape starts from an empty database."""
    app = create_app(make_settings(tmp_path))
    cli.init_app(app)
    with app.app_context():
        upgrade(revision="0002")
        with db.engine.begin() as connection:
            columns = [each["name"] for each in inspect(connection).get_columns("community")]
            connection.execute(text("INSERT INTO book VALUES (1, 'x', '', 0, '')"))
            values = ", ".join("1" if each in ("id", "book_id") else "'{}'" for each in columns)
            connection.execute(text(f"INSERT INTO community VALUES ({values})"))
        result = FlaskCliRunner(app).invoke(args=["prepare"])
        assert result.exit_code == 1
        assert "This database holds books of another shape. Start with a new" in caplog.text
        db.session.remove()
        db.engine.dispose()


# --- the auditor's bundle ------------------------------------------------------------------------


def test_audit_bundle_writes_a_month_that_verifies_elsewhere(run, tmp_path):
    out = tmp_path / "october.zip"
    days = ("--from", "2026-10-01", "--to", "2569-10-31")  # either era is read
    result = run("audit", "bundle", "--community", "buna-dara", *days, "--out", str(out))
    assert result.exit_code == 0, result.output
    code, told = bundles.run(bundles.copy_verifier(tmp_path / "elsewhere"), out)
    assert code == 0, told
    digest = re.search(r"SHA-256 ([0-9a-f]{64})", result.output)[1]
    assert f"SHA-256 {digest}" in told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"--community": "nowhere"}, "there is no community nowhere"),
        ({"--from": "2026-10-02"}, "whole months"),
        ({"--to": "2026-10-30"}, "whole months"),
        ({"--to": "2026-08-31"}, "whole months"),
        ({"--from": "yesterday"}, "not a day"),
    ],
)
def test_audit_bundle_says_what_cannot_be_and_writes_nothing(run, changes, told, tmp_path):
    given = {"--community": "buna-dara", "--from": "2026-10-01", "--to": "2026-10-31"}
    given = {**given, "--out": str(tmp_path / "out.zip"), **changes}
    result = run("audit", "bundle", *[word for pair in given.items() for word in pair])
    assert result.exit_code == 1
    assert told in result.output
    assert list(tmp_path.iterdir()) == []
