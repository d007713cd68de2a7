"""The commands: what scripts rely on."""

import sqlite3
from datetime import timedelta

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select, text

from cbt import cli
from cbt.app import create_app
from cbt.bookings.models import Booking
from cbt.bookings.queries import list_unsettled_trips
from cbt.communities.models import Community
from cbt.communities.queries import list_communities
from cbt.db import db, transaction
from cbt.demo import load
from cbt.ledger.models import Entry
from cbt.notices.models import Notice
from cbt.payments.models import Attempt, Capture
from cbt.people.models import Person
from cbt.pulse import last_beat
from cbt.revenue.models import Settlement
from cbt.web.health import WORKER
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
    assert len(lines) == 12
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
    assert set(db.session.scalars(select(Booking.state))) == {"settled", "confirmed", "held"}
    assert "reported" in set(db.session.scalars(select(Attempt.state)))


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


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not toml at all: [",
        'kind = "something else"',
        'kind = "cbt-demo-community/1"',
        GOOD.replace('slug = "ban-thep-fai"', ""),
        GOOD.replace('code = "T1"', ""),
        GOOD.replace('unit = "ADULT"', 'unit = "GIANT"', 1),
        GOOD.replace('task = "craft"', 'task = "boat"', 1),
        GOOD.replace('starts_at = "09:00"', 'starts_at = "25:00"'),
        GOOD.replace("voted_for = 5", "voted_for = 7"),
        GOOD.replace('th = "นั่งกี่ทอผ้ามัดหมี่"', "").replace("title = { , en", "title = { en", 1),
    ],
    ids=[
        *("empty", "no-toml", "other-kind", "kind-alone", "no-slug", "no-code", "unknown-unit"),
        *("nobody-does-it", "no-such-hour", "too-many-votes", "no-thai"),
    ],
)
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
