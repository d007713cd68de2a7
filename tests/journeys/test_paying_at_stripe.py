"""Paying at Stripe in a real browser: from the day to the receipt, by way of the hosted page.

A server of ours with its worker, and the double of Stripe beside it, which sends its webhooks to us.
Every page of ours on the way is looked at; amounts are compared to the satang, and with what the
double says that it took and kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Error, Page, expect
from sqlalchemy import Engine, create_engine, text

from cbt.app import create_app
from cbt.clock import utc_now
from cbt.communities.queries import get_community
from cbt.config import Settings
from cbt.db import db
from cbt.demo.load import FOLDER, load_file
from cbt.payments.accounts import open_payment_account
from tests.browser import DESK, PHONE, a_browser, a_context
from tests.reading import baht
from tests.site import free_port, make_settings, migrate, served
from tests.stripe_double import Fault, StripeDouble
from tests.stripe_double.cards import DECLINED, GOOD
from tests.stripe_double.state import Json
from tests.walker import Walker

PAYEE = "STRIPE PAYMENTS (THAILAND) LTD"
RECEIVER = {
    "th": "วิสาหกิจชุมชนท่องเที่ยวโดยชุมชนบูนาดาราและเครือข่ายอนุรักษ์ป่าชายเลน",
    "en": "Buna Dara community-based tourism enterprise and mangrove conservation network",
}
DUE = 2 * 45_000
CARD_FEE = 3_285 + 1_000 + 300  # 3.65 %, 10 baht, and 7 % tax on both
PROMPTPAY_FEE = 1_485 + 104  # 1.65 %, and 7 % tax on it
SOON = 20_000  # milliseconds: webhook, worker's round and the page's own look

_SMALL = """() => {
    const stands_in_a_sentence = (link) =>
        [...link.parentElement.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
    return [...document.querySelectorAll("main :is(a, button, select, summary, label.choice), "
            + "main input:not([type=hidden], [type=radio], [type=checkbox])")]
        .filter((each) => each.checkVisibility() && !stands_in_a_sentence(each))
        .filter((each) => each.getBoundingClientRect().height < 44)
        .map((each) => each.outerHTML.slice(0, 200));
}"""


# --- the site and the double ---------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A running site whose sample community is paid at the double."""

    address: str
    double: StripeDouble
    account: str
    engine: Engine

    def ask(self, query: str, **values: object) -> list[tuple[object, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def state(self, reference: str) -> str:
        [(state,)] = self.ask(
            "SELECT state FROM booking WHERE reference = :wanted", wanted=reference
        )
        return str(state)

    def captured(self, reference: str) -> list[tuple[object, ...]]:
        """(amount, fee with its tax, tax, way) of each payment that was taken in."""
        return self.ask(
            "SELECT c.amount_satang, f.amount_satang, f.vat_satang, c.method FROM capture c"
            " JOIN booking b ON b.id = c.booking_id JOIN capture_fee f ON f.capture_id = c.id"
            " WHERE b.reference = :wanted",
            wanted=reference,
        )

    def attempts(self, reference: str) -> list[tuple[object, ...]]:
        """(state, reference at Stripe) of each try, the oldest first."""
        return self.ask(
            "SELECT a.state, a.provider_ref FROM attempt a JOIN booking b ON b.id = a.booking_id"
            " WHERE b.reference = :wanted ORDER BY a.number",
            wanted=reference,
        )

    def session(self, reference: str) -> str:
        """The page at Stripe of the newest try."""
        return str(self.attempts(reference)[-1][1])

    def unread(self) -> list[tuple[object, ...]]:
        return self.ask("SELECT event_id FROM inbox_event WHERE state = 'received'")

    def taken(self, reference: str) -> Json:
        """What the double says that it took: the balance transaction of the one charge."""
        payments = self.double.world.accounts[self.account].all_of("charge")
        [charge] = [
            each
            for each in payments
            if each["metadata"].get("booking") == reference and each["paid"]
        ]
        return self.double.get(charge["balance_transaction"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with a_browser() as opened:
            yield opened
    except Error as error:
        pytest.skip(f"no browser: set CBT_BROWSER to a Chromium ({str(error).splitlines()[0]})")


@pytest.fixture(scope="module")
def place(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Needs the browser, so that nothing is loaded where there is none."""
    instance, port = tmp_path_factory.mktemp("stripe"), free_port()
    with StripeDouble(webhook_url=f"http://127.0.0.1:{port}/webhooks/stripe") as double:
        stripe = {
            "STRIPE_SECRET_KEY": double.secret_key,
            "STRIPE_WEBHOOK_SECRET": double.webhook_secret,
            "STRIPE_API_BASE": double.address,
        }
        account = double.add_account("Buna Dara")
        found_village(make_settings(instance, **stripe), account)
        engine = create_engine(f"sqlite:///{instance}/cbt.db")
        with served(instance, port=port, **stripe) as address:
            yield Place(address, double, account, engine)
        engine.dispose()


def found_village(settings: Settings, account: str) -> None:
    """Load a sample community, and open its account at the double."""
    migrate(settings)
    app = create_app(settings)
    providers = app.extensions["providers"]
    with app.app_context():
        slug = load_file(FOLDER / "1-buna-dara.toml", providers, utc_now())
        community_id = get_community(db.session(), slug).id
        db.session.rollback()
        open_payment_account(community_id, providers["stripe"], {"account": account}, RECEIVER)
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(autouse=True)
def as_ever(place: Place) -> Iterator[None]:
    """What one test switched is switched back for the next."""
    yield
    place.double.heal()
    place.double.hold(held=False)
    place.double.switches.promptpay_is_delayed = False


# --- the guest -----------------------------------------------------------------------------------


class Guest(Walker):
    """Somebody who books and pays; every target on the way is large enough for a thumb."""

    def look(self) -> None:
        super().look()
        if self.with_script:
            assert self.page.evaluate(_SMALL) == [], self.page.url

    def book(self) -> str:
        """Choose a day, hold it and say who comes; returns the booking's reference."""
        page = self.page
        later = utc_now().date().replace(day=1).toordinal() + 70
        month = f"{type(utc_now().date()).fromordinal(later):%Y-%m}"
        page.goto(f"{self.root}/c/buna-dara/mangrove-boat?month={month}")
        page.locator("a.day.free").last.click()
        page.locator("button[value=hold]:not([disabled])").click()
        page.locator("[name=name]").fill("แอน Ann")
        page.locator("[name=email]").fill("ann@example.org")
        page.locator("[name=food_needs]").fill("")
        self.press("form button.wide")
        assert page.url.endswith("/pay")
        return page.locator(".trip .as-is").inner_text()

    def choose_stripe(self) -> None:
        self.page.locator("[name=method][value=stripe]").check()
        self.press("form button.wide")

    def go_to_stripe(self, place: Place) -> None:
        """Follow the button to the hosted page, which asks for the same amount in our language."""
        page = self.page
        page.locator(f"a.button[href^='{place.double.address}']").click()
        page.wait_for_url(f"{place.double.address}/c/pay/*")
        assert page.locator("html").get_attribute("lang") == self.language
        assert baht(page.locator("h1").inner_text()) == DUE

    def amounts(self) -> set[int]:
        """The amounts that the page asks for: at its head, on its button, below its price."""
        shown = self.page.locator(
            ".pay-facts .money, form.card button.wide, table.lines tfoot .money"
        )
        return {baht(each) for each in shown.all_inner_texts() if re.search(r"\d", each)}

    def reads(self) -> str:
        return self.page.locator("main").inner_text()


def a_guest(browser: Browser, place: Place, language: str, screen: object, script: bool) -> Guest:
    context = a_context(browser, screen, language, java_script_enabled=script)  # type: ignore[arg-type]
    context.set_default_timeout(SOON)
    return Guest(context.new_page(), f"{place.address}/{language}", language, script)


@pytest.fixture
def thai(browser: Browser, place: Place) -> Iterator[Guest]:
    guest = a_guest(browser, place, "th", PHONE, script=True)
    yield guest
    guest.page.context.close()


@pytest.fixture
def english(browser: Browser, place: Place) -> Iterator[Guest]:
    guest = a_guest(browser, place, "en", DESK, script=True)
    yield guest
    guest.page.context.close()


@pytest.fixture
def without_script(browser: Browser, place: Place) -> Iterator[Guest]:
    guest = a_guest(browser, place, "th", PHONE, script=False)
    yield guest
    guest.page.context.close()


def type_card(page: Page, number: str) -> None:
    page.locator("[name=number]").fill(number)
    page.locator("form[action$='/card'] button").click()


def is_voucher(page: Page, reference: str) -> None:
    expect(page.locator(".ticket .as-is")).to_have_text(reference, timeout=SOON)


def look_at_what_was_paid(guest: Guest, place: Place, reference: str, fee: int) -> None:
    """Voucher, receipt and its paper tell what the double took and kept; it was taken once."""
    taken = place.taken(reference)
    assert (taken["amount"], taken["fee"]) == (DUE, fee)
    [(amount, kept, _vat, _way)] = place.captured(reference)
    assert (amount, kept) == (DUE, fee)
    assert place.state(reference) == "confirmed"
    guest.look()
    flow = guest.flow()
    assert sum(flow.values()) == DUE
    assert fee in flow.values()
    guest.press("a[href$='/receipt']")
    assert baht(guest.page.locator(".receipt-amount .money").first.inner_text()) == DUE
    paper = guest.page.locator("a[href$='.pdf']").get_attribute("href")
    assert paper is not None
    answer = guest.page.request.get(place.address + paper)
    assert (answer.status, answer.body()[:5]) == (200, b"%PDF-")


# --- the journeys --------------------------------------------------------------------------------


def test_promptpay_in_thai_on_a_phone_and_the_open_page_changes_by_itself(
    thai: Guest, place: Place
) -> None:
    page = thai.page
    reference = thai.book()
    offer = page.locator(".choice:has([value=stripe])").inner_text()
    assert [baht(each) for each in offer.splitlines() if "ค่าธรรมเนียม" in each] == [
        CARD_FEE,
        PROMPTPAY_FEE,
    ]
    assert PAYEE in offer
    assert RECEIVER["th"] in offer
    assert "หักจากส่วนของชุมชน" in thai.reads()  # who bears the fee
    assert thai.amounts() == {DUE}
    thai.choose_stripe()
    assert thai.amounts() == {DUE}
    assert RECEIVER["th"] in page.locator(".pay-facts").inner_text()
    assert PAYEE in thai.reads()

    place.double.switches.promptpay_is_delayed = True
    thai.go_to_stripe(place)
    page.locator("form[action$='/promptpay'] button").click()
    page.locator("main p a").last.click()  # back, before the bank has paid
    page.wait_for_url(f"{place.address}/**")
    thai.look()
    assert page.locator("[data-watch]").get_attribute("data-state") == "reported"
    assert "เรากำลังสอบถาม" in thai.reads()
    assert "ยืนยันแล้ว" not in thai.reads().replace("ยืนยันแล้วหรือยัง", "").replace("ทันทีที่ยืนยันแล้ว", "")
    assert page.locator(f"a[href^='{place.double.address}']").count() == 0
    assert (place.state(reference), place.captured(reference)) == ("held", [])

    place.double.pay_promptpay(place.session(reference))  # the bank pays, on another device
    is_voucher(page, reference)  # nobody has touched the page
    look_at_what_was_paid(thai, place, reference, PROMPTPAY_FEE)
    assert place.captured(reference) == [(DUE, PROMPTPAY_FEE, 104, "promptpay")]
    told = place.ask("SELECT DISTINCT kind FROM inbox_event WHERE state = 'done'")
    assert ("checkout.session.async_payment_succeeded",) in told


def test_a_card_in_english_that_is_declined_first_and_then_pays(
    english: Guest, place: Place
) -> None:
    page = english.page
    reference = english.book()
    english.choose_stripe()
    attempt = page.url
    english.go_to_stripe(place)

    page.locator("main > p a").last.click()  # "Go back", without paying
    page.wait_for_url(attempt)
    english.look()
    assert english.amounts() == {DUE}
    assert page.locator("main a[href$='/pay']").count() == 1  # another way is open
    english.go_to_stripe(place)

    type_card(page, DECLINED)
    assert page.locator("[role=alert]").inner_text() == "Your card was declined."
    page.goto(attempt)
    english.look()
    assert "Nothing was paid. The bank declined the payment." in english.reads()
    assert (place.state(reference), place.captured(reference)) == ("held", [])

    other = page.context.new_page()
    other.goto(attempt)
    english.go_to_stripe(place)
    type_card(page, GOOD)
    is_voucher(page, reference)
    is_voucher(other, reference)  # the other tab has seen it by itself
    look_at_what_was_paid(english, place, reference, CARD_FEE)
    assert [state for state, _ref in place.attempts(reference)] == ["paid"]


def test_without_script_the_page_confirms_and_late_messages_change_nothing(
    without_script: Guest, place: Place
) -> None:
    guest, page = without_script, without_script.page
    place.double.hold()
    reference = guest.book()
    guest.choose_stripe()
    refresh = page.locator("noscript meta[http-equiv=refresh], meta[http-equiv=refresh]")
    assert refresh.get_attribute("content") == "20"
    guest.go_to_stripe(place)
    page.locator("form[action$='/promptpay'] button").click()
    page.locator("form[action$='/authorise'] button").click()
    is_voucher(page, reference)  # no message came: the page has asked
    look_at_what_was_paid(guest, place, reference, PROMPTPAY_FEE)

    before = place.captured(reference)
    about = [e for e in place.double.events() if reference in str(e.body)]
    assert about
    assert {place.double.deliver(event) for event in about} == {200}
    wait_until_worked_off(page, place)
    assert place.captured(reference) == before


def wait_until_worked_off(page: Page, place: Place) -> None:
    for _ in range(100):
        if not place.unread():
            return
        page.wait_for_timeout(200)
    raise TimeoutError("the worker leaves messages")


def test_while_stripe_is_down_the_choice_stays_and_nothing_is_charged(
    thai: Guest, place: Place
) -> None:
    thai.expected += ("status of 503",)
    page = thai.page
    reference = thai.book()
    place.double.fail_next("POST /v1/checkout/sessions", Fault.ERROR_BEFORE, times=3)
    thai.choose_stripe()
    assert "ยังไม่มีการตัดเงิน" in page.locator(".notice.bad[role=alert]").inner_text()
    assert page.locator("[name=method][value=stripe]").is_checked()
    assert thai.amounts() == {DUE}
    assert place.attempts(reference) == [("pending", None)]
    assert (place.state(reference), place.captured(reference)) == ("held", [])
    thai.choose_stripe()  # it is back, and the same button leads on
    thai.go_to_stripe(place)


def test_another_way_closes_the_hosted_page_that_is_open_in_another_tab(
    english: Guest, place: Place
) -> None:
    page = english.page
    reference = english.book()
    english.choose_stripe()
    attempt, hosted = page.url, page.context.new_page()
    hosted.goto(page.locator("main a.button").get_attribute("href") or "")
    english.press("main a[href$='/pay']")
    page.locator("[name=method][value=promptpay]").check()
    english.press("form button.wide")
    type_card(hosted, GOOD)  # the page was closed meanwhile
    assert "closed" in hosted.locator("main").inner_text()
    page.goto(attempt)
    english.look()
    assert "given up for another way" in english.reads()
    assert page.locator(f"a[href^='{place.double.address}']").count() == 0
    assert (place.state(reference), place.captured(reference)) == ("held", [])
    english.press("main a.button[href$='/pay']")
    english.choose_stripe()  # and back again: a new page
    assert [state for state, _ref in place.attempts(reference)] == [
        "cancelled",
        "cancelled",
        "pending",
    ]
