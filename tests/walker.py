"""Somebody who walks through the site in a real browser and looks at every page on the way."""

import io
import re
from dataclasses import dataclass, field

import zxingcpp
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page

from cbt.demo.load import PASSWORD
from tests.reading import baht, foreign_words

IS_KEPT = """async () => {
    const fonts = document.querySelector("[data-fonts]").dataset.fonts.trim().split(" ");
    const files = document.querySelectorAll("script[src], link[rel=stylesheet]");
    const kept = await caches.open("statement check");
    const texts = await Promise.all((await kept.matchAll()).map((each) => each.blob()));
    return texts.length > fonts.length + files.length;
}"""
"""Whether the page that checks statements was kept whole, for where there is no network."""


@dataclass
class Walker:
    """A person with a browser, who looks at every page that opens.

    The browser's own complaints may only be what `expected` names.
    """

    page: Page
    root: str
    language: str
    with_script: bool
    expected: tuple[str, ...] = ("status of 4",)
    seen: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note_console(self, message: object) -> None:
        text, kind = message.text, message.type  # type: ignore[attr-defined]
        if kind == "error" and not any(each in text for each in self.expected):
            self.complaints.append(text)

    def go(self, path: str) -> None:
        self.page.goto(self.root + path)
        self.look()

    def press(self, selector: str) -> None:
        self.page.locator(selector).first.click()
        self.page.wait_for_load_state("load")
        self.look()

    def look(self) -> None:
        """Check the page that is open now."""
        page = self.page
        address = page.url.removeprefix(self.root)
        self.seen.append(address)
        assert foreign_words(page.content(), self.language) == [], address
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert page.viewport_size is not None
        assert wide <= page.viewport_size["width"], f"{address} is {wide} wide"
        assert self.complaints == [], address
        if self.with_script:
            found = Axe().run(page)
            assert found.violations_count == 0, f"{address}\n{found.generate_report()}"

    def sign_in(self, name: str) -> None:
        self.page.context.clear_cookies()
        if "/sign-in" in self.seen:
            self.page.goto(f"{self.root}/sign-in")
        else:
            self.go("/sign-in")
        self.page.locator("[name=sign_in_name]").fill(name)
        self.page.locator("[name=password]").fill(PASSWORD)
        self.press("main form button")

    def flow(self) -> dict[str, int]:
        """Where each baht goes, as the page shows it: {name: satang}."""
        rows = self.page.locator(".flow li")
        names = [re.sub(r"\s+", " ", each) for each in rows.locator(".flow-name").all_inner_texts()]
        amounts = [baht(each) for each in rows.locator(".money").all_inner_texts()]
        assert len(names) == len(amounts) == len(set(names))
        return dict(zip(names, amounts, strict=True))


def read_code(page: Page) -> str:
    """What a phone's camera reads in the QR code that the page draws."""
    picture = Image.open(io.BytesIO(page.locator(".qr svg").screenshot()))
    [code] = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    return str(code.text)
