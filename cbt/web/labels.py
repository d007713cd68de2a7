"""The words for every state, kind and code that pages show. A test walks them in both languages."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from cbt.audit.findings import Check, Fault, Finding, Result
from cbt.bookings.feed_lines import Problem as FeedProblem
from cbt.bookings.parts import Part
from cbt.bookings.states import BookingState, DepartureState, EndReason, WaitState
from cbt.bookings.terms import TermsProblem
from cbt.bookings.things import ThingKind, ThingProblem
from cbt.communities import chart
from cbt.communities.rotation import NotNow, SkipReason, TurnWhy
from cbt.communities.shares import AssetKind, AssetProblem, Decision, ShareKind, ShareProblem
from cbt.experiences.pricing import OutsideCost, Unit
from cbt.experiences.schedule import ScheduleProblem
from cbt.i18n import _, _l, format_baht, format_bp, format_day
from cbt.payments.account_rules import ProposalState
from cbt.payments.accounts import PROMPTPAY, AccountProblem
from cbt.payments.bank_lines import Column, StatementProblem
from cbt.payments.matching import Certainty, Why
from cbt.payments.promptpay import IdKind
from cbt.payments.provider import (
    AttemptState,
    DisputeState,
    Failure,
    PayMethod,
    PayoutState,
    RefundReason,
    RefundState,
)
from cbt.payments.providers.demo import Act
from cbt.payments.reported import LineState, WorkKind
from cbt.payments.slips import SlipProblem
from cbt.people.roles import Role
from cbt.revenue.adoption import ResolutionProblem, UsesNature
from cbt.revenue.close_facts import StepCode
from cbt.revenue.line_disputes import LineStage
from cbt.revenue.policy import Bucket, DividendRule, ProviderRule, Task
from cbt.revenue.policy_rules import PolicyRule, Severity, Verdict
from cbt.revenue.signing import SignerRole
from cbt.revenue.split import Bound, PartKind
from cbt.revenue.split import Part as SplitPart
from cbt.revenue.statement_text import ItemKind
from cbt.revenue.work_models import TurnKind
from cbt.revenue.work_rules import TurnProblem, WorkProblem
from cbt.web.assessment_words import ASSESSMENT_LABELS
from cbt.web.audit_labels import AUDIT_LABELS
from cbt.web.fund_labels import FUND_LABELS

LABELS: dict[type[StrEnum], dict[Any, Any]] = {
    **FUND_LABELS,
    **AUDIT_LABELS,
    **ASSESSMENT_LABELS,
    Unit: {
        Unit.ADULT: _l("Adults"),
        Unit.YOUTH: _l("Youths"),
        Unit.CHILD: _l("Children"),
        Unit.INFANT: _l("Infants"),
        Unit.SENIOR: _l("Seniors"),
        Unit.STUDENT: _l("Students"),
        Unit.FAMILY: _l("Families"),
        Unit.GROUP: _l("Boats or groups"),
    },
    EndReason: {
        EndReason.GUEST: _l("cancelled by the guest"),
        EndReason.WEATHER: _l("for the weather"),
        EndReason.TOO_FEW: _l("since too few guests booked"),
        EndReason.COMMUNITY: _l("by the community"),
    },
    WaitState: {
        WaitState.WAITING: _l("waiting in line"),
        WaitState.OFFERED: _l("places are offered"),
        WaitState.BOOKED: _l("booked"),
        WaitState.LEFT: _l("left the line"),
        WaitState.OVER: _l("the trip is over or was called off"),
    },
    ThingKind: {
        ThingKind.BOAT: _l("Boat"),
        ThingKind.KITCHEN: _l("Kitchen"),
        ThingKind.ROOM: _l("Room"),
        ThingKind.GUIDE: _l("Guide"),
        ThingKind.LIFE_JACKET: _l("Life jackets"),
        ThingKind.VILLAGE: _l("Guests in the village"),
        ThingKind.OTHER: _l("Another thing"),
    },
    Part: {
        Part.MORNING: _l("morning"),
        Part.AFTERNOON: _l("afternoon"),
        Part.EVENING: _l("evening"),
        Part.NIGHT: _l("night"),
        Part.DAY: _l("whole day"),
    },
    TermsProblem: {
        TermsProblem.TEXT: _l("the text cannot be read"),
        TermsProblem.NAME: _l("the name is missing or too long"),
        TermsProblem.DAYS: _l("the days must lie between 0 and 730"),
        TermsProblem.REFUND: _l("a refund must lie between 0 and 100 percent"),
        TermsProblem.ORDER: _l("the days must fall from step to step"),
        TermsProblem.RISING: _l("who cancels later cannot get more back"),
        TermsProblem.DEPOSIT: _l("a deposit is more than nothing and less than the whole"),
    },
    ScheduleProblem: {
        ScheduleProblem.TEXT: _l("the text cannot be read"),
        ScheduleProblem.NO_WEEKDAY: _l("no weekday is chosen"),
        ScheduleProblem.WEEKDAY: _l("there is no such weekday"),
        ScheduleProblem.MONTH: _l("there is no such month"),
        ScheduleProblem.ENDS_BEFORE_START: _l("it ends before it begins"),
        ScheduleProblem.TOO_LONG: _l("it reaches over ten years"),
        ScheduleProblem.WINDOW_TOO_LONG: _l("it reaches over ten years"),
        ScheduleProblem.REST_TOO_LONG: _l("more than a year of rest days at once"),
        ScheduleProblem.STANDS: _l("there is one at this hour already"),
    },
    FeedProblem: {
        FeedProblem.NOT_A_CALENDAR: _l("it is not a calendar"),
        FeedProblem.TOO_LARGE: _l("it is too large"),
        FeedProblem.TOO_MANY: _l("it holds too many events"),
        FeedProblem.UNREADABLE: _l("it is damaged"),
        FeedProblem.RULE: _l("it repeats by a rule that we do not read"),
        FeedProblem.ZONE: _l("it uses a time zone that we do not know"),
        FeedProblem.ADDRESS: _l("its address cannot be visited"),
        FeedProblem.UNREACHABLE: _l("it cannot be reached"),
        FeedProblem.TIMEOUT: _l("it takes too long to answer"),
        FeedProblem.STATUS: _l("it answers with an error"),
        FeedProblem.REDIRECTS: _l("it sends us from address to address"),
        FeedProblem.ENCODING: _l("it is packed in a way that we do not read"),
    },
    WorkProblem: {
        WorkProblem.ROWS: _l("a record can have at most 200 lines"),
        WorkProblem.HOUSEHOLD: _l("please choose a household"),
        WorkProblem.INACTIVE: _l("this household is not a member on the day of the trip"),
        WorkProblem.TASK: _l("please choose a task"),
        WorkProblem.UNITS: _l("please enter how many times, from 1 to 1,000"),
        WorkProblem.MINUTES: _l("please enter minutes from 0 to 10,080"),
        WorkProblem.DAY: _l(
            "with it, this household would have worked more than 24 hours that day on all trips"
            " together"
        ),
        WorkProblem.COST: _l("please say what it was and what it cost"),
    },
    TurnProblem: {
        TurnProblem.CAPACITY: _l(
            "how many turns at once must lie between 0 and 50, with at least one day of the week"
        ),
        TurnProblem.DAY: _l("the day lies too far back or too far ahead"),
        TurnProblem.LONG: _l(
            "a skip with a reason lasts 14 days at most, one without a reason a single day. For"
            " longer, please note the household as away"
        ),
        TurnProblem.PARTNER: _l("both households must take part in this task on that day"),
        TurnProblem.WORDS: _l("the words are too long"),
    },
    SkipReason: {
        SkipReason.SICK: _l("sick"),
        SkipReason.FAMILY: _l("something in the family"),
        SkipReason.FAITH: _l("religion or custom"),
        SkipReason.BROKEN: _l("boat, room or tools not usable"),
        SkipReason.BUSY: _l("other work"),
        SkipReason.NONE: _l("no reason given"),
    },
    TurnWhy: {
        TurnWhy.FEWEST: _l("had fewest turns for its share"),
        TurnWhy.LONGEST: _l("has waited longest since its last turn"),
        TurnWhy.REGISTER: _l("stands first in the register"),
        TurnWhy.SWAPPED: _l("swapped places"),
    },
    NotNow: {
        NotNow.SKIPS: _l("skips this turn"),
        NotNow.AWAY: _l("is away"),
        NotNow.DAY_OFF: _l("does not serve on this day"),
    },
    TurnKind: {
        TurnKind.TERMS: _l("takes part"),
        TurnKind.AWAY: _l("away"),
        TurnKind.SKIPPED: _l("skipped"),
        TurnKind.SWAP_ASKED: _l("asked to swap"),
        TurnKind.SWAP_AGREED: _l("agreed to swap"),
        TurnKind.WITHDRAWN: _l("taken back"),
    },
    ShareKind: {
        ShareKind.ISSUE: _l("issued"),
        ShareKind.TRANSFER: _l("transferred"),
        ShareKind.REDEEM: _l("redeemed"),
    },
    ShareProblem: {
        ShareProblem.PARTIES: _l(
            "shares are issued to a household, redeemed from one, or pass between two different ones"
        ),
        ShareProblem.SHARES: _l("the number of shares must lie between 1 and 1,000,000"),
        ShareProblem.HELD: _l("a household would have moved more shares than it held that day"),
        ShareProblem.INACTIVE: _l("the household is not a member on that day"),
        ShareProblem.BEFORE: _l("it lies before the day on which the asset began"),
        ShareProblem.CLOSED: _l(
            "money of that day was shared out already. Please choose a later day"
        ),
        ShareProblem.DOCUMENT: _l(
            "a document must prove it: please add its file and say what it is"
        ),
    },
    AssetKind: {
        AssetKind.BOAT: _l("A boat"),
        AssetKind.BUILDING: _l("A building"),
        AssetKind.EQUIPMENT: _l("Equipment"),
        AssetKind.LAND: _l("Land"),
        AssetKind.EXPERIENCE: _l("A whole activity"),
    },
    AssetProblem: {
        AssetProblem.NAME: _l("the name is missing or too long"),
        AssetProblem.KIND: _l("what it is does not fit what it earns from"),
        AssetProblem.TAKEN: _l("it is recorded already"),
        AssetProblem.DAY: _l("it lies before the day on which the asset began"),
        AssetProblem.CLOSED: _l(
            "money of that day was shared out already. Please choose a later day"
        ),
    },
    Decision: {
        Decision.CONFIRMED: _l("confirmed"),
        Decision.REFUSED: _l("refused"),
    },
    ThingProblem: {
        ThingProblem.CAPACITY: _l("how many there are must lie between 0 and 10,000"),
        ThingProblem.NAME: _l("the name is missing"),
        ThingProblem.CODE: _l("there is one of this name already"),
    },
    StatementProblem: {
        StatementProblem.TOO_LARGE: _l("the file is larger than 10 MB"),
        StatementProblem.TOO_MANY: _l("it holds more than 100,000 lines"),
        StatementProblem.EMPTY: _l("the file is empty"),
        StatementProblem.NO_LINES: _l("it holds no lines"),
        StatementProblem.ENCODING: _l("its letters are stored in a way that we do not read"),
        StatementProblem.CHARACTERS: _l("it is not a text file"),
        StatementProblem.MAPPING: _l("its columns are not described without contradiction"),
        StatementProblem.COLUMN: _l("a column that was described is missing or stands there twice"),
        StatementProblem.QUOTES: _l("a quotation mark stands in the wrong place"),
        StatementProblem.CELLS: _l("it has too few or too many cells"),
        StatementProblem.DATE: _l("its day is not a date"),
        StatementProblem.TIME: _l("its time is not an hour of the day"),
        StatementProblem.AMOUNT: _l("its amount is not a number of baht and satang"),
        StatementProblem.SIDES: _l(
            "it must have either an amount that came in or one that went out"
        ),
        StatementProblem.STATUS: _l("it does not say whether it was booked"),
        StatementProblem.CURRENCY: _l("it is not in baht"),
        StatementProblem.BALANCE: _l("the balance does not follow from the lines before it"),
        StatementProblem.XML: _l("the file is damaged"),
        StatementProblem.DOCTYPE: _l("it holds definitions that we do not read"),
        StatementProblem.MESSAGE: _l("it is not a bank statement"),
    },
    IdKind: {
        IdKind.PHONE: _l("Telephone number"),
        IdKind.TAX_ID: _l("Citizen or tax number, 13 digits"),
        IdKind.EWALLET: _l("E-wallet number, 15 digits"),
        IdKind.BILLER: _l("Biller number, 15 digits"),
    },
    ProposalState: {
        ProposalState.PROPOSED: _l("waits for a second person"),
        ProposalState.APPROVED: _l("agreed to"),
        ProposalState.ALONE: _l("in effect after a day, since nobody else could agree"),
        ProposalState.REFUSED: _l("refused"),
        ProposalState.WITHDRAWN: _l("withdrawn"),
        ProposalState.LAPSED: _l("lapsed"),
    },
    SlipProblem: {
        SlipProblem.TEXT: _l("it is not the code of a transfer slip"),
        SlipProblem.CHECKSUM: _l("it was not read completely"),
        SlipProblem.FIELDS: _l("it is a code of another kind"),
    },
    Column: {
        Column.DATE: _l("Date"),
        Column.TIME: _l("Time"),
        Column.AMOUNT: _l("Amount with its sign"),
        Column.CREDIT: _l("Came in"),
        Column.DEBIT: _l("Went out"),
        Column.BALANCE: _l("Balance"),
        Column.ID: _l("Number that the bank gives the line"),
        Column.REFERENCE: _l("Reference"),
        Column.PAYER: _l("Payer"),
        Column.TEXT: _l("Details"),
    },
    Why: {
        Why.REFERENCE_AND_AMOUNT: _l("reference and amount are the same"),
        Why.REFERENCE_ONLY: _l("the reference is the same, the amount is not"),
        Why.UNIQUE_AMOUNT: _l("at that time only this payment had this amount"),
        Why.AMOUNT_AND_NAME: _l("amount and name are the same"),
        Why.AMOUNT_ONLY: _l("only the amount is the same"),
        Why.PAID_TWICE: _l("this was paid already"),
        Why.AMBIGUOUS: _l("it can be more than one payment"),
    },
    Certainty: {
        Certainty.CERTAIN: _l("certain"),
        Certainty.LIKELY: _l("likely"),
        Certainty.UNSURE: _l("please check"),
    },
    OutsideCost: {
        OutsideCost.INSURANCE: _l("Accident insurance"),
        OutsideCost.PARK_FEE: _l("Park fee"),
        OutsideCost.MATERIALS: _l("Materials from outside"),
    },
    BookingState: {
        BookingState.REQUESTED: _l("asked for, not answered yet"),
        BookingState.HELD: _l("held, not paid yet"),
        BookingState.LAPSED: _l("lapsed"),
        BookingState.DECLINED: _l("declined by the community"),
        BookingState.CONFIRMED: _l("confirmed"),
        BookingState.CHOOSING: _l("called off, the guest chooses"),
        BookingState.CANCELLED: _l("cancelled"),
        BookingState.SETTLED: _l("settled"),
    },
    DepartureState: {
        DepartureState.OPEN: _l("open"),
        DepartureState.CLOSED: _l("closed for booking"),
        DepartureState.CALLED_OFF: _l("called off"),
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
        RefundReason.CANCELLED: _l("the booking was cancelled"),
        RefundReason.CALLED_OFF: _l("the community called the trip off"),
        RefundReason.PRICE_LOWERED: _l("the price became lower"),
        RefundReason.GOODWILL: _l("the community's goodwill"),
    },
    RefundState: {
        RefundState.REQUESTED: _l("a second person must agree"),
        RefundState.APPROVED: _l("to be sent"),
        RefundState.SENT: _l("on its way"),
        RefundState.ACTION_REQUIRED: _l("waiting for the guest's bank details"),
        RefundState.SUCCEEDED: _l("given back"),
        RefundState.FAILED: _l("to be transferred by hand"),
        RefundState.BY_BANK: _l("given back by the guest's bank"),
        RefundState.CANCELLED: _l("not given back"),
    },
    PayMethod: {
        PayMethod.CARD: _l("Card"),
        PayMethod.PROMPTPAY: _l("PromptPay"),
        PayMethod.CASH: _l("Cash"),
        PayMethod.DEMO: _l("Practice payment (sample)"),
        PayMethod.UNKNOWN: _l("Another way"),
    },
    Failure: {
        Failure.DECLINED: _l(
            "The bank declined the payment. Ask your bank, or use another card or PromptPay."
        ),
        Failure.NO_FUNDS: _l(
            "The account does not hold enough money. Please use another card or PromptPay."
        ),
        Failure.NOT_AUTHORISED: _l(
            "The payment was not approved. Please try again and approve it in your bank's app."
        ),
        Failure.CARD_EXPIRED: _l("The card has expired. Please use another one."),
        Failure.TIMED_OUT: _l("The time to pay ran out. Please try again."),
        Failure.OTHER: _l("The payment did not work. Please try again, or choose another way."),
    },
    DisputeState: {
        DisputeState.OPEN: _l("being decided by the bank"),
        DisputeState.WON: _l("won: the money stays"),
        DisputeState.LOST: _l("lost: the money went back"),
    },
    PayoutState: {
        PayoutState.ON_THE_WAY: _l("on its way to the bank"),
        PayoutState.PAID: _l("arrived at the bank"),
        PayoutState.FAILED: _l("refused by the bank"),
    },
    AccountProblem: {
        AccountProblem.RECEIVER: _l("PromptPay does not know this number"),
        AccountProblem.CODE: _l("the code that we draw is not read back as it should be"),
    },
    LineState: {
        LineState.OPEN: _l("to be looked at"),
        LineState.MATCHED: _l("matched"),
        LineState.SET_ASIDE: _l("set aside"),
    },
    WorkKind: {
        WorkKind.UNKNOWN_MONEY: _l("Money that nothing explains"),
        WorkKind.FEE_DIFFERS: _l("A fee differs from what was reported before"),
        WorkKind.PAYOUT_DIFFERS: _l("A payout is not the sum of its payments"),
        WorkKind.PAYOUT_FAILED: _l("The bank refused a payout"),
        WorkKind.PAYOUT_NOT_SEEN: _l("A payout is not in the bank statement"),
        WorkKind.TRANSFER_NOT_SEEN: _l("A confirmed transfer is not in the bank statement"),
        WorkKind.REFUND_NOT_SEEN: _l("A refund made by hand is not in the bank statement"),
        WorkKind.CASH_NOT_SEEN: _l("Cash brought to the bank is not in its statement"),
        WorkKind.CASH_ON_THE_WAY: _l("Cash on its way to the bank"),
        WorkKind.ANSWER_WRONG: _l("A payment service's answer cannot be right"),
        WorkKind.EVENT_FAILED: _l("A payment service's message could not be worked off"),
        WorkKind.REFUND_FAILED: _l("A refund did not reach its guest"),
        WorkKind.DISPUTE_OPENED: _l("A guest's bank disputes a payment"),
        WorkKind.DISPUTE_LOST: _l("A dispute that was lost leaves something to do"),
        WorkKind.STATEMENT_LINE: _l("A line of the bank statement that matches nothing"),
        WorkKind.CASH_DIFFERS: _l("The cash box held another amount than the books"),
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
        Role.VIEWER: _l("agency"),
    },
    Bucket: {
        Bucket.PROVIDER: _l("Households that do the work"),
        Bucket.MGMT: _l("Group management"),
        Bucket.WELFARE: _l("Community welfare fund"),
        Bucket.CONSERVE: _l("Conservation fund"),
        Bucket.DEVELOP: _l("Community development fund"),
        Bucket.REVOLVE: _l("Revolving fund"),
        Bucket.DIVIDEND: _l("Dividend to the owners"),
    },
    ProviderRule: {
        ProviderRule.BY_WORK: _l("by work"),
        ProviderRule.RATES_FIRST: _l("agreed rates first"),
    },
    DividendRule: {
        DividendRule.BY_SHARES: _l("by the shares held"),
        DividendRule.EQUAL: _l("alike to every member household"),
    },
    UsesNature: {
        UsesNature.UNKNOWN: _l("not answered yet"),
        UsesNature.YES: _l("yes, of mangrove, sea, forest or wildlife"),
        UsesNature.NO: _l("no"),
    },
    Severity: {
        Severity.ERROR: _l("error"),
        Severity.WARNING: _l("warning"),
        Severity.ADVICE: _l("advice"),
    },
    Verdict: {
        Verdict.PASS: _l("passed"),
        Verdict.FAIL: _l("failed"),
        Verdict.NOT_APPLICABLE: _l("does not apply"),
        Verdict.NO_DATA: _l("not enough data"),
    },
    PolicyRule: {
        PolicyRule.POL_01: _l("Shares make 100 percent"),
        PolicyRule.POL_02: _l("Households get enough"),
        PolicyRule.POL_03: _l("There are funds for everybody"),
        PolicyRule.POL_04: _l("The revolving fund gets about 5 percent"),
        PolicyRule.POL_05: _l("Activities that use nature pay for its conservation"),
        PolicyRule.POL_06: _l("Management does not cost too much"),
        PolicyRule.POL_07: _l("The intermediary's part is modest and agreed in writing"),
        PolicyRule.POL_08: _l("A members' meeting resolved it, and it does not reach back"),
        PolicyRule.POL_09: _l("The policy is looked at again every year"),
        PolicyRule.NAME: _l("The name is one line of at most 80 letters"),
        PolicyRule.RATES: _l("Every kind of work that counts has a rate above zero"),
        PolicyRule.FIXED: _l("Fixed amounts and rates lie between one satang and a million baht"),
        PolicyRule.LIMITS: _l("No bucket is promised more than it may get"),
        PolicyRule.SURPLUS: _l("What agreed rates leave has a place to go"),
        PolicyRule.DIVIDEND: _l("A dividend has a rule by which it is shared out"),
    },
    ResolutionProblem: {
        ResolutionProblem.PLACE: _l("the place is missing"),
        ResolutionProblem.MEETING: _l("it does not say which meeting it was"),
        ResolutionProblem.FUTURE: _l("the meeting has not been held yet"),
        ResolutionProblem.BEFORE_PROPOSAL: _l("the meeting was held before this was proposed here"),
        ResolutionProblem.HOUSEHOLDS: _l("no household was on the register on that day"),
        ResolutionProblem.PRESENT: _l(
            "more households are said to have come than were on the register, or none"
        ),
        ResolutionProblem.QUORUM: _l(
            "fewer than half of the households on the register came, so there was no quorum"
        ),
        ResolutionProblem.VOTES: _l(
            "votes for, against and abstentions together are not as many as came"
        ),
        ResolutionProblem.VOTED_FOR: _l("not more than half of those who came agreed"),
        ResolutionProblem.EFFECTIVE_FROM: _l("it cannot start before it was adopted"),
        ResolutionProblem.SIGNERS: _l(
            "it needs the names and positions of those who signed, each person once"
        ),
        ResolutionProblem.EXPLANATION: _l("a warning of the rules is not explained yet"),
        ResolutionProblem.MINUTES: _l("the file of the minutes is missing"),
        ResolutionProblem.MINUTES_LARGE: _l("the file of the minutes is larger than 5 MB"),
        ResolutionProblem.MINUTES_KIND: _l("the minutes must be a PDF, JPEG or PNG file"),
    },
    Bound: {
        Bound.CAP: _l("the most that the policy allows"),
        Bound.FLOOR: _l("the least that the policy promises"),
        Bound.SHORT: _l("as much as there was"),
    },
    PartKind: {
        PartKind.PREPARATION: _l("Bought or prepared before the cancellation"),
        PartKind.COST: _l("Outside costs"),
        PartKind.PAYMENT_FEE: _l("Payment fee"),
        PartKind.INTERMEDIARY: _l("Intermediary"),
        PartKind.FIXED: _l("Fixed amount"),
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
        Check.DRIFT: _l("Rounding carried no household two baht from its exact share in a year"),
        Check.LOSSES: _l("What guests got back later is borne as the rule says"),
        Check.PAYOUTS: _l("Every payout to a household is ordered by two people, and paid once"),
        Check.FUNDS: _l("What left a fund was asked for, shown and approved by two people"),
        Check.ENTRIES: _l("Every entry has its reason, and stands in the books once"),
        Check.POLICIES: _l("Policies are unchanged and were in force when sold"),
        Check.PLACES: _l("No departure is oversold, and the counts are right"),
        Check.SLOTS: _l("No boat, room or guide is given away twice, and the counts are right"),
        Check.RECEIPTS: _l("Receipt and settlement numbers run without a gap"),
        Check.SHARES: _l("Share registers add up, and two people stand behind each change"),
        Check.WORK: _l("Work records are possible, and somebody else looked at them"),
        Check.PERIODS: _l("Closed months are as they were, and lead to today's balances"),
        Check.STATEMENTS: _l("Closed statements are as they were signed, and signatures hold"),
    },
    ItemKind: {
        ItemKind.EARNED: _l("earned"),
        ItemKind.RECOVERED: _l("taken back"),
        ItemKind.PAID_OUT: _l("paid out"),
        ItemKind.OTHER: _l("something else"),
    },
    LineStage: {
        LineStage.ASKED: _l("waits for an answer"),
        LineStage.ANSWERED: _l("answered"),
        LineStage.WITH_MENTOR: _l("the mentor looks at it"),
        LineStage.ACCEPTED: _l("settled between you"),
        LineStage.DECIDED: _l("decided by the mentor"),
    },
    StepCode: {
        StepCode.MONTH_OVER: _l("The month is over"),
        StepCode.TRIPS_SETTLED: _l("Every trip of the month is settled"),
        StepCode.FEES_KNOWN: _l("The fee of every payment is known"),
        StepCode.NOTHING_OPEN: _l("Nothing about money is left to look at"),
        StepCode.CASH_COUNTED: _l("The cash box was counted after the last day"),
        StepCode.DISPUTES_ANSWERED: _l("Every household that asked about a line has an answer"),
        StepCode.LOSSES_BORNE: _l("What guests got back after the sharing-out is borne"),
        StepCode.AUDIT_CLEAN: _l("The audit finds nothing wrong"),
    },
    SignerRole: {
        SignerRole.PLATFORM: _l("platform"),
        SignerRole.TREASURER: _l("treasurer"),
        SignerRole.MENTOR: _l("mentor from outside"),
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
        Fault.LEG_ELSEWHERE: _l(
            "A leg ties it to the books of another community (%(account)s, entry %(entry)s)."
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
        Fault.RETURNING_DIFFERS: _l(
            "%(noted_satang)s of a payment is counted as going back, but its refunds and disputes sum to"
            " %(summed_satang)s."
        ),
        Fault.CREDIT_USE_DIFFERS: _l(
            "%(noted_satang)s of it is noted as used, but its uses sum to %(summed_satang)s."
        ),
        Fault.CREDITS_DIFFER: _l(
            "What guests have left of their credits sums to %(computed_satang)s, but the books say"
            " %(posted_satang)s."
        ),
        Fault.MOVEMENT_DIFFERS: _l(
            "The payment service lists %(listed_satang)s for it, but its records say"
            " %(computed_satang)s."
        ),
        Fault.MOVEMENT_MISSING: _l(
            "The payment service does not list this payment of %(amount_satang)s."
        ),
        Fault.CLEARING_DIFFERS: _l(
            "The books say %(posted_satang)s is there, but by the payment service's own list it is"
            " %(computed_satang)s."
        ),
        Fault.PAYMENT_MISSING: _l("It counts as paid, but no payment bought it."),
        Fault.PAYMENT_UNUSED: _l("A payment bought it, but it does not count as paid."),
        Fault.PRICE_DIFFERS: _l(
            "Its price says %(stated_satang)s, but its lines sum to %(summed_satang)s."
        ),
        Fault.POLICY_CHANGED: _l("Its text was changed after adoption."),
        Fault.POLICY_NOT_IN_FORCE: _l("It was sold under a policy that was not in force that day."),
        Fault.PROPOSAL_DIFFERS: _l("Its text is not the one that was put before the meeting."),
        Fault.MINUTES_CHANGED: _l("The file of its minutes is not the one that was handed in."),
        Fault.PLACES_DIFFER: _l(
            "%(claimed)s places are counted as taken, but bookings take %(booked)s."
        ),
        Fault.OVERSOLD: _l("%(booked)s places are sold, but only %(capacity)s exist."),
        Fault.SLOT_DIFFERS: _l("%(claimed)s are counted as taken, but bookings take %(needed)s."),
        Fault.SLOT_OVERSOLD: _l("%(claimed)s are taken, but only %(capacity)s exist."),
        Fault.RECEIPT_GAP: _l("This receipt number is missing."),
        Fault.SETTLEMENT_GAP: _l("This settlement number is missing."),
        Fault.SETTLEMENT_UNCOUNTED: _l("The community counts only %(counted)s settlements."),
        Fault.SHARES_ALONE: _l("One person alone recorded and decided the change of %(day)s."),
        Fault.SHARES_IMPOSSIBLE: _l(
            "The change of %(day)s cannot be: more than was held, or no member (%(household)s)."
        ),
        Fault.WORK_STRANGER: _l("Household %(household)s was not a member on that day."),
        Fault.WORK_TOO_LONG: _l("It worked %(minutes)s minutes on %(day)s; a day has 1,440."),
        Fault.WORK_ALONE: _l(
            "The work of household %(household)s was written down and confirmed by one person alone."
        ),
        Fault.WORK_UNSEEN: _l(
            "The work of household %(household)s was settled before anybody else could look at it."
        ),
        Fault.WORK_DISPUTED: _l(
            "It was settled while household %(household)s disputed its work without an answer."
        ),
        Fault.ANSWER_ALONE: _l(
            "The dispute of household %(household)s was answered by who wrote the work down or who"
            " disputed it."
        ),
        Fault.LOSS_DIFFERS: _l(
            "By the books guests got %(posted_satang)s back that no share bears yet; by the records it"
            " is %(computed_satang)s."
        ),
        Fault.APPROVALS_MISSING: _l("Fewer than two people, none of whom asked, stand for it."),
        Fault.DRIFT_LARGE: _l(
            "What was booked in twelve months is %(drift)s satang away from its exact share; at most 200"
            " are due to rounding."
        ),
        Fault.LOANS_DIFFER: _l(
            "By the books %(posted_satang)s is lent out; by the records it is %(computed_satang)s."
        ),
        Fault.TRANSIT_DIFFERS: _l(
            "By the books %(posted_satang)s is under way to households; by the records it is"
            " %(computed_satang)s."
        ),
        Fault.PAYOUT_STATE: _l("What happened to this payout does not fit what it is said to be."),
        Fault.PAYOUT_ONE_PERSON: _l("The same person drafted and approved this batch."),
        Fault.PERIOD_GAP: _l("Months do not follow one another: this one is number %(number)s."),
        Fault.ONE_PERSON: _l("One person stands where two or three different ones must."),
        Fault.CLOSING_DIFFERS: _l(
            "At its close the books ended with entry %(entry)s, which is another one by now."
        ),
        Fault.LATE_IN_PERIOD: _l("Entry %(entry)s was recorded only after the month was closed."),
        Fault.OPENING_DIFFERS: _l(
            "%(account)s opens with %(stated_satang)s, but the month before closed with"
            " %(before_satang)s."
        ),
        Fault.SNAPSHOT_DIFFERS: _l(
            "%(account)s was closed with %(stated_satang)s, but its entries sum to"
            " %(summed_satang)s."
        ),
        Fault.OPEN_DIFFERS: _l(
            "It holds %(stated_satang)s, but the last close and what came since sum to"
            " %(summed_satang)s."
        ),
        Fault.RULES_CHANGED: _l(
            "What the rules found, or how a warning was explained, was changed after the close."
        ),
        Fault.RECORD_DIFFERS: _l("The record that was signed is not what the books give."),
        Fault.SEAL_DIFFERS: _l("The text that was signed does not belong to this record."),
        Fault.STATEMENT_DIFFERS: _l("The closed statement is not what the books give."),
        Fault.LEAF_DIFFERS: _l("Its hash is not that of what the books give."),
        Fault.ROOT_DIFFERS: _l("The statements do not lead to the root that was signed."),
        Fault.SIGNATURE_MISSING: _l("The platform has not signed this month."),
        Fault.SIGNATURE_INVALID: _l("The signature of the %(role)s does not hold."),
        Fault.KEY_NOT_ENDORSED: _l("The platform has not taken this key in."),
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
    "settlement": _l("Settlement %(name)s"),
    "household": _l("Household %(name)s"),
    "asset": _l("Co-owned thing %(name)s"),
    "asset_use": _l("What an activity earns by"),
    "book": _l("The books"),
    "slot": _l("Shared thing %(name)s"),
    "capture": _l("Payment %(name)s"),
    "refund": _l("Refund %(name)s"),
    "payout": _l("Payout %(name)s"),
    "transaction": _l("Movement %(name)s at a payment service"),
    "cash_count": _l("Count %(name)s of the cash box"),
    "cash_banked": _l("Cash brought to the bank, number %(name)s"),
    "period": _l("Month %(name)s"),
    "rule": _l("Rule %(name)s"),
    "claim": _l("Request %(name)s for money out of a fund"),
    "statement": _l("Statement %(name)s"),
    "key": _l("Signing key %(name)s"),
    "cash_cleared": _l("Cash on its way to the bank, number %(name)s"),
    "credit": _l("Credit %(name)s"),
}
_ENTRIES = {
    "capture": _l("payment"),
    "fee": _l("payment fee"),
    "refund": _l("refund"),
    "refund_return": _l("refund that came back"),
    "refund_by_bank": _l("refund that the guest's bank has made"),
    "dispute": _l("dispute opened"),
    "dispute_fee": _l("dispute fee"),
    "dispute_won": _l("dispute won"),
    "dispute_lost": _l("dispute lost"),
    "dispute_reinstated": _l("lost dispute won after all"),
    "credit": _l("credit"),
    "credit_use": _l("credit used"),
    "payout": _l("payout to the bank"),
    "payout_failed": _l("payout refused by the bank"),
    "suspense": _l("money that nothing explains"),
    "suspense_cleared": _l("unexplained money cleared"),
    "split": _l("split"),
    "contribution": _l("contribution to a fund"),
    "claim_paid": _l("paid out of a fund"),
    "loan_paid": _l("lent out of the revolving fund"),
    "loan_repaid": _l("loan paid back"),
    "loan_waived": _l("rest of a loan waived"),
    "payout_ordered": _l("payout to a household ordered"),
    "payout_paid": _l("payout to a household paid"),
    "payout_stopped": _l("payout to a household stopped"),
    "payout_returned": _l("payout to a household came back"),
    "take_back": _l("loss borne by the shares"),
    "recovery": _l("debt of a household paid back"),
    "correction": _l("correction agreed by two people"),
    "sharing_out": _l("sharing-out"),
    "cash_count": _l("difference of the cash box"),
    "cash_banked": _l("cash brought to the bank"),
    "cash_cleared": _l("cash arrived at the bank, or back in the box"),
}
_ACCOUNTS = {
    chart.GUEST_DEPOSIT: _l("Guests' deposits"),
    chart.GUEST_CREDIT: _l("Guests' credits"),
    chart.PAYMENT_FEE: _l("Payment fees"),
    chart.DISPUTED: _l("Taken back by banks until disputes are decided"),
    chart.GIVEN_BACK: _l("Gone back to guests after it was shared out"),
    chart.CASH_DIFFERENCE: _l("Differences of the cash box"),
    chart.CASH_ON_THE_WAY: _l("Cash on its way to the bank"),
    chart.LOANS: _l("Lent out of the revolving fund"),
    chart.PAYOUT_TRANSIT: _l("Under way to households"),
    chart.SUSPENSE: _l("Money that nothing explains yet"),
    chart.BANK: _l("The community's bank account"),
    chart.CASH_BOX: _l("Cash box"),
    chart.PROVIDER_POOL: _l("Pool of the households that do the work"),
    chart.DIVIDEND_POOL: _l("Dividend to the owners"),
    chart.INTERMEDIARY: _l("Intermediary"),
}
_PROVIDERS = {
    "demo": _l("Practice payment (sample)"),
    "promptpay": _l("PromptPay QR"),
    "stripe": _l("Card or PromptPay at Stripe"),
    "cash": _l("Cash"),
}


def label(member: StrEnum) -> str:
    """The word for a state, kind or code, in the reader's language."""
    return str(LABELS[type(member)][member])


def bearer_words(bearer: str) -> str:
    """Who pays for a discount."""
    return _("the whole group") if bearer == "group" else label(Bucket(bearer))


def provider_words(name: str) -> str:
    return str(_PROVIDERS[name])


def receiver_words(provider: str, receiver: Mapping[str, str]) -> str:
    """Where a community's money goes, as a person says it; "" where nothing is to say."""
    if provider == PROMPTPAY and receiver:
        return f"{label(IdKind(receiver['kind']))}: {receiver['id']}"
    return receiver.get("account", "")


def finding_words(finding: Finding) -> str:
    """A fault as a sentence, with the values that show it."""
    values = {name: _value_words(name, value) for name, value in finding.values.items()}
    return label(finding.fault) % values


def _value_words(name: str, value: object) -> str:
    if name == "account":
        return account_words(str(value))
    if name == "about":
        return subject_words(str(value))
    if name in ("kind", "role"):
        signer = {each.value: each for each in SignerRole}.get(str(value))
        return label(signer) if signer else str(_ENTRIES.get(str(value), value))
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
    household = (
        _l("What household %(name)s owes") if kind == "receivable" else _l("Household %(name)s")
    )
    return str(household) % {"name": name}


def part_words(part: SplitPart) -> str:
    """A part of a split by its name: the fund, the outside cost, the fee."""
    if part.kind in (PartKind.BUCKET, PartKind.FIXED):
        return label(Bucket(part.code))
    if part.kind == PartKind.COST:
        return label(OutsideCost(part.code))
    return label(part.kind)


def how_words(part: SplitPart) -> str:
    """By which rule a part of a split got its amount: "5 percent, the most that the policy allows"."""
    if part.kind == PartKind.FIXED:
        how = _("fixed amount")
    elif part.kind == PartKind.BUCKET:
        how = _("%(percent)s percent", percent=format_bp(part.bp))
    elif part.kind == PartKind.INTERMEDIARY:
        how = _("%(percent)s percent of the price", percent=format_bp(part.bp))
    else:
        how = _("at cost")
    return f"{how}, {label(part.bound)}" if part.bound else how


_SHARE_SENTENCES = {
    None: _l("%(percent)s percent of %(base)s to: %(fund)s. Rounded down: %(amount)s"),
    Bound.CAP: _l(
        "%(percent)s percent of %(base)s to: %(fund)s, but at most what the policy allows: %(amount)s"
    ),
    Bound.FLOOR: _l(
        "%(percent)s percent of %(base)s to: %(fund)s, but at least what the policy promises: %(amount)s"
    ),
    Bound.SHORT: _l(
        "%(percent)s percent of %(base)s to: %(fund)s, as far as the money went: %(amount)s"
    ),
}


def part_sentence(part: SplitPart) -> str:
    """How a part came about, as a sentence that can be read aloud at a meeting."""
    amount = format_baht(part.amount_satang)
    if part.code == Bucket.PROVIDER:
        return _("What is left, to the households that do the work: %(amount)s", amount=amount)
    if part.kind == PartKind.FIXED:
        text = (
            _l("Fixed amount to: %(fund)s. As far as the money went: %(amount)s")
            if part.bound
            else _l("Fixed amount to: %(fund)s. %(amount)s")
        )
        return str(text) % {"fund": part_words(part), "amount": amount}
    if part.kind in (PartKind.BUCKET, PartKind.INTERMEDIARY):
        values = {
            "percent": format_bp(part.bp),
            "base": format_baht(part.base_satang),
            "fund": part_words(part),
            "amount": amount,
        }
        return str(_SHARE_SENTENCES[part.bound]) % values
    return _("At cost to: %(what)s. %(amount)s", what=part_words(part), amount=amount)
