"""What a reader sees of a page, and whether it is in the reader's own language."""

import re
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
_SILENT = {"script", "style"}
_SPOKEN = ("aria-label", "alt", "title", "placeholder", "data-less", "data-more", "data-over")
THAI = re.compile("[\u0e00-\u0e3e\u0e40-\u0e7f]+")  # the baht sign is everybody's
LATIN = re.compile("[A-Za-z]{2,}")
_FILES = {
    "PDF",
    "JPEG",
    "PNG",
    "CSV",
    "Excel",
    "ISO",
    "pain",
}  # kinds of files, as people call them
_BODIES = {"GSTC", "CBT", "Thailand", "Stripe", "Python", "SHA"}
NAMES = {*_BODIES, "MB", *_FILES}  # names that are the same in every language
REFERENCE = re.compile(r"\bB-[2-9A-Z]{6}\b")


class _Reader(HTMLParser):
    """Collects text and spoken attributes, passing over what is marked as a name or a code."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.language = language
        self.words: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        other = given.get("lang", self.language) != self.language and tag != "html"
        silent = self._is_silent() or tag in _SILENT or given.get("translate") == "no" or other
        if not silent:
            self.words += [str(given[name]) for name in _SPOKEN if given.get(name)]
            if given.get("name") == "description":
                self.words.append(str(given.get("content")))
        if tag not in _VOID:
            self._open.append((tag, silent))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._is_silent() and data.strip():
            self.words.append(data.strip())

    def _is_silent(self) -> bool:
        return bool(self._open) and self._open[-1][1]


def words_of(page: str, language: str) -> list[str]:
    """The texts of a page that a reader of `language` meets, names and codes left out."""
    reader = _Reader(language)
    reader.feed(page)
    return reader.words


def foreign_words(page: str, language: str) -> list[str]:
    """Words of the other language on a page: there should be none."""
    foreign = LATIN if language == "th" else THAI
    found = [
        word
        for text in words_of(page, language)
        for word in foreign.findall(REFERENCE.sub("", text))
    ]
    return [word for word in found if word not in NAMES]


def baht(text: str) -> int:
    """An amount as a page writes it ("1,234.57 บาท", "฿1,234.57"), in satang."""
    match = re.search(r"([\d,]+)\.(\d\d)", text)
    assert match is not None, text
    return int(match[1].replace(",", "")) * 100 + int(match[2])
