"""Outside calendars that block things, and the host's own calendar at a secret address."""

from datetime import datetime
from functools import partial

from flask import Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField

from cbt.bookings import feed_sync, feed_watch, host_feed
from cbt.bookings.feed_lines import Problem
from cbt.bookings.fetch import fetch_calendar
from cbt.bookings.host_feed import HostFeedLinks
from cbt.bookings.queries import list_things
from cbt.clock import utc_now
from cbt.config import Settings
from cbt.db import db
from cbt.errors import FeedInvalid, NotFound, ThingInvalid
from cbt.i18n import _, _l, _n, pick
from cbt.web.access import only, public, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error, text, typed
from cbt.web.host.views import HOSTS, bp
from cbt.web.labels import label
from cbt.web.layout import LANG, public_address
from cbt.web.limits import limiter

limit_feeds = limiter.limit("10/minute", methods=["POST"])  # each waits for an outside server


class FeedForm(Form):
    thing = SelectField(_l("What it blocks"))
    name = text(_l("Name of the calendar"), most=feed_sync.LONGEST_NAME, required=True)
    url = text(_l("Address of the calendar"), most=feed_sync.LONGEST_ADDRESS, required=True)


# --- outside calendars ---------------------------------------------------------------------------


@bp.get(f"/{LANG}/host/<slug>/feeds")
@only(*HOSTS)
def feed_list(slug: str) -> ResponseReturnValue:
    return _show_feeds(_offered())


@bp.post(f"/{LANG}/host/<slug>/feeds")
@only(*HOSTS)
@limit_feeds
def add_feed(slug: str) -> ResponseReturnValue:
    form = _offered()
    if not form.validate():
        return _show_feeds(form), 422
    try:
        feed_sync.connect_feed(
            the_community().id,
            int(typed(form.thing)),
            typed(form.name),
            typed(form.url),
            _fetch(),
            utc_now(),
        )
    except (FeedInvalid, ThingInvalid) as error:
        add_error(form.url if isinstance(error, FeedInvalid) else form.name, message_for(error))
        return _show_feeds(form), error.status
    return redirect(url_for("host.feed_list", slug=slug), code=303)


@bp.post(f"/{LANG}/host/<slug>/feeds/<int:feed_id>/read")
@only(*HOSTS)
@limit_feeds
def read_feed(slug: str, feed_id: int) -> ResponseReturnValue:
    now = utc_now()
    feeds = feed_watch.list_feeds(db.session(), the_community().id, now)
    if feed_id not in {each.feed.id for each in feeds}:
        raise NotFound(thing="feed")
    feed_sync.refresh_feed(feed_id, _fetch(), now)
    return redirect(url_for("host.feed_list", slug=slug), code=303)


@bp.post(f"/{LANG}/host/<slug>/feeds/<int:feed_id>/remove")
@only(*HOSTS)
def remove_feed(slug: str, feed_id: int) -> ResponseReturnValue:
    feed_sync.remove_feed(the_community().id, feed_id)
    return redirect(url_for("host.feed_list", slug=slug), code=303)


def _fetch() -> feed_sync.Fetch:
    settings: Settings = current_app.extensions["settings"]
    return partial(fetch_calendar, allow_private=settings.feeds_from_private_addresses)


def _offered() -> FeedForm:
    """The form with the community's things to choose from."""
    form = FeedForm()
    things = list_things(db.session(), the_community().id)
    form.thing.choices = [(str(thing.id), pick(thing.title)) for thing in things]
    return form


def _show_feeds(form: FeedForm) -> str:
    now = utc_now()
    community = the_community()
    feeds = feed_watch.list_feeds(db.session(), community.id, now)
    return render_template(
        "host/feeds.html",
        community=community,
        form=form,
        feeds=feeds,
        read_at={each.feed.id: age_words(each.feed.fetched_at, now) for each in feeds},
        failures={each.feed.id: _failure_words(each.feed.failure) for each in feeds},
        conflicts=feed_watch.list_conflicts(db.session(), community.id, now),
        address=_own_address(),
    )


def age_words(then: datetime | None, now: datetime) -> str:
    """How long ago something was, in the largest unit that fits."""
    if then is None:
        return _("not read yet")
    minutes = max(0, int((now - then).total_seconds()) // 60)
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        return _n("%(num)d minute ago", "%(num)d minutes ago", minutes)
    if minutes < 48 * 60:
        return _n("%(num)d hour ago", "%(num)d hours ago", minutes // 60)
    return _n("%(num)d day ago", "%(num)d days ago", minutes // (24 * 60))


def _failure_words(failure: str | None) -> str:
    return label(Problem(failure)) if failure else ""


# --- the host's own calendar ---------------------------------------------------------------------


@bp.post(f"/{LANG}/host/<slug>/feeds/address")
@only(*HOSTS)
def make_feed_address(slug: str) -> ResponseReturnValue:
    person_id = the_reader().person_id
    host_feed.make_host_feed(the_community().id, person_id, _links(), utc_now())
    return redirect(url_for("host.feed_list", slug=slug, _anchor="own"), code=303)


@bp.post(f"/{LANG}/host/<slug>/feeds/address/end")
@only(*HOSTS)
def end_feed_address(slug: str) -> ResponseReturnValue:
    host_feed.end_host_feed(the_community().id, the_reader().person_id, utc_now())
    return redirect(url_for("host.feed_list", slug=slug, _anchor="own"), code=303)


@bp.get("/feeds/<token>.ics")
@public
def own_calendar(token: str) -> ResponseReturnValue:
    """What a calendar program reads at the secret address, again and again."""
    reader = host_feed.get_feed_reader(db.session(), token)
    content = host_feed.write_host_feed(db.session(), reader, utc_now())
    answer = Response(content, mimetype="text/calendar")
    answer.cache_control.private = True
    answer.cache_control.no_cache = True
    answer.add_etag()
    return answer.make_conditional(request)


def _own_address() -> str:
    """The reader's secret address, or nothing where none was made."""
    person_id = the_reader().person_id
    token = host_feed.find_host_feed(db.session(), the_community().id, person_id, _links())
    return public_address("host.own_calendar", token=token) if token else ""


def _links() -> HostFeedLinks:
    settings: Settings = current_app.extensions["settings"]
    return HostFeedLinks(settings.secret_key)
