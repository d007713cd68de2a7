"""Opening a bundle that anybody may have handed us. Standard library alone.

Nothing is unpacked onto the disk, nothing larger than its limits is read, and a file that is not exactly
what the format says is refused with the reason (Refused). What is readable but differs from the manifest
is a finding instead.
"""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cbt.audit.offline_format import (
    EXTRA,
    FORMAT,
    MANIFEST,
    MOST_BYTES,
    MOST_FILES,
    MOST_LINE,
    MOST_RATIO,
    MOST_ROWS,
    SHAPES,
    TABLES,
    WORDS,
    is_of,
)

Row = dict[str, Any]
_NAMES = {MANIFEST, *TABLES, *EXTRA}
_HEAD = {
    "format": "w",
    "community": "w",
    "book": "w",
    "founding": "w",
    "zone": "w",
    "from": "d",
    "to": "d",
    "first_entry": "n",
    "last_entry": "n",
    "head_before": "h",
    "head_after": "h",
}


class Refused(Exception):
    """What was handed in is no bundle. `why` names the reason, `values` say what and where."""

    def __init__(self, why: str, **values: object) -> None:
        super().__init__(why)
        self.why = why
        self.values = values


class Told(NamedTuple):
    """What the manifest and what a file itself says of it."""

    file: str
    what: str
    stated: object
    found: object


class Bundle(NamedTuple):
    """A bundle as it was read: its manifest, each table's rows, and where the manifest is not true."""

    manifest: dict[str, Any]
    tables: dict[str, list[Row]]
    differing: list[Told]
    rows: int
    identity: str


def read(path: str) -> Bundle:
    """Read a whole bundle. Raises Refused."""
    try:
        size = Path(path).stat().st_size
    except OSError:
        raise Refused("missing", file=path) from None
    if size > MOST_BYTES:
        raise Refused("large", file=path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except Refused:
        raise
    except (
        Exception
    ) as error:  # a damaged archive makes zlib, struct and others raise what they like
        problem = f"{type(error).__name__}: {error}"[:100]
        raise Refused("archive", problem=problem) from None


def _read(archive: zipfile.ZipFile) -> Bundle:
    members = _members(archive)
    text = b"".join(_blocks(archive, members[MANIFEST]))
    manifest = _manifest(text)
    listed = manifest["files"]
    tables: dict[str, list[Row]] = {}
    differing = [
        Told(name, "listed", name in listed, name in members)
        for name in sorted(_NAMES - {MANIFEST})
        if (name in listed) != (name in members)
    ]
    total = 0
    for name in sorted(members):
        if name == MANIFEST:
            continue
        file = _File(name)
        blocks = _blocks(archive, members[name])
        if name in TABLES:
            tables[name] = list(_rows(name, file.lines(blocks)))
            total += len(tables[name])
        else:
            for _line in file.lines(blocks):
                pass
        if total > MOST_ROWS:
            raise Refused("large", file=name)
        if name in listed:
            differing += _compare(file, listed[name])
    return Bundle(manifest, tables, differing, total, hashlib.sha256(text).hexdigest())


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by name, none of them twice, unknown, hidden or out of proportion."""
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        raise Refused("files", count=len(infos))
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for info in infos:
        name = info.filename
        if ".." in name or name.startswith(("/", "\\")) or "\\" in name or ":" in name:
            raise Refused("path", file=name)
        if name in found:
            raise Refused("twice", file=name)
        if name not in _NAMES or info.is_dir() or info.external_attr & 0xA0000000 == 0xA0000000:
            raise Refused("unknown", file=name)
        if info.flag_bits & 1:
            raise Refused("hidden", file=name)
        total += info.file_size
        if total > MOST_BYTES or info.file_size > MOST_RATIO * info.compress_size + 10_000:
            raise Refused("bomb", file=name)
        found[name] = info
    for name in [MANIFEST, *TABLES]:
        if name not in found:
            raise Refused("lacking", file=name)
    return found


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    read_ = 0
    with archive.open(info) as stream:
        while block := stream.read(65_536):
            read_ += len(block)
            if read_ > info.file_size:
                raise Refused("bomb", file=info.filename)
            yield block


class _File:
    """One member while it is read: its length, its SHA-256, how many rows it has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bytes = 0
        self.rows = 0
        self.hash = hashlib.sha256()

    def lines(self, blocks: Iterator[bytes]) -> Iterator[str]:
        """The lines of a text without their ends; of other files none, only the hash is taken."""
        rest = b""
        is_text = not self.name.endswith(".xlsx")
        for block in blocks:
            self.bytes += len(block)
            self.hash.update(block)
            if not is_text:
                continue
            *whole, rest = (rest + block).split(b"\n")
            if len(rest) > MOST_LINE:
                raise Refused("line", file=self.name, line=self.rows + 1)
            for line in whole:
                self.rows += 1
                yield self._text(line)
        if rest:
            raise Refused("line", file=self.name, line=self.rows + 1)
        if is_text and self.name.endswith(".csv"):
            self.rows -= 1  # the headings

    def _text(self, line: bytes) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("encoding", file=self.name, line=self.rows) from None


def _compare(file: _File, stated: Row) -> list[Told]:
    found = {"sha256": file.hash.hexdigest(), "bytes": file.bytes, "rows": file.rows}
    return [
        Told(file.name, what, stated[what], found[what])
        for what in ("sha256", "bytes", "rows")
        if stated[what] != found[what]
    ]


# --- the manifest --------------------------------------------------------------------------------


def _manifest(text: bytes) -> dict[str, Any]:
    found = _json(MANIFEST, 0, _decoded(text))
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise Refused("format", found=str(found.get("format") if isinstance(found, dict) else ""))
    if set(found) != {*_HEAD, "months", "files"}:
        raise Refused("manifest", what="fields")
    for name, kind in _HEAD.items():
        if not is_of(kind, _cell(kind, found[name])):
            raise Refused("manifest", what=name)
    months = found["months"]
    if not isinstance(months, list) or not all(
        isinstance(each, str) and is_of("m", each) for each in months
    ):
        raise Refused("manifest", what="months")
    _require_files(found["files"])
    return found


def _require_files(files: object) -> None:
    if not isinstance(files, dict) or not set(files) <= _NAMES - {MANIFEST}:
        raise Refused("manifest", what="files")
    for name, stated in files.items():
        if not isinstance(stated, dict) or set(stated) != {"sha256", "bytes", "rows"}:
            raise Refused("manifest", what=name)
        kinds = {"sha256": "h", "bytes": "n", "rows": "n"}
        if not all(is_of(kind, _cell(kind, stated[key])) for key, kind in kinds.items()):
            raise Refused("manifest", what=name)


def _cell(kind: str, value: object) -> str:
    """A JSON value as the text that a table would have for it; what cannot be is no text of any type."""
    if value is None:
        return ""
    if kind[0] in "nib":
        return str(int(value)) if isinstance(value, int) else "?"
    return value if isinstance(value, str) and value else "\n"


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("encoding", file=MANIFEST, line=1) from None


def _json(file: str, line: int, text: str) -> Any:
    """A JSON value without fractions, doubled names or numbers beyond measure."""

    def refuse(_value: str) -> Any:
        raise Refused("number", file=file, line=line)

    def whole(value: str) -> int:
        if not SHAPES["i"].fullmatch(value):
            raise Refused("number", file=file, line=line)
        return int(value)

    def once(pairs: list[tuple[str, Any]]) -> Row:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Refused("json", file=file, line=line)
        return found

    try:
        return json.loads(
            text,
            parse_int=whole,
            parse_float=refuse,
            parse_constant=refuse,
            object_pairs_hook=once,
        )
    except (ValueError, RecursionError):
        raise Refused("json", file=file, line=line) from None


# --- tables --------------------------------------------------------------------------------------


def _rows(name: str, lines: Iterator[str]) -> Iterator[Row]:
    columns = TABLES[name]
    if name.endswith(".jsonl"):
        for number, line in enumerate(lines, start=1):
            yield _json_row(name, number, _json(name, number, line))
        return
    if next(lines, "") != ",".join(columns):
        raise Refused("headings", file=name)
    for number, line in enumerate(lines, start=2):
        try:
            [cells] = csv.reader([line], strict=True)
        except (csv.Error, ValueError):
            raise Refused("row", file=name, line=number) from None
        if len(cells) != len(columns):
            raise Refused("row", file=name, line=number)
        yield {
            column: _value(name, number, column, kind, cell)
            for (column, kind), cell in zip(columns.items(), cells)  # noqa: B905  (old Pythons)
        }


def _value(file: str, line: int, column: str, kind: str, cell: str) -> Any:
    if not is_of(kind, cell):
        if kind[0] == "w" and cell.lstrip()[:1] in ("=", "+", "-", "@", "|", "%", "'"):
            raise Refused("formula", file=file, line=line, column=column)
        why = "number" if kind[0] in "ni" and cell.lstrip("-").isdigit() else "cell"
        raise Refused(why, file=file, line=line, column=column)
    if not cell:
        return None
    if cell not in WORDS.get((file, column), (cell,)):
        raise Refused("cell", file=file, line=line, column=column)
    if kind[0] in "ni":
        return int(cell)
    return cell == "1" if kind[0] == "b" else cell


def _json_row(file: str, line: int, found: object) -> Row:
    columns = TABLES[file]
    if not isinstance(found, dict) or set(found) != set(columns):
        raise Refused("row", file=file, line=line)
    row: Row = {}
    for column, kind in columns.items():
        value = found[column]
        if kind[0] == "x":
            if not isinstance(value, str):
                raise Refused("cell", file=file, line=line, column=column)
            row[column] = value
        else:
            row[column] = _value(file, line, column, kind, _cell(kind, value))
    return row
