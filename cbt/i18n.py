"""Languages, catalogues, and how days and money are written in each.

The current language is a context variable, so that web pages, mails and the worker share one way.
Message ids are whole English sentences with named places; Thai stands in translations/th.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from babel.dates import format_date, format_skeleton, format_time, get_date_format
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import LazyProxy, NullTranslations, Translations
from markupsafe import Markup

from cbt.clock import BUDDHIST_ERA, to_village
from cbt.money import to_baht

Localized = dict[str, str]
"""Text that a community wrote, per language: {"th": ..., "en": ...}. Thai is the source."""

LANGUAGES = {"th": "ไทย", "en": "English"}  # each named in itself
SOURCE_LANGUAGE = "th"
CATALOGUES = Path(__file__).resolve().parent.parent / "translations"

_language: ContextVar[str] = ContextVar("language", default=SOURCE_LANGUAGE)
Style = Literal["full", "long", "medium", "short"]
_FORMATS = {"th": "th", "en": "en_GB"}  # the CLDR locale whose formats we use


def language() -> str:
    return _language.get()


def set_language(code: str) -> None:
    _language.set(code)


@contextmanager
def use_language(code: str) -> Iterator[None]:
    """Speak `code` inside the block, for example to write a mail."""
    token = _language.set(code)
    try:
        yield
    finally:
        _language.reset(token)


# --- messages ------------------------------------------------------------------------------------


@cache
def catalogue(code: str) -> NullTranslations:
    """The messages of a language, compiled in memory from its .po file."""
    file = CATALOGUES / code / "LC_MESSAGES" / "messages.po"
    if not file.exists():  # English: the ids are the messages
        return NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as text:
        write_mo(compiled, read_po(text, locale=code))
    compiled.seek(0)
    return Translations(compiled)


def gettext(message: str) -> str:
    return str(catalogue(language()).ugettext(message))


@lru_cache(maxsize=4096)  # catalogues do not change while a process runs
def markup(message: str, code: str) -> Markup:
    """A message as pages print it, its places still open."""
    return Markup(catalogue(code).ugettext(message))  # noqa: S704  (ours, never anybody's input)


def on_page(message: str, **values: object) -> Markup:
    """What `_` does on pages: the values are escaped, the message is not. "%%" is a percent sign."""
    return markup(message, language()) % values


def ngettext(singular: str, plural: str, count: int) -> str:
    return str(catalogue(language()).ungettext(singular, plural, count))


def _(message: str, **values: object) -> str:
    """A message in the current language, its places filled."""
    text = gettext(message)
    return text % values if values else text


def _n(singular: str, plural: str, count: int, **values: object) -> str:
    return ngettext(singular, plural, count) % {"num": count, **values}


def _l(message: str) -> Any:
    """A message that is translated when it is shown, for constants."""
    return LazyProxy(gettext, message, enable_cache=False)


def pick(text: Mapping[str, str]) -> str:
    """A community's text in the current language, or in Thai where it has none."""
    return text.get(language()) or text[SOURCE_LANGUAGE]


def written_in(text: Mapping[str, str]) -> str:
    """The language that `pick` answers in, so that a page can mark a fallback."""
    return language() if text.get(language()) else SOURCE_LANGUAGE


# --- days and hours ------------------------------------------------------------------------------


def buddhist(day: date, pattern: str) -> str:
    """Format by a CLDR pattern with the year of the Buddhist era.

    Only the printed year changes, never the day itself: shifting the date by 543 years would
    give wrong weekdays, and 29 February would vanish.
    """
    year = f"'{day.year + BUDDHIST_ERA}'"
    parts = re.split(r"('[^']*')", pattern)  # quoted text stays as it is
    for index in range(0, len(parts), 2):
        parts[index] = re.sub("y+", year, re.sub("G+", "'พ.ศ.'", parts[index]))
    return format_date(day, "".join(parts), locale="th")


def format_day(day: date, style: Style = "medium") -> str:
    """A day, "medium" (23 พ.ย. 2569) or "full" (with the weekday), in the language's own era."""
    return _day(day, style, language())


@lru_cache(maxsize=4096)  # pages write the same days again and again
def _day(day: date, style: Style, code: str) -> str:
    if code == "th":
        return buddhist(day, get_date_format(style, locale="th").pattern)
    return format_date(day, style, locale=_FORMATS[code])


def other_era(day: date) -> str:
    """The same year in the era that the language does not use: "ค.ศ. 2026", "B.E. 2569"."""
    if language() == "th":
        return f"ค.ศ. {day.year}"
    return f"B.E. {day.year + BUDDHIST_ERA}"


def format_month(day: date) -> str:
    return _month(day, language())


@lru_cache(maxsize=256)
def _month(day: date, code: str) -> str:
    if code == "th":
        return buddhist(day, "MMMM y")
    return format_skeleton("yMMMM", day, locale=_FORMATS[code])


def format_weekday(day: date, *, short: bool = False) -> str:
    return _date_in(day, "EEEEEE" if short else "EEEE", _FORMATS[language()])


@lru_cache(maxsize=4096)
def _date_in(day: date, pattern: str, locale: str) -> str:
    return format_date(day, pattern, locale=locale)


def format_hour(instant: datetime, zone: str) -> str:
    """The hour on the village's clocks, as 24-hour HH:MM."""
    return _hour(to_village(instant, zone).time(), _FORMATS[language()])


@lru_cache(maxsize=4096)
def _hour(at: time, locale: str) -> str:
    return format_time(at, "HH:mm", locale=locale)


# --- numbers -------------------------------------------------------------------------------------


def format_number(number: int) -> str:
    return format_decimal(number, locale=_FORMATS[language()])


def format_baht(satang: int, *, exact: bool = True) -> str:
    """Satang as baht. `exact` always prints both decimals; else whole baht stay whole."""
    number = format_baht_number(abs(satang), exact=exact)
    sign = "−" if satang < 0 else ""
    return f"{sign}{number} บาท" if language() == "th" else f"{sign}฿{number}"


def format_baht_number(satang: int, *, exact: bool = True) -> str:
    """The number alone, for columns whose heading names the unit."""
    pattern = "#,##0.00" if exact or satang % 100 else "#,##0"
    return _amount(satang, pattern, _FORMATS[language()])


@lru_cache(maxsize=16_384)
def _amount(hundredths: int, pattern: str, locale: str) -> str:
    return format_decimal(to_baht(hundredths), pattern, locale=locale)


def format_bp(bp: int) -> str:
    """Basis points as per cent: 500 is "5", 1,750 is "17.5"."""
    return _amount(bp, "#,##0.##", _FORMATS[language()])
