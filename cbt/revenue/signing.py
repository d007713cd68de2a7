"""Keys that sign periods (Ed25519), and how a person's is kept locked by their password. Pure.

What the signatures prove and what they do not: docs/decisions/018-periods-and-signatures.md.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cbt.errors import KeyLocked

LOCK = "cbt-lock/1"
KEY = "cbt-key/1"
_TIME, _MEMORY_KIB, _LANES = 2, 19_456, 1
"""What unlocking costs: as much as a sign-in (people/passwords.py)."""


class SignerRole(StrEnum):
    """Who signs a period."""

    PLATFORM = "platform"
    TREASURER = "treasurer"
    MENTOR = "mentor"


@dataclass(frozen=True)
class PlatformKey:
    """The installation's own key, read from its file."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        return to_text(self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """A signature of 64 bytes, in base64url."""
        return to_text(self.private.sign(text.encode()))


def make_platform_key() -> str:
    """A fresh private key in PEM."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def read_platform_key(pem: str) -> PlatformKey:
    """Raises ValueError for anything but an Ed25519 key in PEM."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    return PlatformKey(key)


def key_id(public: str) -> str:
    """A key's short name: the first 12 hex digits of the SHA-256 of its 32 bytes."""
    return sha256(from_text(public)).hexdigest()[:12]


def is_signed(text: str, signature: str, public: str) -> bool:
    """Whether a key made a signature of a text; a malformed one is simply none."""
    try:
        key = Ed25519PublicKey.from_public_bytes(from_text(public))
        key.verify(from_text(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


# --- a person's key ------------------------------------------------------------------------------


@dataclass(frozen=True)
class LockedKey:
    """A person's key as it is stored: the public half, and the private one under their password."""

    public: str
    locked: str


def make_locked_key(password: str) -> LockedKey:
    """A fresh key that only this password opens. Takes as long as a sign-in."""
    private = Ed25519PrivateKey.generate()
    public = to_text(private.public_key().public_bytes_raw())
    salt, nonce = os.urandom(16), os.urandom(12)
    box = AESGCM(_stretch(password, salt)).encrypt(
        nonce, private.private_bytes_raw(), public.encode()
    )
    return LockedKey(public, f"{LOCK}:{to_text(salt)}:{to_text(nonce)}:{to_text(box)}")


def sign_with(key: LockedKey, password: str, text: str) -> str:
    """Sign a text with a person's key. Raises KeyLocked when the password does not open it."""
    try:
        version, salt, nonce, box = key.locked.split(":")
        if version != LOCK:
            raise ValueError(version)
        opened = AESGCM(_stretch(password, from_text(salt))).decrypt(
            from_text(nonce), from_text(box), key.public.encode()
        )
    except (HashingError, InvalidTag, ValueError):
        raise KeyLocked from None
    return to_text(Ed25519PrivateKey.from_private_bytes(opened).sign(text.encode()))


def _stretch(password: str, salt: bytes) -> bytes:
    return hash_secret_raw(
        password.encode(), salt, _TIME, _MEMORY_KIB, _LANES, hash_len=32, type=Type.ID
    )


def key_text(
    community: str, role: SignerRole, person: int, public: str, follows: str, at: datetime
) -> str:
    """What the platform signs when it takes a person's key in: whose it is, and which it replaces."""
    lines = [
        KEY,
        f"community:{community}",
        f"role:{role}",
        f"person:{person}",
        f"key:{public}",
        f"follows:{follows or '-'}",
        f"at:{at:%Y-%m-%dT%H:%M:%SZ}",
    ]
    return "".join(line + "\n" for line in lines)


def to_text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """Raises ValueError for what is not base64url, or not spelled the one way it can be."""
    value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if to_text(value) != text:
        raise ValueError("not base64url")
    return value
