"""Coordinators and treasurers: today, calendar, departures, bookings, schedules, shared things.

Each module hangs its pages on the one blueprint of `views`.
"""

from cbt.web.host import (
    account_changes,
    accounts,
    booking,
    calendar,
    cash,
    check_in,
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
    terms,
    things,
    views,
    walk_in,
)

__all__ = [
    "account_changes",
    "accounts",
    "booking",
    "calendar",
    "cash",
    "check_in",
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
    "terms",
    "things",
    "views",
    "walk_in",
]
