"""Every request to Stripe checked against the parameters that its own library describes.

The library ships a TypedDict for the parameters of each call, but checks nothing while running, and
writes enums as `Literal[...] | str`, so that a type check misses a misspelt one. Here the same
TypedDicts are read strictly: no unknown key at any depth, no missing one, no wrong type, no unknown
enum value. They are of exactly the API version that the installed library speaks.
"""

import importlib
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from threading import Lock
from typing import Any, ForwardRef, Literal, NotRequired, Required, Union, get_args, get_origin

import stripe
import stripe.params
import typing_extensions
from pydantic import ConfigDict, TypeAdapter, ValidationError
from stripe._api_requestor import _APIRequestor
from stripe._request_options import RequestOptions
from stripe._stripe_context import StripeContext
from stripe._stripe_object import StripeObject, UntypedStripeObject
from stripe._stripe_service import StripeService
from typing_extensions import TypedDict

_NAMES = {"StripeContext": StripeContext, "Mapping": Mapping}
_WRAPPERS = (Required, NotRequired)


class WrongRequest(Exception):
    """A call whose parameters Stripe does not know, or a call that went past the check."""


# --- TypedDicts, read strictly -------------------------------------------------------------------


@cache
def adapter(parameters: type, *, strict: bool = True) -> TypeAdapter[Any]:
    """What reads one TypedDict of the library, unknown keys refused at every depth.

    Strict: values as Python's own types. Otherwise as a form says them: "3000", "false".
    """
    return TypeAdapter(_strict(parameters, strict=strict))


@cache
def _strict(parameters: type, *, strict: bool) -> Any:
    hints = typing_extensions.get_type_hints(parameters, localns=_NAMES, include_extras=True)
    if _is_call(parameters):
        hints = {
            key: hint for key, hint in hints.items() if key not in RequestOptions.__annotations__
        }
    fields = {key: _convert(hint, strict=strict) for key, hint in hints.items()}
    make: Any = TypedDict  # by its name, which is known only now
    made = make(parameters.__name__, fields)
    made.__pydantic_config__ = ConfigDict(
        extra="forbid", strict=strict, arbitrary_types_allowed=True
    )
    return made


def _is_call(parameters: type) -> bool:
    """Whether these are a whole call's: they then also allow its options, for the old global style."""
    return RequestOptions in getattr(parameters, "__orig_bases__", ())


def _convert(hint: Any, *, strict: bool) -> Any:
    if isinstance(hint, str | ForwardRef):
        raise TypeError(f"not resolved: {hint}")
    if typing_extensions.is_typeddict(hint):
        return _strict(hint, strict=strict)
    origin, inside = get_origin(hint), get_args(hint)
    if origin in _WRAPPERS:
        return origin[_convert(inside[0], strict=strict)]
    if origin in (Union, types.UnionType):
        members = tuple(_convert(member, strict=strict) for member in _honest(inside))
        return Union[members]  # noqa: UP007 - the members are known only now
    if origin in (list, dict) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return origin[tuple(_convert(member, strict=strict) for member in inside)]
    return hint


def _honest(members: tuple[Any, ...]) -> list[Any]:
    """The members of a union without objects of the library, and without `str` beside an enum.

    `Literal[""] | str` is no enum: it says that a value may be unset.
    """
    kept = [m for m in members if not (_is_object(m) or m is StripeContext)]
    words = {word for m in kept if get_origin(m) is Literal for word in get_args(m)}
    is_enum = any(isinstance(word, str) and word for word in words)
    return [m for m in kept if not (m is str and is_enum)]


def _is_object(member: Any) -> bool:
    plain = get_origin(member) or member
    return isinstance(plain, type) and issubclass(plain, StripeObject | UntypedStripeObject)


def parameters_of(name: str) -> type:
    """The library's TypedDict by its name in `stripe.params`: "checkout.SessionCreateParams"."""
    *folders, last = name.split(".")
    found: type = getattr(importlib.import_module(".".join(["stripe.params", *folders])), last)
    return found


# --- every request of the process, checked -------------------------------------------------------


class Checked:
    """The calls seen while checking: the service's method and what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._lock = Lock()

    def note(self, name: str, params: Mapping[str, Any] | None) -> None:
        with self._lock:
            self.calls.append((name, dict(params or {})))

    def count(self, name: str = "") -> int:
        """How many calls were checked, in all or of one method: "checkout.SessionService.create"."""
        return sum(not name or name == called for called, _ in self.calls)


_inside: ContextVar[bool] = ContextVar("inside a checked call", default=False)


@contextmanager
def checking_every_request() -> Iterator[Checked]:
    """Within this block a call with wrong parameters raises WrongRequest and is not sent.

    It holds for every StripeClient of the process. What is sent in another way than by a method of a
    client (the old global calls, `raw_request`) is refused too, since nothing describes it; reading
    on in a list that was asked for properly is allowed.
    """
    checked = Checked()
    request, request_async = StripeService._request, StripeService._request_async
    raw, raw_async = _APIRequestor.request_raw, _APIRequestor.request_raw_async
    page = StripeObject._request

    def checked_request(service: Any, method: str, url: str, *args: Any, **named: Any) -> Any:
        _check(checked, service, sys._getframe(1).f_code.co_name, *args, **named)
        return _within(request, service, method, url, *args, **named)

    def checked_async(service: Any, method: str, url: str, *args: Any, **named: Any) -> Any:
        _check(checked, service, sys._getframe(1).f_code.co_name, *args, **named)
        return _within_async(request_async, service, method, url, *args, **named)

    def next_page(of: Any, *args: Any, **named: Any) -> Any:
        is_list = isinstance(of, stripe.ListObject)
        return _within(page, of, *args, **named) if is_list else page(of, *args, **named)

    changes = {
        (StripeService, "_request"): checked_request,
        (StripeService, "_request_async"): checked_async,
        (StripeObject, "_request"): next_page,
        (_APIRequestor, "request_raw"): _guarded(raw),
        (_APIRequestor, "request_raw_async"): _guarded(raw_async),
    }
    before = {(owner, name): getattr(owner, name) for owner, name in changes}
    _put(changes)
    try:
        yield checked
    finally:
        _put(before)


def _put(changes: Mapping[tuple[type, str], Any]) -> None:
    for (owner, name), function in changes.items():
        setattr(owner, name, function)


def _within(function: Any, *args: Any, **named: Any) -> Any:
    token = _inside.set(True)
    try:
        return function(*args, **named)
    finally:
        _inside.reset(token)


async def _within_async(function: Any, *args: Any, **named: Any) -> Any:
    token = _inside.set(True)
    try:
        return await function(*args, **named)
    finally:
        _inside.reset(token)


def _guarded(function: Any) -> Any:
    def request_raw(requestor: Any, method: str, url: str, *args: Any, **named: Any) -> Any:
        if not _inside.get():
            raise WrongRequest(f"{method} {url}: not sent by a method of a StripeClient")
        return function(requestor, method, url, *args, **named)

    return request_raw


def _check(
    checked: Checked,
    service: Any,
    method: str,
    params: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    **_: Any,
) -> None:
    """Check what a service's method was given; `method` is the one that makes the request."""
    name = ".".join([*_folder(service), type(service).__name__, method])
    require_right(name, _described(service, method), params or {})
    if name == "EventService.list":
        _require_event_types(params or {})
    require_right(f"{name} options", RequestOptions, options or {})
    checked.note(name, params)


def _described(service: Any, method: str) -> type:
    """The TypedDict which the annotation of a service's method names."""
    hint = getattr(type(service), method).__annotations__["params"]
    name = next(m.__forward_arg__ for m in [hint, *get_args(hint)] if isinstance(m, ForwardRef))
    return parameters_of(".".join([*_folder(service), name]))


def _folder(service: Any) -> list[str]:
    return type(service).__module__.split(".")[1:-1]


def _require_event_types(params: Mapping[str, Any]) -> None:
    """The types to list are plain strings to the library, which knows them all elsewhere."""
    hint = stripe.Event.__annotations__["type"]
    enums = [m for m in (hint, *get_args(hint)) if get_origin(m) is Literal]
    known = {word for enum in enums for word in get_args(enum)}
    asked = {*params.get("types", ()), *filter(None, [params.get("type")])}
    if unknown := asked - known:
        raise WrongRequest(f"EventService.list: no such event types: {sorted(unknown)}")


def require_right(name: str, parameters: type, given: Mapping[str, Any]) -> None:
    """Raise WrongRequest with every fault unless `given` is what the TypedDict says."""
    try:
        adapter(parameters).validate_python(dict(given))
    except ValidationError as wrong:
        faults = [f"{_where(each['loc'])}: {each['msg']}" for each in wrong.errors()]
        raise WrongRequest(f"{name}: " + "; ".join(faults)) from None


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
