"""Who may call which page: declared at every view, checked here, in one place, before the view runs.

A view is `@public`, opened `@by_link` (the bearer of a booking's signed link), for anybody
`@signed_in`, or `@only(...)` for roles. A community's pages carry its slug in the address and a
household's its code: roles count in that community, and a household member's in that household.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, cast

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings.queries import get_booking_with_community
from cbt.bookings.records import BookingCard
from cbt.bookings.references import BookingLinks
from cbt.bookings.vouchers import Vouchers
from cbt.clock import utc_now
from cbt.communities.queries import get_community, get_household
from cbt.communities.records import CommunityCard, HouseholdCard
from cbt.db import db
from cbt.errors import NotAllowed
from cbt.people.queries import find_reader
from cbt.people.roles import Reader, Role, is_allowed, is_of_household

View = TypeVar("View", bound=Callable[..., Any])


class Door(Enum):
    PUBLIC = "public"
    LINK = "link"
    SIGNED_IN = "signed_in"
    ROLES = "roles"


@dataclass(frozen=True)
class Access:
    """What a view declares. Tests read it from the view's `access`."""

    door: Door
    roles: frozenset[Role] = frozenset()


def _declare(access: Access) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    return _declare(Access(Door.PUBLIC))(view)


def by_link(view: View) -> View:
    return _declare(Access(Door.LINK))(view)


def signed_in(view: View) -> View:
    return _declare(Access(Door.SIGNED_IN))(view)


def only(*roles: Role) -> Callable[[View], View]:
    return _declare(Access(Door.ROLES, frozenset(roles)))


# --- what a view may ask for after it was let in -------------------------------------------------


def reader() -> Reader | None:
    """The signed-in person, looked up once a request."""
    if "reader" not in g:
        g.reader = None
        if "person_id" in session:
            g.reader = find_reader(db.session(), session["person_id"], session.get("epoch", -1))
    return cast(Reader | None, g.reader)


def the_reader() -> Reader:
    found = reader()
    assert found is not None
    return found


def the_community() -> CommunityCard:
    return cast(CommunityCard, g.community)


def the_household() -> HouseholdCard:
    return cast(HouseholdCard, g.household)


def the_booking() -> BookingCard:
    """The booking that the signed link of this address opens."""
    return cast(BookingCard, g.booking)


def booking_links() -> BookingLinks:
    return cast(BookingLinks, current_app.extensions["booking_links"])


def vouchers() -> Vouchers:
    return cast(Vouchers, current_app.extensions["vouchers"])


# --- the check -----------------------------------------------------------------------------------


def init_access(app: Flask) -> None:
    app.before_request(check_access)


def check_access() -> ResponseReturnValue | None:
    if request.endpoint is None or request.endpoint == "static":
        return None
    access = declared_access(request.endpoint)
    if access.door == Door.PUBLIC:
        return None
    if access.door == Door.LINK:
        _open_booking()
        return None
    if reader() is None:
        return _to_sign_in()
    if access.door == Door.ROLES:
        _require_role(access)
    return None


def declared_access(endpoint: str) -> Access:
    """What a view declares; one that declares nothing is a programming error."""
    view: Any = current_app.view_functions[endpoint]
    return cast(Access, view.access)


def _open_booking() -> None:
    reference = booking_links().read(_argument("token"), utc_now())
    g.booking, g.community = get_booking_with_community(db.session(), reference)


def _to_sign_in() -> ResponseReturnValue:
    if request.method != "GET":
        raise NotAllowed
    return redirect(url_for("public.sign_in", next=request.full_path.rstrip("?")), code=303)


def _require_role(access: Access) -> None:
    """Raise NotAllowed, or NotFound for a community or household that is not there."""
    person = the_reader()
    community_id = None
    if "slug" in _arguments():
        g.community = get_community(db.session(), _argument("slug"))
        community_id = the_community().id
    roles = set(access.roles)
    if "household" in _arguments():
        if not is_allowed(person, roles, community_id):
            raise NotAllowed  # before looking: strangers do not learn which households exist
        g.household = get_household(db.session(), the_community().id, _argument("household"))
        if is_of_household(person, the_household().id):
            return
        roles.discard(Role.HOUSEHOLD)
    if not is_allowed(person, roles, community_id) and not _anywhere(person, access):
        raise NotAllowed


def _anywhere(person: Reader, access: Access) -> bool:
    """Pages without a community in their address list what the reader has, wherever it is."""
    return "slug" not in _arguments() and any(person.has(role) for role in access.roles)


def _arguments() -> dict[str, Any]:
    return request.view_args or {}


def _argument(name: str) -> str:
    return str(_arguments()[name])
