"""Bundles that were altered: each is named by the check it concerns, what is no bundle is refused.

The honest one is of a month in which everything happened that books know (rich_month.py).
"""

import io
import json
import os
import random
import re
import warnings
import zipfile
from datetime import date, timedelta

import pytest

from cbt.audit import offline
from cbt.audit.offline_format import MANIFEST, MOST_FILES, TABLES
from cbt.audit.offline_words import CHECKS, FAULTS, LINES, REFUSALS, say
from cbt.audit.offline_zip import Refused, read
from cbt.revenue.periods import last_day_of
from cbt.revenue.signing import make_platform_key, read_platform_key
from tests.audit.altered import Box
from tests.audit.bundles import copy_verifier, run, write
from tests.audit.corruptions import TABLE
from tests.audit.rich_month import make_rich_month
from tests.conftest import DEEP
from tests.revenue.closing import KEY, NOVEMBER

_kept = {}


@pytest.fixture
def rich(request, tmp_path_factory):
    """The bundle of a rich November (SQLite), written once."""
    if "rich" not in _kept:
        request.getfixturevalue("sqlite_app")
        office = make_rich_month()
        folder = tmp_path_factory.mktemp("rich")
        _kept["rich"] = write(office.card, NOVEMBER, last_day_of(NOVEMBER), folder / "rich.zip")
    return _kept["rich"]


def fired(path):
    return {each.check for each in offline.verify(read(str(path))) if not offline.is_clean([each])}


def test_each_corruption_is_named_by_its_checks_and_no_other(app, tmp_path):
    office = make_rich_month()
    honest = write(office.card, NOVEMBER, last_day_of(NOVEMBER), tmp_path / "rich.zip")
    assert fired(honest) == set()
    every = offline.verify(read(str(honest)))
    assert [
        each.check for each in every if not each.looked_at
    ] == []  # nothing passes by being empty
    assert len(TABLE) >= 30
    told = set()
    for name, (alter, expected) in TABLE.items():
        box = Box(honest)
        alter(box)
        found = fired(box.write(tmp_path / "altered.zip"))
        assert found == expected, name
        told |= found
        if box.manifest == Box(honest).manifest:  # the same, with the manifest left as it was
            found = fired(box.write(tmp_path / "left.zip", remake=False))
            assert found == {*expected, "manifest"}, name
    assert told >= set(CHECKS) - {"manifest"}, "a check that no corruption fires"


SILENT = {
    # people's numbers, as far as two stay two
    *(("shares.csv", each) for each in ("recorded_by", "decided_by")),
    *(("uses.csv", each) for each in ("recorded_by", "decided_by")),
    *(("cash_counts.csv", each) for each in ("counted_by", "agreed_by")),
    *(("corrections.csv", each) for each in ("asked_by", "decided_by")),
    *(("payouts.csv", each) for each in ("batch", "recovered", "drafted_by", "decided_by")),
    *(("fund_requests.csv", "requested_by"), ("fund_requests.csv", "evidence")),
    *(("fund_approvals.csv", "person"), ("departures.csv", "settled_by")),
    # days and votes, as long as each still comes before what must follow it, and is enough
    *(("policies.jsonl", each) for each in ("number", "recorded_at", "adopted_on")),
    *(("policies.jsonl", each) for each in ("households", "present", "voted_for")),
    *(("policies.jsonl", each) for each in ("meeting_th", "meeting_en")),
    *(("households.csv", each) for each in ("place", "active_from")),
    *(("bookings.csv", each) for each in ("sold_at", "sold_on")),
    *(("departures.csv", "settled_at"), ("take_backs.csv", "found_at")),
    *(("shares.csv", each) for each in ("effective_on", "document")),
    *(("uses.csv", "effective_on"), ("assets.csv", "asset"), ("periods.jsonl", "closed_at")),
    ("keys.jsonl", "recorded_at"),
    # what is told and moves nothing, here
    *(("prices.csv", "what"), ("captures.csv", "fee_on"), ("statements.jsonl", "place")),
    *(("disputes.csv", each) for each in ("reserved", "covered", "fund")),
    # of what is not settled yet
    *(("departures.csv", each) for each in ("departure", "experience", "service_on")),
    *(("bookings.csv", each) for each in ("departure", "state")),
    *(("costs.csv", each) for each in ("booking", "code", "amount")),
    *(("captures.csv", "buys"), ("accounts.csv", "side"), ("accounts.csv", "may_go_negative")),
    # its row proves nothing, and leaves the real one unsigned only where that was the platform's
    ("signatures.jsonl", "month"),
}
"""The cells that may be changed without a finding: docs/bundle.md says the same in words."""


def other(kind, cell):
    """Another cell of the same type, or None where there is nothing to change."""
    if cell in ("", None):
        return None
    if kind[0] in "nib":
        number = int(cell) + 1 if kind[0] != "b" else 1 - int(cell)
        return type(cell)(number)
    if kind[0] == "d":
        return (date.fromisoformat(cell) - timedelta(days=40)).isoformat()
    if kind[0] == "t":
        return cell.replace("T0", "T1") if "T0" in cell else cell.replace("T", "T0")[:-1]
    if kind[0] == "h":
        return ("0" if cell[0] != "0" else "1") + cell[1:]
    return "2026-10" if kind[0] == "m" else cell.rstrip("\n") + "x" + "\n" * cell.endswith("\n")


def test_whatever_cell_is_changed_something_says_so_but_for_those_that_are_named(rich, tmp_path):
    """Each column of each table: in its first row, in a few of the plain run, in many of the deep one."""
    every = [(table, column) for table, columns in TABLES.items() for column in columns]
    chosen = every if DEEP else random.Random(20_261_124).sample(every, 50)
    tried = 0
    for table, column in chosen:
        for number in range(len(Box(rich).rows[table][: 5 if DEEP else 1])):
            box = Box(rich)
            row = box.rows[table][number]
            changed = other(TABLES[table][column], row[column])
            if changed is None:
                continue
            row[column] = changed
            tried += 1
            try:
                found = fired(box.write(tmp_path / "cell.zip"))
            except Refused:
                continue
            assert found or (table, column) in SILENT, (table, column, row)
    assert tried > 30


def test_a_month_signed_anew_by_another_key_is_known_by_the_key_and_by_the_notice_board(
    rich, tmp_path, capsysbinary
):
    """Whoever rewrites all of it can sign all of it: then only what was kept elsewhere tells."""
    honest = read(str(rich))
    board = offline.months.short_code(honest.tables["periods.jsonl"][0]["record"])
    keys = tmp_path / "keys.txt"
    keys.write_text(f"platform - {KEY.public}\n")
    options = ["--keys", str(keys), "--code", board]
    assert offline.main([str(rich), *options]) == 0
    other = read_platform_key(make_platform_key())
    box = Box(rich)
    period = box.rows["periods.jsonl"][0]
    period["prepared_by"] += 90
    period["record"] = re.sub(
        r"prepared_by:person:\d+", f"prepared_by:person:{period['prepared_by']}", period["record"]
    )
    lines = period["seal"].splitlines()
    lines[3] = f"record:{offline.months.digest(period['record'])}"
    period["seal"] = "".join(line + "\n" for line in lines)
    box.rows["signatures.jsonl"] = [
        {**row, "key": other.public, "signature": other.sign(period["seal"])}
        for row in box.rows["signatures.jsonl"]
        if row["role"] == "platform"
    ]
    box.rows["keys.jsonl"] = [
        {**row, "key": other.public, "endorsement": other.sign(other.public)}
        for row in box.rows["keys.jsonl"]
        if row["role"] == "platform"
    ]
    forged = box.write(tmp_path / "forged.zip")
    assert fired(forged) == set()
    capsysbinary.readouterr()
    assert offline.main([str(forged), *options]) == 1
    told = capsysbinary.readouterr().out.decode()
    assert "[key_unknown]" in told
    assert "[code_unknown]" in told


# --- what is no bundle ---------------------------------------------------------------------------


def packed(rich, change):
    """The bundle's files as a list of (name, text) after a change, in an archive."""
    with zipfile.ZipFile(rich) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, text in change(files):
            archive.writestr(name, text)
    return out.getvalue()


def with_text(name, alter):
    """An archive in which one file's text is altered."""

    def change(files):
        return [(each, alter(text) if each == name else text) for each, text in files]

    return lambda rich: packed(rich, change)


def with_more(*more):
    return lambda rich: packed(rich, lambda files: [*files, *more])


def with_cell(table, before, after):
    def alter(text):
        assert before in text
        return text.replace(before, after, 1)

    return with_text(table, alter)


def without(name):
    return lambda rich: packed(rich, lambda files: [each for each in files if each[0] != name])


def manifest_with(**changes):
    return with_text(MANIFEST, lambda text: json.dumps({**json.loads(text), **changes}).encode())


def a_link(rich):
    info = zipfile.ZipInfo("legs.csv")
    info.external_attr = 0o120777 << 16
    return packed(
        rich,
        lambda files: [(info, b"/etc/passwd") if each[0] == "legs.csv" else each for each in files],
    )


def flipped(rich):
    """One bit in the middle of the compressed legs."""
    text = bytearray(rich.read_bytes())
    with zipfile.ZipFile(rich) as archive:
        info = archive.getinfo("legs.csv")
    text[info.header_offset + 30 + len(info.filename) + info.compress_size // 2] ^= 4
    return bytes(text)


def encrypted(rich):
    """The flag that says so, in the directory's entry of the first file."""
    text = bytearray(rich.read_bytes())
    text[text.index(b"PK\x01\x02") + 8] |= 1
    return bytes(text)


def understated(rich):
    """A file that says it unpacks to less than it does."""
    text = bytearray(rich.read_bytes())
    at = text.index(b"legs.csv", text.index(b"PK\x01\x02")) - 46
    text[at + 24 : at + 28] = (10).to_bytes(4, "little")
    return bytes(text)


MANY = [(f"more-{number}.csv", b"") for number in range(MOST_FILES)]
NESTED = b"[" * 9_000
HOSTILE = {
    "a text": (lambda _rich: b"not a zip at all", "archive"),
    "nothing": (lambda _rich: b"", "archive"),
    "half of it": (lambda rich: rich.read_bytes()[: rich.stat().st_size // 2], "archive"),
    "a bit flipped": (flipped, "archive"),
    "an encrypted file": (encrypted, "hidden"),
    "a file larger than it says": (understated, "archive"),
    "a bomb": (with_text("legs.csv", lambda _text: b"0" * 40_000_000), "bomb"),
    "a path that climbs out": (with_more(("../evil.csv", b"x")), "path"),
    "a path from the root": (with_more(("/etc/evil.csv", b"x")), "path"),
    "a path of Windows": (with_more(("C:\\evil.csv", b"x")), "path"),
    "a name twice": (with_more(("legs.csv", b"entry\n")), "twice"),
    "a file of its own": (with_more(("readme.html", b"<script>")), "unknown"),
    "a link": (a_link, "unknown"),
    "too many files": (with_more(*MANY), "files"),
    "no manifest": (without(MANIFEST), "lacking"),
    "a table less": (without("work.csv"), "lacking"),
    "another format": (manifest_with(format="cbt-bundle/2"), "format"),
    "a manifest that is a list": (with_text(MANIFEST, lambda _text: b"[]"), "format"),
    "a manifest with more": (manifest_with(trust="me"), "manifest"),
    "a manifest of a huge number": (manifest_with(last_entry=10**40), "number"),
    "a manifest without end": (with_text(MANIFEST, lambda _text: NESTED), "json"),
    "a manifest in another encoding": (
        with_text(MANIFEST, lambda t: t.decode().encode("utf-16")),
        "encoding",
    ),
    "a manifest of an impossible day": (manifest_with(to="2026-02-31"), "manifest"),
    "a table in another encoding": (
        with_text("legs.csv", lambda t: t + "1,1,ไทย,b,1,c\n".encode("cp874")),
        "encoding",
    ),
    "a mark before the headings": (
        with_text("legs.csv", lambda t: b"\xef\xbb\xbf" + t),
        "headings",
    ),
    "other columns": (with_cell("legs.csv", b"entry,line", b"line,entry"), "headings"),
    "a cell more": (with_cell("legs.csv", b"captured\n", b"captured,1\n"), "row"),
    "a quotation without end": (with_cell("legs.csv", b"captured\n", b'"captured\n'), "row"),
    "a huge number": (with_cell("legs.csv", b",90000,", b"," + b"9" * 5000 + b","), "number"),
    "a number with a fraction": (with_cell("legs.csv", b",90000,", b",9e4,"), "cell"),
    "a number with a plus": (with_cell("legs.csv", b",90000,", b",+90000,"), "cell"),
    "a number in Thai digits": (with_cell("legs.csv", b",90000,", ",๙๐๐๐๐,".encode()), "number"),
    "an amount below zero": (with_cell("legs.csv", b",90000,", b",-90000,"), "number"),
    "a formula": (with_cell("work.csv", b",H01,", b",=1+1,"), "formula"),
    "a formula behind a space": (with_cell("work.csv", b",H01,", b", @SUM(A1),"), "formula"),
    "a formula of another kind": (with_cell("work.csv", b",H01,", b",-2+3|cmd,"), "formula"),
    "a word that speaks to the terminal": (with_cell("work.csv", b",H01,", b",\x1b[2J,"), "cell"),
    "line ends of Windows": (
        with_text("legs.csv", lambda t: t.replace(b"\n", b"\r\n")),
        "headings",
    ),
    "a line without end": (with_text("legs.csv", lambda t: t[:-1]), "line"),
    "a line beyond measure": (
        with_text("legs.csv", lambda t: t + os.urandom(300_000).hex().encode()),
        "line",
    ),
    "an impossible day": (with_cell("captures.csv", b"2026-11-23", b"2026-13-01"), "cell"),
    "a JSON line of more": (
        with_cell("periods.jsonl", b'{"approved_by"', b'{"x": 1, "approved_by"'),
        "row",
    ),
    "a name twice in JSON": (
        with_cell("periods.jsonl", b'{"approved_by"', b'{"number": 1, "approved_by"'),
        "json",
    ),
    "not a number": (with_cell("periods.jsonl", b'"number": 1', b'"number": NaN'), "number"),
    "a fraction in JSON": (with_cell("periods.jsonl", b'"number": 1', b'"number": 1.0'), "number"),
    "a text for a number": (with_cell("periods.jsonl", b'"number": 1', b'"number": "1"'), "cell"),
    "JSON without end": (with_text("periods.jsonl", lambda _text: NESTED + b"\n"), "json"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_bundle_is_refused_with_its_reason(rich, name, tmp_path, capsysbinary):
    make, why = HOSTILE[name]
    path = tmp_path / "hostile.zip"
    path.write_bytes(make(rich))
    for language in ("en", "th"):
        assert offline.main([str(path), "--lang", language]) == 2
        told = capsysbinary.readouterr().out.decode()
        pattern = re.escape(say(REFUSALS, why, language)).replace(r"\?", ".*")
        start = say(LINES, "refused", language, reason="")
        assert re.fullmatch(re.escape(start) + pattern + "\n", told), told
    assert list(tmp_path.iterdir()) == [path]  # nothing was unpacked anywhere


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    code, told = run(copy_verifier(tmp_path / "elsewhere"), tmp_path / "none.zip")
    assert code == 2
    assert told.startswith("NOT A BUNDLE: there is no file ")


def test_garbage_of_any_kind_never_breaks_the_verifier(rich, tmp_path, capsysbinary):
    """Bytes changed at random, anywhere in the archive: refused or found, and never an exception."""
    chance = random.Random(6)
    whole = rich.read_bytes()
    path = tmp_path / "garbage.zip"
    for _number in range(150):
        text = bytearray(whole)
        for _byte in range(chance.randrange(1, 4)):
            text[chance.randrange(len(text))] = chance.randrange(256)
        path.write_bytes(bytes(text))
        if bytes(text) == whole:
            continue
        code = offline.main([str(path)])
        assert code in (0, 1, 2)
        if code == 0:  # a byte that nothing reads: of a date, of the system that packed it
            with zipfile.ZipFile(path) as altered, zipfile.ZipFile(rich) as honest:
                assert all(altered.read(each) == honest.read(each) for each in honest.namelist())
    capsysbinary.readouterr()


def test_every_sentence_of_the_verifier_exists_in_both_languages():
    for table in (CHECKS, FAULTS, REFUSALS, LINES):
        for name, (english, thai) in table.items():
            assert english.isascii(), name
            assert re.search("[ก-๙]", thai), name
            values = re.compile(r"\{\w+\}")
            assert set(values.findall(english)) == set(values.findall(thai)), name
