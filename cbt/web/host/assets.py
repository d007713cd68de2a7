"""What households own together: the share register of a day, its history, changes by two people."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from flask import redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import FileField, IntegerField, SelectField
from wtforms.validators import InputRequired, Optional

from cbt.clock import utc_now, village_day
from cbt.communities import queries
from cbt.communities.records import AssetCard, NewAsset, NewShareChange, ShareLine, UseLine
from cbt.communities.register import LONGEST_DOCUMENT, LONGEST_NAME
from cbt.communities.shares import AssetKind, Decision, ShareKind, register_on
from cbt.db import db
from cbt.errors import AssetInvalid, ShareInvalid
from cbt.experiences.queries import list_titles
from cbt.i18n import _, _l, pick
from cbt.people.queries import list_names
from cbt.people.roles import Role, is_allowed
from cbt.revenue import ownership
from cbt.web import labels
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import REQUIRED, DayField, Form, add_error, text, typed, whole
from cbt.web.host.forms import required_text, the_day, the_number
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

READERS = (*HOSTS, Role.HOUSEHOLD, Role.MENTOR)
_ASSETS = f"/{LANG}/host/<slug>/assets"
_ASSET = f"{_ASSETS}/<int:asset_id>"
_MOST_DOCUMENT = 10 * 1024 * 1024


@bp.url_value_preprocessor
def let_documents_in(endpoint: str | None, _values: dict[str, object] | None) -> None:
    """A document may be a photograph; only from people who are signed in."""
    if endpoint == "host.record_shares" and "person_id" in session:
        request.max_content_length = _MOST_DOCUMENT


# --- what is typed -------------------------------------------------------------------------------


class AssetForm(Form):
    kind = SelectField(
        _l("What it is"), choices=lambda: [(str(each), labels.label(each)) for each in AssetKind]
    )
    title_th = required_text(_l("Name in Thai"), most=LONGEST_NAME)
    title_en = text(_l("Name in English"), most=LONGEST_NAME)
    experience = SelectField(_l("Which activity, where it is a whole one"))
    begins_on = DayField(_l("Owned together since"), [InputRequired(message=REQUIRED)])

    def asset(self) -> NewAsset:
        name = " ".join(typed(self.title_th).split())
        english = typed(self.title_en)
        return NewAsset(
            kind=AssetKind(self.kind.data),
            title={"th": name, "en": english} if english else {"th": name},
            begins_on=the_day(self.begins_on),
            experience_id=whole(self.experience.data),
        )


class SharesForm(Form):
    kind = SelectField(
        _l("What happened"),
        choices=lambda: [(str(each), labels.label(each)) for each in ShareKind],
    )
    giver = SelectField(_l("From household (not when issued)"))
    taker = SelectField(_l("To household (not when redeemed)"))
    shares = IntegerField(_l("How many shares"), [InputRequired(message=REQUIRED)])
    effective_on = DayField(_l("From this day on"), [InputRequired(message=REQUIRED)])
    document = required_text(_l("Document that proves it"), most=LONGEST_DOCUMENT)
    file = FileField(_l("Its file or photograph"))

    def change(self, asset_id: int) -> NewShareChange:
        sent = request.files.get(self.file.name)
        content = sent.read() if sent else b""
        return NewShareChange(
            asset_id=asset_id,
            kind=ShareKind(self.kind.data),
            from_household=self.giver.data or None,
            to_household=self.taker.data or None,
            shares=the_number(self.shares),
            effective_on=the_day(self.effective_on),
            document=typed(self.document),
            document_sha256=sha256(content).hexdigest() if content else "",
        )


class UseForm(Form):
    experience = SelectField(_l("Activity"), id="use-experience")
    effective_on = DayField(_l("From this day on"), [InputRequired(message=REQUIRED)], id="use-day")
    ends = SelectField(
        _l("It earns by these shares"),
        choices=lambda: [("", _("from that day on")), ("ends", _("no longer from that day on"))],
        validators=[Optional()],
    )


# --- pages ---------------------------------------------------------------------------------------


@bp.get(_ASSETS)
@only(*READERS)
def asset_list(slug: str) -> ResponseReturnValue:
    return _show_assets(AssetForm(formdata=None, begins_on=_today()))


@bp.post(_ASSETS)
@only(*HOSTS)
def add_asset(slug: str) -> ResponseReturnValue:
    form = AssetForm()
    _offer_experiences(form.experience)
    if not form.validate():
        return _show_assets(form), 422
    try:
        asset_id = ownership.add_asset(
            the_community().id, form.asset(), the_reader().person_id, utc_now()
        )
    except AssetInvalid as error:
        add_error(form.title_th, message_for(error))
        return _show_assets(form), error.status
    return redirect(url_for("host.asset", slug=slug, asset_id=asset_id), code=303)


@bp.get(_ASSET)
@only(*READERS)
def asset(slug: str, asset_id: int) -> ResponseReturnValue:
    return _show_asset(_get(asset_id))


@bp.post(f"{_ASSET}/shares")
@only(*HOSTS)
def record_shares(slug: str, asset_id: int) -> ResponseReturnValue:
    shown = _get(asset_id)
    form = SharesForm()
    _offer_households(form)
    if not form.validate():
        return _show_asset(shown, shares=form), 422
    try:
        ownership.record_change(
            the_community().id, form.change(asset_id), the_reader().person_id, utc_now()
        )
    except ShareInvalid as error:
        add_error(form.kind, message_for(error))
        return _show_asset(shown, shares=form), error.status
    return redirect(url_for("host.asset", slug=slug, asset_id=asset_id), code=303)


@bp.post(f"{_ASSET}/shares/<int:event_id>")
@only(*HOSTS)
def decide_shares(slug: str, asset_id: int, event_id: int) -> ResponseReturnValue:
    """The second person confirms or refuses."""
    decision = _decision()
    person_id = the_reader().person_id
    ownership.decide_change(the_community().id, event_id, decision, person_id, utc_now())
    return redirect(url_for("host.asset", slug=slug, asset_id=asset_id), code=303)


@bp.post(f"{_ASSET}/uses")
@only(*HOSTS)
def record_use(slug: str, asset_id: int) -> ResponseReturnValue:
    shown = _get(asset_id)
    form = UseForm()
    _offer_experiences(form.experience)
    if not form.validate():
        return _show_asset(shown, use=form), 422
    try:
        ownership.record_use(
            the_community().id,
            whole(form.experience.data) or 0,
            None if form.ends.data else asset_id,
            the_day(form.effective_on),
            the_reader().person_id,
            utc_now(),
        )
    except AssetInvalid as error:
        add_error(form.effective_on, message_for(error))
        return _show_asset(shown, use=form), error.status
    return redirect(url_for("host.asset", slug=slug, asset_id=asset_id, _anchor="uses"), code=303)


@bp.post(f"{_ASSET}/uses/<int:use_id>")
@only(*HOSTS)
def decide_use(slug: str, asset_id: int, use_id: int) -> ResponseReturnValue:
    decision = _decision()
    person_id = the_reader().person_id
    ownership.decide_use(the_community().id, use_id, decision, person_id, utc_now())
    return redirect(url_for("host.asset", slug=slug, asset_id=asset_id, _anchor="uses"), code=303)


def _decision() -> Decision:
    return Decision.CONFIRMED if request.form.get("do") == "confirm" else Decision.REFUSED


def _get(asset_id: int) -> AssetCard:
    return queries.get_asset(db.session(), the_community().id, asset_id)


def _today() -> date:
    return village_day(utc_now(), the_community().zone)


def _is_host() -> bool:
    return is_allowed(the_reader(), HOSTS, the_community().id)


def _experiences() -> dict[int, str]:
    found = list_titles(db.session(), the_community().id)
    return {number: pick(title) for number, title in found.items()}


def _offer_experiences(field: SelectField) -> None:
    field.choices = [
        ("", "–"),
        *((str(number), title) for number, title in _experiences().items()),
    ]


def _offer_households(form: SharesForm) -> None:
    found = queries.list_register(db.session(), the_community().id)
    names = [("", "–"), *((each.code, f"{each.code} {pick(each.name)}") for each in found)]
    form.giver.choices = form.taker.choices = names


@dataclass(frozen=True)
class Register:
    """Who holds what of an asset today, of how many shares."""

    asset: AssetCard
    held: dict[str, int]

    @property
    def whole(self) -> int:
        return sum(self.held.values())


def _register(shown: AssetCard) -> Register:
    lines = queries.list_share_lines(db.session(), shown.id)
    confirmed = [each.event for each in lines if each.decision == Decision.CONFIRMED]
    return Register(shown, register_on(confirmed, _today()))


def _names() -> dict[str, dict[str, str]]:
    found = queries.list_register(db.session(), the_community().id)
    return {each.code: each.name for each in found}


def _show_assets(form: AssetForm) -> str:
    _offer_experiences(form.experience)
    found = queries.list_assets(db.session(), the_community().id)
    return render_template(
        "host/assets.html",
        community=the_community(),
        registers=[_register(each) for each in found],
        names=_names(),
        form=form,
        is_host=_is_host(),
    )


def _show_asset(
    shown: AssetCard, *, shares: SharesForm | None = None, use: UseForm | None = None
) -> str:
    lines = queries.list_share_lines(db.session(), shown.id)
    uses = [
        each
        for each in queries.list_uses(db.session(), the_community().id)
        if each.asset_id in (shown.id, None)
    ]
    sent = shares or use
    shares = shares or SharesForm(formdata=None, effective_on=_today())
    use = use or UseForm(formdata=None, effective_on=_today())
    _offer_households(shares)
    _offer_experiences(use.experience)
    told: list[ShareLine | UseLine] = [*lines, *uses]
    ids = [each.recorded_by for each in told]
    ids += [each.decided_by for each in told if each.decided_by]
    return render_template(
        "host/asset.html",
        community=the_community(),
        register=_register(shown),
        kind=AssetKind(shown.kind),
        lines=list(reversed(lines)),
        uses=list(reversed(uses)),
        experiences=_experiences(),
        names=_names(),
        people=list_names(db.session(), ids),
        shares=shares,
        use=use,
        sent=type(sent).__name__,
        reader_id=the_reader().person_id,
        is_host=_is_host(),
    )
