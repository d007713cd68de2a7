"""The auditor's bundle of a closed month, and the program that verifies it, as downloads."""

import io
import zipfile
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Response, send_file

from cbt.audit import offline
from cbt.audit.bundle import write_bundle
from cbt.audit.bundle_files import member
from cbt.communities.records import CommunityCard
from cbt.db import db, snapshot
from cbt.revenue.period_queries import get_period
from cbt.revenue.periods import last_day_of


def send_bundle(community: CommunityCard, month: date) -> Response:
    """Raises NotFound for a month that is not closed."""
    get_period(db.session(), community.id, month)
    db.session.rollback()  # nothing stays open beside the snapshot that is read from
    name = f"{community.slug}-{month:%Y-%m}-bundle.zip"
    with TemporaryDirectory(prefix="cbt-download-") as folder, snapshot() as session:
        path = Path(folder) / name
        write_bundle(session, community, month, last_day_of(month), path)
        file = path.open("rb")  # what is open can be read after its folder is gone
    answer = send_file(file, "application/zip", as_attachment=True, download_name=name, max_age=0)
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def send_verifier() -> Response:
    """The files of the offline verifier, to be unpacked anywhere."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(Path(offline.__file__).parent.glob("offline*.py")):
            archive.writestr(member(f"cbt-offline/{path.name}"), path.read_bytes())
    file.seek(0)
    return send_file(file, "application/zip", as_attachment=True, download_name="cbt-offline.zip")
