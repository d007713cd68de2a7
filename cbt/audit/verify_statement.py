"""Check the code on a household's statement without network, server or packages.

    python3 verify_statement.py CODE KEYS [STATEMENT]

CODE is the text in the QR (or the whole address), KEYS a file of public keys as the page /th/verify
offers it, STATEMENT the statement as a text file, to check its lines as well. Prints what the code
says and whose signatures hold; exit 0 only when the platform's signature holds and nothing differs.

This one file needs Python 3.8 or newer and nothing else. It is written apart from the program that it
checks and shares no code with it; the signature check follows RFC 8032, the tree RFC 6962.
"""

import base64
import hashlib
import sys
from typing import Dict, List, Tuple  # noqa: UP035  (old Pythons are to run it)

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
Point = Tuple[int, int, int, int]  # noqa: UP006
WHO = {"p": "platform", "t": "treasurer", "m": "mentor"}


def unpack(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- the signature (RFC 8032) --------------------------------------------------------------------


def add(a: Point, b: Point) -> Point:
    one = (a[1] - a[0]) * (b[1] - b[0]) % P
    two = (a[1] + a[0]) * (b[1] + b[0]) % P
    three = 2 * a[3] * b[3] * D % P
    four = 2 * a[2] * b[2] % P
    e, f, g, h = two - one, four - three, four + three, two + one
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: Point) -> Point:
    result: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point = add(point, point)
        number >>= 1
    return result


def is_same(a: Point, b: Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def find_x(y: int, odd: int) -> int | None:
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if not square:
        return None if odd else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P:
        return None
    return P - x if x % 2 != odd else x


def read_point(packed: bytes) -> Point | None:
    number = int.from_bytes(packed, "little")
    y = number & ((1 << 255) - 1)
    x = find_x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = find_x(BASE_Y, 0) or 0
BASE: Point = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def is_signed(message: bytes, signature: bytes, public: bytes) -> bool:
    """Whether `public` (32 bytes) made `signature` (64 bytes) of a message."""
    if len(signature) != 64 or len(public) != 32:
        return False
    key, commitment = read_point(public), read_point(signature[:32])
    answer = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or answer >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    return is_same(times(answer, BASE), add(commitment, times(challenge, key)))


# --- the tree (RFC 6962) -------------------------------------------------------------------------


def climb(leaf: bytes, index: int, size: int, path: List[bytes]) -> bytes | None:  # noqa: UP006
    """The root that a leaf's path leads to; None where the path does not fit the place."""
    levels, left = [], []
    at, width = index, size
    while width > 1:
        if at ^ 1 < width:
            levels.append(True)
            left.append(at % 2 == 1)
        at, width = at // 2, (width + 1) // 2
    if not 0 <= index < size or len(levels) != len(path):
        return None
    for beside, on_the_left in zip(path, left):  # noqa: B905  (older Pythons lack `strict`)
        pair = beside + leaf if on_the_left else leaf + beside
        leaf = hashlib.sha256(b"\x01" + pair).digest()
    return leaf


# --- the statement -------------------------------------------------------------------------------


def read(code: str) -> Dict[str, object]:  # noqa: UP006
    """What a code says. Raises ValueError for anything else."""
    fields = code.strip().rpartition("#")[2].split(".")
    if len(fields) < 16 or fields[0] != "s1":
        raise ValueError("this is not a statement's code")
    opening, earned, recovered, paid_out, other, owed, count = map(int, fields[4:11])
    closing = opening + earned + recovered + paid_out + other
    digest = unpack(fields[11]).hex()
    head = (
        f"cbt-statement/1\ncommunity:{fields[1]}\nperiod:{fields[2]}\nhousehold:{fields[3]}\n"
        f"opening:{opening}\nearned:{earned}\nrecovered:{recovered}\npaid_out:{paid_out}\n"
        f"other:{other}\nclosing:{closing}\nowed:{owed}\nlines:{count}\ndigest:{digest}\n"
    )
    index, size, packed = int(fields[12]), int(fields[13]), unpack(fields[14])
    path = [packed[at : at + 32] for at in range(0, len(packed), 32)]
    root = climb(hashlib.sha256(b"\x00" + head.encode()).digest(), index, size, path)
    record = unpack(fields[15]).hex()
    seal = (
        f"cbt-seal/1\ncommunity:{fields[1]}\nperiod:{fields[2]}\nrecord:{record}\n"
        f"statements:{root.hex() if root else '-'}\nhouseholds:{size}\n"
    )
    community = fields[1]
    return {"community": community, "head": head, "seal": seal, "root": root, "signed": fields[16:]}


def read_keys(text: str, community: str) -> Dict[str, bytes]:  # noqa: UP006
    """{role letter and key id: public key} of lines `role community key` that may sign for one.

    The id is computed, never believed; the platform's keys sign for every community.
    """
    keys = {}
    for line in text.splitlines():
        words = line.split()
        is_key = len(words) == 3 and not line.startswith("#")
        if is_key and words[1] == ("-" if words[0] == "platform" else community):
            public = unpack(words[2])
            keys[f"{words[0][:1]}{hashlib.sha256(public).hexdigest()[:12]}"] = public
    return keys


def check(code: str, keys_text: str, statement: str = "") -> Tuple[bool, List[str]]:  # noqa: UP006
    """(whether all is well, what to tell)."""
    found = read(code)
    keys = read_keys(keys_text, str(found["community"]))
    told, holds = str(found["head"]).splitlines(), set()
    seal = str(found["seal"]).encode()
    signed = found["signed"]
    assert isinstance(signed, list)
    for each in signed:
        who, name, signature = WHO.get(each[:1], "?"), each[:13], unpack(each[13:])
        is_good = bool(found["root"] and name in keys and is_signed(seal, signature, keys[name]))
        told.append(f"{who}: {'the signature holds' if is_good else 'NOT PROVED'} (key {name[1:]})")
        if is_good:
            holds.add(who)
    is_well = "platform" in holds and len(holds) == len(signed)
    if statement:
        head, lines = statement[: len(str(found["head"]))], statement[len(str(found["head"])) :]
        digest = hashlib.sha256(lines.encode()).hexdigest()
        fits = head == found["head"] and f"digest:{digest}\n" in head
        told.append("every line is as it was signed" if fits else "THE LINES DIFFER")
        is_well = is_well and fits
    return is_well, told


def main(arguments: List[str]) -> int:  # noqa: UP006
    if len(arguments) not in (2, 3):
        sys.stderr.write(__doc__ or "")
        return 2
    texts = []
    for name in arguments[1:]:
        with open(name, encoding="utf-8", newline="") as file:
            texts.append(file.read())
    try:
        is_well, told = check(arguments[0], *texts)
    except ValueError as error:
        is_well, told = False, [f"not readable: {error}"]
    sys.stdout.write("\n".join([*told, "ALL IS WELL" if is_well else "NOT PROVED"]) + "\n")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
