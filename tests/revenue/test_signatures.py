"""Keys, signatures, and the proof that a household carries away: checked by three programs that share no code."""

import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from cbt.audit import verify_statement as twin
from cbt.db import db
from cbt.errors import KeyLocked, LinkInvalid, NoteMissing, NotFound, SignerInside, StateForbids
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue import keys, proof_code, signing
from cbt.revenue.closed import PeriodSignature, SigningKey
from cbt.revenue.period_queries import (
    find_key,
    get_period,
    list_keys,
    list_signatures,
    list_statements,
)
from cbt.revenue.proof_code import Signed, check, decode, encode, prove
from cbt.revenue.proofs import get_proof, keys_text
from cbt.revenue.signing import SignerRole, is_signed, key_id, make_locked_key, sign_with
from cbt.revenue.statement_text import Item, ItemKind, head_of, head_text, lines_text
from tests.revenue.closing import (
    AFTER,
    AFTER_NEXT,
    DECEMBER,
    KEY,
    NOVEMBER,
    PASSWORD,
    close_month,
    make_office,
    worked_month,
)
from tests.site import NOW

TREASURER, MENTOR = SignerRole.TREASURER, SignerRole.MENTOR


@pytest.fixture
def office(app):
    office = make_office()
    worked_month(office)
    close_month(office)
    return office


def period(office, month=NOVEMBER):
    db.session.rollback()
    return get_period(db.session(), office.id, month)


def sign(office, role, person, password=PASSWORD, now=AFTER, month=NOVEMBER):
    keys.sign_period(office.id, period(office, month), role, password, KEY, person, now)


def signed(office, month=NOVEMBER):
    return [each.role for each in list_signatures(db.session(), period(office, month).id)]


# --- keys ----------------------------------------------------------------------------------------


def test_a_key_opens_by_its_password_alone():
    key = make_locked_key("the right one")
    assert is_signed("text", sign_with(key, "the right one", "text"), key.public)
    for wrong in ("the wrong one", "", "the right one "):
        with pytest.raises(KeyLocked):
            sign_with(key, wrong, "text")
    other = make_locked_key("the right one")
    with pytest.raises(KeyLocked):  # the lock is bound to its own public half
        sign_with(replace(key, public=other.public), "the right one", "text")


@pytest.mark.parametrize("broken", ["", "x", "cbt-lock/2:a:b:c", "cbt-lock/1:AAAA:AAAA:AAAA"])
def test_a_damaged_lock_opens_to_nobody(broken):
    with pytest.raises(KeyLocked):
        sign_with(replace(make_locked_key("word"), locked=broken), "word", "text")


def test_only_an_ed25519_key_signs_for_the_platform():
    from cbt.bookings.vouchers import make_key

    for wrong in (make_key(), "", "no key"):
        with pytest.raises(ValueError, match=r".*"):
            signing.read_platform_key(wrong)


# --- signing -------------------------------------------------------------------------------------


def test_treasurer_and_mentor_sign_what_the_platform_signed(office):
    sign(office, TREASURER, office.treasurer)
    sign(office, MENTOR, office.mentor)
    shown = period(office)
    signatures = list_signatures(db.session(), shown.id)
    assert [each.role for each in signatures] == list(SignerRole)
    assert all(is_signed(shown.seal, each.signature, each.public_key) for each in signatures)
    assert len({each.public_key for each in signatures}) == 3
    assert [each.signed_by for each in signatures] == [None, office.treasurer, office.mentor]


@pytest.mark.parametrize("password", ["", "not hers", "long enough "])
def test_a_wrong_password_signs_nothing_and_makes_no_key(office, password):
    with pytest.raises(KeyLocked):
        sign(office, TREASURER, office.treasurer, password)
    assert signed(office) == [SignerRole.PLATFORM]
    assert find_key(db.session(), office.id, TREASURER, office.treasurer) is None


def test_each_role_signs_once(office):
    sign(office, TREASURER, office.treasurer)
    with pytest.raises(StateForbids):
        sign(office, TREASURER, office.treasurer)
    assert len(signed(office)) == 2


def test_nobody_signs_in_a_role_that_is_not_theirs(office):
    for role, person in (
        *((TREASURER, office.coordinator), (TREASURER, office.mentor)),
        *((MENTOR, office.treasurer), (MENTOR, office.coordinator)),
    ):
        with pytest.raises(NotFound):
            sign(office, role, person)
    assert signed(office) == [SignerRole.PLATFORM]


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.TREASURER, Role.HOUSEHOLD])
def test_a_mentor_with_another_part_in_the_community_does_not_co_sign(office, role):
    from cbt.communities.models import Household

    household = None
    if role == Role.HOUSEHOLD:
        household = db.session.scalar(
            select(Household.id).where(Household.community_id == office.id).limit(1)
        )
    people.grant_role(office.mentor, Grant(role, office.id, household), NOW)
    with pytest.raises(SignerInside):
        sign(office, MENTOR, office.mentor)
    assert signed(office) == [SignerRole.PLATFORM]


def test_whoever_confirmed_the_close_does_not_witness_it_later(office):
    people.end_role(office.coordinator, Grant(Role.COORDINATOR, office.id), NOW)
    people.grant_role(office.coordinator, Grant(Role.MENTOR, office.id), NOW)
    with pytest.raises(SignerInside):
        sign(office, MENTOR, office.coordinator)


def test_a_new_key_leaves_old_signatures_proving(office):
    sign(office, TREASURER, office.treasurer)
    old = find_key(db.session(), office.id, TREASURER, office.treasurer)
    keys.replace_key(
        office.id, TREASURER, PASSWORD, "the phone was stolen", KEY, office.treasurer, AFTER
    )
    new = find_key(db.session(), office.id, TREASURER, office.treasurer)
    assert (new.follows, new.reason) == (old.id, "the phone was stolen")
    close_month(office, DECEMBER, AFTER_NEXT)
    sign(office, TREASURER, office.treasurer, now=AFTER_NEXT, month=DECEMBER)
    for month, key in ((NOVEMBER, old), (DECEMBER, new)):
        shown = period(office, month)
        [of_treasurer] = [
            each for each in list_signatures(db.session(), shown.id) if each.role == TREASURER
        ]
        assert of_treasurer.public_key == key.public_key
        assert is_signed(shown.seal, of_treasurer.signature, key.public_key)


def test_a_key_is_replaced_only_with_a_reason_and_the_right_password(office):
    sign(office, TREASURER, office.treasurer)
    for password, reason, refusal in (
        (PASSWORD, "  ", NoteMissing),
        ("not hers", "lost", KeyLocked),
    ):
        with pytest.raises(refusal):
            keys.replace_key(office.id, TREASURER, password, reason, KEY, office.treasurer, AFTER)
    with pytest.raises(NotFound):
        keys.replace_key(office.id, MENTOR, PASSWORD, "lost", KEY, office.mentor, AFTER)
    assert db.session.scalar(select(func.count(SigningKey.id))) == 2


def test_another_key_file_is_a_new_platform_key_that_follows_the_old(office):
    other = signing.read_platform_key(signing.make_platform_key())
    close_month(office, DECEMBER, AFTER_NEXT, key=other)
    first, second = list_keys(db.session(), office.id)
    assert (first.public_key, second.public_key) == (KEY.public, other.public)
    assert second.follows == first.id
    for month, key in ((NOVEMBER, KEY), (DECEMBER, other)):
        shown = period(office, month)
        [signature] = list_signatures(db.session(), shown.id)
        assert is_signed(shown.seal, signature.signature, key.public)


def test_a_second_community_is_signed_by_the_same_key(office):
    other = make_office()
    worked_month(other, {"ADULT": 1})
    close_month(other)
    assert db.session.scalar(select(func.count(SigningKey.id))) == 1
    assert db.session.scalar(select(func.count()).select_from(PeriodSignature)) == 2


# --- the proof that a household carries away -----------------------------------------------------


def test_every_household_proves_its_statement(office):
    sign(office, TREASURER, office.treasurer)
    sign(office, MENTOR, office.mentor)
    shown = period(office)
    text = keys_text(db.session(), office.id, office.card.slug)
    known = {
        (each.role, key_id(each.public_key)): each.public_key
        for each in list_signatures(db.session(), shown.id)
    }
    for each in list_statements(db.session(), shown.id):
        code = encode(get_proof(db.session(), shown, each.household))
        proof = decode(code)
        assert each.text.startswith(head_text(proof.head))
        assert proof.root == shown.statement_root
        assert proof.seal == shown.seal
        assert check(proof, known) == tuple(SignerRole)
        is_well, told = twin.check(f"https://example.org/th/verify/x#{code}", text, each.text)
        assert is_well, told
        assert len(code) < 900
    with pytest.raises(NotFound):
        get_proof(db.session(), shown, "H99")


def test_the_program_runs_alone(office, tmp_path):
    """Copied away from everything, by a bare Python without packages."""
    shown = period(office)
    one = list_statements(db.session(), shown.id)[0]
    code = encode(get_proof(db.session(), shown, one.household))
    shutil.copy(twin.__file__, tmp_path / "verify_statement.py")
    (tmp_path / "keys.txt").write_text(keys_text(db.session(), office.id, office.card.slug))
    (tmp_path / "statement.txt").write_text(one.text)
    whole = [sys.executable, "-I", "-S", "verify_statement.py", code, "keys.txt", "statement.txt"]
    good = subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "ALL IS WELL")
    (tmp_path / "statement.txt").write_text(one.text.replace("by_work", "by_luck"))
    bad = subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout.splitlines()[-1]) == (1, "NOT PROVED")


# --- the code without a database -----------------------------------------------------------------

CODES = st.sampled_from([f"H{number:02}" for number in range(1, 40)])
ITEMS = st.lists(
    st.builds(
        Item,
        entry_seq=st.integers(1, 10**6),
        leg=st.integers(1, 40),
        effective_on=st.dates(date(2026, 10, 1), date(2026, 10, 31)),
        concerns=st.none() | st.just(date(2026, 9, 1)),
        kind=st.sampled_from(list(ItemKind)),
        amount_satang=st.integers(-(10**9), 10**9).filter(bool),
        subject=st.sampled_from(["departure:7", "booking:B-7K2M9Q", "payout:3"]),
        rule=st.sampled_from(["by_work", "preparation", "paid out"]),
    ),
    max_size=5,
)


@st.composite
def sealed(draw):
    """Heads of some households, one of them, and the keys that signed."""
    households = draw(st.lists(CODES, min_size=1, max_size=12, unique=True))
    heads = [
        head_of("ban-x", date(2026, 10, 1), code, draw(st.integers(-(10**6), 10**9)), draw(ITEMS))
        for code in households
    ]
    index = draw(st.integers(0, len(heads) - 1))
    record = draw(st.binary(min_size=32, max_size=32)).hex()
    roles = draw(st.lists(st.sampled_from(list(SignerRole)), min_size=1, unique=True))
    private = {
        role: Ed25519PrivateKey.from_private_bytes(bytes([7 + at] * 32))
        for at, role in enumerate(roles)
    }
    bare = prove(heads, index, record, ())
    public = {
        role: signing.to_text(key.public_key().public_bytes_raw()) for role, key in private.items()
    }
    by = [
        Signed(role, key_id(public[role]), signing.to_text(key.sign(bare.seal.encode())))
        for role, key in private.items()
    ]
    return replace(bare, signed=tuple(by)), public


@given(sealed())
@settings(max_examples=30)
def test_a_code_says_what_was_put_in_and_all_programs_agree(case):
    proof, public = case
    code = encode(proof)
    assert decode(code) == proof
    known = {(role, key_id(key)): key for role, key in public.items()}
    assert check(proof, known) == tuple(each.role for each in proof.signed)
    assert check(proof, {}) == ()
    lines = [
        f"{role} {'-' if role == 'platform' else 'ban-x'} {key}\n" for role, key in public.items()
    ]
    is_well, _told = twin.check(code, "".join(lines))
    assert is_well == (SignerRole.PLATFORM in public)


@given(sealed(), st.data())
@settings(max_examples=60)
def test_a_code_changed_anywhere_proves_nothing(case, data):
    proof, public = case
    code = encode(proof)
    at = data.draw(st.integers(0, len(code) - 1))
    sign_ = data.draw(st.sampled_from("0123456789abcdefABCDEFptmsH.-_"))
    other = code[:at] + sign_ + code[at + 1 :]
    if other == code:
        return
    known = {(role, key_id(key)): key for role, key in public.items()}
    try:
        found = decode(other)
    except LinkInvalid:
        return
    assert check(found, known) != tuple(each.role for each in proof.signed) or len(
        found.signed
    ) != len(proof.signed)


@pytest.mark.parametrize(
    "code",
    [
        *("", "s1", "s2.x", "." * 20, "s1" + ".0" * 16),
        "s1.ban-x.2026-13.H1.0.0.0.0.0.0.0.AAAA.0.1..AAAA",
    ],
)
def test_what_is_no_code_is_refused(code):
    with pytest.raises(LinkInvalid):
        decode(code)


def test_a_key_of_another_community_does_not_sign_for_this_one():
    head = head_of("ban-x", date(2026, 10, 1), "H1", 0, ())
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public = signing.to_text(private.public_key().public_bytes_raw())
    bare = prove([head], 0, "0" * 64, ())
    by = Signed(TREASURER, key_id(public), signing.to_text(private.sign(bare.seal.encode())))
    code = encode(replace(bare, signed=(by,)))
    assert "treasurer: NOT PROVED" in " ".join(twin.check(code, f"treasurer ban-y {public}\n")[1])
    assert "treasurer: the" in " ".join(twin.check(code, f"treasurer ban-x {public}\n")[1])


VECTORS = [  # RFC 8032, section 7.1: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_verifier_written_apart_knows_the_vectors_of_rfc_8032(public, message, signature):
    key, said, by = (bytes.fromhex(each) for each in (public, message, signature))
    assert twin.is_signed(said, by, key)
    assert not twin.is_signed(said + b"x", by, key)
    assert not twin.is_signed(said, by[:-1] + bytes([by[-1] ^ 1]), key)
    assert is_signed(message and chr(0x72), signing.to_text(by), signing.to_text(key))


def test_lines_that_could_read_alike_are_refused():
    from cbt.errors import TextNotCanonical

    item = Item(1, 1, date(2026, 10, 1), None, ItemKind.EARNED, 5, "departure:1", "by_work")
    assert lines_text([item]) == "line:1.1 2026-10-01 - earned 5 departure:1 by_work\n"
    for wrong in (replace(item, subject="a b"), replace(item, rule="x\nline:2")):
        with pytest.raises(TextNotCanonical):
            lines_text([wrong])
    for code in ("H 1", "H.1", "H:1", "", "H\n1"):
        with pytest.raises(TextNotCanonical):
            head_of("ban-x", date(2026, 10, 1), code, 0, ())


def test_keys_are_named_by_what_they_are():
    assert key_id(KEY.public) == signing.key_id(KEY.public)
    assert proof_code.VERSION == "s1"
    assert signing.key_text("x", MENTOR, 4, "k", "", datetime(2026, 12, 1, tzinfo=UTC)) == (
        "cbt-key/1\ncommunity:x\nrole:mentor\nperson:4\nkey:k\nfollows:-\nat:2026-12-01T00:00:00Z\n"
    )
