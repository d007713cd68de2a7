"""Whether an Ed25519 signature is its key's (RFC 8032, section 5.1.7). Standard library alone.

Slow and plain: arithmetic on whole numbers, some milliseconds a signature. It checks what is public and
holds no secret, so that it need not take the same time for every input.
"""

from __future__ import annotations

from hashlib import sha512

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int]
"""A point of the curve in projective coordinates: (X, Y, Z) stands for (X/Z, Y/Z)."""


def _added(one: Point, two: Point) -> Point:
    a = one[2] * two[2] % P
    b = a * a % P
    c, d = one[0] * two[0] % P, one[1] * two[1] % P
    e = D * c * d % P
    f, g = b - e, b + e
    x = a * f * ((one[0] + one[1]) * (two[0] + two[1]) - c - d) % P
    return x, a * g * (d + c) % P, f * g % P


def _times(number: int, point: Point) -> Point:
    result: Point = (0, 1, 1)
    for bit in bin(number)[2:]:
        result = _added(result, result)
        if bit == "1":
            result = _added(result, point)
    return result


def _unpacked(text: bytes) -> Point | None:
    """The point that 32 bytes name; None where they name none."""
    number = int.from_bytes(text, "little")
    y, is_odd = number % 2**255, number >> 255
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (not x and is_odd):
        return None
    return (P - x if x % 2 != is_odd else x), y, 1


_Y = 4 * pow(5, P - 2, P) % P
_BASE = _unpacked(_Y.to_bytes(32, "little"))


def is_signed(message: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the key `public` (32 bytes) made `signature` (64 bytes) of a message."""
    if len(signature) != 64 or len(public) != 32 or _BASE is None:
        return False
    key, commitment = _unpacked(public), _unpacked(signature[:32])
    answer = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or answer >= ORDER:
        return False
    digest = sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % ORDER
    left = _times(answer, _BASE)
    right = _added(commitment, _times(challenge, key))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    return same_x and (left[1] * right[2] - right[1] * left[2]) % P == 0
