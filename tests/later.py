"""The way in of a site whose days pass as a test wants: `tests.site.served(way_in="tests.later")`.

How far its clock is ahead of ours stands, in seconds, in the file that CBT_TEST_CLOCK names; server and
worker read it each time that they ask for the time.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path

from cbt import clock

CLOCK = "CBT_TEST_CLOCK"
_real_now = clock.utc_now


def _later_now() -> datetime:
    return _real_now() + timedelta(seconds=float(Path(os.environ[CLOCK]).read_text()))


def set_clock(file: Path, wanted: datetime) -> None:
    """Let it be `wanted` on the site, and go on from there."""
    ahead = file.with_suffix(".new")
    ahead.write_text(str((wanted - _real_now()).total_seconds()))
    ahead.replace(file)  # at once: nobody reads half of it


if CLOCK in os.environ:  # before anything that imports the clock's function by name
    clock.utc_now = _later_now
    from wsgi import app  # noqa: F401  (what servers and commands look for)
