"""A closed statement in words, as its paper prints it, and the notice of a closed month."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import segno
from flask import Response

from cbt.baht_words import in_english, in_thai
from cbt.clock import village_day
from cbt.communities.records import CommunityCard, HouseholdCard
from cbt.db import db
from cbt.i18n import _, format_baht, format_day, format_month, language, pick
from cbt.revenue.period_queries import PeriodCard, SignatureCard
from cbt.revenue.signing import SignerRole, key_id
from cbt.revenue.statement_text import Balance, ItemKind, short_code
from cbt.revenue.statements import Statement, StatementLine
from cbt.web.labels import account_words, label
from cbt.web.pdf import write_paper
from cbt.web.period_words import line_rule, line_title

_IN_WORDS = {"th": in_thai, "en": in_english}


@dataclass(frozen=True)
class PaperLine:
    """A line of a paper: when, what, a small note below, and the amount."""

    day: str
    what: str
    note: str
    amount: str


@dataclass(frozen=True)
class PaperSum:
    label: str
    amount: str
    is_strong: bool = False


@dataclass(frozen=True)
class About:
    """What both papers say of the community and the month."""

    language: str
    closed_on: str
    community: str
    address: str
    period: str
    columns: tuple[str, str, str]
    board_label: str
    board_code: str
    sample: str
    footer: str


@dataclass(frozen=True)
class Paper:
    """Everything that a printed statement or notice says, in the current language."""

    about: About
    heading: str
    subject: str
    code: str
    total_label: str
    total: str
    total_words: str
    sums: tuple[PaperSum, ...]
    lines_heading: str
    lines: tuple[PaperLine, ...]
    nothing: str
    qr: str
    qr_heading: str
    qr_words: str
    signers_heading: str
    signers: tuple[str, ...]
    notes: tuple[str, ...]
    file_name: str


def send_statement(paper: Paper) -> Response:
    """The paper as a file."""
    db.session.rollback()  # nothing stays open while it is laid out
    answer = Response(write_paper("statement.typ", paper), mimetype="application/pdf")
    answer.headers["Content-Disposition"] = f'attachment; filename="{paper.file_name}"'
    return answer


def build_paper(
    community: CommunityCard, household: HouseholdCard, shown: Statement, proof: str
) -> Paper:
    """A household's closed statement."""
    period = shown.period
    assert period is not None
    head = shown.head
    sums = [
        (_("Brought forward"), head.opening_satang),
        (_("Earned this month"), head.earned_satang),
    ]
    sums += [
        (words, amount)
        for words, amount in (
            (_("Taken back"), head.recovered_satang),
            (_("Other entries"), head.other_satang),
            (_("Paid out"), head.paid_out_satang),
        )
        if amount
    ]
    return Paper(
        about=_about(community, period),
        heading=_("Statement of a household"),
        subject=pick(household.name),
        code=household.code,
        total_label=_("Earned this month"),
        total=format_baht(head.earned_satang),
        total_words=_IN_WORDS[language()](abs(head.earned_satang)),
        sums=(
            *(PaperSum(words, format_baht(amount)) for words, amount in sums),
            PaperSum(_("Not yet paid out"), format_baht(head.closing_satang), is_strong=True),
            *(
                [PaperSum(_("Paid beyond your own, to be settled"), format_baht(head.owed_satang))]
                if head.owed_satang
                else []
            ),
        ),
        lines_heading=_("Every line"),
        lines=tuple(_line(each) for each in shown.lines),
        nothing=_("No income was settled for this month."),
        qr=_picture(proof),
        qr_heading=_("Check this statement yourself"),
        qr_words=_(
            "Read the code with a telephone. The page that opens shows the same sums and whose"
            " signatures hold. It works without the network once it was opened there."
        ),
        signers_heading="",
        signers=(),
        notes=(
            _(
                "If a line is wrong, say so within your statement on the telephone, or tell the"
                " treasurer. Only that amount waits then, and you get an answer within 7 days."
            ),
            _("Household codes stand for households; no name is part of what is signed."),
        ),
        file_name=f"{community.slug}-{household.code}-{shown.month:%Y-%m}.pdf",
    )


def build_notice(
    community: CommunityCard,
    period: PeriodCard,
    snapshot: Sequence[Balance],
    signatures: Sequence[SignatureCard],
    names: dict[int, str],
    earned_satang: int,
    households: int,
) -> Paper:
    """The closed month for the notice board: funds, the code that stands for everything, who signed."""
    funds = [each for each in snapshot if each.account.startswith("fund:")]
    return Paper(
        about=_about(community, period),
        heading=_("Month closed"),
        subject=pick(community.name),
        code="",
        total_label=_("Earned by %(number)s households", number=households),
        total=format_baht(earned_satang),
        total_words=_IN_WORDS[language()](earned_satang),
        sums=(),
        lines_heading=_("The community's funds"),
        lines=tuple(
            PaperLine(
                "",
                account_words(each.account),
                _(
                    "before %(opening)s, in %(came)s, out %(went)s",
                    opening=format_baht(each.opening_satang),
                    came=format_baht(each.credits_satang),
                    went=format_baht(each.debits_satang),
                ),
                format_baht(each.closing_satang),
            )
            for each in funds
        ),
        nothing="",
        qr="",
        qr_heading="",
        qr_words=_(
            "Whoever checks a statement sees this code as well. If it is another one than here, the"
            " books were changed after the close: please tell the mentor."
        ),
        signers_heading=_("Signed by"),
        signers=tuple(_signer(each, names, community) for each in signatures),
        notes=(_("Each household's statement is its own; none stands on this board."),),
        file_name=f"{community.slug}-{period.month:%Y-%m}.pdf",
    )


def _about(community: CommunityCard, period: PeriodCard) -> About:
    closed_on = village_day(period.closed_at, community.zone)
    code = short_code(period.record_digest)
    return About(
        language=language(),
        closed_on=closed_on.isoformat(),
        community=pick(community.name),
        address=" · ".join(
            pick(each) for each in (community.tambon, community.district, community.province)
        ),
        period=format_month(period.month),
        columns=(_("Date of the line"), _("Item"), _("Amount")),
        board_label=_("Code of the month"),
        board_code=code,
        sample=_("Sample data.") if community.is_sample else "",
        footer=_("Closed on %(day)s", day=format_day(closed_on)),
    )


def _line(each: StatementLine) -> PaperLine:
    item = each.item
    what = pick(each.trip.experience_title) if each.trip else line_title(item)
    notes = [line_rule(item)] if item.kind == ItemKind.EARNED else []
    if item.concerns:
        notes.append(_("concerns %(month)s", month=format_month(item.concerns)))
    return PaperLine(
        _day(item.effective_on), what, " · ".join(notes), format_baht(item.amount_satang)
    )


def _day(day: date) -> str:
    return format_day(day)


def _signer(each: SignatureCard, names: dict[int, str], community: CommunityCard) -> str:
    who = label(SignerRole(each.role))
    name = names.get(each.signed_by or 0, "")
    day = format_day(village_day(each.signed_at, community.zone))
    return " · ".join(part for part in (who, name, day, key_id(each.public_key)) if part)


def _picture(text: str) -> str:
    """The code as an SVG of its own, for the paper."""
    code = segno.make(text, error="l", micro=False, boost_error=False)
    return code.svg_inline(border=4, omitsize=True, dark="#000", light="#fff")
