"""The double's answers compared with how the installed library describes them.

The library's classes name every field of an answer in exactly its API version: which there are,
which may be null, which enum values are known. An answer with a field that Stripe does not have, or
without one that it always has, would let the product read what is not there.
"""

import types
from collections.abc import Iterator, Mapping
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

import stripe
from stripe._object_classes import get_object_class
from stripe._stripe_object import StripeObject, UntypedStripeObject


def faults(answer: Mapping[str, Any], where: str = "") -> list[str]:
    """What is wrong with an answer, each fault with its place; nothing if it is as described."""
    where = where or str(answer["object"])
    if answer["object"] == "list":
        return [f for i, each in enumerate(answer["data"]) for f in faults(each, f"{where}.{i}")]
    described = get_object_class("V1", answer["object"])
    if described is StripeObject:
        return [f"{where}: no such object"]
    return list(_object(answer, described, where))


def _object(answer: Any, described: type, where: str) -> Iterator[str]:
    if not isinstance(answer, Mapping):
        yield f"{where}: {answer!r} is no object"
        return
    hints = {
        name: hint
        for name, hint in described.__annotations__.items()
        if not name.startswith("_") and name != "OBJECT_NAME"
    }
    for name in answer.keys() - hints.keys():
        yield f"{where}.{name}: unknown to the library"
    for name, hint in hints.items():
        if name in answer:
            yield from _value(answer[name], hint, f"{where}.{name}")
        elif type(None) not in get_args(hint):
            yield f"{where}.{name}: absent"


def _value(value: Any, hint: Any, where: str) -> Iterator[str]:
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        yield from _union(value, _flat(inside), where)
    elif isinstance(hint, ForwardRef | str):
        yield from _other(value, where)
    elif origin is Literal:
        if value not in inside:
            yield f"{where}: {value!r} is not one of {inside}"
    elif origin is list:
        yield from _list(value, inside[0], where)
    elif _is_object(hint):
        plain = origin or hint
        if plain in (stripe.ListObject, UntypedStripeObject):
            yield from _open(value, where)
        else:
            yield from _object(value, plain, where)
    elif not _is_plain(value, hint):
        yield f"{where}: {value!r} is no {hint}"


def _list(value: Any, hint: Any, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: {value!r} is no list"
        return
    for number, each in enumerate(value):
        yield from _value(each, hint, f"{where}.{number}")


def _union(value: Any, members: list[Any], where: str) -> Iterator[str]:
    """One member must fit. `str` beside an enum is not taken for one."""
    if value is None and type(None) in members:
        return
    is_enum = any(get_origin(m) is Literal for m in members)
    wanted = [m for m in members if m is not type(None) and not (is_enum and m is str)]
    found = [list(_value(value, member, where)) for member in wanted]
    if all(found):
        yield from min(found, key=len)


def _flat(members: tuple[Any, ...]) -> list[Any]:
    flat: list[Any] = []
    for member in members:
        is_union = get_origin(member) in (Union, types.UnionType)
        flat += _flat(get_args(member)) if is_union else [member]
    return flat


def _other(value: Any, where: str) -> Iterator[str]:
    """An object of its own, expanded or part of the answer."""
    if isinstance(value, Mapping) and "object" in value:
        yield from faults(value, where)
    else:
        yield f"{where}: {value!r} is no object"


def _open(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{where}: {value!r} is no object"
    elif value.get("object") == "list":
        yield from faults(value, where)


def _is_object(hint: Any) -> bool:
    plain = get_origin(hint) or hint
    return isinstance(plain, type) and issubclass(plain, StripeObject | UntypedStripeObject)


def _is_plain(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, int | float)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    plain = get_origin(hint) or hint
    return isinstance(value, plain)
