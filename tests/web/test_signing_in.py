"""Signing in and out through the pages, cookies, and too many tries."""

import pytest

from tests.web.forms import post, sign_in, token


def test_each_person_lands_where_they_work(client):
    answer = sign_in(client, "host.buna-dara")
    assert answer.location == "/en/places"
    assert client.get("/en/places").location == "/en/host/buna-dara"


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/th/mentor/buna-dara", "/th/mentor/buna-dara"),
        ("https://evil.example/", "/en/places"),
        ("//evil.example/", "/en/places"),
        ("/\\evil.example", "/en/places"),
        ("javascript:alert(1)", "/en/places"),
    ],
)
def test_after_signing_in_nobody_is_sent_elsewhere(client, wanted, location):
    page = client.get("/en/sign-in").text
    answer = client.post(
        "/en/sign-in",
        query_string={"next": wanted},
        data={"csrf_token": token(page), "sign_in_name": "mentor", "password": "mangrove-2569"},
    )
    assert answer.location == location


def test_a_page_asked_for_before_signing_in_comes_after_it(client):
    answer = client.get("/th/mentor/buna-dara?before=7")
    assert answer.status_code == 303
    assert answer.location == "/th/sign-in?next=/th/mentor/buna-dara?before%3D7"


def test_a_wrong_password_keeps_the_name_and_says_so_in_the_readers_language(client):
    answer = post(client, "/th/sign-in", sign_in_name="mentor", password="not this one")
    assert answer.status_code == 422
    assert "ชื่อผู้ใช้กับรหัสผ่านไม่ตรงกัน" in answer.text
    assert 'value="mentor"' in answer.text
    assert "not this one" not in answer.text


def test_many_wrong_tries_are_slowed_down_even_with_the_right_password_after_them(client):
    statuses = [sign_in(client, "mentor", "wrong").status_code for _try in range(6)]
    assert statuses == [422] * 5 + [429]
    refused = sign_in(client, "mentor")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"
    assert sign_in(client, "host.buna-dara").status_code == 303


def test_signing_out_ends_the_sign_in_everywhere(sample_app):
    phone, desk = sample_app.test_client(), sample_app.test_client()
    for client in (phone, desk):
        sign_in(client, "mentor")
    page = phone.get("/en/mentor").text
    assert phone.post("/en/sign-out", data={"csrf_token": token(page)}).status_code == 303
    for client in (phone, desk):
        assert "/sign-in" in client.get("/en/mentor").location


def test_the_cookie_is_kept_from_scripts_and_other_sites(client):
    cookie = sign_in(client, "mentor").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_stale_form_is_told_kindly_and_changes_nothing(client):
    answer = client.post(
        "/th/sign-in", data={"sign_in_name": "mentor", "password": "mangrove-2569"}
    )
    assert answer.status_code == 400
    assert "แบบฟอร์มนี้เปิดไว้นานเกินไป" in answer.text
