"""References that a person reads aloud, and signed links that open a booking. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from itsdangerous import BadSignature, URLSafeSerializer

from cbt.errors import LinkExpired, LinkInvalid

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that looks like something else
_LENGTH = 6
LINK_LIVES_AFTER_TRIP = timedelta(days=90)


def references(request_key: str) -> Iterator[str]:
    """References to try for a request, in order: the first that is free is taken."""
    attempt = 0
    while True:
        number = int.from_bytes(sha256(f"{request_key}:{attempt}".encode()).digest())
        letters = ""
        for _ in range(_LENGTH):
            number, index = divmod(number, len(_ALPHABET))
            letters += _ALPHABET[index]
        yield f"B-{letters}"
        attempt += 1


class BookingLinks:
    """Makes and reads the links that open a booking without an account."""

    def __init__(self, secret: str) -> None:
        self._booking = URLSafeSerializer(secret, salt="booking-link")
        self._voucher = URLSafeSerializer(secret, salt="voucher")

    def sign(self, reference: str, trip_ends_at: datetime) -> str:
        """A token for the booking, good until some time after the trip."""
        expires = trip_ends_at + LINK_LIVES_AFTER_TRIP
        return str(self._booking.dumps([reference, int(expires.timestamp())]))

    def read(self, token: str, now: datetime) -> str:
        """The reference that a token opens. Raises LinkInvalid or LinkExpired."""
        try:
            reference, expires = self._booking.loads(token)
        except (BadSignature, ValueError, TypeError):
            raise LinkInvalid from None
        if now > datetime.fromtimestamp(expires, UTC):
            raise LinkExpired
        return str(reference)

    def sign_voucher(self, reference: str) -> str:
        """A code for the voucher's QR: it proves the booking and opens nothing private."""
        return str(self._voucher.dumps(reference))

    def read_voucher(self, code: str) -> str:
        try:
            return str(self._voucher.loads(code))
        except BadSignature:
            raise LinkInvalid from None
