"""A closed November that a mentor audits, and the mentor's steps with defaults."""

from sqlalchemy import func, select

from cbt.audit import case_work, samples, sign_off
from cbt.audit.case_work import NewCase
from cbt.db import Base, db
from cbt.revenue.period_queries import get_period, list_signatures
from cbt.revenue.policy_rules import Severity
from tests.revenue.closing import (
    AFTER,
    KEY,
    NOVEMBER,
    PASSWORD,
    close_month,
    make_office,
    worked_month,
)


def audited_office(*parties):
    """A village with its office whose November is worked and closed."""
    office = make_office()
    worked_month(office, *parties)
    close_month(office)
    return office


def rows(table: type[Base]) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table))


def period(office, month=NOVEMBER):
    db.session.rollback()
    return get_period(db.session(), office.id, month)


def tell(office, *, person=None, now=AFTER, **changes):
    """A finding of November told by the mentor; returns its number."""
    given = {
        "subject": "period:2026-11",
        "severity": Severity.ERROR,
        "words": "Where is the receipt?",
        **changes,
    }
    return case_work.open_case(office.id, NewCase(**given), person or office.mentor, now)


def case(office, number):
    db.session.rollback()
    return case_work.get_case(db.session(), office.id, number)


def look_through(office, month=NOVEMBER, now=AFTER):
    """Draw the sample and find everything well."""
    for place in range(1, samples.draw_sample(office.id, month, office.mentor, now) + 1):
        samples.look_at(office.id, month, place, "", None, None, office.mentor, now)


def sign(office, *, person=None, words="", password=PASSWORD, now=AFTER, month=NOVEMBER):
    shown = period(office, month)
    sign_off.sign_month(office.id, shown, password, words, KEY, person or office.mentor, now)


def signers(office, month=NOVEMBER):
    return [str(each.role) for each in list_signatures(db.session(), period(office, month).id)]
