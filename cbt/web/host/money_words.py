"""How the work list says what a person must look at, and where each is settled."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from flask import url_for

from cbt.i18n import _, _l, format_baht, format_day
from cbt.payments.reported import WorkKind
from cbt.payments.work import WorkCard
from cbt.web.labels import provider_words

_CAME = _l(
    "%(provider)s lists %(amount)s that came in on %(day)s, and nothing here explains it. Perhaps a code"
    " was paid twice. Find out whose it is."
)
_LEFT = _l(
    "%(provider)s took %(amount)s from the account on %(day)s, and nothing here explains it. Look at its"
    " own pages for the reason."
)
_MORE = _l(
    "For booking %(reference)s %(provider)s kept %(amount)s more than is known here. It is the"
    " community's cost."
)
_LESS = _l("For booking %(reference)s %(provider)s kept %(amount)s less than is known here.")
_SENTENCES: dict[WorkKind, Any] = {
    WorkKind.PAYOUT_DIFFERS: _l(
        "A payout of %(amount)s from %(provider)s is made of movements that sum to %(summed)s. Ask the"
        " service what the difference is."
    ),
    WorkKind.PAYOUT_FAILED: _l(
        "The bank refused a payout of %(amount)s from %(provider)s, due on %(day)s. The money is at the"
        " service again. Check which bank account it has."
    ),
    WorkKind.PAYOUT_NOT_SEEN: _l(
        "A payout of %(amount)s from %(provider)s should have arrived on %(day)s, but the bank statement"
        " does not show it."
    ),
    WorkKind.TRANSFER_NOT_SEEN: _l(
        "A transfer of %(amount)s for booking %(reference)s was confirmed, but the bank statement does"
        " not show it. Ask whoever confirmed it what they saw."
    ),
    WorkKind.REFUND_NOT_SEEN: _l(
        "%(amount)s for the guest of booking %(reference)s was noted as given back by hand, but the"
        " bank statement does not show it. Ask whoever noted it what they did."
    ),
    WorkKind.CASH_NOT_SEEN: _l(
        "%(amount)s from the cash box should be in the bank since %(day)s (%(reference)s), but the"
        " bank statement does not show it. Ask whoever brought it, and the bank."
    ),
    WorkKind.CASH_ON_THE_WAY: _l(
        "%(amount)s from the cash box was brought to the bank on %(day)s (%(reference)s). A second"
        " person sees whether it arrived, or the bank statement shows it."
    ),
    WorkKind.EVENT_FAILED: _l(
        "A message of %(provider)s about %(object)s could not be worked off, after several tries."
    ),
    WorkKind.REFUND_FAILED: _l(
        "%(amount)s for the guest of booking %(reference)s did not arrive. Please transfer it by hand."
    ),
    WorkKind.DISPUTE_OPENED: _l(
        "The bank of the guest of booking %(reference)s disputes %(amount)s. Please answer it in time."
    ),
    WorkKind.CASH_DIFFERS: _l(
        "Two people counted %(counted)s in the cash box where the books said %(expected)s. Please find"
        " out why."
    ),
}
_LOST = _l("The dispute over %(amount)s for booking %(reference)s was lost.")
_LOST_WHY: dict[str, Any] = {
    "in_flight": _l(
        "A refund of the same payment is on its way, so the guest may get the money twice. Look at the"
        " payment service's own pages."
    ),
    "split": _l("The money had been shared out before. The community decides who bears it."),
    "loss": _l(
        "%(loss)s of it was not there any more, as it had been returned or used before. The community"
        " decides who bears it."
    ),
    "ahead": _l("The party still holds its places. Decide whether it may come, and ask it to pay."),
}
_BACK = _l(
    "A lost dispute for booking %(reference)s was won after all. %(amount)s came back after the trip had"
    " been shared out, and is in the management fund. The community decides what to do with it."
)
_WRONG_BOOKING = _l(
    "What a payment service answered for booking %(reference)s cannot be right, so nothing was booked."
    " Compare with its own pages."
)
_WRONG_OTHER = _l(
    "What %(provider)s answered cannot be right (%(name)s), so nothing was booked. Compare with its own"
    " pages."
)

_PLACES = {
    WorkKind.PAYOUT_DIFFERS: "host.payout_list",
    WorkKind.PAYOUT_FAILED: "host.payout_list",
    WorkKind.PAYOUT_NOT_SEEN: "host.payout_list",
    WorkKind.REFUND_FAILED: "host.refund_list",
    WorkKind.CASH_DIFFERS: "host.cash_page",
    WorkKind.CASH_ON_THE_WAY: "host.cash_page",
    WorkKind.CASH_NOT_SEEN: "host.cash_page",
    WorkKind.REFUND_NOT_SEEN: "host.refund_list",
    WorkKind.STATEMENT_LINE: "host.match_list",
}


def work_words(card: WorkCard) -> str:
    """What happened, in a sentence with its values."""
    facts = card.facts
    amount = int(facts.get("amount_satang", 0))
    if card.kind == WorkKind.UNKNOWN_MONEY:
        text = _CAME if amount > 0 else _LEFT
    elif card.kind == WorkKind.FEE_DIFFERS:
        text = _MORE if amount < 0 else _LESS
    elif card.kind == WorkKind.ANSWER_WRONG:
        text = _WRONG_BOOKING if facts.get("reference") else _WRONG_OTHER
    elif card.kind == WorkKind.DISPUTE_LOST:
        text = _lost_words(facts.get("why", ()))
    else:
        text = _SENTENCES[card.kind]
    return str(text) % _values(card, facts, abs(amount))


def _lost_words(why: Sequence[str]) -> str:
    """What of a lost dispute is left to do, reason by reason."""
    if "back" in why:
        return str(_BACK)
    return " ".join(str(each) for each in (_LOST, *(_LOST_WHY[reason] for reason in why)))


def _values(card: WorkCard, facts: Mapping[str, Any], amount: int) -> dict[str, str]:
    on = str(facts.get("on", ""))
    day = date.fromisoformat(on) if on else card.opened_at.date()
    name = str(facts.get("provider", ""))
    return {
        "provider": provider_words(name) if name else _("a payment service"),
        "amount": format_baht(amount),
        "loss": format_baht(int(facts.get("loss_satang", 0))),
        "summed": format_baht(int(facts.get("summed_satang", 0))),
        "counted": format_baht(int(facts.get("counted_satang", 0))),
        "expected": format_baht(int(facts.get("expected_satang", 0))),
        "day": format_day(day),
        "reference": str(facts.get("reference", "")),
        "object": str(facts.get("object", "")),
        "name": str(facts.get("name", "")),
    }


def work_place(card: WorkCard, slug: str) -> str:
    """The page where it is settled, or the booking that it is about; "" for neither."""
    dispute_id = card.facts.get("dispute_id")
    if dispute_id:
        return url_for("host.dispute", slug=slug, dispute_id=dispute_id)
    if card.kind in _PLACES:
        return url_for(_PLACES[card.kind], slug=slug)
    reference = card.facts.get("reference")
    return url_for("host.booking", slug=slug, reference=reference) if reference else ""
