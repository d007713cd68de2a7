"""The audit names what was tampered with in a closed month, on both databases.

The tamperer owns the database: triggers are dropped, and hashes are recomputed where it helps.
"""

from datetime import timedelta

import pytest
from sqlalchemy import text

from cbt.audit.findings import Check, Fault, Result, is_clean
from cbt.audit.verify import verify
from cbt.db import db, transaction
from cbt.revenue import keys
from cbt.revenue.period_queries import get_period
from cbt.revenue.signing import SignerRole, make_locked_key, make_platform_key, read_platform_key
from cbt.revenue.statement_text import digest_of
from tests.audit.test_tampering import found, rebuild_chain
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
from tests.tamper import drop_triggers, tamper

TABLES = (
    *("period", "period_balance", "household_statement", "period_rule", "period_signature"),
    *("signing_key", "entry", "leg"),
)
CLOSED, OPEN = Check.PERIODS, Check.STATEMENTS


@pytest.fixture
def office(app):
    """November and December closed, November signed by treasurer and mentor; triggers dropped."""
    office = make_office()
    worked_month(office)
    close_month(office)
    close_month(office, DECEMBER, AFTER_NEXT)
    for role, person in (
        (SignerRole.TREASURER, office.treasurer),
        (SignerRole.MENTOR, office.mentor),
    ):
        period = get_period(db.session(), office.id, NOVEMBER)
        keys.sign_period(office.id, period, role, PASSWORD, KEY, person, AFTER_NEXT)
    db.session.rollback()
    outcomes = verify(db.session(), office.card)
    assert is_clean(outcomes)
    assert {each.check: each.looked_at for each in outcomes}[OPEN] == 15  # 2 x 5 closed, 5 open
    drop_triggers(*TABLES)
    return office


def period(office, month=NOVEMBER):
    db.session.rollback()
    return get_period(db.session(), office.id, month)


class _Undo(Exception):
    """Ends a tampering without a trace."""


def found_after(office, *statements, **values):
    """{check: {(fault, subject)}} that the audit finds after some statements, which are then undone."""
    told = {}
    try:
        with transaction() as session:
            for statement in statements:
                session.execute(text(statement), values)
            for outcome in verify(session, office.card):
                if outcome.findings:
                    told[outcome.check] = {(each.fault, each.subject) for each in outcome.findings}
            raise _Undo
    except _Undo:
        return told


def kinds(told, check):
    return {fault for fault, _subject in told.get(check, ())}


def exactly(*faults):
    return lambda told, check: kinds(told, check) == set(faults)


def among(*faults):
    return lambda told, check: set(faults) <= kinds(told, check)


F = Fault
OF_NOVEMBER = "WHERE period_id = :november"
CASES = {
    "a figure of the snapshot changed": (
        (
            "UPDATE period_balance SET closing_satang = closing_satang + 1"
            f" {OF_NOVEMBER} AND closing_satang > 0",
        ),
        {CLOSED: among(F.SNAPSHOT_DIFFERS, F.RECORD_DIFFERS, F.OPENING_DIFFERS)},
    ),
    "an opening that is not the closing before": (
        (
            "UPDATE period_balance SET opening_satang = opening_satang + 1, closing_satang ="
            " closing_satang + 1 WHERE period_id = :december AND opening_satang > 0",
        ),
        {CLOSED: among(F.OPENING_DIFFERS, F.OPEN_DIFFERS)},
    ),
    "a statement rewritten": (
        (
            "UPDATE household_statement SET text = replace(text, 'earned:', 'earned:1')"
            f" {OF_NOVEMBER} AND place = 0",
        ),
        {OPEN: exactly(F.STATEMENT_DIFFERS), CLOSED: exactly()},
    ),
    "a leaf exchanged": (
        (f"UPDATE household_statement SET leaf_hash = 'x' {OF_NOVEMBER} AND place = 1",),
        {OPEN: exactly(F.LEAF_DIFFERS), CLOSED: exactly()},
    ),
    "what a rule counts as earned changed": (
        (f"UPDATE household_statement SET earned_satang = 1 {OF_NOVEMBER} AND place = 1",),
        {OPEN: exactly(F.LEAF_DIFFERS), CLOSED: exactly()},
    ),
    "a statement taken out": (
        (f"DELETE FROM household_statement {OF_NOVEMBER} AND place = 4",),
        {OPEN: among(F.ROOT_DIFFERS), CLOSED: among(F.RECORD_DIFFERS, F.SEAL_DIFFERS)},
    ),
    "root, record and seal rewritten alike": (
        (
            "UPDATE period SET statement_root = :root, record = :record, seal = :seal"
            " WHERE id = :november",
        ),
        {
            OPEN: among(F.ROOT_DIFFERS, F.SIGNATURE_INVALID),
            CLOSED: exactly(F.RECORD_DIFFERS),  # of December, whose record names November's
        },
    ),
    "the record alone rewritten": (
        (
            "UPDATE period SET record = replace(record, 'entries:', 'entries:1')"
            " WHERE id = :november",
        ),
        {CLOSED: among(F.RECORD_DIFFERS, F.SEAL_DIFFERS)},
    ),
    "a closed month made to reach further": (
        ("UPDATE period SET closing_seq = closing_seq + 1 WHERE id = :november",),
        {CLOSED: among(F.CLOSING_DIFFERS)},
    ),
    "an entry recorded late but numbered early": (
        ("UPDATE entry SET recorded_at = :late WHERE seq = 1",),
        {CLOSED: among(F.LATE_IN_PERIOD), Check.CHAIN: among(F.ENTRY_CHANGED)},
    ),
    "an explanation rewritten": (
        (f"UPDATE period_rule SET explanation = 'other' {OF_NOVEMBER} AND rule = 'PRD-01'",),
        {CLOSED: exactly(F.RULES_CHANGED)},
    ),
    "a verdict turned": (
        (f"UPDATE period_rule SET verdict = 'pass' {OF_NOVEMBER} AND verdict = 'no_data'",),
        {CLOSED: exactly(F.RULES_CHANGED)},
    ),
    **{
        f"the signature of the {role} changed": (
            (f"UPDATE period_signature SET signature = :other {OF_NOVEMBER} AND role = '{role}'",),
            {OPEN: exactly(F.SIGNATURE_INVALID), CLOSED: exactly()},
        )
        for role in SignerRole
    },
    "the platform's signature taken away": (
        (f"DELETE FROM period_signature {OF_NOVEMBER} AND role = 'platform'",),
        {OPEN: exactly(F.SIGNATURE_MISSING), CLOSED: exactly()},
    ),
    "a key that the platform never took in": (
        ("UPDATE signing_key SET public_key = :key WHERE role = 'mentor'",),
        {OPEN: exactly(F.KEY_NOT_ENDORSED, F.SIGNATURE_INVALID)},
    ),
    "the platform's key exchanged": (
        ("UPDATE signing_key SET public_key = :theirs, endorsement = :by WHERE role = 'platform'",),
        {OPEN: exactly(F.KEY_NOT_ENDORSED, F.SIGNATURE_INVALID)},
    ),
    "a month taken out whole": (
        (
            *(f"DELETE FROM {table} {OF_NOVEMBER}" for table in TABLES[1:5]),
            "DELETE FROM period WHERE id = :november",
        ),
        {CLOSED: among(F.PERIOD_GAP, F.OPENING_DIFFERS)},
    ),
    "a mentor's signature under another's name": (
        (f"UPDATE period_signature SET signed_by = :treasurer {OF_NOVEMBER} AND role = 'mentor'",),
        {OPEN: exactly(F.ONE_PERSON)},
    ),
}


def test_each_tampering_is_named(office):
    november, december = period(office), period(office, DECEMBER)
    record = november.record.replace(november.statement_root, "1" * 64)
    seal = november.seal.replace(november.statement_root, "1" * 64)
    other = read_platform_key(make_platform_key())
    values = {
        "november": november.id,
        "december": december.id,
        "root": "1" * 64,
        "record": record,
        "seal": seal.replace(november.record_digest, digest_of(record)),
        "late": AFTER + timedelta(days=9),
        "other": "A" * 86,
        "key": make_locked_key("whatever it is").public,
        "theirs": other.public,
        "by": other.sign(other.public),
        "treasurer": office.treasurer,
    }
    if db.engine.dialect.name == "sqlite":
        values["late"] = values["late"].strftime("%Y-%m-%d %H:%M:%S.%f")
    for name, (statements, expected) in CASES.items():
        wording = " ".join(statements)
        told = found_after(
            office,
            *statements,
            **{key: value for key, value in values.items() if f":{key}" in wording},
        )
        for check, holds in expected.items():
            assert holds(told, check), (name, told)
    assert is_clean(verify(db.session(), office.card))  # all of it was undone


def test_an_entry_of_a_closed_month_rewritten_with_the_whole_chain(office):
    """A satang goes from one household to another, and every hash after it is computed anew."""
    tamper(
        "UPDATE leg SET amount_satang = amount_satang + 1 WHERE rule = 'by_work' AND line = 1",
        "UPDATE leg SET amount_satang = amount_satang - 1 WHERE rule = 'by_work' AND line = 2",
    )
    rebuild_chain(office)
    told = {check: {each for each, _about in listed} for check, listed in found(office).items()}
    assert Fault.CLOSING_DIFFERS in told[CLOSED]
    assert Fault.SNAPSHOT_DIFFERS in told[CLOSED]
    assert {Fault.STATEMENT_DIFFERS, Fault.ROOT_DIFFERS} <= told[OPEN]
    assert Check.CHAIN not in told  # the chain alone would not have told


def test_a_village_that_never_closed_is_still_looked_at(app):
    office = make_office()
    worked_month(office)
    outcomes = {each.check: each for each in verify(db.session(), office.card)}
    assert outcomes[CLOSED].result == outcomes[OPEN].result == Result.PASS
    assert outcomes[OPEN].looked_at == 5
