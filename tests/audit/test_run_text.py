"""A recorded run reads as it was written; a check that saw too little, or nothing, is no pass."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.audit import run_text
from cbt.audit.drift import Drift
from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.audit.risks import Risk, RiskCode
from cbt.audit.run_text import Run
from cbt.revenue.policy_rules import Verdict

AT = datetime(2026, 12, 3, 19, 0, 3, tzinfo=UTC)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.dictionaries(WORDS, st.integers() | WORDS | st.dates(), max_size=4)
FINDINGS = st.builds(Finding, st.sampled_from(list(Fault)), WORDS, VALUES)
DRIFTS = st.builds(Drift, WORDS, st.fractions(), st.integers(-(10**9), 10**9))
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(list(Check)),
    st.integers(0, 10**6),
    st.lists(FINDINGS, max_size=3).map(tuple),
    st.lists(DRIFTS, max_size=3).map(tuple),
)
RISKS = st.builds(
    Risk,
    st.sampled_from(list(RiskCode)),
    st.sampled_from(list(Verdict)),
    st.dictionaries(WORDS, st.integers(), max_size=3),
)
MONTHS = st.none() | st.dates(date(2020, 1, 1)).map(lambda day: day.replace(day=1))
RUNS = st.builds(
    Run,
    community=st.from_regex(r"[a-z-]{1,20}", fullmatch=True),
    month=MONTHS,
    at=st.just(AT),
    by=st.none() | st.integers(1, 10**6),
    entries=st.integers(0, 10**6),
    head=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    outcomes=st.lists(OUTCOMES, max_size=5, unique_by=lambda each: each.check).map(tuple),
    least=st.just({}),
    risks=st.lists(RISKS, max_size=3).map(tuple),
    risks_of=MONTHS,
)


def outcome(check, looked_at, *findings):
    return Outcome(check, looked_at, findings)


CHANGED = Finding(Fault.ENTRY_CHANGED, "entry:7", {"kind": "split", "about": "booking:B-2C4D6F"})
LATE = Finding(Fault.DAY_DIFFERS, "booking:B", {"posted": date(2026, 11, 2), "n_satang": 7})
RUN = Run(
    community="buna-dara",
    month=date(2026, 11, 1),
    at=AT,
    by=7,
    entries=12,
    head="a" * 64,
    outcomes=(outcome(Check.CHAIN, 12), outcome(Check.PAYOUTS, 0)),
    least={Check.CHAIN: 12},
    risks=(Risk(RiskCode.CASH, Verdict.FAIL, {"share_bp": 6_000}),),
    risks_of=date(2026, 11, 1),
)


@given(RUNS)
def test_a_run_reads_as_it_was_written(run):
    text = run_text.write(run)
    again = run_text.read(text)
    assert run_text.write(again) == text
    assert replace(again, least={}) == run
    lines = 8 + len(run.outcomes) + len(run.findings) + len(run.risks)
    lines += sum(len(each.drifts) for each in run.outcomes)
    assert text.count("\n") == lines  # no word of a finding breaks a line


def test_days_stay_days_and_money_stays_a_number():
    text = run_text.write(replace(RUN, outcomes=(outcome(Check.SPLITS, 3, LATE),)))
    assert run_text.read(text).outcomes[0].findings == (LATE,)


def test_a_run_that_found_nothing_is_clean_though_some_checks_had_nothing_to_see():
    assert RUN.is_clean
    assert RUN.blind == ()


@pytest.mark.parametrize(
    ("changes", "blind"),
    [
        ({"outcomes": (outcome(Check.CHAIN, 11), outcome(Check.PAYOUTS, 4))}, (Check.CHAIN,)),
        (
            {"outcomes": (outcome(Check.CHAIN, 0), outcome(Check.PAYOUTS, 0)), "least": {}},
            (Check.CHAIN, Check.PAYOUTS),
        ),
    ],
    ids=["fewer than there are", "nothing at all"],
)
def test_a_check_that_saw_too_little_has_failed(changes, blind):
    run = replace(RUN, **changes)
    assert run.blind == blind
    assert not run.is_clean
    assert run_text.read(run_text.write(run)).blind == blind


def test_a_run_without_any_check_is_not_clean():
    assert not replace(RUN, outcomes=()).is_clean


def test_what_changed_between_two_runs_is_named():
    before = replace(RUN, outcomes=(outcome(Check.CHAIN, 12, CHANGED), outcome(Check.SPLITS, 3)))
    after = replace(
        RUN, entries=15, outcomes=(outcome(Check.CHAIN, 15), outcome(Check.SPLITS, 3, LATE))
    )
    told = run_text.changes(before, after)
    assert told.entries == 3
    assert told.found == ((Check.SPLITS, LATE),)
    assert told.gone == ((Check.CHAIN, CHANGED),)
    same = run_text.changes(after, after)
    assert (same.found, same.gone) == ((), ())


@pytest.mark.parametrize("text", ["", "cbt-audit-run/2\n", "cbt-audit-run/1\ncommunity:x\n"])
def test_another_text_is_no_run(text):
    with pytest.raises(ValueError, match=r"recorded run|without"):
        run_text.read(text)
