"""The whole story in a real browser on a small phone: guest, host, household, mentor.

Once in Thai, once in English, once with script switched off. Every page on the way is checked: one
language only, nothing wider than the screen, no complaint of axe or of the browser. It ends with the
same satang on checkout, receipt, ledger, statement and audit.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page
from sqlalchemy import create_engine, text

from cbt.audit.findings import Check
from cbt.clock import month_before, next_month, utc_now
from cbt.config import ROOT
from tests.browser import PHONE, a_browser, a_context
from tests.reading import baht
from tests.site import SECRET, served
from tests.walker import Walker, read_code

LANGUAGES = ("th", "en")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with a_browser() as opened:
            yield opened
    except Error as error:
        pytest.skip(f"no browser: set CBT_BROWSER to a Chromium ({str(error).splitlines()[0]})")


@dataclass
class Site:
    """A running site with the sample communities as of now."""

    address: str
    instance: Path

    def let_the_trip_pass(self, reference: str) -> None:
        """The days until the trip pass."""
        engine = create_engine(f"sqlite:///{self.instance}/cbt.db")
        with engine.begin() as connection:
            done = connection.execute(
                text(
                    "UPDATE departure SET closes_at = :now, begins_at = :now, ends_at = :now WHERE id ="
                    " (SELECT departure_id FROM booking WHERE reference = :reference)"
                ),
                {"now": utc_now().replace(tzinfo=None).isoformat(" "), "reference": reference},
            )
            assert done.rowcount == 1
        engine.dispose()

    def verify(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "audit", "verify"]
        environment = {**os.environ, "INSTANCE": str(self.instance), "SECRET_KEY": SECRET}
        return subprocess.run(
            [*command, "--community", "buna-dara"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def site(instance_of_today: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    instance = tmp_path_factory.mktemp("story")
    shutil.copytree(instance_of_today, instance, dirs_exist_ok=True)
    with served(instance) as address:
        yield Site(address, instance)


@pytest.fixture(
    params=[("th", True), ("en", True), ("th", False)], ids=["thai", "english", "no-script"]
)
def walker(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[Walker]:
    language, with_script = request.param
    context = a_context(browser, PHONE, language, java_script_enabled=with_script)
    yield Walker(context.new_page(), f"{site.address}/{language}", language, with_script)
    context.close()


def test_a_booking_becomes_household_income(walker: Walker, site: Site) -> None:
    checkout, reference = guest_books(walker)
    site.let_the_trip_pass(reference)
    shared = host_settles(walker, reference, checkout)
    household_reads(walker, shared)
    mentor_proves(walker, reference, checkout, shared)
    caretaker_looks(walker)
    proof = site.verify()
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "fail" not in proof.stdout


def guest_books(walker: Walker) -> tuple[dict[str, int], str]:
    """Find, hold, pay; returns where the money goes and the booking's reference."""
    page = walker.page
    walker.go("/")
    walker.go("/privacy")
    walker.go("/pieces")
    walker.go("/?guests=190")
    walker.go("/?on=2020-01-01")
    walker.go("/")
    walker.press("a[href*='/c/buna-dara/mangrove-boat']")
    walker.press(".crumbs a")
    walker.press("a[href*='/c/buna-dara/mangrove-boat']")
    later = next_month(next_month(utc_now().date()))
    walker.go(f"/c/buna-dara/mangrove-boat?month={later:%Y-%m}")
    day = page.locator("a.day.free").first
    address = day.get_attribute("href")
    assert address is not None
    if walker.with_script:
        day.click()
        page.locator("button[value=hold]:not([disabled])").wait_for()
        page.locator(".stepper:has([name=CHILD]) .round").last.click()
        page.locator("table.lines tbody tr").nth(1).wait_for()
        walker.look()
    else:
        walker.press("a.day.free")
        page.locator("[name=CHILD]").fill("1")
        walker.press("button[value=quote]")
    checkout = walker.flow()
    total = baht(page.locator("#book table.lines tfoot .money").inner_text())
    assert sum(checkout.values()) == total == 2 * 45_000 + 22_500

    walker.press("button[value=hold]")
    assert walker.flow() == checkout
    walker.press("form button.wide")  # nothing typed yet: refused, and says why
    page.locator("[name=name]").fill("แอน Ann")
    page.locator("[name=email]").fill("ann@example.org")
    page.locator("[name=food_needs]").fill("no pork")
    page.locator("[name=consent]").check()
    walker.press("form button.wide")
    assert walker.flow() == checkout
    walker.press("form button.wide")
    walker.press("[value=decline]")
    walker.press("a.button[href$='/pay']")
    walker.press("form button.wide")
    assert walker.flow() == checkout
    walker.press("[value=pay]")
    assert walker.flow() == checkout
    reference = page.locator(".ticket .as-is").inner_text()
    link = page.url
    voucher_address = read_code(page)
    walker.press("a[href$='/receipt']")
    assert walker.flow() == checkout
    page.goto(voucher_address)
    walker.look()
    assert reference in page.content()
    page.goto(link)
    walker.go("/nothing-here")
    walker.go("/b/forged")
    return checkout, reference


def host_settles(walker: Walker, reference: str, checkout: dict[str, int]) -> dict[str, int]:
    """Record who worked and settle; returns what each household gets."""
    page = walker.page
    walker.sign_in("host.buna-dara")
    assert page.url.endswith("/host/buna-dara")
    walker.go("/host/buna-dara/transfers")
    walker.go("/host/buna-dara/bookings")
    walker.go(f"/host/buna-dara/bookings/{reference}")
    assert walker.flow() == checkout
    walker.press("a[href*='/departures/']")
    for row, (household, task) in enumerate(
        [("H01", "boat"), ("H03", "guide"), ("H08", "crab_bank")]
    ):
        if page.locator(f"[name=rows-{row}-household]").count() == 0:
            walker.press("#work button[value=more]")
        page.locator(f"[name=rows-{row}-household]").select_option(household)
        page.locator(f"[name=rows-{row}-task]").select_option(task)
    walker.press("#work button[value=save]")
    assert walker.flow() == checkout
    shared = households(page)
    departure = page.url.partition("#")[0]
    walker.sign_in("treasurer.buna-dara")  # somebody else looks at what was written down
    page.goto(departure)
    walker.press("form[action$='/confirm'] button")
    walker.press("form[action$='/settle'] button")
    assert households(page) == shared
    pool = next(iter(checkout.values()))  # the households come first
    assert sum(shared.values()) == pool
    for page_of in ("turns", "turns/boat", "assets", "assets/1"):
        walker.go(f"/host/buna-dara/{page_of}")
    walker.go("/mentor")  # not for a host
    return shared


def households(page: Page) -> dict[str, int]:
    rows = page.locator("#settle table.lines tbody tr:has(.money)")
    return {
        row.locator(".as-is").inner_text(): baht(row.locator(".money").inner_text())
        for row in rows.all()
    }


def household_reads(walker: Walker, shared: dict[str, int]) -> None:
    """Every line opens to bookings, rule and work, and the new trip's amount is there."""
    page = walker.page
    walker.sign_in("h03.buna-dara")
    month = next_month(next_month(utc_now().date()))
    walker.go(f"/household/buna-dara/H03?month={month:%Y-%m}")
    line = page.locator(".statement tr:has(a)").last  # earlier walks took earlier days
    assert baht(line.locator(".money").inner_text()) == shared["H03"]
    line.locator("a").first.click()
    walker.look()
    assert baht(page.locator(".total .huge").inner_text()) == shared["H03"]
    assert page.locator(".notice.good").count() == 1
    walker.go(f"/household/buna-dara/H03?month={month_before(utc_now().date()):%Y-%m}")
    for page_of in ("work", "turns"):
        walker.go(f"/household/buna-dara/H03/{page_of}")
    walker.go("/household/buna-dara/H01")  # another's statement stays closed


def mentor_proves(
    walker: Walker, reference: str, checkout: dict[str, int], shared: dict[str, int]
) -> None:
    """Every check passes; the recomputed split stands beside the posted one, equal."""
    page = walker.page
    walker.sign_in("mentor")
    walker.go("/mentor")
    walker.go("/mentor/buna-dara")
    assert page.locator("section:has(#checks) .checks > li.pass").count() == len(Check)
    walker.press("a[href*='/departures/']")
    posted, computed = compared(page)
    assert posted == computed == sorted(shared.values())
    walker.go(f"/mentor/buna-dara/bookings/{reference}")
    posted, computed = compared(page)
    assert posted == computed == sorted(amount for amount in checkout.values() if amount)
    assert walker.flow() == checkout
    mentor_asks(walker, reference)


def mentor_asks(walker: Walker, reference: str) -> None:
    """A finding about the booking, and the sample of the last closed month."""
    page = walker.page
    walker.press("a[href*='/findings/new']")
    page.locator("[name=words]").fill("?")
    walker.press("main form .wide")
    assert reference in page.locator("h1").inner_text()
    walker.go("/mentor/buna-dara/findings")
    walker.go(f"/mentor/buna-dara/months/{month_before(utc_now().date()):%Y-%m}")
    walker.press("a[href$='/sample']")
    if page.locator("main form").count():  # drawn once for all three languages of this test
        walker.press("main form button")
    walker.press("a[href*='/sample/']")
    walker.press("button[value=well]")
    walker.sign_in("treasurer.buna-dara")
    walker.go("/host/buna-dara")
    walker.press("a[href$='/money/findings']")
    walker.press("ul.todo a")
    page.locator("[name=words]").fill("!")
    walker.press("main form .wide")
    walker.sign_in("mentor")
    walker.go("/mentor")


def compared(page: Page) -> tuple[list[int], list[int]]:
    """The amounts in the books and the recomputed ones, of the comparison's rows."""
    rows = [row.locator("td").all_inner_texts() for row in page.locator(".compare tbody tr").all()]
    return sorted(baht(row[0]) for row in rows), sorted(baht(row[1]) for row in rows)


def caretaker_looks(walker: Walker) -> None:
    walker.sign_in("admin")
    walker.go("/admin")
