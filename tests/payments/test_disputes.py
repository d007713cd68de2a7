"""Disputes: the books follow the payer's bank, a split waits, evidence is built from the records."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from cbt.audit.verify import verify
from cbt.bookings import arrivals
from cbt.bookings.queries import get_booking
from cbt.bookings.terms import Terms, Tier, canonical
from cbt.db import db, transaction
from cbt.errors import (
    DisputeOpen,
    MethodClosed,
    NotFound,
    ProviderDown,
    RefundTooLarge,
    StateForbids,
)
from cbt.ledger.models import Entry
from cbt.ledger.queries import balances
from cbt.notices.models import Notice
from cbt.payments import disputes, give_back, goodwill, queries
from cbt.payments.call_off import CHOOSE_WITHIN, refund_undecided
from cbt.payments.goodwill import Goodwill
from cbt.payments.models import Capture, CaptureBalance, PaymentAccount, Refund
from cbt.payments.provider import DisputeState, NormalisedDispute, RefundState
from cbt.payments.providers.demo import Act
from cbt.payments.reported import Dispute, WorkItem
from cbt.revenue import services as revenue
from cbt.revenue.disputed import frozen_shares, list_frozen
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS, TOMORROW
from tests.scripted import Scripted
from tests.site import NOW

FAR = TOMORROW + timedelta(days=60)
EVENING = NOW + timedelta(days=2)
OPEN, WON, LOST = DisputeState.OPEN, DisputeState.WON, DisputeState.LOST
FEE = 53_500
COLUMNS = [column.key for column in Dispute.__table__.columns]


@pytest.fixture
def village(app):
    return factories.make_village()


@pytest.fixture
def far(app):
    return factories.make_village(on=FAR)


def told(state=OPEN, amount=None, ref="dp_1", capture=-1, **changes):
    """What the provider says of a dispute over the last payment, or another one."""
    db.session.rollback()
    paid = db.session.scalars(select(Capture).order_by(Capture.id)).all()[capture]
    said = NormalisedDispute(
        provider_ref=ref,
        payment_id=paid.payment_id,
        amount_satang=paid.amount_satang if amount is None else amount,
        fee_satang=FEE,
        state=state,
        reason="product_not_received",
        opened_at=NOW,
        evidence_until=NOW + timedelta(days=7),
    )
    return replace(said, **changes)


def take_in(village, said, now=NOW):
    db.session.rollback()
    account = db.session.scalar(
        select(PaymentAccount.id).where(
            PaymentAccount.community_id == village.id, PaymentAccount.provider == "demo"
        )
    )
    return disputes.take_in_dispute(account, said, now)


def the_dispute():
    db.session.rollback()
    return db.session.scalars(select(Dispute)).one()


def books(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)


def faults(village):
    db.session.rollback()
    return [each for outcome in verify(db.session(), village.card) for each in outcome.findings]


def work(*, is_open=None):
    db.session.rollback()
    items = db.session.scalars(select(WorkItem).order_by(WorkItem.id)).all()
    if is_open is not None:
        items = [each for each in items if (each.closed_at is None) == is_open]
    return [each.kind for each in items]


def written():
    db.session.rollback()
    row = [
        tuple(getattr(each, name) for name in COLUMNS)
        for each in db.session.scalars(select(Dispute).order_by(Dispute.id))
    ]
    entries = db.session.scalars(select(Entry.hash).order_by(Entry.id)).all()
    return row, entries, db.session.scalars(select(CaptureBalance.returning_satang)).all(), work()


def money(reference):
    db.session.rollback()
    return queries.get_money(db.session(), get_booking(db.session(), reference).id)


def settle(village, now=EVENING):
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1), now=now)
    return factories.settle(village, now)


# --- before the split ----------------------------------------------------------------------------


def test_an_open_dispute_takes_the_money_out_of_the_account_and_holds_the_split(village):
    reference = factories.book(village)
    before = books(village)
    take_in(village, told())
    after = books(village)
    assert after["disputed"] == 90_000
    assert after["payment:demo"] == before["payment:demo"] - 90_000 - FEE
    assert after["payment_fee"] == before["payment_fee"] + FEE
    assert after["guest_deposit"] == 90_000
    assert work(is_open=True) == ["dispute_opened"]
    held = money(reference)
    assert (held.kept_satang, held.frozen_satang, held.returnable_satang) == (90_000, 90_000, 0)
    factories.record_work(village, ("H01", "boat", 1))
    factories.confirm_work(village, EVENING)
    with pytest.raises(DisputeOpen, match=reference):
        revenue.preview_settlement(village.id, village.departure_id)
    with pytest.raises(DisputeOpen, match=reference):
        revenue.settle(village.id, village.departure_id, "x", village.person_id, EVENING)
    assert books(village) == after
    assert faults(village) == []


def test_a_dispute_that_is_won_leaves_everything_as_it_was_but_for_the_fee(village):
    reference = factories.book(village)
    before = books(village)
    take_in(village, told())
    take_in(village, told(WON), EVENING)
    after = books(village)
    assert after["disputed"] == 0
    assert after["payment:demo"] == before["payment:demo"] - FEE
    assert money(reference).returnable_satang == 90_000
    assert work(is_open=True) == []
    settle(village)
    assert books(village)["payment_fee"] == 0  # the booking's split paid it
    assert faults(village) == []


def test_a_fee_larger_than_a_small_payment_blocks_nobodys_settlement(village):
    """The dispute was won, but what it cost is more than one person had paid."""
    factories.book(village, {"ADULT": 1})
    factories.book(village)
    take_in(village, told(WON, capture=0))
    settle(village)
    after = books(village)
    assert after["guest_deposit"] == 0
    assert after["payment_fee"] > 0  # what the payment could not pay of it
    assert after["household:H01"] > 0
    assert faults(village) == []


def test_a_dispute_that_is_lost_before_the_split_is_the_bookings_loss(village):
    reference = factories.book(village, {"ADULT": 4})
    take_in(village, told(amount=50_000))
    take_in(village, told(LOST, amount=50_000), EVENING)
    after = books(village)
    assert (after["disputed"], after["guest_deposit"], after["given_back"]) == (0, 130_000, 0)
    lost = money(reference)
    assert (lost.kept_satang, lost.disputed_satang, lost.frozen_satang) == (130_000, 50_000, 0)
    assert not the_dispute().was_split
    assert work(is_open=True) == []
    settle(village)
    assert books(village)["guest_deposit"] == 0
    assert faults(village) == []


def test_a_whole_payment_that_is_lost_does_not_block_the_others_settlement(village):
    factories.book(village)
    take_in(village, told(LOST))
    factories.book(village)
    settle(village)
    after = books(village)
    assert after["guest_deposit"] == 0
    assert after["disputed"] == 0
    assert after["payment_fee"] == FEE + 1_589  # paid, and never brought in
    assert faults(village) == []


def test_what_was_given_back_before_cannot_be_taken_out_of_the_deposit_again(far):
    """Half went back already; the bank takes the whole. The half that is gone is the community's loss."""
    reference = factories.book(far, {"ADULT": 2})
    factories.change_booking(reference, party={"ADULT": 1})
    give_back.send_refunds(PROVIDERS, NOW)
    take_in(far, told())
    assert the_dispute().reserved_satang == 45_000
    take_in(far, told(LOST), EVENING)
    after = books(far)
    assert (after["guest_deposit"], after["given_back"], after["disputed"]) == (0, 45_000, 0)
    assert faults(far) == []


def test_money_that_became_a_credit_is_not_taken_from_the_deposit(far):
    reference = factories.book(far)
    factories.cancel_booking(reference, as_credit=True)
    take_in(far, told())
    assert (the_dispute().reserved_satang, the_dispute().credit_satang) == (0, 90_000)
    take_in(far, told(LOST), EVENING)
    after = books(far)
    assert (after["guest_credit"], after["given_back"]) == (0, 0)
    assert faults(far) == []


def test_money_that_bought_nothing_can_be_disputed_too(village):
    reference = factories.book(village)
    attempt = factories.hold(village)
    factories.pay_by_demo(attempt, what=Act.PAY_TWICE)
    take_in(village, told())
    assert the_dispute().reserved_satang == 0  # it is going back to the guest anyhow
    assert not the_dispute().was_split
    take_in(village, told(LOST), EVENING)
    assert [each.state for each in db.session.scalars(select(Refund))] == [RefundState.BY_BANK]
    assert get_booking(db.session(), reference).state == "confirmed"
    assert faults(village) == []


# --- what the provider says, in any order --------------------------------------------------------


@pytest.mark.parametrize("end", [WON, LOST])
def test_saying_it_again_or_going_back_changes_nothing(village, end):
    factories.book(village)
    first = take_in(village, told())
    before = written()
    assert take_in(village, told()) == first
    assert written() == before
    take_in(village, told(end), EVENING)
    before = written()
    for state in (OPEN, LOST, *([WON] if end == WON else [])):
        take_in(village, told(state), EVENING + timedelta(hours=1))
        assert written() == before
    assert faults(village) == []


@pytest.mark.parametrize("end", [WON, LOST])
def test_a_dispute_first_heard_of_at_its_end_reads_like_any_other(village, end):
    factories.book(village)
    take_in(village, told(end), EVENING)
    assert the_dispute().state == end
    assert books(village)["disputed"] == 0
    kinds = db.session.scalars(select(Entry.kind).order_by(Entry.seq)).all()
    assert kinds[-3:] == ["dispute", "dispute_fee", f"dispute_{end}"]
    assert work(is_open=True) == []
    assert faults(village) == []


def test_a_fee_and_a_day_that_are_told_later_are_taken_in(village):
    factories.book(village)
    take_in(village, told(fee_satang=0, evidence_until=None))
    assert books(village)["payment_fee"] == 1_589
    take_in(village, told())
    assert books(village)["payment_fee"] == 1_589 + FEE
    assert the_dispute().evidence_until == NOW + timedelta(days=7)
    assert faults(village) == []


def test_a_payment_that_nobody_knows_goes_to_the_work_list(village):
    factories.book(village)
    assert take_in(village, told(payment_id="elsewhere")) is None
    take_in(village, told(payment_id="elsewhere"))
    assert work() == ["unknown_money"]
    stranger = factories.make_village()
    assert take_in(stranger, told()) is None  # another community's payment
    assert db.session.scalars(select(Dispute)).all() == []
    with pytest.raises(NotFound):
        disputes.take_in_dispute(999, told(), NOW)


def test_a_dispute_told_by_three_at_once_is_one(app, village):
    factories.book(village)
    said = [told(), told(LOST), told()]
    db.session.rollback()
    results = run_together(app, lambda n: take_in(village, said[n]), 3)
    assert len(set(results)) == 1
    assert the_dispute().state == LOST
    assert books(village)["disputed"] == 0
    assert faults(village) == []


# --- beside refunds ------------------------------------------------------------------------------


def test_while_it_is_open_no_refund_is_sent_and_none_is_made_by_hand(far):
    reference = factories.book(far)
    factories.cancel_booking(reference)
    take_in(far, told())
    assert the_dispute().reserved_satang == 0
    assert give_back.send_refunds(PROVIDERS, NOW) == 0
    [refund] = db.session.scalars(select(Refund)).all()
    by_hand = {"promptpay": PROVIDERS["promptpay"]}
    with pytest.raises(DisputeOpen):
        give_back.note_refund_made(far.id, refund.id, "H7", far.person_id, by_hand, NOW)
    take_in(far, told(WON), EVENING)
    assert give_back.send_refunds(PROVIDERS, EVENING) == 1
    assert faults(far) == []


def test_once_it_is_lost_a_refund_that_waited_is_made_by_the_bank(far):
    factories.cancel_booking(factories.book(far))
    take_in(far, told(LOST))
    assert give_back.send_refunds(PROVIDERS, EVENING) == 0
    [card] = queries.list_refunds_done(db.session(), far.id, 5)
    assert (card.state, card.dispute, card.failure) == (RefundState.BY_BANK, LOST, None)
    assert work(is_open=True) == []
    db.session.rollback()
    assert "refund_delayed" not in db.session.scalars(select(Notice.kind)).all()
    assert faults(far) == []


def test_disputed_money_goes_back_by_nobody_elses_hand(far):
    reference = factories.book(far)
    take_in(far, told())
    before = written()
    with pytest.raises(RefundTooLarge):
        goodwill.quote_goodwill(far.id, reference, Goodwill(amount_satang=1), NOW)
    with pytest.raises(DisputeOpen):
        factories.change_booking(reference, party={"ADULT": 1})
    with pytest.raises(RefundTooLarge), transaction() as session:
        give_back.return_money(
            session, get_booking(session, reference).id, 1, give_back.RefundReason.CANCELLED, NOW
        )
    assert written() == before
    assert db.session.scalars(select(Refund)).all() == []


@pytest.mark.parametrize(("bp", "back"), [(10_000, 90_000), (5_000, 45_000)])
def test_who_cancels_meanwhile_gets_the_terms_part_once_it_is_won(app, bp, back):
    village = factories.make_village(on=FAR, terms=canonical(Terms("Some", (Tier(1, bp),))))
    reference = factories.book(village)
    take_in(village, told())
    assert factories.cancel_booking(reference, now=NOW + timedelta(minutes=1)) == 0
    assert money(reference).kept_satang == 90_000
    take_in(village, told(WON), EVENING)
    assert money(reference).kept_satang == 90_000 - back
    give_back.send_refunds(PROVIDERS, EVENING)
    assert books(village)["guest_deposit"] == 90_000 - back
    assert faults(village) == []


def test_a_guest_of_a_trip_called_off_meanwhile_gets_everything_once_it_is_won(village):
    reference = factories.book(village)
    take_in(village, told())
    factories.call_off_departure(village)
    assert refund_undecided(NOW + CHOOSE_WITHIN) == 1
    assert money(reference).kept_satang == 90_000
    later = NOW + CHOOSE_WITHIN + timedelta(days=1)
    take_in(village, told(WON), later)
    assert money(reference).kept_satang == 0
    give_back.send_refunds(PROVIDERS, later)
    assert books(village)["guest_deposit"] == 0
    assert faults(village) == []


def test_what_a_cancellation_had_retained_before_is_not_given_back_by_winning(village):
    reference = factories.book(village)
    assert factories.cancel_booking(reference) == 0
    take_in(village, told(), NOW + timedelta(hours=1))
    take_in(village, told(WON), EVENING)
    assert money(reference).kept_satang == 90_000
    assert db.session.scalars(select(Refund)).all() == []
    assert faults(village) == []


@pytest.mark.parametrize("is_cancelled_first", [True, False])
def test_what_the_terms_give_back_goes_once_whatever_the_clocks_say(app, is_cancelled_first):
    """Both at one instant, or a cancellation whose time was read before it waited for the dispute."""
    village = factories.make_village(on=FAR, terms=canonical(Terms("Some", (Tier(1, 5_000),))))
    reference = factories.book(village)
    if is_cancelled_first:
        assert factories.cancel_booking(reference, now=NOW + timedelta(minutes=1)) == 45_000
        take_in(village, told(), NOW + timedelta(minutes=1))
    else:
        take_in(village, told(), NOW + timedelta(minutes=1))
        assert factories.cancel_booking(reference, now=NOW) == 0
    take_in(village, told(WON), EVENING)
    give_back.send_refunds(PROVIDERS, EVENING)
    assert sum(each.amount_satang for each in db.session.scalars(select(Refund))) == 45_000
    assert books(village)["guest_deposit"] == 45_000
    assert faults(village) == []


# --- after the split -----------------------------------------------------------------------------


def settled(village):
    reference = factories.book(village, {"ADULT": 3})
    factories.book(village)
    settle(village)
    return reference


@pytest.mark.parametrize("end", [WON, LOST])
def test_after_the_split_it_is_nobodys_share_but_a_loss(village, end):
    reference = settled(village)
    before = books(village)
    take_in(village, told(capture=0), EVENING)
    middle = books(village)
    assert (middle["disputed"], middle["given_back"]) == (135_000, FEE)
    take_in(village, told(end, capture=0), EVENING + timedelta(days=1))
    after = books(village)
    assert after["given_back"] == FEE + (135_000 if end == LOST else 0)
    for code in before:
        if code.startswith(("fund:", "household:", "outside:", "guest_", "payment_fee")):
            assert after[code] == before[code], code
    assert the_dispute().was_split
    assert ("dispute_lost" in work(is_open=True)) == (end == LOST)
    assert money(reference).kept_satang == 135_000
    assert faults(village) == []


def test_an_open_dispute_names_whose_shares_it_touches(village):
    settled(village)
    take_in(village, told(capture=0, amount=50_000), EVENING)
    [frozen] = list_frozen(db.session(), village.id)
    assert sum(frozen.shares.values()) == 50_000
    got = books(village)
    assert set(frozen.shares) <= {code for code, amount in got.items() if amount > 0}
    assert {"household:H01", "household:H02", "fund:mgmt"} <= set(frozen.shares)
    assert all(part <= got[code] for code, part in frozen.shares.items())
    take_in(village, told(LOST, capture=0, amount=50_000), EVENING + timedelta(days=1))
    assert list_frozen(db.session(), village.id) == []
    card = disputes.get_dispute(db.session(), village.id, the_dispute().id)
    assert frozen_shares(db.session(), card) == frozen.shares


def test_before_the_split_nobodys_share_is_touched(village):
    factories.book(village)
    take_in(village, told())
    assert list_frozen(db.session(), village.id) == []


# --- evidence ------------------------------------------------------------------------------------


def disputed(village):
    reference = factories.book(village)
    scan = arrivals.Scan("scan-1", reference, "phone-7", 2, EVENING)
    arrivals.take_scans(village.id, [scan], village.person_id, EVENING)
    with transaction() as session:
        for notice in session.scalars(select(Notice)):
            notice.sent_at = NOW
            if notice.kind == "booking_confirmed":  # its personal part was emptied since
                notice.facts, notice.recipient = {}, ""
    return reference, take_in(village, told())


def test_evidence_tells_what_was_sold_agreed_paid_and_done(village):
    reference, dispute_id = disputed(village)
    told_ = disputes.evidence(db.session(), dispute_id)
    assert told_["customer_name"] == "Guest"
    assert told_["customer_email_address"] == "guest@example.org"
    assert told_["service_date"] == "24 November 2026"
    assert reference in told_["product_description"]
    assert "2 x adult, THB 450.00 each" in told_["product_description"]
    assert "at least 15 days before the start: 50 percent" in told_["refund_policy_disclosure"]
    assert "phone-7" in told_["access_activity_log"]
    assert "THB 900.00" in told_["uncategorized_text"]
    assert "booking_confirmed" in told_["uncategorized_text"]
    assert not {"refund_policy", "service_documentation"} & set(told_)  # these want uploaded files
    assert all(told_.values())


def test_evidence_names_a_party_that_did_not_come(village):
    reference = factories.book(village)
    arrivals.note_no_show(village.id, reference, "waited an hour", village.person_id, EVENING)
    told_ = disputes.evidence(db.session(), take_in(village, told()))
    assert "waited an hour" in told_["uncategorized_text"]
    assert "access_activity_log" not in told_


def test_evidence_is_sent_once_with_the_communitys_own_words(village):
    _reference, dispute_id = disputed(village)
    bank = Scripted()
    bank.is_down = True
    with pytest.raises(ProviderDown):
        send(village, dispute_id, bank)
    assert the_dispute().submitted_at is None
    bank.is_down = False
    send(village, dispute_id, bank)
    [(ref, evidence)] = bank.evidence
    assert ref == "dp_1"
    assert evidence["uncategorized_text"].startswith("From the community:\nThey came by our boat.")
    dispute = the_dispute()
    assert (dispute.submitted_at, dispute.submitted_by) == (EVENING, village.person_id)
    with pytest.raises(StateForbids):
        send(village, dispute_id, bank)
    assert len(bank.evidence) == 1


def send(village, dispute_id, bank):
    words, person_id = "They came by our boat.", village.person_id
    disputes.submit_evidence(village.id, dispute_id, words, bank.among, person_id, EVENING)


def test_evidence_is_refused_for_what_is_decided_for_others_and_where_nobody_takes_it(village):
    _reference, dispute_id = disputed(village)
    with pytest.raises(MethodClosed):
        disputes.submit_evidence(village.id, dispute_id, "", PROVIDERS, village.person_id, NOW)
    with pytest.raises(NotFound):
        send(factories.make_village(), dispute_id, Scripted())
    take_in(village, told(WON))
    bank = Scripted()
    with pytest.raises(StateForbids):
        send(village, dispute_id, bank)
    assert bank.evidence == []
    assert the_dispute().submitted_at is None
