"""What is typed about a policy, step by step, and about the meeting that adopts it."""

from dataclasses import replace
from typing import Any, cast

from flask_wtf.file import FileField
from wtforms import Field, IntegerField, RadioField, SelectField
from wtforms.validators import InputRequired, NumberRange

from cbt.errors import AmountInvalid
from cbt.i18n import _, _l
from cbt.money import BP_WHOLE, parse_baht
from cbt.revenue.adoption import LONGEST_TEXT, Meeting, Signer, UsesNature
from cbt.revenue.policy import (
    ALWAYS,
    LONGEST_NAME,
    Bucket,
    DividendRule,
    Limits,
    Policy,
    ProviderRule,
    Task,
    is_plain,
)
from cbt.revenue.resolutions import DraftCard
from cbt.web.forms import REQUIRED, DayField, Form, add_error, text, typed
from cbt.web.labels import LABELS, label

FUNDS = tuple(bucket for bucket in ALWAYS if bucket != Bucket.PROVIDER)
SIGNERS = 4
_NUMBER = _l("Please enter a number of percent, for example 5 or 7.50.")
_BAHT = _l("Please enter an amount in baht, for example 1,250.50.")
_HOW_MANY = _l("Please enter a whole number, zero for none.")


def _number(hundredths: int | None) -> str:
    """As it is typed: 750 is "7.5", nothing for none."""
    if not hundredths:
        return ""
    whole, part = divmod(hundredths, 100)
    return f"{whole}.{part:02}".rstrip("0").rstrip(".")


def _read(field: Field, wrong: Any) -> int | None:
    """Hundredths that were typed, 0 for nothing; None where the field now says what is wrong."""
    if not typed(field):
        return 0
    try:
        return parse_baht(typed(field))
    except AmountInvalid:
        add_error(field, str(wrong))
        return None


class StepForm(Form):
    """One step of the wizard: shows a policy's values, and gives it those that were typed."""

    def show(self, draft: DraftCard) -> None:
        raise NotImplementedError

    def put(self, policy: Policy) -> Policy | None:
        """The policy with what was typed, or None where fields now say what is wrong."""
        raise NotImplementedError


class NameForm(StepForm):
    name = text(_l("Name of the policy"), most=LONGEST_NAME, required=True)
    uses_nature = RadioField(
        _l("Does any of your activities live from nature?"),
        choices=lambda: [(str(each), label(each)) for each in UsesNature],
    )

    def show(self, draft: DraftCard) -> None:
        self.name.data = draft.policy.name
        self.uses_nature.data = draft.uses_nature

    def put(self, policy: Policy) -> Policy | None:
        if not is_plain(typed(self.name)):
            add_error(self.name, _("Please use one line of plain letters and numbers."))
            return None
        return replace(policy, name=typed(self.name))


class OutsideForm(StepForm):
    intermediary = text(_l("The intermediary's part, in percent of the price"), most=20)
    most = text(_l("At most, in baht of a booking"), most=20)
    agreement = text(_l("Where the written agreement is kept"), most=LONGEST_TEXT)

    def show(self, draft: DraftCard) -> None:
        self.intermediary.data = _number(draft.policy.intermediary_bp)
        self.most.data = _number(draft.policy.intermediary_cap_satang)
        self.agreement.data = draft.agreement

    def put(self, policy: Policy) -> Policy | None:
        bp, cap = _read(self.intermediary, _NUMBER), _read(self.most, _BAHT)
        if bp is None or cap is None:
            return None
        if bp > BP_WHOLE:
            add_error(self.intermediary, str(_NUMBER))
            return None
        return replace(policy, intermediary_bp=bp, intermediary_cap_satang=cap or None)


class FixedForm(StepForm):
    """One amount a fund, taken of each booking."""

    @property
    def rows(self) -> list[tuple[Bucket, Field]]:
        return [(bucket, self[f"fixed_{bucket}"]) for bucket in FUNDS]

    def show(self, draft: DraftCard) -> None:
        for bucket, field in self.rows:
            field.data = _number(draft.policy.fixed.get(bucket))

    def put(self, policy: Policy) -> Policy | None:
        amounts = {bucket: _read(field, _BAHT) for bucket, field in self.rows}
        if None in amounts.values():
            return None
        return replace(policy, fixed={bucket: each for bucket, each in amounts.items() if each})


class SharesForm(StepForm):
    """Percent of each bucket, with the least and the most of a booking where there is one."""

    dividend_rule = RadioField(
        _l("How is the dividend shared out?"),
        choices=lambda: [(str(each), label(each)) for each in DividendRule],
        default=DividendRule.BY_SHARES,
    )

    @property
    def rows(self) -> list[tuple[Bucket, Field, Field, Field | None]]:
        """(bucket, percent, least, most) of each; the households' pool has no most."""
        return [
            (
                bucket,
                self[f"share_{bucket}"],
                self[f"least_{bucket}"],
                self[f"most_{bucket}"] if bucket != Bucket.PROVIDER else None,
            )
            for bucket in Bucket
        ]

    def show(self, draft: DraftCard) -> None:
        policy = draft.policy
        for bucket, share, least, most in self.rows:
            limits = policy.limits_of(bucket)
            share.data = _number(policy.shares.get(bucket))
            least.data = _number(limits.floor_satang)
            if most is not None:
                most.data = _number(limits.cap_satang)
        self.dividend_rule.data = str(policy.dividend_rule or DividendRule.BY_SHARES)

    def put(self, policy: Policy) -> Policy | None:
        shares: dict[Bucket, int] = {}
        limits: dict[Bucket, Limits] = {}
        for bucket, share, least, most in self.rows:
            bp, floor = _read(share, _NUMBER), _read(least, _BAHT)
            cap = _read(most, _BAHT) if most is not None else 0
            if bp is not None and bp > BP_WHOLE:
                add_error(share, str(_NUMBER))
            elif bp or bucket in ALWAYS:
                shares[bucket] = bp or 0
            if floor or cap:
                limits[bucket] = Limits(floor or None, cap or None)
            if floor and cap and floor > cap and most is not None:
                add_error(most, _("This is less than the least."))
        has_dividend = Bucket.DIVIDEND in shares
        if not has_dividend and Bucket.DIVIDEND in limits:
            add_error(self[f"least_{Bucket.DIVIDEND}"], _("There is no dividend to limit."))
        if self.errors:
            return None
        rule = DividendRule(self.dividend_rule.data) if has_dividend else None
        return replace(policy, shares=shares, limits=limits, dividend_rule=rule)


class WorkForm(StepForm):
    """How the households' pool is shared out, and what each kind of work counts for."""

    provider_rule = RadioField(
        _l("How is the households' pool shared out?"),
        choices=lambda: [
            (ProviderRule.BY_WORK.value, _("by work: everything in proportion to the work done")),
            (
                ProviderRule.RATES_FIRST.value,
                _("agreed rates first: each gets exactly the rate of its work"),
            ),
        ],
    )
    surplus = SelectField(
        _l("What agreed rates leave goes to"),
        choices=lambda: [(bucket.value, label(bucket)) for bucket in ALWAYS],
    )

    @property
    def rows(self) -> list[tuple[Task, Field]]:
        return [(task, self[f"rate_{task}"]) for task in Task]

    def show(self, draft: DraftCard) -> None:
        policy = draft.policy
        self.provider_rule.data = str(policy.provider_rule)
        self.surplus.data = str(policy.surplus)
        for task, field in self.rows:
            field.data = _number(policy.rates.get(task))

    def put(self, policy: Policy) -> Policy | None:
        rates = {task: _read(field, _BAHT) for task, field in self.rows}
        if None in rates.values():
            return None
        rule = ProviderRule(self.provider_rule.data)
        surplus = Bucket.PROVIDER if rule == ProviderRule.BY_WORK else Bucket(self.surplus.data)
        return replace(
            policy,
            provider_rule=rule,
            surplus=surplus,
            rates={task: rate for task, rate in rates.items() if rate},
        )


for _bucket in Bucket:
    _words = LABELS[Bucket][_bucket]
    setattr(FixedForm, f"fixed_{_bucket}", text(_words, most=20))
    setattr(SharesForm, f"share_{_bucket}", text(_words, most=20))
    setattr(SharesForm, f"least_{_bucket}", text(_l("at least, baht"), most=20))
    setattr(SharesForm, f"most_{_bucket}", text(_l("at most, baht"), most=20))
for _task in Task:
    setattr(WorkForm, f"rate_{_task}", text(LABELS[Task][_task], most=20))

STEPS: dict[str, type[StepForm]] = {
    "name": NameForm,
    "outside": OutsideForm,
    "fixed": FixedForm,
    "shares": SharesForm,
    "work": WorkForm,
}
"""The steps of the wizard in their order; the last page shows everything."""


# --- the meeting ---------------------------------------------------------------------------------


def _votes(words: Any) -> IntegerField:
    most = NumberRange(0, 100_000, message=_HOW_MANY)
    return IntegerField(words, [InputRequired(message=REQUIRED), most])


class MeetingForm(Form):
    """What the minutes say; the file itself comes with it."""

    meeting = text(_l("Which meeting it was"), most=LONGEST_TEXT, required=True)
    place = text(_l("Where it was held"), most=LONGEST_TEXT, required=True)
    met_on = DayField(_l("Day of the meeting"), [InputRequired(message=REQUIRED)])
    present = _votes(_l("Households that came"))
    voted_for = _votes(_l("Voted for it"))
    voted_against = _votes(_l("Voted against it"))
    abstained = _votes(_l("Abstained"))
    effective_from = DayField(_l("First day of the new policy"), [InputRequired(message=REQUIRED)])
    minutes = FileField(_l("Minutes of the meeting, signed"))

    @property
    def signers(self) -> list[tuple[Field, Field]]:
        return [(self[f"signer_{n}"], self[f"position_{n}"]) for n in range(1, SIGNERS + 1)]

    def read(self) -> Meeting:
        """The meeting as it was typed into a valid form."""
        named = [
            Signer(typed(name), typed(position))
            for name, position in self.signers
            if typed(name) or typed(position)
        ]
        return Meeting(
            met_on=cast(Any, self.met_on.data),
            place=typed(self.place),
            meeting=typed(self.meeting),
            present=int(self.present.data or 0),
            voted_for=int(self.voted_for.data or 0),
            voted_against=int(self.voted_against.data or 0),
            abstained=int(self.abstained.data or 0),
            effective_from=cast(Any, self.effective_from.data),
            signers=tuple(named),
        )


for _place in range(1, SIGNERS + 1):
    setattr(MeetingForm, f"signer_{_place}", text(_l("Who signed"), most=LONGEST_TEXT))
    setattr(MeetingForm, f"position_{_place}", text(_l("as what"), most=LONGEST_TEXT))
