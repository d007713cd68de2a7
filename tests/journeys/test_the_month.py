"""A community's whole month in a real browser, in Thai, on a small phone.

Its people click through it as they would: a policy is adopted, guests come, households work and are
told what they earned, a guest gets something back, the month is closed and signed, a household proves
its statement without the network, is paid, and one is helped by the welfare fund. Days pass by the
site's own clock; nothing is written beside the pages. Each page on the way is checked (tests.walker).
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page

from cbt.demo.load import PASSWORD
from tests.browser import DESK, PHONE, a_browser, a_context
from tests.later import CLOCK, set_clock
from tests.reading import baht
from tests.site import load_samples, served
from tests.walker import IS_KEPT, Walker, read_code

SLUG = "ban-thep-fai"
HOST, TREASURER = f"host.{SLUG}", f"treasurer.{SLUG}"
FIRST_DAY = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
PDF = b"%PDF-1.4\n1 0 obj\n<< >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
GO_ON = "form.card > button.wide:not(.second)"
HELP_SATANG = 30_000
MOST_TAPS = 4
TRIP = ".statement tr:has-text('28 พ.ย.') a[href*='/departures/']"


@dataclass
class Month:
    """The site whose days pass, and the person who walks through it."""

    walker: Walker
    clock: Path
    visits: list[tuple[str, int]] = field(default_factory=list)

    def let_it_be(self, month: int, day: int, hour: int, minute: int = 0) -> None:
        """An hour of the village, which is seven ahead of UTC."""
        year = 2027 if month == 1 else 2026
        set_clock(self.clock, datetime(year, month, day, hour - 7, minute, tzinfo=UTC))

    def sign_in(self, name: str) -> Page:
        self.walker.sign_in(name)
        self.visits.append((name, len(self.walker.seen)))
        return self.walker.page

    def list_pages(self) -> dict[str, list[str]]:
        """{sign-in name: addresses that this person opened, each once}."""
        pages: dict[str, list[str]] = {}
        ends = [begun for _name, begun in self.visits[1:]] + [len(self.walker.seen)]
        for (name, begun), end in zip(self.visits, ends, strict=True):
            own = pages.setdefault(name, [])
            opened = [each.partition("#")[0] for each in self.walker.seen[begun:end]]
            own.extend(each for each in dict.fromkeys(opened) if each not in own)
        return pages

    def to_money(self, page: str) -> None:
        """A page of the money tab, two taps from where a host is."""
        self.walker.press("nav.tabs a[href$='/money']")
        self.walker.press(f"ul.places a[href$='/money/{page}']")


@pytest.fixture
def month(tmp_path: Path) -> Iterator[Month]:
    instance, clock = tmp_path / "site", tmp_path / "clock"
    load_samples(instance, FIRST_DAY)
    set_clock(clock, FIRST_DAY)
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(a_browser())
        except Error as error:
            pytest.skip(f"no browser: set CBT_BROWSER to a Chromium ({str(error).splitlines()[0]})")
        address = stack.enter_context(served(instance, way_in="tests.later", **{CLOCK: str(clock)}))
        context = a_context(browser, PHONE, "th")
        yield Month(Walker(context.new_page(), f"{address}/th", "th", True), clock)
        context.close()


def test_a_month_from_its_policy_to_the_money_in_the_hand(month: Month) -> None:
    a_policy_is_adopted(month)
    month.let_it_be(11, 28, 8)
    reference = a_guest_books(month)
    month.let_it_be(11, 29, 19)
    shared = the_trips_are_worked_and_settled(month, reference)
    month.let_it_be(11, 30, 10)
    a_guest_gets_something_back(month, reference)
    month.let_it_be(12, 2, 9)
    the_month_is_closed_and_signed(month)
    a_household_proves_its_statement(month, shared)
    month.let_it_be(12, 3, 9)
    households_are_paid(month)
    month.let_it_be(12, 4, 9)
    the_welfare_fund_helps(month)
    a_payout_is_traced(month, reference)
    month.sign_in("mentor")
    month.walker.go(f"/mentor/{SLUG}")
    assert month.walker.page.locator("section:has(#checks) .checks > li.fail").count() == 0
    every_page_is_whole_in_english_on_a_desk(month)


# --- the policy ----------------------------------------------------------------------------------


def a_policy_is_adopted(month: Month) -> None:
    """The coordinator writes and proposes it; a household reads it; the treasurer records the vote."""
    walker = month.walker
    page = month.sign_in(HOST)
    walker.press("nav.tabs a[href$='/more']")
    walker.press(f"a[href$='/policies/{SLUG}']")
    walker.press("form.template:has([value=welfare]) button")
    page.fill("[name=name]", "2569/4")
    page.check("[name=uses_nature][value=no]")
    walker.press(GO_ON)
    for step in ("outside", "fixed", "shares", "work"):
        assert page.url.endswith(f"/{step}")
        walker.press(GO_ON)
    walker.press("form[action$='/propose'] button")
    assert re.search(r"/proposals/\d+$", page.url)
    assert page.locator("table.lines").count() > 0  # the last month again, beside what it was

    month.sign_in(f"t1.{SLUG}")
    walker.press(f"a[href$='/policies/{SLUG}']")
    walker.press("a[href*='/proposals/']")
    assert page.locator("a[href$='/adopt']").count() == 0

    month.sign_in(TREASURER)
    walker.press("nav.tabs a[href$='/more']")
    walker.press(f"a[href$='/policies/{SLUG}']")
    walker.press("a[href*='/proposals/']")
    walker.press("a[href$='/adopt']")
    votes = {"present": "5", "voted_for": "4", "voted_against": "1", "abstained": "0"}
    words = {"meeting": "ประชุมสมาชิก ครั้งที่ 4/2569", "place": "ศาลากลางบ้าน"}
    signer = {"signer_1": "นายตัวอย่าง ใจดี", "position_1": "ประธานกลุ่ม"}
    for name, value in {**votes, **words, **signer}.items():
        page.fill(f"[name={name}]", value)
    walker.press(GO_ON)  # without the minutes it is refused, and says so
    assert page.locator(".notice.bad").count() == 1
    page.set_input_files(
        "[name=minutes]",
        {"name": "รายงานการประชุม.pdf", "mimeType": "application/pdf", "buffer": PDF},
    )
    for asked in page.locator("input[name^=why_]").all():
        asked.fill("ที่ประชุมรับทราบและเห็นชอบแล้ว")
    walker.press(GO_ON)
    assert re.search(r"/policies/ban-thep-fai/2$", page.url)


# --- a guest comes -------------------------------------------------------------------------------


def a_guest_books(month: Month) -> str:
    """This afternoon's dyeing is chosen, held and paid; returns the booking's reference."""
    walker, page = month.walker, month.walker.page
    page.context.clear_cookies()
    walker.go(f"/c/{SLUG}")
    walker.press(f"a[href*='/c/{SLUG}/indigo']")
    page.locator("a.day[href*='2026-11-28']").click()
    page.locator("button[value=hold]:not([disabled])").wait_for()
    page.locator(".stepper:has([name=ADULT]) .round").last.click()
    walker.look()
    walker.press("button[value=hold]")
    page.fill("[name=name]", "สมชาย รักเดินทาง")
    page.fill("[name=phone]", "081-234-5678")
    walker.press("form button.wide")
    page.check("[value=demo]")
    walker.press("form button.wide")
    walker.press("[value=pay]")
    return page.locator(".ticket .as-is").inner_text()


# --- the trip and its money ----------------------------------------------------------------------


def the_trips_are_worked_and_settled(month: Month, reference: str) -> dict[str, int]:
    """Every trip of the month; of the guest's own, what each household gets: {code: satang}."""
    walker = month.walker
    page = month.sign_in(HOST)
    trips = [
        link.get_attribute("href") or "" for link in page.locator(".todo a[href*=departures]").all()
    ]
    assert len(trips) >= 2
    for trip in trips:
        walker.press("nav.tabs a")
        walker.press(f".todo a[href='{trip}']")
        if page.locator("#work .notice").count():  # filled in from the turns, not saved yet
            walker.press("#work button[value=save]")
        assert page.locator("#confirm .need").count() > 0

    a_household_confirms(month)
    month.sign_in(TREASURER)
    shared = {}
    for trip in trips:
        walker.press("nav.tabs a")
        walker.press(f".todo a[href='{trip}']")
        if page.locator("form[action$='/confirm']").count():
            walker.press("form[action$='/confirm'] button")
        walker.press("form[action$='/settle'] button")
        if page.locator(f"a[href$='/bookings/{reference}']").count():
            shared = {
                row.locator(".as-is").inner_text(): baht(row.locator(".money").inner_text())
                for row in page.locator("#settle table.lines tbody tr:has(.money)").all()
            }
    assert shared
    return shared


def a_household_confirms(month: Month) -> None:
    """One household looks at its own part and says that it is right."""
    walker = month.walker
    page = month.sign_in(f"t2.{SLUG}")
    walker.press("a[href$='/work']")
    waiting = page.locator("form[action*='/confirm'] button").count()
    assert waiting > 0
    walker.press("form[action*='/confirm'] button")
    assert page.locator("form[action*='/confirm'] button").count() == waiting - 1


def a_guest_gets_something_back(month: Month, reference: str) -> None:
    """100 baht after the sharing-out: the page says who bears it, and they do."""
    walker = month.walker
    page = month.sign_in(HOST)
    walker.press("nav.tabs a[href$='/bookings']")
    walker.press(f"a[href$='/bookings/{reference}']")
    page.locator("#goodwill summary").click()
    page.fill("#goodwill [name=amount]", "100")
    walker.press("#goodwill form:has([name=amount]) button")
    borne = [baht(each) for each in page.locator("aside table tbody .money").all_inner_texts()]
    assert sum(borne) == 10_000
    walker.press("form[method=post] button.wide:not(.second)")
    month.let_it_be(11, 30, 10, 5)  # the worker sends it back, then lets shares bear it
    month.to_money("losses")
    for _ in range(60):
        if page.locator("#losses").count() == 0:
            break
        page.wait_for_timeout(500)
        page.reload()
    assert page.locator("#losses").count() == 0


# --- the month's end -----------------------------------------------------------------------------


def the_month_is_closed_and_signed(month: Month) -> None:
    """The treasurer goes down the list and prepares, the coordinator confirms; two people sign."""
    walker = month.walker
    page = month.sign_in(TREASURER)
    month.to_money("close")
    assert page.locator("section:has(#steps) .checks > li.fail").count() == 0, page.locator(
        "section:has(#steps)"
    ).inner_text()
    for asked in page.locator("textarea[name^=why-]").all():
        asked.fill("ที่ประชุมรับทราบแล้ว")
    walker.press("#close button.wide")

    month.sign_in(HOST)
    month.to_money("close")
    walker.press("form[action$='/confirm'] button")
    assert page.url.endswith("/months/2026-11")

    for name, way in ((TREASURER, "the treasurer"), ("mentor", "the mentor")):
        month.sign_in(name)
        if name == TREASURER:
            month.to_money("close")
            walker.press("a[href$='/months/2026-11']")
        else:
            walker.press(f"a[href$='/mentor/{SLUG}']")
            walker.press("a[href$='/months/2026-11']")
            the_sample_is_looked_through(walker)
        page.fill("[name=password]", PASSWORD)
        walker.press("form[action$='/sign'] button")
        assert page.locator("form[action$='/sign']").count() == 0, way


def the_sample_is_looked_through(walker: Walker) -> None:
    """The mentor has it drawn, and looks at booking after booking until none is left."""
    walker.press("a[href$='/sample']")
    walker.press("form[action$='/sample'] button")
    looked_at = 0
    while walker.page.locator("a.button[href*='/sample/']").count():
        walker.press("a.button[href*='/sample/']")
        walker.press("button[value=well]")
        looked_at += 1
    assert looked_at > 0
    walker.press(".crumbs a")


def a_household_proves_its_statement(month: Month, shared: dict[str, int]) -> None:
    """It reads its month; another telephone reads the code and checks it without the network."""
    walker = month.walker
    page = month.sign_in(f"t2.{SLUG}")
    walker.press(".month-nav a")
    earned = page.locator(".total .huge").inner_text()
    amounts = [baht(each) for each in page.locator(".statement tbody .money").all_inner_texts()]
    assert shared["T2"] in amounts
    address = page.locator("a[href*='statement.pdf']").evaluate("(link) => link.href")
    assert page.request.get(address).body().startswith(b"%PDF")
    walker.press("a[href*='/proof']")
    code = read_code(page)

    browser = page.context.browser
    assert browser is not None
    other = a_context(browser, PHONE, "th")
    phone = Walker(other.new_page(), walker.root, "th", True)
    phone.page.goto(code)
    phone.page.locator("[data-good]").wait_for()
    phone.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    phone.page.wait_for_function(IS_KEPT)
    other.set_offline(True)
    read = other.new_page()
    read.goto(code)
    read.locator("[data-good]").wait_for()
    assert read.locator("[data-earned]").inner_text() == earned
    other.close()


# --- money leaves --------------------------------------------------------------------------------


def households_are_paid(month: Month) -> None:
    """One plans, another approves; one payment arrives and is confirmed, one comes back."""
    walker = month.walker
    page = month.sign_in(HOST)
    month.to_money("batches")
    if page.locator(".todo a").count():  # planned before the month's end by those of the samples
        walker.press(".todo a")
        walker.press("form[action$='/withdraw'] button")

    month.sign_in(TREASURER)
    month.to_money("batches")
    walker.press("form[action$='/batches'] button.wide:not(.second)")
    assert page.locator("form[action$='/approve']").count() == 0
    number = page.url.rsplit("/", 1)[1]

    month.sign_in(HOST)
    month.to_money("batches")
    walker.press(f".todo a[href$='/batches/{number}']")
    walker.press("form[action$='/approve'] button")

    month.sign_in(TREASURER)
    for household, proof in (("T2", "KTB-2569-0001"), ("T1", "KTB-2569-0002")):
        month.to_money("batches")
        walker.press(f"ul.rows a[href$='/batches/{number}']")
        walker.press(f"#lines li:has-text('{household}') a")
        page.fill("[name=bank_reference]", proof)
        walker.press("form[action$='/paid'] button")
    walker.press("#lines li:has-text('T1') a")
    page.locator("details:has(form[action$='/returned']) summary").click()
    page.fill("[name=reason]", "เลขบัญชีปิดแล้ว")
    walker.press("form[action$='/returned'] button")

    month.sign_in(f"t2.{SLUG}")
    walker.press("nav.tabs a[href$='/payouts']")
    walker.press("form[action$='/confirm'] button")
    assert page.locator("form[action$='/confirm']").count() == 0

    month.sign_in(f"t1.{SLUG}")
    walker.press("nav.tabs a[href$='/payouts']")
    assert page.locator("#payouts .need").count() == 1
    assert baht(page.locator(".total .huge").inner_text()) > 0  # it is owed again


def the_welfare_fund_helps(month: Month) -> None:
    """A household asks with its evidence, two others approve, it is paid and the household confirms."""
    walker = month.walker
    page = month.sign_in(f"t3.{SLUG}")
    walker.press("nav.tabs a[href$='/funds']")
    page.select_option("#ask [name=purpose]", "illness")
    page.fill("#ask [name=amount]", f"{HELP_SATANG // 100}")
    page.fill("#ask [name=what]", "ไม้เท้าและค่ารถไปโรงพยาบาล")
    page.fill("#ask [name=payee]", "นางตัวอย่าง สวนฝ้าย")
    page.fill("#ask [name=evidence]", "ใบเสร็จโรงพยาบาล")
    walker.press("#ask button")
    assert page.locator("#ask .error").count() == 1  # the file is missing
    page.set_input_files(
        "#ask [name=file]", {"name": "ใบเสร็จ.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )
    walker.press("#ask button")
    assert page.locator("#requests .state").count() == 1

    for name in (HOST, TREASURER):
        month.sign_in(name)
        month.to_money("funds")
        walker.press("li:has-text('สวนฝ้าย') a[href*='/requests/']")
        walker.press("form[action$='/approve'] button")
    page.fill("[name=bank_reference]", "KTB-2569-0003")
    walker.press("form[action$='/pay'] button")

    month.sign_in(f"t3.{SLUG}")
    walker.press("nav.tabs a[href$='/funds']")
    walker.press("form[action$='/confirm'] button")
    assert page.locator("#requests .state.confirmed").count() == 1


# --- and back ------------------------------------------------------------------------------------


def a_payout_is_traced(month: Month, reference: str) -> None:
    """From the money in the hand to the booking, the rule, the minutes and the work: four taps."""
    walker = month.walker
    page = month.sign_in(f"t2.{SLUG}")
    walker.press("nav.tabs a[href$='/payouts']")
    taps = 0
    for link in ("#payouts a[href*='/payouts/']", TRIP, "#rule a[href*='/policies/']"):
        walker.press(link)
        taps += 1
        if link == TRIP:
            assert reference in page.content()
            assert page.locator(".notice.good").count() == 1  # computed again, and the same
    with page.expect_download() as minutes:
        page.locator("#meeting ~ p a[href$='/minutes']").click()
        taps += 1
    assert minutes.value.path().read_bytes() == PDF
    assert taps <= MOST_TAPS
    page.go_back()
    walker.press("#work a[href*='/work?']")  # the third tap, beside the rule
    assert page.locator("article .state.confirmed").count() > 0


def every_page_is_whole_in_english_on_a_desk(month: Month) -> None:
    """One page of each kind of the walk, opened again by who opened it."""
    browser = month.walker.page.context.browser
    assert browser is not None
    context = a_context(browser, DESK, "en")
    root = month.walker.root.removesuffix("/th") + "/en"
    reader = Walker(context.new_page(), root, "en", True)
    kinds = {"/sign-in"}
    for name, addresses in month.list_pages().items():
        reader.sign_in(name)
        for address in addresses:
            kind = re.sub(r"\d+|B-\w+", "#", address.partition("?")[0]).replace("T#", "T")
            if kind in kinds or address.startswith(("/b/", "/c/")):
                continue  # tests.journeys.test_story reads what guests see
            answer = reader.page.goto(root + address)
            assert answer is not None
            if answer.status == 200:  # a draft that was proposed is gone
                kinds.add(kind)
                reader.look()
    assert len(kinds) > 25
    context.close()
