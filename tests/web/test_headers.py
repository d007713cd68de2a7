"""What every answer allows, health, fonts, and that logs keep no secret."""

import logging
import re

import pytest
from sqlalchemy import text

from cbt.app import create_app
from cbt.clock import utc_now
from cbt.db import db, transaction
from cbt.pulse import beat
from cbt.web.health import WORKER
from tests.site import make_settings
from tests.web.forms import sign_in


@pytest.mark.parametrize("page", ["/en/", "/th/c/buna-dara", "/en/nothing", "/en/b/forged", "/"])
def test_every_answer_allows_as_little_as_possible(client, page):
    headers = client.get(page).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_the_script_carries_this_answers_nonce_and_the_next_has_another(client):
    nonces = set()
    for _each in range(2):
        answer = client.get("/en/")
        [nonce] = re.findall(r'<script[^>]* nonce="([^"]+)"', answer.text)
        assert f"script-src 'nonce-{nonce}'" in answer.headers["Content-Security-Policy"]
        nonces.add(nonce)
    assert len(nonces) == 2


def test_public_pages_may_be_revalidated_and_private_ones_are_not_stored(client):
    assert client.get("/en/").headers["Cache-Control"] == "no-cache"
    sign_in(client, "mentor")
    assert client.get("/en/mentor").headers["Cache-Control"] == "no-store"


def test_behind_https_the_cookie_is_sent_over_https_only(tmp_path):
    app = create_app(make_settings(tmp_path, PUBLIC_URL="https://village.example", PROXIES="1"))
    assert app.config["SESSION_COOKIE_SECURE"]


def test_the_root_chooses_the_language_that_the_browser_asks_for(client):
    assert client.get("/", headers={"Accept-Language": "en-GB,en"}).location == "/en/"
    assert client.get("/", headers={"Accept-Language": "th-TH"}).location == "/th/"
    assert client.get("/", headers={"Accept-Language": "fr"}).location == "/th/"


def test_every_page_names_itself_in_both_languages(client):
    page = client.get("/en/c/buna-dara/mangrove-boat?on=2026-11-28&ADULT=3").text
    for language in ("th", "en"):
        address = f"/{language}/c/buna-dara/mangrove-boat?on=2026-11-28&amp;ADULT=3"
        assert f'rel="alternate" hreflang="{language}" href="{address}"' in page


def test_ready_only_with_database_migrations_and_a_living_worker(client):
    assert client.get("/healthz").json == {"alive": True}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["worker"]) == (503, False)
    beat(WORKER, utc_now())
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (
        200,
        {"ready": True, "database": True, "migrations": True, "worker": True},
    )
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'old'"))
    assert client.get("/readyz").json["migrations"] is False


def test_a_server_whose_books_are_not_protected_does_not_serve(sample_app):
    with transaction() as session:
        session.execute(text("DROP TRIGGER leg_refuses_update"))
    client = sample_app.test_client()
    for _each in range(2):
        answer = client.get("/th/")
        assert answer.status_code == 500
        assert "ไม่ให้บริการ" in answer.text


def test_the_font_holds_the_thai_letters_in_ten_kilobytes(client):
    answer = client.get("/fonts/sarabun-400-1.woff2")
    assert answer.mimetype == "font/woff2"
    assert 5_000 < len(answer.data) < 11_000
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/fonts/other.woff2").status_code == 404


def test_the_style_sheet_asks_for_the_fonts_that_are_served(sample_app):
    style = (sample_app.static_folder + "/site.css",)
    with open(style[0]) as file:
        wanted = set(re.findall(r'url\("(/fonts/[^"]+)"\)', file.read()))
    assert wanted == {f"/fonts/sarabun-{weight}-1.woff2" for weight in (400, 700)}
    client = sample_app.test_client()
    assert all(client.get(address).status_code == 200 for address in wanted)


def test_an_unforeseen_failure_shows_a_page_and_logs_no_personal_data(client, caplog):
    with transaction() as session:
        session.execute(text("DROP TABLE pulse"))
        session.execute(text("DROP TABLE booking_line"))
    sign_in(client, "host.buna-dara")
    with caplog.at_level(logging.DEBUG):
        answer = client.get("/en/host/buna-dara")
    assert answer.status_code == 500
    assert "Nothing was charged" in answer.text
    assert "unexpected OperationalError at host.today" in caplog.text
    assert "Sample guest" not in caplog.text
    assert "นักท่องเที่ยวตัวอย่าง" not in caplog.text
    db.session.rollback()
