"""The last twelve months' rounding, household by household: what was booked beside exact shares."""

from collections.abc import Iterator, Mapping
from datetime import date

from sqlalchemy.orm import Session

from cbt.audit.drift import Drift, drift_of
from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.clock import month_before
from cbt.communities import chart
from cbt.communities.records import CommunityCard
from cbt.ledger import queries as ledger
from cbt.ledger.entries import Draft
from cbt.ledger.models import Entry
from cbt.revenue import posting, queries
from cbt.revenue.posting import SharingFacts
from cbt.revenue.records import SettlementCard

_MONTHS = 12
_AT_ONCE = 200


def check_drift(session: Session, community: CommunityCard) -> Outcome:
    """In the twelve months up to the last trip, rounding carried no household two baht away."""
    settled = _last_year(queries.list_settlements(session, community.id))
    drifts = drift_of(_shared(session, community, settled))
    findings = tuple(
        Finding(Fault.DRIFT_LARGE, f"household:{each.household}", {"drift": words_of(each)})
        for each in drifts
        if each.is_large
    )
    return Outcome(Check.DRIFT, len(settled), findings, drifts)


def words_of(drift: Drift) -> str:
    """A drift in satang with its sign and two decimals, rounded towards zero; for showing only."""
    hundredths = abs(drift.satang.numerator) * 100 // drift.satang.denominator
    sign = "" if not hundredths else "+" if drift.satang > 0 else "−"
    return f"{sign}{hundredths // 100}.{hundredths % 100:02}"


def _last_year(settled: list[SettlementCard]) -> list[SettlementCard]:
    if not settled:
        return []
    since = max(each.service_on for each in settled).replace(day=1)
    for _ in range(_MONTHS - 1):
        since = month_before(since)
    return [each for each in settled if each.service_on >= since]


def _shared(
    session: Session, community: CommunityCard, settled: list[SettlementCard]
) -> Iterator[tuple[SharingFacts, Mapping[str, int]]]:
    for start in range(0, len(settled), _AT_ONCE):
        some = settled[start : start + _AT_ONCE]
        numbered: dict[int, tuple[int, date]] = {
            each.departure_id: (each.number, each.service_on) for each in some
        }
        facts = queries.list_sharing_facts(session, numbered)
        keys = {posting.sharing_key(departure_id): departure_id for departure_id in numbered}
        posted = ledger.stream_entries(session, community.book_id, Entry.key.in_(keys))
        booked = {keys[entry.draft.key]: _to_households(entry.draft) for entry in posted}
        for departure_id in numbered:
            yield facts[departure_id], booked.get(departure_id, {})


def _to_households(draft: Draft) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for leg in draft.legs:
        code = chart.household_of(leg.target)
        if code is not None:
            amounts[code] = amounts.get(code, 0) + leg.amount_satang
    return amounts
