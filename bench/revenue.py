"""Revenue beside its floors, on SQLite and PostgreSQL: python -m bench.revenue [--quick | --full]."""

import argparse
import gc
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import StringIO

from bench import bare_month, month
from bench.booking import Place, places
from bench.month import MONTH, SETTLED, Month
from bench.pairs import Beside, Rate, compare, rate_of, server_seconds
from cbt.audit.closing import run_audit
from cbt.audit.verify import verify
from cbt.db import db
from cbt.ledger import queries as books
from cbt.ledger.journal import Format
from cbt.revenue import close, keys, services, settling
from cbt.revenue.close_facts import AuditFacts
from cbt.revenue.period_queries import get_period
from cbt.revenue.policy import DEFAULT
from cbt.revenue.sharing import share
from cbt.revenue.signing import SignerRole
from cbt.revenue.split import Cost, split
from tests.revenue import closing

HOUSEHOLDS = 200
TO_A_TRIP = 8
CLOSED = closing.AFTER


@dataclass(frozen=True)
class Counts:
    """Rounds, bookings of a month, and how often a rule is asked within a round."""

    rounds: int
    bookings: int
    sums: int


QUICK = Counts(rounds=2, bookings=200, sums=500)
USUAL = Counts(rounds=4, bookings=800, sums=4_000)
FULL = Counts(rounds=5, bookings=5_000, sums=20_000)


# --- rules ---------------------------------------------------------------------------------------


def measure_rules(counts: Counts) -> None:
    """Both rules beside the bare sum that stands in each, on the same amounts."""
    print("rules")
    chance = random.Random(20_261_124)
    amounts = [chance.randrange(50_000, 900_000) for _ in range(counts.sums)]
    costs = (Cost("insurance", 4_000),)
    # as many weights as the split has parts: a cost, two fees, six buckets
    nine = [4_000, 300, 0, *DEFAULT.shares.values()]

    def all_of(do: Callable[[int, int], object]) -> Callable[[int], Rate]:
        def run(_number: int) -> Rate:
            def every() -> None:
                for turn, amount in enumerate(amounts):
                    do(amount, turn)

            return rate_of(every, len(amounts))

        return run

    compare(
        "split of a booking",
        counts.rounds,
        all_of(lambda amount, _turn: bare_month.largest_remainder(amount, nine)),
        all_of(lambda amount, _turn: split(amount, costs, 1_500, DEFAULT)),
        0.6,
    )
    for many in (8, 30, 100):
        weights = [chance.randrange(10_000, 200_000) for _ in range(many)]
        register = tuple(f"H{number:03}" for number in range(1, many + 1))
        by_code = dict(zip(register, weights, strict=True))
        compare(
            f"sharing-out among {many} households",
            counts.rounds,
            all_of(lambda amount, _turn, to=weights: bare_month.largest_remainder(amount, to)),
            all_of(lambda amount, turn, to=by_code, codes=register: share(amount, to, codes, turn)),
            0.6 if many == 30 else None,
        )


# --- a month -------------------------------------------------------------------------------------


class Village:
    """A month of a village on its way: filled, settled, closed, exported."""

    def __init__(self, bookings: int, beside: Beside) -> None:
        self.beside = beside
        self.month: Month = month.fill(bookings, TO_A_TRIP, HOUSEHOLDS)
        self.office = closing.make_office(self.month.village)
        self.card = self.month.village.card
        self.audit: AuditFacts | None = None

    @property
    def batches(self) -> list[Sequence[int]]:
        """The departures, as many at once as a page settles."""
        ids = self.month.departure_ids
        at_once = settling.MOST_AT_ONCE
        return [ids[start : start + at_once] for start in range(0, len(ids), at_once)]

    def look(self, departure_ids: Sequence[int]) -> Mapping[int, str]:
        """The fingerprints of what people are shown before they settle."""
        db.session.rollback()
        outlook = settling.get_outlook(db.session(), self.card.id, departure_ids, SETTLED)
        assert not outlook.obstacles
        return {each: preview.fingerprint for each, preview in outlook.previews.items()}

    def settle(self) -> Rate:
        """All departures, batch by batch; looking before it is not counted."""
        rates = []
        for ids in self.batches:
            seen = self.look(ids)
            rates.append(
                rate_of(
                    lambda seen=seen: services.settle_all(
                        self.card.id, seen, self.office.treasurer, SETTLED
                    ),
                    1,
                    self.beside,
                )
            )
        of = self.month.bookings
        return Rate(
            of / sum(1 / each.wall for each in rates), of / sum(1 / each.cpu for each in rates)
        )

    def close(self) -> Rate:
        """Checklist, rules, figures, one person, a second one, statements, root, platform's signature."""
        audit = self.audit = run_audit(self.card, CLOSED).facts
        assert audit.is_clean
        return rate_of(lambda: self._close(audit), 1, self.beside)

    def _close(self, audit: AuditFacts) -> None:
        db.session.rollback()
        office = self.office
        about = (db.session(), self.card, MONTH, audit, office.treasurer, None, CLOSED)
        seen = close.look(*about)
        said = {each.rule: "we talked about it" for each in seen.answers if each.asks}
        draft = close.prepare_close(
            *(self.card.id, MONTH, seen.figures.fingerprint, said, audit, None),
            *(office.treasurer, CLOSED),
        )
        db.session.rollback()
        close.look(*about)  # what the second person is shown
        close.close_period(
            self.card.id, draft, audit, None, closing.KEY, office.coordinator, CLOSED
        )

    def sign(self) -> Rate:
        """The treasurer and the mentor, each by a password that opens a key."""

        def both() -> None:
            shown = get_period(db.session(), self.card.id, MONTH)
            for role, person in (
                (SignerRole.TREASURER, self.office.treasurer),
                (SignerRole.MENTOR, self.office.mentor),
            ):
                keys.sign_period(
                    self.card.id, shown, role, closing.PASSWORD, closing.KEY, person, CLOSED
                )

        return rate_of(both, 2, self.beside)

    def journal(self) -> tuple[Rate, int]:
        """The rate of entries, and the number of lines."""
        out = StringIO()

        def export() -> None:
            db.session.rollback()
            for line in books.journal(db.session(), self.card.book_id, Format.HLEDGER):
                out.write(line + "\n")

        return rate_of(export, self.entries, self.beside), out.getvalue().count("\n")

    @property
    def entries(self) -> int:
        return books.get_book(db.session(), self.card.book_id).head_seq


def measure(place: Place, counts: Counts) -> None:
    print(place.name)
    with place.app.app_context():
        beside = server_seconds(place.engine)
        villages = [Village(counts.bookings, beside) for _ in range(counts.rounds + 1)]
        _measure_settling(place, counts, villages, beside)
        _measure_closing(place, counts, villages, beside)
        db.session.remove()
        db.engine.dispose()


def _measure_settling(
    place: Place, counts: Counts, villages: Sequence[Village], beside: Beside
) -> None:
    pattern = Village(counts.bookings, beside)
    pattern.settle()
    book_id = pattern.card.book_id
    bare_month.prepare(place.engine, pattern.card.id, book_id)
    batches = bare_month.read_batches(place.engine, book_id, pattern.batches)
    _freeze()

    def floor(number: int) -> Rate:
        rows = bare_month.shifted(batches, number)
        return rate_of(lambda: bare_month.write(place.engine, rows), counts.bookings, beside)

    compare(
        f"settling a month of {counts.bookings} bookings",
        counts.rounds,
        floor,
        lambda number: villages[number].settle(),
        0.35,
    )


def _measure_closing(
    place: Place, counts: Counts, villages: Sequence[Village], beside: Beside
) -> None:
    pattern = Village(counts.bookings, beside)
    pattern.settle()
    pattern.close()
    book_id = pattern.card.book_id
    rows = bare_month.read_close(place.engine, pattern.card.id)
    compare(
        f"closing it, {HOUSEHOLDS} households",
        counts.rounds,
        lambda number: rate_of(
            lambda: bare_month.close(place.engine, book_id, rows, number), 1, beside
        ),
        lambda number: villages[number].close(),
        None,
    )
    signed = [village.sign() for village in villages]
    print(f"    a person's signature {1000 / min(each.cpu for each in signed):.0f} ms")
    lines = []

    def export(number: int) -> Rate:
        rate, written = villages[number].journal()
        lines.append(written)
        return rate

    def bare(number: int) -> Rate:
        village = villages[number]
        return rate_of(
            lambda: bare_month.journal(place.engine, village.card.book_id), village.entries, beside
        )

    compare("journal for hledger, entries", counts.rounds, bare, export, None)
    audited = [rate_of(partial(_verify, village), counts.bookings, beside) for village in villages]
    print(
        f"    lines of a journal: ours {lines[0]}, floor"
        f" {bare_month.journal(place.engine, book_id)};"
        f" audit of all {max(each.cpu for each in audited):.0f} bookings a second"
    )


def _verify(village: Village) -> None:
    db.session.rollback()
    assert not [each.findings for each in verify(db.session(), village.card) if each.findings]


def _freeze() -> None:
    """What is loaded by now stays: the collector need not look through it, as in `wsgi.py`."""
    gc.collect()
    gc.freeze()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer of each, in half a minute")
    parser.add_argument("--full", action="store_true", help="months of 5,000 bookings")
    chosen = parser.parse_args()
    counts = QUICK if chosen.quick else FULL if chosen.full else USUAL
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {counts.rounds} rounds"
        " in turn with the floor, by the clock and by this process's own time; quote the ratios"
    )
    _freeze()
    measure_rules(counts)
    with places() as found:
        for place in found:
            measure(place, counts)


if __name__ == "__main__":
    main()
