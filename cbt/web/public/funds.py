"""What everybody may read of a community's funds: by kind, never by household."""

from flask import render_template
from flask.typing import ResponseReturnValue

from cbt.communities.queries import get_community
from cbt.db import db
from cbt.errors import NotFound
from cbt.revenue import fund_queries
from cbt.revenue.policy import Bucket
from cbt.web.access import public
from cbt.web.layout import LANG
from cbt.web.public.views import bp

_AT = f"/{LANG}/funds/<slug>"


@bp.get(_AT)
@public
def fund_list(slug: str) -> ResponseReturnValue:
    community = get_community(db.session(), slug)
    return render_template(
        "public/funds.html",
        community=community,
        funds=fund_queries.list_funds(db.session(), community.id, community.book_id),
    )


@bp.get(f"{_AT}/<fund>")
@public
def fund(slug: str, fund: str) -> ResponseReturnValue:
    community = get_community(db.session(), slug)
    cards = fund_queries.list_funds(db.session(), community.id, community.book_id)
    card = next((each for each in cards if each.fund == fund), None)
    if card is None:
        raise NotFound(thing="fund")
    return render_template(
        "public/fund.html",
        community=community,
        card=card,
        page=fund_queries.public_page(db.session(), community.id, community.book_id, fund),
        revolving=Bucket.REVOLVE,
    )
