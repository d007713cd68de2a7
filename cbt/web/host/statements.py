"""Bank statements: reading one in, and saying what each of its lines is."""

from collections.abc import Sequence

from flask import current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import (
    CbtError,
    LineAmountDiffers,
    NoteMissing,
    SecondPersonNeeded,
    StateForbids,
    StatementColumnsUnknown,
    StatementKnown,
    StatementLineUnreadable,
    StatementUnreadable,
)
from cbt.i18n import _, ngettext
from cbt.payments import bank_matching
from cbt.payments.bank_columns import ColumnMapping
from cbt.payments.bank_csv import Preview, preview
from cbt.payments.bank_lines import MOST_BYTES
from cbt.payments.bank_matching import Accepted, find_payment
from cbt.payments.bank_statements import Imported, import_statement, is_xml, list_imports
from cbt.payments.bank_targets import Target, read_target
from cbt.payments.open_lines import count_open_lines, find_place, list_open_lines
from cbt.payments.take_in import take_in
from cbt.people.queries import list_names
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, whole
from cbt.web.host.statement_forms import LayoutForm, guess_header_row
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_STATEMENTS = f"/{LANG}/host/<slug>/money/statements"
_MATCH = f"{_STATEMENTS}/match"
_ASIDE = f"{_STATEMENTS}/aside"
_MOST_IMPORTS = 24
_ON_A_PAGE = 25
_AROUND_THE_FILE = 64 * 1024  # what a form adds to the file that it carries


@bp.url_value_preprocessor
def let_statements_in(endpoint: str | None, _values: dict[str, object] | None) -> None:
    """One route takes more than a form holds, and only from people who are signed in."""
    if endpoint == "host.read_statement" and "person_id" in session:
        request.max_content_length = MOST_BYTES + _AROUND_THE_FILE


# --- reading in ----------------------------------------------------------------------------------


@bp.get(_STATEMENTS)
@only(*HOSTS)
def statement_list(slug: str) -> ResponseReturnValue:
    return _show_statements()


@bp.post(_STATEMENTS)
@only(*HOSTS)
def read_statement(slug: str) -> ResponseReturnValue:
    """Read a file in; one whose columns nobody knows yet is shown, for a person to name them."""
    file = request.files.get("statement")
    content = file.read() if file else b""
    form = LayoutForm() if "describes" in request.form else None
    if file is None or not content:
        return _show_statements(_("Please choose the file again."), form), 422
    seen: Preview | None = None
    try:
        seen = preview(content) if form is not None and not is_xml(content) else None
        mapping = None
        if form is not None and seen is not None:
            form.offer(seen.rows)
            if not form.validate():
                return _show_statements("", form, seen), 422
            mapping = form.mapping(seen)
        done = _read(file, content, mapping)
    except StatementColumnsUnknown as error:
        seen = preview(content)
        form = LayoutForm(formdata=None, header_row=guess_header_row(seen.rows))
        form.offer(seen.rows)
        return _show_statements(message_for(error), form, seen, tone="info"), error.status
    except (StatementUnreadable, StatementKnown) as error:
        return _show_statements(_why(error), form, seen if form else None), error.status
    if not done.new_lines:
        return _show_statements(_("Nothing in this statement is new."), tone="good")
    return redirect(url_for("host.match_list", slug=slug), code=303)


def _read(file: FileStorage, content: bytes, mapping: ColumnMapping | None) -> Imported:
    name = file.filename or _("statement")
    person_id = the_reader().person_id
    return import_statement(the_community().id, name, content, mapping, person_id, utc_now())


def _why(error: CbtError) -> str:
    """What is wrong with a file; of bad lines, all that were found."""
    words = message_for(error)
    if not isinstance(error, StatementLineUnreadable):
        return words
    faults = error.facts.get("faults")
    lines = [str(each.line) for each in faults] if isinstance(faults, tuple) else []
    if len(lines) < 2:
        return words
    return words + " " + _("Lines with faults: %(lines)s.", lines=", ".join(lines))


def _show_statements(
    problem: str = "",
    form: LayoutForm | None = None,
    seen: Preview | None = None,
    *,
    tone: str = "bad",
) -> str:
    community = the_community()
    return render_template(
        "host/money_statements.html",
        community=community,
        imports=list_imports(db.session(), community.id, _MOST_IMPORTS),
        problem=problem,
        tone=tone,
        form=form,
        seen=seen,
        action=Form(formdata=None),
    )


# --- matching ------------------------------------------------------------------------------------


@bp.get(_MATCH)
@only(*HOSTS)
def match_list(slug: str) -> ResponseReturnValue:
    return _show_lines()


@bp.post(f"{_MATCH}/<int:line_id>")
@only(*HOSTS)
def accept_line(slug: str, line_id: int) -> ResponseReturnValue:
    """A person says what a line is: what was proposed, another thing, or a booking by its code."""
    code = request.form.get("code", "").strip()[:20]
    community = the_community()
    target = _target(code)
    if target is None:
        problem = _("There is no PromptPay code of a booking %(code)s here.", code=code or "–")
        return _show_lines(problem, line_id), 422
    try:
        done = bank_matching.accept(
            community.id, line_id, target, the_reader().person_id, utc_now()
        )
    except (LineAmountDiffers, SecondPersonNeeded, StateForbids) as error:
        return _show_lines(message_for(error), line_id), error.status
    _take_in(done)
    return redirect(url_for("host.match_list", slug=slug, page=_page()), code=303)


def _target(code: str) -> Target | None:
    if code:
        found = find_payment(db.session(), the_community(), code)
        return found.target if found else None
    chosen = request.form.get("target", "")
    return read_target(chosen) if chosen else None


@bp.post(f"{_MATCH}/certain")
@only(*HOSTS)
def accept_certain(slug: str) -> ResponseReturnValue:
    """The certain lines of the page that was shown; what became unsure meanwhile is left."""
    ids = [number for each in request.form.getlist("line") if (number := whole(each))]
    done = bank_matching.accept_certain(
        the_community(), ids[:_ON_A_PAGE], the_reader().person_id, utc_now()
    )
    _take_in(done)
    if done.waiting:
        words = ngettext(
            "%(num)d large payment waits for a second person.",
            "%(num)d large payments wait for a second person.",
            done.waiting,
        ) % {"num": done.waiting}
        return _show_lines(words, tone="info")
    return redirect(url_for("host.match_list", slug=slug, page=_page()), code=303)


def _take_in(done: Accepted) -> None:
    for attempt_id in done.attempts:
        take_in(attempt_id, current_app.extensions["providers"], utc_now())


@bp.post(f"{_MATCH}/aside")
@only(*HOSTS)
def set_lines_aside(slug: str) -> ResponseReturnValue:
    """Lines that concern no booking leave the list, with a word on what they are."""
    ids = [number for each in request.form.getlist("line") if (number := whole(each))]
    note = request.form.get("note", "")[:200]
    if not ids:
        return _show_lines(_("Please choose the lines first.")), 422
    try:
        bank_matching.set_aside(the_community().id, ids, note, the_reader().person_id, utc_now())
    except NoteMissing:
        return _show_lines(_("Please write what these lines are."), chosen=ids), 422
    return redirect(url_for("host.match_list", slug=slug, page=_page()), code=303)


# --- set aside, and taken back -------------------------------------------------------------------


@bp.get(_ASIDE)
@only(*HOSTS)
def aside_list(slug: str) -> ResponseReturnValue:
    return _show_aside()


@bp.post(f"{_ASIDE}/<int:line_id>")
@only(*HOSTS)
def reopen_line(slug: str, line_id: int) -> ResponseReturnValue:
    reason = request.form.get("reason", "")[:200]
    try:
        bank_matching.reopen(the_community().id, line_id, reason, the_reader().person_id, utc_now())
    except NoteMissing:
        return _show_aside(line_id, _("Please write why it is to be looked at again.")), 422
    except StateForbids as error:
        return _show_aside(line_id, message_for(error)), error.status
    return redirect(url_for("host.aside_list", slug=slug, page=_page()), code=303)


def _show_aside(line_id: int | None = None, problem: str = "") -> str:
    community = the_community()
    pages = max(1, -(-bank_matching.count_aside(db.session(), community.id) // _ON_A_PAGE))
    page = min(_page(), pages)
    lines = bank_matching.list_aside(
        db.session(), community.id, (page - 1) * _ON_A_PAGE, _ON_A_PAGE
    )
    people = sorted({each.decided_by for each in lines if each.decided_by})
    return render_template(
        "host/money_aside.html",
        community=community,
        lines=lines,
        names=list_names(db.session(), people) if people else {},
        page=page,
        pages=pages,
        problem=problem,
        line_id=line_id,
        action=Form(formdata=None),
    )


def _page() -> int:
    return max(1, whole(request.values.get("page")) or 1)


def _show_lines(
    problem: str = "",
    line_id: int | None = None,
    *,
    chosen: Sequence[int] = (),
    tone: str = "bad",
) -> str:
    community = the_community()
    waiting = count_open_lines(db.session(), community.id)
    pages = max(1, -(-waiting // _ON_A_PAGE))
    page = _page_of(line_id) or min(_page(), pages)
    shown = list_open_lines(db.session(), community, (page - 1) * _ON_A_PAGE, _ON_A_PAGE)
    seen_by = {each.target.seen_by for each in shown if each.target and each.target.seen_by}
    return render_template(
        "host/money_match.html",
        community=community,
        lines=shown,
        waiting=waiting,
        certain=[each.id for each in shown if each.is_certain],
        names=list_names(db.session(), sorted(seen_by)) if seen_by else {},
        own_id=the_reader().person_id,
        page=page,
        pages=pages,
        problem=problem,
        tone=tone,
        line_id=line_id,
        chosen=set(chosen),
        note=request.form.get("note", ""),
        code=request.form.get("code", ""),
        action=Form(formdata=None),
    )


def _page_of(line_id: int | None) -> int | None:
    """The page that a line stands on, while it waits."""
    place = None
    if line_id is not None:
        place = find_place(db.session(), the_community().id, line_id)
    return None if place is None else place // _ON_A_PAGE + 1
