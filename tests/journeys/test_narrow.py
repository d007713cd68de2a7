"""Figures on a small phone, in Thai: a table stays within its card, and no amount breaks in two."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Error, Page

from cbt.config import ROOT
from tests.browser import PHONE, a_browser, a_context
from tests.web.forms import sign_in

_LARGE = "123,456,789.00"
_TABLE_AND_CARD = """() => [...document.querySelectorAll('.compare')].map((table) => {
    const card = table.closest('.card'), style = getComputedStyle(card);
    const edge = card.getBoundingClientRect().right - parseFloat(style.paddingRight);
    return [table.getBoundingClientRect().right - edge, table.scrollWidth - table.clientWidth];
})"""
_AMOUNTS = """() => {
    const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    const found = [];
    while (walk.nextNode()) {
        if (!/\\d\\s*บาท/.test(walk.currentNode.textContent)) continue;
        if (walk.currentNode.parentElement.closest('.prose')) continue;  // whole sentences wrap
        const range = document.createRange();
        range.selectNodeContents(walk.currentNode);
        const lines = new Set([...range.getClientRects()].map((each) => each.top));
        found.push([walk.currentNode.textContent.trim(), lines.size]);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with a_browser() as opened:
            yield opened
    except Error as error:
        pytest.skip(f"no browser: set CBT_BROWSER to a Chromium ({str(error).splitlines()[0]})")


def show(browser: Browser, html: str) -> Page:
    """A page as the server sent it, with its style, on a small phone."""
    page = a_context(browser, PHONE, "th").new_page()
    page.set_content(html)
    page.add_style_tag(path=ROOT / "cbt/static/site.css")
    return page


@pytest.mark.parametrize("kind", ["departures", "bookings"])
def test_large_amounts_stay_within_the_card_that_compares_them(
    browser: Browser, client: FlaskClient, kind: str
) -> None:
    sign_in(client, "mentor")
    html = client.get("/th/mentor/buna-dara").text
    for step in ("departures", kind)[: 1 if kind == "departures" else 2]:
        address = re.search(rf'href="(/th/mentor/buna-dara/{step}/[^"]+)"', html)
        assert address is not None
        html = client.get(address[1]).text
    page = show(browser, html)
    page.evaluate(
        "(large) => document.querySelectorAll('.compare td')"
        ".forEach((cell) => { cell.textContent = large })",
        _LARGE,
    )
    tables = page.evaluate(_TABLE_AND_CARD)
    assert tables
    for beyond, hidden in tables:
        assert beyond <= 0.5
        assert hidden <= 0
    page.context.close()


def test_no_amount_on_a_households_line_breaks_over_two_lines(
    browser: Browser, client: FlaskClient
) -> None:
    sign_in(client, "h03.buna-dara")
    html = client.get("/th/household/buna-dara/H03?month=2026-10").text
    address = re.search(r'href="(/th/household/buna-dara/H03/departures/\d+)"', html)
    assert address is not None
    page = show(browser, client.get(address[1]).text)
    amounts = page.evaluate(_AMOUNTS)
    assert len(amounts) > 10
    broken = [
        text for text, lines in amounts if lines != 1 or not re.fullmatch(r"[\d,.]+\s*บาท", text)
    ]
    assert broken == []
    page.context.close()
