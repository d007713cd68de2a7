"""What a community tells a payer's bank about a disputed payment: from facts, in English. Pure.

The keys are those of Stripe's evidence that take text (others want uploaded files). Banks read
English, whatever the guest or the host reads. No card data is known here, so none is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cbt.bookings.terms import Terms
from cbt.clock import to_village

LONGEST = 20_000
"""What one field may hold at most; what goes beyond is cut off at the end."""

FIELDS = (
    "product_description",
    "customer_name",
    "customer_email_address",
    "service_date",
    "cancellation_policy_disclosure",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "access_activity_log",
    "uncategorized_text",
)


@dataclass(frozen=True)
class Moment:
    """Something that happened, in words of the record: a mail's kind, a phone's number."""

    at: datetime
    what: str


@dataclass(frozen=True)
class EvidenceFacts:
    """All that is known of what a disputed payment bought. Money in satang, instants in UTC."""

    community: str
    zone: str
    reference: str
    title: str
    meeting_point: str
    service_on: date
    begins_at: datetime
    party: Sequence[tuple[str, int, int]]
    """(what, how many, satang each) of each line and extra."""
    price_satang: int
    discount_satang: int
    guest_name: str
    guest_email: str
    booked_at: datetime
    terms: Terms
    payment_id: str
    method: str
    paid_satang: int
    paid_at: datetime
    receipt_number: int
    disputed_satang: int
    reason: str
    returned: Sequence[tuple[datetime, int]]
    """(when, satang) of money that was given back."""
    cancelled_at: datetime | None
    called_off: bool
    arrivals: Sequence[tuple[datetime, str, int]]
    """(when, device, people) of each scan at arrival."""
    no_show: str
    mails: Sequence[Moment]


def write(facts: EvidenceFacts, words: str = "") -> dict[str, str]:
    """The evidence by field, empty ones left out; `words` are what the community adds itself."""
    texts = {
        "product_description": _sold(facts),
        "customer_name": facts.guest_name,
        "customer_email_address": facts.guest_email,
        "service_date": f"{facts.service_on.day} {facts.service_on:%B %Y}",
        "cancellation_policy_disclosure": _terms(facts),
        "refund_policy_disclosure": _terms(facts),
        "refund_refusal_explanation": _refunds(facts),
        "access_activity_log": _arrivals(facts),
        "uncategorized_text": _rest(facts, words),
    }
    return {name: texts[name][:LONGEST] for name in FIELDS if texts[name]}


def with_words(evidence: Mapping[str, str], words: str) -> dict[str, str]:
    """Evidence with what a person of the community adds, first of all in the text that is read last."""
    rest = evidence.get("uncategorized_text", "")
    added = f"From the community:\n{words.strip()}\n\n" if words.strip() else ""
    return {**evidence, "uncategorized_text": (added + rest)[:LONGEST]}


def _sold(facts: EvidenceFacts) -> str:
    lines = [
        f"A guided trip with the village community {facts.community}, Thailand: {facts.title}.",
        f"Booking {facts.reference}, starting {_at(facts.begins_at, facts.zone)}.",
        f"Meeting point: {facts.meeting_point}",
        *(f"{number} x {what}, {_baht(each)} each" for what, number, each in facts.party),
    ]
    if facts.discount_satang:
        lines.append(f"Discount: {_baht(facts.discount_satang)}")
    return "\n".join([*lines, f"Price: {_baht(facts.price_satang)}"])


def _terms(facts: EvidenceFacts) -> str:
    tiers = [
        f"Cancelled at least {tier.days_before} days before the start:"
        f" {_percent(tier.refund_bp)} of what was paid comes back."
        for tier in facts.terms.tiers
    ]
    return "\n".join(
        [
            "These terms apply to the booking. They are shown before a booking is made, and"
            " were frozen into the booking when it was made"
            f" ({_at(facts.booked_at, facts.zone)}):",
            *tiers,
            "Cancelled later: nothing comes back.",
            "Called off by the community: everything comes back.",
        ]
    )


def _refunds(facts: EvidenceFacts) -> str:
    lines = []
    if facts.cancelled_at:
        what = "The community called the trip off" if facts.called_off else "The guest cancelled"
        lines.append(f"{what} {_at(facts.cancelled_at, facts.zone)}.")
    else:
        lines.append("The guest has not cancelled the booking.")
    lines += [f"Returned {_at(at, facts.zone)}: {_baht(each)}" for at, each in facts.returned]
    if not facts.returned and not facts.called_off:
        lines.append("Under the terms above nothing was due back, and nothing was returned.")
    return "\n".join(lines)


def _arrivals(facts: EvidenceFacts) -> str:
    if not facts.arrivals:
        return ""
    scans = [
        f"{_at(at, facts.zone)}: {people} people, noted on device {device}"
        for at, device, people in facts.arrivals
    ]
    head = "The guest was checked in on arrival by the hosts:"
    return "\n".join([head, *scans])


def _rest(facts: EvidenceFacts, words: str) -> str:
    lines = [
        f"Payment {facts.payment_id}: {_baht(facts.paid_satang)} {facts.method},"
        f" {_at(facts.paid_at, facts.zone)}, our receipt number {facts.receipt_number}.",
        f"Disputed: {_baht(facts.disputed_satang)}, for the reason given as: {facts.reason}.",
    ]
    if facts.no_show:
        lines.append(f"The party did not come. Noted on the day: {facts.no_show}")
    if facts.mails:
        lines.append("Mails that were sent to the guest about this booking:")
        lines += [f"{_at(each.at, facts.zone)}: {each.what}" for each in facts.mails]
    text = "\n".join(lines)
    return with_words({"uncategorized_text": text}, words)["uncategorized_text"]


def _at(instant: datetime, zone: str) -> str:
    at = to_village(instant, zone)
    return f"{at.day} {at:%B %Y, %H:%M} (Thailand time)"


def _baht(satang: int) -> str:
    return f"THB {satang // 100:,}.{satang % 100:02}"


def _percent(bp: int) -> str:
    return f"{bp // 100} percent" if not bp % 100 else f"{bp // 100}.{bp % 100:02} percent"
