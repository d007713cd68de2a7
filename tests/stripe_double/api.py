"""One call of Stripe's API: who asks, what for, once, and the answer in Stripe's shape."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.stripe_double import accounts, idempotency, listing, parameters, routes
from tests.stripe_double.idempotency import Answer
from tests.stripe_double.state import API_VERSION, PLATFORM, Account, ApiError, Json, World


@dataclass(frozen=True)
class Call:
    """A request as it came. `text`: its parameters, encoded."""

    method: str
    path: str
    text: str
    headers: Mapping[str, str]
    request_id: str


def answer(world: World, call: Call, pause: Callable[[], None]) -> Answer:
    """Answer a call; `pause` is waited for while its idempotency key is taken."""
    try:
        account = _authenticate(world, call.headers)
        given = parameters.decode(call.text)
        found = routes.find(call.method, call.path)
        if found is None:
            raise ApiError(
                f"Unrecognized request URL ({call.method}: {call.path}). Please see "
                "https://stripe.com/docs or we can help at https://support.stripe.com/.",
                status=404,
                was_begun=False,
            )

        def work() -> Answer:
            pause()
            return _work(world, account, call, *found, given)

        key = call.headers.get("Idempotency-Key")
        if key and call.method == "POST":
            asked = json.dumps(given, sort_keys=True)
            return idempotency.once(world, account, key, call.path, asked, work)
        return work()
    except ApiError as refused:
        return _refuse(refused)


def _work(
    world: World, account: Account, call: Call, route: routes.Route, ids: list[str], given: Json
) -> Answer:
    """Do it under the lock. A refusal after the work began is an answer like any other."""
    with world.lock:
        world.catch_up()
        key = call.headers.get("Idempotency-Key")
        world.cause = {"id": call.request_id, "idempotency_key": key}
        try:
            params = parameters.read(given, route.described, route.acted_on)
            made = route.work(world, account, *ids, params)
            paths = params.get("expand") or []
            return _said(200, listing.expand(world, account, made, paths))
        except ApiError as refused:
            if not refused.was_begun:
                raise
            return _refuse(refused)
        finally:
            world.cause = {"id": None, "idempotency_key": None}


def _refuse(refused: ApiError) -> Answer:
    return _said(refused.status, {"error": refused.error})


def _said(status: int, body: Json) -> Answer:
    return Answer(status, json.dumps(body, indent=2, ensure_ascii=False).encode())


def _authenticate(world: World, headers: Mapping[str, str]) -> Account:
    """The account whose key it is, or the connected one that is named."""
    key = _key(headers.get("Authorization", ""))
    if key not in world.keys:
        hint = (
            f"Invalid API Key provided: {key[:8]}****" if key else "You did not provide an API key."
        )
        raise ApiError(hint, status=401, was_begun=False)
    version = headers.get("Stripe-Version", API_VERSION)
    if version != API_VERSION:
        raise ApiError(f"Invalid Stripe API version: {version}", was_begun=False)
    own = world.keys[key]
    named = headers.get("Stripe-Account") or own
    if named not in world.accounts or own not in (named, PLATFORM):
        raise accounts.no_access(named)
    return world.accounts[named]


def _key(authorization: str) -> str:
    kind, _, value = authorization.partition(" ")
    if kind == "Basic":
        return base64.b64decode(value).decode().partition(":")[0]
    return value.strip()
