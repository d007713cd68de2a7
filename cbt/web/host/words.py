"""What rules of days, bearers of discounts, skills and a place in line are in words."""

from collections.abc import Iterable, Mapping

from babel import Locale
from babel.dates import get_month_names
from babel.lists import format_list

from cbt.experiences.schedule import Rule
from cbt.i18n import _, _l, _n, format_day, language
from cbt.revenue.policy import Bucket
from cbt.web import labels

WEEKDAYS = (
    _l("Mondays"),
    _l("Tuesdays"),
    _l("Wednesdays"),
    _l("Thursdays"),
    _l("Fridays"),
    _l("Saturdays"),
    _l("Sundays"),
)
"""By the number of the weekday, 0 for Monday."""

_SKILLS = {"languages": _l("speaks"), "licence": _l("licence"), "seats": _l("seats")}


def rule_words(rule: Rule) -> str:
    """ "Saturdays and Sundays at 09:00, June to February, until 28 Feb 2027"."""
    days = _l("every day") if len(rule.weekdays) == len(WEEKDAYS) else _weekdays(rule.weekdays)
    parts = [_("%(days)s at %(hour)s", days=days, hour=rule.starts_at.strftime("%H:%M"))]
    if rule.months and len(rule.months) < 12:
        parts.append(_months(rule.months))
    parts.append(_("from %(day)s", day=format_day(rule.first_on)))
    if rule.last_on:
        parts.append(_("until %(day)s", day=format_day(rule.last_on)))
    return ", ".join(parts)


def _weekdays(days: Iterable[int]) -> str:
    return _joined([str(WEEKDAYS[day]) for day in sorted(days)])


def month_names() -> list[tuple[int, str]]:
    """(number, name) of every month in the reader's language."""
    names = get_month_names("wide", "stand-alone", locale=language())
    return [(month, names[month]) for month in range(1, 13)]


def _months(months: frozenset[int]) -> str:
    """Months as runs; one that crosses the new year is one run."""
    names = dict(month_names())
    starts = [month for month in sorted(months) if _before(month) not in months]
    runs = []
    for start in starts:
        end = start
        while _after(end) in months:
            end = _after(end)
        run = _("%(first)s to %(last)s", first=names[start], last=names[end])
        runs.append(names[start] if start == end else run)
    return _joined(runs)


def _joined(words: list[str]) -> str:
    return format_list(words, locale="en_GB" if language() == "en" else language())


def _before(month: int) -> int:
    return (month - 2) % 12 + 1


def _after(month: int) -> int:
    return month % 12 + 1


def bearer_words(bearer: str) -> str:
    """Who pays for a discount."""
    if bearer == "group":
        return _("Everybody, since the booking brings less to share")
    return labels.label(Bucket(bearer))


def skill_words(skills: Mapping[str, object]) -> list[str]:
    """What a thing can do or has: "speaks: English, Thai"."""
    return [
        _("%(skill)s: %(what)s", skill=_SKILLS.get(name, name), what=_skill(name, what))
        for name, what in skills.items()
        if what
    ]


def _skill(name: str, what: object) -> str:
    """What stands behind a skill; languages by code are named in the reader's language."""
    words = [str(each) for each in what] if isinstance(what, list) else [str(what)]
    if name == "languages":
        names = Locale.parse(language()).languages
        words = [names.get(word, word) for word in words]
    return ", ".join(words)


def passed_words(passed_for: str | None) -> str:
    """Why others in line may come first, from what the waiting list noted."""
    reason, _colon, number = (passed_for or "").partition(":")
    if reason == "too_few" and number.isdecimal():
        return _n(
            "passed over: only %(num)d place was free",
            "passed over: only %(num)d places were free",
            int(number),
        )
    if reason == "not_taken":
        return _("passed over: an offer was not taken up in time")
    return _("passed over") if reason else ""
