"""The auditor's bundle: honest ones verify elsewhere, the same facts give the same bytes, nothing personal."""

import io
import json
import re
import shutil
import subprocess
import tracemalloc
import zipfile
from datetime import date
from hashlib import sha256
from html import unescape

import pytest
from sqlalchemy import select

from cbt.audit import offline_format
from cbt.audit.bundle_files import Folder
from cbt.communities.queries import list_communities
from cbt.db import db
from cbt.errors import BundleCell
from cbt.payments.models import Credit
from cbt.people.roles import Role
from cbt.revenue.closed import SigningKey
from cbt.revenue.period_queries import list_periods
from cbt.revenue.periods import last_day_of
from tests.audit.bundles import copy_verifier, run, write
from tests.audit.rich_month import go_on, make_rich_month
from tests.revenue.closing import (
    AFTER_NEXT,
    DECEMBER,
    NOVEMBER,
    close_month,
    make_office,
    worked_month,
)


@pytest.fixture
def office(app):
    """November and December closed; nothing happened in December."""
    office = make_office()
    worked_month(office)
    close_month(office)
    close_month(office, DECEMBER, AFTER_NEXT)
    return office


def test_a_closed_month_verifies_in_an_empty_folder_without_the_project(office, tmp_path):
    bundle = write(office.card, NOVEMBER, last_day_of(NOVEMBER), tmp_path / "november.zip")
    code, told = run(copy_verifier(tmp_path / "elsewhere"), bundle)
    assert code == 0, told
    assert told.splitlines()[-1] == "ALL IS WELL"
    assert "3  each split is what the policy gives" in told


def test_every_closed_month_of_every_sample_community_verifies(sample_app, tmp_path):
    verifier = copy_verifier(tmp_path / "elsewhere")
    count = 0
    for community in list_communities(db.session()):
        for period in list_periods(db.session(), community.id):
            name = tmp_path / f"{community.slug}-{period.month}.zip"
            code, told = run(
                verifier, write(community, period.month, last_day_of(period.month), name)
            )
            assert code == 0, told
            count += 1
    assert count >= 6


def test_the_same_facts_give_the_same_bytes(office, tmp_path):
    days = (NOVEMBER, last_day_of(NOVEMBER))
    one = write(office.card, *days, tmp_path / "one.zip").read_bytes()
    two = write(office.card, *days, tmp_path / "two.zip").read_bytes()
    assert one == two


def test_the_manifest_tells_each_file_by_hash_length_and_rows(office, tmp_path):
    bundle = write(office.card, NOVEMBER, last_day_of(NOVEMBER), tmp_path / "november.zip")
    with zipfile.ZipFile(bundle) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert set(manifest["files"]) == set(archive.namelist()) - {"manifest.json"}
        assert set(offline_format.TABLES) <= set(manifest["files"])
        for name, told in manifest["files"].items():
            text = archive.read(name)
            assert told["sha256"] == sha256(text).hexdigest()
            assert told["bytes"] == len(text)
    assert manifest["months"] == ["2026-11"]
    assert manifest["files"]["bookings.csv"]["rows"] == 3


def test_a_month_that_nobody_closed_is_said_to_be_signed_by_nobody(app, tmp_path):
    office = make_office()
    worked_month(office)
    bundle = write(office.card, NOVEMBER, last_day_of(NOVEMBER), tmp_path / "open.zip")
    verifier = copy_verifier(tmp_path / "elsewhere")
    code, told = run(verifier, bundle)
    assert code == 1
    assert "nobody has closed it [not_closed]" in told
    code, told = run(verifier, bundle, "--open")
    assert code == 0, told
    assert "2026-11 is not closed" in told


def test_the_workbook_is_for_people_and_nothing_in_it_is_a_formula(office, tmp_path):
    bundle = write(office.card, NOVEMBER, last_day_of(NOVEMBER), tmp_path / "november.zip")
    with zipfile.ZipFile(bundle) as archive:
        workbook = zipfile.ZipFile(io.BytesIO(archive.read("people.xlsx")))
    sheets = [name for name in workbook.namelist() if name.startswith("xl/worksheets/")]
    assert len(sheets) == 4
    texts = {name: workbook.read(name).decode() for name in sheets}
    for text in texts.values():
        assert "<f>" not in text
    assert "household:H01" in texts["xl/worksheets/sheet4.xml"]
    assert "<v>0.02</v>" not in texts["xl/worksheets/sheet2.xml"]  # five households, in baht
    assert texts["xl/worksheets/sheet2.xml"].count("<row ") == 6


@pytest.mark.parametrize("first", [NOVEMBER, DECEMBER])
def test_hledger_reads_the_journal_and_finds_the_same_balances(sqlite_app, first, tmp_path):
    program = shutil.which("hledger")
    if program is None:
        pytest.skip("hledger is not on this machine")
    office = make_rich_month()
    go_on(office)
    bundle = write(office.card, first, last_day_of(first), tmp_path / "month.zip")
    path = tmp_path / "month.journal"
    with zipfile.ZipFile(bundle) as archive:
        text = archive.read("journal.hledger").decode()
    assert ("brought forward" in text) is (first == DECEMBER)
    path.write_text(text)
    done = subprocess.run([program, "-f", path, "check"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[:500]


# --- what happens later --------------------------------------------------------------------------


def test_a_closed_months_bundle_stays_what_it_is_when_life_goes_on(app, tmp_path):
    """December's payouts, refunds and losses change no byte of November's bundle, and have their own."""
    office = make_rich_month()
    days = (NOVEMBER, last_day_of(NOVEMBER))
    before = write(office.card, *days, tmp_path / "before.zip").read_bytes()
    go_on(office)
    after = write(office.card, *days, tmp_path / "after.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(before)) as one, zipfile.ZipFile(io.BytesIO(after)) as two:
        for name in one.namelist():
            assert one.read(name) == two.read(name), name
    assert before == after
    bundle = write(office.card, DECEMBER, last_day_of(DECEMBER), tmp_path / "december.zip")
    code, told = run(copy_verifier(tmp_path / "elsewhere"), bundle)
    assert code == 0, told
    counts = dict(re.findall(r"^ok +(\w+) +(\d+)", told, re.MULTILINE))
    assert {"losses", "payouts", "money", "splits", "sharing"} <= counts.keys(), told
    whole = write(office.card, NOVEMBER, last_day_of(DECEMBER), tmp_path / "both.zip")
    code, told = run(copy_verifier(tmp_path / "elsewhere"), whole)
    assert code == 0, told


# --- nothing personal ----------------------------------------------------------------------------


def test_no_personal_text_of_the_samples_stands_in_any_bundle(sample_app, tmp_path):
    """Every name, mail, telephone, account, password and free text of everybody, letter by letter."""
    personal = personal_texts()
    assert len(personal) > 200
    for community in list_communities(db.session()):
        out = tmp_path / f"{community.slug}.zip"
        bundle = write(community, date(2026, 9, 1), date(2026, 11, 30), out)
        assert standing_in(everything_in(bundle), personal) == [], community.slug


def test_no_personal_text_of_a_month_with_everything_stands_in_its_bundle(sqlite_app, tmp_path):
    office = make_rich_month()
    bundle = write(office.card, NOVEMBER, last_day_of(NOVEMBER), tmp_path / "rich.zip")
    whole = everything_in(bundle)
    written = (
        "Ms H01",
        "Mr H02",
        "three nights",
        "an engine",
        "the boat was",
        "a coin",
        "account closed",
    )
    written += (
        "we know and talk",
        "yearly grant",
        "certificate",
        "guest@example",
        "Guest",
        "081-234",
    )
    assert standing_in(whole, [*written, *personal_texts()]) == []
    credit = db.session.scalar(select(Credit.code))
    assert credit not in whole  # whoever has it could use it
    locked = db.session.scalar(select(SigningKey.locked).where(SigningKey.locked.is_not(None)))
    assert locked not in whole


PERSONAL = {
    "person": ("sign_in_name", "name", "password_hash"),
    "member": ("name",),
    "household": ("name",),
    "booking": (
        "guest_name",
        "guest_email",
        "guest_phone",
        "food_needs",
        "access_needs",
        "request_key",
    ),
    "waiting_party": ("name", "email", "phone"),
    "payee": ("number", "holder"),
    "payment_account": ("receiver", "receiver_name"),
    "policy_resolution": ("signers", "place"),
    "correction": ("reason",),
    "preparation": ("what",),
    "period_rule": ("explanation",),
    "signing_key": ("locked", "reason"),
    "credit": ("code",),
    "fund_claim": ("payee", "what", "evidence"),
    "loan": ("borrower", "what"),
    "contribution": ("note",),
}


def personal_texts():
    """Every text of these columns, those inside JSON one by one."""
    found = set()
    tables = db.metadata.tables
    for table, columns in PERSONAL.items():
        for column in columns:
            for value in db.session.scalars(select(tables[table].c[column]).distinct()):
                found.update(texts_of(value))
    db.session.rollback()
    found -= {str(role) for role in Role}  # the sample mentor signs in as "mentor"
    return sorted(text for text in found if len(text) > 3)


def standing_in(whole, texts):
    """Those of some texts that stand in another as words of their own."""
    return [
        each
        for each in texts
        if each in whole and re.search(rf"(?<![\w:-]){re.escape(each)}(?![\w-])", whole)
    ]


def texts_of(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for each in value for text in texts_of(each)]
    return [value] if isinstance(value, str) else []


def everything_in(bundle):
    """All texts of a bundle, the workbook's as well."""
    texts = []
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            if name.endswith(".xlsx"):
                with zipfile.ZipFile(io.BytesIO(archive.read(name))) as book:
                    texts += [unescape(book.read(each).decode()) for each in book.namelist()]
            else:
                texts.append(archive.read(name).decode())
                if name.endswith(".jsonl"):
                    texts += [str(json.loads(line)) for line in texts[-1].splitlines()]
    return "\n".join(texts)


def test_a_month_in_which_nothing_happened_proves_nothing(office, tmp_path):
    bundle = write(office.card, DECEMBER, date(2026, 12, 31), tmp_path / "december.zip")
    code, told = run(copy_verifier(tmp_path / "elsewhere"), bundle)
    assert code == 1
    assert "NOTHING  chain" in told


def test_a_table_of_any_length_is_written_without_being_held_in_memory(tmp_path):
    tracemalloc.start()
    try:
        with Folder() as folder:
            for number in range(1, 60_001):
                folder.add("legs.csv", number, 1, "guest_deposit", "fund:mgmt", number, "bucket")
            folder.pack(tmp_path / "long.zip", {"format": "cbt-bundle/1"})
        _now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    with zipfile.ZipFile(tmp_path / "long.zip") as archive:
        assert archive.getinfo("legs.csv").file_size > 2_000_000
    assert most < 1_500_000


@pytest.mark.parametrize(
    ("table", "cells"),
    [
        ("work.csv", (1, "=1+1", "boat", 1, 60)),
        ("work.csv", (1, "H01", "boat", -1, 60)),
        ("work.csv", (1, "H\n01", "boat", 1, 60)),
        ("work.csv", (10**17, "H01", "boat", 1, 60)),
    ],
)
def test_what_no_cell_may_hold_is_never_written(table, cells):
    with Folder() as folder, pytest.raises(BundleCell):
        folder.add(table, *cells)
