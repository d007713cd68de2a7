"""Lists, newest first and in pages, and fields expanded into the objects they name."""

import copy
from collections.abc import Sequence
from typing import Any

from tests.stripe_double import checkout
from tests.stripe_double.state import Account, ApiError, Json, World, missing

_DEEPEST = 4
_MOST, _USUAL = 100, 10


def page(objects: Sequence[Json], params: Json, url: str) -> Json:
    """One page of objects that are given oldest first. Raises ApiError for a bad cursor or limit."""
    limit = params.get("limit", _USUAL)
    if not 1 <= limit <= _MOST:
        raise ApiError("Limit must be between 1 and 100.", param="limit", was_begun=False)
    newest = [each for each in reversed(objects) if _was_created(each, params.get("created"))]
    ids = [each["id"] for each in newest]
    first, last = 0, len(newest)
    if (cursor := params.get("starting_after")) is not None:
        first = _position(ids, cursor, "starting_after") + 1
    if (cursor := params.get("ending_before")) is not None:
        last = _position(ids, cursor, "ending_before")
        first = max(first, last - limit)
        has_more = first > 0
    else:
        has_more = last > first + limit
    data = newest[first : min(last, first + limit)]
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def _position(ids: Sequence[str], cursor: str, param: str) -> int:
    if cursor not in ids:
        raise missing("object", cursor, param)
    return ids.index(cursor)


def _was_created(each: Json, wanted: Any) -> bool:
    if wanted is None:
        return True
    created = each["created"]
    if not isinstance(wanted, dict):
        return bool(created == wanted)
    return (
        wanted.get("gt", -1) < created
        and wanted.get("gte", 0) <= created
        and ("lt" not in wanted or created < wanted["lt"])
        and ("lte" not in wanted or created <= wanted["lte"])
    )


# --- expanding -----------------------------------------------------------------------------------


def expand(world: World, account: Account, answer: Json, paths: Sequence[str]) -> Json:
    """A copy of `answer` in which each path of ids is replaced by the objects.

    Raises ApiError for a field that is not there, or holds nothing that can be expanded.
    """
    expanded = copy.deepcopy(answer)
    for path in paths:
        parts = path.split(".")
        if len(parts) > _DEEPEST:
            raise ApiError(
                f"You cannot expand more than 4 levels of a property. Property: {path}",
                param="expand",
                was_begun=False,
            )
        _expand(account, expanded, parts, path)
    return expanded


def _expand(account: Account, node: Any, parts: Sequence[str], path: str) -> None:
    if not parts or node is None:
        return
    if isinstance(node, list):
        for each in node:
            _expand(account, each, parts, path)
        return
    name, rest = parts[0], parts[1:]
    included = _included(account, node, name)
    if included is not None:
        node[name] = included
    elif name not in node:
        raise _cannot(path)
    elif isinstance(node[name], str):
        if (found := account.objects.get(node[name])) is None:
            raise _cannot(path)
        node[name] = copy.deepcopy(found)
    elif node[name] is not None and not isinstance(node[name], dict | list):
        raise _cannot(path)
    _expand(account, node[name], rest, path)


def _cannot(path: str) -> ApiError:
    message = f"This property cannot be expanded ({path})."
    return ApiError(message, param="expand", was_begun=False)


def _included(account: Account, node: Json, name: str) -> Json | None:
    """Lists that an answer has only where they are asked for."""
    if (node.get("object"), name) == ("checkout.session", "line_items"):
        return checkout.line_items(account, node)
    if (node.get("object"), name) == ("charge", "refunds"):
        mine = [each for each in account.all_of("refund") if each["charge"] == node["id"]]
        return copy.deepcopy(page(mine, {}, f"/v1/charges/{node['id']}/refunds"))
    return None
