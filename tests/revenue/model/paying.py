"""Payouts to households, and what goes into the funds and out of them beside tourism."""

from cbt.db import db
from cbt.errors import (
    BatchOpen,
    FreeTooLow,
    NothingToPay,
    PreviewOutdated,
    ReferenceUsed,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger.models import Entry
from cbt.ledger.queries import stream_entries
from cbt.revenue import fund_use, line_disputes, pay_out, payout_queries
from cbt.revenue.funds import Evidence
from cbt.revenue.payout_models import PayoutBatch
from tests.revenue.model.life import always, deed

PAPER = Evidence("bill.pdf", b"%PDF-1.7 bill")
PURPOSES = {"welfare": "illness", "conserve": "nature", "develop": "works", "mgmt": "supplies"}


def lines(life, *states):
    return [(line_id, line) for line_id, line in life.lines if line.state in states]


def payable(life):
    return [None] if life.batch is None and life.paper.plan(1) else []


def drafted(life):
    return [life.batch] if life.batch else []


def claims(life, *states):
    return [each for each in life.claims if each["state"] in states]


def payable_claims(life):
    return [
        each
        for each in claims(life, "approved")
        if life.paper.held[f"fund:{each['fund']}"] >= each["satang"]
    ]


def earned_lines(life):
    """(household, entry, leg, satang) of every line of a sharing-out that nobody disputed yet."""
    db.session.rollback()
    disputed = {each["at"] for each in life.line_disputes}
    of_sharing = Entry.kind == "sharing_out"
    found = [
        (leg.target.removeprefix("household:"), entry.seq, place, leg.amount_satang)
        for entry in stream_entries(db.session(), life.village.card.book_id, of_sharing)
        for place, leg in enumerate(entry.draft.legs, start=1)
        if leg.target.startswith("household:") and (entry.seq, place) not in disputed
    ]
    db.session.rollback()
    return found


class Paying:
    """Deeds of those who pay."""

    @deed(10, payable)
    def draft_payout(self, _about):
        least = self.one([1, 1, 10_000], "least")
        planned = self.paper.plan(least)
        if not planned:
            with self.refused(NothingToPay):
                pay_out.draft_batch(self.id, least, self.office.treasurer, self.now)
            return
        number = pay_out.draft_batch(self.id, least, self.office.treasurer, self.now)
        db.session.rollback()
        found = payout_queries.list_lines(
            db.session(), PayoutBatch.community_id == self.id, PayoutBatch.number == number
        )
        found = sorted(found, key=lambda each: each.id)
        assert [(e.household, e.amount_satang, e.recovered_satang) for e in found] == [
            (e.household, e.satang, e.recovered) for e in planned
        ]
        self.batch = (number, [(each.id, line) for each, line in zip(found, planned, strict=True)])
        with self.refused(BatchOpen):
            pay_out.draft_batch(self.id, least, self.office.treasurer, self.now)

    @deed(14, drafted)
    def approve_payout(self, about):
        """By a second person, who sees the sum; where a balance changed meanwhile it is refused."""
        number, own = about
        total = sum(line.satang for _id, line in own)
        with self.refused(SecondPersonNeeded):
            pay_out.approve_batch(self.id, number, total, self.office.treasurer, self.now)
        self.batch = None
        person = self.office.coordinator
        if not self._still_fits(own):
            with self.refused(PreviewOutdated):
                pay_out.approve_batch(self.id, number, total, person, self.now)
            pay_out.withdraw_batch(self.id, number, person, self.now)
            self.count("payout_above_payable")
            return
        pay_out.approve_batch(self.id, number, total, person, self.now)
        for _id, line in own:
            self.paper.order(line, self.today)
        self.lines += own
        self.count("order_payout")
        if any(line.recovered for _id, line in own):
            self.count("recover_from_payout")

    def _still_fits(self, own):
        kept = self.paper.held_back()
        for _id, line in own:
            earned = self.paper.held[f"household:{line.household}"]
            free = max(0, earned - kept[f"household:{line.household}"])
            if line.recovered > self.paper.held[f"receivable:{line.household}"]:
                return False
            if line.satang + line.recovered > free:
                return False
        return True

    @deed(2, lambda life: drafted(life) if life.paper.plan(1) else [])
    def approve_another_sum(self, about):
        """One satang more than the batch says, as where somebody meant more than is payable."""
        number, own = about
        total = 1 + sum(line.satang for _id, line in own)
        with self.refused(PreviewOutdated):
            pay_out.approve_batch(self.id, number, total, self.office.coordinator, self.now)

    @deed(9, lambda life: lines(life, "ordered"))
    def pay_line(self, about):
        line_id, line = about
        sources = ["promptpay"]
        if self.paper.held["payment:cash"] >= line.satang:
            sources.append("cash")
        source = self.one(sources, "source")
        reference = self.key() if source == "promptpay" else ""
        person = self.office.treasurer
        pay_out.note_paid(self.id, line_id, source, reference, self.today, person, self.now)
        self.paper.pay_line(line, f"payment:{source}", self.today)
        if reference:
            self.references.append(reference)
        with self.refused(StateForbids):
            pay_out.note_paid(self.id, line_id, source, reference, self.today, person, self.now)

    @deed(4, lambda life: lines(life, "ordered") if life.references else [])
    def pay_with_a_used_reference(self, about):
        line_id, _line = about
        reference = self.one(self.references, "reference")
        person = self.office.treasurer
        with self.refused(ReferenceUsed):
            pay_out.note_paid(
                self.id, line_id, "promptpay", reference, self.today, person, self.now
            )

    @deed(3, lambda life: lines(life, "ordered"))
    def stop_line(self, about):
        line_id, line = about
        pay_out.stop_line(self.id, line_id, "the app was down", self.office.treasurer, self.now)
        self.paper.stop_line(line, self.today)

    @deed(8, lambda life: lines(life, "paid"))
    def confirm_line(self, about):
        line_id, line = about
        db.session.rollback()
        household = pay_out.get_household(db.session(), self.id, line.household).id
        db.session.rollback()
        pay_out.confirm_line(self.id, household, line_id, self.founded.helpers[1], self.now)
        line.state = "confirmed"

    @deed(8, lambda life: lines(life, "paid", "confirmed"))
    def return_line(self, about):
        """The bank sent it back: it is owed again, and the next batch pays it by a new line."""
        line_id, line = about
        person = self.office.treasurer
        pay_out.note_returned(self.id, line_id, "account closed", self.today, person, self.now)
        self.paper.return_line(line, self.today)

    def pay_everybody(self):
        """All that is payable is paid by the bank, as before a close that would else be refused."""
        if self.batch is None and self.paper.plan(1):
            self.draft_payout(None)
        if self.batch:
            self.approve_payout(self.batch)
        for about in lines(self, "ordered"):
            self.pay_line(about)

    # --- lines that a household disputes ---------------------------------------------------------

    @deed(3, lambda life: earned_lines(life) if life.settled else [])
    def dispute_line(self, about):
        """A household says that a line is wrong: its amount alone is held back."""
        household, seq, leg, satang = about
        person = self.founded.helpers[1]
        number = line_disputes.dispute_line(
            self.id, household, seq, leg, "I was on the boat too", person, self.now
        )
        held = {"id": number, "line": (household, satang), "at": (seq, leg), "state": "asked"}
        self.line_disputes.append(held)
        self.paper.lines_in_dispute.append(held["line"])

    @deed(4, lambda life: [e for e in life.line_disputes if e["state"] == "asked"])
    def answer_line(self, about):
        line_disputes.answer_line(
            self.id, about["id"], "you were not", self.office.treasurer, self.now
        )
        about["state"] = "answered"

    @deed(4, lambda life: [e for e in life.line_disputes if e["state"] == "answered"])
    def accept_answer(self, about):
        line_disputes.accept_answer(self.id, about["line"][0], about["id"], self.now)
        about["state"] = "accepted"
        self.paper.lines_in_dispute.remove(about["line"])

    # --- funds -----------------------------------------------------------------------------------

    def put_in(self, fund, satang):
        person = self.office.treasurer
        fund_use.contribute(
            *(self.id, fund, "local_government", "", satang, "promptpay", self.key(), "yearly"),
            *(self.today, person, self.now),
        )
        self.paper.move("payment:promptpay", f"fund:{fund}", satang, self.today)

    @deed(1, always)
    def contribute(self, _about):
        self.put_in(self.one([*PURPOSES, "revolve"], "fund"), self.amount(1, 300_000))

    def _request(self, fund, satang):
        return fund_use.request_claim(
            *(self.id, fund, PURPOSES[fund], "H01", "Ms H01", "a need", satang, "a bill", PAPER),
            *(self.office.treasurer, self.now),
        )

    @deed(2, lambda life: [fund for fund in PURPOSES if life.paper.free_of(fund) > 0])
    def claim(self, fund):
        satang = self.amount(1, self.paper.free_of(fund))
        claim = self._request(fund, satang)
        with self.refused(SecondPersonNeeded):
            fund_use.approve_claim(self.id, claim, self.office.treasurer, self.now)
        for person in self.founded.helpers:
            is_approved = fund_use.approve_claim(self.id, claim, person, self.now)
        assert is_approved
        self.paper.promised[fund] += satang
        self.claims.append({"id": claim, "fund": fund, "satang": satang, "state": "approved"})

    @deed(4, payable_claims)
    def pay_claim(self, claim):
        person, reference = self.office.treasurer, self.key()
        fund_use.pay_claim(
            self.id, claim["id"], "promptpay", reference, self.today, person, self.now
        )
        claim["state"] = "paid"
        self.paper.promised[claim["fund"]] -= claim["satang"]
        self.paper.move(f"fund:{claim['fund']}", "payment:promptpay", claim["satang"], self.today)
        self.references.append(reference)

    @deed(1, always)
    def claim_above_balance(self, _about):
        fund = self.one(PURPOSES, "fund")
        with self.refused(FreeTooLow):
            self._request(fund, max(0, self.paper.free_of(fund)) + self.amount(1, 1_000))
