"""Which payment a line of the bank's statement pays: proposals, and how sure they are. Pure.

Nothing is decided here. A proposal says why, and names all that the line could be; a person, or a
rule that only follows what is certain, confirms it. `docs/algorithms/matching.md` has worked numbers.

What is given in another order gives the same answer: lines and payments are put in an order of
their own first, and a step that several lines could take first is taken by the earliest.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from cbt.clock import village_day
from cbt.payments.bank_lines import BankLine
from cbt.payments.payer_names import is_same_person

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the bank's clock may be from ours: a transfer may seem to precede its code by this."""

AMOUNT_IS_OWN_FOR = timedelta(hours=24)
"""How long after a code was opened no other code gets its amount (`pay.py` sees to it)."""

LATE_FOR = timedelta(days=7)
"""How long after that a transfer may still be the one that was meant."""

PAYOUT_EARLY, PAYOUT_LATE = timedelta(days=1), timedelta(days=7)
CASH_NOTED_WITHIN = timedelta(days=7)
"""How long after cash was brought to the bank somebody may write that down."""

REFUND_WITHIN = timedelta(days=14)
_DAY = timedelta(days=1)


class Why(StrEnum):
    """What speaks for a proposal. The last two propose nothing: they tell that somebody must look."""

    REFERENCE_AND_AMOUNT = "reference_and_amount"
    REFERENCE_ONLY = "reference_only"  # it is named, but the amount differs
    UNIQUE_AMOUNT = "unique_amount"  # at that time nothing else had this amount
    AMOUNT_AND_NAME = "amount_and_name"
    AMOUNT_ONLY = "amount_only"  # nothing else is left that it could be
    PAID_TWICE = "paid_twice"  # it fits what another line paid already
    AMBIGUOUS = "ambiguous"


class Certainty(StrEnum):
    CERTAIN = "certain"  # one candidate, and nothing speaks against it
    LIKELY = "likely"
    UNSURE = "unsure"  # a person has to choose


@dataclass(frozen=True)
class OpenPayment:
    """An attempt to pay that a transfer to the account may have paid; its id is its own.

    `references` are those that its code carried (tag 30: the booking's, then one of the attempt);
    `bank_reference` is the one under which somebody confirmed it. `confirmed_at` tells that a person
    saw the money, `is_seen` that a line of the bank is known for it already.
    """

    attempt_id: int
    reference: str
    amount_satang: int
    opened_at: datetime
    expires_at: datetime
    references: tuple[str, ...] = ()
    guest_name: str = ""
    needs_own_amount: bool = True
    confirmed_at: datetime | None = None
    bank_reference: str = ""
    is_seen: bool = False


@dataclass(frozen=True)
class Payout:
    """Money that a provider says it sends to the account, and the day on which it should arrive.

    `early` is how long before that day it may be there: cash is written down after it was brought.
    """

    payout_id: int
    reference: str
    amount_satang: int
    expected_on: date
    is_seen: bool = False
    early: timedelta = PAYOUT_EARLY


@dataclass(frozen=True)
class OutgoingRefund:
    """A refund that a person transfers by hand; `proof` is the reference that they noted."""

    refund_id: int
    amount_satang: int
    requested_at: datetime
    done_at: datetime | None = None
    proof: str = ""
    guest_name: str = ""
    is_seen: bool = False


@dataclass(frozen=True)
class Proposal:
    """What a line probably is. `target_id` is the attempt, payout or refund; None if undecided.

    `candidates` are all ids that it could be, in their order.
    """

    line: BankLine
    target_id: int | None
    why: Why
    certainty: Certainty
    candidates: tuple[int, ...]


@dataclass(frozen=True)
class Matching:
    """A proposal for every line that could be something, and the lines that fit nothing.

    Lines of the other direction are in neither. Both in the order of their days.
    """

    proposals: tuple[Proposal, ...]
    unmatched: tuple[BankLine, ...]


@dataclass(frozen=True)
class Unseen:
    """A confirmed transfer for which no line came; `maybe` are keys of lines nobody could assign."""

    attempt_id: int
    maybe: tuple[str, ...]


def match_payments(
    lines: Iterable[BankLine], payments: Iterable[OpenPayment], zone: str
) -> Matching:
    """What the credits of the account pay. `zone` is the bank's, for lines that tell only a day.

    A code with its own amount is known by it for a day; any reference that the line names, of the
    booking or of a confirmation, counts more than an amount.
    """
    return _match(lines, [_of_payment(each) for each in payments], zone, 1)


def match_payouts(lines: Iterable[BankLine], payouts: Iterable[Payout], zone: str) -> Matching:
    """Which credits are a provider's payouts: by its reference, else by amount and day."""
    return _match(lines, [_of_payout(each) for each in payouts], zone, 1)


def match_outgoing(
    lines: Iterable[BankLine], refunds: Iterable[OutgoingRefund], zone: str
) -> Matching:
    """Which debits are refunds made by hand: by the noted proof, else by amount, days and name."""
    return _match(lines, [_of_refund(each) for each in refunds], zone, -1)


def unseen(
    payments: Sequence[OpenPayment],
    lines: Sequence[BankLine],
    first_on: date,
    last_on: date,
    zone: str,
) -> list[Unseen]:
    """Transfers that a person confirmed and the bank does not show, by attempt id.

    `lines` are all of the account for the days from `first_on` to `last_on`, both included, and
    `payments` all that they may pay. Only a transfer that must have come within these days is
    missed: its code was opened and its money confirmed there.
    """
    matching = match_payments(lines, payments, zone)
    shown = {each.target_id for each in matching.proposals if each.why != Why.PAID_TWICE}
    maybe = defaultdict(list)
    for each in matching.proposals:
        for candidate in each.candidates if each.target_id is None else ():
            maybe[candidate].append(each.line.bank_key)
    return [
        Unseen(each.attempt_id, tuple(maybe[each.attempt_id]))
        for each in sorted(payments, key=lambda each: each.attempt_id)
        if each.attempt_id not in shown
        and not each.is_seen
        and each.confirmed_at is not None
        and first_on <= village_day(each.opened_at, zone)
        and village_day(each.confirmed_at, zone) <= last_on
    ]


# --- what a line can be --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Target:
    """Anything that a line may be, and whose it is: tries to pay one booking have one `owner`.

    `names` tell it by themselves; `marks` only among its namesakes.

    Its amount alone counts from `since` to `until`, and with less weight up to `latest`.
    """

    id: int
    owner: str
    amount_satang: int
    names: frozenset[str]
    marks: frozenset[str]
    person: str
    has_own_amount: bool
    since: datetime | date
    until: datetime | date
    latest: datetime | date
    is_seen: bool


def _of_payment(each: OpenPayment) -> _Target:
    own_until = max(each.expires_at, each.opened_at + AMOUNT_IS_OWN_FOR)
    return _Target(
        id=each.attempt_id,
        owner=each.reference,
        amount_satang=each.amount_satang,
        names=_names(each.reference, each.bank_reference, *each.references[:1]),
        marks=_names(*each.references[1:]),
        person=each.guest_name,
        has_own_amount=each.needs_own_amount,
        since=each.opened_at - CLOCKS_DIFFER,
        until=own_until + CLOCKS_DIFFER,
        latest=own_until + LATE_FOR,
        is_seen=each.is_seen,
    )


def _of_payout(each: Payout) -> _Target:
    return _Target(
        id=each.payout_id,
        owner=each.reference,
        amount_satang=each.amount_satang,
        names=_names(each.reference),
        marks=frozenset(),
        person="",
        has_own_amount=True,
        since=each.expected_on - each.early,
        until=each.expected_on + PAYOUT_LATE,
        latest=each.expected_on + PAYOUT_LATE,
        is_seen=each.is_seen,
    )


def _of_refund(each: OutgoingRefund) -> _Target:
    until = each.done_at or each.requested_at + REFUND_WITHIN
    return _Target(
        id=each.refund_id,
        owner=each.proof,
        amount_satang=each.amount_satang,
        names=_names(each.proof),
        marks=frozenset(),
        person=each.guest_name,
        has_own_amount=False,
        since=each.requested_at - CLOCKS_DIFFER,
        until=until + _DAY,
        latest=until + LATE_FOR,
        is_seen=each.is_seen,
    )


def _names(*references: str) -> frozenset[str]:
    return frozenset(filter(None, map(_letters_and_digits, references)))


def _letters_and_digits(text: str) -> str:
    return "".join(_runs(text))


def _runs(text: str) -> list[str]:
    """The words of Latin letters and digits in a text, in capitals; Thai digits count as digits."""
    plain = unicodedata.normalize("NFKC", text).upper()
    if not plain.isascii():
        plain = "".join(
            str(unicodedata.decimal(each)) if each.isdecimal() else each for each in plain
        )
    return re.findall(r"[A-Z0-9]+", plain)


# --- references ----------------------------------------------------------------------------------

_SHORTEST_NAME = 5  # a shorter one could stand in any text, so it names nothing
_MOST_PIECES = 4  # a bank may cut a reference at the end of a line, and people write it in groups
_ANOTHER = re.compile(r"(?<![A-Z0-9])B-[2-9A-HJKMNP-Z]{6}(?![A-Z0-9])")


def _match(
    lines: Iterable[BankLine], targets: Sequence[_Target], zone: str, direction: Literal[1, -1]
) -> Matching:
    """Lines that name a target first; then the others, amount by amount."""
    ours = _in_order(line for line in lines if line.amount_satang * direction > 0)
    live = [line for line in ours if not line.is_reversal]
    ordered = sorted(targets, key=lambda each: each.id)
    named = _Named(ordered)
    pools = {line.bank_key: named.pool(line) for line in live}
    proposals = _by_reference([line for line in live if pools[line.bank_key]], pools, zone)
    taken = {each.target_id for each in proposals}
    rest = defaultdict(list)
    for line in live:
        if not pools[line.bank_key]:
            rest[abs(line.amount_satang)].append(line)
    for amount, group in rest.items():
        alike = [each for each in ordered if each.amount_satang == amount]
        proposals += _Amounts(group, alike, taken, zone).propose()
    known = {each.line.bank_key for each in proposals}
    return Matching(
        proposals=tuple(sorted(proposals, key=lambda each: _order(each.line))),
        unmatched=tuple(line for line in ours if line.bank_key not in known),
    )


def _in_order(lines: Iterable[BankLine]) -> list[BankLine]:
    """Each line once, the earliest first; of one day those with an hour by it, after the others."""
    return sorted({line.bank_key: line for line in lines}.values(), key=_order)


def _order(line: BankLine) -> tuple[date, str, str]:
    return line.booked_on, line.booked_at.isoformat() if line.booked_at else "", line.bank_key


class _Named:
    """Finds the targets that a line names."""

    def __init__(self, targets: Sequence[_Target]) -> None:
        self._by_name: dict[str, list[_Target]] = defaultdict(list)
        for target in targets:
            for name in target.names:
                for written in (name, *(name + mark for mark in target.marks)):
                    if len(written) >= _SHORTEST_NAME:
                        self._by_name[written].append(target)
        self._longest = max(map(len, self._by_name), default=0)

    def pool(self, line: BankLine) -> list[_Target]:
        """The targets that the line names, those whose own mark it bears before their namesakes."""
        runs = _runs(f"{line.reference} {line.text}")
        found = {
            target.id: target
            for word in self._words(runs)
            for target in self._by_name.get(word, ())
        }
        pool = sorted(found.values(), key=lambda each: each.id)
        marked = [each for each in pool if self._is_marked(each, runs)]
        return marked or pool

    def _words(self, runs: Sequence[str]) -> Iterable[str]:
        """Each run, and each few that follow each other as one word."""
        for start in range(len(runs)):
            word = ""
            for run in runs[start : start + _MOST_PIECES]:
                word += run
                if len(word) > self._longest:
                    break
                yield word

    def _is_marked(self, target: _Target, runs: Sequence[str]) -> bool:
        glued = {name + mark for name in target.names for mark in target.marks}
        return bool(target.marks.intersection(runs) or glued.intersection(self._words(runs)))


def _by_reference(
    lines: Sequence[BankLine], pools: Mapping[str, Sequence[_Target]], zone: str
) -> list[Proposal]:
    """Each line takes a target that it names and that no earlier one took, equal amounts first."""
    proposals, taken = [], set()
    exact = {line.bank_key: _of_amount(line, pools[line.bank_key]) for line in lines}
    for line in sorted(lines, key=lambda line: (not exact[line.bank_key], _order(line))):
        pool = exact[line.bank_key] or pools[line.bank_key]
        ids = tuple(each.id for each in pool)
        if len({each.owner for each in pool}) > 1:
            proposals.append(Proposal(line, None, Why.AMBIGUOUS, Certainty.UNSURE, ids))
            continue
        free = [each for each in pool if not each.is_seen and each.id not in taken]
        # Among the tries to pay one booking, the last that was begun before the line is likeliest.
        best = max(free or pool, key=lambda each: (_is_due(line, each, zone), each.id))
        certainty = Certainty.LIKELY
        if not free:
            why = Why.PAID_TWICE
        elif not exact[line.bank_key]:
            why = Why.REFERENCE_ONLY
        else:
            why = Why.REFERENCE_AND_AMOUNT
            if len(pool) == 1 and _is_due(line, best, zone):
                certainty = Certainty.CERTAIN
        taken.add(best.id)
        proposals.append(Proposal(line, best.id, why, certainty, ids))
    return proposals


def _of_amount(line: BankLine, pool: Sequence[_Target]) -> list[_Target]:
    return [each for each in pool if each.amount_satang == abs(line.amount_satang)]


def _is_due(line: BankLine, target: _Target, zone: str) -> bool:
    return _lies(line, target.since, target.latest, zone)


# --- amounts -------------------------------------------------------------------------------------


class _Amounts:
    """Lines and targets of one amount. A line that can be one thing only takes it, and so may leave
    another line with one thing only: this goes on until nothing changes."""

    def __init__(
        self,
        lines: Sequence[BankLine],
        targets: Sequence[_Target],
        taken: Iterable[int | None],
        zone: str,
    ) -> None:
        self._targets = {each.id: each for each in targets}
        self._free = {each.id for each in targets if not each.is_seen}.difference(taken)
        self._candidates = {line.bank_key: _candidates(line, targets, zone) for line in lines}
        self._lines = [line for line in lines if self._candidates[line.bank_key]]
        self._agreeing = {
            line.bank_key: {
                each.id
                for each in self._candidates[line.bank_key]
                if is_same_person(line.payer, each.person)
            }
            for line in self._lines
        }
        self._near = {
            (line.bank_key, each.id)
            for line in self._lines
            for each in self._candidates[line.bank_key]
            if _lies(line, each.since, each.until, zone)
        }

    def propose(self) -> list[Proposal]:
        waiting, settled = list(self._lines), {}
        while takes := self._only_ones(waiting):
            for target_id, line in takes.items():
                settled[line.bank_key] = target_id
            self._free.difference_update(takes)
            waiting = [line for line in waiting if line.bank_key not in settled]
        undecided = [self._undecided(line) for line in waiting]
        twice = [each for each in undecided if each.why == Why.PAID_TWICE]
        contested = {target_id for each in twice for target_id in each.candidates}
        decided = [
            self._decided(line, self._targets[settled[line.bank_key]], contested)
            for line in self._lines
            if line.bank_key in settled
        ]
        return decided + undecided

    def _only_ones(self, waiting: Sequence[BankLine]) -> dict[int, BankLine]:
        """Who takes what in this step: of several lines that can be one thing only, the payer's own
        name goes before the others, then the earliest."""
        takes: dict[int, BankLine] = {}
        for is_named in (True, False):
            for line in waiting:
                options = self._options(line)
                agrees = not self._agreeing[line.bank_key].isdisjoint(options)
                if len(options) == 1 and agrees == is_named:
                    takes.setdefault(options[0], line)
        return takes

    def _options(self, line: BankLine) -> list[int]:
        """What is still free for the line; those of the payer's name, if there are."""
        free = [each.id for each in self._candidates[line.bank_key] if each.id in self._free]
        return [each for each in free if each in self._agreeing[line.bank_key]] or free

    def _decided(self, line: BankLine, target: _Target, contested: set[int]) -> Proposal:
        candidates = self._candidates[line.bank_key]
        is_named = target.id in self._agreeing[line.bank_key]
        is_own = target.has_own_amount and len(candidates) == 1
        is_near = (line.bank_key, target.id) in self._near
        if is_own and is_near:
            why = Why.UNIQUE_AMOUNT
            is_marked = is_named or line.amount_satang % 100 != 0
            is_sure = is_marked and target.id not in contested and not names_another(line)
            certainty = Certainty.CERTAIN if is_sure else Certainty.LIKELY
        elif is_named:
            why, certainty = Why.AMOUNT_AND_NAME, Certainty.LIKELY
        else:
            why, certainty = Why.AMOUNT_ONLY, Certainty.UNSURE
        ids = tuple(each.id for each in candidates)
        return Proposal(line, target.id, why, certainty, ids)

    def _undecided(self, line: BankLine) -> Proposal:
        ids = tuple(each.id for each in self._candidates[line.bank_key])
        if self._options(line):
            return Proposal(line, None, Why.AMBIGUOUS, Certainty.UNSURE, ids)
        target_id = ids[0] if len(ids) == 1 else None
        return Proposal(line, target_id, Why.PAID_TWICE, Certainty.UNSURE, ids)


def _candidates(line: BankLine, targets: Sequence[_Target], zone: str) -> list[_Target]:
    """Those in whose own time the line lies; where there are none, those for which it is late."""
    near = [each for each in targets if _lies(line, each.since, each.until, zone)]
    return near or [each for each in targets if _lies(line, each.since, each.latest, zone)]


def names_another(line: BankLine) -> bool:
    """Whether the text holds a booking's reference. Asked of lines that name nothing we wait for."""
    return bool(
        _ANOTHER.search(unicodedata.normalize("NFKC", f"{line.reference} {line.text}").upper())
    )


def _lies(line: BankLine, since: datetime | date, until: datetime | date, zone: str) -> bool:
    """Whether the line lies in the time, by the instant if both tell one, else by the day."""
    if line.booked_at and isinstance(since, datetime) and isinstance(until, datetime):
        return since <= line.booked_at <= until
    return _day(since, zone) <= line.booked_on <= _day(until, zone)


@lru_cache(maxsize=8_192)
def _day(when: datetime | date, zone: str) -> date:
    return village_day(when, zone) if isinstance(when, datetime) else when
