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
from cbt.revenue.period_queries import get_period, list_statements
from cbt.revenue.signing import SignerRole, make_locked_key, make_platform_key, read_platform_key
from cbt.revenue.statement_text import digest_of
from tests.audit.test_tampering import found, rebuild_chain, tamper
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

TABLES = (
    *("period", "period_balance", "household_statement", "period_rule", "period_signature"),
    *("signing_key", "entry", "leg"),
)
PERIOD, CLOSED, OPEN = "period:2026-11", Check.PERIODS, Check.STATEMENTS


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
    with transaction() as session:
        for table in TABLES:
            if db.engine.dialect.name == "postgresql":
                session.execute(text(f"DROP TRIGGER {table}_refuses_change ON {table}"))
            else:
                for verb in ("update", "delete"):
                    session.execute(text(f"DROP TRIGGER {table}_refuses_{verb}"))
    return office


def period(office, month=NOVEMBER):
    db.session.rollback()
    return get_period(db.session(), office.id, month)


def faults(office):
    return {check: {fault for fault, _subject in listed} for check, listed in found(office).items()}


def subjects(office, check):
    return {subject for _fault, subject in found(office)[check]}


def test_a_figure_of_the_snapshot_changed(office):
    tamper(
        "UPDATE period_balance SET closing_satang = closing_satang + 1"
        " WHERE period_id = :id AND closing_satang > 0",
        id=period(office).id,
    )
    told = faults(office)
    assert {Fault.SNAPSHOT_DIFFERS, Fault.RECORD_DIFFERS, Fault.OPENING_DIFFERS} <= told[CLOSED]
    assert {"period:2026-11", "period:2026-12"} <= subjects(office, CLOSED)


def test_a_month_that_opens_with_other_than_the_last_one_closed_with(office):
    tamper(
        "UPDATE period_balance SET opening_satang = opening_satang + 1,"
        " closing_satang = closing_satang + 1 WHERE period_id = :id AND opening_satang > 0",
        id=period(office, DECEMBER).id,
    )
    assert Fault.OPENING_DIFFERS in faults(office)[CLOSED]
    assert Fault.OPEN_DIFFERS in faults(office)[CLOSED]


def test_an_entry_of_a_closed_month_rewritten_with_the_whole_chain(office):
    """A satang goes from one household to another, and every hash after it is computed anew."""
    tamper(
        "UPDATE leg SET amount_satang = amount_satang + 1 WHERE rule = 'by_work' AND line = 1",
        "UPDATE leg SET amount_satang = amount_satang - 1 WHERE rule = 'by_work' AND line = 2",
    )
    rebuild_chain(office)
    told = faults(office)
    assert Fault.CLOSING_DIFFERS in told[CLOSED]
    assert Fault.SNAPSHOT_DIFFERS in told[CLOSED]
    assert {Fault.STATEMENT_DIFFERS, Fault.ROOT_DIFFERS} <= told[OPEN]
    assert Check.CHAIN not in told  # the chain alone would not have told


def test_a_statement_rewritten(office):
    one = list_statements(db.session(), period(office).id)[0]
    tamper(
        "UPDATE household_statement SET text = :text WHERE period_id = :id AND place = 0",
        text=one.text.replace("earned:", "earned:1"),
        id=one.period_id,
    )
    assert found(office)[OPEN] == [(Fault.STATEMENT_DIFFERS, "statement:2026-11/H01")]


def test_a_leaf_exchanged(office):
    tamper(
        "UPDATE household_statement SET leaf_hash = :hash WHERE period_id = :id AND place = 1",
        hash="0" * 64,
        id=period(office).id,
    )
    assert found(office)[OPEN] == [(Fault.LEAF_DIFFERS, "statement:2026-11/H02")]


def test_a_statement_taken_out(office):
    tamper(
        "DELETE FROM household_statement WHERE period_id = :id AND place = 4", id=period(office).id
    )
    told = faults(office)
    assert Fault.ROOT_DIFFERS in told[OPEN]
    assert {Fault.RECORD_DIFFERS, Fault.SEAL_DIFFERS} <= told[CLOSED]


def test_the_root_exchanged_in_record_and_seal_alike(office):
    """Whoever rewrites everything still cannot sign it."""
    whole = period(office)
    record = whole.record.replace(whole.statement_root, "1" * 64)
    seal = whole.seal.replace(whole.statement_root, "1" * 64)
    seal = seal.replace(whole.record_digest, digest_of(record))
    tamper(
        "UPDATE period SET statement_root = :root, record = :record, seal = :seal WHERE id = :id",
        root="1" * 64,
        record=record,
        seal=seal,
        id=whole.id,
    )
    told = faults(office)
    assert {Fault.ROOT_DIFFERS, Fault.SIGNATURE_INVALID} <= told[OPEN]
    assert Fault.RECORD_DIFFERS in told[CLOSED]  # of December, which names November's record
    assert subjects(office, CLOSED) == {"period:2026-12"}


def test_the_record_alone_rewritten(office):
    tamper(
        "UPDATE period SET record = replace(record, 'entries:', 'entries:1') WHERE id = :id",
        id=period(office).id,
    )
    assert {Fault.RECORD_DIFFERS, Fault.SEAL_DIFFERS} <= faults(office)[CLOSED]


def test_a_closed_month_made_to_reach_further(office):
    """A later entry would fall into it."""
    tamper("UPDATE period SET closing_seq = closing_seq + 1 WHERE id = :id", id=period(office).id)
    assert Fault.CLOSING_DIFFERS in faults(office)[CLOSED]


def test_an_entry_recorded_after_the_close_but_numbered_before_it(office):
    tamper(
        "UPDATE entry SET recorded_at = :at WHERE seq = 1",
        at=(AFTER + timedelta(days=9)).isoformat(" "),
    )
    assert (Fault.LATE_IN_PERIOD, PERIOD) in found(office)[CLOSED]


def test_an_explanation_rewritten(office):
    tamper(
        "UPDATE period_rule SET explanation = 'other words' WHERE period_id = :id AND rule = 'PRD-01'",
        id=period(office).id,
    )
    assert found(office)[CLOSED] == [(Fault.RULES_CHANGED, PERIOD)]


def test_a_verdict_turned(office):
    tamper(
        "UPDATE period_rule SET verdict = 'pass' WHERE period_id = :id AND verdict = 'no_data'",
        id=period(office).id,
    )
    assert found(office)[CLOSED] == [(Fault.RULES_CHANGED, PERIOD)]


@pytest.mark.parametrize("role", ["platform", "treasurer", "mentor"])
def test_a_signature_changed(office, role):
    tamper(
        "UPDATE period_signature SET signature = :other WHERE period_id = :id AND role = :role",
        other="A" * 86,
        id=period(office).id,
        role=role,
    )
    assert found(office)[OPEN] == [(Fault.SIGNATURE_INVALID, PERIOD)]


def test_the_platforms_signature_taken_away(office):
    tamper(
        "DELETE FROM period_signature WHERE period_id = :id AND role = 'platform'",
        id=period(office).id,
    )
    assert found(office)[OPEN] == [(Fault.SIGNATURE_MISSING, PERIOD)]


def test_a_key_that_the_platform_never_took_in(office):
    fresh = make_locked_key("whatever it is")
    tamper(
        "UPDATE signing_key SET public_key = :key WHERE role = 'mentor'",
        key=fresh.public,
    )
    told = faults(office)
    assert {Fault.KEY_NOT_ENDORSED, Fault.SIGNATURE_INVALID} == told[OPEN]


def test_the_platforms_key_exchanged(office):
    other = read_platform_key(make_platform_key())
    tamper(
        "UPDATE signing_key SET public_key = :key, endorsement = :by WHERE role = 'platform'",
        key=other.public,
        by=other.sign(other.public),
    )
    assert {Fault.KEY_NOT_ENDORSED, Fault.SIGNATURE_INVALID} == faults(office)[OPEN]


def test_one_who_prepared_and_confirmed_is_seen(office):
    if db.engine.dialect.name == "postgresql":
        tamper("ALTER TABLE period DROP CONSTRAINT ck_period_two_people")
    else:
        tamper("PRAGMA ignore_check_constraints = ON")
    tamper("UPDATE period SET approved_by = prepared_by WHERE id = :id", id=period(office).id)
    assert (Fault.ONE_PERSON, PERIOD) in found(office)[CLOSED]


def test_a_month_taken_out_whole(office):
    whole = period(office)
    tamper(
        *(
            f"DELETE FROM {table} WHERE period_id = :id"
            for table in (
                *("period_signature", "period_rule", "household_statement", "period_balance"),
            )
        ),
        "DELETE FROM period WHERE id = :id",
        id=whole.id,
    )
    told = faults(office)[CLOSED]
    assert {Fault.PERIOD_GAP, Fault.OPENING_DIFFERS} <= told


def test_a_village_that_never_closed_is_still_looked_at(app):
    office = make_office()
    worked_month(office)
    outcomes = {each.check: each for each in verify(db.session(), office.card)}
    assert outcomes[CLOSED].result == outcomes[OPEN].result == Result.PASS
    assert outcomes[OPEN].looked_at == 5
