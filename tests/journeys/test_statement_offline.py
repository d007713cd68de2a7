"""A household's code, read by another telephone without the network: by its own Ed25519 and by ours."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Error

from cbt.demo.load import PASSWORD
from tests.browser import PHONE, a_browser, a_context
from tests.site import served
from tests.walker import IS_KEPT

WITHOUT_ITS_OWN = """
const own = crypto.subtle.importKey.bind(crypto.subtle);
crypto.subtle.importKey = (form, key, name, ...rest) =>
  name.name === "Ed25519" ? Promise.reject(new DOMException("unknown", "NotSupportedError"))
                          : own(form, key, name, ...rest);
"""


@pytest.fixture
def site(sample_instance: Path, tmp_path: Path):
    shutil.copytree(sample_instance, tmp_path / "site")
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(a_browser())
        except Error as error:
            pytest.skip(f"no browser: set CBT_BROWSER to a Chromium ({str(error).splitlines()[0]})")
        yield stack.enter_context(served(tmp_path / "site", worker=False)), browser


def seen(page, name):
    """Waits until a part of the page can be seen."""
    page.wait_for_selector(f"[data-{name}]", state="visible", timeout=15_000)
    others = {"good", "bad", "unreadable"} - {name}
    return not any(page.is_visible(f"[data-{other}]") for other in others)


def test_a_statement_is_checked_without_the_network(site, tmp_path):
    address, browser = site
    own = a_context(browser, PHONE, "th")
    page = own.new_page()
    page.goto(f"{address}/th/sign-in")
    page.fill("[name=sign_in_name]", "h03.buna-dara")
    page.fill("[name=password]", PASSWORD)
    page.locator("main form button").first.click()
    page.goto(f"{address}/th/household/buna-dara/H03?month=2026-10")
    earned = page.locator(".total .huge").inner_text()
    page.goto(f"{address}/th/household/buna-dara/H03/proof?month=2026-10")
    code = page.locator('a[href*="/verify/"]').get_attribute("href")
    text = page.request.get(
        f"{address}/th/household/buna-dara/H03/statement.txt?month=2026-10"
    ).body()
    (tmp_path / "statement.txt").write_bytes(text)
    (tmp_path / "other.txt").write_bytes(text.replace(b"by_work", b"by_luck"))
    own.close()

    another = a_context(browser, PHONE, "th")
    problems = []
    page = another.new_page()
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.goto(code)
    assert seen(page, "good")
    assert page.locator("[data-earned]").inner_text() == earned
    page.wait_for_function(IS_KEPT)
    assert problems == []

    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    another.set_offline(True)
    page = another.new_page()
    page.goto(code)
    assert seen(page, "good")
    page.set_input_files("#file", tmp_path / "statement.txt")
    page.wait_for_selector("[data-lines-good]", state="visible")
    page.set_input_files("#file", tmp_path / "other.txt")
    page.wait_for_selector("[data-lines-bad]", state="visible")
    assert not page.is_visible("[data-lines-good]")

    fields = code.split("#")[1].split(".")
    for at, value in ((5, str(int(fields[5]) + 100)), (3, "H04"), (2, "2026-09"), (12, "0")):
        changed = [*fields]
        changed[at] = value
        page.fill("#code", ".".join(changed))
        page.locator("[data-form] button").click()
        assert seen(page, "bad"), at
    page.fill("#code", "good morning")
    page.locator("[data-form] button").click()
    assert seen(page, "unreadable")

    old = another.new_page()
    old.add_init_script(WITHOUT_ITS_OWN)
    old.goto(code)
    assert seen(old, "good")
    old.fill("#code", ".".join([*fields[:5], "1", *fields[6:]]))
    old.locator("[data-form] button").click()
    assert seen(old, "bad")
