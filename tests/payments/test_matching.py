"""What a line of the bank could pay: proposals, what makes them certain, and what must hold always.

The worked examples of docs/algorithms/matching.md are repeated in tests/conventions.
"""

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.payments.bank_lines import BankLine
from cbt.payments.matching import (
    AMOUNT_IS_OWN_FOR,
    CLOCKS_DIFFER,
    LATE_FOR,
    Certainty,
    Matching,
    OpenPayment,
    OutgoingRefund,
    Payout,
    Why,
    match_outgoing,
    match_payments,
    match_payouts,
    unseen,
)
from cbt.payments.payer_names import is_same_person
from cbt.payments.promptpay import IdKind, Receiver, payload

BANGKOK = "Asia/Bangkok"
OPENED = datetime(2026, 11, 24, 2, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def line(amount=3_000_07, text="", key="k", at=OPENED + timedelta(minutes=5), **more):
    on = more.pop("on", None) or (at + timedelta(hours=7)).date()
    facts = {"reference": "", "payer": "", **more}
    return BankLine(1, on, amount, text=text, bank_key=key, booked_at=at, **facts)


def payment(number=17, amount=3_000_07, reference="B-7K2M9Q", opened=OPENED, **more):
    return OpenPayment(number, reference, amount, opened, opened + timedelta(hours=1), **more)


def biller(number=17, amount=3_000_00, reference="B-7K2M9Q", **more):
    codes = (reference, f"A{number}")
    return payment(number, amount, reference, references=codes, needs_own_amount=False, **more)


def propose(lines, payments):
    """{key of the line: (target, why, certainty)}"""
    matching = match_payments(lines, payments, BANGKOK)
    return {
        each.line.bank_key: (each.target_id, each.why, each.certainty)
        for each in matching.proposals
    }


def only(one, *payments):
    return propose([one], payments).get("k")


CERTAIN = (17, Why.REFERENCE_AND_AMOUNT, Certainty.CERTAIN)

# --- references ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("B-7K2M9Q", "b-7k2m9q", "B7K2M9Q", "ref B7K2M9Q/A17", "REF1:B7K2M9Q REF2:A17"),
        *(
            "B7K2M9QA17",
            "B 7K2 M9Q",
            "B-7K2M 9Q",
            "จองB-7K2M9Qขอบคุณ",
            "Ｂ－７Ｋ２Ｍ９Ｑ",
            "B-๗K๒M๙Q",
        ),
        *("B.7K2M9Q.", "#B-7K2M9Q!", "B\u20117K2M9Q"),
    ],
)
def test_a_reference_is_found_however_it_is_written(text):
    assert only(line(3_000_00, text), biller()) == CERTAIN
    assert only(line(3_000_00, reference=text), biller()) == CERTAIN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A17",
        "B-7K2M9",
        "B-7K2M9QX",
        "XB-7K2M9Q1",
        "B-7K2M9R",
        "B 7 K 2 M9Q",
        "7K2M9Q",
        "B17K2M9Q",
    ],
)
def test_what_only_looks_like_the_reference_names_nothing(text):
    assert only(line(1_00, text), biller()) is None


def test_a_code_carries_the_references_that_are_looked_for():
    receiver = Receiver(IdKind.BILLER, "099400012345101")
    code = payload(receiver, 3_000_00, *biller().references)
    assert "0207B7K2M9Q0303A17" in code
    assert only(line(3_000_00, "B7K2M9Q A17"), biller(), biller(18)) == CERTAIN
    assert only(line(3_000_00, "B7K2M9QA18"), biller(), biller(18))[0] == 18


def test_among_tries_of_one_booking_the_amount_decides_then_the_last_before_the_line():
    early = biller(17, 500_00)
    late = biller(18, 500_00, opened=OPENED + DAY)
    other = biller(19, 700_00, opened=OPENED + DAY)
    likely = (Why.REFERENCE_AND_AMOUNT, Certainty.LIKELY)
    assert only(line(700_00, "B-7K2M9Q"), early, late, other) == (19, *likely)
    assert only(line(500_00, "B-7K2M9Q"), early, late, other) == (17, *likely)
    at = OPENED + DAY + timedelta(hours=2)
    assert only(line(500_00, "B-7K2M9Q", at=at), early, late, other) == (18, *likely)


def test_two_payments_for_one_booking_go_to_its_two_tries():
    first, second = biller(17, 500_00), biller(18, 500_00, opened=OPENED + DAY)
    lines = [
        line(500_00, "B-7K2M9Q", "a"),
        line(500_00, "B-7K2M9Q", "b", at=OPENED + DAY + timedelta(hours=1)),
    ]
    found = propose(lines, [first, second])
    assert (found["a"][0], found["b"][0]) == (17, 18)


def test_a_line_that_names_two_bookings_is_ambiguous_and_chooses_none():
    named = line(3_000_00, "B-7K2M9Q and B-AAAAAA")
    [proposal] = match_payments(
        [named], [biller(), biller(18, reference="B-AAAAAA")], BANGKOK
    ).proposals
    assert (proposal.target_id, proposal.why) == (None, Why.AMBIGUOUS)
    assert proposal.candidates == (17, 18)


def test_a_named_line_is_never_another_bookings_by_its_amount():
    one, other = payment(17, 3_000_07), payment(18, 3_000_08, "B-AAAAAA")
    assert only(line(3_000_08, "B-7K2M9Q"), one, other) == (
        17,
        Why.REFERENCE_ONLY,
        Certainty.LIKELY,
    )


def test_a_line_that_names_an_unknown_booking_is_not_certain_by_its_amount():
    assert only(line(text="B-AAAAAA"), payment())[1:] == (Why.UNIQUE_AMOUNT, Certainty.LIKELY)
    assert only(line(text="B-AAAAA1"), payment())[2] == Certainty.CERTAIN


def test_the_reference_under_which_somebody_confirmed_it_counts():
    confirmed = payment(amount=1_00, bank_reference="2026112400123", confirmed_at=OPENED)
    assert only(line(1_00, reference="2026-1124-00123"), confirmed) == CERTAIN


def test_a_reference_long_before_its_code_or_long_after_is_not_certain():
    for at in (OPENED - CLOCKS_DIFFER - SECOND, OPENED + AMOUNT_IS_OWN_FOR + LATE_FOR + SECOND):
        assert only(line(3_000_00, "B-7K2M9Q", at=at), biller())[2] == Certainty.LIKELY


def test_the_second_line_for_one_payment_is_paid_twice_whatever_its_amount():
    lines = [
        line(3_000_00, "B-7K2M9Q", "b", at=OPENED + 2 * SECOND),
        line(3_000_00, "B-7K2M9Q", "c", at=OPENED + 3 * SECOND),
        line(100_00, "B-7K2M9Q", "a", at=OPENED + SECOND),
    ]
    found = propose(lines, [biller()])
    assert found["b"] == CERTAIN
    assert found["c"] == found["a"] == (17, Why.PAID_TWICE, Certainty.LIKELY)
    assert only(line(3_000_00, "B-7K2M9Q"), biller(is_seen=True))[:2] == (17, Why.PAID_TWICE)


# --- amounts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        (OPENED - CLOCKS_DIFFER - SECOND, None),
        (OPENED - CLOCKS_DIFFER, (Why.UNIQUE_AMOUNT, Certainty.CERTAIN)),
        (OPENED + AMOUNT_IS_OWN_FOR + CLOCKS_DIFFER, (Why.UNIQUE_AMOUNT, Certainty.CERTAIN)),
        (OPENED + AMOUNT_IS_OWN_FOR + CLOCKS_DIFFER + SECOND, (Why.AMOUNT_ONLY, Certainty.UNSURE)),
        (OPENED + AMOUNT_IS_OWN_FOR + LATE_FOR, (Why.AMOUNT_ONLY, Certainty.UNSURE)),
        (OPENED + AMOUNT_IS_OWN_FOR + LATE_FOR + SECOND, None),
    ],
)
def test_an_amount_counts_in_its_time_to_the_second(at, outcome):
    found = only(line(at=at), payment())
    assert (found and found[1:]) == outcome


def test_a_code_that_stays_open_longer_keeps_its_amount_longer():
    long = replace(payment(), expires_at=OPENED + 3 * DAY)
    assert only(line(at=OPENED + 3 * DAY), long)[2] == Certainty.CERTAIN
    assert only(line(at=OPENED + 3 * DAY), payment())[2] == Certainty.UNSURE


@pytest.mark.parametrize(
    ("on", "certainty"),
    [
        (date(2026, 11, 23), None),
        (date(2026, 11, 24), Certainty.CERTAIN),
        (date(2026, 11, 25), Certainty.CERTAIN),
        (date(2026, 11, 26), Certainty.UNSURE),
        (date(2026, 12, 2), Certainty.UNSURE),
        (date(2026, 12, 3), None),
    ],
)
def test_a_line_without_an_hour_goes_by_the_village_day(on, certainty):
    late_evening = payment(opened=datetime(2026, 11, 23, 17, 30, tzinfo=UTC))  # 00:30 on the 24th
    found = only(line(at=None, on=on), late_evening)
    assert (found and found[2]) == certainty


@pytest.mark.parametrize("amount", [3_000_06, 3_000_08, -3_000_07])
def test_an_amount_is_exact_to_the_satang_and_to_its_direction(amount):
    assert only(line(amount), payment()) is None


def test_a_whole_amount_is_certain_only_with_the_name():
    whole = payment(amount=3_000_00, guest_name="Somchai Jaidee")
    assert only(line(3_000_00), whole)[1:] == (Why.UNIQUE_AMOUNT, Certainty.LIKELY)
    named = line(3_000_00, payer="นาย SOMCHAI J")
    assert only(named, whole)[1:] == (Why.UNIQUE_AMOUNT, Certainty.CERTAIN)


def test_two_lines_of_one_amount_leave_nothing_certain():
    found = propose([line(key="a"), line(key="b", at=OPENED + 2 * SECOND)], [payment()])
    assert found["b"] == (17, Why.UNIQUE_AMOUNT, Certainty.LIKELY)
    assert found["a"] == (17, Why.PAID_TWICE, Certainty.UNSURE)


def test_the_payers_name_goes_before_an_earlier_stranger():
    lines = [
        line(1_000_00, key="stranger", payer="วัดบุนาดารา"),
        line(1_000_00, key="guest", payer="Mr. Somchai J.", at=OPENED + timedelta(hours=1)),
    ]
    found = propose(lines, [payment(amount=1_000_00, guest_name="Somchai Jaidee")])
    assert found["guest"][:2] == (17, Why.UNIQUE_AMOUNT)
    assert found["stranger"][:2] == (17, Why.PAID_TWICE)


def test_what_is_paid_already_leaves_the_line_to_the_other():
    paid, waiting = payment(17, is_seen=True), payment(18, reference="B-AAAAAA")
    assert only(line(), paid, waiting) == (18, Why.AMOUNT_ONLY, Certainty.UNSURE)
    assert only(line(), paid) == (17, Why.PAID_TWICE, Certainty.UNSURE)


def test_a_line_that_can_be_one_thing_leaves_the_next_with_one():
    """A chain of days: each line could be today's code or yesterday's."""
    days = range(5)
    payments = [
        payment(number, reference=f"B-{'ABCDE'[number] * 6}", opened=OPENED + number * DAY)
        for number in days
    ]
    lines = [
        line(key=str(number), at=None, on=date(2026, 11, 24) + number * DAY) for number in days
    ]
    found = propose(lines, payments)
    assert {key: target for key, (target, *_) in found.items()} == {str(day): day for day in days}
    found = propose(lines[1:], payments)
    assert {why for _target, why, _certainty in found.values()} == {Why.AMBIGUOUS}


def test_a_reference_takes_its_payment_from_those_that_an_amount_could_mean():
    one, other = payment(17, 900_00), payment(18, 900_00, "B-AAAAAA")
    lines = [line(900_00, key="a"), line(900_00, "B-7K2M9Q", key="b", at=OPENED + DAY)]
    found = propose(lines, [one, other])
    assert (found["b"][0], found["a"][0]) == (17, 18)


def test_a_code_in_its_own_time_goes_before_one_that_the_line_is_late_for():
    old = payment(16, reference="B-AAAAAA", opened=OPENED - 3 * DAY)
    [proposal] = match_payments([line()], [old, payment()], BANGKOK).proposals
    assert (proposal.target_id, proposal.certainty) == (17, Certainty.CERTAIN)
    assert proposal.candidates == (17,)
    asked = OPENED - 20 * DAY
    refunds = [
        OutgoingRefund(1, 500_00, asked, done_at=OPENED - 3 * DAY),
        OutgoingRefund(2, 500_00, asked, done_at=OPENED - DAY + timedelta(hours=1)),
    ]
    [refund] = match_outgoing([line(-500_00)], refunds, BANGKOK).proposals
    assert refund.candidates == (2,)


def test_a_line_too_many_leaves_neither_of_its_two_candidates_certain():
    one = payment(17)
    two = payment(18, reference="B-AAAAAA", opened=OPENED + DAY / 2)
    lines = [
        line(key="first"),
        line(key="between", at=OPENED + DAY * 3 / 4),
        line(key="last", at=OPENED + DAY * 5 / 4),
    ]
    found = propose(lines, [one, two])
    assert found["first"] == (17, Why.UNIQUE_AMOUNT, Certainty.LIKELY)
    assert found["last"] == (18, Why.UNIQUE_AMOUNT, Certainty.LIKELY)
    assert found["between"] == (None, Why.PAID_TWICE, Certainty.UNSURE)
    del lines[1]
    assert {each[2] for each in propose(lines, [one, two]).values()} == {Certainty.CERTAIN}


def test_candidates_stand_in_the_order_of_their_ids():
    waiting_ = [payment(number, reference=f"B-{number}{number}{number}") for number in (9, 3, 7)]
    [proposal] = match_payments([line()], waiting_, BANGKOK).proposals
    assert (proposal.why, proposal.candidates) == (Why.AMBIGUOUS, (3, 7, 9))


# --- what is no payment --------------------------------------------------------------------------


def test_a_reversal_pays_nothing_and_is_left_over():
    matching = match_payments([line(is_reversal=True)], [payment()], BANGKOK)
    assert (matching.proposals, len(matching.unmatched)) == ((), 1)


def test_debits_are_in_neither_list_of_what_comes_in():
    assert match_payments([line(-5)], [payment()], BANGKOK) == Matching((), ())


def test_a_line_given_twice_is_one_line():
    assert len(match_payments([line(), line()], [payment()], BANGKOK).proposals) == 1


def test_nothing_given_is_nothing_found():
    assert match_payments([], [], BANGKOK) == Matching((), ())
    assert len(match_payments([line()], [], BANGKOK).unmatched) == 1


# --- payouts and refunds -------------------------------------------------------------------------


def test_two_payouts_of_one_amount_are_told_apart_by_their_references_only():
    payouts = [Payout(1, "PO-7731", 500_03, date(2026, 11, 24)), Payout(2, "PO-7732", 500_03, date(2026, 11, 24))]  # fmt: skip
    matching = match_payouts([line(500_03, "STRIPE PO 7732")], payouts, BANGKOK)
    assert matching.proposals[0].target_id == 2
    assert matching.proposals[0].certainty == Certainty.CERTAIN
    [proposal] = match_payouts([line(500_03)], payouts, BANGKOK).proposals
    assert (proposal.why, proposal.candidates) == (Why.AMBIGUOUS, (1, 2))


def test_refunds_of_one_amount_are_told_apart_by_proof_or_name():
    refunds = [
        OutgoingRefund(1, 500_00, OPENED, proof="2026112400001"),
        OutgoingRefund(2, 500_00, OPENED, guest_name="มาลี สุขใจ"),
    ]
    lines = [line(-500_00, "2026112400001", "a"), line(-500_00, key="b", payer="น.ส.มาลี สุขใจ")]
    found = {each.line.bank_key: each for each in match_outgoing(lines, refunds, BANGKOK).proposals}
    assert (found["a"].target_id, found["a"].certainty) == (1, Certainty.CERTAIN)
    assert (found["b"].target_id, found["b"].why) == (2, Why.AMOUNT_AND_NAME)


def test_a_refund_that_the_bank_shows_twice_is_told():
    refund = OutgoingRefund(1, 500_00, OPENED, proof="2026112400001", is_seen=True)
    [proposal] = match_outgoing([line(-500_00, "2026112400001")], [refund], BANGKOK).proposals
    assert (proposal.target_id, proposal.why) == (1, Why.PAID_TWICE)


# --- confirmed and not seen ----------------------------------------------------------------------


def test_only_confirmed_payments_are_missed():
    days = date(2026, 11, 1), date(2026, 11, 30)
    confirmed = payment(17, confirmed_at=OPENED + timedelta(hours=1))
    others = [payment(18, 1_00), replace(confirmed, attempt_id=19, is_seen=True)]
    assert [each.attempt_id for each in unseen([*others, confirmed], [], *days, BANGKOK)] == [17]
    assert unseen([confirmed], [line()], *days, BANGKOK) == []


def test_a_line_that_another_payment_names_does_not_excuse_a_confirmed_one():
    days = date(2026, 11, 1), date(2026, 11, 30)
    confirmed = payment(17, 900_00, confirmed_at=OPENED + timedelta(hours=1))
    other = payment(18, 900_00, "B-AAAAAA")
    [missing] = unseen([confirmed, other], [line(900_00, "B-AAAAAA")], *days, BANGKOK)
    assert (missing.attempt_id, missing.maybe) == (17, ())


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payer", "guest"),
    [
        ("นาย สมชาย ใจดี", "สมชาย ใจดี"),
        ("นายสมชาย ใจดี", "สมชาย ใจดี"),
        ("น.ส. มาลี ส***", "มาลี สุขใจ"),
        ("น.ส.มาลี สุ", "นางสาวมาลี สุขใจ"),
        ("MR SOMCHAI J***", "Somchai Jaidee"),
        ("SOMCHAI JAIDEE", "Jaidee Somchai"),
        ("SOMCHAI JXXX", "Somchai Jaidee"),
        ("somchai", "Somchai Jaidee"),
        ("MISS ANNA MARIA SCHMIDT", "Anna Schmidt"),
        ("Ｓｏｍｃｈａｉ", "Somchai"),
        ("คุณ สมชาย", "สมชาย ใจดี"),
        ("นายคุณากร ดี", "คุณากร ดี"),
    ],
)
def test_names_that_can_be_the_same_person(payer, guest):
    assert is_same_person(payer, guest)


@pytest.mark.parametrize(
    ("payer", "guest"),
    [
        ("", "Somchai"),
        ("Somchai", ""),
        ("", ""),
        ("MR", "Mr"),
        ("***", "Somchai"),
        ("นาย", "นาย สมชาย"),
        ("S J", "Somchai Jaidee"),
        ("SOMCHAI R***", "Somchai Jaidee"),
        ("นาย สมชาย รักไทย", "สมชาย ใจดี"),
        ("Som", "Somchai"),
        ("S J", "S Jaidee"),
        ("SOMCHAI SOM", "Somchai Jaidee"),
    ],
)
def test_names_that_say_nothing_or_something_else(payer, guest):
    assert not is_same_person(payer, guest)


# --- what must hold always -----------------------------------------------------------------------

REFERENCES = ["B-7K2M9Q", "B-AAAAAA", "B-BBBBBB"]
MOMENTS = st.integers(-1, 10).map(lambda days: OPENED + days * DAY)


@st.composite
def statements(draw):
    texts = ["", *REFERENCES, "B-7K2M9Q B-AAAAAA", "B-7K2M9Q A0", "A1", "B-ZZZZZZ"]
    lines = []
    for number in range(draw(st.integers(0, 7))):
        at = draw(MOMENTS)
        lines.append(
            line(
                draw(st.sampled_from([100_00, 100_01, -100_00])),
                draw(st.sampled_from(texts)),
                f"k{number}",
                at if draw(st.booleans()) else None,
                on=(at + timedelta(hours=7)).date(),
                payer=draw(st.sampled_from(["", "Somchai J", "มาลี"])),
                is_reversal=draw(st.booleans()) and draw(st.booleans()),
            )
        )
    return lines


@st.composite
def waiting(draw):
    payments = []
    for number in range(draw(st.integers(0, 6))):
        reference = draw(st.sampled_from(REFERENCES))
        own = draw(st.booleans())
        payments.append(
            payment(
                number,
                draw(st.sampled_from([100_00, 100_01])),
                reference,
                draw(MOMENTS),
                references=() if own else (reference, f"A{number}"),
                needs_own_amount=own,
                guest_name=draw(st.sampled_from(["", "Somchai Jaidee", "มาลี สุขใจ"])),
                is_seen=draw(st.booleans()),
                confirmed_at=OPENED + 11 * DAY if draw(st.booleans()) else None,
            )
        )
    return payments


@given(lines=statements(), payments=waiting(), data=st.data())
def test_the_order_of_what_is_given_changes_nothing(lines, payments, data):
    lines_again = data.draw(st.permutations(lines))
    payments_again = data.draw(st.permutations(payments))
    found = match_payments(lines, payments, BANGKOK)
    assert match_payments(lines_again, payments_again, BANGKOK) == found
    days = date(2026, 11, 1), date(2026, 12, 31)
    assert unseen(payments_again, lines_again, *days, BANGKOK) == unseen(
        payments, lines, *days, BANGKOK
    )


@given(lines=statements(), payments=waiting())
def test_no_payment_is_given_two_lines_and_no_line_is_lost(lines, payments):
    found = match_payments(lines, payments, BANGKOK)
    by_id = {each.attempt_id: each for each in payments}
    keys = [each.line.bank_key for each in found.proposals]
    keys += [each.bank_key for each in found.unmatched]
    assert sorted(keys) == sorted(each.bank_key for each in lines if each.amount_satang > 0)

    given_ = Counter(each.target_id for each in found.proposals if each.why != Why.PAID_TWICE)
    del given_[None]
    assert all(count == 1 for count in given_.values())
    assert not any(by_id[target].is_seen for target in given_)

    for each in found.proposals:
        assert each.candidates == tuple(sorted(set(each.candidates)))
        assert each.candidates
        assert each.target_id is None or each.target_id in each.candidates
        assert not each.line.is_reversal
        if each.why == Why.AMBIGUOUS:
            assert each.target_id is None
            assert len(each.candidates) > 1
        if each.why == Why.PAID_TWICE:
            assert all(by_id[one].is_seen or given_[one] for one in each.candidates)
        if each.why not in (Why.REFERENCE_ONLY, Why.PAID_TWICE, Why.AMBIGUOUS):
            assert by_id[each.target_id].amount_satang == each.line.amount_satang


@given(lines=statements(), payments=waiting())
def test_what_is_certain_has_one_candidate_that_no_other_line_wants(lines, payments):
    found = match_payments(lines, payments, BANGKOK)
    for each in found.proposals:
        if each.certainty != Certainty.CERTAIN:
            continue
        assert each.candidates == (each.target_id,)
        assert each.why in (Why.REFERENCE_AND_AMOUNT, Why.UNIQUE_AMOUNT)
        if each.why == Why.UNIQUE_AMOUNT:
            alone = match_payments([each.line], payments, BANGKOK).proposals[0]
            assert (alone.target_id, alone.certainty) == (each.target_id, Certainty.CERTAIN)
            rivals = [other for other in found.proposals if other.line != each.line]
            assert not [
                other
                for other in rivals
                if other.why == Why.PAID_TWICE
                and other.certainty == Certainty.UNSURE  # it names nothing, so it wants the amount
                and each.target_id in other.candidates
            ]


@given(lines=statements(), payments=waiting())
def test_who_is_unseen_has_no_line(lines, payments):
    days = date(2026, 11, 1), date(2026, 12, 31)
    missing = {each.attempt_id: each for each in unseen(payments, lines, *days, BANGKOK)}
    found = match_payments(lines, payments, BANGKOK).proposals
    shown = {each.target_id for each in found if each.why != Why.PAID_TWICE}
    for each in payments:
        wanted = each.confirmed_at is not None and not each.is_seen
        assert (each.attempt_id in missing) == (wanted and each.attempt_id not in shown)


@given(text=st.text(max_size=60), payer=st.text(max_size=30), guest=st.text(max_size=30))
def test_any_text_and_any_name_can_be_asked_about(text, payer, guest):
    assert only(line(text=text, payer=payer), payment(guest_name=guest))[0] == 17
    assert is_same_person(payer, guest) in (True, False)


def test_a_large_statement_is_matched_in_time():
    payments = [
        payment(
            number,
            1_000_00 + number % 40,
            f"B-{number:06}".translate(str.maketrans("01", "XY")),
            OPENED + (number % 30) * DAY,
            guest_name=f"Guest {number}",
        )
        for number in range(1_200)
    ]
    lines = [
        line(
            1_000_00 + number % 50,
            payments[number % 1_200].reference if number % 3 else "พร้อมเพย์ รับโอน x1 y2",
            f"{number:05}",
            OPENED + (number % 30) * DAY + timedelta(minutes=number % 600),
            payer=f"MR GUEST {number}",
        )
        for number in range(10_000)
    ]
    began = time.process_time()
    found = match_payments(lines, payments, BANGKOK)
    assert time.process_time() - began < 10
    assert len(found.proposals) + len(found.unmatched) == 10_000
