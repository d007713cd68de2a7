"""Checking a household's statement by its code: one page that needs no network once it was opened."""

from pathlib import Path

from flask import Response, current_app, render_template, send_from_directory, url_for
from flask.typing import ResponseReturnValue

from cbt.audit import verify_statement
from cbt.communities.queries import get_community
from cbt.db import db
from cbt.revenue.proofs import keys_text
from cbt.web.access import public
from cbt.web.bundle_file import send_verifier
from cbt.web.layout import LANG
from cbt.web.public.views import bp

_VERIFY = f"/{LANG}/verify"


@bp.get(_VERIFY)
@public
def verify_any() -> ResponseReturnValue:
    """A code pasted here leads to the page of its own community, where the keys are."""
    return render_template("public/verify.html", community=None, keys="")


@bp.get(f"{_VERIFY}/<slug>")
@public
def verify(slug: str) -> ResponseReturnValue:
    """What the code says and whose signatures hold; the code stands behind the # and is never sent."""
    community = get_community(db.session(), slug)
    keys = keys_text(db.session(), community.id, community.slug)
    return render_template("public/verify.html", community=community, keys=keys)


@bp.get(f"{_VERIFY}/<slug>/keys.txt")
@public
def verify_keys(slug: str) -> Response:
    """The public keys, for the program below."""
    community = get_community(db.session(), slug)
    text = keys_text(db.session(), community.id, community.slug)
    return Response(text, mimetype="text/plain")


@bp.get(f"{_VERIFY}/verify_statement.py")
@public
def verify_program() -> ResponseReturnValue:
    """The same check as one Python file that needs nothing else."""
    file = Path(verify_statement.__file__)
    return send_from_directory(file.parent, file.name, as_attachment=True, mimetype="text/x-python")


@bp.get(f"{_VERIFY}/cbt-offline.zip")
@public
def offline_verifier() -> ResponseReturnValue:
    """What verifies an auditor's bundle: some Python files that need nothing else."""
    return send_verifier()


@bp.get(f"{_VERIFY}/worker.js")
@public
def verify_worker() -> ResponseReturnValue:
    """What keeps these pages for where there is no network."""
    answer = send_from_directory(
        str(current_app.static_folder), "verify-worker.js", mimetype="text/javascript", max_age=0
    )
    answer.headers["Service-Worker-Allowed"] = url_for("public.verify_any")
    return answer
