"""Amounts in words, as a receipt states them beside the figures, in Thai and in English. Pure.

Thai counts in groups of six digits that "ล้าน" closes, again and again: a million millions is
"ล้านล้าน". A last 1 is "เอ็ด" wherever something stands before it, in hundreds and millions too, as
the Royal Society writes it; and an amount without satang ends in "ถ้วน" so that none can be added.
"""

from cbt.errors import AmountInvalid

LIMIT_SATANG = 10**17
"""Amounts from here on have no words: a thousand billion baht is more than the country earns."""

_DIGITS = ("", "หนึ่ง", "สอง", "สาม", "สี่", "ห้า", "หก", "เจ็ด", "แปด", "เก้า")
_PLACES = ("", "สิบ", "ร้อย", "พัน", "หมื่น", "แสน")
_MILLION = 10**6

_SMALL = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", "thousand", "million", "billion", "trillion")


def in_thai(satang: int) -> str:
    """Satang (0 up to LIMIT_SATANG) in Thai: 150_000 is หนึ่งพันห้าร้อยบาทถ้วน. Raises AmountInvalid."""
    baht, rest = _parts(satang)
    words = f"{_thai(baht)}บาท" if baht else ""
    if rest:
        return f"{words}{_thai(rest)}สตางค์"
    return f"{words or 'ศูนย์บาท'}ถ้วน"


def in_english(satang: int) -> str:
    """Satang (0 up to LIMIT_SATANG) in English: "One thousand five hundred baht". Raises AmountInvalid."""
    baht, rest = _parts(satang)
    words = [f"{_english(baht)} baht"] if baht else []
    if rest:
        words.append(f"{_english(rest)} satang")
    text = " and ".join(words) or "zero baht"
    return text[0].upper() + text[1:]


def _parts(satang: int) -> tuple[int, int]:
    """(baht, satang below one baht)."""
    if not 0 <= satang < LIMIT_SATANG:
        raise AmountInvalid(amount=satang)
    return divmod(satang, 100)


def _thai(number: int) -> str:
    """A number above zero."""
    millions, rest = divmod(number, _MILLION)
    head = f"{_thai(millions)}ล้าน" if millions else ""
    return head + _thai_group(rest, follows=bool(millions))


def _thai_group(number: int, *, follows: bool) -> str:
    """Up to six digits; `follows` tells that something stands before them."""
    words: list[str] = []
    for place in range(len(_PLACES) - 1, -1, -1):
        digit = number // 10**place % 10
        if digit:
            words.append(_thai_digit(digit, place, follows=follows or bool(words)))
    return "".join(words)


def _thai_digit(digit: int, place: int, *, follows: bool) -> str:
    if place == 0 and digit == 1 and follows:
        return "เอ็ด"
    if place == 1 and digit <= 2:
        return ("สิบ", "ยี่สิบ")[digit - 1]
    return _DIGITS[digit] + _PLACES[place]


def _english(number: int) -> str:
    """A number above zero."""
    groups = []
    for scale, name in enumerate(_SCALES):
        group = number // 1000**scale % 1000
        if group:
            groups.append(f"{_english_group(group)} {name}".rstrip())
    last = number % 1000
    joint = " and " if 0 < last < 100 and number > last else " "
    return joint.join((" ".join(groups[:0:-1]), groups[0])).strip()


def _english_group(number: int) -> str:
    """1 to 999: "one hundred and five"."""
    hundreds, rest = divmod(number, 100)
    words = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if 0 < rest < 20:
        words.append(_SMALL[rest])
    elif rest:
        tens, ones = divmod(rest, 10)
        words.append(_TENS[tens] + (f"-{_SMALL[ones]}" if ones else ""))
    return " and ".join(words)
