"""The cash box, and the month's end: everything put in order, then closed by two people and signed."""

from datetime import date, timedelta

from cbt.clock import next_month
from cbt.db import db
from cbt.errors import CloseBlocked, PeriodNotNext, PeriodNotOver
from cbt.payments import cash_box
from cbt.payments.work import can_be_noted, close_work, list_open_work
from cbt.revenue import close, keys
from cbt.revenue.period_queries import get_period, list_signatures
from cbt.revenue.signing import SignerRole
from tests.concurrency import run_together
from tests.revenue import closing
from tests.revenue.model.life import deed
from tests.revenue.model.money_back import by_hand, losses, open_disputes, refunds, sendable
from tests.revenue.model.service import over, ready

FIRST = date(2026, 11, 1)


def box(life):
    return [None] if life.paper.held["payment:cash"] else []


def month_over(life):
    """The oldest open month, once it is over and something happened in it."""
    month = next_month(life.closed[-1]) if life.closed else FIRST
    has_begun = any(on < next_month(month) for on, _account, _by in life.paper.moves)
    return [month] if next_month(month) <= life.today and (has_begun or life.closed) else []


def too_early(life):
    month = next_month(life.closed[-1]) if life.closed else FIRST
    return [month] if next_month(month) > life.today and life.paper.moves else []


def signable(life):
    return [life.closed[-1]] if life.closed and life.closed[-1] not in life.signed else []


class Month:
    """Deeds of the treasurer, the coordinator and the mentor at the month's end."""

    @deed(1, box)
    def count_over(self, _about):
        self._count_box(self.amount(1, 5_000))

    @deed(1, box)
    def count_short(self, _about):
        self._count_box(-self.amount(1, self.paper.held["payment:cash"]))

    def _count_box(self, over_satang):
        found = self.paper.held["payment:cash"] + over_satang
        counted = cash_box.count_cash(self.id, found, "", self.office.treasurer, self.now)
        cash_box.agree_count(self.id, counted, self.office.coordinator, self.now)
        self.paper.move("payment:cash", "cash_difference", over_satang, self.today)

    @deed(2, box)
    def bank_cash(self, _about):
        satang = self.amount(1, self.paper.held["payment:cash"])
        cash_box.bank_cash(self.id, satang, self.key(), self.office.treasurer, self.now)
        self.paper.move("cash_on_the_way", "payment:cash", satang, self.today)
        self.banked.append((1 + self.cleared + len(self.banked), satang))

    @deed(3, lambda life: life.banked)
    def cash_arrives(self, about):
        self.banked.remove(about)
        self.cleared += 1
        number, satang = about
        is_back = self.one([False, False, True], "is back")
        person = self.office.coordinator
        cash_box.decide_banked(
            self.id, self.first_banked + number, person, self.now, is_back=is_back
        )
        account = "payment:cash" if is_back else "payment:promptpay"
        self.paper.move(account, "cash_on_the_way", satang, self.today)

    # --- putting in order ------------------------------------------------------------------------

    def put_in_order(self, month):
        """What a treasurer does before a close: nothing is left open of this month or before."""
        self.hear_everything()
        for trip in over(self):
            if trip not in self.work:
                self.serve(trip)
        for trip in ready(self):
            self.settle(trip)
        if sendable(self):
            self._send(fails=False)
        for about in by_hand(self):
            self.refund_by_hand(about)
        while self.banked:
            self.cash_arrives(self.banked[0])
        self.cover_losses()
        self._count_box(0)
        db.session.rollback()
        for item in list_open_work(db.session(), self.id):
            assert can_be_noted(item.kind, item.facts), item
            close_work(self.id, item.id, "looked at it", self.office.treasurer, self.now)

    def hear_everything(self):
        """Disputes end, goodwill is decided, fees are named."""
        while open_disputes(self):
            self.one([self.win_dispute, self.lose_dispute], "end")(open_disputes(self)[0])
        for booking in self.bookings("choosing"):
            self.cancel(booking)
        for about in self.line_disputes:
            if about["state"] == "asked":
                self.answer_line(about)
        for about in refunds(self, "asked"):
            self.approve_refund(about)
        while self.untold:
            number = next(iter(self.untold))
            self.tell_fee(
                next(
                    p
                    for b in self.paper.bookings.values()
                    for p in b.payments
                    if p.number == number
                )
            )

    def cover_losses(self):
        """Losses are borne; a fund that has too little is helped first."""
        for _round in range(8):
            if not losses(self):
                return
            before = len(losses(self))
            self.bear_losses(None)
            if len(losses(self)) == before:
                for fund in ("mgmt", "welfare", "conserve", "develop", "revolve"):
                    self.put_in(fund, 200_000)
        assert not losses(self)

    @deed(16, month_over)
    def close_month(self, month):
        """Closed by two people; then it cannot be closed again, and its figures stand for good."""
        self.put_in_order(month)
        if self.oldest_unpaid() > 45:
            self.pay_everybody()
        draft = closing.prepare(self.office, month, self.now)
        if self.one([False, True], "two at once"):
            self._close_twice_at_once(draft)
        else:
            closing.confirm(self.office, draft, self.now)
        self.closed.append(month)
        last = next_month(month) - timedelta(days=1)
        self.paper.closings[month] = self.paper.as_of(last)
        self.closed_at[month] = self.today

    def oldest_unpaid(self):
        if not self.closed:
            return 0
        return (self.today - self.closed_at[self.closed[-1]]).days

    def _close_twice_at_once(self, draft):
        audit = closing.audited(self.office)
        people = (self.office.coordinator, self.founded.helpers[0])
        outcomes = run_together(
            self.app,
            lambda n: close.close_period(
                self.id, draft, audit, None, closing.KEY, people[n], self.now
            ),
            2,
        )
        assert sorted(type(each).__name__ for each in outcomes) == ["StateForbids", "date"]
        self.count("two_closes_at_once")

    @deed(1, lambda life: life.closed)
    def close_again(self, month):
        with self.refused(PeriodNotNext, CloseBlocked):
            closing.prepare(self.office, month, self.now)

    @deed(1, too_early)
    def close_too_early(self, month):
        with self.refused(PeriodNotOver):
            closing.prepare(self.office, month, self.now)

    @deed(3, signable)
    def sign(self, month):
        """By the treasurer and by a mentor from outside, each with their own key."""
        for role, person in (
            (SignerRole.TREASURER, self.office.treasurer),
            (SignerRole.MENTOR, self.office.mentor),
        ):
            db.session.rollback()
            period = get_period(db.session(), self.id, month)
            keys.sign_period(self.id, period, role, closing.PASSWORD, closing.KEY, person, self.now)
        db.session.rollback()
        assert len(list_signatures(db.session(), period.id)) == 3
        self.signed.append(month)
