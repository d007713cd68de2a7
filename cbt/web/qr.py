"""QR codes as inline drawings."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import segno
from markupsafe import Markup

_MASK_OF_ADDRESSES = 2
"""Trying all eight masks costs five times the drawing. A signed address looks like noise, of which
this one comes within 3 per cent of the best; every reader undoes any mask."""

_QUIET = 4
"""How many modules wide the light border must be."""


@lru_cache(maxsize=128)
def draw(text: str) -> Markup:
    """An SVG of the text's QR, black on white with a quiet zone, sized by the page."""
    mask = _MASK_OF_ADDRESSES if "://" in text else None
    rows = segno.make(text, error="m", micro=False, mask=mask).matrix
    size = len(rows) + 2 * _QUIET
    path = "".join(f"M{x} {y}h{long}v1h-{long}z" for x, y, long in _bars(rows))
    return Markup(  # noqa: S704  (made from modules, holds nothing of the text itself)
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" class="qr-code">'
        f'<path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/><path d="{path}"/></svg>'
    )


def _bars(rows: Sequence[bytearray]) -> Iterator[tuple[int, int, int]]:
    """(x, y, length) of each run of dark modules, line by line."""
    for y, row in enumerate(rows, start=_QUIET):
        begins = row.find(1)
        while begins >= 0:
            ends = row.find(0, begins)
            ends = len(row) if ends < 0 else ends
            yield begins + _QUIET, y, ends - begins
            begins = row.find(1, ends)
