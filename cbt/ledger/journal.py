"""The books as plain text that hledger and beancount read, in whole satang. Pure.

With decimals beancount accepts an assertion that is a satang off, and Debian's hledger an unbalanced
transaction; whole satang leave no room for either. What the community owns is under Assets, what it owes
under Liabilities; every account ends with the balance that we say it has, for the other program to check.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum

from cbt.ledger.entries import Draft

UNIT = "SATANG"


class Format(StrEnum):
    HLEDGER = "hledger"
    BEANCOUNT = "beancount"


def account_names(sides: Mapping[str, str]) -> dict[str, str]:
    """{account of our books: its name for other programs}; `sides` says debit or credit of each.

    Letters, digits and dashes only, each part with a capital first; never two of the same name.
    """
    names: dict[str, str] = {}
    for code in sorted(sides):
        root = "Assets" if sides[code] == "debit" else "Liabilities"
        name = ":".join([root, *(_part(each) for each in code.split(":"))])
        number = 2
        while name in names.values():
            name = f"{name.rsplit('--', 1)[0]}--{number}"
            number += 1
        names[code] = name
    return names


def _part(text: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "X"
    return plain[0].upper() + plain[1:]


def write(
    format_: Format,
    book: str,
    entries: Iterable[tuple[int, Draft]],
    sides: Mapping[str, str],
    balances: Mapping[str, int],
    opening: Mapping[str, int] | None = None,
) -> Iterator[str]:
    """The lines of a book's journal: its (number, entry) in order, then every account's balance.

    `balances` is each account's balance on its own side, in satang; `opening` what accounts held before
    the first entry, where that is not the first of the book.
    """
    names = account_names(sides)
    first, last = date(2000, 1, 1), date(2000, 1, 1)
    yield f"; The books of {_plain(book)}, in whole satang (100 satang = 1 baht)."
    yield from _opening(format_, names, first)
    if opening and any(opening.values()):
        yield from _brought_forward(format_, names, sides, opening, first + timedelta(days=1))
    for seq, draft in entries:
        last = max(last, draft.effective_on)
        yield ""
        yield from _entry(format_, seq, draft, names)
    yield ""
    signed = _signed(sides, balances)
    yield from _closing(format_, names, signed, last + timedelta(days=1))


def _opening(format_: Format, names: Mapping[str, str], on: date) -> Iterator[str]:
    if format_ == Format.HLEDGER:
        yield f"commodity 1000. {UNIT}"
        yield from (f"account {name}" for name in names.values())
        return
    yield f'option "title" "{UNIT}"'
    yield f"{on.isoformat()} commodity {UNIT}"
    yield from (f"{on.isoformat()} open {name} {UNIT}" for name in names.values())


def _signed(sides: Mapping[str, str], balances: Mapping[str, int]) -> dict[str, int]:
    return {
        code: balances.get(code, 0) * (1 if sides[code] == "debit" else -1)
        for code in sorted(sides)
    }


def _brought_forward(
    format_: Format,
    names: Mapping[str, str],
    sides: Mapping[str, str],
    opening: Mapping[str, int],
    on: date,
) -> Iterator[str]:
    yield ""
    about = "brought forward"
    yield f"{on.isoformat()} * " + (about if format_ == Format.HLEDGER else f'"{about}"')
    for code, amount in _signed(sides, opening).items():
        if amount:
            yield f"  {names[code]}  {amount} {UNIT}"


def _entry(format_: Format, seq: int, draft: Draft, names: Mapping[str, str]) -> Iterator[str]:
    about = _plain(f"{draft.kind} {draft.subject}")
    moved: dict[str, int] = {}
    for leg in draft.legs:
        moved[leg.source] = moved.get(leg.source, 0) + leg.amount_satang
        moved[leg.target] = moved.get(leg.target, 0) - leg.amount_satang
    if not draft.legs:
        yield f"; {draft.effective_on.isoformat()} entry {seq}: {about} moves nothing"
        return
    day = draft.effective_on.isoformat()
    if format_ == Format.HLEDGER:
        yield f"{day} * ({seq}) {about}  ; key: {_plain(draft.key)}"
    else:
        yield f'{day} * "{about}"'
        yield f"  seq: {seq}"
        yield f'  key: "{_plain(draft.key)}"'
    for code, amount in moved.items():
        yield f"  {names[code]}  {amount} {UNIT}"


def _closing(
    format_: Format, names: Mapping[str, str], signed: Mapping[str, int], on: date
) -> Iterator[str]:
    if format_ == Format.BEANCOUNT:
        for code, name in names.items():
            yield f"{on.isoformat()} balance {name}  {signed[code]} {UNIT}"
        return
    yield f"{on.isoformat()} * the balances that the platform keeps"
    yield from (f"  {name}  0 {UNIT} = {signed[code]} {UNIT}" for code, name in names.items())


def _plain(text: str) -> str:
    """Text that neither ends a line nor a string nor begins a comment."""
    return re.sub(r"[^A-Za-z0-9 .,:_/+-]+", "_", text)
