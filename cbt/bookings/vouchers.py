"""Voucher codes that prove a booking without the network: signed here, checked by anybody's phone. Pure.

The key that signs stays on the server. A phone holds only its public half, so that a lost phone
forges nothing (docs/decisions/007-offline-check-in.md).
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from cbt.errors import LinkInvalid

VERSION = "1"
_HALF = 32  # bytes of each of a signature's two numbers
_CODE = re.compile(
    r"(?P<said>1\.(?P<reference>B-[0-9A-Z]{4,12})\.(?P<departure>[1-9][0-9]{0,17})"
    r"\.(?P<day>[0-9]{8})\.(?P<places>[1-9][0-9]{0,3}))\.(?P<signature>[A-Za-z0-9_-]{86})"
)
_SIGNING = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)  # the same voucher, the same QR
_CHECKING = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True)
class Voucher:
    """What a code proves: so many places of a booking on one departure. Moved, it needs a new one."""

    reference: str
    departure_id: int
    starts_on: date
    places: int


class Vouchers:
    """Signs and reads the codes of one installation."""

    def __init__(self, private_key: str) -> None:
        """Take a P-256 key in PEM, as `make_key` makes it. Raises ValueError for anything else."""
        try:
            key = serialization.load_pem_private_key(private_key.encode(), password=None)
        except (TypeError, UnsupportedAlgorithm) as error:  # locked by a password, or exotic
            raise ValueError(str(error)) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError("not a key of the curve P-256")
        self._key = key

    @property
    def public_key(self) -> str:
        """The public half as browsers take it: the point's 65 bytes, uncompressed, in base64url."""
        return _to_text(
            self._key.public_key().public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
            )
        )

    def sign(self, voucher: Voucher) -> str:
        """The code of a voucher: about 115 characters that stand in an address as they are."""
        said = (
            f"{VERSION}.{voucher.reference}.{voucher.departure_id}"
            f".{voucher.starts_on:%Y%m%d}.{voucher.places}"
        )
        r, s = decode_dss_signature(self._key.sign(said.encode(), _SIGNING))
        return f"{said}.{_to_text(r.to_bytes(_HALF) + s.to_bytes(_HALF))}"

    def read(self, code: str) -> Voucher:
        """What a code proves. Raises LinkInvalid for one that is not ours or was changed."""
        found = _CODE.fullmatch(code)
        if found is None:
            raise LinkInvalid
        signature = urlsafe_b64decode(found["signature"] + "==")
        if _to_text(signature) != found["signature"]:  # one signature has one spelling
            raise LinkInvalid
        r, s = (int.from_bytes(half) for half in (signature[:_HALF], signature[_HALF:]))
        try:
            self._key.public_key().verify(
                encode_dss_signature(r, s), found["said"].encode(), _CHECKING
            )
            starts_on = date.fromisoformat(found["day"])
        except (InvalidSignature, ValueError):
            raise LinkInvalid from None
        return Voucher(found["reference"], int(found["departure"]), starts_on, int(found["places"]))


def make_key() -> str:
    """A fresh private key in PEM."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def find_code(text: str) -> str:
    """The part of scanned or typed text that may be a code: all of it, or what follows `/v/`."""
    return text.strip().rpartition("/v/")[2].split("?")[0].split("#")[0]


def find_reference(text: str) -> str:
    """The booking that a typed short code names, however it was typed: "b 7k2m9q" is B-7K2M9Q."""
    letters = re.sub(r"[^0-9A-Z]", "", text.upper())
    if len(letters) == 7 and letters.startswith("B"):
        letters = letters[1:]
    return f"B-{letters}"


def _to_text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
