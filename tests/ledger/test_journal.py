"""The plain-text journal: other programs read it, and find the balances that we say there are."""

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from cbt.ledger.entries import Draft, Leg
from cbt.ledger.journal import Format, account_names, write

SIDES = {"payment:cash": "debit", "household:H01": "credit", "guest_deposit": "credit"}


def draft(*legs, kind="capture", subject="booking:B-1", on=date(2026, 11, 24)):
    moved = tuple(Leg(*leg, "rule") for leg in legs)
    return Draft(
        kind=kind, subject=subject, effective_on=on, legs=moved, key=f"{kind}:1", actor="person:1"
    )


def text(format_, entries, balances, sides=SIDES):
    return "\n".join(write(format_, "buna-dara", entries, sides, balances)) + "\n"


ENTRIES = [
    (1, draft(("payment:cash", "guest_deposit", 123_457))),
    (2, draft(kind="split", on=date(2026, 11, 25))),
    (3, draft(("guest_deposit", "household:H01", 100_000), kind="sharing_out")),
]
BALANCES = {"payment:cash": 123_457, "guest_deposit": 23_457, "household:H01": 100_000}


def test_debits_are_positive_and_every_amount_is_whole_satang():
    journal = text(Format.HLEDGER, ENTRIES, BALANCES)
    assert "2026-11-24 * (1) capture booking:B-1  ; key: capture:1" in journal
    assert "  Assets:Payment:Cash  123457 SATANG" in journal
    assert "  Liabilities:Guest-deposit  -123457 SATANG" in journal
    assert "; 2026-11-25 entry 2: split booking:B-1 moves nothing" in journal
    assert "  Liabilities:Household:H01  0 SATANG = -100000 SATANG" in journal


def test_beancount_gets_every_account_opened_and_asserted():
    journal = text(Format.BEANCOUNT, ENTRIES, BALANCES)
    assert "2000-01-01 open Liabilities:Household:H01 SATANG" in journal
    assert "2026-11-26 balance Assets:Payment:Cash  123457 SATANG" in journal
    assert '2026-11-24 * "capture booking:B-1"' in journal


@pytest.mark.parametrize("format_", list(Format))
@pytest.mark.parametrize("bad", ['a"b', "a\nb", "a;b", "a|b", "=cmd()", "\u202eright", "บ้าน"])
def test_no_text_of_ours_ends_a_line_a_string_or_begins_a_comment(format_, bad):
    entries = [(1, draft(("payment:cash", "guest_deposit", 1), subject=f"booking:{bad}"))]
    journal = text(format_, entries, {"payment:cash": 1, "guest_deposit": 1})
    assert bad not in journal
    assert len(journal.splitlines()) == len(
        text(format_, [(1, draft(*[("payment:cash", "guest_deposit", 1)]))], {}).splitlines()
    )


def test_accounts_of_alike_codes_keep_apart():
    sides = {"household:a b": "credit", "household:a-b": "credit", "household:a_b": "credit"}
    assert len(set(account_names(sides).values())) == 3


@pytest.mark.parametrize(("wrong", "accepted"), [(0, True), (1, False)])
@pytest.mark.parametrize("program", ["hledger", "bean-check"])
def test_other_programs_accept_it_and_refuse_a_balance_that_is_a_satang_off(
    program, wrong, accepted, tmp_path
):
    own = str(Path(sys.executable).parent)
    found = shutil.which(program) or shutil.which(program, path=own)
    if found is None:
        pytest.skip(f"{program} is not on this machine")
    format_ = Format.HLEDGER if program == "hledger" else Format.BEANCOUNT
    path = tmp_path / "books.journal"
    path.write_text(text(format_, ENTRIES, BALANCES | {"payment:cash": 123_457 + wrong}))
    command = [found, "-f", path, "check"] if program == "hledger" else [found, "--no-cache", path]
    result = subprocess.run(command, capture_output=True, check=False)
    assert (result.returncode == 0) is accepted, result.stderr
