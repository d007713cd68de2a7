"""Receipts as the community's own people fetch them: by their number, whichever booking they belong to."""

from flask.typing import ResponseReturnValue

from cbt.db import db
from cbt.revenue.receipts import get_receipt
from cbt.web.access import only, the_community
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG
from cbt.web.pdf import send_receipt


@bp.get(f"/{LANG}/host/<slug>/receipts/<int:number>.pdf")
@only(*HOSTS)
def receipt(slug: str, number: int) -> ResponseReturnValue:
    return send_receipt(get_receipt(db.session(), the_community().id, number))
