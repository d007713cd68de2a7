"""Where a community's money goes: one person proposes, another agrees, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import event, func, select

from cbt.db import db
from cbt.errors import (
    AccountChanged,
    AccountInUse,
    AccountTaken,
    NameTaken,
    NotAllowed,
    NotFound,
    PromptPayIdInvalid,
    ProposalWaits,
    ReasonMissing,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.notices.models import Notice
from cbt.payments import accounts, queries
from cbt.payments.account_changes import (
    approve_change,
    change_account,
    open_account,
    refuse_change,
    settle_proposals,
    withdraw_change,
)
from cbt.payments.account_rules import ALONE_AFTER, LAPSES_AFTER, moves_money
from cbt.payments.models import AccountChange, AccountProposal, PaymentAccount
from cbt.payments.promptpay import Receiver, pays
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS, RECEIVERS, text
from tests.payments.test_accounts import Telling
from tests.site import NOW

PROMPTPAY = PROVIDERS["promptpay"]
OTHER = {"kind": "tax_id", "id": "1101700230708"}
SOON = NOW + timedelta(hours=1)


@pytest.fixture
def village(app):
    """Its coordinator is `person_id`; nobody else there has a role with money."""
    return factories.make_village()


@pytest.fixture
def treasurer(village):
    return add(village, Role.TREASURER)


def add(village, role):
    person_id = factories.make_person()
    people.grant_role(person_id, Grant(role, village.id), NOW)
    return person_id


def propose(village, receiver=OTHER, name="other", now=NOW, by=None):
    about = (village.id, PROMPTPAY, receiver, text(name), by or village.person_id)
    assert not change_account(*about, now)
    return waiting(village)[-1].id


def approve(village, proposal_id, person_id, now=SOON, providers=PROVIDERS):
    approve_change(village.id, proposal_id, person_id, providers, now)


def waiting(village):
    db.session.rollback()
    found = queries.list_waiting_proposals(db.session(), village.id)
    db.session.rollback()
    return found


def state(proposal_id):
    db.session.rollback()
    found = queries.get_proposal(db.session(), proposal_id).state
    db.session.rollback()
    return found


def account(village, provider="promptpay"):
    db.session.rollback()
    found = queries.find_method(db.session(), village.id, provider)
    db.session.rollback()
    return found


def written():
    """How many rows tell of changes; refusals leave every number as it was."""
    db.session.rollback()
    tables = (AccountProposal, AccountChange, PaymentAccount, Notice)
    found = [db.session.scalar(select(func.count()).select_from(table)) for table in tables]
    decided = AccountProposal.decided_at.is_not(None)
    found.append(db.session.scalar(select(func.count()).where(decided)))
    db.session.rollback()
    return found


def refused(error, attempt):
    before = written()
    with pytest.raises(error):
        attempt()
    db.session.rollback()
    assert written() == before


# --- the old account stays until another person agrees -------------------------------------------


def test_guests_pay_the_old_account_until_another_person_agrees(village, treasurer):
    proposal = propose(village)
    old = factories.start(factories.hold(village), "promptpay")
    assert pays(old.qr_payload, Receiver(**as_receiver(RECEIVERS["promptpay"])), old.amount_satang)
    approve(village, proposal, treasurer)
    assert (account(village).receiver, account(village).receiver_name) == (OTHER, text("other"))
    new = factories.start(factories.hold(village), "promptpay")
    assert pays(new.qr_payload, Receiver(**as_receiver(OTHER)), new.amount_satang)
    assert state(proposal) == "approved"


def as_receiver(told):
    return {"kind": told["kind"], "id": told["id"]}


def test_nobody_agrees_to_their_own_change(village, treasurer):
    proposal = propose(village)
    refused(SecondPersonNeeded, lambda: approve(village, proposal, village.person_id))
    assert account(village).receiver == RECEIVERS["promptpay"]
    assert state(proposal) == "proposed"


def test_the_database_itself_refuses_one_person_as_both(village):
    proposal = propose(village)
    row = db.session.get_one(AccountProposal, proposal)
    row.state, row.decided_by, row.decided_at = "approved", village.person_id, SOON
    with pytest.raises(Exception, match="two_people"):
        db.session.flush()
    db.session.rollback()


def test_a_way_to_be_paid_that_is_new_waits_as_well(app):
    community_id = factories.make_community(is_sample=False)
    first, second = factories.make_person(), factories.make_person()
    for person_id in (first, second):
        people.grant_role(person_id, Grant(Role.TREASURER, community_id), NOW)
    about = (community_id, PROMPTPAY, OTHER, text("ours"))
    assert not open_account(*about, first, NOW)
    assert queries.list_accounts(db.session(), community_id) == []
    (proposal,) = queries.list_waiting_proposals(db.session(), community_id)
    db.session.rollback()
    approve_change(community_id, proposal.id, second, PROVIDERS, SOON)
    (opened,) = queries.list_accounts(db.session(), community_id)
    assert (opened.receiver, opened.is_open, opened.checked_at) == (OTHER, True, SOON)
    (change,) = db.session.scalars(select(AccountChange)).all()
    assert (change.before, change.changed_by, change.agreed_by) == ({}, first, second)


@pytest.mark.parametrize(
    ("before", "after", "stays", "moves"),
    [
        pytest.param({"id": "1"}, {"id": "2"}, False, True, id="another number"),
        pytest.param({"id": "1"}, {"id": "1"}, False, False, id="the same"),
        pytest.param(None, {"id": "1"}, False, True, id="new"),
        pytest.param({"guests": "no"}, {"guests": "yes"}, True, False, id="cash"),
        pytest.param(None, {}, True, False, id="pretended"),
    ],
)
def test_only_what_moves_guests_money_needs_two(before, after, stays, moves):
    assert moves_money(before, after, stays=stays) == moves


def test_a_name_alone_is_changed_at_once(village):
    about = (village.id, PROMPTPAY, RECEIVERS["promptpay"], text("other"))
    assert change_account(*about, village.person_id, NOW)
    assert account(village).receiver_name == text("other")
    assert waiting(village) == []


# --- refusing and withdrawing --------------------------------------------------------------------


def test_another_person_refuses_and_writes_why(village, treasurer):
    proposal = propose(village)
    refused(ReasonMissing, lambda: refuse_change(village.id, proposal, "  ", treasurer, SOON))
    refused(
        SecondPersonNeeded,
        lambda: refuse_change(village.id, proposal, "mine", village.person_id, SOON),
    )
    refuse_change(village.id, proposal, " not ours ", treasurer, SOON)
    (decided,) = queries.list_decided_proposals(db.session(), village.id, 5)
    assert (decided.state, decided.reason, decided.decided_by) == ("refused", "not ours", treasurer)
    db.session.rollback()
    refused(StateForbids, lambda: approve(village, proposal, treasurer))
    assert account(village).receiver == RECEIVERS["promptpay"]


def test_who_proposed_it_withdraws_it_and_may_propose_another(village, treasurer):
    proposal = propose(village)
    refused(NotAllowed, lambda: withdraw_change(village.id, proposal, "", treasurer, SOON))
    withdraw_change(village.id, proposal, "", village.person_id, SOON)
    refused(StateForbids, lambda: approve(village, proposal, treasurer))
    assert state(proposal) == "withdrawn"
    third = {"kind": "phone", "id": "0899999999"}
    approve(village, propose(village, third, now=SOON), treasurer)
    assert account(village).receiver == third


def test_one_change_of_an_account_waits_at_a_time(village, treasurer):
    propose(village)
    for receiver in (OTHER, RECEIVERS["promptpay"]):  # a name alone waits for the answer too
        about = (village.id, PROMPTPAY, receiver, text("third"))
        refused(ProposalWaits, lambda about=about: change_account(*about, treasurer, SOON))
    assert account(village).receiver_name == text("receiver")


# --- what was proposed is no longer so -----------------------------------------------------------


def test_a_proposal_is_not_put_in_the_place_of_another_account(village, treasurer):
    proposal = propose(village)
    moved = {"kind": "phone", "id": "0899999999"}
    own = PaymentAccount.id == account(village).id
    db.session.execute(PaymentAccount.__table__.update().where(own).values(receiver=moved))
    db.session.commit()
    refused(AccountChanged, lambda: approve(village, proposal, treasurer))
    assert account(village).receiver == moved
    assert state(proposal) == "proposed"


def test_after_two_weeks_nobody_can_agree_any_more(village, treasurer):
    proposal = propose(village)
    late = NOW + LAPSES_AFTER
    refused(StateForbids, lambda: approve(village, proposal, treasurer, late))
    assert settle_proposals(PROVIDERS, late - timedelta(seconds=1)) == 0
    assert state(proposal) == "proposed"
    assert settle_proposals(PROVIDERS, late) == 0
    assert state(proposal) == "lapsed"
    assert account(village).receiver == RECEIVERS["promptpay"]


def test_what_has_lapsed_makes_room_for_another(village, treasurer):
    first = propose(village)
    second = propose(village, now=NOW + LAPSES_AFTER)
    assert (state(first), state(second)) == ("lapsed", "proposed")


def test_an_account_that_was_used_meanwhile_stays(village, treasurer):
    service = Telling("")
    providers = {**PROVIDERS, "telling": service}
    accounts.open_payment_account(village.id, service, {"account": "acct_1"}, text("it"))
    about = (village.id, service, {"account": "acct_2"}, text("it"))
    assert not change_account(*about, village.person_id, NOW)
    (proposal,) = waiting(village)
    factories.pay.start_attempt(factories.hold(village), "telling", providers, NOW)
    refused(AccountInUse, lambda: approve(village, proposal.id, treasurer, providers=providers))
    assert account(village, "telling").receiver == {"account": "acct_1"}


def test_another_communitys_account_is_refused_when_proposed_and_when_agreed_to(village, treasurer):
    service = Telling("")
    providers = {**PROVIDERS, "telling": service}
    about = (village.id, service, {"account": "acct_1"}, text("it"))
    assert not open_account(*about, village.person_id, NOW)
    (proposal,) = waiting(village)
    other = factories.make_community()
    accounts.open_payment_account(other, service, {"account": "acct_1"}, text("it"))
    refused(AccountTaken, lambda: approve(village, proposal.id, treasurer, providers=providers))
    withdraw_change(village.id, proposal.id, "", village.person_id, SOON)
    refused(AccountTaken, lambda: open_account(*about, village.person_id, SOON))


def test_what_cannot_be_is_refused_before_anybody_is_asked(village):
    about = (village.id, PROMPTPAY, {"kind": "phone", "id": "12"}, text("it"), village.person_id)
    refused(PromptPayIdInvalid, lambda: change_account(*about, NOW))
    about = (village.id, PROMPTPAY, OTHER, text("it"), village.person_id)
    refused(NameTaken, lambda: open_account(*about, NOW))


def test_another_communitys_people_decide_nothing(village, treasurer):
    proposal, other = propose(village), factories.make_community()
    for decide in (
        lambda: approve_change(other, proposal, treasurer, PROVIDERS, SOON),
        lambda: refuse_change(other, proposal, "no", treasurer, SOON),
        lambda: withdraw_change(other, proposal, "", village.person_id, SOON),
    ):
        refused(NotFound, decide)


# --- two at once ---------------------------------------------------------------------------------


def test_of_two_who_decide_at_once_one_does(app, village, treasurer):
    third = add(village, Role.COORDINATOR)
    proposal = propose(village)

    def decide(number):
        if number % 2:
            return refuse_change(village.id, proposal, "no", third, SOON)
        return approve(village, proposal, treasurer)

    results = run_together(app, decide, 4)
    assert [type(each) for each in results].count(StateForbids) == 3
    changes = db.session.scalar(select(func.count()).select_from(AccountChange))
    decided = state(proposal)
    assert changes == (1 if decided == "approved" else 0)
    assert (account(village).receiver == OTHER) == (decided == "approved")


def test_of_two_who_propose_at_once_one_does(app, village, treasurer):
    def one(number):
        receiver = {"kind": "phone", "id": f"089999999{number}"}
        about = (village.id, PROMPTPAY, receiver, text("it"))
        return change_account(*about, treasurer, NOW)

    results = run_together(app, one, 4)
    assert [type(each) for each in results].count(ProposalWaits) == 3
    assert len(waiting(village)) == 1


def test_what_breaks_while_it_takes_effect_leaves_nothing_half_written(village, treasurer):
    proposal = propose(village)
    before = written()

    def break_off(_connection, _cursor, statement, *_others):
        if "INTO account_change" in statement:
            raise RuntimeError

    event.listen(db.engine, "before_cursor_execute", break_off)
    try:
        with pytest.raises(RuntimeError):
            approve(village, proposal, treasurer)
    finally:
        event.remove(db.engine, "before_cursor_execute", break_off)
    assert written() == before
    assert account(village).receiver == RECEIVERS["promptpay"]
    assert state(proposal) == "proposed"
    approve(village, proposal, treasurer)
    assert account(village).receiver == OTHER


# --- a community with one person -----------------------------------------------------------------


def test_with_nobody_else_it_takes_effect_after_a_day(village):
    proposal = propose(village)
    assert settle_proposals(PROVIDERS, NOW + ALONE_AFTER - timedelta(seconds=1)) == 0
    assert account(village).receiver == RECEIVERS["promptpay"]
    assert settle_proposals(PROVIDERS, NOW + ALONE_AFTER) == 1
    assert (state(proposal), account(village).receiver) == ("alone", OTHER)
    assert settle_proposals(PROVIDERS, NOW + ALONE_AFTER) == 0


def test_the_first_account_of_a_lone_treasurer_opens_after_a_day(app):
    community_id, person_id = factories.make_community(is_sample=False), factories.make_person()
    people.grant_role(person_id, Grant(Role.TREASURER, community_id), NOW)
    assert not open_account(community_id, PROMPTPAY, OTHER, text("ours"), person_id, NOW)
    assert settle_proposals(PROVIDERS, NOW + ALONE_AFTER) == 1
    (opened,) = queries.list_accounts(db.session(), community_id)
    assert opened.receiver == OTHER


def test_somebody_who_joins_meanwhile_is_asked(village):
    proposal = propose(village)
    joined = add(village, Role.TREASURER)
    assert settle_proposals(PROVIDERS, NOW + ALONE_AFTER) == 0
    assert state(proposal) == "proposed"
    approve(village, proposal, joined, NOW + ALONE_AFTER)
    assert account(village).receiver == OTHER


def test_what_somebody_proposed_whose_role_has_ended_waits_for_the_others(village, treasurer):
    proposal = propose(village)
    for person_id, role in ((village.person_id, Role.COORDINATOR), (treasurer, Role.TREASURER)):
        people.end_role(person_id, Grant(role, village.id), SOON)
        assert settle_proposals(PROVIDERS, NOW + ALONE_AFTER) == 0
    assert state(proposal) == "proposed"


def test_a_lone_change_that_cannot_be_lapses_and_stops_no_other(village):
    service = Telling("")
    providers = {**PROVIDERS, "telling": service}
    about = (village.id, service, {"account": "acct_1"}, text("it"))
    assert not open_account(*about, village.person_id, NOW)
    (taken,) = waiting(village)
    other = factories.make_community()
    accounts.open_payment_account(other, service, {"account": "acct_1"}, text("it"))
    proposal = propose(village)
    assert settle_proposals(providers, NOW + ALONE_AFTER) == 1
    assert (state(taken.id), state(proposal)) == ("lapsed", "alone")


# --- telling -------------------------------------------------------------------------------------


def told():
    db.session.rollback()
    rows = db.session.execute(select(Notice.kind, Notice.recipient).order_by(Notice.id)).all()
    db.session.rollback()
    return [tuple(row) for row in rows]


def test_everybody_with_a_role_and_an_address_is_written_to(village, treasurer):
    people.set_mail(village.person_id, "one@example.org")
    people.set_mail(treasurer, "two@example.org")
    stranger = factories.make_person()
    people.set_mail(stranger, "stranger@example.org")
    people.grant_role(stranger, Grant(Role.TREASURER, factories.make_community()), NOW)
    proposal = propose(village)
    both = ("one@example.org", "two@example.org")
    assert told() == [("account_proposed", each) for each in both]
    refuse_change(village.id, proposal, "no", treasurer, SOON)
    assert told()[2:] == [("account_kept", each) for each in both]
    approve(village, propose(village, now=SOON), treasurer)
    assert told()[6:] == [("account_changed", each) for each in both]
