"""How often one address may try. Counted in each server process, so the true limit is the number
written here times the number of processes (docs/decisions/004-rate-limits.md)."""

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address


def _address_and_name() -> str:
    return f"{get_remote_address()} {request.form.get('sign_in_name', '').strip().lower()}"


limiter = Limiter(get_remote_address, storage_uri="memory://")

limit_sign_in = limiter.limit("30/minute", methods=["POST"])
limit_sign_in_name = limiter.limit("5/minute", key_func=_address_and_name, methods=["POST"])
limit_hold = limiter.limit("20/minute;100/hour", methods=["POST"])
limit_look = limiter.limit("60/minute")  # a page that watches a payment looks every four seconds
limit_credit = limiter.limit("10/minute;50/hour", methods=["POST"])


def init_limits(app: Flask) -> None:
    limiter.init_app(app)
