"""What no row can hold is refused before any view runs: numbers too large, text with a NUL in it."""

from typing import Any

from flask import Flask, abort, request
from werkzeug.routing import IntegerConverter, Map

from cbt.errors import Invalid

_LARGEST = 2**63 - 1  # the databases' whole numbers end here
_NUL = "\0"  # PostgreSQL's text cannot hold it


class RowNumber(IntegerConverter):
    """`<int:...>` in an address: a number that a row can have."""

    def __init__(self, map: Map, *args: Any, **options: Any) -> None:  # noqa: A002  (given name)
        super().__init__(map, *args, **{"max": _LARGEST, **options})


def init_addresses(app: Flask) -> None:
    app.url_map.converters["int"] = RowNumber
    app.before_request(refuse_nul)


def refuse_nul() -> None:
    """Nothing is at an address with a NUL (404); asked or typed, it cannot be right (Invalid)."""
    if _NUL in request.path:
        abort(404)
    for given in (request.args, request.form):
        if any(_NUL in value for _name, value in given.items(multi=True)):
            raise Invalid
    if any(_NUL in (file.filename or "") for _name, file in request.files.items(multi=True)):
        raise Invalid
