"""Reading periods: what is closed, what an open one holds, who signed, and each household's lines."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, not_, select
from sqlalchemy.orm import Session

from cbt.communities import chart
from cbt.communities.models import Household
from cbt.db import Condition, columns
from cbt.errors import NotFound
from cbt.i18n import Localized
from cbt.ledger import queries as ledger
from cbt.ledger.models import CREDIT, Entry, LedgerAccount
from cbt.ledger.queries import Posted
from cbt.revenue.closed import (
    CloseDraft,
    HouseholdStatement,
    Period,
    PeriodBalance,
    PeriodRule,
    PeriodSignature,
    SigningKey,
)
from cbt.revenue.periods import Close, Span, concerns, last_day_of
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.rulebook import Answer
from cbt.revenue.signing import SignerRole
from cbt.revenue.statement_text import Balance, Head, Item, digest_of, kind_of

HOUSEHOLDS = chart.household("")
RECEIVABLES = "receivable:"


@dataclass(frozen=True)
class PeriodCard:
    """A closed period."""

    id: int
    community_id: int
    number: int
    month: date
    closing_seq: int
    head_hash: str
    statement_root: str
    record: str
    seal: str
    prepared_by: int
    prepared_at: datetime
    approved_by: int
    closed_at: datetime

    @property
    def record_digest(self) -> str:
        return digest_of(self.record)


@dataclass(frozen=True)
class DraftCard:
    """A prepared close that waits for a second person."""

    id: int
    month: date
    fingerprint: str
    explanations: Mapping[str, str]
    prepared_by: int
    prepared_at: datetime


@dataclass(frozen=True)
class SignatureCard:
    """A signer's signature with the key that made it."""

    role: SignerRole
    public_key: str
    signature: str
    signed_by: int | None
    signed_at: datetime


@dataclass(frozen=True)
class StatementCard:
    """A closed statement as it was hashed, with the household it is of."""

    period_id: int
    place: int
    household: str
    household_name: Localized
    text: str
    leaf_hash: str
    earned_satang: int


@dataclass(frozen=True)
class KeyCard:
    """A key that signs periods; `follows` is the key whose place it took."""

    id: int
    community_id: int | None
    role: str
    person_id: int | None
    public_key: str
    locked: str | None
    follows: int | None
    reason: str
    endorsement: str
    recorded_at: datetime


# --- what is closed ------------------------------------------------------------------------------


def list_closes(session: Session, community_id: int) -> tuple[Close, ...]:
    """The closed periods of a community, in their order."""
    rows = session.execute(
        select(Period.month, Period.closing_seq)
        .where(Period.community_id == community_id)
        .order_by(Period.number)
    )
    return tuple(Close(*row) for row in rows)


def last_closed_day(session: Session, community_id: int) -> date | None:
    """The last day of the last closed month; None while none is closed."""
    closes = list_closes(session, community_id)
    return last_day_of(closes[-1].month) if closes else None


def list_periods(session: Session, community_id: int) -> list[PeriodCard]:
    """Closed periods, the newest first."""
    rows = session.execute(
        select(*columns(Period, PeriodCard))
        .where(Period.community_id == community_id)
        .order_by(Period.number.desc())
    )
    return [PeriodCard(*row) for row in rows]


def find_period(session: Session, community_id: int, month: date) -> PeriodCard | None:
    row = session.execute(
        select(*columns(Period, PeriodCard)).where(
            Period.community_id == community_id, Period.month == month
        )
    ).one_or_none()
    return PeriodCard(*row) if row else None


def get_period(session: Session, community_id: int, month: date) -> PeriodCard:
    period = find_period(session, community_id, month)
    if period is None:
        raise NotFound(thing="period")
    return period


def find_draft(session: Session, community_id: int) -> DraftCard | None:
    """The prepared close that waits, if one does."""
    row = session.execute(
        select(*columns(CloseDraft, DraftCard)).where(
            CloseDraft.community_id == community_id,
            CloseDraft.used_at.is_(None),
            CloseDraft.withdrawn_at.is_(None),
        )
    ).one_or_none()
    return DraftCard(*row) if row else None


def list_snapshot(session: Session, period_id: int) -> list[Balance]:
    """A closed period's accounts, in the order of their codes."""
    rows = session.execute(
        select(
            LedgerAccount.code,
            PeriodBalance.opening_satang,
            PeriodBalance.debits_satang,
            PeriodBalance.credits_satang,
            PeriodBalance.closing_satang,
        )
        .join(LedgerAccount, LedgerAccount.id == PeriodBalance.account_id)
        .where(PeriodBalance.period_id == period_id)
        .order_by(LedgerAccount.code)
    )
    return sorted((Balance(*row) for row in rows), key=lambda each: each.account)


def list_answers(session: Session, period_id: int) -> list[tuple[Answer, str]]:
    """What the rules found at a close, each with its explanation or an empty text."""
    rows = session.execute(
        select(PeriodRule).where(PeriodRule.period_id == period_id).order_by(PeriodRule.rule)
    ).scalars()
    return [
        (
            Answer(
                each.rule,
                Verdict(each.verdict),
                Severity(each.severity),
                each.threshold,
                each.inputs,
            ),
            each.explanation,
        )
        for each in rows
    ]


def list_signatures(session: Session, period_id: int) -> list[SignatureCard]:
    """Who signed a period, the platform first."""
    return signatures_of(session, [period_id])[period_id]


def signatures_of(session: Session, period_ids: Sequence[int]) -> dict[int, list[SignatureCard]]:
    """Who signed each of some periods, the platform first."""
    rows = session.execute(
        select(
            PeriodSignature.period_id,
            PeriodSignature.role,
            SigningKey.public_key,
            PeriodSignature.signature,
            PeriodSignature.signed_by,
            PeriodSignature.signed_at,
        )
        .join(SigningKey, SigningKey.id == PeriodSignature.key_id)
        .where(PeriodSignature.period_id.in_(period_ids))
        .order_by(PeriodSignature.signed_at)
    )
    found: dict[int, list[SignatureCard]] = {each: [] for each in period_ids}
    for row in rows:
        found[row[0]].append(SignatureCard(SignerRole(row[1]), *row[2:]))
    order = list(SignerRole)
    return {
        each: sorted(some, key=lambda one: order.index(one.role)) for each, some in found.items()
    }


def list_statements(session: Session, period_id: int) -> list[StatementCard]:
    """A period's statements, in the order of their leaves."""
    rows = session.execute(
        select(
            HouseholdStatement.period_id,
            HouseholdStatement.place,
            Household.code,
            Household.name,
            HouseholdStatement.text,
            HouseholdStatement.leaf_hash,
            HouseholdStatement.earned_satang,
        )
        .join(Household, Household.id == HouseholdStatement.household_id)
        .where(HouseholdStatement.period_id == period_id)
        .order_by(HouseholdStatement.place)
    )
    return [StatementCard(*row) for row in rows]


def find_sealed(
    session: Session, community_id: int, household_id: int, month: date
) -> tuple[PeriodCard | None, str]:
    """(the closed period of a month, a household's statement as it was hashed), or (None, "")."""
    row = session.execute(
        select(*columns(Period, PeriodCard), HouseholdStatement.text)
        .outerjoin(
            HouseholdStatement,
            and_(
                HouseholdStatement.period_id == Period.id,
                HouseholdStatement.household_id == household_id,
            ),
        )
        .where(Period.community_id == community_id, Period.month == month)
    ).one_or_none()
    return (PeriodCard(*row[:-1]), row[-1] or "") if row else (None, "")


def list_earned(session: Session, community_id: int, since: date) -> dict[str, int]:
    """What each household earned in the closed periods from the month `since` on, by code."""
    rows = session.execute(
        select(Household.code, HouseholdStatement.earned_satang)
        .join(Household, Household.id == HouseholdStatement.household_id)
        .join(Period, Period.id == HouseholdStatement.period_id)
        .where(Period.community_id == community_id, Period.month >= since)
    )
    earned: dict[str, int] = defaultdict(int)
    for code, amount in rows:
        earned[code] += amount
    return earned


# --- keys ----------------------------------------------------------------------------------------


def list_keys(session: Session, community_id: int) -> list[KeyCard]:
    """Every key that ever could sign a community's periods, the platform's first."""
    rows = session.execute(
        select(*columns(SigningKey, KeyCard))
        .where(SigningKey.community_id.is_(None) | (SigningKey.community_id == community_id))
        .order_by(SigningKey.id)
    )
    keys = [KeyCard(*row) for row in rows]
    return sorted(keys, key=lambda key: (key.community_id is not None, key.id))


def find_key(
    session: Session, community_id: int, role: SignerRole, person_id: int
) -> KeyCard | None:
    """A person's key in force: the one that no other follows."""
    followed = select(SigningKey.follows).where(SigningKey.follows.is_not(None))
    row = session.execute(
        select(*columns(SigningKey, KeyCard)).where(
            SigningKey.community_id == community_id,
            SigningKey.role == role,
            SigningKey.person_id == person_id,
            SigningKey.id.not_in(followed),
        )
    ).one_or_none()
    return KeyCard(*row) if row else None


# --- what a period holds -------------------------------------------------------------------------


def entries_of(span: Span) -> list[Condition]:
    """The condition that an entry belongs to a period, as `Span.holds` says it."""
    conditions: list[Condition] = [Entry.effective_on <= span.last_day]
    if span.closing_seq is not None:
        conditions.append(Entry.seq <= span.closing_seq)
    if span.before is not None:
        within = and_(
            Entry.effective_on <= last_day_of(span.before.month),
            Entry.seq <= span.before.closing_seq,
        )
        conditions.append(not_(within))
    if span.after is not None:
        conditions.append(Entry.effective_on > span.after)
    return conditions


def stream_period(session: Session, book_id: int, span: Span, *more: Condition) -> Iterable[Posted]:
    """A period's entries, in the order of their numbers."""
    return ledger.stream_entries(session, book_id, *entries_of(span), *more)


def list_balances(
    session: Session, book_id: int, span: Span, opening: Mapping[str, int]
) -> tuple[list[Balance], dict[str, int]]:
    """(every account over a period, in the order of codes; {code: account id})."""
    balances, ids = [], {}
    moved = ledger.list_movements(session, book_id, *entries_of(span))
    for each in sorted(moved, key=lambda each: each.account):
        before = opening.get(each.account, 0)
        gained = each.credits_satang - each.debits_satang
        after = before + (gained if each.side == CREDIT else -gained)
        ids[each.account] = each.account_id
        balances.append(
            Balance(each.account, before, each.debits_satang, each.credits_satang, after)
        )
    return balances, ids


def list_items(
    session: Session, book_id: int, span: Span, prefix: str = HOUSEHOLDS
) -> dict[str, list[Item]]:
    """The lines of each household in a period, by code, in the order of entries and legs.

    `prefix` may name one household's account; what else its entries hold comes along.
    """
    items: dict[str, list[Item]] = defaultdict(list)
    touching = ledger.is_touching(book_id, prefix)
    for entry in stream_period(session, book_id, span, touching):
        for code, item in items_of(entry, span.month):
            items[code].append(item)
    return items


def items_of(entry: Posted, month: date) -> Iterator[tuple[str, Item]]:
    """(household, line) of each leg of an entry that moves a household's account.

    `month` is the period that it is looked at from.
    """
    about = concerns(entry.draft.effective_on, month)
    for number, leg in enumerate(entry.draft.legs, start=1):
        for account, other, amount in (
            (leg.target, leg.source, leg.amount_satang),
            (leg.source, leg.target, -leg.amount_satang),
        ):
            if not account.startswith(HOUSEHOLDS):
                continue
            item = Item(
                entry_seq=entry.seq,
                leg=number,
                effective_on=entry.draft.effective_on,
                concerns=about,
                kind=kind_of(other, amount),
                amount_satang=amount,
                subject=entry.draft.subject,
                rule=leg.rule,
            )
            yield account.removeprefix(HOUSEHOLDS), item


def closing_of(snapshot: Sequence[Balance]) -> dict[str, int]:
    """{account: what it held at the end}."""
    return {each.account: each.closing_satang for each in snapshot}


def read_head(text: str) -> Head:
    """The head of a stored statement. Raises ValueError for a text that is none."""
    fields = dict(line.split(":", 1) for line in text.splitlines()[1:13])
    return Head(
        community=fields["community"],
        month=date.fromisoformat(f"{fields['period']}-01"),
        household=fields["household"],
        opening_satang=int(fields["opening"]),
        earned_satang=int(fields["earned"]),
        recovered_satang=int(fields["recovered"]),
        paid_out_satang=int(fields["paid_out"]),
        other_satang=int(fields["other"]),
        owed_satang=int(fields["owed"]),
        line_count=int(fields["lines"]),
        lines_digest=fields["digest"],
    )
