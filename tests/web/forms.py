"""Filling in forms like a browser without script."""

import re

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cbt.demo.load import PASSWORD
from cbt.people import services as people
from cbt.people.roles import Grant
from tests import factories
from tests.site import NOW


def token(page: str) -> str:
    """The CSRF token of a page's first form."""
    match = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert match is not None, "the page has no form"
    return match[1]


def post(client: FlaskClient, address: str, form_at: str = "", **fields: object) -> TestResponse:
    """Load a page with a form, then send the form."""
    page = client.get(form_at or address, follow_redirects=True).text
    return client.post(address, data={"csrf_token": token(page), **fields})


def sign_in(client: FlaskClient, name: str, password: str = PASSWORD) -> TestResponse:
    return post(client, "/en/sign-in", sign_in_name=name, password=password)


def a_browser(app: Flask, name: str, grant: Grant, password: str = "long enough") -> FlaskClient:
    """A browser in which a new person with a role is signed in."""
    person = factories.make_person(name, password)
    people.grant_role(person, grant, NOW)
    client = app.test_client()
    assert sign_in(client, name, password).status_code == 303
    return client
