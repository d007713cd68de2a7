"""Random stories of paying, changing, cancelling, goodwill, what a provider answers, and disputes.

After each step the audit is clean (received = returned + lost + on deposit + split) and no payment
gives back more than it brought.
"""

from collections import Counter
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from cbt.audit.findings import Check
from cbt.audit.verify import verify
from cbt.bookings.terms import Terms, Tier, canonical
from cbt.db import db
from cbt.errors import CbtError
from cbt.payments import disputes, give_back, goodwill, queries
from cbt.payments.goodwill import Goodwill
from cbt.payments.models import Capture, CaptureBalance, PaymentAccount, Refund
from cbt.payments.money_rules import MoneyRules, set_money_rules
from cbt.payments.provider import DisputeState, NormalisedDispute, RefundState
from cbt.payments.reported import Dispute
from tests import factories
from tests.conftest import DEEP
from tests.factories import TOMORROW
from tests.scripted import Scripted
from tests.site import NOW

FAR = TOMORROW + timedelta(days=20)
AFTER = NOW + timedelta(days=30)
ANSWERS = (
    RefundState.SENT,
    RefundState.ACTION_REQUIRED,
    RefundState.SUCCEEDED,
    RefundState.SUCCEEDED,
    RefundState.FAILED,
    RefundState.CANCELLED,
)


class Story:
    """One village with a few bookings; each deed is what a person or a provider may do next."""

    def __init__(self, bp):
        terms = canonical(Terms("Random", (Tier(1, bp),)))
        self.village = factories.make_village(on=FAR, terms=terms, capacity=40, max_party=20)
        self.other = factories.make_person()
        rules = MoneyRules(approve_from_satang=60_000)
        set_money_rules(self.village.id, rules, self.village.person_id, NOW)
        self.bank = Scripted()
        self.references = []
        self.now = NOW
        self.account = db.session.scalar(
            select(PaymentAccount.id).where(
                PaymentAccount.community_id == self.village.id, PaymentAccount.provider == "demo"
            )
        )
        db.session.rollback()

    def pick(self, number):
        return self.references[number % len(self.references)]

    def book(self, number):
        party = {"ADULT": 1 + number % 6}
        self.references.append(factories.book(self.village, party, self.now))
        return True

    def change(self, number):
        reference = self.pick(number)
        factories.change_booking(reference, self.now, party={"ADULT": 1 + number % 7})
        factories.pay_by_demo(reference, self.now)
        return True

    def cancel(self, number):
        factories.cancel_booking(self.pick(number), self.now, as_credit=number % 3 == 0)
        return True

    def goodwill(self, number):
        reference, wanted = self.pick(number), Goodwill(amount_satang=1 + number * 977)
        quoted = goodwill.quote_goodwill(self.village.id, reference, wanted, NOW)
        person_id = self.village.person_id
        goodwill.ask_goodwill(self.village.id, reference, wanted, quoted, person_id, self.now)
        return True

    def approve(self, number):
        waiting = self._waiting(RefundState.REQUESTED)
        for card in waiting:
            give_back.approve_refund(self.village.id, card.id, self.other, self.now)
        return bool(waiting)

    def refuse(self, number):
        waiting = self._waiting(RefundState.REQUESTED)
        for card in waiting:
            give_back.cancel_refund(self.village.id, card.id, self.other)
        return bool(waiting)

    def send(self, number):
        self.bank.first = ANSWERS[number % len(ANSWERS)]
        before = len(self.bank.asked)
        give_back.send_refunds(self.bank.among, self.now)
        return len(self.bank.asked) > before

    def answer(self, number):
        self.bank.tell_all(ANSWERS[number % len(ANSWERS)], self.now)
        for refund_id in self._refunds():
            give_back.take_in_refund(refund_id, self.bank.among, self.now)
        return bool(self.bank.refunds)

    def by_hand(self, number):
        waiting = self._waiting(RefundState.FAILED)
        for card in waiting:
            give_back.note_refund_made(
                self.village.id, card.id, "X", self.other, self.bank.among, self.now
            )
        return bool(waiting)

    def dispute(self, number):
        captures = self._captures()
        capture = captures[number % len(captures)]
        said = NormalisedDispute(
            provider_ref=f"dp-{self.village.id}-{capture.id}",
            payment_id=capture.payment_id,
            amount_satang=max(1, capture.amount_satang - number),
            fee_satang=number * 7,
            state=tuple(DisputeState)[number % 3],
            reason="fraudulent",
            opened_at=self.now,
            evidence_until=None,
        )
        disputes.take_in_dispute(self.account, said, self.now)
        return True

    def decide(self, number):
        db.session.rollback()
        known = db.session.execute(
            select(Dispute, Capture.payment_id)
            .join(Capture, Capture.id == Dispute.capture_id)
            .where(Dispute.community_id == self.village.id)
        ).all()
        for dispute, payment_id in known:
            state = DisputeState.WON if number % 2 else DisputeState.LOST
            money = (dispute.amount_satang, dispute.fee_satang)
            said = NormalisedDispute(
                dispute.provider_ref, payment_id, *money, state, "", dispute.opened_at, None
            )
            disputes.take_in_dispute(self.account, said, self.now)
        return bool(known)

    def settle(self, number):
        work = [("H01", "boat", 1), ("H02", "guide", 1 + number % 3)]
        factories.record_work(self.village, *work, now=AFTER)
        self.now = AFTER
        factories.settle(self.village, AFTER)
        return True

    def _waiting(self, state):
        db.session.rollback()
        found = queries.list_refunds_to_make(db.session(), self.village.id)
        return [each for each in found if each.state == state]

    def _refunds(self):
        db.session.rollback()
        found = select(Refund.id).where(Refund.community_id == self.village.id)
        return list(db.session.scalars(found.order_by(Refund.id)))

    def _captures(self):
        db.session.rollback()
        found = select(Capture).where(Capture.community_id == self.village.id)
        return list(db.session.scalars(found.order_by(Capture.id)))

    # --- what must hold after each deed ----------------------------------------------------------

    def check(self):
        db.session.rollback()
        outcomes = verify(db.session(), self.village.card)
        assert [each for outcome in outcomes for each in outcome.findings] == []
        assert next(each for each in outcomes if each.check == Check.DEPOSITS).looked_at
        for capture in self._captures():
            refunds = _sum(Refund.amount_satang, Refund, capture, Refund.state != "cancelled")
            held = _sum(Dispute.reserved_satang, Dispute, capture, Dispute.state != "won")
            held += _sum(Dispute.fund_satang, Dispute, capture, Dispute.state == "won")  # too late
            balance = db.session.get(CaptureBalance, capture.id)
            assert refunds + held == balance.returning_satang <= capture.amount_satang
        for reference in self.references:
            money = queries.get_money(
                db.session(), factories.get_booking(db.session(), reference).id
            )
            assert money.kept_satang >= money.returnable_satang >= 0


def _sum(amount, table, capture, condition):
    found = select(func.sum(amount)).where(table.capture_id == capture.id, condition)
    return int(db.session.scalar(found) or 0)


DEEDS = (
    *("book", "change", "cancel", "goodwill", "approve", "refuse", "send", "answer"),
    *("by_hand", "dispute", "decide", "settle"),
)
OFTEN = (*DEEDS, "goodwill", "goodwill", "send", "send", "answer", "by_hand", "refuse")
HEARD = ("answer", "dispute", "decide", "send")
"""What a provider says is never refused, or it would be told again and again."""

_STEP = st.tuples(st.sampled_from(OFTEN), st.integers(0, 200))


def test_no_story_loses_a_satang_or_gives_back_more_than_came(app):
    done: Counter[str] = Counter()

    @settings(
        max_examples=150 if DEEP else 14,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=not DEEP,
        database=None,
    )
    @given(
        bp=st.integers(0, 10_000),
        adults=st.integers(2, 5),
        steps=st.lists(_STEP, min_size=10, max_size=18),
    )
    def tell(bp, adults, steps):
        story = Story(bp)
        for deed, number in [("book", adults), ("goodwill", 35 * adults), *steps]:
            try:
                done[deed] += getattr(story, deed)(number)
            except CbtError:  # a refusal is an answer; what must hold holds all the same
                if deed in HEARD:
                    raise
                db.session.rollback()
            story.check()

    tell()
    assert not [deed for deed in DEEDS if not done[deed]], done


def test_a_story_with_every_turn_a_refund_can_take(app):
    """Sent, named, done, sent back by the bank, done by hand; then the rest is disputed and lost."""
    story = Story(5_000)
    steps = [
        *(("book", 3), ("goodwill", 70), ("approve", 0), ("send", 0), ("answer", 1), ("answer", 2)),
        *(("answer", 4), ("by_hand", 0), ("dispute", 0), ("decide", 0), ("settle", 1)),
        *(("answer", 2), ("decide", 1)),
    ]
    seen = []
    for deed, number in steps:
        getattr(story, deed)(number)
        story.check()
        seen.append(db.session.scalar(select(Refund.state)))
    assert seen[3:8] == ["sent", "action_required", "succeeded", "failed", "succeeded"]
