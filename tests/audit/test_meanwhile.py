"""What is sold while the audit reads is no fault, on both databases."""

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import event, func, select

from cbt import cli
from cbt.db import db, snapshot
from cbt.ledger.models import Entry
from cbt.people.roles import Grant, Role
from cbt.people.services import grant_role
from tests import factories
from tests.concurrency import run_together
from tests.site import NOW
from tests.web.forms import sign_in

PASSWORD = "long enough"


@pytest.fixture
def village(app):
    village = factories.make_village()
    factories.book(village)
    grant_role(factories.make_person("mentor"), Grant(Role.MENTOR, village.id), NOW)
    db.session.rollback()
    return village


@pytest.fixture
def sold(app, village):
    """The references of what is sold as soon as somebody has read the head of the books."""
    references = []

    def sell(_connection, _cursor, statement, *_rest):
        if "FROM book \n" in statement and not references:
            references.append("")
            references[:] = run_together(app, lambda _number: factories.book(village), 1)

    event.listen(db.engine, "after_cursor_execute", sell)
    yield references
    event.remove(db.engine, "after_cursor_execute", sell)
    assert isinstance(references[0], str), references
    assert references[0]


def test_the_command_raises_no_false_alarm(app, village, sold):
    cli.init_app(app)
    verify = ["audit", "verify", "--community", village.slug]
    assert "fail" not in FlaskCliRunner(app).invoke(args=verify).output
    assert len(sold) == 1


def test_the_mentors_page_raises_no_false_alarm(app, village, sold):
    client = app.test_client()
    sign_in(client, "mentor", PASSWORD)
    page = client.get(f"/en/mentor/{village.slug}").text
    assert "The chain of entries is whole" in page
    assert "The books say that entry" not in page
    assert "No record calls for it" not in page
    assert len(sold) == 1


def test_a_snapshot_does_not_see_what_others_commit_meanwhile(app, village):
    entries = select(func.count()).select_from(Entry)
    with snapshot() as session:
        before = session.scalar(entries)
        assert run_together(app, lambda _number: factories.book(village), 1)[0]
        assert session.scalar(entries) == before
    with snapshot() as session:
        assert session.scalar(entries) > before
