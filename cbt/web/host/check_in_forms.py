"""What a host types at arrival, and what a device sends that was without the network."""

import re
from datetime import UTC, date, datetime
from typing import Any

from wtforms.validators import NumberRange, Optional

from cbt.bookings.arrivals import Scan
from cbt.clock import read_day
from cbt.errors import Invalid
from cbt.i18n import _l
from cbt.web.forms import Form, count, once, text

MOST_SCANS = 100
MOST_GUESTS = 999
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_REFERENCE = re.compile(r"B-[0-9A-Z]{4,12}")
_DEVICE = re.compile(r"[0-9A-Za-z]{1,12}")
_CLOCKS_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)  # a telephone whose battery was empty starts here


class ArrivalForm(Form):
    """A party at the door, by the code of its voucher; without a number, all of it came."""

    once = once()
    code = text(_l("Booking code or name"), most=400, required=True)
    people = count(
        _l("How many came"),
        validators=[
            Optional(),
            NumberRange(1, MOST_GUESTS, message=_l("Please enter how many came: 1 or more.")),
        ],
    )


def read_sync(sent: Any) -> tuple[date, list[Scan]]:
    """The day and the scans that a device sent. Raises Invalid before anything is written."""
    try:
        scans = [_read_scan(each) for each in sent["scans"]]
        on = read_day(sent["on"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Invalid from None
    if len(scans) > MOST_SCANS:
        raise Invalid
    return on, scans


def _read_scan(sent: Any) -> Scan:
    """One scan as a device wrote it down. Raises KeyError, TypeError or ValueError."""
    scan = Scan(
        key=sent["key"],
        reference=sent["reference"],
        device=sent["device"],
        people=sent["people"],
        scanned_at=datetime.fromisoformat(sent["scanned_at"]),
    )
    is_whole = type(scan.people) is int and 1 <= scan.people <= MOST_GUESTS
    fits = (
        _KEY.fullmatch(scan.key)
        and _REFERENCE.fullmatch(scan.reference)
        and _DEVICE.fullmatch(scan.device)
    )
    if not is_whole or not fits or scan.scanned_at < _CLOCKS_BEGIN:
        raise ValueError(scan)
    return scan
