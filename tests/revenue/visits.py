"""A guest whose visit gave to the funds, and funds that are used afterwards."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

from sqlalchemy import update

from cbt.bookings import hold as holding
from cbt.bookings.hold import Details
from cbt.bookings.models import Booking
from cbt.db import transaction
from cbt.revenue import fund_use
from cbt.revenue.funds import Evidence
from tests import factories
from tests.site import NOW

EVENING = NOW + timedelta(days=2)
PAPER = Evidence("certificate.pdf", b"%PDF-1.7 certificate")
_GUEST = Details(
    name="Guest",
    email="guest@example.org",
    phone="",
    food_needs="",
    access_needs="",
    consent=False,
    follow_up=True,
)
_numbers = count(1)


def visit(village, language="en", **details):
    """A booking that was paid and settled, whose guest asked for a line; returns its reference."""
    reference = factories.hold(village)
    holding.save_details(reference, replace(_GUEST, **details), NOW)
    factories.pay_by_demo(reference)
    with transaction() as session:
        session.execute(
            update(Booking).where(Booking.reference == reference).values(language=language)
        )
    factories.record_work(village, ("H01", "boat", 1))
    factories.settle(village, EVENING)
    return reference


def use_fund(village, times=1, satang=1_000, fund="welfare", purpose="illness", on=EVENING):
    """So many requests of a household are asked for, approved by two, and paid."""
    two = factories.make_person(), factories.make_person()
    for _number in range(times):
        claim = fund_use.request_claim(
            village.id,
            *(fund, purpose, "H01", "Ms H01 of the hill", "three nights", satang, "certificate"),
            *(PAPER, village.person_id, on),
        )
        for person in two:
            fund_use.approve_claim(village.id, claim, person, on)
        reference = f"KTB-{next(_numbers)}"
        fund_use.pay_claim(
            village.id, claim, "promptpay", reference, on.date(), village.person_id, on
        )
