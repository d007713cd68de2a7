"""What every page shares: language from the address, filters for templates, addresses of files."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, current_app, request, url_for
from jinja2 import StrictUndefined

from cbt import i18n
from cbt.clock import to_village
from cbt.config import Settings
from cbt.i18n import LANGUAGES, set_language
from cbt.web import labels
from cbt.web.access import reader
from cbt.web.fonts import WEIGHTS, file_name

LANG = f"<any({','.join(LANGUAGES)}):lang>"
"""The first part of every page's address; views do not see it."""


def init_layout(app: Flask) -> None:
    env = app.jinja_env
    env.undefined = StrictUndefined
    env.trim_blocks = env.lstrip_blocks = True
    env.add_extension("jinja2.ext.i18n")
    env.install_gettext_callables(  # type: ignore[attr-defined]
        i18n.gettext, i18n.ngettext, newstyle=True
    )
    env.filters.update(
        pick=i18n.pick,
        written_in=i18n.written_in,
        baht=i18n.format_baht,
        baht_number=i18n.format_baht_number,
        day=i18n.format_day,
        other_era=i18n.other_era,
        month=i18n.format_month,
        weekday=i18n.format_weekday,
        hour=i18n.format_hour,
        number=i18n.format_number,
        percent=i18n.format_bp,
        village=to_village,
        label=labels.label,
        part_words=labels.part_words,
        account_words=labels.account_words,
        subject_words=labels.subject_words,
        finding_words=labels.finding_words,
        provider_words=labels.provider_words,
    )
    env.globals.update(
        asset=asset,
        other_languages=other_languages,
        language=i18n.language,
        reader=reader,
        font_files=[file_name(weight) for weight in WEIGHTS],
    )
    app.url_value_preprocessor(_take_language)
    app.url_defaults(_give_language)


def _take_language(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    set_language((values or {}).pop("lang", None) or i18n.SOURCE_LANGUAGE)


def _give_language(endpoint: str, values: dict[str, Any]) -> None:
    if "lang" not in values and current_app.url_map.is_endpoint_expecting(endpoint, "lang"):
        values["lang"] = i18n.language()


def other_languages() -> list[tuple[str, str, str]]:
    """(code, its own name, this page's address) of every language."""
    if request.endpoint is None or not current_app.url_map.is_endpoint_expecting(
        request.endpoint, "lang"
    ):
        return [(code, name, url_for("public.home", lang=code)) for code, name in LANGUAGES.items()]
    values = {**request.args.to_dict(), **(request.view_args or {})}
    address = {
        code: url_for(request.endpoint, **{**values, "lang": code})
        if request.method == "GET"
        else url_for("public.home", lang=code)
        for code in LANGUAGES
    }
    return [(code, name, address[code]) for code, name in LANGUAGES.items()]


def public_address(endpoint: str, **values: Any) -> str:
    """A page's full address as guests type it, whatever name this request came in by."""
    settings: Settings = current_app.extensions["settings"]
    return settings.public_url + url_for(endpoint, **values)


def asset(name: str) -> str:
    """The address of a static file, which changes with its content and can be kept for ever."""
    return url_for("static", filename=name, v=_fingerprint(str(current_app.static_folder), name))


@cache
def _fingerprint(folder: str, name: str) -> str:
    return sha256((Path(folder) / name).read_bytes()).hexdigest()[:12]
