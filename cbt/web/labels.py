"""The words for every state, kind and code that pages show. A test walks them in both languages."""

from datetime import date
from enum import StrEnum
from typing import Any

from cbt.audit.findings import Check, Fault, Finding, Result
from cbt.bookings.states import BookingState, DepartureState
from cbt.communities import chart
from cbt.experiences.pricing import OutsideCost, Unit
from cbt.i18n import _, _l, format_baht, format_day
from cbt.payments.provider import AttemptState, RefundReason
from cbt.payments.providers.demo import Act
from cbt.people.roles import Role
from cbt.revenue.policy import Bucket, Task
from cbt.revenue.split import Part, PartKind

LABELS: dict[type[StrEnum], dict[Any, Any]] = {
    Unit: {
        Unit.ADULT: _l("Adults"),
        Unit.CHILD: _l("Children"),
        Unit.INFANT: _l("Infants"),
    },
    OutsideCost: {
        OutsideCost.INSURANCE: _l("Accident insurance"),
        OutsideCost.PARK_FEE: _l("Park fee"),
        OutsideCost.MATERIALS: _l("Materials from outside"),
    },
    BookingState: {
        BookingState.HELD: _l("held, not paid yet"),
        BookingState.LAPSED: _l("lapsed"),
        BookingState.CONFIRMED: _l("confirmed"),
        BookingState.SETTLED: _l("settled"),
    },
    DepartureState: {
        DepartureState.OPEN: _l("open"),
        DepartureState.SETTLED: _l("settled"),
    },
    AttemptState: {
        AttemptState.PENDING: _l("waiting for the payment"),
        AttemptState.REPORTED: _l("reported by the guest"),
        AttemptState.FAILED: _l("declined"),
        AttemptState.EXPIRED: _l("expired"),
        AttemptState.CANCELLED: _l("given up for another way"),
        AttemptState.PAID: _l("paid"),
    },
    RefundReason: {
        RefundReason.NO_PLACE_LEFT: _l("paid late, when no place was left"),
        RefundReason.PAID_TWICE: _l("paid twice"),
        RefundReason.AMOUNT_DIFFERS: _l("the amount differs from the price"),
    },
    Act: {
        Act.PAY: _l("Pay"),
        Act.DECLINE: _l("Let it be declined"),
        Act.EXPIRE: _l("Let it time out"),
        Act.PAY_LATE: _l("Pay after the hold has ended"),
        Act.PAY_TWICE: _l("Pay twice"),
    },
    Role: {
        Role.COORDINATOR: _l("coordinator"),
        Role.TREASURER: _l("treasurer"),
        Role.HOUSEHOLD: _l("household member"),
        Role.MENTOR: _l("mentor"),
        Role.ADMIN: _l("platform caretaker"),
    },
    Bucket: {
        Bucket.PROVIDER: _l("Households that do the work"),
        Bucket.MGMT: _l("Group management"),
        Bucket.WELFARE: _l("Community welfare fund"),
        Bucket.CONSERVE: _l("Conservation fund"),
        Bucket.DEVELOP: _l("Community development fund"),
        Bucket.REVOLVE: _l("Revolving fund"),
    },
    PartKind: {
        PartKind.COST: _l("Outside costs"),
        PartKind.PAYMENT_FEE: _l("Payment fee"),
        PartKind.INTERMEDIARY: _l("Intermediary"),
        PartKind.BUCKET: _l("Share"),
    },
    Task: {
        Task.BOAT: _l("Boat and skipper"),
        Task.GUIDE: _l("Community interpreter"),
        Task.COOK: _l("Cooking"),
        Task.HOST: _l("Hosting overnight"),
        Task.CRAFT: _l("Teaching a craft"),
        Task.CRAB_BANK: _l("Crab bank care"),
        Task.PREPARE: _l("Preparation"),
    },
    Result: {
        Result.PASS: _l("passed"),
        Result.FAIL: _l("failed"),
        Result.NO_DATA: _l("nothing to check yet"),
    },
    Check: {
        Check.CHAIN: _l("The chain of entries is whole"),
        Check.LEGS: _l("Every entry balances"),
        Check.BALANCES: _l("Account balances are the sums of their entries"),
        Check.MONEY: _l("Every payment, fee and refund is recorded in the books"),
        Check.DEPOSITS: _l("Each booking: received = returned + on deposit + split"),
        Check.SPLITS: _l("Every booking's split recomputed from the facts"),
        Check.SHARING: _l("Every sharing-out recomputed from work and policy"),
        Check.ENTRIES: _l("Every entry has its reason, and stands in the books once"),
        Check.POLICIES: _l("Policies are unchanged and were in force when sold"),
        Check.PLACES: _l("No departure is oversold, and the counts are right"),
        Check.RECEIPTS: _l("Receipt numbers run without a gap"),
    },
    Fault: {
        Fault.CHAIN_GAP: _l("Entries %(first)s to %(last)s are missing."),
        Fault.CHAIN_LINK: _l("It does not follow the entry before it."),
        Fault.ENTRY_CHANGED: _l("It was changed after it was posted (%(kind)s, %(about)s)."),
        Fault.HEAD_DIFFERS: _l("The books say that entry %(head)s is the last, but %(last)s is."),
        Fault.TOTAL_DIFFERS: _l(
            "It states %(stated_satang)s, but its legs sum to %(summed_satang)s."
        ),
        Fault.LEG_INVALID: _l(
            "A leg has a wrong amount (%(amount_satang)s) or the same account on both sides."
        ),
        Fault.BALANCE_DIFFERS: _l(
            "Its balance says %(running_satang)s, its entries sum to %(summed_satang)s."
        ),
        Fault.BALANCE_BELOW_ZERO: _l("It is below zero: %(summed_satang)s."),
        Fault.ENTRY_MISSING: _l("Its entry is missing in the books: %(kind)s, %(amount_satang)s."),
        Fault.ENTRY_UNEXPLAINED: _l(
            "No record calls for it: %(kind)s, %(amount_satang)s (%(about)s)."
        ),
        Fault.ENTRY_DOUBLED: _l(
            "It stands in the books twice: %(kind)s, %(amount_satang)s (%(about)s)."
        ),
        Fault.AMOUNT_DIFFERS: _l(
            "%(account)s: in the books %(posted_satang)s, by the rule %(computed_satang)s."
        ),
        Fault.LEGS_DIFFER: _l(
            "The amounts are right, but they come from another account or give another reason."
        ),
        Fault.DAY_DIFFERS: _l("It is entered on %(posted)s, but belongs to %(computed)s."),
        Fault.ABOUT_DIFFERS: _l("Its entry says that it is about something else (%(about)s)."),
        Fault.POLICY_DIFFERS: _l(
            "It was split under policy %(posted)s, but sold under %(sold_under)s."
        ),
        Fault.FACTS_CHANGED: _l(
            "Its record was changed after settlement. Then: %(changed)s. Now: %(now)s."
        ),
        Fault.FACTS_UNFIT: _l("Its record no longer fits the fingerprint that was posted with it."),
        Fault.DEPOSIT_DIFFERS: _l(
            "On deposit %(posted_satang)s, but it should be %(computed_satang)s."
        ),
        Fault.POLICY_CHANGED: _l("Its text was changed after adoption."),
        Fault.POLICY_NOT_IN_FORCE: _l("It was sold under a policy that was not in force that day."),
        Fault.PLACES_DIFFER: _l(
            "%(claimed)s places are counted as taken, but bookings take %(booked)s."
        ),
        Fault.OVERSOLD: _l("%(booked)s places are sold, but only %(capacity)s exist."),
        Fault.RECEIPT_GAP: _l("This receipt number is missing."),
        Fault.UNREADABLE: _l("A record is so damaged that the check could not read it."),
    },
}

_SUBJECTS = {
    "account": _l("Account %(name)s"),
    "booking": _l("Booking %(name)s"),
    "departure": _l("Departure %(name)s"),
    "entry": _l("Entry %(name)s"),
    "policy": _l("Policy %(name)s"),
    "receipt": _l("Receipt %(name)s"),
    "book": _l("The books"),
    "capture": _l("Payment %(name)s"),
    "refund": _l("Refund %(name)s"),
}
_ENTRIES = {
    "capture": _l("payment"),
    "fee": _l("payment fee"),
    "refund": _l("refund"),
    "split": _l("split"),
    "sharing_out": _l("sharing-out"),
}
_ACCOUNTS = {
    chart.GUEST_DEPOSIT: _l("Guests' deposits"),
    chart.PAYMENT_FEE: _l("Payment fees"),
    chart.PROVIDER_POOL: _l("Pool of the households that do the work"),
    chart.INTERMEDIARY: _l("Intermediary"),
}
_PROVIDERS = {
    "demo": _l("Practice payment (sample)"),
    "promptpay": _l("PromptPay QR"),
}


def label(member: StrEnum) -> str:
    """The word for a state, kind or code, in the reader's language."""
    return str(LABELS[type(member)][member])


def provider_words(name: str) -> str:
    return str(_PROVIDERS[name])


def finding_words(finding: Finding) -> str:
    """A fault as a sentence, with the values that show it."""
    values = {name: _value_words(name, value) for name, value in finding.values.items()}
    return label(finding.fault) % values


def _value_words(name: str, value: object) -> str:
    if name == "account":
        return account_words(str(value))
    if name == "about":
        return subject_words(str(value))
    if name == "kind":
        return str(_ENTRIES.get(str(value), value))
    if isinstance(value, date):
        return format_day(value)
    if name.endswith("_satang") and isinstance(value, int):
        return format_baht(value)
    return str(value)


def subject_words(subject: str) -> str:
    """What an entry or a finding is about: "booking:B-7K2M" is "Booking B-7K2M"."""
    kind, _colon, name = subject.partition(":")
    if kind == "account":
        name = account_words(name)
    return str(_SUBJECTS[kind]) % {"name": name} if kind in _SUBJECTS else subject


def account_words(code: str) -> str:
    """A ledger account's name for people."""
    kind, _colon, name = code.partition(":")
    if code in _ACCOUNTS:
        return str(_ACCOUNTS[code])
    if kind == "fund":
        return label(Bucket(name))
    if kind == "outside":
        return label(OutsideCost(name))
    if kind == "payment":
        return provider_words(name)
    return _("Household %(name)s", name=name)


def part_words(part: Part) -> str:
    """A part of a split by its name: the fund, the outside cost, the fee."""
    if part.kind == PartKind.BUCKET:
        return label(Bucket(part.code))
    if part.kind == PartKind.COST:
        return label(OutsideCost(part.code))
    return label(part.kind)
