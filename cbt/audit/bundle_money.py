"""Bookings and their money as a bundle tells them: what was bought, paid, given back, disputed.

What the books hold only later is told as it was: a refund that was not made yet, a dispute still open.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from cbt.audit.bundle_files import Folder
from cbt.audit.bundle_scope import Numbers, Scope
from cbt.audit.facts import list_deposits
from cbt.bookings.models import Booking, BookingAddOn, BookingCost, BookingLine
from cbt.clock import village_day
from cbt.payments.models import (
    Capture,
    CaptureFee,
    Credit,
    CreditUse,
    Refund,
    RefundReturn,
)
from cbt.payments.provider import DisputeState, RefundState
from cbt.payments.reported import Dispute
from cbt.revenue.models import PolicyVersion, TakeBack
from cbt.revenue.posting import sharing_key, split_key

AT_ONCE = 200


@dataclass
class Sold:
    """A booking with everything that its money did."""

    row: Any
    policy: str
    captures: list[tuple[Capture, CaptureFee | None]] = field(default_factory=list)
    refunds: list[tuple[Refund, Capture, Dispute | None]] = field(default_factory=list)
    returns: Mapping[int, list[RefundReturn]] = field(default_factory=dict)
    disputes: list[tuple[Dispute, Capture]] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    uses: list[CreditUse] = field(default_factory=list)
    take_backs: list[TakeBack] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return str(self.row.reference)

    def entry_keys(self) -> Iterator[str]:
        """The keys of the entries that its facts call for, but for its split's."""
        for capture, fee in self.captures:
            yield capture_key(capture)
            if fee is not None and fee.amount_satang:
                yield fee_key(capture)
        for refund, capture, _dispute in self.refunds:
            came_back = self.returns.get(refund.id, [])
            for each in came_back:
                yield refund_key(refund, capture, each.number - 1)
                yield return_key(refund, capture, each.number)
            if refund.state == RefundState.SUCCEEDED:
                yield refund_key(refund, capture, len(came_back))
            if refund.by_dispute_id is not None and not refund.was_split:
                yield by_bank_key(refund, capture)
        for dispute, capture in self.disputes:
            yield from dispute_keys(dispute, capture)
        yield from (f"credit:{each.id}" for each in self.credits)
        yield from (use_key(each, self.reference) for each in self.uses)
        yield from (take_back_key(self.reference, each) for each in self.take_backs)


def capture_key(capture: Capture) -> str:
    return f"capture:{capture.provider}:{capture.payment_id}"


def fee_key(capture: Capture) -> str:
    return f"fee:{capture.provider}:{capture.payment_id}"


def refund_key(refund: Refund, capture: Capture, returned: int) -> str:
    name = f"{capture.provider}:{capture.payment_id}:{refund.number}"
    return f"refund:{name}:{returned}" if returned else f"refund:{name}"


def return_key(refund: Refund, capture: Capture, number: int) -> str:
    return f"refund_return:{capture.provider}:{capture.payment_id}:{refund.number}:{number}"


def by_bank_key(refund: Refund, capture: Capture) -> str:
    return f"refund_by_bank:{capture.provider}:{capture.payment_id}:{refund.number}"


def dispute_keys(dispute: Dispute, capture: Capture) -> list[str]:
    """The key of its opening first; its fee's; those of its end and of its return."""
    name = f"{capture.provider}:{dispute.provider_ref}"
    keys = [f"dispute:{name}"]
    if dispute.fee_satang:
        keys.append(f"dispute_fee:{name}")
    return [*keys, *(f"dispute_{each}:{name}" for each in _ends(dispute))]


def _ends(dispute: Dispute) -> list[str]:
    if dispute.closed_at is None:
        return []
    if dispute.state == DisputeState.WON and dispute.reinstated_at is None:
        return ["won"]
    return ["lost"] if dispute.reinstated_at is None else ["lost", "reinstated"]


def use_key(use: CreditUse, reference: str) -> str:
    return f"credit_use:{use.credit_id}:{reference}:{use.number}"


def take_back_key(reference: str, take_back: TakeBack) -> str:
    return f"take_back:{reference}:{take_back.number}"


# --- reading -------------------------------------------------------------------------------------


def list_sold(session: Session, ids: Sequence[int]) -> list[Sold]:
    """Some bookings with their money, in the order of their ids."""
    rows = session.execute(
        select(
            Booking.id,
            Booking.reference,
            Booking.departure_id,
            Booking.state,
            Booking.created_at,
            Booking.price_satang,
            Booking.discount_satang,
            Booking.discount_bearer,
            Booking.revision,
            PolicyVersion.sha256,
        )
        .join(PolicyVersion, PolicyVersion.id == Booking.policy_version_id)
        .where(Booking.id.in_(ids))
        .order_by(Booking.id)
    )
    sold = {row.id: Sold(row, row.sha256) for row in rows}
    for capture, fee in session.execute(
        select(Capture, CaptureFee)
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .where(Capture.booking_id.in_(ids))
        .order_by(Capture.id)
    ):
        sold[capture.booking_id].captures.append((capture, fee))
    returns: dict[int, list[RefundReturn]] = defaultdict(list)
    for each in session.scalars(
        select(RefundReturn)
        .join(Refund, Refund.id == RefundReturn.refund_id)
        .where(Refund.booking_id.in_(ids))
        .order_by(RefundReturn.refund_id, RefundReturn.number)
    ):
        returns[each.refund_id].append(each)
    for refund, capture, dispute in session.execute(
        select(Refund, Capture, Dispute)
        .join(Capture, Capture.id == Refund.capture_id)
        .outerjoin(Dispute, Dispute.id == Refund.by_dispute_id)
        .where(Refund.booking_id.in_(ids))
        .order_by(Refund.id)
    ):
        sold[refund.booking_id].refunds.append((refund, capture, dispute))
        sold[refund.booking_id].returns = returns
    for dispute, capture in session.execute(
        select(Dispute, Capture)
        .join(Capture, Capture.id == Dispute.capture_id)
        .where(Dispute.booking_id.in_(ids))
        .order_by(Dispute.id)
    ):
        sold[dispute.booking_id].disputes.append((dispute, capture))
    for credit in _all(session, Credit, Credit.booking_id, ids, Credit.id):
        sold[credit.booking_id].credits.append(credit)
    for use in _all(session, CreditUse, CreditUse.booking_id, ids, CreditUse.id):
        sold[use.booking_id].uses.append(use)
    for back in _all(session, TakeBack, TakeBack.booking_id, ids, TakeBack.number):
        sold[back.booking_id].take_backs.append(back)
    return list(sold.values())


def _all(
    session: Session,
    table: type[Any],
    column: InstrumentedAttribute[int],
    ids: Sequence[int],
    order: InstrumentedAttribute[int],
) -> Iterable[Any]:
    return session.scalars(select(table).where(column.in_(ids)).order_by(column, order))


# --- writing -------------------------------------------------------------------------------------


class Money:
    """Writes bookings with their money into a bundle's folder."""

    def __init__(self, session: Session, scope: Scope, folder: Folder, numbers: Numbers) -> None:
        self._session = session
        self._scope = scope
        self._folder = folder
        self._numbers = numbers

    def _day(self, instant: Any) -> date:
        return village_day(instant, self._scope.community.zone)

    def is_later(self, key: str) -> bool:
        return self._scope.is_later(self._numbers.of(key))

    def note_earlier(self, *keys: str) -> None:
        """Tell of keys whose entries stand before the bundle's first one."""
        for key in keys:
            seq = self._numbers.of(key)
            if seq is not None and seq < self._scope.first_seq:
                self._folder.add("earlier.csv", key, seq)

    def write(self, bookings: Sequence[Sold], settled: Mapping[int, Any]) -> None:
        """`settled` holds the settlements of departures; the keys of all of it were looked up."""
        for sold in bookings:
            self._write_booking(sold)
            self._write_captures(sold)
            for refund, capture, dispute in sold.refunds:
                self._write_refund(sold, refund, capture, dispute)
            for dispute, capture in sold.disputes:
                self._write_dispute(dispute, capture)
            self._write_credits(sold)
            self.note_earlier(*sold.entry_keys())
            if sold.row.departure_id in settled:
                self.note_earlier(split_key(sold.reference))
        self._write_lines([sold.row.id for sold in bookings])

    def _write_booking(self, sold: Sold) -> None:
        row = sold.row
        self._folder.add(
            "bookings.csv",
            *(row.reference, row.departure_id, row.state, row.created_at),
            *(self._day(row.created_at), sold.policy, row.price_satang, row.discount_satang),
            row.discount_bearer,
        )

    def _write_lines(self, ids: Sequence[int]) -> None:
        own = Booking.revision
        for table, name in ((BookingLine, BookingLine.unit), (BookingAddOn, BookingAddOn.code)):
            rows = self._session.execute(
                select(Booking.reference, name, table.quantity, table.price_satang)
                .join(Booking, (Booking.id == table.booking_id) & (own == table.revision))
                .where(table.booking_id.in_(ids))
                .order_by(table.booking_id, table.line)
            )
            for reference, what, quantity, price in rows:
                word = what if table is BookingLine else f"extra:{what}"
                self._folder.add("prices.csv", reference, word, quantity, price)
        costs = self._session.execute(
            select(Booking.reference, BookingCost.code, BookingCost.amount_satang)
            .join(Booking, (Booking.id == BookingCost.booking_id) & (own == BookingCost.revision))
            .where(BookingCost.booking_id.in_(ids))
            .order_by(BookingCost.booking_id, BookingCost.line)
        )
        for row in costs:
            self._folder.add("costs.csv", *row)

    def _write_captures(self, sold: Sold) -> None:
        for capture, fee in sold.captures:
            if self.is_later(capture_key(capture)):
                continue
            if fee is not None and self.is_later(fee_key(capture)):
                fee = None  # noqa: PLW2901  (not known yet then)
            self._folder.add(
                "captures.csv",
                *(sold.reference, capture.provider, capture.payment_id, capture.receipt_number),
                *(capture.amount_satang, self._day(capture.paid_at), capture.buys),
                fee.amount_satang if fee else None,
                self._day(fee.reported_at) if fee else None,
            )

    def _write_refund(
        self, sold: Sold, refund: Refund, capture: Capture, dispute: Dispute | None
    ) -> None:
        if refund.state == RefundState.CANCELLED or self._scope.is_over(refund.requested_at):
            return
        name = (capture.provider, capture.payment_id, refund.number)
        every = sold.returns.get(refund.id, [])
        came_back = [
            each for each in every if not self.is_later(return_key(refund, capture, each.number))
        ]
        for each in came_back:
            self._folder.add(
                "refund_returns.csv",
                *(*name, each.number, each.amount_satang, each.fee_returned_satang),
                *(each.paid_from, self._day(each.made_at), self._day(each.returned_at)),
            )
        state, made, paid_from = str(refund.state), refund.done_at, refund.paid_from
        fee = refund.fee_returned_satang
        if len(came_back) < len(every):  # it came back only later: then it stood as made
            after = every[len(came_back)]
            state, made, paid_from = RefundState.SUCCEEDED, after.made_at, after.paid_from
            fee = sum(each.fee_returned_satang for each in every[: len(came_back) + 1])
        if self.is_later(refund_key(refund, capture, len(came_back))):
            state, made = RefundState.REQUESTED, None
        by_bank = dispute is not None and not self.is_later(by_bank_key(refund, capture))
        if state == RefundState.SUCCEEDED and made is None:
            made = refund.requested_at
        noted = refund.by_bank_at or refund.requested_at
        self._folder.add(
            "refunds.csv",
            *(*name, refund.amount_satang, fee, state, refund.was_split),
            self._day(made) if made and state == RefundState.SUCCEEDED else None,
            paid_from,
            dispute.provider_ref if dispute and by_bank else None,
            self._day(noted) if by_bank else None,
        )

    def _write_dispute(self, dispute: Dispute, capture: Capture) -> None:
        opening = dispute_keys(dispute, capture)[0]
        if self.is_later(opening):
            return
        name = f"{capture.provider}:{dispute.provider_ref}"
        state, closed, again = str(dispute.state), dispute.closed_at, dispute.reinstated_at
        if again is not None and self.is_later(f"dispute_reinstated:{name}"):
            state, again = DisputeState.LOST, None
        if any(self.is_later(f"dispute_{each}:{name}") for each in ("won", "lost")):
            state, closed, again = DisputeState.OPEN, None, None
        self._folder.add(
            "disputes.csv",
            *(capture.provider, capture.payment_id, dispute.provider_ref, dispute.amount_satang),
            *(dispute.fee_satang, dispute.reserved_satang, dispute.credit_satang),
            *(dispute.covered_satang, dispute.fund_satang, state, dispute.was_split),
            self._day(dispute.opened_at),
            self._day(closed) if closed else None,
            self._day(again) if again else None,
        )

    def _write_credits(self, sold: Sold) -> None:
        for credit in sold.credits:
            if not self.is_later(f"credit:{credit.id}"):
                on = self._day(credit.issued_at)
                self._folder.add("credits.csv", credit.id, sold.reference, credit.amount_satang, on)
        for use in sold.uses:
            if not self.is_later(use_key(use, sold.reference)):
                about = (use.credit_id, sold.reference, use.number, use.amount_satang)
                self._folder.add("credit_uses.csv", *about, self._day(use.used_at))
        for back in sold.take_backs:
            if not self.is_later(take_back_key(sold.reference, back)):
                change = (back.number, back.lost_satang, back.cost_satang)
                found = (back.found_at, self._day(back.found_at))
                self._folder.add("take_backs.csv", sold.reference, *change, *found)


def needed_bookings(
    session: Session, scope: Scope, numbers: Numbers, settled: Mapping[int, Any]
) -> tuple[set[int], set[int]]:
    """(bookings that the bundle must tell of, departures that it must tell of whole).

    Those with a fact whose entry stands in the bundle or nowhere, or with money on deposit when it
    begins; and all of a departure that was settled, where one of its bookings is told of.
    """
    held = list_deposits(session, scope.community.book_id, scope.first_seq - 1)
    opening = {subject for subject, amount in held.items() if amount}
    ids, departures = set[int](), set[int]()
    keys = {number: sharing_key(number) for number in settled}
    numbers.look(keys.values())
    departures.update(number for number, key in keys.items() if scope.has(numbers.of(key)))
    for chunk in booking_ids(session, scope.community.id):
        sold = list_sold(session, chunk)
        numbers.look(key for each in sold for key in each.entry_keys())
        for each in sold:
            is_ours = any(scope.has(numbers.of(key)) for key in each.entry_keys())
            if is_ours or f"booking:{each.reference}" in opening:
                ids.add(each.row.id)
                if each.row.departure_id in settled:
                    departures.add(each.row.departure_id)
        session.expunge_all()
    return ids, departures


def booking_ids(session: Session, community_id: int) -> Iterator[list[int]]:
    """The bookings of a community that any money came for, some at a time."""
    last = 0
    paid, credited = select(Capture.booking_id), select(CreditUse.booking_id)
    while True:
        chunk = list(
            session.scalars(
                select(Booking.id)
                .where(
                    Booking.community_id == community_id,
                    Booking.id > last,
                    or_(Booking.id.in_(paid), Booking.id.in_(credited)),
                )
                .order_by(Booking.id)
                .limit(AT_ONCE)
            )
        )
        if not chunk:
            return
        yield chunk
        last = chunk[-1]
