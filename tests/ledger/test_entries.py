"""Entries as values: what is valid, and the text that their hash covers."""

from datetime import UTC, date, datetime

import pytest

from cbt.errors import AmountNotPositive, SameAccount, TextNotCanonical
from cbt.ledger.entries import Draft, Leg, canonical, content, digest, fingerprint, require_valid


def make_draft(**changes):
    values = {
        "kind": "capture",
        "subject": "booking:B-7K2M9Q",
        "effective_on": date(2026, 11, 24),
        "legs": (Leg("payment:demo", "guest_deposit", 123_457, "captured"),),
        "key": "capture:demo:1",
        "actor": "payments",
    }
    return Draft(**{**values, **changes})


@pytest.mark.parametrize("amount", [0, -1, 1.5, "1", True, None])
def test_a_leg_moves_a_whole_positive_amount(amount):
    with pytest.raises(AmountNotPositive):
        require_valid(make_draft(legs=(Leg("a", "b", amount, "r"),)))


def test_a_leg_from_an_account_to_itself_is_refused():
    with pytest.raises(SameAccount):
        require_valid(make_draft(legs=(Leg("a", "a", 1, "r"),)))


@pytest.mark.parametrize("field", ["kind", "subject", "key", "actor", "policy_hash", "input_hash"])
def test_a_line_break_in_a_field_is_refused(field):
    with pytest.raises(TextNotCanonical):
        require_valid(make_draft(**{field: "a\nactor:b"}))


def test_a_line_break_or_space_in_an_account_is_refused():
    for leg in (Leg("a\nb", "c", 1, "r"), Leg("a b", "c", 1, "r"), Leg("a", "c", 1, "r\n")):
        with pytest.raises(TextNotCanonical):
            require_valid(make_draft(legs=(leg,)))


def test_the_canonical_text_can_be_read_aloud():
    at = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
    assert canonical("buna-dara", 12, at, make_draft(), "ab" * 32) == (
        "cbt-entry/1\n"
        "book:buna-dara\n"
        "seq:12\n"
        "recorded_at:2026-11-24T03:00:00.000000Z\n"
        "kind:capture\n"
        "subject:booking:B-7K2M9Q\n"
        "effective_on:2026-11-24\n"
        "policy:\n"
        "input:\n"
        "reverses:0\n"
        "key:capture:demo:1\n"
        "actor:payments\n"
        "leg:1 payment:demo guest_deposit 123457 captured\n"
        f"previous:{'ab' * 32}\n"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "refund"},
        {"subject": "booking:B-OTHER2"},
        {"effective_on": date(2026, 11, 25)},
        {"legs": (Leg("payment:demo", "guest_deposit", 123_456, "captured"),)},
        {"legs": (Leg("payment:cash", "guest_deposit", 123_457, "captured"),)},
        {"legs": (Leg("payment:demo", "guest_deposit", 123_457, "other"),)},
        {"key": "capture:demo:2"},
        {"actor": "person:2"},
        {"policy_hash": "00"},
        {"input_hash": "00"},
        {"reverses": 3},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_hash_covers_every_field(changes):
    assert digest(content(make_draft(**changes))) != digest(content(make_draft()))


def test_the_fingerprint_does_not_mind_who_brought_the_news():
    assert fingerprint(make_draft(actor="worker")) == fingerprint(make_draft(actor="guest"))
    assert fingerprint(make_draft(subject="x")) != fingerprint(make_draft())
