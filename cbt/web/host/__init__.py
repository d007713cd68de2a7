"""Coordinators and treasurers: today, calendar, departures, bookings, schedules, shared things.

Each module hangs its pages on the one blueprint of `views`.
"""

from cbt.web.host import (
    accounts,
    booking,
    calendar,
    cash,
    check_in,
    close,
    departures,
    disputes,
    feeds,
    goodwill,
    money,
    offers,
    receipts,
    refunds,
    rest,
    rules,
    running,
    statements,
    things,
    views,
    walk_in,
)

__all__ = [
    "accounts",
    "booking",
    "calendar",
    "cash",
    "check_in",
    "close",
    "departures",
    "disputes",
    "feeds",
    "goodwill",
    "money",
    "offers",
    "receipts",
    "refunds",
    "rest",
    "rules",
    "running",
    "statements",
    "things",
    "views",
    "walk_in",
]
