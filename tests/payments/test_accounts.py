"""The ways to be paid: changed, ordered, closed and tried out, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from cbt.db import db
from cbt.errors import (
    AccountInUse,
    AccountTaken,
    CommunityNotSample,
    MethodClosed,
    NameTaken,
    NotFound,
    PromptPayIdInvalid,
    ProviderDown,
)
from cbt.ledger.queries import list_may_go_negative
from cbt.payments import account_changes, accounts, queries
from cbt.payments.accounts import AccountProblem
from cbt.payments.models import AccountChange, PaymentAccount
from cbt.payments.promptpay import IdKind, Receiver, payload, pays
from cbt.payments.provider import Capabilities
from cbt.payments.providers.demo import DemoProvider
from cbt.payments.queries import find_method, list_last_changes
from tests import factories
from tests.factories import PROVIDERS, RECEIVERS, text
from tests.site import NOW

NAME = text("receiver")
PHONE = Receiver(IdKind.PHONE, "081-234-5678")


class Telling(DemoProvider):
    """A payment service that is asked about its accounts; it notes when a transaction is open."""

    name = "telling"
    capabilities = Capabilities(refunds_itself=True, is_pretended=False, tells_us=True)

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def check(self, receiver):
        assert "in_use_case" not in db.session().info
        assert not db.session().in_transaction()
        self.asked.append(dict(receiver))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def village(app):
    return factories.make_village()


def shown(village):
    db.session.rollback()
    return {each.provider: each for each in queries.list_accounts(db.session(), village.id)}


def put(village, provider, receiver, name=NAME):
    """Another receiver, proposed by one person and agreed to by another."""
    about = (village.id, provider, receiver, name)
    if account_changes.change_account(*about, village.person_id, NOW):
        return
    (waiting,) = queries.list_waiting_proposals(db.session(), village.id)
    db.session.rollback()
    providers = {**PROVIDERS, provider.name: provider}
    second = factories.make_person()
    account_changes.approve_change(village.id, waiting.id, second, providers, NOW)


def with_service(village, answer):
    service = Telling(answer)
    accounts.open_payment_account(village.id, service, {"account": "acct_1"}, NAME)
    return service, {**PROVIDERS, "telling": service}


# --- opening and changing ------------------------------------------------------------------------


def test_a_way_to_be_paid_is_opened_once(village):
    with pytest.raises(NameTaken):
        accounts.open_payment_account(village.id, PROVIDERS["cash"], RECEIVERS["cash"], NAME)
    assert list(shown(village)) == ["demo", "promptpay", "cash"]


def test_only_the_cash_box_cannot_hold_less_than_nothing(village):
    negative = list_may_go_negative(db.session(), village.card.book_id)
    assert "payment:demo" in negative
    assert "payment:cash" not in negative


def test_another_receiver_is_paid_from_now_on_and_tried_anew(village):
    attempt = factories.start(factories.hold(village), "promptpay")
    accounts.check_account(village.id, "promptpay", PROVIDERS, NOW - timedelta(days=1))
    receiver = {"kind": "tax_id", "id": "1101700230708"}
    put(village, PROVIDERS["promptpay"], receiver, text("other"))
    after = shown(village)["promptpay"]
    assert (after.receiver, after.receiver_name) == (receiver, text("other"))
    assert (after.checked_at, after.problem) == (NOW, "")
    old = queries.get_attempt(db.session(), attempt.id)
    assert pays(old.qr_payload, PHONE, 90_000)
    new = factories.start(factories.hold(village), "promptpay")
    assert pays(new.qr_payload, Receiver(IdKind.TAX_ID, "1101700230708"), new.amount_satang)


def test_codes_that_guests_have_before_them_are_listed_while_they_can_be_paid(village):
    attempt = factories.start(factories.hold(village), "promptpay")
    factories.start(factories.hold(village), "demo")

    def open_at(now):
        found = queries.list_open_attempts(db.session(), village.id, "promptpay", now)
        return [each.id for each in found]

    assert open_at(NOW) == [attempt.id]
    assert open_at(attempt.expires_at) == []


def test_a_new_name_alone_needs_no_new_trial(village):
    accounts.check_account(village.id, "promptpay", PROVIDERS, NOW)
    account_changes.change_account(
        village.id,
        PROVIDERS["promptpay"],
        RECEIVERS["promptpay"],
        text("other"),
        village.person_id,
        NOW,
    )
    assert shown(village)["promptpay"].checked_at == NOW


def test_a_number_that_promptpay_does_not_know_changes_nothing(village):
    before = shown(village)
    with pytest.raises(PromptPayIdInvalid):
        account_changes.change_account(
            village.id,
            PROVIDERS["promptpay"],
            {"kind": "phone", "id": "12"},
            NAME,
            village.person_id,
            NOW,
        )
    assert shown(village) == before


def test_an_account_at_a_service_is_not_replaced_once_it_was_used(village):
    service, providers = with_service(village, "")
    put(village, service, {"account": "acct_2"})
    assert shown(village)["telling"].receiver == {"account": "acct_2"}
    factories.pay.start_attempt(factories.hold(village), "telling", providers, NOW)
    with pytest.raises(AccountInUse):
        account_changes.change_account(
            village.id, service, {"account": "acct_3"}, NAME, village.person_id, NOW
        )
    assert shown(village)["telling"].receiver == {"account": "acct_2"}
    account_changes.change_account(
        village.id,
        service,
        {"account": "acct_2"},
        text("other"),
        village.person_id,
        NOW,
    )
    assert shown(village)["telling"].receiver_name == text("other")


def test_what_a_community_does_not_have_cannot_be_arranged(app):
    community_id = factories.make_community()
    for arrange in (
        lambda: account_changes.change_account(
            community_id,
            PROVIDERS["cash"],
            {"guests": "no"},
            NAME,
            1,
            NOW,
        ),
        lambda: accounts.set_open(community_id, "cash", 1, NOW, is_open=False),
        lambda: accounts.move_up(community_id, "cash"),
        lambda: accounts.check_account(community_id, "cash", PROVIDERS, NOW),
    ):
        with pytest.raises(NotFound):
            arrange()


def test_pretended_money_stays_with_samples(app):
    community_id = factories.make_community(is_sample=False)
    with pytest.raises(CommunityNotSample):
        accounts.open_payment_account(community_id, PROVIDERS["demo"], {}, NAME)
    assert queries.list_accounts(db.session(), community_id) == []


# --- order, open and closed ----------------------------------------------------------------------


def test_a_way_to_pay_moves_up_one_place_at_a_time(village):
    accounts.move_up(village.id, "cash")
    assert list(shown(village)) == ["demo", "cash", "promptpay"]
    accounts.move_up(village.id, "cash")
    accounts.move_up(village.id, "cash")
    assert list(shown(village)) == ["cash", "demo", "promptpay"]


def test_what_is_closed_cannot_be_begun_but_what_was_begun_is_paid(village):
    attempt = factories.start(factories.hold(village))
    accounts.set_open(village.id, "demo", village.person_id, NOW, is_open=False)
    reference = factories.hold(village)
    with pytest.raises(MethodClosed):
        factories.start(reference)
    factories.act(attempt.provider_ref, factories.Act.PAY, attempt.amount_satang, NOW, NOW)
    factories.take_in.take_in(attempt.id, PROVIDERS, NOW)
    assert queries.get_attempt(db.session(), attempt.id).state == "paid"
    accounts.set_open(village.id, "demo", village.person_id, NOW, is_open=True)
    assert factories.start(reference).state == "pending"


@pytest.mark.parametrize(
    ("guests", "is_open", "expected"),
    [("yes", True, True), ("no", True, False), ("yes", False, False)],
)
def test_guests_may_choose_cash_only_where_the_community_says_so(
    village, guests, is_open, expected
):
    account_changes.change_account(
        village.id, PROVIDERS["cash"], {"guests": guests}, NAME, village.person_id, NOW
    )
    accounts.set_open(village.id, "cash", village.person_id, NOW, is_open=is_open)
    assert queries.find_method(db.session(), village.id, "cash").is_for_guests == expected
    assert queries.find_method(db.session(), village.id, "demo").is_for_guests


# --- trying out ----------------------------------------------------------------------------------


def test_each_way_of_the_village_can_be_tried(village):
    for provider in PROVIDERS:
        assert accounts.check_account(village.id, provider, PROVIDERS, NOW) == ""
        assert (shown(village)[provider].checked_at, shown(village)[provider].problem) == (NOW, "")


@pytest.mark.parametrize(
    "receiver", [{"kind": "phone", "id": "1"}, {"kind": "nothing", "id": "1"}, {}]
)
def test_a_receiver_that_was_damaged_in_the_database_is_told(village, receiver):
    own = PaymentAccount.provider == "promptpay"
    db.session.execute(PaymentAccount.__table__.update().where(own).values(receiver=receiver))
    db.session.commit()
    problem = accounts.check_account(village.id, "promptpay", PROVIDERS, NOW)
    assert problem == shown(village)["promptpay"].problem == AccountProblem.RECEIVER


@pytest.mark.parametrize("answer", ["", "charges_disabled"])
def test_a_service_is_asked_and_its_answer_is_kept(village, answer):
    service, providers = with_service(village, answer)
    assert accounts.check_account(village.id, "telling", providers, NOW) == answer
    assert service.asked == [{"account": "acct_1"}]
    assert shown(village)["telling"].problem == answer


def test_a_service_that_does_not_answer_changes_nothing(village):
    service, providers = with_service(village, "charges_disabled")
    accounts.check_account(village.id, "telling", providers, NOW)
    service.answer = ProviderDown(method="telling")
    with pytest.raises(ProviderDown):
        accounts.check_account(village.id, "telling", providers, NOW + timedelta(hours=1))
    after = shown(village)["telling"]
    assert (after.problem, after.checked_at) == ("charges_disabled", NOW)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda code: code, True),
        (lambda code: code.replace("5678", "5679", 1), False),
        (lambda code: code[:-1] + ("0" if code[-1] != "0" else "1"), False),
        (lambda code: code[:-8], False),
        (lambda code: code[:0], False),
    ],
    ids=["whole", "another number", "checksum", "cut off", "nothing"],
)
def test_a_code_is_read_back_as_a_bank_does(damage, expected):
    assert pays(damage(payload(PHONE, 12_345)), PHONE, 12_345) == expected


def test_a_code_for_another_amount_or_receiver_is_not_ours():
    code = payload(PHONE, 12_345)
    assert not pays(code, PHONE, 12_346)
    assert not pays(code, Receiver(IdKind.PHONE, "0812345679"), 12_345)
    assert not pays(code, Receiver(IdKind.EWALLET, "0" * 15), 12_345)
    biller = Receiver(IdKind.BILLER, "1" * 15)
    assert pays(payload(biller, 1), biller, 1)


def test_two_communities_cannot_have_one_account_at_a_service(village):
    service, _providers = with_service(village, "")
    account_changes.change_account(
        village.id, service, {"account": "acct_1"}, NAME, village.person_id, NOW
    )
    other = factories.make_community()
    with pytest.raises(AccountTaken):
        accounts.open_payment_account(other, service, {"account": "acct_1"}, NAME)
    db.session.rollback()
    assert find_method(db.session(), other, service.name) is None
    accounts.open_payment_account(other, service, {"account": "acct_2"}, NAME)


def test_who_changed_where_the_money_goes_and_who_agreed_is_kept(village):
    receiver = {"kind": "tax_id", "id": "1101700230708"}
    for _ in range(2):  # the second changes nothing
        put(village, PROVIDERS["promptpay"], receiver)
    (change,) = db.session.scalars(select(AccountChange)).all()
    assert (change.changed_by, change.changed_at) == (village.person_id, NOW)
    assert change.agreed_by not in (None, village.person_id)
    assert change.before["receiver"] != change.after["receiver"] == receiver
    last = list_last_changes(db.session(), village.id)
    assert set(last) == {"promptpay"}
    assert last["promptpay"].agreed != last["promptpay"].name
