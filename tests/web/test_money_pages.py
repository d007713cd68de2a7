"""The treasurer's pages about money: what they show, what they do, and what they refuse."""

import csv
import io
import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import event, func, insert, select

from cbt.bookings.queries import get_booking
from cbt.db import db, transaction
from cbt.payments import accounts, take_in
from cbt.payments.bank_matching import set_aside
from cbt.payments.models import Capture, PaymentAccount, TransferConfirmation
from cbt.payments.provider import PayoutState
from cbt.payments.reconcile import reconcile
from cbt.payments.reported import (
    InboxEvent,
    ProviderPayout,
    StatementImport,
    StatementLine,
    StatementReopening,
    SuspenseMove,
    WorkItem,
    WorkKind,
)
from cbt.payments.work import open_work
from cbt.people.roles import Grant, Role
from tests import factories
from tests.factories import PROVIDERS
from tests.payments.telling import Telling, start
from tests.site import NOW
from tests.web.forms import a_browser, token

PASSWORD = "long enough"
FAR = factories.TOMORROW + timedelta(days=60)


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def village(sqlite_app):
    found = factories.make_village(capacity=60, max_party=20, on=FAR)
    db.session.rollback()
    return found


@pytest.fixture
def treasurer(village, sqlite_app):
    return a_browser(sqlite_app, "the-treasurer", Grant(Role.TREASURER, village.id))


@pytest.fixture
def coordinator(village, sqlite_app):
    return a_browser(sqlite_app, "the-coordinator", Grant(Role.COORDINATOR, village.id))


def at(village, page=""):
    return f"/en/host/{village.slug}/money{page}"


def send(client, village, page, form_at=None, **fields):
    shown = client.get(at(village, page if form_at is None else form_at)).text
    return client.post(at(village, page), data={"csrf_token": token(shown), **fields})


def words(page):
    """What a page says, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def count(model, *conditions):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*conditions))


def only(model):
    db.session.rollback()
    return db.session.scalars(select(model)).one()


def bring(client, village, *rows, name="november.csv", **fields):
    content = "\r\n".join(["Date,Time,Amount,Reference,Payer,Details", *rows]).encode()
    return upload(client, village, content, name, **fields)


def upload(client, village, content, name="november.csv", **fields):
    fields["statement"] = (io.BytesIO(content), name)
    return send(client, village, "/statements", **fields)


def row(satang, payer="Somchai", hour="12:10"):
    return f"2026-11-23,{hour},{satang / 100:.2f},,{payer},"


def code_of(village, **changes):
    made = factories.start(factories.hold(village, {"ADULT": 1}, **changes), "promptpay")
    db.session.rollback()
    return made


def state(attempt):
    db.session.rollback()
    return get_booking(db.session(), attempt.reference).state


# --- what came in --------------------------------------------------------------------------------


def test_the_month_shows_sums_receipts_and_where_the_money_lies(village, treasurer):
    reference = factories.book(village, {"ADULT": 2})
    page = treasurer.get(at(village)).text
    fee = PROVIDERS["demo"].estimate_fee(90_000)
    assert "฿900.00" in page
    assert f"฿{(90_000 - fee) / 100:,.2f}" in page
    assert reference in page
    assert "Receipt 1" in page
    assert re.search(r"/receipts/1\.pdf", page)
    assert "Guests&#39; deposits" in page
    assert "1 payment" in words(page)
    earlier = treasurer.get(at(village, "?month=2026-10")).text
    assert "No payment came in this month." in earlier
    assert treasurer.get(at(village, "?month=nonsense")).status_code == 200


def test_money_in_is_exported_with_cells_that_no_spreadsheet_runs(village, treasurer):
    factories.book(village, {"ADULT": 2})
    with db.engine.begin() as connection:
        for verb in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER capture_refuses_{verb}")
        connection.exec_driver_sql("UPDATE capture SET payment_id = '=cmd()|x'")
    answer = treasurer.get(at(village, "/money-in.csv?month=2026-11"))
    assert answer.mimetype == "text/csv"
    assert answer.data.startswith(b"\xef\xbb\xbf")
    head, line = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
    values = dict(zip(head, line, strict=True))
    assert values["Payment's number"] == "'=cmd()|x"
    assert (values["Receipt"], values["Paid"], values["Day"]) == ("1", "900.00", "2026-11-23")
    assert float(values["Paid"]) - float(values["Fee"]) == pytest.approx(float(values["Left"]))


PAGES = ("", "/statements/match", "/statements/aside", "/work", "/payouts", "/statements")


@pytest.mark.parametrize("page", PAGES)
def test_more_money_costs_no_statement_more(village, treasurer, page):
    for number in range(2):
        factories.book(village, {"ADULT": 1}, key=f"a{number}")
        code_of(village, key=f"b{number}")
    bring(treasurer, village, row(45_100), row(-100), row(-150))
    set_aside(village.id, [only_line(-150)], "rice", village.person_id, NOW)

    def statements():
        found = []

        def note(*given):
            found.append(given[2])

        event.listen(db.engine, "before_cursor_execute", note)
        assert treasurer.get(at(village, page)).status_code == 200
        event.remove(db.engine, "before_cursor_execute", note)
        return len([each for each in found if each.startswith("SELECT")])

    treasurer.get(at(village, page))
    before = statements()
    for number in range(12):
        factories.book(village, {"ADULT": 1}, key=f"c{number}")
        code_of(village, key=f"d{number}")
    bring(treasurer, village, *(row(100 + each) for each in range(60)))
    set_aside(
        village.id, [only_line(100 + each) for each in range(30)], "x", village.person_id, NOW
    )
    assert statements() == before
    assert before <= 14


# --- statements ----------------------------------------------------------------------------------


def test_a_statement_is_read_in_and_its_certain_line_accepted(village, treasurer):
    attempt = code_of(village)
    answer = bring(treasurer, village, row(attempt.amount_satang), row(-20_000, "Rice"))
    assert answer.status_code == 303
    assert answer.location.endswith("/money/statements/match")
    page = treasurer.get(at(village, "/statements/match")).text
    assert attempt.reference in page
    assert "at that time only this payment had this amount" in page
    line = only_line(attempt.amount_satang)
    done = send(
        treasurer,
        village,
        f"/statements/match/{line}",
        "/statements/match",
        target=f"attempt:{attempt.id}",
    )
    assert done.status_code == 303
    assert state(attempt) == "confirmed"
    assert count(Capture) == 1
    again = send(
        treasurer,
        village,
        f"/statements/match/{line}",
        "/statements/match",
        target=f"attempt:{attempt.id}",
    )
    assert again.status_code == 409
    assert count(Capture) == 1


def only_line(amount):
    db.session.rollback()
    found = select(StatementLine.id).where(StatementLine.amount_satang == amount)
    return db.session.scalars(found).one()


def test_all_certain_lines_at_once(village, treasurer):
    attempts = [code_of(village, key=f"k{number}") for number in range(3)]
    bring(treasurer, village, *(row(each.amount_satang, "Guest") for each in attempts))
    page = treasurer.get(at(village, "/statements/match")).text
    assert "Accept all 3 certain ones" in page
    ids = re.findall(r'type="hidden" name="line" value="(\d+)"', page)
    assert len(ids) == 3
    done = send(treasurer, village, "/statements/match/certain", "/statements/match", line=ids)
    assert done.status_code == 303
    assert [state(each) for each in attempts] == ["confirmed"] * 3


def test_a_large_line_waits_for_a_second_person(village, treasurer, coordinator):
    attempt = factories.start(factories.hold(village, {"ADULT": 12}), "promptpay")
    db.session.rollback()
    bring(treasurer, village, row(attempt.amount_satang))
    line = only_line(attempt.amount_satang)
    page = f"/statements/match/{line}"
    target = f"attempt:{attempt.id}"
    assert send(treasurer, village, page, "/statements/match", target=target).status_code == 303
    shown = treasurer.get(at(village, "/statements/match")).text
    assert "the-treasurer" in shown
    assert "Yes, that is it" not in shown
    refused = send(treasurer, village, page, "/statements/match", target=target)
    assert refused.status_code == 409
    assert state(attempt) == "held"
    assert send(coordinator, village, page, "/statements/match", target=target).status_code == 303
    assert state(attempt) == "confirmed"


def test_a_line_is_given_to_a_booking_by_its_code(village, treasurer):
    attempt = code_of(village)
    bring(treasurer, village, row(33_300))
    line = only_line(33_300)
    page = f"/statements/match/{line}"
    wrong = send(treasurer, village, page, "/statements/match", code="B-NOSUCH")
    assert wrong.status_code == 422
    assert 'value="B-NOSUCH"' in wrong.text
    assert send(treasurer, village, page, "/statements/match").status_code == 422
    assert count(TransferConfirmation) == 0
    done = send(treasurer, village, page, "/statements/match", code=attempt.reference.lower())
    assert done.status_code == 303
    assert count(TransferConfirmation) == 1


def test_lines_are_set_aside_with_a_word(village, treasurer):
    bring(treasurer, village, row(-100, "Rice"), row(-200, "Petrol"))
    lines = [str(only_line(-100)), str(only_line(-200))]
    page, form_at = "/statements/match/aside", "/statements/match"
    refused = send(treasurer, village, page, form_at, line=lines)
    assert refused.status_code == 422
    assert refused.text.count("checked") >= 2
    assert send(treasurer, village, page, form_at, note="kitchen").status_code == 422
    assert count(StatementLine, StatementLine.state == "open") == 2
    assert send(treasurer, village, page, form_at, line=lines, note="kitchen").status_code == 303
    assert count(StatementLine, StatementLine.note == "kitchen") == 2
    assert "No line waits." in treasurer.get(at(village, "/statements/match")).text


def test_a_line_that_was_set_aside_is_opened_again_with_a_reason(village, treasurer, coordinator):
    bring(treasurer, village, row(-100, "Rice"))
    line = only_line(-100)
    set_aside(village.id, [line], "kitchen", village.person_id, NOW)
    page = coordinator.get(at(village, "/statements/aside")).text
    assert "kitchen" in page
    assert (
        at(village, "/statements/aside") in coordinator.get(at(village, "/statements/match")).text
    )
    again, form_at = f"/statements/aside/{line}", "/statements/aside"
    refused = send(coordinator, village, again, form_at, reason=" ")
    assert refused.status_code == 422
    assert "Please write why it is to be looked at again." in refused.text
    assert count(StatementLine, StatementLine.state == "set_aside") == 1
    assert send(coordinator, village, again, form_at, reason="a guest").status_code == 303
    assert only(StatementReopening).reason == "a guest"
    assert "No line was set aside." in coordinator.get(at(village, form_at)).text
    assert "Rice" in coordinator.get(at(village, "/statements/match")).text
    assert send(coordinator, village, again, form_at, reason="a guest").status_code == 409


def test_lines_and_those_set_aside_come_page_by_page(village, treasurer):
    bring(treasurer, village, *(row(-100 - each, f"Payee {each}") for each in range(60)))
    shown = [treasurer.get(at(village, f"/statements/match?page={n}")).text for n in (1, 2, 3, 9)]
    assert [len(re.findall(r'id="line-\d+"', each)) for each in shown] == [25, 25, 10, 10]
    assert "Page 3 of 3" in shown[3]
    everything = db.session.scalars(select(StatementLine.id)).all()
    db.session.rollback()
    set_aside(village.id, everything, "x", village.person_id, NOW)
    shown = [treasurer.get(at(village, f"/statements/aside?page={n}")).text for n in (1, 3)]
    assert [len(re.findall(r'id="line-\d+"', each)) for each in shown] == [25, 10]


def test_a_line_that_was_refused_is_shown_on_its_own_page(village, treasurer):
    bring(treasurer, village, *(row(-100 - each, f"Payee {each}") for each in range(60)))
    line = only_line(-155)
    answer = send(treasurer, village, f"/statements/match/{line}", "/statements/match", code="B-NO")
    assert answer.status_code == 422
    assert f'id="line-{line}"' in answer.text
    assert "Page 3 of 3" in answer.text


def test_a_file_that_cannot_be_read_says_which_lines_and_leaves_nothing(village, treasurer):
    answer = bring(treasurer, village, row(100), "2026-11-23,12:00,x,,,", "never,12:00,1.00,,,")
    assert answer.status_code == 422
    assert "Lines with faults: 3, 4." in words(answer.text)
    assert count(StatementImport) == 0
    nothing = send(treasurer, village, "/statements")
    assert nothing.status_code == 422
    assert "Please choose the file again." in nothing.text
    picture = upload(treasurer, village, b"\x89PNG\r\n\x1a\n\x00\x00", "x.png")
    assert picture.status_code == 422


def test_the_same_file_twice_is_refused_kindly(village, treasurer):
    assert bring(treasurer, village, row(100)).status_code == 303
    again = bring(treasurer, village, row(100))
    assert again.status_code == 409
    assert "Nothing was added" in again.text


def test_a_statement_without_news_says_so(village, treasurer):
    bring(treasurer, village, row(100), row(200))
    answer = bring(treasurer, village, row(100))
    assert answer.status_code == 200
    assert "Nothing in this statement is new." in answer.text


STRANGE = (
    "bank,of,mud\r\nopened,x,y\r\nจ่าย,วัน,บาท\r\n".encode() + "ข้าว,23/11/2569,-450.00\r\n".encode()
)


def test_columns_that_nobody_knows_are_asked_for_once(village, treasurer):
    asked = upload(treasurer, village, STRANGE)
    assert asked.status_code == 422
    assert "What do the columns mean?" in asked.text
    assert "ข้าว" in asked.text
    assert count(StatementImport) == 0
    incomplete = upload(treasurer, village, STRANGE, describes="yes", header_row="3", date="2")
    assert incomplete.status_code == 422
    assert re.search(r'<option selected value="2">2: วัน', incomplete.text)
    chosen = {"describes": "yes", "header_row": "3", "date": "2", "amount": "3", "text": "1"}
    assert upload(treasurer, village, STRANGE, **chosen).status_code == 303
    line = only(StatementLine)
    assert (line.amount_satang, line.text) == (-45_000, "ข้าว")
    after = STRANGE.replace("ข้าว".encode(), "น้ำมัน".encode())
    assert upload(treasurer, village, after).status_code == 303
    assert count(StatementLine) == 2


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00", id="picture"),
        pytest.param(b"PK\x03\x04\x14\x00\x06\x00\x08\x00", id="spreadsheet"),
        pytest.param("\u0e27\u0e31\u0e19".encode("utf-16"), id="utf-16"),
        pytest.param(b'a,b\r\n"never closed,1\r\n', id="quotes"),
        pytest.param(b"<Document></Document>", id="xml"),
        pytest.param(b"\r\n\r\n", id="blank"),
    ],
)
def test_a_file_that_cannot_be_read_in_the_column_step_says_why_and_keeps_what_was_chosen(
    village, treasurer, content
):
    chosen = {"describes": "yes", "header_row": "3", "date": "2", "amount": "3"}
    answer = upload(treasurer, village, content, **chosen)
    assert answer.status_code == 422
    assert 'class="notice bad"' in answer.text
    assert "What do the columns mean?" in answer.text
    assert re.search(r'name="header_row"[^>]*value="3"', answer.text)
    assert count(StatementImport) == 0
    assert upload(treasurer, village, STRANGE, **chosen, text="1").status_code == 303


def test_only_this_route_takes_a_large_file_and_only_up_to_ten_megabytes(village, treasurer):
    large = "\r\n".join([row(100 + each) for each in range(9_000)])
    assert len(large) > 256 * 1024
    assert bring(treasurer, village, large).status_code == 303
    assert count(StatementLine) == 9_000
    shown = treasurer.get(at(village, "/statements")).text
    huge = post_bytes(treasurer, at(village, "/statements"), token(shown), 10_200_000)
    assert huge.status_code == 413
    assert "too large" in huge.text
    assert post_bytes(treasurer, at(village, "/work/1"), token(shown), 300_000).status_code == 413


def post_bytes(client, address, csrf, size):
    """A form with a file, as its bytes: the test client would leave a large one in an open file."""
    parts = (
        f'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{csrf}\r\n'
        '--x\r\nContent-Disposition: form-data; name="statement"; filename="x.csv"\r\n\r\n'
    )
    data = parts.encode() + b"x" * size + b"\r\n--x--\r\n"
    return client.post(address, data=data, content_type="multipart/form-data; boundary=x")


def test_a_visitor_cannot_send_a_large_file(sqlite_app, village):
    visitor = sqlite_app.test_client()
    assert post_bytes(visitor, at(village, "/statements"), "x", 300_000).status_code == 413


def test_hostile_words_of_a_statement_stay_words(village, treasurer):
    bring(treasurer, village, row(100, "<script>alert(1)</script>"))
    page = treasurer.get(at(village, "/statements/match")).text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("target", ["loan:1", "attempt:x", "attempt:99999999999999999999"])
def test_a_target_that_is_none_is_not_found(village, treasurer, target):
    bring(treasurer, village, row(100))
    page = f"/statements/match/{only_line(100)}"
    assert send(treasurer, village, page, "/statements/match", target=target).status_code == 404


# --- work and suspense ---------------------------------------------------------------------------


@pytest.fixture
def unexplained(village):
    """Money at a payment service that nothing explains; the movement's row id."""
    provider = Telling()
    accounts.open_payment_account(village.id, provider, {}, factories.text("receiver"))
    providers = {**PROVIDERS, provider.name: provider}
    attempt = start(village, provider, providers)
    provider.pay(attempt)
    take_in.take_in(attempt.id, providers, NOW)
    provider.move("other", "", 45_000)
    reconcile(providers, NOW + timedelta(minutes=5))
    item = only(WorkItem)
    return item.facts["transaction"]


def test_what_nothing_explains_is_told_and_cleared_with_its_proof(village, treasurer, unexplained):
    page = treasurer.get(at(village, "/work")).text
    assert "฿450.00" in page
    assert "nothing here explains it" in page
    clear = f"/suspense/{unexplained}"
    assert send(treasurer, village, clear, "/work", proof="KTB1").status_code == 422
    without = send(treasurer, village, clear, "/work", how="returned", proof=" ")
    assert without.status_code == 422
    assert count(SuspenseMove) == 0
    kept = send(treasurer, village, clear, "/work", how="", proof="KTB1")
    assert 'value="KTB1"' in kept.text
    done = send(treasurer, village, clear, "/work", how="returned", proof="KTB1")
    assert done.status_code == 303
    assert only(SuspenseMove).proof == "KTB1"
    assert "Nothing is to be looked at." in treasurer.get(at(village, "/work")).text


def test_a_note_does_not_take_unexplained_money_off_the_list(village, treasurer, unexplained):
    page = f"/work/{only(WorkItem).id}"
    assert send(treasurer, village, page, "/work", note="never mind").status_code == 409
    assert count(WorkItem, WorkItem.closed_at.is_(None)) == 1


def put(village, kind, key="x", **facts):
    with transaction() as session:
        open_work(session, kind, key, village.id, facts, NOW)
    return only(WorkItem).id


def test_work_is_closed_with_a_note_by_the_treasurer_alone(village, treasurer, coordinator):
    facts = {"reference": "B-XXXXXX", "amount_satang": 45_000, "on": "2026-11-23"}
    page = f"/work/{put(village, WorkKind.TRANSFER_NOT_SEEN, **facts)}"
    shown = coordinator.get(at(village, "/work")).text
    assert "B-XXXXXX" in shown
    assert "Only the treasurer takes something off this list." in shown
    assert send(coordinator, village, page, "/statements", note="done").status_code == 403
    empty = send(treasurer, village, page, "/work", note=" ")
    assert empty.status_code == 422
    assert "Please write what was done about it." in empty.text
    assert only(WorkItem).closed_at is None
    assert send(treasurer, village, page, "/work", note="asked Mali").status_code == 303
    assert only(WorkItem).note == "asked Mali"
    assert send(treasurer, village, page, "/statements", note="again").status_code == 404


FACTS = {
    "provider": "stripe",
    "name": "po_1",
    "amount_satang": 45_000,
    "summed_satang": 44_000,
    "counted_satang": 100,
    "expected_satang": 200,
    "on": "2026-11-23",
    "reference": "B-7K2M9Q",
    "object": "pi_1",
    "problem": "amount",
}


@pytest.mark.parametrize("kind", [each for each in WorkKind if each != "statement_line"])
@pytest.mark.parametrize("facts", [FACTS, {**FACTS, "amount_satang": -1, "reference": ""}])
def test_every_kind_of_work_has_a_sentence(village, treasurer, kind, facts):
    put(village, kind, **facts)
    for language in ("en", "th"):
        page = treasurer.get(at(village, "/work").replace("/en/", f"/{language}/"))
        assert page.status_code == 200
        assert "%(" not in page.text


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (["in_flight"], "may get the money twice"),
        (["loss"], "440.00 of it was not there any more"),
        (["split", "ahead"], "still holds its places"),
        (["back"], "was won after all"),
    ],
)
def test_a_lost_dispute_says_what_is_left_to_do(village, treasurer, why, words):
    put(village, WorkKind.DISPUTE_LOST, **FACTS, loss_satang=44_000, why=why)
    for language in ("en", "th"):
        page = treasurer.get(at(village, "/work").replace("/en/", f"/{language}/"))
        assert page.status_code == 200
        assert "%(" not in page.text
        assert "B-7K2M9Q" in page.text
    page = treasurer.get(at(village, "/work"))
    assert words in " ".join(page.text.replace("\u00a0", " ").split())


def test_a_message_that_was_given_up_is_tried_again(village, treasurer, sqlite_app):
    provider = Telling()
    accounts.open_payment_account(village.id, provider, {}, factories.text("receiver"))
    sqlite_app.extensions["providers"] = {**PROVIDERS, provider.name: provider}
    attempt = start(village, provider, sqlite_app.extensions["providers"])
    provider.pay(attempt)
    with transaction() as session:
        made = InboxEvent(
            provider="stripe",
            account="",
            event_id="evt_1",
            kind="checkout.session.completed",
            about="attempt",
            object_id=attempt.provider_ref,
            api_version="",
            created_at=NOW,
            received_at=NOW,
            body=b"{}",
            state="failed",
            tries=8,
            try_at=NOW,
            problem="ProviderDown",
        )
        session.add(made)
        session.flush()
        key = f"event:{made.id}"
    page = f"/work/{put(village, WorkKind.EVENT_FAILED, key, provider='stripe', object='cs')}/again"
    provider.down.add("fetch")
    assert send(treasurer, village, page, "/work").status_code == 409
    provider.down.clear()
    assert send(treasurer, village, page, "/work").status_code == 303
    assert state(attempt) == "confirmed"
    assert only(WorkItem).closed_at is not None
    assert send(treasurer, village, page, "/statements").status_code == 422


def test_payouts_come_page_by_page_the_newest_first(village, treasurer):
    with transaction() as session:
        account_id = session.scalar(
            select(PaymentAccount.id).where(PaymentAccount.provider == "demo")
        )
        session.execute(
            insert(ProviderPayout),
            [
                {
                    "payment_account_id": account_id,
                    "provider": "demo",
                    "payout_id": f"po_{number:03}x",
                    "amount_satang": 100 + number,
                    "state": PayoutState.ON_THE_WAY,
                    "created_at": NOW + timedelta(hours=number),
                    "arrives_on": NOW.date(),
                }
                for number in range(105)
            ],
        )
    pages = [treasurer.get(at(village, f"/payouts?page={number}")).text for number in range(1, 5)]
    found = [re.findall(r"po_(\d+)x", each) for each in pages]
    assert [len(each) for each in found] == [30, 30, 30, 15]
    assert [int(each) for page in found for each in page] == list(range(104, -1, -1))
    assert "Page 4 of 4" in treasurer.get(at(village, "/payouts?page=99")).text


def test_payouts_show_their_state_sum_and_line(village, treasurer):
    provider = Telling()
    accounts.open_payment_account(village.id, provider, {}, factories.text("receiver"))
    providers = {**PROVIDERS, provider.name: provider}
    attempt = start(village, provider, providers)
    provider.pay(attempt)
    take_in.take_in(attempt.id, providers, NOW)
    listed = list(provider.transactions)
    amount = sum(each.net_satang for each in listed)
    payout_id = provider.pay_out(amount, listed=listed)
    reconcile(providers, NOW + timedelta(minutes=5))
    page = words(treasurer.get(at(village, "/payouts")).text)
    for each in (payout_id, "arrived at the bank", "sum to it exactly", "does not show it yet"):
        assert each in page
    bring(treasurer, village, f"2026-11-25,09:00,{amount / 100:.2f},,STRIPE,")
    line = only_line(amount)
    send(treasurer, village, f"/statements/match/{line}", "/statements/match", target="payout:1")
    assert "shows it on 25 Nov 2026" in words(treasurer.get(at(village, "/payouts")).text)


def test_the_money_page_counts_what_is_to_be_looked_at(village, treasurer):
    bring(treasurer, village, row(100), row(200))
    assert "2 things to look at" in words(treasurer.get(at(village)).text)
