"""A village whose month can be closed, and closing it as its treasurer and coordinator do."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from cbt.audit.closing import sum_up
from cbt.audit.verify import verify
from cbt.db import db
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue import close
from cbt.revenue.close_facts import AuditFacts
from cbt.revenue.signing import PlatformKey, make_platform_key, read_platform_key
from tests import factories
from tests.site import NOW

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
EVENING = NOW + timedelta(days=2)
AFTER = datetime(2026, 12, 3, 4, tzinfo=UTC)
AFTER_NEXT = datetime(2027, 1, 4, 4, tzinfo=UTC)
PASSWORD = "long enough"
KEY = read_platform_key(make_platform_key())


@dataclass(frozen=True)
class Office:
    """A village with the people of a close."""

    village: factories.Village
    treasurer: int
    coordinator: int
    mentor: int

    @property
    def id(self):
        return self.village.id

    @property
    def card(self):
        return self.village.card


def make_office(village=None):
    village = village or factories.make_village()
    found = {}
    for role in (Role.TREASURER, Role.COORDINATOR, Role.MENTOR):
        found[role.value] = factories.make_person()
        people.grant_role(found[role.value], Grant(role, village.id), NOW)
    return Office(village, **found)


def worked_month(office, *parties):
    """Guests booked, came, and were settled in November."""
    for party in parties or ({"ADULT": 2}, {"ADULT": 1, "CHILD": 1}, {"ADULT": 3}):
        factories.book(office.village, party)
    rows = (("H01", "boat", 1), ("H02", "guide", 1), ("H03", "cook", 1))
    factories.record_work(office.village, *rows)
    factories.settle(office.village, EVENING)


def audited(office):
    """What the audit says now, as the door hands it in."""
    db.session.rollback()
    return sum_up(db.session(), office.card, verify(db.session(), office.card))


VOUCHED = AuditFacts(is_clean=True, audited_seq=10**6)
"""An audit that sees nothing wrong, for entries that only a test can post."""


def looked(office, month=NOVEMBER, now=AFTER, person=None, until=None, audit=None):
    audit = audit or audited(office)
    person = person or office.treasurer
    return close.look(db.session(), office.card, month, audit, person, until, now)


def prepare(office, month=NOVEMBER, now=AFTER, *, person=None, words=None, previewed=None):
    audit = audited(office)
    seen = looked(office, month, now, person, audit=audit)
    said = {each.rule: "we know and talk about it" for each in seen.answers if each.asks}
    return close.prepare_close(
        office.id,
        month,
        previewed or seen.figures.fingerprint,
        said if words is None else words,
        audit,
        None,
        person or office.treasurer,
        now,
    )


def confirm(office, draft, now=AFTER, *, person=None, key: PlatformKey = KEY, audit=None):
    person = person or office.coordinator
    audit = audit or audited(office)
    return close.close_period(office.id, draft, audit, None, key, person, now)


def close_month(office, month=NOVEMBER, now=AFTER, key: PlatformKey = KEY):
    """Prepared by the treasurer, confirmed by the coordinator."""
    return confirm(office, prepare(office, month, now), now, key=key)
