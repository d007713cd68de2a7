"""A village in whose November everything happened that books know, closed and signed by three.

Two trips, co-owners, a cancelled booking with preparation, refunds made by hand and come back, a credit
used, cash counted and banked, money that nothing explained, goodwill after the sharing-out, a dispute,
payouts of which one came back, a welfare claim, a loan, a correction.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select

from cbt.audit.findings import is_clean
from cbt.audit.verify import verify
from cbt.bookings.models import Booking
from cbt.communities.shares import Decision
from cbt.db import db
from cbt.experiences.models import Option
from cbt.payments import accounts, cash, cash_box, give_back, goodwill, take_in
from cbt.payments import credits as credits_
from cbt.payments.account_posting import Clearing
from cbt.payments.disputes import take_in_dispute
from cbt.payments.goodwill import Goodwill
from cbt.payments.models import Attempt, Capture, CashBanked, Credit, Refund
from cbt.payments.provider import DisputeState, NormalisedDispute, RefundState
from cbt.payments.reconcile import reconcile
from cbt.payments.reported import ProviderTransaction
from cbt.payments.transactions import clear_suspense
from cbt.payments.work import close_work, list_open_work
from cbt.revenue import fund_use, keys, ownership, pay_out, payout_queries, take_back
from cbt.revenue.funds import Evidence
from cbt.revenue.payout_models import PayoutBatch
from cbt.revenue.period_queries import get_period
from cbt.revenue.policy import DEFAULT, Bucket, DividendRule, Limits, ProviderRule
from cbt.revenue.signing import SignerRole
from tests import factories
from tests.factories import PROVIDERS
from tests.payments.telling import Telling, start
from tests.revenue.closing import (
    AFTER,
    AFTER_NEXT,
    DECEMBER,
    KEY,
    NOVEMBER,
    PASSWORD,
    close_month,
    make_office,
)
from tests.scripted import Scripted
from tests.site import NOW

EVENING = NOW + timedelta(days=2)
LATER = EVENING + timedelta(days=1)
DAY = LATER.date()
CHRISTMAS = date(2026, 12, 22)
CHRISTMAS_EVE = datetime(2026, 12, 24, 5, tzinfo=UTC)
FAR = factories.TOMORROW + timedelta(days=60)
POLICY = replace(
    DEFAULT,
    version=2,
    name="everything",
    intermediary_bp=500,
    intermediary_cap_satang=3_000,
    shares={**DEFAULT.shares, Bucket.PROVIDER: 7_000, Bucket.DIVIDEND: 800},
    fixed={Bucket.WELFARE: 2_000},
    limits={Bucket.REVOLVE: Limits(cap_satang=1_000), Bucket.CONSERVE: Limits(floor_satang=900)},
    provider_rule=ProviderRule.RATES_FIRST,
    surplus=Bucket.DEVELOP,
    rates={task: rate // 4 for task, rate in DEFAULT.rates.items()},
    dividend_rule=DividendRule.BY_SHARES,
)


def make_rich_month():
    """The village's office, November closed and signed by platform, treasurer and mentor."""
    village = factories.make_village(policy=POLICY)
    office = make_office(village)
    second = factories.make_person()
    _own_together(village, second)
    _sell_and_settle(village)
    _money_beside(village, second)
    _after_the_sharing_out(village, second)
    _pay_households(village, second)
    _use_funds(village, second)
    _tidy_up(village, second)
    close_month(office)
    for role, person in (
        (SignerRole.TREASURER, office.treasurer),
        (SignerRole.MENTOR, office.mentor),
    ):
        period = get_period(db.session(), office.id, NOVEMBER)
        keys.sign_period(office.id, period, role, PASSWORD, KEY, person, AFTER)
    db.session.rollback()
    assert is_clean(verify(db.session(), village.card))
    return office


def _own_together(village, second):
    boat = factories.own_boat(village, second)
    experience = db.session.scalar(
        select(Option.experience_id).where(Option.id == village.option_id)
    )
    db.session.rollback()
    use = ownership.record_use(
        village.id, experience, boat, factories.SPRING, village.person_id, NOW
    )
    ownership.decide_use(village.id, use, Decision.CONFIRMED, second, NOW)


def _sell_and_settle(village):
    for party in ({"ADULT": 2}, {"ADULT": 1, "CHILD": 1}, {"ADULT": 3}):
        factories.book(village, party)
    factories.cancel_booking(factories.book(village, {"ADULT": 2}))
    give_back.send_refunds(PROVIDERS, NOW)
    factories.record_preparation(village, ("H02", 12_345), ("H03", 6_789))
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1), ("H03", "cook", 2))
    factories.settle(village, EVENING)


def _money_beside(village, second):
    """A trip far off: what guests paid, got back and left for it lies on deposit at the close."""
    far = replace(village, departure_id=factories.make_departure(village.option_id, FAR))
    _refund_by_hand(far)
    factories.cancel_booking(factories.book(far, {"ADULT": 2}), as_credit=True)
    code = db.session.scalar(select(Credit.code))
    credits_.use_credit(factories.hold(far, {"ADULT": 1}), code, NOW)
    held = factories.hold(far, {"ADULT": 2})
    cash.take_cash(village.id, held, village.person_id, NOW, PROVIDERS)
    cash_box.bank_cash(village.id, 60_000, "=BR1", village.person_id, NOW)
    db.session.rollback()
    banked = db.session.scalar(select(CashBanked.id))
    cash_box.decide_banked(village.id, banked, second, NOW, is_back=False)
    counted = cash_box.count_cash(village.id, 29_900, "a coin fell", village.person_id, NOW)
    cash_box.agree_count(village.id, counted, second, NOW)
    _listed_by_a_provider(village, far)


def _refund_by_hand(far):
    factories.cancel_booking(factories.book(far))
    bank = Scripted()
    bank.first = RefundState.SUCCEEDED
    give_back.send_refunds(bank.among, NOW)
    bank.tell_all(RefundState.FAILED, NOW)
    db.session.rollback()
    refund_id = db.session.scalar(select(Refund.id).order_by(Refund.id.desc()))
    give_back.take_in_refund(refund_id, bank.among, NOW)
    give_back.note_refund_made(far.id, refund_id, "KTB1", far.person_id, bank.among, EVENING)


def _listed_by_a_provider(village, far):
    provider = Telling()
    accounts.open_payment_account(village.id, provider, {}, factories.text("receiver"))
    providers = {**PROVIDERS, provider.name: provider}
    attempt = start(far, provider, providers)
    provider.pay(attempt)
    take_in.take_in(attempt.id, providers, NOW)
    provider.pay_out(50_000)
    for amount in (7_000, -300):
        provider.move("other", "", amount)
    reconcile(providers, NOW + timedelta(minutes=10))
    db.session.rollback()
    unknown = select(ProviderTransaction.id)
    for amount in (7_000, -300):
        row = db.session.scalar(unknown.where(ProviderTransaction.net_satang == amount))
        clear_suspense(village.id, row, Clearing.FUND, "found", village.person_id, NOW)


def _after_the_sharing_out(village, second):
    captures = db.session.scalars(select(Capture).order_by(Capture.id).limit(2)).all()
    references = [each.booking_id for each in captures]
    account = db.session.scalar(
        select(Attempt.payment_account_id).where(Attempt.id == captures[1].attempt_id)
    )
    disputed = (captures[1].payment_id, captures[1].amount_satang)
    db.session.rollback()
    _goodwill(village, references[0], 40_000)
    take_back.take_back_losses(LATER)
    for state in (DisputeState.OPEN, DisputeState.LOST):
        told = NormalisedDispute("dp_late", *disputed, 0, state, "fraudulent", LATER, None)
        take_in_dispute(account, told, LATER)
    take_back.take_back_losses(LATER)
    asked = take_back.ask_correction(
        village.id,
        *("household:H01", "household:H02", 500, "the boat was H02's", NOW.date()),
        *(village.person_id, LATER),
    )
    take_back.decide_correction(village.id, asked, second, LATER, agree=True)


def _goodwill(village, booking_id, satang, now=LATER):
    reference = db.session.scalar(select(Booking.reference).where(Booking.id == booking_id))
    db.session.rollback()
    wanted = Goodwill(amount_satang=satang)
    agreed = goodwill.quote_goodwill(village.id, reference, wanted, now)
    goodwill.ask_goodwill(village.id, reference, wanted, agreed, village.person_id, now)
    give_back.send_refunds(PROVIDERS, now)


def _pay_households(village, second):
    number = pay_out.draft_batch(village.id, 100, village.person_id, LATER)
    db.session.rollback()
    total = payout_queries.get_batch(db.session(), village.id, number).total_satang
    db.session.rollback()
    pay_out.approve_batch(village.id, number, total, second, LATER)
    lines = payout_queries.list_lines(db.session(), PayoutBatch.community_id == village.id)
    db.session.rollback()
    for place, line in enumerate(lines[:2]):
        about = ("promptpay", f"KTB-{place}", DAY, village.person_id, LATER)
        pay_out.note_paid(village.id, line.id, *about)
    pay_out.note_returned(village.id, lines[1].id, "account closed", DAY, village.person_id, LATER)


def _tidy_up(village, second):
    """What a close asks for: nothing open on the list, and the cash counted after the last day."""
    for item in list_open_work(db.session(), village.id):
        db.session.rollback()
        close_work(village.id, item.id, "seen", village.person_id, LATER)
    counted = cash_box.count_cash(village.id, 29_900, "", village.person_id, AFTER)
    cash_box.agree_count(village.id, counted, second, AFTER)


def _use_funds(village, second):
    third = factories.make_person()
    fund_use.contribute(
        village.id,
        *("welfare", "local_government", "", 100_000, "promptpay", "GOV-1", "yearly grant"),
        *(DAY, village.person_id, LATER),
    )
    fund_use.contribute(
        village.id,
        *("revolve", "member", "H01", 50_000, "promptpay", "M-1", "own money"),
        *(DAY, village.person_id, LATER),
    )
    claim = fund_use.request_claim(
        village.id,
        *("welfare", "illness", "H01", "Ms H01", "three nights in hospital", 1_000),
        *("certificate", Evidence("certificate.pdf", b"%PDF-1.7 certificate")),
        *(village.person_id, LATER),
    )
    for person in (second, third):
        fund_use.approve_claim(village.id, claim, person, LATER)
    fund_use.pay_claim(village.id, claim, "promptpay", "KTB-9", DAY, village.person_id, LATER)
    loan = fund_use.request_loan(
        village.id, "H02", "Mr H02", "an engine", 30_000, 3, FAR, village.person_id, LATER
    )
    for person in (second, third):
        fund_use.approve_loan(village.id, loan, person, LATER)
    fund_use.pay_loan(village.id, loan, "promptpay", "KTB-10", DAY, village.person_id, LATER)
    fund_use.repay_loan(
        village.id, loan, 10_000, "promptpay", "KTB-11", DAY, village.person_id, LATER
    )


# --- the month after -----------------------------------------------------------------------------


def go_on(office):
    """December: another trip, goodwill for a guest of November's, a payout stopped, cash counted; closed."""
    village, second = office.village, factories.make_person()
    trip = replace(village, departure_id=factories.make_departure(village.option_id, CHRISTMAS))
    factories.book(trip, {"ADULT": 2}, now=AFTER)
    factories.record_work(trip, ("H01", "boat", 1), ("H04", "cook", 1), now=CHRISTMAS_EVE)
    factories.settle(trip, CHRISTMAS_EVE)
    booking_id = db.session.scalar(select(Capture.booking_id).order_by(Capture.id))
    db.session.rollback()
    _goodwill(village, booking_id, 9_000, CHRISTMAS_EVE)
    take_back.take_back_losses(CHRISTMAS_EVE)
    lines = payout_queries.list_lines(db.session(), PayoutBatch.community_id == village.id)
    db.session.rollback()
    about = ("promptpay", "KTB-later", CHRISTMAS, village.person_id, CHRISTMAS_EVE)
    pay_out.note_paid(village.id, lines[2].id, *about)
    for item in list_open_work(db.session(), village.id):
        db.session.rollback()
        close_work(village.id, item.id, "seen", village.person_id, CHRISTMAS_EVE)
    counted = cash_box.count_cash(village.id, 29_900, "", village.person_id, AFTER_NEXT)
    cash_box.agree_count(village.id, counted, second, AFTER_NEXT)
    close_month(office, DECEMBER, AFTER_NEXT)
    db.session.rollback()
    assert is_clean(verify(db.session(), village.card))
