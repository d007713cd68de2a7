"""One receipt in words: everything that its page and its PDF print, in the current language.

Page and paper are laid out from this one record and add no word of their own, so that they cannot
say different things. Nothing here reads the database, the request or the clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from cbt.baht_words import in_english, in_thai
from cbt.bookings.states import PAID, BookingState, EndReason
from cbt.clock import village_day
from cbt.i18n import (
    _,
    format_baht,
    format_baht_number,
    format_day,
    format_hour,
    format_number,
    language,
    pick,
)
from cbt.payments.provider import RefundState
from cbt.revenue.receipts import ReceiptFacts, Returned
from cbt.web.flow import Stream, draw
from cbt.web.labels import bearer_words, how_words, label, part_words

_OPEN = (BookingState.HELD, BookingState.CONFIRMED)
"""The states in which a booking may still cost something."""
_IN_WORDS = {"th": in_thai, "en": in_english}
WHOLE = 1_000
"""The length of the bar that shows the split, in its own units."""


@dataclass(frozen=True)
class Fact:
    """A label and what stands beside it; `is_own`: a name or code, the same in every language."""

    label: str
    value: str
    is_own: bool = False


@dataclass(frozen=True)
class SoldLine:
    what: str
    quantity: str
    price: str
    amount: str
    note: str = ""


@dataclass(frozen=True)
class Sold:
    """What the booking bought: columns (what, quantity, price, amount), lines, total."""

    heading: str
    title: str
    option: str
    when: str
    note: str
    columns: tuple[str, str, str, str]
    lines: tuple[SoldLine, ...]
    total_label: str
    total: str


@dataclass(frozen=True)
class Sum:
    """An amount and what it is; `name`: a code after the label, the same in every language."""

    label: str
    amount: str
    name: str = ""
    is_strong: bool = False


@dataclass(frozen=True)
class Account:
    """How this money stands: among the booking's other money, or on its way back."""

    heading: str
    sums: tuple[Sum, ...]


@dataclass(frozen=True)
class Share:
    """A part of the split; it fills the bar from `begins` to `ends` (of WHOLE) in its `style`."""

    name: str
    how: str
    amount: str
    style: str
    amount_satang: int
    begins: int
    ends: int


@dataclass(frozen=True)
class SplitSheet:
    """Where the money goes; without shares, `about` says why none can be shown."""

    heading: str
    about: str
    total: str
    shares: tuple[Share, ...]
    policy_name: str
    policy: str


@dataclass(frozen=True)
class ReceiptSheet:
    """A receipt, or an acknowledgement of money that goes back (`is_sale` is False)."""

    language: str
    number: int
    is_sale: bool
    issued_on: date
    heading: str
    number_label: str
    number_words: str
    date_label: str
    date: str
    community: str
    address: str
    contact: str
    watermark: str
    sample: str
    amount_label: str
    amount: str
    amount_words: str
    standing: str
    facts: tuple[Fact, ...]
    sold: Sold | None
    account: Account
    split: SplitSheet | None
    notes: tuple[str, ...]


def number_words(slug: str, number: int) -> str:
    """A receipt's number as it is printed: unique among all communities, in order within one."""
    return f"{slug.upper()}-{number:06}"


def build_sheet(facts: ReceiptFacts) -> ReceiptSheet:
    capture, community = facts.capture, facts.community
    issued_on = village_day(capture.recorded_at, community.zone)
    made_up = (_("Sample data."), _("Prices, names, households and payments here are made up."))
    return ReceiptSheet(
        language=language(),
        number=capture.receipt_number,
        is_sale=capture.buys,
        issued_on=issued_on,
        heading=_("Receipt") if capture.buys else _("Acknowledgement of money to be returned"),
        number_label=_("Number"),
        number_words=number_words(community.slug, capture.receipt_number),
        date_label=_("Date"),
        date=format_day(issued_on, "long"),
        community=pick(community.name),
        address=_(
            "Tambon %(tambon)s, %(district)s, %(province)s",
            tambon=pick(community.tambon),
            district=pick(community.district),
            province=pick(community.province),
        ),
        contact=_("Contact: %(contact)s", contact=pick(community.contact)),
        watermark=_("SAMPLE") if community.is_sample else "",
        sample=" ".join(made_up) if community.is_sample else "",
        amount_label=_("Amount received"),
        amount=format_baht(capture.amount_satang),
        amount_words=_IN_WORDS[language()](capture.amount_satang),
        standing=_standing(facts),
        facts=tuple(_facts(facts, issued_on)),
        sold=_sold(facts) if capture.buys else None,
        account=_account(facts) if capture.buys else _way_back(facts),
        split=_split(facts) if capture.buys else None,
        notes=tuple(_notes(facts)),
    )


def _whole(words: str) -> str:
    """An amount or a day inside a sentence, which no line may end within."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")


def _facts(facts: ReceiptFacts, issued_on: date) -> Iterator[Fact]:
    capture, booking = facts.capture, facts.booking
    paid_on = village_day(capture.paid_at, facts.community.zone)
    if paid_on != issued_on:
        yield Fact(_("Paid on"), format_day(paid_on, "long"))
    if booking.guest.name:
        yield Fact(_("Received from"), booking.guest.name, is_own=True)
    else:
        yield Fact(_("Received from"), _("name erased, as the privacy notice says"))
    yield Fact(_("Booking"), booking.reference, is_own=True)
    yield Fact(_("Paid by"), label(capture.method))
    yield Fact(_("Number of the payment"), capture.payment_id, is_own=True)


def _standing(facts: ReceiptFacts) -> str:
    """What a reader must not overlook: that the trip was cancelled, or that more is to pay."""
    booking = facts.booking
    if not facts.capture.buys:
        return ""
    if booking.state == BookingState.CANCELLED:
        if booking.ended_for is None:
            return _("This booking is cancelled")
        return _("The booking was cancelled: %(why)s.", why=label(EndReason(booking.ended_for)))
    if booking.state == BookingState.CHOOSING:
        return _("The trip was called off. The guest chooses what becomes of the money.")
    if _due_satang(facts):
        due = _whole(format_baht(_due_satang(facts)))
        return _("Part payment. Still to pay: %(amount)s", amount=due)
    return ""


def _due_satang(facts: ReceiptFacts) -> int:
    """What the booking still costs; nothing is due once it is over."""
    if facts.booking.state not in _OPEN:
        return 0
    return max(0, facts.booking.price_satang - facts.money.paid_satang)


# --- what was sold -------------------------------------------------------------------------------


def _sold(facts: ReceiptFacts) -> Sold:
    booking, trip = facts.booking, facts.booking.trip
    changed = _("The booking was changed since it was made. Its lines are those that count now.")
    return Sold(
        heading=_("For"),
        title=pick(trip.experience_title),
        option=pick(trip.option_title),
        when=_(
            "%(day)s, %(hour)s (Thailand time)",
            day=_whole(format_day(trip.starts_on, "full")),
            hour=format_hour(trip.begins_at, facts.community.zone),
        ),
        note=changed if booking.revision > 1 else "",
        columns=(_("Item"), _("Quantity"), _("Price (baht)"), _("Amount (baht)")),
        lines=tuple(_lines(facts)),
        total_label=_("Price of the booking"),
        total=format_baht_number(booking.price_satang),
    )


def _lines(facts: ReceiptFacts) -> Iterator[SoldLine]:
    for line in facts.price.lines:
        yield _line(label(line.unit), line.quantity, line.price_satang)
    for extra in facts.price.add_ons:
        title = pick(facts.extras[extra.code]) if extra.code in facts.extras else extra.code
        yield _line(title, extra.quantity, extra.price_satang)
    booking = facts.booking
    if booking.discount_satang:
        who = bearer_words(booking.discount_bearer) if booking.discount_bearer else ""
        note = _("The discount is borne by: %(who)s.", who=who) if who else ""
        off = f"−{format_baht_number(booking.discount_satang)}"
        yield SoldLine(_("Discount"), "", "", off, note)


def _line(what: str, quantity: int, price_satang: int) -> SoldLine:
    return SoldLine(
        what,
        format_number(quantity),
        format_baht_number(price_satang),
        format_baht_number(quantity * price_satang),
    )


def _less(satang: int) -> str:
    return f"−{format_baht(satang)}"


# --- how the money stands ------------------------------------------------------------------------


def _account(facts: ReceiptFacts) -> Account:
    """From this payment to what is still to pay, line by line."""
    return Account(_("Account of the booking"), tuple(_account_sums(facts)))


def _account_sums(facts: ReceiptFacts) -> Iterator[Sum]:
    own, money = facts.capture, facts.money
    others = tuple(each for each in facts.siblings if each.id != own.id)
    yield Sum(_("This payment"), format_baht(own.amount_satang), is_strong=True)
    for other in others:
        number = number_words(facts.community.slug, other.receipt_number)
        yield Sum(_("Receipt"), format_baht(other.amount_satang), number)
    if money.from_credit_satang:
        yield Sum(_("Paid by credit"), format_baht(money.from_credit_satang))
    yield from _returned_sums(facts)
    back = money.returning_satang + money.given_later_satang
    elsewhere = back - sum(each.amount_satang for each in facts.returned)
    if elsewhere:
        yield Sum(_("Returned of the other payments"), _less(elsewhere))
    if money.credited_satang:
        yield Sum(_("Turned into credit for another trip"), _less(money.credited_satang))
    if money.retained_satang:
        name = _("Kept by the cancellation terms when the price fell")
        yield Sum(name, _less(money.retained_satang))
    if facts.booking.state == BookingState.CANCELLED:
        yield Sum(_("Stays with the community"), format_baht(money.kept_satang), is_strong=True)
    elif money.paid_satang != own.amount_satang:
        yield Sum(_("Counts towards the price"), format_baht(money.paid_satang), is_strong=True)
    if facts.booking.state in _OPEN:
        yield Sum(_("Still to pay"), format_baht(_due_satang(facts)), is_strong=True)


def _way_back(facts: ReceiptFacts) -> Account:
    """Money that bought nothing, until all of it is back with its guest."""
    zone = facts.community.zone
    sums = [
        Sum(_returned_words(each, zone), format_baht(each.amount_satang)) for each in facts.returned
    ]
    there = (RefundState.SUCCEEDED, RefundState.BY_BANK)
    done = (each for each in facts.returned if each.state in there)
    left = facts.capture.amount_satang - sum(each.amount_satang for each in done)
    sums.append(Sum(_("Not returned yet"), format_baht(left), is_strong=True))
    return Account(_("The way back"), tuple(sums))


def _returned_sums(facts: ReceiptFacts) -> Iterator[Sum]:
    for each in facts.returned:
        yield Sum(_returned_words(each, facts.community.zone), _less(each.amount_satang))


def _returned_words(returned: Returned, zone: str) -> str:
    why = label(returned.reason)
    if returned.done_at is not None:
        day = _whole(format_day(village_day(returned.done_at, zone)))
        return _("Returned on %(day)s: %(reason)s", day=day, reason=why)
    if returned.state == RefundState.BY_BANK:
        return _("Returned by the guest's bank: %(reason)s", reason=why)
    return _("Will be returned: %(reason)s", reason=why)


# --- where it goes -------------------------------------------------------------------------------


def _split(facts: ReceiptFacts) -> SplitSheet:
    flow = draw(facts.parts)
    shares = tuple(_shares(flow.streams, flow.total_satang)) if flow.total_satang else ()
    return SplitSheet(
        heading=_("Where each baht goes"),
        about=_about_split(facts, flow.total_satang),
        total=format_baht(flow.total_satang) if shares else "",
        shares=shares,
        policy_name=facts.policy.name if shares else "",
        policy=_policy(facts) if shares else "",
    )


def _about_split(facts: ReceiptFacts, total_satang: int) -> str:
    if total_satang:
        if total_satang == facts.capture.amount_satang and len(facts.siblings) == 1:
            return _("Of this money:")
        return _("Of all money that is there for this booking:")
    if facts.booking.state in PAID:
        return _("What is there so far is too little to be shared out as agreed.")
    if facts.money.kept_satang > 0:
        return _("The money waits, and nothing of it is shared out.")
    return _("Nothing of the money is left to be shared out.")


def _shares(streams: tuple[Stream, ...], total_satang: int) -> Iterator[Share]:
    before = 0
    for stream in streams:
        part = stream.part
        after = before + part.amount_satang
        yield Share(
            name=part_words(part),
            how=how_words(part),
            amount=format_baht(part.amount_satang),
            style=stream.style,
            amount_satang=part.amount_satang,
            begins=before * WHOLE // total_satang,
            ends=after * WHOLE // total_satang,
        )
        before = after


def _policy(facts: ReceiptFacts) -> str:
    policy = facts.policy
    return _(
        "Policy version %(number)s: adopted by %(votes)s of %(present)s households present,"
        " %(meeting)s, %(day)s.",
        number=format_number(policy.number),
        votes=format_number(policy.voted_for),
        present=format_number(policy.present),
        meeting=pick(policy.meeting),
        day=_whole(format_day(policy.adopted_on)),
    )


def _notes(facts: ReceiptFacts) -> Iterator[str]:
    if not facts.capture.buys:
        yield _("This money bought nothing. It belongs to the guest and is no income of anybody.")
    if facts.parts and any(each.fee_satang is None for each in facts.siblings):
        yield _("The payment fee is not known yet; it will be taken off before the shares.")
    if facts.capture.buys:
        yield _("This is a receipt of the community enterprise. It is not a tax invoice.")
    else:
        yield _("This paper is neither a receipt for a sale nor a tax invoice.")
    yield _("Receipts and acknowledgements of a community are numbered together, without a gap.")
    yield _("Guests pay the community directly. This platform keeps the records, never the money.")
    yield _(
        "Aligned to the named criteria. Not a certification and not issued by GSTC, DASTA or ASEAN."
    )
