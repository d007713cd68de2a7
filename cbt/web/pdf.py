"""Papers as PDF, by Typst: laid out by `templates/documents`, tagged for screen readers (PDF/UA).

The same record gives the same bytes: the document's date is the record's own, the fonts are those of
the package, never the machine's. All data goes in as one JSON text and stays text: nothing that
somebody typed is read as markup. Not to be called inside a transaction: it takes some 50 ms.
"""

import json
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, cast

import fontpkg_sarabun
from flask import Response

from cbt.db import db
from cbt.i18n import _
from cbt.revenue.receipts import ReceiptFacts
from cbt.web.receipts import ReceiptSheet, build_sheet

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "documents"
_FONTS = Path(fontpkg_sarabun.ROOT) / "files"
_FALLBACKS = {
    "fontpkg_noto_sans": "files/NotoSans[wdth,wght].ttf",
    "fontpkg_noto_sans_arabic": "files/NotoSansArabic[wdth,wght].ttf",
    "noto_cjk_sans_jp_regular": "NotoSansCJKjp-Regular.otf",
}
"""Fonts for names that Sarabun has no letters for, by package; `receipt.typ` names them in order."""
_STANDARD = "ua-1"  # refuses a paper that a screen reader could not read
_UNPRINTABLE = "?"
_one_at_a_time = Lock()  # the compiler keeps what it was given last


def write_receipt(sheet: ReceiptSheet) -> bytes:
    """A receipt on A4. Letters that all fonts lack are printed as "?", and a note says so."""
    shown = _printable(sheet)
    if shown != _tidy(sheet):
        note = _("Letters that this paper cannot print stand as “?”; the web page shows them.")
        shown = replace(shown, notes=(*shown.notes, note))
    return _compile("receipt.typ", shown)


def write_paper(template: str, record: Any) -> bytes:
    """Any other paper: a frozen record of texts by a template. Unknown letters are printed as "?"."""
    return _compile(template, _map_texts(record, _printable_text))


def send_receipt(facts: ReceiptFacts) -> Response:
    """A receipt as a file, named by its booking and number, in the current language."""
    sheet = build_sheet(facts)
    db.session.rollback()  # nothing stays open while the paper is laid out
    answer = Response(write_receipt(sheet), mimetype="application/pdf")
    name = f"{facts.booking.reference}-{sheet.number}.pdf"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _compile(template: str, record: Any) -> bytes:
    text = json.dumps(asdict(record), default=str, ensure_ascii=False)
    with _one_at_a_time:
        paper = _compiler().compile(
            _TEMPLATES / template, sys_inputs={"sheet": text}, pdf_standards=[_STANDARD]
        )
    assert isinstance(paper, bytes)
    return paper


@cache
def _compiler() -> Any:
    """Made once a process, when first needed: a web worker that prints nothing pays nothing."""
    import typst  # noqa: PLC0415  (a native module; with its caches it takes 30 to 70 MB)

    folders = [_FONTS, *(file.parent for file in _fallback_files())]
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=folders
    )
    return typst.Compiler(root=_TEMPLATES, font_paths=fonts, ignore_system_fonts=True)


def _fallback_files() -> list[Path]:
    """Found without importing the packages, which are fonts and nothing else."""
    found = []
    for package, name in _FALLBACKS.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(package)
        found.append(Path(spec.origin).parent / name)
    return found


# --- text that the fonts can print ---------------------------------------------------------------


def _printable(sheet: ReceiptSheet) -> ReceiptSheet:
    """The same record in letters that a font has."""
    return cast(ReceiptSheet, _map_texts(sheet, _printable_text))


def _printable_text(text: str) -> str:
    known = _letters()
    return "".join(letter if ord(letter) in known else _UNPRINTABLE for letter in _tidy_text(text))


def _tidy(sheet: ReceiptSheet) -> ReceiptSheet:
    return cast(ReceiptSheet, _map_texts(sheet, _tidy_text))


def _tidy_text(text: str) -> str:
    """Letters and marks joined as fonts know them; breaks are blanks; nothing that cannot be seen."""
    seen = (
        " " if letter.isspace() else letter
        for letter in unicodedata.normalize("NFC", text)
        if letter.isspace() or unicodedata.category(letter)[0] != "C"
    )
    return "".join(seen)


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """A frozen record with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_map_texts(each, change) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in fields(value)]
        return replace(value, **{name: _map_texts(getattr(value, name), change) for name in names})
    return value


@cache
def _letters() -> frozenset[int]:
    """The code points that can be drawn, regular and bold alike: a fallback has one weight for both."""
    sarabun = [_FONTS / name for name in ("Sarabun-Regular.ttf", "Sarabun-Bold.ttf")]
    regular, bold = map(_drawn_by, sarabun)
    return (regular & bold).union(*map(_drawn_by, _fallback_files()))


def _drawn_by(file: Path) -> frozenset[int]:
    from fontTools.ttLib import TTFont  # noqa: PLC0415  (as for the web font: only when needed)

    with TTFont(file, lazy=True) as font:
        return frozenset(font.getBestCmap())
