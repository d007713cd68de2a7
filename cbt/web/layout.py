"""What every page shares: language from the address, filters for templates, addresses of files."""

from collections.abc import Callable
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

from flask import Flask, current_app, g, request, url_for
from jinja2 import StrictUndefined

from cbt import i18n
from cbt.audit.rounding import words_of
from cbt.clock import to_village
from cbt.config import Settings
from cbt.i18n import LANGUAGES, set_language
from cbt.web import audit_labels, case_words, follow_words, labels, period_words
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
        how_words=labels.how_words,
        part_sentence=labels.part_sentence,
        account_words=labels.account_words,
        subject_words=labels.subject_words,
        finding_words=labels.finding_words,
        provider_words=labels.provider_words,
        drift_words=words_of,
        gifts_words=follow_words.gifts_words,
        use_words=follow_words.use_words,
        rule_title=period_words.rule_title,
        answer_words=period_words.answer_words,
        line_rule=period_words.line_rule,
        line_title=period_words.line_title,
        risk_words=audit_labels.risk_words,
        case_words=case_words.case_words,
    )
    env.globals.update(
        _=i18n.on_page,  # quicker than the extension's, which looks itself up for each message
        asset=asset,
        kept=kept,
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
    if "lang" not in values and _speaks(endpoint):
        values["lang"] = i18n.language()


def kept(draw: Callable[..., str]) -> Callable[..., str]:
    """A macro that remembers what it drew: of frozen values alone, so nothing can be out of date."""

    @lru_cache(maxsize=512)
    def drawn(_code: str, *values: Any, **named: Any) -> str:
        return draw(*values, **named)

    def of_language(*values: Any, **named: Any) -> str:
        return drawn(i18n.language(), *values, **named)

    return of_language


def other_languages() -> list[tuple[str, str, str]]:
    """(code, its own name, this page's address) of every language, found once a request."""
    if "other_languages" not in g:
        g.other_languages = [(code, name, _address_in(code)) for code, name in LANGUAGES.items()]
    return cast(list[tuple[str, str, str]], g.other_languages)


def _address_in(code: str) -> str:
    """This page's address in a language, or the home page's where it has none to be opened by."""
    endpoint = request.endpoint
    if request.method != "GET" or endpoint is None or not _speaks(endpoint):
        return url_for("public.home", lang=code)
    address = url_for(endpoint, **{**(request.view_args or {}), "lang": code})
    asked = urlencode(list(request.args.items(multi=True)))
    return f"{address}?{asked}" if asked else address


def _speaks(endpoint: str) -> bool:
    """Whether an endpoint's address begins with a language."""
    return current_app.url_map.is_endpoint_expecting(endpoint, "lang")


def public_address(endpoint: str, **values: Any) -> str:
    """A page's full address as guests type it, whatever name this request came in by."""
    settings: Settings = current_app.extensions["settings"]
    return settings.public_url + url_for(endpoint, **values)


def asset(name: str) -> str:
    """The address of a static file, which changes with its content and can be kept for ever."""
    return request.script_root + _asset(str(current_app.static_folder), name)


@cache
def _asset(folder: str, name: str) -> str:
    digest = sha256((Path(folder) / name).read_bytes()).hexdigest()[:12]
    return f"/static/{quote(name)}?v={digest}"
