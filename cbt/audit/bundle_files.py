"""Writing a bundle's tables and packing them: the same rows give the same bytes.

Rows go to files in a folder of their own as they come, and from there into the archive, so that no table
is ever held in memory.
"""

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

from cbt.audit.offline_format import MANIFEST, TABLES, is_of
from cbt.errors import BundleCell

_ALWAYS = (1980, 1, 1, 0, 0, 0)
_BLOCK = 65_536
Cell = str | int | bool | date | datetime | None


def stamp(instant: datetime) -> str:
    """An instant as bundles write it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain(value: Cell) -> str | int | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return stamp(value)
    return value.isoformat() if isinstance(value, date) else value


class Folder:
    """The files of a bundle while they are written."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="cbt-bundle-")
        self.path = Path(self._place.name)
        self._rows = dict.fromkeys(TABLES, 0)
        self._open: dict[str, TextIO] = {}
        for name, columns in TABLES.items():
            file = self.path.joinpath(name).open("w", encoding="utf-8", newline="")
            self._open[name] = file
            if name.endswith(".csv"):
                file.write(",".join(columns) + "\n")

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_error: object) -> None:
        for file in self._open.values():
            file.close()
        self._place.cleanup()

    def add(self, table: str, *cells: Cell) -> None:
        """One row, its cells in the order of the columns. Raises BundleCell for one that cannot be."""
        columns = TABLES[table]
        plain = [_plain(cell) for cell in cells]
        for (column, kind), cell in zip(columns.items(), plain, strict=True):
            if kind[0] != "x" and not is_of(kind, "" if cell is None else str(cell)):
                raise BundleCell(table=table, column=column, cell=cell)
        self._rows[table] += 1
        self._open[table].write(_line(table, plain))

    def add_all(self, table: str, rows: Iterable[Iterable[Cell]]) -> None:
        for row in rows:
            self.add(table, *row)

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        """Another text beside the tables."""
        with self.path.joinpath(name).open("w", encoding="utf-8", newline="") as file:
            for count, line in enumerate(lines, start=1):
                file.write(line + "\n")
                self._rows[name] = count

    def pack(self, out: Path, head: Mapping[str, Any]) -> str:
        """Write the archive with its manifest; returns the manifest's SHA-256."""
        for file in self._open.values():
            file.flush()
        part = out.with_name(out.name + ".part")
        files = {}
        try:
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(self.path.iterdir()):
                    files[path.name] = self._copy(archive, path)
                text = json.dumps({**head, "files": files}, indent=1, sort_keys=True) + "\n"
                archive.writestr(member(MANIFEST), text)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
        return sha256(text.encode()).hexdigest()

    def _copy(self, archive: zipfile.ZipFile, path: Path) -> dict[str, object]:
        digest, size = sha256(), 0
        with path.open("rb") as source, archive.open(member(path.name), "w") as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                size += len(block)
                target.write(block)
        rows = self._rows.get(path.name, 0)
        return {"sha256": digest.hexdigest(), "bytes": size, "rows": rows}


def _line(table: str, cells: list[str | int | None]) -> str:
    if table.endswith(".jsonl"):
        row = dict(zip(TABLES[table], cells, strict=True))
        return json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def member(name: str) -> zipfile.ZipInfo:
    """A member's head that says nothing of when, where and by whom it was written."""
    info = zipfile.ZipInfo(name, _ALWAYS)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    return info
