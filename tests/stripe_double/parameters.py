"""Forms in Stripe's way of writing them, and the refusal of what Stripe does not know.

Which parameters exist, at every depth, is read from the TypedDicts of the installed library
(`strict`). Which of them this double acts on is said by each route; one that Stripe knows and the
double ignores is refused too, so that no test passes because it was ignored.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from tests.stripe_double.state import ApiError, Json
from tests.stripe_double.strict import adapter, parameters_of

_MOST_METADATA, _LONGEST_KEY, _LONGEST_VALUE = 50, 40, 500
_INTEGERS = ("int_parsing", "int_from_float", "int_type")


def decode(text: str) -> Json:
    """Read `a[b][0]=c` into nested dicts and lists of strings. Raises ApiError."""
    root: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, rest = re.match(r"([^\[]*)(.*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
        keys = [first, *re.findall(r"\[([^\]]*)\]", rest)]
        if not first or "".join(f"[{key}]" for key in keys[1:]) != rest:
            raise ApiError(f"Invalid parameter name: {name}", param=name, was_begun=False)
        _put(root, keys, value)
    return {key: _lists(value) for key, value in root.items()}


def _put(node: Json, keys: Sequence[str], value: str) -> None:
    for place, key in enumerate(keys):
        name = key or str(len(node))  # `a[]=1` is the next of a list
        if place == len(keys) - 1:
            node[name] = value
        else:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise ApiError("Invalid parameters: both a value and a hash.", was_begun=False)


def _lists(node: Any) -> Any:
    """Turn what is counted 0, 1, 2 ... into lists."""
    if not isinstance(node, dict):
        return node
    values = [_lists(value) for value in node.values()]
    if node and list(node) == [str(number) for number in range(len(node))]:
        return values
    return dict(zip(node, values, strict=True))


def read(given: Json, described: str, acted_on: Sequence[str] = ()) -> Json:
    """The parameters of one call with their types, `described` by that TypedDict of the library.

    `acted_on`: the names that the double acts on, `expand` aside; of a nested one
    "outer.inner". Raises ApiError for the first fault.
    """
    try:
        read: Json = adapter(parameters_of(described), strict=False).validate_python(given)
    except ValidationError as wrong:
        raise _refusal(given, wrong.errors()[0]) from None
    _require_acted_on({key: value for key, value in read.items() if key != "expand"}, acted_on)
    for metadata in _metadata(read):
        _require_short(metadata)
    return read


def _refusal(given: Json, fault: Any) -> ApiError:
    param = _where(given, fault["loc"], is_missing=fault["type"] == "missing")
    if fault["type"] == "extra_forbidden":
        message = f"Received unknown parameter: {param}"
        return ApiError(message, code="parameter_unknown", param=param, was_begun=False)
    if fault["type"] == "missing":
        message = f"Missing required param: {param}."
        return ApiError(message, code="parameter_missing", param=param, was_begun=False)
    if fault["type"] in _INTEGERS:
        message = f"Invalid integer: {fault['input']}"
        return ApiError(message, code="parameter_invalid_integer", param=param, was_begun=False)
    message = f"Invalid {param}: {fault['msg']}"
    return ApiError(message, param=param, was_begun=False)


def _where(given: Any, location: Sequence[Any], *, is_missing: bool) -> str:
    """`a[b][0]` of a fault's place, without the names of types that pydantic puts in between."""
    keys: list[str] = []
    for place, part in enumerate(location):
        is_last = place == len(location) - 1
        if (isinstance(given, dict) and part in given) or (
            isinstance(given, list) and isinstance(part, int) and part < len(given)
        ):
            given = given[part]
        elif not (is_last and is_missing):
            continue
        keys.append(str(part))
    return "".join([*keys[:1], *(f"[{key}]" for key in keys[1:])])


def _require_acted_on(node: Any, names: Sequence[str], above: str = "") -> None:
    """A name that is listed is acted on with all below it; one listed as "a.b" lets only b into a."""
    if isinstance(node, list):
        for each in node:
            _require_acted_on(each, names, above)
    elif isinstance(node, dict):
        for key, value in node.items():
            name = f"{above}{key}"
            if name in names:
                continue
            if not any(each.startswith(f"{name}.") for each in names):
                raise _not_simulated(name)
            _require_acted_on(value, names, f"{name}.")


def _not_simulated(name: str) -> ApiError:
    first, *rest = name.split(".")
    param = first + "".join(f"[{key}]" for key in rest)
    message = f"Stripe knows the parameter {param}, but its double for tests does not act on it."
    return ApiError(message, param=param, code="double_does_not_act", was_begun=False)


def _metadata(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        if isinstance(found := node.get("metadata"), dict):
            yield found
        for value in node.values():
            yield from _metadata(value)


def _require_short(metadata: Json) -> None:
    if len(metadata) > _MOST_METADATA:
        raise ApiError("You can have up to 50 keys of metadata.", param="metadata", was_begun=False)
    for key, value in metadata.items():
        if len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            told = "Metadata keys can have up to 40 characters and values up to 500."
            raise ApiError(told, param=f"metadata[{key}]", was_begun=False)
