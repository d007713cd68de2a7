"""Idempotency keys as Stripe keeps them: the first answer to a key is the answer for a day."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.stripe_double.state import Account, ApiError, World

_KEPT_SECONDS = 24 * 3600
_LONGEST_KEY = 255


@dataclass(frozen=True)
class Answer:
    """What goes back over the wire."""

    status: int
    body: bytes
    replayed: bool = False


@dataclass
class Kept:
    """A key in use: what was asked with it, and the answer once there is one."""

    path: str
    asked: str
    since: int
    answer: Answer | None = None


def once(
    world: World, account: Account, key: str, path: str, asked: str, work: Callable[[], Answer]
) -> Answer:
    """Do the work of a key, or give the answer that it got before.

    `work` raises ApiError that is not `was_begun` when nothing came of it; then the key is free.
    Raises ApiError for a key used for something else, or in use at this moment.
    """
    if len(key) > _LONGEST_KEY:
        raise ApiError("Idempotency keys may have up to 255 characters.", was_begun=False)
    with world.lock:
        known = account.answers.get(key)
        if known and world.now() - known.since < _KEPT_SECONDS:
            return _repeat(key, known, path, asked)
        kept = account.answers[key] = Kept(path, asked, world.now())
    try:
        kept.answer = work()
    finally:
        if kept.answer is None:
            with world.lock:
                del account.answers[key]
    return kept.answer


def _repeat(key: str, known: Kept, path: str, asked: str) -> Answer:
    if known.path != path:
        raise _misused(
            "Keys for idempotent requests can only be used for the same endpoint they were first "
            f"used for ('{known.path}' vs '{path}'). Try using a key other than '{key}' if you "
            "meant to execute a different request."
        )
    if known.asked != asked:
        raise _misused(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant to execute a "
            "different request."
        )
    if known.answer is None:
        raise ApiError(
            "There is currently another in-progress request using this Idempotent Key (that "
            "probably means you submitted twice, and the other request is still going through): "
            f"{key}. Please try again later.",
            status=409,
            code="idempotency_key_in_use",
            was_begun=False,
        )
    return Answer(known.answer.status, known.answer.body, replayed=True)


def _misused(message: str) -> ApiError:
    return ApiError(message, kind="idempotency_error", was_begun=False)
