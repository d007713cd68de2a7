"""A policy and what the rules say of it, in sentences that a villager reads."""

from collections.abc import Callable, Iterator

from cbt.i18n import _, format_baht, format_bp, format_number
from cbt.revenue.policy import Bucket, DividendRule, Policy, ProviderRule
from cbt.revenue.policy_rules import PolicyRule, Ruling, Verdict
from cbt.web.labels import label


def policy_sentences(policy: Policy) -> list[str]:
    """What a policy says, step by step, in the order in which money is taken."""
    return list(_sentences(policy))


def _sentences(policy: Policy) -> Iterator[str]:
    yield _(
        "Outside costs such as insurance, and the fee of the payment service, are paid at cost."
    )
    if policy.intermediary_bp:
        yield _intermediary(policy)
    least = policy.limits_of(Bucket.PROVIDER).floor_satang
    if least:
        yield _(
            "Of each booking the households that do the work get at least %(amount)s, before any fund.",
            amount=format_baht(least, exact=False),
        )
    for bucket in policy.buckets:
        if bucket in policy.fixed:
            amount = format_baht(policy.fixed[bucket], exact=False)
            yield _("Of each booking, %(amount)s to: %(fund)s.", amount=amount, fund=label(bucket))
    yield _(
        "Of what is left, the distributable income: %(percent)s percent to the households that do the"
        " work, and all that rounding leaves.",
        percent=format_bp(policy.shares.get(Bucket.PROVIDER, 0)),
    )
    for bucket in policy.buckets:
        if bucket != Bucket.PROVIDER and policy.shares[bucket]:
            yield _share(policy, bucket)
    if _has_limits(policy):
        yield _(
            "Where a booking brings too little for everything: first the households' least, then fixed"
            " amounts, then percentages, then what lifts funds to their least. Who stands later gives"
            " way first."
        )
    yield _provider(policy)
    if policy.dividend_rule == DividendRule.BY_SHARES:
        yield _(
            "The dividend is shared out by the shares that each household holds on the day of the trip;"
            " where nobody holds shares, alike to every member household."
        )
    elif policy.dividend_rule:
        yield _("The dividend is shared out alike to every household that is a member that day.")


def _has_limits(policy: Policy) -> bool:
    return bool(policy.fixed) or any(each.floor_satang for each in policy.limits.values())


def _intermediary(policy: Policy) -> str:
    percent = format_bp(policy.intermediary_bp)
    if policy.intermediary_cap_satang is None:
        return _("The intermediary gets %(percent)s percent of the price.", percent=percent)
    return _(
        "The intermediary gets %(percent)s percent of the price, at most %(amount)s of a booking.",
        percent=percent,
        amount=format_baht(policy.intermediary_cap_satang, exact=False),
    )


def _share(policy: Policy, bucket: Bucket) -> str:
    limits = policy.limits_of(bucket)
    values = {"percent": format_bp(policy.shares[bucket]), "fund": label(bucket)}
    least = format_baht(limits.floor_satang or 0, exact=False)
    most = format_baht(limits.cap_satang or 0, exact=False)
    if limits.floor_satang and limits.cap_satang:
        text = _(
            "%(percent)s percent to: %(fund)s, of a booking at least %(least)s and at most %(most)s.",
            **values,
            least=least,
            most=most,
        )
    elif limits.floor_satang:
        text = _(
            "%(percent)s percent to: %(fund)s, of a booking at least %(least)s.",
            **values,
            least=least,
        )
    elif limits.cap_satang:
        text = _(
            "%(percent)s percent to: %(fund)s, of a booking at most %(most)s.", **values, most=most
        )
    else:
        text = _("%(percent)s percent to: %(fund)s.", **values)
    return text


def _provider(policy: Policy) -> str:
    if policy.provider_rule == ProviderRule.BY_WORK:
        return _(
            "The households' pool of a trip is shared out by work: how often each did what, times the"
            " rate of that work."
        )
    if policy.surplus == Bucket.PROVIDER:
        return _(
            "Of the households' pool of a trip, each first gets the agreed rate of its work; what is"
            " left is shared out by work, and what is lacking is borne in proportion."
        )
    return _(
        "Of the households' pool of a trip, each gets exactly the agreed rate of its work; what is left"
        " goes to: %(fund)s, and what is lacking is borne in proportion.",
        fund=label(policy.surplus),
    )


# --- what the rules say --------------------------------------------------------------------------


def ruling_words(ruling: Ruling) -> str:
    """The values that a rule looked at, as a sentence; "" where its name says all."""
    say = _SAYINGS.get(ruling.rule)
    return say(ruling) if say else ""


def _whole(ruling: Ruling) -> str:
    return _(
        "Together the shares make %(percent)s percent.", percent=format_bp(ruling.values["sum"])
    )


def _funds(ruling: Ruling) -> str:
    return _(
        "Funds for everybody get %(percent)s percent; between 5 and 30 is usual.",
        percent=format_bp(ruling.values["funds"]),
    )


def _revolving(ruling: Ruling) -> str:
    return _("It gets %(percent)s percent.", percent=format_bp(ruling.values["revolve"]))


def _management(ruling: Ruling) -> str:
    return _(
        "It costs %(percent)s percent; above 15 needs an explanation, above 25 is not allowed.",
        percent=format_bp(ruling.values["mgmt"]),
    )


def _meeting(ruling: Ruling) -> str:
    if ruling.verdict == Verdict.NO_DATA:
        return _("Known once the meeting has been held.")
    return ""


def _age(ruling: Ruling) -> str:
    if "days" not in ruling.values:
        return ""
    return _("It was adopted %(days)s days ago.", days=format_number(ruling.values["days"]))


def _households_share(ruling: Ruling) -> str:
    values = ruling.values
    text = _(
        "They get %(percent)s percent; below 70 needs an explanation, below 50 is not allowed.",
        percent=format_bp(values["provider"]),
    )
    if "smallest_bp" not in values:
        return text
    more = _(
        "Of the smallest booking (%(amount)s), fixed amounts and limits leave them %(percent)s percent.",
        amount=format_baht(values["smallest_satang"], exact=False),
        percent=format_bp(values["smallest_bp"]),
    )
    return f"{text} {more}"


def _nature(ruling: Ruling) -> str:
    if ruling.verdict == Verdict.NO_DATA:
        return _("Please say in the first step whether your activities live from nature.")
    return _("Conservation gets %(percent)s percent.", percent=format_bp(ruling.values["conserve"]))


def _middleman(ruling: Ruling) -> str:
    share = ruling.values["intermediary"]
    if not share:
        return _("No intermediary takes a part.")
    return _(
        "It takes %(percent)s percent; above 15 needs an explanation, above 30 is not allowed. Where the"
        " written agreement is kept must be noted.",
        percent=format_bp(share),
    )


_SAYINGS: dict[PolicyRule, Callable[[Ruling], str]] = {
    PolicyRule.POL_01: _whole,
    PolicyRule.POL_02: _households_share,
    PolicyRule.POL_03: _funds,
    PolicyRule.POL_04: _revolving,
    PolicyRule.POL_05: _nature,
    PolicyRule.POL_06: _management,
    PolicyRule.POL_07: _middleman,
    PolicyRule.POL_08: _meeting,
    PolicyRule.POL_09: _age,
}
