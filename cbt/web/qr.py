"""QR codes as inline drawings."""

import segno
from markupsafe import Markup


def draw(text: str) -> Markup:
    """An SVG of the text's QR, black on white with a quiet zone, sized by the page."""
    code = segno.make(text, error="m", micro=False)
    return Markup(  # noqa: S704  (made by segno from modules, holds nothing of the text itself)
        code.svg_inline(border=4, omitsize=True, dark="#000", light="#fff", svgclass="qr-code")
    )
