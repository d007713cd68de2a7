"""Cancellation terms: what comes back, to the second and to the satang."""

import re
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.bookings.terms import (
    DEFAULT,
    FLOOR,
    LONGEST_NAME,
    MOST_DAYS,
    Deposit,
    Kept,
    Terms,
    TermsProblem,
    Tier,
    balance_due_at,
    canonical,
    deposit_satang,
    meets_floor,
    parse,
    preview,
    quote_refund,
)
from cbt.config import ROOT
from cbt.errors import AmountInvalid, TermsInvalid

BEGINS = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ABROAD = ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Bangkok"]


def rows(heading):
    """The rows of the page's table with this heading, as lists of texts."""
    page = (ROOT / "docs" / "algorithms" / "terms.md").read_text()
    [table] = [
        block for block in re.findall(r"(?:^\|.*\n)+", page, re.M) if block.startswith(heading)
    ]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()[2:]]


@st.composite
def any_terms(draw):
    """Any terms that a community may write."""
    days = sorted(draw(st.sets(st.integers(0, MOST_DAYS), max_size=6)), reverse=True)
    refunds = st.lists(st.integers(0, 10_000), min_size=len(days), max_size=len(days))
    pairs = zip(days, sorted(draw(refunds), reverse=True), strict=True)
    name = draw(st.from_regex(r"[A-Za-z0-9ก-ฮ]([A-Za-z0-9 ก-ฮ-]{0,20}[0-9])?", fullmatch=True))
    deposit = draw(st.none() | st.builds(Deposit, st.integers(1, 9_999), st.integers(0, MOST_DAYS)))
    return Terms(name, tuple(Tier(*pair) for pair in pairs), deposit)


# --- as text -------------------------------------------------------------------------------------


def test_the_default_terms_are_the_text_of_the_page():
    page = (ROOT / "docs" / "algorithms" / "terms.md").read_text()
    assert f"```\n{canonical(DEFAULT)}```" in page


@pytest.mark.parametrize("row", rows("| price | deposit bp"), ids="-".join)
def test_each_row_of_deposits(row):
    price, bp, deposit, rest = map(int, row)
    terms = Terms("Deposit", DEFAULT.tiers, Deposit(bp, 7))
    assert (deposit_satang(terms, price), price - deposit_satang(terms, price)) == (deposit, rest)


@given(terms=any_terms(), price=st.integers(1, 10**9))
def test_a_deposit_is_never_more_than_the_price_nor_less_than_its_part(terms, price):
    deposit = deposit_satang(terms, price)
    assert 0 < deposit <= price
    if terms.deposit:
        assert deposit * 10_000 >= min(price * 10_000, price * terms.deposit.bp)
        assert deposit == price or deposit % 100 == 0


@given(terms=any_terms())
def test_a_text_reads_back_to_the_same_terms_and_the_same_text(terms):
    text = canonical(terms)
    assert parse(text) == terms
    assert canonical(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("cbt-terms/1\n", id="no-name"),
        pytest.param(canonical(DEFAULT).replace("/1", "/2"), id="version"),
        pytest.param(canonical(DEFAULT) + "\n", id="extra-line"),
        pytest.param(canonical(DEFAULT)[:-1], id="cut-off"),
        pytest.param(canonical(DEFAULT).replace("\n", "\r\n"), id="other-line-ends"),
        pytest.param(canonical(DEFAULT).replace("name: ", ""), id="no-name-field"),
        pytest.param(canonical(DEFAULT).replace("tier: 15", "15"), id="no-tier-field"),
        pytest.param(canonical(DEFAULT).replace("5000", "05000"), id="zero-padded"),
        pytest.param(canonical(DEFAULT).replace("15 5000", "15  5000"), id="two-blanks"),
        pytest.param(canonical(DEFAULT).replace("15 5000", "15 50%"), id="per-cent"),
        pytest.param(canonical(DEFAULT).replace("15 5000", "15 5_000"), id="underscore"),
        pytest.param(canonical(DEFAULT).replace("15 5000", "๑๕ 5000"), id="thai-digits"),
        pytest.param(canonical(DEFAULT).replace("15 5000", "15"), id="no-refund"),
        pytest.param(canonical(DEFAULT).replace("15 5000", "15 5000 1"), id="too-much"),
    ],
)
def test_what_is_not_exactly_terms_is_refused(text):
    with pytest.raises(TermsInvalid) as refused:
        parse(text)
    assert refused.value.facts == {"problem": TermsProblem.TEXT}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 81, id="long"),
        pytest.param(" a", id="blank-before"),
        pytest.param("a\ntier: 1 1", id="two-lines"),
        pytest.param("a\u2028b", id="a-hidden-line-break"),
        pytest.param("a\0b", id="a-control-sign"),
    ],
)
def test_a_name_that_is_no_plain_line_is_refused(name):
    with pytest.raises(TermsInvalid) as refused:
        canonical(Terms(name, ()))
    assert refused.value.facts == {"problem": TermsProblem.NAME}


@pytest.mark.parametrize(
    ("tiers", "problem"),
    [
        pytest.param([(-1, 0)], "days", id="days-after-the-start"),
        pytest.param([(731, 0)], "days", id="days-too-far"),
        pytest.param([(1, 10_001)], "refund", id="more-than-was-paid"),
        pytest.param([(1, -1)], "refund", id="less-than-nothing"),
        pytest.param([(15, 5_000), (30, 5_000)], "order", id="days-rise"),
        pytest.param([(15, 5_000), (15, 4_000)], "order", id="one-day-twice"),
        pytest.param([(30, 5_000), (15, 5_001)], "rising", id="waiting-pays"),
    ],
)
def test_terms_that_contradict_themselves_are_neither_written_nor_read(tiers, problem):
    text = "cbt-terms/1\nname: a\n" + "".join(f"tier: {days} {bp}\n" for days, bp in tiers)
    with pytest.raises(TermsInvalid) as unwritten:
        canonical(Terms("a", tuple(Tier(*tier) for tier in tiers)))
    with pytest.raises(TermsInvalid) as unread:
        parse(text)
    assert unwritten.value.facts == unread.value.facts == {"problem": problem}


# --- the floor -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tiers", "meets"),
    [
        pytest.param([(30, 10_000), (15, 5_000)], True, id="the-floor-itself"),
        pytest.param([(7, 10_000)], True, id="kinder"),
        pytest.param([(30, 10_000), (15, 5_000), (3, 2_500)], True, id="one-tier-more"),
        pytest.param([(31, 10_000), (15, 5_000)], False, id="whole-a-day-late"),
        pytest.param([(30, 9_999), (15, 5_000)], False, id="whole-cut"),
        pytest.param([(30, 10_000), (16, 5_000)], False, id="half-a-day-late"),
        pytest.param([(30, 10_000), (15, 4_999)], False, id="half-cut"),
        pytest.param([(30, 10_000)], False, id="no-half"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_terms_meet_the_floor_of_the_rules_or_not(tiers, meets):
    assert meets_floor(Terms("a", tuple(Tier(*tier) for tier in tiers))) is meets


@given(terms=any_terms(), days=st.integers(15, MOST_DAYS))
def test_who_meets_the_floor_gives_at_least_what_the_default_gives(terms, days):
    if meets_floor(terms):
        now = BEGINS - timedelta(days=days)
        least = quote_refund(DEFAULT, 112_501, BEGINS, now).refund_satang
        assert quote_refund(terms, 112_501, BEGINS, now).refund_satang >= least


# --- quotes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("| paid"), ids=str)
def test_a_row_of_the_page(row):
    paid, days, seconds, *expected = (int(cell) for cell in row)
    now = BEGINS - timedelta(days=days) + timedelta(seconds=seconds)
    quote = quote_refund(DEFAULT, paid, BEGINS, now)
    assert [quote.refund_bp, quote.refund_satang, quote.retained_satang] == expected


@pytest.mark.parametrize("row", rows("| trip begins"), ids=str)
def test_a_guest_abroad_is_quoted_by_the_instant_and_not_by_the_clock(row):
    begins, zone, clock, which, refund = row
    begins_at = datetime.fromisoformat(begins).replace(tzinfo=UTC)
    now = datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone), fold=which == "second")
    quotes = [
        quote_refund(DEFAULT, 100_000, start, moment)
        for start in (begins_at, begins_at.astimezone(ZoneInfo(zone)))
        for moment in (now, now.astimezone(UTC), now.astimezone(ZoneInfo("Asia/Bangkok")))
    ]
    assert len(set(quotes)) == 1
    assert quotes[0].refund_satang == int(refund)


@given(
    instant=st.datetimes(datetime(2026, 10, 20), datetime(2026, 11, 10)).map(
        lambda naive: naive.replace(tzinfo=UTC)
    ),
    paid=st.integers(0, 10**9),
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_one_instant_is_one_quote_in_every_zone(instant, paid, offset):
    zones = [*map(ZoneInfo, ABROAD), timezone(timedelta(minutes=offset))]
    quotes = {
        quote_refund(DEFAULT, paid, BEGINS.astimezone(zone), instant.astimezone(zone))
        for zone in zones
    }
    assert quotes == {quote_refund(DEFAULT, paid, BEGINS, instant)}


@given(terms=any_terms(), paid=st.integers(0, 10**9))
def test_each_boundary_of_each_terms_holds_to_the_second(terms, paid):
    for tier, after in pairwise((*terms.tiers, Tier(0, 0))):
        boundary = BEGINS - timedelta(days=tier.days_before)
        at = quote_refund(terms, paid, BEGINS, boundary)
        assert quote_refund(terms, paid, BEGINS, boundary - SECOND).refund_bp >= tier.refund_bp
        assert (at.refund_bp, at.until) == (tier.refund_bp, boundary)
        assert quote_refund(terms, paid, BEGINS, boundary + SECOND).refund_bp == after.refund_bp


@given(
    terms=any_terms(),
    paid=st.integers(0, 10**9),
    seconds=st.lists(st.integers(-800 * 86_400, 86_400), min_size=2, max_size=5),
)
def test_refund_and_retained_sum_to_what_was_paid_and_the_refund_never_rises(terms, paid, seconds):
    quotes = [
        quote_refund(terms, paid, BEGINS, BEGINS + timedelta(seconds=second))
        for second in sorted(seconds)
    ]
    assert all(quote.refund_satang + quote.retained_satang == paid for quote in quotes)
    refunds = [quote.refund_satang for quote in quotes]
    assert refunds == sorted(refunds, reverse=True)
    assert all(0 <= refund <= paid for refund in refunds)


@given(terms=any_terms(), seconds=st.integers(-800 * 86_400, 0))
def test_a_quote_holds_until_the_instant_that_it_names(terms, seconds):
    now = BEGINS + timedelta(seconds=seconds)
    quote = quote_refund(terms, 112_501, BEGINS, now)
    assert now <= quote.until <= BEGINS
    assert quote_refund(terms, 112_501, BEGINS, quote.until) == quote
    assert quote_refund(terms, 112_501, BEGINS, quote.until + SECOND) != quote


@pytest.mark.parametrize("days", [40, 20, 1, 0, -1])
def test_what_the_community_calls_off_is_given_back_whole(days):
    now = BEGINS - timedelta(days=days)
    quote = quote_refund(DEFAULT, 112_501, BEGINS, now, by_community=True)
    assert (quote.refund_satang, quote.retained_satang) == (112_501, 0)
    assert (quote.refund_bp, quote.until) == (10_000, None)


def test_the_kindest_terms_end_with_the_start():
    kindest = Terms("kind", (Tier(0, 10_000),))
    assert quote_refund(kindest, 100, BEGINS, BEGINS).refund_satang == 100
    late = quote_refund(kindest, 100, BEGINS, BEGINS + timedelta(microseconds=1))
    assert (late.refund_satang, late.retained_satang, late.until) == (0, 100, None)


def test_without_a_tier_nothing_comes_back_and_the_quote_holds_until_the_start():
    quote = quote_refund(Terms("none", ()), 100, BEGINS, BEGINS - timedelta(days=400))
    assert (quote.refund_satang, quote.until) == (0, BEGINS)


def test_less_than_nothing_paid_is_refused():
    with pytest.raises(AmountInvalid):
        quote_refund(DEFAULT, -1, BEGINS, BEGINS)


def test_a_time_without_a_zone_is_no_instant():
    with pytest.raises(AssertionError):
        quote_refund(DEFAULT, 1, BEGINS, BEGINS.replace(tzinfo=None))


def test_a_name_of_the_longest_and_a_deposit_at_each_limit_are_written():
    longest = Terms("n" * LONGEST_NAME, FLOOR, Deposit(1, MOST_DAYS))
    assert parse(canonical(longest)) == longest
    most = Terms("n", FLOOR, Deposit(9_999, 0))
    assert parse(canonical(most)) == most


def test_the_rest_is_due_so_many_days_before_the_start_or_at_it():
    terms = Terms("n", FLOOR, Deposit(2_000, 14))
    assert balance_due_at(terms, BEGINS) == BEGINS - timedelta(days=14)
    assert balance_due_at(Terms("n", FLOOR), BEGINS) == BEGINS


def test_a_preview_shows_each_step_and_the_day_after_it():
    """All back until 30 days before, half until 15; then 20 of 100.05 until the day itself."""
    terms = Terms("n", (*FLOOR, Tier(0, 2_000)))
    assert preview(terms, 10_005) == [
        Kept(30, 10_000, 0),
        Kept(29, 5_000, 5_003),
        Kept(15, 5_000, 5_003),
        *(Kept(days, 2_000, 8_004) for days in (14, 10, 7, 3, 1, 0)),
    ]
    assert [each.days_before for each in preview(Terms("n", (Tier(1, 100),)), 1)] == [
        *(30, 15, 10, 7, 3, 1, 0),
    ]


def test_a_quote_is_told_in_utc_and_names_what_cannot_have_been_paid():
    quote = quote_refund(DEFAULT, 100, BEGINS, BEGINS - timedelta(days=40))
    assert quote.until is not None
    assert quote.until.tzinfo is UTC
    with pytest.raises(AmountInvalid) as refused:
        quote_refund(DEFAULT, -1, BEGINS, BEGINS)
    assert refused.value.facts == {"amount": -1}
