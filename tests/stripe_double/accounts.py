"""The accounts: the platform's own, and the communities' connected to it."""

from tests.stripe_double import shapes
from tests.stripe_double.state import PLATFORM, Account, ApiError, Json, World


def add_account(
    world: World, account_id: str, secret_key: str, name: str, **known: object
) -> Account:
    """Make a merchant whose `name` the guest reads on the page."""
    account = Account(account_id)
    world.accounts[account_id] = account
    world.keys[secret_key] = account_id
    body = shapes.account(account_id, created=world.now(), **known)
    body["business_profile"]["name"] = name
    world.add(account, body)
    return account


def retrieve_account(world: World, account: Account, account_id: str, _: Json) -> Json:
    """An account itself, or one connected to the platform. Raises ApiError for all others."""
    if account_id == account.id:
        return account.get("account", account_id)
    if account.id != PLATFORM or account_id not in world.accounts:
        raise no_access(account_id)
    return world.accounts[account_id].get("account", account_id)


def no_access(account_id: str) -> ApiError:
    return ApiError(
        f"The provided key does not have access to account '{account_id}' (or that account does "
        "not exist). Application access may have been revoked.",
        status=403,
        code="account_invalid",
        was_begun=False,
    )


def change_account(world: World, account: Account, **changes: object) -> None:
    """Stripe enables or restricts an account, and says so."""
    body = account.get("account", account.id)
    before = {key: body[key] for key in changes}
    body.update(changes)
    world.emit(account, "account.updated", body, before)
