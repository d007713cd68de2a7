"""Two phones check guests in while there is no network at all, and agree when it is back.

The network is cut twice over: the browsers are set offline, and the server is stopped.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect
from sqlalchemy import create_engine, select, text, update

from cbt.app import create_app
from cbt.bookings.models import Booking
from cbt.bookings.queries import get_booking
from cbt.bookings.vouchers import Voucher, Vouchers, make_key
from cbt.clock import utc_now, village_day
from cbt.communities.queries import get_community
from cbt.db import db, transaction
from cbt.demo.load import PASSWORD
from cbt.experiences.models import Experience, Option
from cbt.people import services as people
from cbt.people.queries import find_sign_in
from cbt.people.roles import Grant, Role
from cbt.revenue.queries import get_policy_in_force
from tests.browser import PHONE, a_browser, a_context
from tests.factories import Village, book, make_departure, make_option, make_village
from tests.reading import foreign_words
from tests.site import free_port, make_settings, served

SOON = 10_000  # milliseconds
NAMES = ("แอน Ann", "บุญ Boon", "ดารา Dara", "มะลิ Mali")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with a_browser() as opened:
            yield opened
    except Error as error:
        pytest.skip(f"no browser: set CBT_BROWSER to a Chromium ({str(error).splitlines()[0]})")


@dataclass
class Day:
    """A day at Buna Dara: who comes today, and a server that can be switched off and on."""

    instance: Path
    port: int
    references: list[str]
    codes: dict[str, str]
    other_day: str
    busy: str
    running: ExitStack = field(default_factory=ExitStack)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def switch_on(self) -> None:
        self.running.enter_context(served(self.instance, worker=False, port=self.port))

    def switch_off(self) -> None:
        self.running.close()

    def scans(self, reference: str) -> list[tuple[str, int]]:
        """(device, people) of every scan that the server has, in the order of time."""
        engine = create_engine(f"sqlite:///{self.instance}/cbt.db")
        with engine.connect() as connection:
            rows = connection.execute(
                text(
                    "SELECT device, people FROM check_in JOIN booking ON booking.id = booking_id"
                    " WHERE reference = :reference ORDER BY scanned_at"
                ),
                {"reference": reference},
            ).all()
        engine.dispose()
        return [tuple(row) for row in rows]


@pytest.fixture(scope="module")
def prepared(instance_of_today: Path, tmp_path_factory: pytest.TempPathFactory) -> Day:
    """The sample communities, with four parties that come today and one that comes in a week."""
    instance = tmp_path_factory.mktemp("pier")
    shutil.copytree(instance_of_today, instance, dirs_exist_ok=True)
    app = create_app(make_settings(instance))
    with app.app_context():
        village, later = buna_dara_today()
        yesterday = utc_now() - timedelta(days=1)
        references = [book(village, {"ADULT": 2}, yesterday) for _name in NAMES]
        other = book(later, {"ADULT": 2}, yesterday)
        with transaction() as session:
            for reference, name in zip(references, NAMES, strict=True):
                own = update(Booking).where(Booking.reference == reference)
                session.execute(own.values(guest_name=name, food_needs="ไม่ทานหมู / no pork"))
        busy = busy_village(village.person_id, yesterday)
        codes = {each: sign(app.extensions["vouchers"], each) for each in (*references, other)}
        db.session.remove()
        db.engine.dispose()
    return Day(instance, 0, references, codes, other, busy)


@pytest.fixture
def day(prepared: Day, tmp_path: Path) -> Iterator[Day]:
    """That day anew, with its server running."""
    shutil.copytree(prepared.instance, tmp_path, dirs_exist_ok=True)
    made = replace(prepared, instance=tmp_path, port=free_port(), running=ExitStack())
    made.switch_on()
    yield made
    made.switch_off()


def buna_dara_today() -> tuple[Village, Village]:
    """The boat trip of today, and the one in a week."""
    community = get_community(db.session(), "buna-dara")
    today = village_day(utc_now(), community.zone)
    option_id = db.session.scalar(
        select(Option.id).join(Experience).where(Experience.slug == "mangrove-boat")
    )
    person = find_sign_in(db.session(), "host.buna-dara")
    assert option_id is not None
    assert person is not None
    village = Village(
        id=community.id,
        slug=community.slug,
        policy_id=get_policy_in_force(db.session(), community.id, today).id,
        person_id=person.person_id,
        option_id=option_id,
        departure_id=make_departure(option_id, today),
        households=(),
    )
    in_a_week = make_departure(option_id, today + timedelta(days=7))
    return village, replace(village, departure_id=in_a_week)


def busy_village(person_id: int, yesterday: datetime) -> str:
    """A village to which 25 parties come today, on two departures; returns its slug."""
    today = village_day(utc_now(), "Asia/Bangkok")
    morning = make_village(capacity=60, on=today)
    option_id = make_option(morning.id, capacity=60, starts_at=time(13))
    afternoon = replace(morning, option_id=option_id, departure_id=make_departure(option_id, today))
    for number in range(25):
        book(morning if number % 2 else afternoon, {"ADULT": 2, "CHILD": 1}, yesterday)
    with transaction() as session:
        own = update(Booking).where(Booking.community_id == morning.id)
        session.execute(
            own.values(
                guest_name="คุณสมหญิง นามสกุลยาวมาก Example",
                guest_phone="081 234 5678",
                food_needs="ไม่ทานหมู แพ้กุ้ง / no pork",
                access_needs="รถเข็น / wheelchair",
            )
        )
    people.grant_role(person_id, Grant(Role.COORDINATOR, morning.id), yesterday)
    return morning.slug


def sign(vouchers: Vouchers, reference: str) -> str:
    shown = get_booking(db.session(), reference)
    return vouchers.sign(Voucher(reference, shown.trip.id, shown.trip.starts_on, shown.places))


@dataclass
class Phone:
    """A host's phone at the pier."""

    context: BrowserContext
    page: Page
    language: str
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, root: str, name: str) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{root}/{self.language}/sign-in")
        self.page.locator("[name=sign_in_name]").fill(name)
        self.page.locator("[name=password]").fill(PASSWORD)
        self.page.locator("main form button").first.click()
        self.page.wait_for_load_state("load")

    def open_list(self, root: str) -> None:
        """Load the morning's list and wait until it is kept."""
        self.page.goto(f"{root}/{self.language}/host/buna-dara/check-in")
        expect(self.page.locator("[data-kept]")).to_have_text(self.word("kept"), timeout=SOON)

    def word(self, name: str) -> str:
        """The longest part of a sentence of the page that has no open place."""
        sentence = self.page.locator("#check-in-words").evaluate(
            "(words, name) => words.content.querySelector(`[data-word=${name}]`).textContent", name
        )
        return max(re.split(r"\{\d\}", str(sentence)), key=len).strip()

    @property
    def device(self) -> str:
        return self.page.locator("#device .as-is").inner_text()

    def row(self, reference: str):
        return self.page.locator(f"[data-reference={reference}]")

    def press(self, reference: str) -> None:
        self.row(reference).locator("button").click()

    def enter(self, typed: str) -> None:
        """What is typed or pasted takes the way of what the camera reads."""
        self.page.locator("#code").fill(typed)
        self.page.locator("[data-find] button").click()

    def hears(self, name: str) -> None:
        expect(self.page.locator("[data-said]")).to_contain_text(self.word(name), timeout=SOON)

    def look(self) -> None:
        """Nothing wider than the phone, one language, no complaint."""
        assert self.page.evaluate("document.documentElement.scrollWidth") <= 360
        assert foreign_words(self.page.content(), self.language) == []
        assert self.complaints == []
        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def phones(browser: Browser, day: Day) -> Iterator[tuple[Phone, Phone]]:
    """The coordinator's phone in English and the treasurer's in Thai, signed in."""
    both = []
    for language, name in (("en", "host.buna-dara"), ("th", "treasurer.buna-dara")):
        context = a_context(browser, PHONE, language)
        both.append(Phone(context, context.new_page(), language))
        both[-1].sign_in(day.address, name)
    yield both[0], both[1]
    for phone in both:
        phone.context.close()


def cut(day: Day, *phones: Phone) -> None:
    day.switch_off()
    for phone in phones:
        phone.context.set_offline(True)


def mend(day: Day, *phones: Phone) -> None:
    day.switch_on()
    for phone in phones:
        phone.context.set_offline(False)


def test_two_phones_without_network_check_in_and_agree_when_it_is_back(
    day: Day, phones: tuple[Phone, Phone]
) -> None:
    one, other = phones
    for phone in phones:
        phone.open_list(day.address)
        phone.look()
    parties = one.page.locator("[data-reference]").count()
    assert parties >= len(NAMES)
    cut(day, *phones)
    for phone in phones:
        phone.page.reload()
        expect(phone.page.locator("[data-reference]")).to_have_count(parties)
        expect(phone.row(day.references[0])).to_contain_text("no pork")
        expect(phone.page.locator("[data-network]")).to_contain_text(phone.word("waiting"))
        phone.look()

    alone, shared, third, _nobody = day.references
    one.press(alone)
    one.hears("checked")
    one.enter(shared.lower().removeprefix("b-"))
    one.hears("checked")
    other.enter(f"{day.address}/th/v/{day.codes[shared]}")
    other.hears("checked")
    other.row(third).locator("[name=people]").fill("1")
    other.press(third)
    refuse_offline(day, other)
    other.enter("B-222222")
    other.hears("unlisted")
    for phone, count in ((one, 2), (other, 2)):
        phone.page.reload()  # nothing is lost by it
        expect(phone.page.locator("li.here")).to_have_count(count)
        expect(phone.row(shared)).to_contain_text(phone.word("unsent"))
        expect(phone.page.locator("[data-conflict]:visible")).to_have_count(0)
        phone.look()
    assert day.scans(shared) == []

    mend(day, *phones)
    for phone in phones:
        expect(phone.page.locator("[data-network]")).to_contain_text(
            phone.word("all_sent"), timeout=40_000
        )
    ask_again(one)
    for phone in phones:
        for scanning in phones:
            expect(phone.row(shared)).to_contain_text(scanning.device, timeout=SOON)
        expect(phone.row(shared).locator("[data-scans] li")).to_have_count(2)
        expect(phone.row(shared).locator("[data-conflict]")).to_be_visible()
        expect(phone.page.locator("[data-conflict]:visible")).to_have_count(1)
        expect(phone.row(shared)).not_to_contain_text(phone.word("unsent"))
        phone.look()
    expect(other.page.locator("[data-others]")).to_contain_text("B-222222")
    expect(other.page.locator("[data-others]")).to_contain_text(other.word("refused"))
    assert day.scans(alone) == [(one.device, 2)]
    assert sorted(day.scans(shared)) == sorted([(one.device, 2), (other.device, 2)])
    assert day.scans(third) == [(other.device, 1)]
    assert day.scans("B-222222") == []


def refuse_offline(day: Day, phone: Phone) -> None:
    """Vouchers for another day, changed or of another installation say so without the network."""
    genuine = day.codes[day.references[3]]
    phone.enter(day.codes[day.other_day])
    phone.hears("other_day")
    phone.enter(genuine.replace(".2.", ".9."))
    phone.hears("forged")
    last = "A" if genuine[-1] != "A" else "Q"
    for changed in (genuine[:-1] + last, genuine[:-1] + "B", genuine + "A"):
        phone.enter(changed)
        phone.hears("forged")
    said = genuine.rpartition(".")[0]
    stranger = Vouchers(make_key()).sign(Voucher("B-222222", 1, village_day(utc_now(), "UTC"), 1))
    phone.enter(f"{said}.{stranger.rpartition('.')[2]}")
    phone.hears("forged")
    phone.enter("nobody of that name")
    phone.hears("unknown")
    expect(phone.row(day.references[3]).locator("[data-scans] li")).to_have_count(0)


def ask_again(phone: Phone) -> None:
    """What the page does by itself every half minute."""
    phone.page.evaluate("window.dispatchEvent(new Event('online'))")


def test_the_camera_reads_a_voucher_and_checks_its_party_in(
    browser: Browser, day: Day, phones: tuple[Phone, Phone]
) -> None:
    """This machine has no camera: a picture and what reads it are put in its place."""
    phone = phones[0]
    phone.open_list(day.address)
    expect(phone.page.locator("[data-no-camera]")).to_be_visible()
    reference = day.references[0]
    seen = f"{day.address}/en/v/{day.codes[reference]}"
    phone.page.add_init_script(f"""
        window.BarcodeDetector = class {{
            static async getSupportedFormats() {{ return ["qr_code"]; }}
            async detect() {{ return [{{ rawValue: {seen!r} }}]; }}
        }};
        navigator.mediaDevices.getUserMedia = async () => {{
            const canvas = document.createElement("canvas");
            canvas.getContext("2d").fillRect(0, 0, 9, 9);
            return canvas.captureStream(5);
        }};
    """)
    phone.page.reload()
    expect(phone.page.locator("[data-no-camera]")).to_be_hidden()
    phone.page.locator("[data-start-scan]").click()
    phone.hears("checked")
    expect(phone.row(reference).locator("[data-scans] li")).to_have_count(1)
    phone.page.locator("[data-start-scan]").click()
    expect(phone.page.locator("video")).to_be_hidden()
    assert phone.complaints == []


def test_the_lists_leave_the_phone_with_the_day_on_signing_out_and_on_demand(
    day: Day, phones: tuple[Phone, Phone]
) -> None:
    one, other = phones
    for phone in phones:
        phone.open_list(day.address)
        assert kept_lists(phone) == 2
        expect(phone.row(day.references[0])).to_be_visible()
    other.page.locator("[data-forget]").click()
    expect(other.page.locator("[data-reference]")).to_have_count(0)
    assert kept_lists(other) == 0

    other.open_list(day.address)
    other.page.clock.install(time=utc_now() + timedelta(days=2))
    other.context.set_offline(True)
    other.page.reload()
    expect(other.page.locator("[data-kept]")).to_have_text(other.word("over"))
    expect(other.page.locator("[data-reference]")).to_have_count(0)
    assert kept_lists(other) == 0

    one.press(day.references[0])
    expect(one.row(day.references[0]).locator("[data-scans] li")).to_have_count(1)
    one.page.locator(".site-foot button").click()
    one.page.wait_for_url(re.compile(r"/en/$"))
    assert kept_lists(one) == 0
    kept = one.page.evaluate("JSON.stringify(localStorage)")
    assert not any(name in kept for name in NAMES)


def kept_lists(phone: Phone) -> int:
    return int(
        phone.page.evaluate(
            "async () => await caches.has('check-in lists')"
            " ? (await (await caches.open('check-in lists')).keys()).length : 0"
        )
    )


@pytest.mark.parametrize("language", ["th", "en"])
def test_the_day_sheet_of_25_parties_fits_one_printed_page(
    day: Day, phones: tuple[Phone, Phone], language: str
) -> None:
    page = phones[0].page
    page.goto(f"{day.address}/{language}/host/{day.busy}/day-sheet")
    assert page.locator("tbody tr").count() == 25
    printed = page.pdf(prefer_css_page_size=True, path=day.instance / "sheet.pdf")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_scans_wait_through_signing_out_and_go_with_the_next_sign_in(
    day: Day, phones: tuple[Phone, Phone]
) -> None:
    phone = phones[0]
    phone.open_list(day.address)
    cut(day, phone)
    phone.press(day.references[0])
    phone.hears("checked")
    phone.context.clear_cookies()
    mend(day, phone)
    ask_again(phone)
    expect(phone.page.locator("[data-kept]")).to_contain_text(phone.word("signed_out"))
    expect(phone.page.locator("[data-reference]")).to_have_count(0)
    assert day.scans(day.references[0]) == []
    phone.sign_in(day.address, "host.buna-dara")
    phone.page.goto(f"{day.address}/en/host/buna-dara/check-in")
    expect(phone.page.locator("[data-network]")).to_contain_text(phone.word("all_sent"))
    assert day.scans(day.references[0]) == [(phone.device, 2)]
