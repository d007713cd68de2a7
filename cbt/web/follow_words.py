"""What a visit gave and what it paid for, in the guest's language."""

from collections.abc import Mapping, Sequence
from typing import Any

from cbt.i18n import _, format_baht, ngettext
from cbt.revenue.follow_up import Use
from cbt.revenue.fund_page import Line, Sum
from cbt.revenue.funds import Purpose
from cbt.revenue.policy import Bucket
from cbt.web.labels import label


def gifts_words(gifts: Sequence[tuple[Bucket, int]]) -> str:
    """What went into each fund, as one sentence."""
    parts = [
        _("%(amount)s into the fund “%(fund)s”", amount=format_baht(amount), fund=label(fund))
        for fund, amount in gifts
    ]
    return _("From your visit went: %(parts)s.", parts=", ".join(parts))


def use_words(use: Use) -> str:
    """One line of a fund's public page; never of whom."""
    text = ngettext(
        "Until now the fund “%(fund)s” paid for: %(kind)s, %(amount)s in %(num)s payment.",
        "Until now the fund “%(fund)s” paid for: %(kind)s, %(amount)s in %(num)s payments.",
        use.line.payments,
    )
    return text % {
        "fund": label(use.fund),
        "kind": label(use.line.kind),
        "amount": format_baht(use.line.amount_satang),
        "num": use.line.payments,
    }


def told(facts: Mapping[str, Any]) -> dict[str, str]:
    """The words of a notice that carries codes and satang, as `follow_ups.facts_of` wrote them."""
    fund, kind, amount, payments = facts["use"]
    known = Purpose(kind) if kind in set(Purpose) else Line(kind)
    return {
        "gifts_words": gifts_words([(Bucket(name), each) for name, each in facts["gifts"]]),
        "use_words": use_words(Use(Bucket(fund), Sum(known, amount, payments))),
        "fund": fund,
    }
