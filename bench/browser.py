"""A browser without script: it follows redirects, keeps cookies and sends the forms it was shown."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from itertools import cycle
from typing import Any
from urllib.parse import urlencode, urlsplit

_FROM = cycle(f"127.0.{third}.{last}" for third in range(1, 255) for last in range(1, 255))
"""Every visitor comes from an address of its own, as the limits on holding count addresses."""


class NotShown(Exception):
    """The page is not what was expected."""


@dataclass
class ShownForm:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Browser:
    """One visitor; `page` and `address` are where it is now."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._from = next(_FROM)
        self._cookies: dict[str, str] = {}
        self.page = ""
        self.address = "/"

    def get(self, address: str) -> None:
        self._ask("GET", address, None)

    def post(self, address: str, values: dict[str, Any]) -> None:
        self._ask("POST", address, urlencode(values))

    def send(self, button: str, **typed: str) -> None:
        """Press a button by its value, or the only form's without one, with something typed in."""
        form = self._find(button, typed)
        name = next((name for name, value in form.buttons if value == button and name), "")
        values = {**form.fields, **typed, **({name: button} if name else {})}
        self.post(form.action or self.address, values)

    def _find(self, button: str, typed: dict[str, str]) -> ShownForm:
        for form in read_forms(self.page):
            has_fields = typed.keys() <= form.fields.keys()
            pressed = not button or any(value == button for _name, value in form.buttons)
            if form.method == "post" and has_fields and pressed:
                return form
        raise NotShown(f"{self.address} has no form for {button or typed}\n{self.page}")

    def _ask(self, method: str, address: str, body: str | None) -> None:
        while True:
            status, headers, text = self._once(method, address, body)
            if status not in (302, 303):
                break
            parts = urlsplit(headers)
            address = parts.path + (f"?{parts.query}" if parts.query else "")
            method, body = "GET", None
        self.page, self.address = text, address
        if status != 200:
            raise NotShown(f"{status} at {address}\n{text}")

    def _once(self, method: str, address: str, body: str | None) -> tuple[int, str, str]:
        connection = HTTPConnection("127.0.0.1", self._port, 60, source_address=(self._from, 0))
        headers = {"Cookie": "; ".join(f"{name}={each}" for name, each in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, address, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            self._cookies.update({name: each.value for name, each in SimpleCookie(line).items()})
        return answer.status, answer.headers.get("Location", ""), text


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[ShownForm] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = given.get("method", "get").lower()
            self.forms.append(ShownForm(given.get("action", ""), method))
        if not self.forms or "disabled" in given:
            return
        form = self.forms[-1]
        if tag == "button":
            form.buttons.append((given.get("name", ""), given.get("value", "")))
        if tag in ("input", "textarea", "select") and given.get("name"):
            is_choice = given.get("type") in ("radio", "checkbox")
            if not is_choice or "checked" in given:
                form.fields[given["name"]] = given.get("value", "")
            else:
                form.fields.setdefault(given["name"], "") if given["type"] == "radio" else None


_OF_FORMS = re.compile(r"<(?:form|input|textarea|select|button)\b[^>]*>")


def read_forms(page: str) -> list[ShownForm]:
    """A page's forms. Nothing else is read: what a visitor does with a page is not the server's."""
    reader = _Reader()
    reader.feed("".join(_OF_FORMS.findall(page)))
    return reader.forms
