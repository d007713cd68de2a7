"""The auditor's bundle: honest ones verify elsewhere, the same facts give the same bytes, nothing personal."""

import json
import zipfile
from datetime import date
from hashlib import sha256

import pytest

from cbt.audit import offline_format
from cbt.communities.queries import list_communities
from cbt.db import db
from cbt.revenue.period_queries import list_periods
from cbt.revenue.periods import last_day_of
from tests.audit.bundles import copy_verifier, run, write
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


def test_a_month_in_which_nothing_happened_proves_nothing(office, tmp_path):
    bundle = write(office.card, DECEMBER, date(2026, 12, 31), tmp_path / "december.zip")
    code, told = run(copy_verifier(tmp_path / "elsewhere"), bundle)
    assert code == 1
    assert "NOTHING  chain" in told
