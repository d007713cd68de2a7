"""The card numbers of Stripe's testing page that the double knows, and what each does."""

from dataclasses import dataclass

from tests.stripe_double.fees import DOMESTIC, FOREIGN


@dataclass(frozen=True)
class Decline:
    """Why a card was refused: Stripe's code and the bank's, and what the guest reads."""

    code: str
    decline_code: str
    message: str


@dataclass(frozen=True)
class Card:
    """A test card. `refund`: how a refund to it goes, where not at once and for good."""

    number: str
    country: str = "TH"
    brand: str = "visa"
    decline: Decline | None = None
    refund: str = "succeeds"  # or "waits", "fails later"
    is_disputed: bool = False

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fee_method(self) -> str:
        return DOMESTIC if self.country == "TH" else FOREIGN


GOOD = "4242424242424242"
FOREIGN_CARD = "4000008260000000"
DECLINED = "4000000000000002"
NO_MONEY = "4000000000009995"
DISPUTED = "4000000000000259"
REFUND_WAITS = "4000000000007726"
REFUND_FAILS = "4000000000005126"

_GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
_POOR = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
_EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.")

CARDS = {
    card.number: card
    for card in (
        Card(GOOD),
        Card("5555555555554444", brand="mastercard"),
        Card("4000007640000003"),
        Card(FOREIGN_CARD, country="GB"),
        Card(DECLINED, decline=_GENERIC),
        Card(NO_MONEY, decline=_POOR),
        Card("4000000000000069", decline=_EXPIRED),
        Card(DISPUTED, is_disputed=True),
        Card(REFUND_WAITS, refund="waits"),
        Card(REFUND_FAILS, refund="fails later"),
    )
}
UNKNOWN = Decline("incorrect_number", "incorrect_number", "Your card number is incorrect.")


def read(number: str) -> Card:
    """The card of a number as typed. An unknown number is a card that is declined."""
    digits = "".join(c for c in number if c.isdecimal())
    return CARDS.get(digits) or Card(digits or "0000", decline=UNKNOWN)
