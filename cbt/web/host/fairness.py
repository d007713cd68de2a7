"""How evenly income reached the households: measures and pictures for those who see each household's."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from cbt.audit.fair_year import find_year
from cbt.audit.fairness import GOAL, START, lorenz
from cbt.communities.queries import list_register
from cbt.db import db
from cbt.errors import NotFound
from cbt.people.roles import MONEY_ROLES, Role
from cbt.revenue.period_queries import list_closes
from cbt.web.access import only, the_community
from cbt.web.curves import draw_line, lorenz_path
from cbt.web.fairness_words import dasta_words, decimal, hourly_words, list_measures
from cbt.web.flow import draw
from cbt.web.forms import read_month
from cbt.web.host.views import bp
from cbt.web.layout import LANG


@bp.get(f"/{LANG}/host/<slug>/fairness")
@only(*MONEY_ROLES, Role.MENTOR)
def fairness(slug: str) -> ResponseReturnValue:
    """The twelve closed months that end with ?month=, or with the last closed one."""
    community, session = the_community(), db.session()
    wanted = request.args.get("month")
    until = read_month(wanted) if wanted else None
    year = find_year(session, community, until)
    if year is None and until is not None:
        raise NotFound(thing="period")
    if year is None:
        return render_template("host/fairness.html", community=community, year=None)
    names = {each.code: each.name for each in list_register(session, community.id)}
    return render_template(
        "host/fairness.html",
        community=community,
        year=year,
        closed=[each.month for each in reversed(list_closes(session, community.id))],
        measures=list_measures(year.fairness),
        hourly=hourly_words(year.fairness),
        dasta=dasta_words(),
        curve=lorenz_path(lorenz([each.income_satang for each in year.earners])),
        line=draw_line(year.trend, (GOAL, START)),
        goal=GOAL,
        start=START,
        decimal=decimal,
        flow=draw(year.parts),
        earners=sorted(year.earners, key=lambda each: (-each.income_satang, each.code)),
        names=names,
    )
