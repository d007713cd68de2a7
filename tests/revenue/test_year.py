"""A made-up community's year of 5,000 bookings: drift of rounding, and books that others read alike."""

import random
import shutil
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from cbt.audit.drift import MOST_SATANG, drift_of
from cbt.ledger.journal import Format, write
from cbt.revenue.policy import DEFAULT
from cbt.revenue.posting import (
    BookingFacts,
    SharingFacts,
    household_totals,
    pools_of,
    sharing_draft,
    split_draft,
)
from cbt.revenue.sharing import Work
from cbt.revenue.split import Cost

BOOKINGS = 5_000
REGISTER = tuple(f"H{number:02}" for number in range(1, 31))


@pytest.mark.parametrize("weights", ["equal", "unequal"])
@pytest.mark.parametrize("prices", ["any", "round"])
def test_rounding_carries_no_household_two_baht_away_in_a_year(weights, prices):
    chance = random.Random(20_261_124)
    year = []
    for turn in range(1, BOOKINGS + 1):
        pool = chance.randrange(10_000, 400_000)
        if prices == "round":
            pool = pool // 10_000 * 10_000
        chosen = sorted(chance.sample(REGISTER, chance.randrange(2, len(REGISTER))))
        units = {code: 1 if weights == "equal" else chance.randrange(1, 7) for code in chosen}
        work = tuple(Work(code, "cook", units[code], 60) for code in chosen)
        on = date(2026, 1, 1) + timedelta(days=turn * 360 // BOOKINGS)
        facts = SharingFacts(turn, on, turn, ((DEFAULT, pool),), work, tuple(chosen))
        year.append((facts, household_totals(facts)))
    drifts = drift_of(year)
    assert [each.household for each in drifts] == list(REGISTER)
    assert sum(each.satang for each in drifts) == 0
    assert max(abs(each.satang) for each in drifts) <= MOST_SATANG
    assert not any(each.is_large for each in drifts)


def the_year():
    """(entries, balances) of a year: every booking split, every departure shared out."""
    chance = random.Random(7)
    entries, balances = [], Counter()
    for number in range(1, BOOKINGS // 2 + 1):
        on = date(2026, 1, 1) + timedelta(days=number * 360 // (BOOKINGS // 2))
        booked = [
            BookingFacts(
                reference=f"B-{number}-{each}",
                service_on=on,
                captured_satang=chance.randrange(50_000, 900_000),
                payment_fee_satang=chance.randrange(0, 9_000),
                costs=(Cost("insurance", 4_000),),
                policy=DEFAULT,
            )
            for each in range(2)
        ]
        workers = chance.sample(REGISTER, 3)
        work = [
            Work(code, task, 1, 60)
            for code, task in zip(workers, ("boat", "guide", "cook"), strict=True)
        ]
        sharing = SharingFacts(
            departure_id=number,
            service_on=on,
            number=number,
            pools=pools_of(booked),
            work=tuple(work),
            register=tuple(sorted(workers)),
        )
        drafts = [split_draft(facts, "") for facts in booked] + [sharing_draft(sharing, "")]
        assert sum(household_totals(sharing).values()) == sum(pool for _p, pool in sharing.pools)
        for draft in drafts:
            entries.append((len(entries) + 1, draft))
            for leg in draft.legs:
                balances[leg.source] += leg.amount_satang
                balances[leg.target] -= leg.amount_satang
    return entries, balances


@pytest.mark.parametrize("program", ["hledger", "bean-check"])
def test_other_programs_find_a_years_balances_to_the_satang(program, tmp_path):
    own = str(Path(sys.executable).parent)
    found = shutil.which(program) or shutil.which(program, path=own)
    if found is None:
        pytest.skip(f"{program} is not on this machine")
    entries, balances = the_year()
    assert sum(draft.kind == "split" for _seq, draft in entries) == BOOKINGS
    sides = dict.fromkeys(balances, "debit")
    format_ = Format.HLEDGER if program == "hledger" else Format.BEANCOUNT
    path = tmp_path / "year.journal"
    for wrong, accepted in ((0, True), (1, False)):
        told = {**balances, "household:H01": balances["household:H01"] + wrong}
        path.write_text("\n".join(write(format_, "a-year", entries, sides, told)) + "\n")
        command = [found, "-f", path, "check"] if program == "hledger" else [found, "-C", path]
        result = subprocess.run(command, capture_output=True, check=False)
        assert (result.returncode == 0) is accepted, result.stderr[:500]
