"""Receipts: page and paper say the same, every payment has its own, and nobody reads another's."""

import html
import json
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from cbt.baht_words import in_english, in_thai
from cbt.bookings.models import Booking
from cbt.bookings.queries import get_booking
from cbt.bookings.references import BookingLinks
from cbt.bookings.states import EndReason
from cbt.communities.models import Community
from cbt.db import db, transaction
from cbt.errors import NotFound
from cbt.experiences import services as experiences
from cbt.experiences.models import Experience
from cbt.experiences.pricing import Discount
from cbt.experiences.records import AddOnCard
from cbt.i18n import LANGUAGES, use_language
from cbt.payments import give_back, queries, take_in
from cbt.payments.credits import use_credit
from cbt.payments.models import Capture
from cbt.payments.providers.demo import Act, act
from cbt.revenue.posting import split_booking
from cbt.revenue.queries import get_booking_facts
from cbt.revenue.receipts import get_receipt, list_receipts
from cbt.web.pdf import write_receipt
from cbt.web.receipts import WHOLE, build_sheet
from tests.conftest import DEEP
from tests.factories import (
    PROVIDERS,
    TOMORROW,
    book,
    call_off_departure,
    cancel_booking,
    change_booking,
    hold,
    make_village,
    pay_by_demo,
    start,
    text,
)
from tests.site import NOW, SECRET
from tests.web.forms import sign_in

FAR = TOMORROW + timedelta(days=60)
LATE = NOW + timedelta(days=59)  # so late that a cancellation gives nothing back
LUNCH = AddOnCard("lunch", text("lunch"), 12_000, per_guest=True, most=1)
LONG_NAME = "สมเด็จพระวันรัตวัดบวรนิเวศราชวรวิหารและคณะผู้มาเยือนจากกรุงเทพมหานครอมรรัตนโกสินทร์"
MARKUP = '#eval("1+1") *bold* _it_ $x^2$ \\ "quoted" <tag> @ref `raw` // = [a] {b} ~'


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def guest(sqlite_app):
    return sqlite_app.test_client()


@pytest.fixture
def village(sqlite_app):
    return make_village(on=FAR, capacity=40, add_ons=(LUNCH,))


def sheets_of(reference, language="en"):
    db.session.rollback()
    with use_language(language):
        return [build_sheet(each) for each in list_receipts(db.session(), reference)]


def pay_twice(reference):
    attempt = start(reference)
    booking = get_booking(db.session(), reference)
    act(attempt.provider_ref, Act.PAY_TWICE, attempt.amount_satang, booking.held_until, NOW)
    take_in.take_in(attempt.id, PROVIDERS, NOW)


def link_of(reference, language="en"):
    booking = get_booking(db.session(), reference)
    token = BookingLinks(SECRET).sign(reference, booking.trip.ends_at)
    db.session.rollback()
    return f"/{language}/b/{token}"


def rename(reference, name):
    with transaction() as session:
        session.execute(
            update(Booking).where(Booking.reference == reference).values(guest_name=name)
        )


# --- what a record prints, and what a reader of page or paper finds -------------------------------

UNPRINTED = {"language", "style"}


def texts(record) -> Iterator[str]:
    """Every text of a record that is to be read."""
    if isinstance(record, str):
        yield record
    elif isinstance(record, tuple):
        for each in record:
            yield from texts(each)
    elif is_dataclass(record):
        for field in fields(record):
            if field.name not in UNPRINTED:
                yield from texts(getattr(record, field.name))


def bare(words: str) -> str:
    """Letters alone: where lines end is no difference. PDF readers double letters of two marks."""
    close = re.sub(r"[\s\u200b]+", "", unicodedata.normalize("NFC", words))
    return re.sub(r"([ก-ฮ][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]{2,})\1", r"\1", close)


def read_paper(pdf: bytes) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: install poppler-utils")
    command = ["pdftotext", "-raw", "-", "-"]
    return subprocess.run(command, input=pdf, capture_output=True, check=True).stdout.decode()


def read_page(page: str) -> str:
    article = page.split('<article class="card receipt"', 1)[1].rsplit("</article>", 1)[0]
    return html.unescape(re.sub("<[^>]+>", "", article))


def missing(sheet, shown: str) -> list[str]:
    there = bare(shown)
    return [each for each in texts(sheet) if bare(each) not in there]


def situations(village):
    """A reference of every kind of booking that has receipts."""
    kinds = {"plain": book(village), "two payments": book(village)}
    change_booking(kinds["two payments"], party={"ADULT": 4, "CHILD": 1}, add_ons={"lunch": 1})
    pay_by_demo(kinds["two payments"])
    kinds["part payment"] = book(village)
    change_booking(kinds["part payment"], party={"ADULT": 3})
    kinds["paid twice"] = hold(village)
    pay_twice(kinds["paid twice"])
    kinds["money back"] = book(village)
    cancel_booking(kinds["money back"])
    give_back.send_refunds(PROVIDERS, NOW)
    kinds["as credit"] = book(village)
    cancel_booking(kinds["as credit"], as_credit=True)
    kinds["nothing back"] = book(village)
    cancel_booking(kinds["nothing back"], LATE)
    experiences.add_promo_code(village.id, Discount("SEA", 500, 0, "mgmt"), NOW.date(), FAR, 9)
    kinds["discount"] = book(village, promo_code="SEA")
    kinds["long name"] = book(village)
    rename(kinds["long name"], LONG_NAME)
    kinds["one endless word"] = book(village)
    rename(kinds["one endless word"], "ก" * 80)
    kinds["markup"] = book(village)
    rename(kinds["markup"], MARKUP)
    kinds["erased"] = book(village)
    rename(kinds["erased"], None)
    return kinds


# --- page and paper ------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_and_paper_say_all_that_the_record_says(guest, village, language):
    for kind, reference in situations(village).items():
        page = read_page(guest.get(f"{link_of(reference, language)}/receipt").text)
        for sheet in sheets_of(reference, language):
            with use_language(language):
                paper = read_paper(write_receipt(sheet))
            assert missing(sheet, paper) == [], kind
            assert missing(sheet, page) == [], kind
            assert "\0" not in paper


@pytest.mark.parametrize("language", LANGUAGES)
def test_receipts_of_the_samples_say_on_paper_what_they_say_on_the_page(client, language):
    numbers = db.session.execute(
        select(Capture.community_id, Capture.receipt_number).where(Capture.receipt_number <= 4)
    ).all()
    assert len({community_id for community_id, _number in numbers}) == 3
    for community_id, number in numbers:
        with use_language(language):
            facts = get_receipt(db.session(), community_id, number)
            sheet = build_sheet(facts)
            paper = read_paper(write_receipt(sheet))
        assert missing(sheet, paper) == []
        page = client.get(f"{link_of(facts.booking.reference, language)}/receipt")
        assert missing(sheet, read_page(page.text)) == []


def test_the_record_is_written_in_its_language(village):
    reference = book(village)
    thai, english = sheets_of(reference, "th")[0], sheets_of(reference, "en")[0]
    assert (thai.date, english.date) == ("23 พฤศจิกายน พ.ศ. 2569", "23 November 2026")
    assert (thai.amount, english.amount) == ("900.00 บาท", "฿900.00")
    assert thai.amount_words == in_thai(90_000) == "เก้าร้อยบาทถ้วน"
    assert english.amount_words == in_english(90_000) == "Nine hundred baht"
    assert (thai.heading, english.heading) == ("ใบเสร็จรับเงิน", "Receipt")
    assert thai.number_words == english.number_words == f"{village.slug.upper()}-000001"


def test_what_somebody_typed_is_never_read_as_markup(village):
    reference = book(village)
    rename(reference, MARKUP)
    with transaction() as session:
        session.execute(update(Experience).values(title={"th": MARKUP, "en": MARKUP}))
    (sheet,) = sheets_of(reference)
    paper = bare(read_paper(write_receipt(sheet)))
    assert paper.count(bare(MARKUP)) == 2


@pytest.mark.parametrize(
    "name", ["李明", "田中さくら", "김민수", "Иван Петров", "Ελένη", "Nguyễn Văn Đức"]
)
def test_a_name_of_another_people_stands_on_the_paper_as_it_was_typed(village, name):
    reference = book(village)
    rename(reference, name)
    (sheet,) = sheets_of(reference)
    with use_language("en"):
        paper = read_paper(write_receipt(sheet))
    assert name in paper
    assert "Letters that this paper cannot print" not in paper


def test_an_arabic_name_is_on_the_paper_letter_by_letter(village):
    """PDF readers put marks of direction around it and may part its words."""
    reference = book(village)
    rename(reference, "محمد")
    (sheet,) = sheets_of(reference)
    with use_language("en"):
        paper = read_paper(write_receipt(sheet))
    assert sorted("محمد") == sorted(each for each in paper if "\u0600" <= each <= "\u06ff")
    assert "?" not in paper
    assert "Letters that this paper cannot print" not in paper


def test_letters_that_no_font_has_are_marked_on_paper_and_whole_on_the_page(guest, village):
    reference = book(village)
    rename(reference, "李明 😀 ދިވެހި Zoë")
    (sheet,) = sheets_of(reference)
    with use_language("en"):
        paper = read_paper(write_receipt(sheet))
    assert "李明 ? ?????? Zoë" in paper
    assert "Letters that this paper cannot print" in paper
    page = read_page(guest.get(f"{link_of(reference)}/receipt").text)
    assert "李明 😀 ދިވެހި Zoë" in page
    assert "Letters that this paper cannot print" not in page


@settings(
    max_examples=60 if DEEP else 15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(min_size=1, max_size=80))
def test_any_name_can_be_printed(a_sheet, name):
    """Control letters, marks without a base, scripts of every people: none stops a receipt."""
    named = replace(a_sheet, community=name, facts=(replace(a_sheet.facts[0], value=name),))
    assert write_receipt(named).startswith(b"%PDF-")


@pytest.fixture
def a_sheet(village):
    return sheets_of(book(village))[0]


def test_the_same_receipt_gives_the_same_bytes(village, tmp_path):
    reference = book(village)
    first = write_receipt(sheets_of(reference, "th")[0])
    with time_machine.travel(NOW + timedelta(days=400)):
        assert write_receipt(sheets_of(reference, "th")[0]) == first
    write_receipt(sheets_of(reference, "en")[0])
    assert write_receipt(sheets_of(reference, "th")[0]) == first


def test_the_paper_is_tagged_has_a_title_and_is_one_page(village):
    if shutil.which("pdfinfo") is None:
        pytest.skip("no pdfinfo: install poppler-utils")
    reference = book(village)
    change_booking(reference, party={"ADULT": 4, "CHILD": 1}, add_ons={"lunch": 1})
    for language in LANGUAGES:
        sheet = sheets_of(reference, language)[0]
        told = subprocess.run(
            ["pdfinfo", "-"], input=write_receipt(sheet), capture_output=True, check=True
        ).stdout.decode()
        about = dict(re.findall(r"^(\w[\w ]*):\s+(.*)$", told, re.M))
        assert about["Title"] == f"{sheet.heading} {sheet.number_words}"
        assert (about["Tagged"], about["Pages"]) == ("yes", "1")
        assert "A4" in about["Page size"]


def test_typst_is_not_loaded_before_a_paper_is_wanted():
    program = "import sys, cbt.app; print('typst' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert told.stdout.strip() == b"False"


# --- what is printed -----------------------------------------------------------------------------


def test_the_split_on_the_receipt_is_the_one_of_the_books_and_sums_to_the_money(village):
    for kind, reference in situations(village).items():
        booking = get_booking(db.session(), reference)
        money = queries.get_money(db.session(), booking.id)
        for sheet in sheets_of(reference):
            if sheet.split is None:
                assert not sheet.is_sale
            elif sheet.split.shares:
                amounts = [share.amount_satang for share in sheet.split.shares]
                assert sum(amounts) == money.kept_satang, kind
                facts = get_booking_facts(db.session(), booking.trip.id, reference)
                parts = [part.amount_satang for part in split_booking(facts)]
                assert sorted(filter(None, amounts)) == sorted(filter(None, parts)), kind
                assert sheet.split.shares[0].begins == 0
                assert sheet.split.shares[-1].ends == WHOLE
            else:
                assert money.kept_satang == 0, kind
                assert sheet.split.about


def sums(sheet):
    return {f"{each.label} {each.name}".strip(): each.amount for each in sheet.account.sums}


def test_a_part_payment_says_what_is_still_to_pay(village):
    reference = book(village)
    change_booking(reference, party={"ADULT": 3})
    (sheet,) = sheets_of(reference)
    assert sheet.amount == "฿900.00"
    assert sheet.sold.total == "1,350.00"
    assert sheet.standing == "Part payment. Still to pay: ฿450.00"
    assert sums(sheet) == {"This payment": "฿900.00", "Still to pay": "฿450.00"}
    assert "was changed since" in sheet.sold.note


def test_two_payments_have_a_receipt_each_that_names_the_other(village):
    reference = book(village)
    change_booking(reference, party={"ADULT": 3})
    pay_by_demo(reference)
    first, second = sheets_of(reference)
    assert (first.number, second.number) == (1, 2)
    assert (first.amount, second.amount) == ("฿900.00", "฿450.00")
    own = f"Receipt {village.slug.upper()}"
    assert sums(first)[f"{own}-000002"] == "฿450.00"
    assert sums(second)[f"{own}-000001"] == "฿900.00"
    for sheet in (first, second):
        assert sheet.standing == ""
        assert sums(sheet)["Counts towards the price"] == "฿1,350.00"
        assert sums(sheet)["Still to pay"] == "฿0.00"
        assert sheet.split.total == "฿1,350.00"
        assert sheet.split.about == "Of all money that is there for this booking:"


def test_a_cancelled_booking_keeps_its_receipt_and_prints_what_went_back(guest, village):
    reference = book(village)
    cancel_booking(reference)
    coming = sums(sheets_of(reference)[0])
    assert coming["Will be returned: the booking was cancelled"] == "−฿900.00"
    give_back.send_refunds(PROVIDERS, NOW)
    (sheet,) = sheets_of(reference)
    assert sheet.standing == "The booking was cancelled: cancelled by the guest."
    returned = "Returned on 23\N{NO-BREAK SPACE}Nov\N{NO-BREAK SPACE}2026"
    assert sums(sheet) == {
        "This payment": "฿900.00",
        f"{returned}: the booking was cancelled": "−฿900.00",
        "Stays with the community": "฿0.00",
    }
    assert sheet.split.shares == ()
    page = guest.get(link_of(reference)).text
    assert f"{link_of(reference)}/receipt" in page
    assert guest.get(f"{link_of(reference)}/receipt/1.pdf").status_code == 200


def test_what_a_cancellation_keeps_is_split_on_the_receipt(village):
    reference = book(village)
    cancel_booking(reference, LATE)
    (sheet,) = sheets_of(reference)
    assert sums(sheet)["Stays with the community"] == "฿900.00"
    assert sheet.split.total == "฿900.00"


def test_a_trip_that_was_called_off_keeps_its_receipt_while_the_guest_chooses(guest, village):
    reference = book(village)
    call_off_departure(village, reason=EndReason.WEATHER)
    (sheet,) = sheets_of(reference)
    assert sheet.standing.startswith("The trip was called off.")
    assert sheet.split.about == "The money waits, and nothing of it is shared out."
    assert f"{link_of(reference)}/receipt" in guest.get(link_of(reference)).text
    assert guest.get(f"{link_of(reference)}/receipt").status_code == 200


def test_credit_is_told_on_both_sides(village):
    first = book(village)
    cancel_booking(first, as_credit=True)
    (sheet,) = sheets_of(first)
    assert sums(sheet)["Turned into credit for another trip"] == "−฿900.00"
    second = hold(village, {"ADULT": 3})
    code = queries.list_credits_of(db.session(), get_booking(db.session(), first).id)[0].code
    use_credit(second, code, NOW)
    pay_by_demo(second)
    (sheet,) = sheets_of(second)
    assert sheet.amount == "฿450.00"
    assert sums(sheet)["Paid by credit"] == "฿900.00"
    assert sums(sheet)["Counts towards the price"] == "฿1,350.00"
    assert code not in json.dumps(list(texts(sheet)))


def test_money_that_is_too_little_for_the_agreed_shares_says_so(village):
    """Nobody is promised shares that cannot be paid: here the fund would give more than it gets."""
    experiences.add_promo_code(village.id, Discount("SEA", 1_000, 0, "welfare"), NOW.date(), FAR, 9)
    (sheet,) = sheets_of(book(village, promo_code="SEA"))
    assert sheet.split.shares == ()
    assert sheet.split.about == "What is there so far is too little to be shared out as agreed."


def test_a_discount_is_a_line_that_names_who_bears_it(village):
    experiences.add_promo_code(village.id, Discount("SEA", 500, 0, "mgmt"), NOW.date(), FAR, 9)
    (sheet,) = sheets_of(book(village, promo_code="SEA"))
    line = sheet.sold.lines[-1]
    assert (line.what, line.amount) == ("Discount", "−45.00")
    assert line.note == "The discount is borne by: Group management."
    assert (sheet.sold.total, sheet.amount) == ("855.00", "฿855.00")


def test_money_that_bought_nothing_gets_an_acknowledgement_with_the_next_number(guest, village):
    reference = hold(village)
    pay_twice(reference)
    receipt, surplus = sheets_of(reference)
    assert (receipt.is_sale, surplus.is_sale) == (True, False)
    assert (receipt.number, surplus.number) == (1, 2)
    assert surplus.heading == "Acknowledgement of money to be returned"
    assert surplus.sold is None
    assert surplus.split is None
    assert sums(surplus) == {
        "Will be returned: paid twice": "฿900.00",
        "Not returned yet": "฿900.00",
    }
    assert "Still to pay" in sums(receipt)
    give_back.send_refunds(PROVIDERS, NOW)
    assert sums(sheets_of(reference)[1])["Not returned yet"] == "฿0.00"
    paper = read_paper(guest.get(f"{link_of(reference)}/receipt/2.pdf").data)
    assert bare("Acknowledgement of money to be returned") in bare(paper)
    page = read_page(guest.get(f"{link_of(reference)}/receipt").text)
    assert "Acknowledgement of money to be returned" in page


def test_money_of_a_lapsed_hold_has_its_acknowledgement_on_the_page_that_tells_of_it(
    guest, village
):
    reference = hold(village, {"ADULT": 10})
    attempt = start(reference)
    booking = get_booking(db.session(), reference)
    act(attempt.provider_ref, Act.PAY_LATE, attempt.amount_satang, booking.held_until, NOW)
    later = booking.held_until + timedelta(hours=1)
    with time_machine.travel(later, tick=False):
        for _party in range(4):
            book(village, {"ADULT": 10}, later)
        take_in.take_in(attempt.id, PROVIDERS, later)
        page = guest.get(link_of(reference)).text
        assert f"{link_of(reference)}/receipt" in page
        (sheet,) = sheets_of(reference)
        assert not sheet.is_sale
        assert sheet.number == 5


def test_a_community_that_is_no_sample_has_no_watermark(village):
    reference = book(village)
    assert sheets_of(reference)[0].watermark == "SAMPLE"
    with transaction() as session:
        session.execute(update(Community).values(is_sample=False))
    (sheet,) = sheets_of(reference)
    assert (sheet.watermark, sheet.sample) == ("", "")
    assert "SAMPLE" not in read_paper(write_receipt(sheet))


# --- who may read --------------------------------------------------------------------------------


def test_a_receipt_is_a_file_named_by_booking_and_number(guest, village):
    reference = book(village)
    answer = guest.get(f"{link_of(reference, 'th')}/receipt/1.pdf")
    assert answer.mimetype == "application/pdf"
    assert answer.data.startswith(b"%PDF-")
    disposition = answer.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="{reference}-1.pdf"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ใบเสร็จรับเงิน" in read_paper(answer.data)


def test_every_number_is_on_its_own_receipt_and_opens_by_its_own_link_alone(guest, village):
    references = [book(village) for _each in range(3)]
    for number, reference in enumerate(references, 1):
        for other in (1, 2, 3):
            answer = guest.get(f"{link_of(reference)}/receipt/{other}.pdf")
            assert answer.status_code == (200 if other == number else 404)
        paper = read_paper(guest.get(f"{link_of(reference)}/receipt/{number}.pdf").data)
        assert f"{village.slug.upper()}-{number:06}" in paper
        assert reference in paper
    assert guest.get(f"{link_of(references[0])}/receipt/99.pdf").status_code == 404
    assert guest.get("/en/b/forged/receipt/1.pdf").status_code in (403, 404, 410)


def test_the_same_number_of_two_communities_is_two_receipts(guest, village):
    other = make_village(on=FAR)
    here, there = book(village), book(other)
    assert guest.get(f"{link_of(here)}/receipt/1.pdf").status_code == 200
    paper = read_paper(guest.get(f"{link_of(there)}/receipt/1.pdf").data)
    assert there in paper
    assert here not in paper
    assert get_receipt(db.session(), other.id, 1).booking.reference == there
    with pytest.raises(NotFound):
        get_receipt(db.session(), other.id, 2)


def test_an_unpaid_booking_has_no_receipt(guest, village):
    link = link_of(hold(village))
    assert guest.get(f"{link}/receipt").status_code == 404
    assert guest.get(f"{link}/receipt/1.pdf").status_code == 404


def test_hosts_and_treasurers_fetch_any_receipt_of_their_own_community(sample_app):
    address = "/th/host/buna-dara/receipts/{}.pdf"
    for who, status in {
        "host.buna-dara": 200,
        "treasurer.buna-dara": 200,
        "h03.buna-dara": 403,
        "host.ban-mok-ngam": 403,
        "mentor": 403,
    }.items():
        client = sample_app.test_client()
        sign_in(client, who)
        answer = client.get(address.format(1))
        assert answer.status_code == status, who
        assert (answer.mimetype == "application/pdf") == (status == 200)
        if status == 200:
            assert client.get(address.format(99_999)).status_code == 404
            assert "BUNA-DARA-000001" in read_paper(answer.data)
    assert sample_app.test_client().get(address.format(1)).status_code == 303


def test_the_hosts_page_of_a_booking_leads_to_its_receipts(sample_app):
    client = sample_app.test_client()
    sign_in(client, "host.buna-dara")
    reference, number = db.session.execute(
        select(Booking.reference, Capture.receipt_number)
        .join(Capture, Capture.booking_id == Booking.id)
        .join(Community, Community.id == Booking.community_id)
        .where(Community.slug == "buna-dara")
    ).first()
    page = client.get(f"/en/host/buna-dara/bookings/{reference}").text
    assert f"/en/host/buna-dara/receipts/{number}.pdf" in page
