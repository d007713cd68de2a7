"""The list of what happened, as Stripe keeps it for thirty days."""

from tests.stripe_double import listing
from tests.stripe_double.balance import DAY
from tests.stripe_double.state import Account, ApiError, Json, World

_KEPT_DAYS = 30


def list_events(world: World, account: Account, params: Json) -> Json:
    """`types` and `type` exclude each other. `delivery_success`: whether the product took it."""
    if "types" in params and "type" in params:
        raise ApiError("You may only specify one of type and types.", param="types")
    types = params.get("types") or ([params["type"]] if params.get("type") else [])
    wanted = params.get("delivery_success")
    since = world.now() - _KEPT_DAYS * DAY
    found = [
        event
        for event in account.all_of("event")
        if event["created"] >= since
        and (not types or _fits(event["type"], types))
        and (wanted is None or wanted == (event["pending_webhooks"] == 0))
    ]
    return listing.page(found, params, "/v1/events")


def _fits(kind: str, types: list[str]) -> bool:
    """Whether one of the types is this one, or ends in a star: `payout.*`."""
    return any(
        kind == each or (each.endswith(".*") and kind.startswith(each[:-1])) for each in types
    )
