"""References that a person reads aloud, and signed links that open a booking. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import cast

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
    """Makes and reads the links that open a booking, or a place in line, without an account."""

    def __init__(self, secret: str) -> None:
        self._booking = URLSafeSerializer(secret, salt="booking-link")
        self._waiting = URLSafeSerializer(secret, salt="waiting-link")

    def sign(self, reference: str, trip_ends_at: datetime) -> str:
        """A token for the booking, good until some time after the trip."""
        return _sign(self._booking, reference, trip_ends_at)

    def read(self, token: str, now: datetime) -> str:
        """The reference that a token opens. Raises LinkInvalid or LinkExpired."""
        return str(_read(self._booking, token, now))

    def sign_waiting(self, party_id: int, trip_ends_at: datetime) -> str:
        """A token for a party in the waiting list, good as long as a booking's would be."""
        return _sign(self._waiting, party_id, trip_ends_at)

    def read_waiting(self, token: str, now: datetime) -> int:
        """The id of the party that a token opens. Raises LinkInvalid or LinkExpired."""
        return int(_read(self._waiting, token, now))


def _sign(serializer: URLSafeSerializer, name: str | int, trip_ends_at: datetime) -> str:
    expires = trip_ends_at + LINK_LIVES_AFTER_TRIP
    return str(serializer.dumps([name, int(expires.timestamp())]))


def _read(serializer: URLSafeSerializer, token: str, now: datetime) -> str | int:
    try:
        name, expires = serializer.loads(token)
    except (BadSignature, ValueError, TypeError):
        raise LinkInvalid from None
    if now > datetime.fromtimestamp(expires, UTC):
        raise LinkExpired
    return cast(str | int, name)
