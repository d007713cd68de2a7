"""Everything the domain can refuse, as one tree.

    CbtError
    ├── NotFound            there is no such thing (404)
    ├── NotAllowed          not for this person (403)
    ├── Invalid             what was given cannot be right (422)
    ├── Refused             it could be right, but not now or not any more (409)
    └── RecordDamaged, LedgerUnprotected    nothing true can be shown or done (500)

An error's name is the fact. It carries facts as named values, never a sentence: the doors hold the
sentences in both languages (`web/errors.py`), and a test walks this tree to see that none lacks one.
"""

from typing import ClassVar


class CbtError(Exception):
    """Something the domain refuses, with the facts that explain it."""

    status: ClassVar[int]

    def __init__(self, **facts: object) -> None:
        super().__init__(", ".join(f"{name}={value!r}" for name, value in facts.items()))
        self.facts = facts


# --- there is no such thing ----------------------------------------------------------------------


class NotFound(CbtError):
    """No such community, departure, booking, household ..."""

    status = 404


class LinkInvalid(NotFound):
    """A signed link that we did not sign, or that was cut off or changed."""


class LinkExpired(NotFound):
    """A signed link of ours whose time is over."""


class DepartureUnknown(NotFound):
    """No such departure of this experience."""


# --- not for this person -------------------------------------------------------------------------


class NotAllowed(CbtError):
    """The person is known, but this is not theirs to see or do."""

    status = 403


# --- cannot be right -----------------------------------------------------------------------------


class Invalid(CbtError):
    """What was given cannot be right, whatever the moment."""

    status = 422


class BundleSpanInvalid(Invalid):
    """facts: first, last. An auditor's bundle covers whole months, the first day to the last."""


class UnitNotSold(Invalid):
    """facts: unit. The option has no price for this kind of guest."""


class PartyEmpty(Invalid):
    """No place was asked for, or a count was negative."""


class PartyTooSmall(Invalid):
    """facts: least. Fewer guests than the option starts with."""


class PartyTooLarge(Invalid):
    """facts: most. More guests than the option can take."""


class PartyBelowCosts(Invalid):
    """facts: price_satang, costs_satang. The party pays less than what goes outside for it."""


class UnitNeedsCompany(Invalid):
    """facts: unit, needs. This kind of guest comes only together with another kind."""


class AddOnUnknown(Invalid):
    """facts: add_on. The option has no such add-on."""


class AddOnTooMany(Invalid):
    """facts: add_on, most. More of an add-on than one booking may take, or fewer than none."""


class DiscountTooLarge(Invalid):
    """facts: bearer. Whoever pays for the discount would get less than nothing from the booking."""


class ScheduleInvalid(Invalid):
    """facts: problem. A rule of days and hours that cannot be, or that reaches too far."""


class TermsInvalid(Invalid):
    """facts: problem. Cancellation terms that contradict themselves."""


class FeedInvalid(Invalid):
    """facts: problem. What was fetched is no calendar, or one that we do not read."""


class ThingInvalid(Invalid):
    """facts: problem. A shared thing that cannot be."""


class AmountInvalid(Invalid):
    """facts: text or amount. Not an amount of baht and satang, or below what is allowed."""


class AmountNotPositive(Invalid):
    """facts: amount. A leg moves a whole number of satang above zero."""


class SameAccount(Invalid):
    """facts: account. A leg from an account to itself moves nothing."""


class AccountUnknown(Invalid):
    """facts: account. The book has no such account."""


class TextNotCanonical(Invalid):
    """facts: field. A line break inside a field would make two records read alike."""


class PolicyInvalid(Invalid):
    """facts: problems. The policy text breaks rules; each problem is (rule id, named values)."""


class PolicyTooEarly(Invalid):
    """facts: earliest. A policy applies from the day after it is recorded, never to past sales."""


class PolicyOverlaps(Invalid):
    """facts: earliest. Another policy starts on that day or later, and two cannot be in force."""


class ResolutionInvalid(Invalid):
    """facts: problem. The members' meeting, as recorded, cannot have adopted a policy."""


class PriceListInvalid(Invalid):
    """facts: option, problem. What an option sells could not be booked or split."""


class CostsExceedIncome(Invalid):
    """facts: net, costs. Outside costs and fees are more than what the booking brought in."""


class HouseholdUnknown(Invalid):
    """facts: household. Somebody outside the register cannot share in a pool."""


class WorkInvalid(Invalid):
    """facts: row, problem. A row of the work record cannot be right."""


class ShareInvalid(Invalid):
    """facts: problem, household, on. A change of a share register that cannot be."""


class AssetInvalid(Invalid):
    """facts: problem. A co-owned asset, or what it earns from, that cannot be."""


class TurnInvalid(Invalid):
    """facts: problem. Something about turns that cannot be written down."""


class WageInvalid(Invalid):
    """facts: problem (amount, day, source, province). A daily minimum wage that nobody can mean."""


class ConsentInvalid(Invalid):
    """facts: earliest, latest. A household can agree until a day between these two."""


class FundUseInvalid(Invalid):
    """facts: fund. Money of this fund is not for that, or not for nobody."""


class LoanInvalid(Invalid):
    """facts: problem (instalments, first_due_on). A loan cannot be paid back so."""


class FundDayInvalid(Invalid):
    """facts: latest. Money of a fund moved on a day within the last year, at the latest on that day."""


class EvidenceMissing(Invalid):
    """A request for money out of a fund shows its evidence."""


class EvidenceInvalid(Invalid):
    """Evidence is a PDF or a picture (JPEG, PNG) of at most 5 MB."""


class PayeeInvalid(Invalid):
    """facts: field (kind, bank, number, holder). A household cannot be paid so."""


class PayoutDayInvalid(Invalid):
    """facts: earliest. Nothing is paid or sent back before that day, or on a day to come."""


class CorrectionInvalid(Invalid):
    """facts: problem (accounts, day). People may not move money so."""


class PromptPayIdInvalid(Invalid):
    """facts: kind. Not a phone number, tax id, e-wallet or biller id that PromptPay knows."""


class StatementUnreadable(Invalid):
    """facts: problem, column. A bank statement that we do not read; nothing of it was taken in.

    `column` is the statement's column where that one is missing, else None.
    """


class StatementLineUnreadable(StatementUnreadable):
    """facts: problem, line, column, faults, more. A line that cannot be read refuses them all.

    The first three are those of the first fault; `faults` lists up to ten, `more` tells of others.
    """


class StatementCurrency(StatementUnreadable):
    """facts: currency. A statement, or an entry of it, in another currency than baht."""


class StatementColumnsUnknown(StatementUnreadable):
    """Nobody has said yet which column of this kind of statement means what."""


class StatementOfSeveral(StatementUnreadable):
    """facts: accounts. A statement of more than one account; the community's books know one bank account."""


class SlipUnreadable(Invalid):
    """facts: problem. The code on a transfer slip is not one that a Thai bank prints."""


class DemoFileInvalid(Invalid):
    """facts: file, problem. The file does not describe a demo community."""


class DetailsIncomplete(Invalid):
    """facts: missing. The guest's details lack what is needed to reach them."""


class NoteMissing(Invalid):
    """Whoever takes something off the work list writes what was done."""


class ReasonMissing(Invalid):
    """Whoever refuses what another person proposed writes why."""


class WordsMissing(Invalid):
    """A dispute and its answer need words, not too many of them."""


class ExplanationMissing(Invalid):
    """facts: rule. A rule warns, and nobody wrote why the period may be closed all the same."""


class EventRefused(Invalid):
    """facts: problem. What came to a webhook is not a provider's event, or not for us."""

    status = 400


class CaseInvalid(Invalid):
    """facts: problem. A finding is about something that is there, with days for an answer."""


class CommunityNotSample(Invalid):
    """A real community cannot take pretended payments."""


class EditionInvalid(Invalid):
    """facts: line, problem. An edition of the standard cannot be read."""


class ScoreUnfounded(Invalid):
    """facts: score, evidenced. A score beyond 0 to 4, or above the indices that have evidence."""


# --- not now, or not any more --------------------------------------------------------------------


class Refused(CbtError):
    """It could be right, but the state of things does not allow it."""

    status = 409


class DepartureFull(Refused):
    """facts: left, wanted. Fewer free places than asked for."""


class DepartureGone(Refused):
    """The departure has begun, or is closed."""


class SalesClosed(Refused):
    """The departure still lies ahead, but it is too late to prepare for more guests."""


class DepartureCalledOff(Refused):
    """The community called the departure off."""


class SlotFull(Refused):
    """facts: thing. A boat, kitchen, room, guide or the village itself has no room that day."""


class CapacityBelowSold(Refused):
    """facts: sold. A capacity cannot be set below what is claimed already."""


class CodeNotValid(Refused):
    """facts: code. No such promotion code here, or its time or number is used up."""


class ProviderDown(Refused):
    """facts: method. A payment provider did not answer, or not in time. Nothing was changed."""

    status = 503


class AnswerWrong(Refused):
    """facts: problem. A provider's answer contradicts what it was asked. Nothing was booked."""


class AnswerUnknown(AnswerWrong):
    """facts: problem. Whether a provider did what it was asked cannot be told: it is to be looked up."""


class ChoiceWaits(Refused):
    """facts: reference. A party of a called-off departure has not chosen yet what becomes of its money."""


class GoodwillWaits(Refused):
    """facts: reference. Somebody must agree to a goodwill refund, or refuse it, before its split."""


class PromiseWaits(Refused):
    """facts: reference. Whether cash that was promised was paid must be said before its split."""


class AccountTaken(Refused):
    """An account at a payment provider is another community's already."""


class SecondPersonNeeded(Refused):
    """The same person cannot be both of two: another one must look."""


class DisputeOpen(Refused):
    """facts: reference. A payer's bank disputes a payment: its split waits until that is decided."""


class ExtensionUsed(Refused):
    """A hold can be extended once."""


class OnRequestOnly(Refused):
    """A departure of this option is asked for first; a paid booking cannot simply move there."""


class BookingChanged(Refused):
    """The booking was changed elsewhere since the reader loaded it; nothing was overwritten."""


class OfferGone(Refused):
    """The offer from the waiting list was not taken up in time."""


class HoldLapsed(Refused):
    """The time of the hold is over; its places were given back."""


class EditionTaken(Refused):
    """facts: name. There is an edition of this name; editions are never changed."""


class ScoresMissing(Refused):
    """facts: left. Items of an assessment have no score yet."""


class StateForbids(Refused):
    """facts: thing, state, wanted. The life cycle has no such step."""


class AlreadySettled(Refused):
    """The departure's money has been shared out; a correction is a new entry, never an edit."""


class NotYetDelivered(Refused):
    """The trip is not over, so nothing has been earned."""


class PreviewOutdated(Refused):
    """Something changed since the person looked at what would be posted."""


class NothingToSettle(Refused):
    """No paid booking stands on this departure."""


class PeriodClosed(Refused):
    """facts: on. The month up to that day is closed; what belongs to it is not changed any more."""


class WorkChanged(Refused):
    """A work record reads otherwise than when the person looked at it."""


class WorkDisputed(Refused):
    """facts: household, day. A household disputes its part; somebody must answer by that day."""


class WorkUnconfirmed(Refused):
    """facts: households, day. Nobody confirmed parts of the record; they lie open until that day."""


class NotYetBegun(Refused):
    """The trip has not begun, so nothing of it can be confirmed or disputed."""


class NoWorkRecorded(Refused):
    """No service record says who worked, so the pool waits."""


class PolicyOvertaken(Refused):
    """Another policy was adopted since this one was proposed, or this one already is."""


class NobodyToShare(Refused):
    """No household was a member on the day of service, so the dividend waits."""


class FeeNotReported(Refused):
    """facts: reference. What the provider keeps of this booking's payment is not known yet."""


class NoPolicyInForce(Refused):
    """facts: on. The community had adopted no split policy by that day."""


class MethodClosed(Refused):
    """The community does not take payment this way."""


class ProposalWaits(Refused):
    """A change of this account waits for a second person already; one at a time."""


class AccountChanged(Refused):
    """The account is not the one that the proposal was to replace."""


class AccountInUse(Refused):
    """Payments are looked up at this account, so another cannot take its place."""


class PromiseOpen(Refused):
    """The guest has promised cash for another booking of the community; one at a time is enough."""


class ReferenceDiffers(Refused):
    """facts: reference. The first of two people noted another bank reference than the second."""


class ReferenceUsed(Refused):
    """facts: reference. This bank reference already proves another payment."""


class SaidAlready(Refused):
    """The same person wrote down the same a moment ago."""


class CeilingExceeded(Refused):
    """facts: which (once, yearly), most_satang. The community set a ceiling for this purpose."""


class FreeTooLow(Refused):
    """facts: free_satang. The fund has less than that which is neither promised nor lent out."""


class BatchOpen(Refused):
    """facts: number. A payout batch waits for a second person; until then no other is drafted."""


class NothingToExport(Refused):
    """No line of the batch that is still to be paid fits a file of this kind."""


class NothingToPay(Refused):
    """No household has earned enough that is free to be paid out."""


class RefundTooLarge(Refused):
    """facts: amount_satang. More would go back than came in."""


class NameTaken(Refused):
    """facts: code. The community has one of this name already."""


class CreditSpent(Refused):
    """facts: code. No such credit here, or nothing is left of it."""


class EntryConflict(Refused):
    """facts: key. The same key was posted before with other content."""


class BalanceTooLow(Refused):
    """facts: account. The posting would take an account below zero."""


class StatementKnown(Refused):
    """facts: day. The very same file was read in before; nothing of it is new."""


class LineAmountDiffers(Refused):
    """facts: line_satang, known_satang. A line of the bank's statement shows another amount."""


class NotByNote(Refused):
    """A note does not take this off the work list: it leaves it once it is settled where it belongs."""


class FundTooLow(Refused):
    """facts: amount_satang. The management fund does not hold what a cost would take from it."""


class NothingToClose(Refused):
    """The books hold nothing yet, so there is no period to close."""


class PeriodNotNext(Refused):
    """facts: next. Periods close in their order: only the oldest open one can be."""


class PeriodNotOver(Refused):
    """facts: last_day. A period can be closed only after its last day."""


class CloseBlocked(Refused):
    """facts: step. Something of the period is still open, or a rule stops its close."""


class SignerInside(Refused):
    """Whoever co-signs from outside has no other part in the community or in this close."""


class AccusedCloses(Refused):
    """Whom a finding is about, or who has a part in the community, does not end it."""


class SampleEmpty(Refused):
    """Nothing was split in the month, so there is nothing to draw from."""


class SignOffBlocked(Refused):
    """facts: obstacles. Something stands between a mentor and the signature of a month."""


class KeyLocked(Refused):
    """The password does not open the key that it should."""

    status = 422


class SignInFailed(Refused):
    """The name and password do not belong together."""

    status = 422


class BundleCell(CbtError):
    """facts: table, column, cell. A record holds what no column of a bundle may: nothing is written."""

    status = 500


class RecordDamaged(CbtError):
    """facts: record. A stored record was valid once and no longer is; the audit names it."""

    status = 500


class LedgerUnprotected(CbtError):
    """facts: attempt. The start-up self-test could change an entry; the server must not serve."""

    status = 500
