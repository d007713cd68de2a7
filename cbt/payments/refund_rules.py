"""When money that goes back waits for a person, when its guest is reminded, what goodwill amounts to.

Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cbt.errors import AmountInvalid
from cbt.experiences.pricing import AddOnLine, PriceLine
from cbt.payments.provider import RefundState

REMIND_AFTER = timedelta(days=3)
REMIND_BEFORE_END = timedelta(days=1)


def state_at_birth(whole_satang: int, approve_from_satang: int) -> RefundState:
    """Whether a refund may be sent at once: from a community's limit on, a person approves it first.

    `whole_satang` is all that goes back for the same reason at once, so that parts stay below no
    limit that their sum is above.
    """
    is_small = whole_satang < approve_from_satang
    return RefundState.APPROVED if is_small else RefundState.REQUESTED


def follow(known: RefundState, told: RefundState) -> RefundState:
    """The state that a provider's answer asks for: what it gave up itself, a person must do."""
    return RefundState.FAILED if told == RefundState.CANCELLED != known else told


def refund_key(reference: str, payment_id: str, number: int) -> str:
    """What makes asking again the same refund, whatever was lost in between."""
    return f"refund-{reference}-{payment_id}-{number}"


def is_reminder_due(
    asked_at: datetime, until: datetime | None, reminded_at: datetime, now: datetime
) -> bool:
    """Whether a guest who has not named a bank account yet is told again.

    That is three days after being asked, and one day before the time ends; each once.
    """
    moments = [asked_at + REMIND_AFTER]
    if until is not None:
        moments = [each for each in moments if each < until - REMIND_BEFORE_END]
        moments.append(until - REMIND_BEFORE_END)
        if until <= now:
            return False
    return any(reminded_at < moment <= now for moment in moments)


def goodwill_satang(
    lines: Sequence[PriceLine],
    add_ons: Sequence[AddOnLine],
    discount_satang: int,
    persons: Mapping[str, int],
    extras: Mapping[str, int],
) -> int:
    """What some of a booking's persons and extras paid, in satang, rounded down.

    A discount counts for each in proportion, so that everybody together are what the party paid.
    `persons` counts by unit and `extras` by code, at most as many as were booked: the dearest of a
    unit first, if its steps differ. Raises AmountInvalid for more than that, fewer than none, or
    nothing at all.
    """
    prices: dict[str, list[int]] = {}
    for line in lines:
        prices.setdefault(str(line.unit), []).extend([line.price_satang] * line.quantity)
    bought = {each.code: [each.price_satang] * each.quantity for each in add_ons}
    whole = sum(sum(each) for each in (*prices.values(), *bought.values()))
    chosen = _chosen(prices, persons) + _chosen(bought, extras)
    if chosen <= 0:
        raise AmountInvalid(amount=chosen)
    return chosen * (whole - discount_satang) // whole


def _chosen(prices: Mapping[str, Sequence[int]], wanted: Mapping[str, int]) -> int:
    total = 0
    for code, number in wanted.items():
        have = sorted(prices.get(code, ()), reverse=True)
        if not 0 <= number <= len(have):
            raise AmountInvalid(amount=number)
        total += sum(have[:number])
    return total
