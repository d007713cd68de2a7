"""The auditor's bundle as mentor and treasurer take it from a closed month's page, and what checks it."""

import io
import zipfile

from tests.audit.bundles import run
from tests.web.forms import sign_in

MONTH = "/en/mentor/buna-dara/months/2026-10"
HOSTS = "/en/host/buna-dara/money/months/2026-10"


def enter(app, name):
    client = app.test_client()
    assert sign_in(client, name).status_code == 303
    return client


def test_a_mentor_takes_bundle_and_verifier_and_proves_the_month_elsewhere(sample_app, tmp_path):
    mentor = enter(sample_app, "mentor")
    page = mentor.get(MONTH).text
    assert f'href="{MONTH}/bundle.zip"' in page
    assert 'href="/en/verify/cbt-offline.zip"' in page
    answer = mentor.get(f"{MONTH}/bundle.zip")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert "buna-dara-2026-10-bundle.zip" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "private, no-store"
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(answer.data)
    program = sample_app.test_client().get("/en/verify/cbt-offline.zip")
    with zipfile.ZipFile(io.BytesIO(program.data)) as archive:
        archive.extractall(tmp_path / "elsewhere")
    keys = tmp_path / "keys.txt"
    keys.write_bytes(sample_app.test_client().get("/en/verify/buna-dara/keys.txt").data)
    verifier = tmp_path / "elsewhere" / "cbt-offline" / "offline.py"
    code, told = run(verifier, bundle, "--keys", str(keys))
    assert code == 0, told
    assert told.endswith("ALL IS WELL\n")
    code, told = run(verifier, bundle, "--keys", str(keys), "--code", "AAAA-AAAA-AAAA-AAAA")
    assert code == 1
    assert "[code_unknown]" in told


def test_a_treasurer_takes_the_same_bytes(sample_app):
    treasurer = enter(sample_app, "treasurer.buna-dara")
    assert f'href="{HOSTS}/bundle.zip"' in treasurer.get(HOSTS).text
    own = treasurer.get(f"{HOSTS}/bundle.zip")
    assert own.status_code == 200
    assert own.data == enter(sample_app, "mentor").get(f"{MONTH}/bundle.zip").data


def test_a_coordinator_is_offered_the_program_alone(sample_app):
    host = enter(sample_app, "host.buna-dara")
    page = host.get(HOSTS).text
    assert "bundle.zip" not in page
    assert "cbt-offline.zip" in page
    assert host.get(f"{HOSTS}/bundle.zip").status_code == 403


def test_a_month_that_is_not_closed_has_no_bundle(sample_app):
    mentor = enter(sample_app, "mentor")
    for month in ("2026-11", "2026-08", "no-month"):
        assert mentor.get(f"/en/mentor/buna-dara/months/{month}/bundle.zip").status_code == 404
