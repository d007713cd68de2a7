"""Voucher codes: what they prove, and that nothing else passes for one."""

import string
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from cbt.app import create_app
from cbt.bookings.vouchers import Voucher, Vouchers, find_code, find_reference, make_key
from cbt.config import SettingInvalid
from cbt.errors import LinkInvalid
from cbt.web import qr
from tests.site import make_settings

OURS = Vouchers(make_key())
TRIP = Voucher("B-7K2M9Q", 4711, date(2026, 11, 24), 4)
CODE = OURS.sign(TRIP)
LETTERS = string.ascii_letters + string.digits + "-_."

vouchers = st.builds(
    Voucher,
    reference=st.text("23456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=6, max_size=6).map("B-".__add__),
    departure_id=st.integers(1, 10**12),
    starts_on=st.dates(date(2000, 1, 1), date(2400, 1, 1)),
    places=st.integers(1, 999),
)


@given(vouchers)
def test_a_code_says_what_was_signed(voucher):
    assert OURS.read(OURS.sign(voucher)) == voucher


@given(st.integers(0, len(CODE) - 1), st.sampled_from(LETTERS))
def test_a_code_with_one_letter_changed_is_refused(place, letter):
    changed = CODE[:place] + letter + CODE[place + 1 :]
    if changed != CODE:
        with pytest.raises(LinkInvalid):
            OURS.read(changed)


def test_every_letter_of_a_code_counts_whatever_it_becomes():
    for place, known in enumerate(CODE):
        for letter in set(LETTERS) - {known}:
            with pytest.raises(LinkInvalid):
                OURS.read(CODE[:place] + letter + CODE[place + 1 :])


@given(vouchers, vouchers)
def test_a_signature_proves_its_own_booking_only(one, other):
    if one != other:
        signature = OURS.sign(one).rpartition(".")[2]
        said = OURS.sign(other).rpartition(".")[0]
        with pytest.raises(LinkInvalid):
            OURS.read(f"{said}.{signature}")


@given(vouchers)
def test_a_code_of_another_installation_is_refused(voucher):
    with pytest.raises(LinkInvalid):
        OURS.read(Vouchers(make_key()).sign(voucher))


@given(st.text(max_size=200))
def test_any_other_text_is_refused(text):
    with pytest.raises(LinkInvalid):
        OURS.read(text)


@pytest.mark.parametrize(
    "code",
    ["", CODE[:-1], CODE + "A", CODE + "\n", CODE.lower(), "2" + CODE[1:], CODE + "=="],
    ids=["empty", "cut", "longer", "line", "small-letters", "other-version", "padded"],
)
def test_a_damaged_code_is_refused(code):
    with pytest.raises(LinkInvalid):
        OURS.read(code)


def test_a_day_that_no_calendar_has_is_refused_though_we_signed_it():
    signing = Vouchers(make_key())

    class NoDay(date):
        def __format__(self, _pattern: str) -> str:
            return "20261399"

    code = signing.sign(Voucher("B-7K2M9Q", 1, NoDay(2026, 1, 1), 1))
    with pytest.raises(LinkInvalid):
        signing.read(code)


def test_the_same_voucher_has_the_same_code_and_a_moved_one_another():
    assert OURS.sign(TRIP) == CODE
    assert OURS.sign(Voucher(TRIP.reference, 4712, TRIP.starts_on, TRIP.places)) != CODE


def test_the_code_is_short_enough_for_a_modest_picture():
    picture = str(qr.draw(f"https://village-tourism.example.org/th/v/{CODE}"))
    assert len(CODE) <= 120
    assert 'viewBox="0 0 57 57"' in picture or 'viewBox="0 0 61 61"' in picture  # 49 or 53 and rim


def test_the_code_is_found_in_the_address_that_the_picture_holds():
    for text in (CODE, f" {CODE}\n", f"https://x.example/th/v/{CODE}", f"/en/v/{CODE}?utm=1#top"):
        assert find_code(text) == CODE


@pytest.mark.parametrize("text", ["B-7K2M9Q", " b 7k2m9q ", "7K2M9Q", "b7k2m9q", "7k2-m9q"])
def test_a_short_code_is_understood_however_it_is_typed(text):
    assert find_reference(text) == "B-7K2M9Q"


def test_a_short_code_that_begins_with_b_keeps_it():
    assert find_reference("B2M9QK") == "B-B2M9QK"
    assert find_reference("B-B2M9QK") == "B-B2M9QK"


# --- the key -------------------------------------------------------------------------------------


def in_pem(key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("not a key", id="text"),
        pytest.param(in_pem(ec.generate_private_key(ec.SECP384R1())), id="other-curve"),
        pytest.param(in_pem(ed25519.Ed25519PrivateKey.generate()), id="other-kind"),
    ],
)
def test_only_a_key_of_the_curve_p256_signs(key, tmp_path: Path):
    with pytest.raises(ValueError):  # noqa: PT011  (in words of the library)
        Vouchers(key)
    file = tmp_path / "mine"
    file.write_text(key)
    with pytest.raises(SettingInvalid, match="VOUCHER_KEY"):
        create_app(make_settings(tmp_path, VOUCHER_KEY=str(file)))


def test_the_key_is_made_once_and_kept_private(tmp_path):
    first = create_app(make_settings(tmp_path)).extensions["vouchers"]
    again = create_app(make_settings(tmp_path)).extensions["vouchers"]
    assert again.read(first.sign(TRIP)) == TRIP
    assert (tmp_path / "voucher_key").stat().st_mode & 0o077 == 0


def test_the_public_key_tells_nothing_of_the_private_one():
    assert len(OURS.public_key) == 87  # 65 bytes: the point alone
    assert OURS.public_key.startswith("B")  # 04, uncompressed
