"""The invariants I1 to I21, looked at after every step of a life.

The audit's own checks are run whole; what they take for granted is worked out here once more from
the entries, with other means. `WHERE` says for each invariant who looks at it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sqlalchemy import select

from cbt.audit.findings import Check
from cbt.audit.verify import verify
from cbt.ledger.models import CREDIT, LedgerAccount
from cbt.ledger.queries import list_may_go_negative, stream_entries
from cbt.revenue.payout_models import PayoutLine
from cbt.revenue.period_queries import closing_of, get_period, list_snapshot
from tests.revenue.model.paper import CAP_BP, Paper

WHERE = {
    "I1": "audit legs",
    "I2": "here: two_sides_are_equal",
    "I3": "audit legs",
    "I4": "audit chain",
    "I5": "audit chain",
    "I6": "audit policies, and the notebook's own policies",
    "I7": "audit splits and sharing, and the notebook's own rules",
    "I8": "here: parts_sum_to_what_was_split",
    "I9": "here: shares_are_within_a_satang, and the notebook's twins of the rules",
    "I10": "audit deposits, and here: never_more_back_than_came",
    "I11": "audit losses, and here: taken_back_points_to_what_was_split",
    "I12": "here: every_key_once",
    "I13": "audit periods, and here: closed_months_stand",
    "I14": "audit periods, and here: closed_months_stand",
    "I15": "here: nothing_below_zero_at_any_entry",
    "I16": "audit payouts, and the notebook's lines",
    "I17": "audit statements",
    "I18": "the notebook's accounts at the service, the bank and the box",
    "I19": "audit shares and work",
    "I20": "audit funds, payouts, work and periods",
    "I21": "audit losses, and here: debts_shrink_by_recovery_alone",
}


@dataclass(frozen=True)
class Evidence:
    """What the life knows beside the books: the notebook, who worked, which trip was settled when."""

    paper: Paper
    work: Mapping[int, Sequence[tuple[str, str, int]]]
    settled: Mapping[int, int]
    trips: Mapping[int, date]


def look(session, card, evidence):
    """Raise AssertionError naming what does not hold."""
    outcomes = verify(session, card)
    assert {each.check for each in outcomes} == set(Check)
    assert [finding for each in outcomes for finding in each.findings] == []
    entries = list(stream_entries(session, card.book_id))
    sides = dict(
        session.execute(
            select(LedgerAccount.code, LedgerAccount.normal_side).where(
                LedgerAccount.book_id == card.book_id
            )
        ).all()
    )
    two_sides_are_equal(entries, sides)
    parts_sum_to_what_was_split(entries, evidence.paper)
    shares_are_within_a_satang(entries, evidence)
    never_more_back_than_came(evidence.paper)
    taken_back_points_to_what_was_split(entries)
    every_key_once(entries)
    closed_months_stand(session, card, evidence.paper)
    nothing_below_zero_at_any_entry(entries, sides, list_may_go_negative(session, card.book_id))
    debts_shrink_by_recovery_alone(session, entries)


def two_sides_are_equal(entries, sides):
    """I2: what is owned is what is owed, in every entry, month and in the whole book."""
    months = defaultdict(int)
    for entry in entries:
        for leg in entry.draft.legs:
            for code, by in ((leg.source, -1), (leg.target, 1)):
                months[entry.draft.effective_on.replace(day=1), sides[code]] += (
                    by * leg.amount_satang
                )
    for month, side in months:
        assert side == CREDIT or months[month, side] == -months.get((month, CREDIT), 0)


def parts_sum_to_what_was_split(entries, paper):
    """I8: out of the deposit went exactly what the notebook says was there."""
    for entry in entries:
        if entry.draft.kind == "split":
            booking = paper.bookings[entry.draft.subject.removeprefix("booking:")]
            assert booking.turn
            assert all(leg.source == "guest_deposit" for leg in entry.draft.legs)
            assert entry.amount_satang == max(0, booking.kept)


def shares_are_within_a_satang(entries, evidence):
    """I9: each household within a satang of its exact part, where the whole pool goes by work."""
    for entry in entries:
        if entry.draft.kind != "sharing_out":
            continue
        by_rule = defaultdict(list)
        for leg in entry.draft.legs:
            by_rule[leg.rule].append(leg)
        policies = entry.draft.policy_hash.count(",") + 1
        trip = int(entry.draft.subject.removeprefix("departure:"))
        own = [
            each for each in evidence.paper.bookings.values() if each.trip == trip and each.shares
        ]
        agreed = {each.policy.name: each.policy for each in own}
        if policies > 1 or len(agreed) != 1 or "by_work" not in by_rule:
            continue
        [policy] = agreed.values()
        weights = defaultdict(int)
        for code, task, units in evidence.work[trip]:
            weights[f"household:{code}"] += units * policy.rates.get(task, 0)
        pool = sum(leg.amount_satang for leg in by_rule["by_work"])
        whole = sum(weights.values())
        got = {leg.target: leg.amount_satang for leg in by_rule["by_work"]}
        for account, weight in weights.items():
            assert abs(got.get(account, 0) - Fraction(pool * weight, whole)) < 1
            assert weight or account not in got


def never_more_back_than_came(paper):
    """I10: of no payment goes back more than it brought; what went back wholly left no share."""
    for booking in paper.bookings.values():
        for payment in booking.payments:
            assert 0 <= booking.going_back(payment) <= payment.satang
        borne = defaultdict(int)
        for account, why, satang in booking.borne:
            if why == "share":
                borne[account] += satang
        for account, satang in borne.items():
            assert 0 <= satang <= booking.shares[account]


def taken_back_points_to_what_was_split(entries):
    """I11: a taking back names an earlier split, and takes no more of an account than that gave it."""
    given, taken = defaultdict(int), defaultdict(int)
    for entry in entries:
        about = entry.draft.subject
        for leg in entry.draft.legs:
            if entry.draft.kind == "split" and leg.target.startswith("fund:"):
                given[about, leg.target] += leg.amount_satang
            if entry.draft.kind == "take_back" and leg.rule == "taken_back:share":
                source, target = leg.source, leg.target
                if source.startswith("fund:"):
                    taken[about, source] += leg.amount_satang
                if target.startswith("fund:"):
                    taken[about, target] -= leg.amount_satang
    for key, satang in taken.items():
        surplus = key[1] == "fund:develop"  # rates may have left a surplus to it in the sharing-out
        assert 0 <= satang <= given[key] or surplus


def every_key_once(entries):
    """I12: one entry for each key."""
    keys = [entry.draft.key for entry in entries]
    assert len(keys) == len(set(keys))


def closed_months_stand(session, card, paper):
    """I13, I14: what was closed is what the notebook held then, by the days that count."""
    for month, held in paper.closings.items():
        period = get_period(session, card.id, month)
        closing = closing_of(list_snapshot(session, period.id))
        assert {code: satang for code, satang in closing.items() if satang} == held


def nothing_below_zero_at_any_entry(entries, sides, may_go_negative):
    """I15: after each entry, not only at the end."""
    running = defaultdict(int)
    for entry in entries:
        for leg in entry.draft.legs:
            for code, by in ((leg.source, -1), (leg.target, 1)):
                running[code] += by * leg.amount_satang * (1 if sides[code] == CREDIT else -1)
        for leg in entry.draft.legs:
            for code in (leg.source, leg.target):
                assert running[code] >= 0 or code in may_go_negative, (entry.seq, code)


def debts_shrink_by_recovery_alone(session, entries):
    """I21: a household's debt comes from a loss or a correction and ends by recovery or waiver."""
    for entry in entries:
        for leg in entry.draft.legs:
            if leg.source.startswith("receivable:"):
                assert entry.draft.kind in ("take_back", "correction")
            if leg.target.startswith("receivable:"):
                assert entry.draft.kind in ("recovery", "correction")
                assert leg.source.removeprefix("household:") == leg.target.removeprefix(
                    "receivable:"
                )
    for line in session.scalars(select(PayoutLine)):
        free = line.amount_satang + line.recovered_satang
        assert line.recovered_satang * 10_000 <= free * CAP_BP
