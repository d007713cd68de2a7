"""A real browser, as small as a cheap phone or as wide as a desk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"viewport": {"width": 360, "height": 780}, "device_scale_factor": 2, "has_touch": True}
DESK = {"viewport": {"width": 1280, "height": 860}, "device_scale_factor": 1}


@contextmanager
def a_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = os.environ.get("CBT_BROWSER") or None
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def a_context(
    browser: Browser, screen: dict[str, Any], language: str, **more: Any
) -> BrowserContext:
    """A fresh profile: a Thai or an English visitor in Thailand."""
    locale = {"th": "th-TH", "en": "en-GB"}[language]
    return browser.new_context(locale=locale, timezone_id="Asia/Bangkok", **screen, **more)
