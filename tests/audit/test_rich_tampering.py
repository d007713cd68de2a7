"""Some forty things that the owner of a database can do to a closed month, each named by its checks alone.

The month is the one in which everything happened (rich_month.py). Each thing is done, looked at and undone,
on both databases; triggers are gone, and the chain is recomputed where that helps the tamperer.
"""

from sqlalchemy import text

from cbt.audit.findings import Check, Result, is_clean
from cbt.audit.verify import verify
from cbt.db import db, transaction
from cbt.ledger import entries, queries
from cbt.ledger.models import Book, Entry
from tests.audit.rich_month import make_rich_month
from tests.tamper import drop_triggers

TABLES = (
    *("entry", "leg", "ledger_account", "policy_version", "settlement", "take_back", "recovery"),
    *("capture", "capture_fee", "refund_return", "credit_use", "cash_banked", "cash_cleared"),
    *("provider_transaction", "suspense_move", "booking_line", "booking_cost", "share_event"),
    *("ownership_decision", "asset_use", "work_confirmation", "payout_step", "contribution"),
    *("fund_approval", "repayment", "period", "period_balance", "household_statement"),
    *("period_rule", "period_signature", "signing_key"),
)


class _Undo(Exception):
    """Ends a tampering without a trace."""


def rechain(session, office):
    """Every hash and every sum of the books anew, and the running balances."""
    book_id = office.card.book_id
    book = queries.get_book(session, book_id)
    previous = book.genesis_hash
    last = 0
    for entry in list(queries.stream_entries(session, book_id)):
        wording = entries.canonical(book.code, entry.seq, entry.recorded_at, entry.draft, previous)
        digest = entries.digest(wording)
        session.execute(
            Entry.__table__.update()
            .where(Entry.book_id == book_id, Entry.seq == entry.seq)
            .values(
                previous_hash=previous,
                hash=digest,
                amount_satang=entries.total(entry.draft.legs),
                leg_count=len(entry.draft.legs),
            )
        )
        previous, last = digest, entry.seq
    session.execute(
        Book.__table__.update().where(Book.id == book_id).values(head_hash=previous, head_seq=last)
    )
    for code, total in queries.summed_balances(session, book_id).items():
        session.execute(
            text(
                "UPDATE account_balance SET balance_satang = :total, may_go_negative = true"
                " WHERE account_id = (SELECT id FROM ledger_account WHERE code = :code)"
            ),
            {"total": total, "code": code},
        )


SPLIT = "(SELECT MIN(id) FROM entry WHERE kind = 'split')"
SHARING = "(SELECT MIN(id) FROM entry WHERE kind = 'sharing_out')"
LAST = "(SELECT MAX(id) FROM entry)"
MOVED = (
    f"UPDATE leg SET amount_satang = amount_satang + 1 WHERE entry_id = {SHARING} AND line = 3",
    f"UPDATE leg SET amount_satang = amount_satang - 1 WHERE entry_id = {SHARING} AND line = 4",
)
ADDED = (
    """INSERT INTO entry (book_id, seq, kind, subject, recorded_at, effective_on, policy_hash,
       input_hash, reverses, key, fingerprint, actor, amount_satang, leg_count, previous_hash, hash)
       SELECT book_id, seq + 1, 'gift', 'gift:1', recorded_at, effective_on, '', '', 0, 'gift:1',
       'x', 'thief', 100, 1, 'x', 'x' FROM entry WHERE seq = (SELECT MAX(seq) FROM entry)""",
    """INSERT INTO leg (entry_id, line, from_account_id, to_account_id, amount_satang, rule)
       SELECT e.id, 1, a.id, b.id, 100, 'gift' FROM entry e, ledger_account a, ledger_account b
       WHERE e.key = 'gift:1' AND a.code = 'fund:mgmt' AND b.code = 'household:H05'""",
)
BETWEEN = (  # the same, but among the entries of the closed month
    "UPDATE entry SET seq = seq + 1000 WHERE seq > 20",
    "UPDATE entry SET seq = seq - 999 WHERE seq > 1000",
    ADDED[0].replace("(SELECT MAX(seq) FROM entry)", "20"),
    ADDED[1],
)
LOST = (
    "UPDATE take_back SET lost_satang = lost_satang - 1 WHERE id = (SELECT MIN(id) FROM take_back)"
)
DOUBLED = """INSERT INTO refund (community_id, booking_id, capture_id, number, amount_satang,
    fee_returned_satang, reason, state, requested_at, paid_from, done_at, done_by, proof, was_split)
    SELECT community_id, booking_id, capture_id, number + 1, amount_satang, 0, reason, state,
    requested_at, paid_from, done_at, done_by, proof, was_split FROM refund WHERE was_split = false"""

CASES = {
    # --- the chain
    "a leg dropped": ((f"DELETE FROM leg WHERE entry_id = {SPLIT} AND line = 2",), False),
    "a leg dropped, the chain recomputed": (
        (f"DELETE FROM leg WHERE entry_id = {SPLIT} AND line = 2",),
        True,
    ),
    "a leg raised": (
        (
            f"UPDATE leg SET amount_satang = amount_satang + 1 WHERE entry_id = {SPLIT} AND line = 2",
        ),
        False,
    ),
    "two numbers swapped": (
        (
            "UPDATE entry SET seq = 1000 WHERE seq = 3",
            "UPDATE entry SET seq = 3 WHERE seq = 5",
            "UPDATE entry SET seq = 5 WHERE seq = 1000",
        ),
        False,
    ),
    "the tail cut off": (
        (f"DELETE FROM leg WHERE entry_id = {LAST}", f"DELETE FROM entry WHERE id = {LAST}"),
        False,
    ),
    "the tail cut off, the head put back": (
        (f"DELETE FROM leg WHERE entry_id = {LAST}", f"DELETE FROM entry WHERE id = {LAST}"),
        True,
    ),
    "an entry added after the close": (ADDED, True),
    "an entry put among those of the closed month": (BETWEEN, True),
    "another actor": ((f"UPDATE entry SET actor = 'person:99' WHERE id = {SPLIT}",), False),
    # --- balanced, and wrong
    "a satang moved between households, the chain recomputed": (MOVED, True),
    "a leg's reason changed, the chain recomputed": (
        (f"UPDATE leg SET rule = 'cost:other' WHERE entry_id = {SPLIT} AND line = 1",),
        True,
    ),
    "a split by another policy's hash": (
        (f"UPDATE entry SET policy_hash = '{'f' * 64}' WHERE id = {SPLIT}",),
        True,
    ),
    # --- what was agreed, and what was done
    "a policy's text changed": (
        ("UPDATE policy_version SET text = REPLACE(text, 'name: everything', 'name: other')",),
        False,
    ),
    "a policy recorded after its bookings": (
        ("UPDATE policy_version SET recorded_at = '2026-11-30 00:00:00.000000+00:00'",),
        False,
    ),
    "units of work raised": (("UPDATE service_record SET units = 2 WHERE task = 'guide'",), False),
    "work said to be another's": (
        (
            "UPDATE service_record SET household_id = (SELECT id FROM household WHERE code = 'H04')"
            " WHERE task = 'guide'",
        ),
        False,
    ),
    "a settlement's number changed": (("UPDATE settlement SET number = 2",), False),
    "a preparation raised": (("UPDATE preparation SET cost_satang = cost_satang + 1",), False),
    "shares in a boat raised": (
        ("UPDATE share_event SET shares = 5 WHERE kind = 'transfer'",),
        False,
    ),
    "more shares passed on than held": (
        ("UPDATE share_event SET shares = 11 WHERE kind = 'transfer'",),
        False,
    ),
    "an outside cost lowered": (
        ("UPDATE booking_cost SET amount_satang = amount_satang - 1 WHERE booking_id = 3",),
        False,
    ),
    "a price that is not the sum of its lines": (
        ("UPDATE booking SET price_satang = price_satang - 1 WHERE id = 3",),
        False,
    ),
    # --- money
    "a payment raised": (
        ("UPDATE capture SET amount_satang = amount_satang + 100 WHERE id = 3",),
        False,
    ),
    "a fee lowered": (
        ("UPDATE capture_fee SET amount_satang = amount_satang - 1 WHERE capture_id = 3",),
        False,
    ),
    "a refund doubled": ((DOUBLED,), False),
    "a refund moved to another day": (
        ("UPDATE refund SET done_at = '2026-11-27 00:00:00.000000+00:00' WHERE was_split = false",),
        False,
    ),
    "a return of a refund taken out": (("DELETE FROM refund_return",), False),
    "a lost dispute said to be won": (("UPDATE dispute SET state = 'won'",), False),
    "a credit raised": (("UPDATE credit SET amount_satang = amount_satang + 100",), False),
    "a credit's use taken out": (("DELETE FROM credit_use",), False),
    "banked cash altered": (
        ("UPDATE cash_banked SET amount_satang = amount_satang - 100",),
        False,
    ),
    "cleared money said to be returned": (
        ("UPDATE suspense_move SET how = 'returned' WHERE amount_satang > 0",),
        False,
    ),
    # --- after the sharing-out
    "a loss lowered": ((LOST,), False),
    "a debt's payment raised": (
        ("UPDATE recovery SET amount_satang = amount_satang + 1 WHERE id = 1",),
        False,
    ),
    "a correction's reason exchanged": (("UPDATE correction SET reason = 'no reason'",), False),
    "a payout raised": (
        ("UPDATE payout_step SET amount_satang = amount_satang + 1 WHERE step = 'paid'",),
        False,
    ),
    "a payout's return taken out": (("DELETE FROM payout_step WHERE step = 'returned'",), False),
    "a welfare claim with one approval": (
        ("DELETE FROM fund_approval WHERE id = (SELECT MIN(id) FROM fund_approval)",),
        False,
    ),
    "a contribution raised": (
        ("UPDATE contribution SET amount_satang = amount_satang + 1 WHERE fund = 'welfare'",),
        False,
    ),
    "a loan's repayment taken out": (("DELETE FROM repayment",), False),
    # --- the closed month
    "a figure of the snapshot changed": (
        ("UPDATE period_balance SET closing_satang = closing_satang + 1 WHERE closing_satang > 0",),
        False,
    ),
    "a statement rewritten": (
        ("UPDATE household_statement SET text = REPLACE(text, 'earned:', 'earned:1')",),
        False,
    ),
    "a statement taken out": (("DELETE FROM household_statement WHERE place = 4",), False),
    "a closed month made to reach further": (
        ("UPDATE period SET closing_seq = closing_seq + 1",),
        False,
    ),
    "a verdict turned": (
        ("UPDATE period_rule SET verdict = 'pass' WHERE verdict = 'no_data'",),
        False,
    ),
    "the mentor's signature changed": (
        (f"UPDATE period_signature SET signature = '{'A' * 86}' WHERE role = 'mentor'",),
        False,
    ),
    "the platform's signature taken away": (
        ("DELETE FROM period_signature WHERE role = 'platform'",),
        False,
    ),
    "a key that the platform never took in": (
        (f"UPDATE signing_key SET endorsement = '{'A' * 86}' WHERE role = 'mentor'",),
        False,
    ),
}


EXPECTED = {
    "a leg dropped": "chain legs balances deposits splits periods",
    "a leg dropped, the chain recomputed": "splits deposits periods",
    "a leg raised": "chain legs balances deposits splits periods",
    "two numbers swapped": "chain",
    "the tail cut off": "chain balances funds periods",
    "the tail cut off, the head put back": "funds periods",
    "an entry added after the close": "entries",
    "an entry put among those of the closed month": "entries periods statements",
    "another actor": "chain",
    "a satang moved between households, the chain recomputed": "sharing periods statements",
    "a leg's reason changed, the chain recomputed": "splits periods",
    "a split by another policy's hash": "splits periods",
    "a policy's text changed": "policies splits sharing",
    "a policy recorded after its bookings": "policies",
    "units of work raised": "sharing work losses drift",
    "work said to be another's": "sharing work losses drift",
    "a settlement's number changed": "sharing receipts losses",
    "a preparation raised": "splits sharing",
    "shares in a boat raised": "sharing losses drift",
    "more shares passed on than held": "shares sharing losses entries drift",  # which cannot be computed then
    "an outside cost lowered": "splits sharing",
    "a price that is not the sum of its lines": "deposits",
    "a payment raised": "money splits sharing losses",
    "a fee lowered": "money splits sharing",
    "a refund doubled": "money deposits",
    "a refund moved to another day": "money",
    "a return of a refund taken out": "money entries",
    "a lost dispute said to be won": "money deposits losses entries",
    "a credit raised": "money deposits",
    "a credit's use taken out": "deposits entries",
    "banked cash altered": "money",
    "cleared money said to be returned": "money",
    "a loss lowered": "losses",
    "a debt's payment raised": "losses",
    "a correction's reason exchanged": "losses",
    "a payout raised": "payouts",
    "a payout's return taken out": "payouts entries",
    "a welfare claim with one approval": "funds",
    "a contribution raised": "funds",
    "a loan's repayment taken out": "funds entries",
    "a figure of the snapshot changed": "periods statements",
    "a statement rewritten": "statements",
    "a statement taken out": "statements periods",
    "a closed month made to reach further": "periods",
    "a verdict turned": "periods",
    "the mentor's signature changed": "statements",
    "the platform's signature taken away": "statements",
    "a key that the platform never took in": "statements",
}
"""The check that names it first, then those that a thing of its kind cannot but set off as well."""


def checks_after(office, statements, *, is_rechained):
    """The checks that are not clean after some statements, which are then undone."""
    told = set()
    try:
        with transaction() as session:
            for statement in statements:
                session.execute(text(statement))
            if is_rechained:
                rechain(session, office)
            outcomes = verify(session, office.card)
            told = {each.check for each in outcomes if each.result == Result.FAIL}
            raise _Undo
    except _Undo:
        return told


def test_each_tampering_is_named_by_its_checks_and_no_other(app):
    office = make_rich_month()
    assert all(each.looked_at for each in verify(db.session(), office.card))
    db.session.rollback()
    drop_triggers(*TABLES)
    assert len(CASES) >= 30
    for name, (statements, is_rechained) in CASES.items():
        told = checks_after(office, statements, is_rechained=is_rechained)
        assert told == {Check(word) for word in EXPECTED[name].split()}, name
    assert is_clean(verify(db.session(), office.card))  # all of it was undone
