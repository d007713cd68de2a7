"""Screenshots of every page in both languages, on a phone and on a desk, to be looked at.

Run by `python3 dev.py look FOLDER`. The list of pages is walked like a person would: as a guest who
books, as host, household, mentor and caretaker.
"""

import re
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Page

from cbt.clock import month_before, utc_now
from cbt.demo.load import PASSWORD
from tests.browser import DESK, PHONE, a_browser, a_context
from tests.site import load_samples, served

_SCROLL_THROUGH = """async () => {
    for (let y = 0; y < document.body.scrollHeight; y += 600) {
        scrollTo(0, y); await new Promise((done) => setTimeout(done, 20));
    }
    scrollTo(0, 0);
}"""
SCREENS = {"phone": PHONE, "desk": DESK}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as instance:
        load_samples(Path(instance), utc_now())
        with served(Path(instance)) as address, a_browser() as browser:
            for language in ("th", "en"):
                for name, screen in SCREENS.items():
                    page = a_context(browser, screen, language).new_page()
                    camera = Camera(page, folder, f"{language}-{name}")
                    walk(camera, f"{address}/{language}")
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


class Camera:
    def __init__(self, page: Page, folder: Path, prefix: str) -> None:
        self.page, self.folder, self.prefix = page, folder, prefix
        self.number = 0

    def shoot(self, name: str) -> None:
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate(_SCROLL_THROUGH)  # pictures further down load when they come into view
        self.page.wait_for_load_state("networkidle")
        self.number += 1
        file = self.folder / f"{self.prefix}-{self.number:02}-{name}.png"
        self.page.screenshot(path=file, full_page=True)

    def visit(self, address: str, name: str) -> None:
        self.page.goto(address)
        self.shoot(name)


def walk(camera: Camera, root: str) -> None:
    visitor(camera, root)
    guest(camera, root)
    host(camera, root)
    household(camera, root)
    mentor(camera, root)
    sign_in(camera, root, "admin")
    camera.visit(f"{root}/admin", "admin")


def visitor(camera: Camera, root: str) -> None:
    camera.visit(f"{root}/", "home")
    camera.visit(f"{root}/?on=2020-01-01&guests=0", "home-refused")
    camera.visit(f"{root}/?guests=190", "home-nothing")
    camera.visit(f"{root}/c/buna-dara", "community")
    camera.visit(f"{root}/c/ban-mok-ngam", "community-fictional")
    camera.visit(f"{root}/funds/buna-dara", "funds")
    camera.visit(f"{root}/funds/buna-dara/welfare", "fund")
    camera.visit(f"{root}/c/buna-dara/mangrove-boat", "experience")
    camera.visit(f"{root}/c/buna-dara/mangrove-boat?ADULT=99", "experience-refused")
    camera.visit(f"{root}/sign-in", "sign-in")
    camera.visit(f"{root}/privacy", "privacy")
    camera.visit(f"{root}/pieces", "pieces")
    camera.visit(f"{root}/nothing", "error-404")
    camera.visit(f"{root}/b/forged", "error-link")


def guest(camera: Camera, root: str) -> None:
    page = camera.page
    far = utc_now() + timedelta(days=60)
    page.goto(f"{root}/c/buna-dara/homestay?month={far:%Y-%m}")
    page.locator("a.day.free").last.click()
    page.locator("button[value=hold]:not([disabled])").wait_for()
    camera.shoot("experience-chosen")
    page.locator("button[value=hold]").click()
    camera.shoot("details")
    page.locator("form button.wide").click()
    camera.shoot("details-refused")
    page.locator("[name=name]").fill("ทดสอบ Test")
    page.locator("[name=email]").fill("guest@example.org")
    page.locator("[name=food_needs]").fill("-")
    page.locator("[name=consent]").check()
    page.locator("form button.wide").click()
    camera.shoot("pay")
    page.locator("[value=promptpay]").check()
    page.locator("form button.wide").click()
    camera.shoot("promptpay")
    page.locator("form button.wide").click()
    camera.shoot("promptpay-reported")
    page.goto(re.sub(r"/pay.*", "/pay", page.url))
    page.locator("[value=demo]").check()
    page.locator("form button.wide").click()
    camera.shoot("pretended-bank")
    page.locator("[value=decline]").click()
    camera.shoot("declined")
    page.goto(re.sub(r"/pay.*", "/pay", page.url))
    camera.shoot("pay-again")
    page.locator("form button.wide").click()
    page.locator("[value=pay]").click()
    camera.shoot("voucher")
    link = page.url
    camera.visit(f"{link}/receipt", "receipt")
    after_booking(camera, link)
    promised(camera, root)
    waiting(camera, root)
    requested(camera, root)


def after_booking(camera: Camera, link: str) -> None:
    page = camera.page
    camera.visit(f"{link}?change=1", "names-and-needs")
    camera.visit(f"{link}/change", "change")
    page.locator("[name=ADULT]").fill("3")
    page.locator("button[formaction]").click()
    page.wait_for_url("**/quote?**")
    camera.shoot("change-quote")
    page.locator("form button.wide").click()
    camera.shoot("voucher-with-rest")
    camera.visit(f"{link}/pay", "pay-rest")
    camera.visit(f"{link}/cancel", "cancel")
    page.locator("[value=credit]").check()
    page.locator("form button.wide").click()
    camera.shoot("cancelled")


def promised(camera: Camera, root: str) -> None:
    """Cash on arrival; the telephone number differs, since one promise at a time is enough."""
    page = camera.page
    page.goto(f"{root}/c/buna-dara/mangrove-boat?month={utc_now() + timedelta(days=60):%Y-%m}")
    page.locator("a.day.free").last.click()
    page.locator("button[value=hold]:not([disabled])").wait_for()
    page.locator("button[value=hold]").click()
    page.locator("[name=name]").fill("ทดสอบ Test")
    page.locator("[name=email]").fill(f"{camera.prefix}@example.org")
    page.locator("form button.wide").click()
    page.locator("[value=cash]").check()
    page.locator("form button.wide").first.click()
    camera.shoot("cash-promised")
    camera.visit(re.sub(r"/pay.*", "/pay", page.url), "pay-after-promise")


def waiting(camera: Camera, root: str) -> None:
    page = camera.page
    page.goto(f"{root}/c/buna-dara/kolae-craft")
    page.locator("a.day.waiting").first.click()
    page.locator("#wait").wait_for()
    camera.shoot("experience-full")
    page.locator("#wait button").click()
    camera.shoot("waiting-refused")
    page.locator("#wait [name=name]").fill("ทดสอบ Test")
    page.locator("#wait [name=phone]").fill("081 234 5678")
    page.locator("#wait button").click()
    camera.shoot("waiting")


def requested(camera: Camera, root: str) -> None:
    page = camera.page
    far = utc_now() + timedelta(days=60)
    page.goto(f"{root}/c/buna-dara/sunset-boat?month={far:%Y-%m}")
    page.locator("a.day.free, a.day.few").last.click()
    page.locator("button[value=hold]:not([disabled])").wait_for()
    camera.shoot("experience-on-request")
    page.locator("button[value=hold]").click()
    camera.shoot("requested")


def host(camera: Camera, root: str) -> None:
    sign_in(camera, root, "host.buna-dara")
    camera.visit(f"{root}/host/buna-dara", "host-today")
    camera.visit(f"{root}/host/buna-dara/bookings", "host-bookings")
    camera.page.locator("ul.rows a").first.click()
    camera.shoot("host-booking")
    camera.visit(f"{root}/host/buna-dara/transfers", "host-transfers")
    camera.visit(f"{root}/host/buna-dara/check-in", "host-check-in")
    camera.visit(f"{root}/host/buna-dara/day-sheet", "host-day-sheet")
    camera.visit(f"{root}/host/buna-dara/feeds", "host-feeds")
    camera.page.goto(f"{root}/host/buna-dara")
    camera.page.locator(".todo a[href*=departures]").first.click()
    camera.shoot("host-departure")
    host_arranges(camera, f"{root}/host/buna-dara")
    camera.visit(f"{root}/mentor", "error-403")
    treasurer(camera, root)


def host_arranges(camera: Camera, root: str) -> None:
    """The calendar, a guest on the telephone, calling off, rules, rest, things, seasons, codes."""
    page = camera.page
    camera.visit(f"{root}/calendar", "host-week")
    tomorrow = page.locator("a[href*='/day?on=']").last.get_attribute("href") or ""
    on = tomorrow.partition("?")[2]
    camera.visit(f"{root}/day?{on}", "host-day")
    camera.visit(f"{root}/more", "host-more")
    camera.visit(f"{root}/book?{on}", "host-walk-in")
    page.locator("ul.places a").first.click()
    camera.shoot("host-book")
    page.locator("[name=name]").fill("ทดสอบ Test")
    page.locator("[name=phone]").fill("081-234-5678")
    page.locator("button[value=hold]").click()
    camera.shoot("host-booking-held")
    page.locator("a[href*='/departures/']").first.click()
    page.locator("a[href*='reason=weather']").click()
    camera.shoot("host-call-off")
    camera.visit(f"{root}/rules", "host-rules")
    page.locator("ul.places a").first.click()
    camera.shoot("host-rule")
    page.locator("[name=weekdays]").first.click()
    page.locator("button[value=preview]").click()
    camera.shoot("host-rule-preview")
    camera.visit(f"{root}/rest", "host-rest")
    camera.visit(f"{root}/things", "host-things")
    page.locator("#needs a").first.click()
    camera.shoot("host-needs")
    page.goto(f"{root}/things")
    page.locator("ul.places a").first.click()
    camera.shoot("host-thing")
    camera.visit(f"{root}/seasons", "host-seasons")
    camera.visit(f"{root}/codes", "host-codes")


def treasurer(camera: Camera, root: str) -> None:
    sign_in(camera, root, "treasurer.buna-dara")
    money = f"{root}/host/buna-dara/money"
    for page in ("batches", "payees", "funds", "funds/welfare", "loans"):
        camera.visit(f"{money}/{page}", f"money-{page.replace('/', '-')}")
    camera.visit(f"{money}/cash", "cash-box")
    camera.page.locator("#count button").click()
    camera.shoot("cash-box-refused")
    camera.visit(f"{money}/accounts", "accounts")
    camera.visit(f"{money}/accounts/promptpay", "account-promptpay")
    camera.visit(f"{money}/accounts/cash", "account-cash")


def household(camera: Camera, root: str) -> None:
    sign_in(camera, root, "h03.buna-dara")
    for page in ("payouts", "funds"):
        camera.visit(f"{root}/household/buna-dara/H03/{page}", f"household-{page}")
    camera.visit(f"{root}/household/buna-dara/H03", "household-statement")
    camera.page.locator(".month-nav a").first.click()
    camera.shoot("household-month-before")
    camera.page.locator(".statement a").first.click()
    camera.shoot("household-line")
    closed = f"{month_before(utc_now().date()):%Y-%m}"
    camera.visit(f"{root}/household/buna-dara/H03?month={closed}", "household-closed")
    camera.page.locator("a[href*='/lines/']").first.click()
    camera.shoot("household-ask")
    camera.visit(f"{root}/household/buna-dara/H03/proof?month={closed}", "household-proof")
    camera.page.locator("a[href*='/verify/']").click()
    camera.page.locator("[data-good]").wait_for()
    camera.shoot("verified")


def mentor(camera: Camera, root: str) -> None:
    sign_in(camera, root, "mentor")
    camera.visit(f"{root}/mentor", "mentor-communities")
    camera.visit(f"{root}/mentor/buna-dara", "mentor-audit")
    camera.page.locator("a[href*=departures]").first.click()
    camera.shoot("mentor-departure")
    camera.page.locator("a[href*=bookings]").first.click()
    camera.shoot("mentor-booking")
    closed = f"{month_before(utc_now().date()):%Y-%m}"
    camera.visit(f"{root}/mentor/buna-dara/months/{closed}", "mentor-month")
    camera.visit(f"{root}/mentor/buna-dara/lines", "mentor-lines")
    sample = f"{root}/mentor/buna-dara/months/{closed}/sample"
    camera.visit(sample, "mentor-sample")
    if camera.page.locator("main form").count():  # drawn once for all languages and screens
        camera.page.locator("main form button").click()
        camera.shoot("mentor-sample-drawn")
    camera.visit(f"{sample}/1", "mentor-look")
    camera.visit(f"{root}/mentor/buna-dara/findings/new?about=book", "mentor-finding-new")
    camera.page.locator("main form .wide").click()
    camera.shoot("mentor-finding-refused")
    camera.page.locator("[name=words]").fill("ทดสอบ Test")
    camera.page.locator("main form .wide").click()
    camera.shoot("mentor-finding")
    camera.visit(f"{root}/mentor/buna-dara/findings", "mentor-findings")
    sign_in(camera, root, "treasurer.buna-dara")
    camera.visit(f"{root}/host/buna-dara/money/findings", "host-findings")
    camera.page.locator("ul.todo a").first.click()
    camera.shoot("host-finding")


def sign_in(camera: Camera, root: str, name: str) -> None:
    page = camera.page
    page.context.clear_cookies()
    page.goto(f"{root}/sign-in")
    page.locator("[name=sign_in_name]").fill(name)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form button").click()
    page.wait_for_load_state()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
