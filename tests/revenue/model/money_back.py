"""Money that goes back: refunds, goodwill before and after the sharing-out, disputes, and who bears it."""

from dataclasses import replace

from sqlalchemy import select

from cbt.db import db
from cbt.errors import AnswerWrong, SecondPersonNeeded
from cbt.payments import disputes, give_back, goodwill
from cbt.payments.goodwill import Goodwill
from cbt.payments.models import Capture, Refund
from cbt.payments.provider import DisputeState, NormalisedDispute
from cbt.revenue import take_back
from tests.revenue.model.guests import is_quiet
from tests.revenue.model.life import deed

MOST_OWED = 30_000
_DISPUTE_FEES = (0, 1_070, 53_500)


def refunds(life, *states):
    """(booking, refund) of those in some states."""
    return [(b, r) for b in life.paper.bookings.values() for r in b.refunds if r.state in states]


def is_disputed(booking, payment):
    return any(each.payment is payment and each.state == "open" for each in booking.disputes)


def sendable(life):
    return [
        (booking, refund)
        for booking, refund in refunds(life, "due")
        if refund.payment.service == "stripe" and not is_disputed(booking, refund.payment)
    ]


def by_hand(life):
    return [
        (booking, refund)
        for booking, refund in refunds(life, "due", "failed")
        if (refund.state == "failed" or refund.payment.service == "cash")
        and not is_disputed(booking, refund.payment)
    ]


def before_sharing(life):
    return [e for e in life.bookings("booked", "cancelled") if not e.turn and can_give(e)]


def after_sharing(life):
    return [each for each in life.bookings("settled", "cancelled") if each.turn and can_give(each)]


def can_give(booking):
    return is_quiet(booking) and free(booking) > 0


def free(booking):
    return min(sum(booking.free(each) for each in booking.payments), booking.returnable)


def disputable(life):
    return [
        (booking, payment)
        for booking in life.bookings("booked", "settled", "cancelled")
        for payment in booking.payments
        if payment.service == "stripe"
        and is_quiet(booking)
        and not any(
            each.payment is payment and each.state in ("asked", "due", "failed")
            for each in booking.refunds
        )
        and not any(each.payment is payment for each in booking.disputes)
    ]


def open_disputes(life):
    return [(b, d) for b in life.paper.bookings.values() for d in b.disputes if d.state == "open"]


def lost_disputes(life):
    """Those of bookings that were not cancelled while they were lost."""
    return [
        (b, d)
        for b in life.paper.bookings.values()
        for d in b.disputes
        if d.state == "lost" and not (b.state == "cancelled" and not d.after_sharing)
    ]


def pending(booking):
    return any(each.state in ("asked", "due", "failed") for each in booking.refunds)


def came_by_bank(booking, refund):
    return refund.account == "payment:stripe" and is_quiet(booking)


def losses(life):
    return [
        each
        for each in life.paper.bookings.values()
        if (each.lost or each.cost) and (each.turn or each.state == "cancelled")
    ]


def correctable(life):
    """(from, to): rather from who stands in a drafted payout, which then fits no more."""
    own = [code for code in life.paper.register if life.paper.earned[f"household:{code}"] > 0]
    drafted = [line.household for _id, line in life.batch[1]] if life.batch else []
    sources = [code for code in own if code in drafted] or own
    return [(a, b) for a in sources for b in life.paper.register if a != b]


class MoneyBack:
    """Deeds about money that goes back."""

    def _give(self, booking, satang):
        wanted = Goodwill(amount_satang=satang)
        quoted = goodwill.quote_goodwill(self.id, booking.reference, wanted, self.now)
        person = self.office.coordinator
        goodwill.ask_goodwill(self.id, booking.reference, wanted, quoted, person, self.now)
        assert quoted.waits == self.paper.goodwill(booking, satang)

    @deed(1, before_sharing)
    def give_before(self, booking):
        self._give(booking, self.amount(1, free(booking)))

    @deed(1, before_sharing)
    def give_all_before(self, booking):
        """The trip costs its party nothing: its split still has a number and a place in the chain."""
        self._give(booking, free(booking))

    @deed(5, after_sharing)
    def give_after(self, booking):
        self._give(booking, self.amount(1, free(booking)))

    @deed(2, after_sharing)
    def give_all_after(self, booking):
        self._give(booking, free(booking))

    @deed(6, lambda life: refunds(life, "asked"))
    def approve_refund(self, about):
        booking, refund = about
        person = self.office.treasurer
        give_back.approve_refund(self.id, self.refund_id(booking, refund), person, self.now)
        refund.state = "due"

    @deed(
        4,
        lambda life: [
            (b, r)
            for b, r in refunds(life, "asked")
            if r.is_goodwill and bool(b.turn) == r.after_sharing
        ],
    )
    def refuse_refund(self, about):
        booking, refund = about
        give_back.cancel_refund(self.id, self.refund_id(booking, refund), self.office.treasurer)
        refund.state = "refused"

    def _send(self, *, fails):
        due = sendable(self)
        self.bank.fails = fails
        self.bank.gives_fee_back = all(
            not booking.turn and refund.payment.fee is not None for booking, refund in due
        )
        done = give_back.send_refunds(self.providers, self.now)
        assert done == (0 if fails else len(due))
        for booking, refund in due:
            if fails:
                refund.state = "failed"
            else:
                fee = self.bank.fee_back(refund.satang)
                self.paper.refund_done(booking, refund, "payment:stripe", fee, self.today)

    @deed(5, sendable)
    def send_refunds(self, _about):
        self._send(fails=False)

    @deed(2, sendable)
    def refunds_fail(self, _about):
        self._send(fails=True)

    @deed(4, by_hand)
    def refund_by_hand(self, about):
        booking, refund = about
        sources = ["promptpay"]
        if self.paper.held["payment:cash"] >= refund.satang:
            sources.append("cash")
        source = self.one(sources, "source")
        refund_id, person = self.refund_id(booking, refund), self.office.treasurer
        give_back.note_refund_made(
            self.id, refund_id, self.key(), person, self.providers, self.now, source
        )
        self.paper.refund_done(booking, refund, f"payment:{source}", 0, self.today)

    @deed(2, lambda life: list(life.bank.keys))
    def send_again_otherwise(self, key):
        """A refund is asked for once more with its key and another amount: the service refuses it."""
        (payment_id, satang), _answer = self.bank.keys[key]
        due = give_back.list_due(Capture.payment_id == payment_id)
        asked = next(each.asked for each in due if each.asked.key == key)
        assert (asked.key, asked.amount_satang) == (key, satang)
        with self.refused(AnswerWrong):
            self.bank.refund(replace(asked, amount_satang=satang + 1), self.now)

    # --- disputes --------------------------------------------------------------------------------

    def _say(self, booking, dispute, state):
        told = NormalisedDispute(
            provider_ref=dispute.number,
            payment_id=dispute.payment.number,
            amount_satang=dispute.satang,
            fee_satang=dispute.fee,
            state=state,
            reason="general",
            opened_at=self.now,
            evidence_until=None,
        )
        disputes.take_in_dispute(self.founded.account, told, self.now)

    @deed(3, lambda life: [(b, p) for b, p in disputable(life) if not b.turn])
    def open_dispute_before(self, about):
        self._open_dispute(*about)

    @deed(5, lambda life: [(b, p) for b, p in disputable(life) if b.turn])
    def open_dispute_after(self, about):
        self._open_dispute(*about)

    def _open_dispute(self, booking, payment):
        satang = self.one([payment.satang, self.amount(1, payment.satang)], "disputed")
        fee = self.one(_DISPUTE_FEES, "fee")
        number = f"dp_{self.key()}"
        dispute = self.paper.dispute(booking, payment, number, satang, fee, self.today)
        self.bank.move("dispute", number, -satang, fee, self.now)
        self._say(booking, dispute, DisputeState.OPEN)

    @deed(2, open_disputes)
    def win_dispute(self, about):
        booking, dispute = about
        self.bank.move("dispute_won", dispute.number, dispute.satang, 0, self.now)
        self._say(booking, dispute, DisputeState.WON)
        self.paper.dispute_won(booking, dispute, self.today)

    @deed(3, lambda life: [(b, d) for b, d in open_disputes(life) if not d.after_sharing])
    def lose_dispute_before(self, about):
        self.lose_dispute(about)

    @deed(5, lambda life: [(b, d) for b, d in open_disputes(life) if d.after_sharing])
    def lose_dispute_after(self, about):
        self.lose_dispute(about)

    def lose_dispute(self, about):
        booking, dispute = about
        self._say(booking, dispute, DisputeState.LOST)
        self.paper.dispute_lost(booking, dispute, self.today)

    @deed(
        4,
        lambda life: [
            (b, d) for b, d in lost_disputes(life) if b.state != "choosing" and not pending(b)
        ],
    )
    def win_after_all(self, about):
        """A lost dispute is decided anew: who bore the loss gets it back."""
        booking, dispute = about
        self.bank.move("dispute_won", dispute.number, dispute.satang, 0, self.now)
        self._say(booking, dispute, DisputeState.WON)
        self.paper.dispute_reinstated(booking, dispute, self.today)

    @deed(3, lambda life: [(b, r) for b, r in refunds(life, "done") if came_by_bank(b, r)])
    def refund_comes_back(self, about):
        """The guest's bank sends a refund back days later; from now on a person must transfer it."""
        booking, refund = about
        refund_id = self.refund_id(booking, refund)
        ref = db.session.scalar(select(Refund.provider_ref).where(Refund.id == refund_id))
        db.session.rollback()
        self.bank.returned.add(ref)
        self.bank.move("refund_failure", ref, refund.satang, 0, self.now)
        give_back.take_in_refund(refund_id, self.providers, self.now)
        self.paper.refund_came_back(refund, self.today)

    # --- bearing ---------------------------------------------------------------------------------

    @deed(7, losses)
    def bear_losses(self, _about):
        done = take_back.take_back_losses(self.now)
        assert done == self.paper.bear_losses(self.today)

    @deed(3, correctable)
    def correct(self, about):
        """What was a household's turns out to be another's; what it was paid of it, it owes."""
        source, target = about
        satang = self.amount(1, self.paper.held[f"household:{source}"] + MOST_OWED)
        asked = take_back.ask_correction(
            *(self.id, f"household:{source}", f"household:{target}", satang),
            *("the boat was another's", self.today, self.office.treasurer, self.now),
        )
        with self.refused(SecondPersonNeeded):
            take_back.decide_correction(self.id, asked, self.office.treasurer, self.now, agree=True)
        take_back.decide_correction(self.id, asked, self.office.coordinator, self.now, agree=True)
        self.paper.correct(source, target, satang, self.today)
