"""Where payment providers tell us what happened. Machines read the answer, so it has no words."""

from flask import Blueprint, Flask, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect

from cbt.clock import utc_now
from cbt.errors import EventRefused, MethodClosed
from cbt.payments import inbox
from cbt.web.access import public

bp = Blueprint("webhooks", __name__)


@bp.post("/webhooks/<provider>")
@public
def receive(provider: str) -> ResponseReturnValue:
    """Store a signed message; the worker does the rest. What is not one is refused without a reason."""
    body, headers = request.get_data(), dict(request.headers)
    try:
        inbox.receive(provider, body, headers, current_app.extensions["providers"], utc_now())
    except MethodClosed:
        return "", 404
    except EventRefused as error:
        return "", error.status
    return "", 200


def init_webhooks(app: Flask) -> None:
    csrf: CSRFProtect = app.extensions["csrf"]
    csrf.exempt(bp)  # a signature proves who sent it
    app.register_blueprint(bp)
