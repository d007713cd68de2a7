"""One place that turns every refusal into a page, in the reader's language."""

import logging
from datetime import date
from enum import StrEnum
from typing import Any

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, TooManyRequests

from cbt import errors
from cbt.db import db
from cbt.errors import CbtError
from cbt.i18n import LANGUAGES, SOURCE_LANGUAGE, _l, format_baht, format_day, pick, set_language
from cbt.web import labels

log = logging.getLogger("cbt")

MESSAGES: dict[type[CbtError], Any] = {
    errors.NotFound: _l("There is nothing at this address."),
    errors.LinkInvalid: _l(
        "This link is incomplete or was changed. Please open it again from your mail."
    ),
    errors.LinkExpired: _l("This link has expired, since the trip was some time ago."),
    errors.DepartureUnknown: _l("There is no such departure. Please choose a day again."),
    errors.NotAllowed: _l(
        "This page is not for you. If you think it should be, ask your community's coordinator."
    ),
    errors.Invalid: _l("Something in what you entered cannot be right."),
    errors.BundleSpanInvalid: _l(
        "An auditor's bundle covers whole months: from the first day of one to the last day of one."
    ),
    errors.UnitNotSold: _l("This kind of guest is not on the price list."),
    errors.PartyEmpty: _l(
        "Please enter how many people are coming: whole numbers, at least one who needs a place."
    ),
    errors.PartyTooSmall: _l("This activity starts with at least %(least)s people."),
    errors.PartyTooLarge: _l("This activity takes at most %(most)s people at once."),
    errors.PartyBelowCosts: _l(
        "This party would pay %(price_satang)s, but insurance and other outside costs for it are"
        " %(costs_satang)s. Please add somebody who pays."
    ),
    errors.UnitNeedsCompany: _l(
        "This kind of guest cannot come alone: please add somebody who looks after them."
    ),
    errors.AddOnUnknown: _l("This extra is not offered here."),
    errors.AddOnTooMany: _l("At most %(most)s of this extra can be booked together."),
    errors.DiscountTooLarge: _l("This code cannot be used for a booking of this size."),
    errors.ScheduleInvalid: _l("This rule of days and hours cannot be: %(problem)s."),
    errors.TermsInvalid: _l("These terms contradict themselves: %(problem)s."),
    errors.EditionInvalid: _l("Line %(line)s cannot be read: %(problem)s."),
    errors.EditionTaken: _l(
        "There is an edition of this name already. Editions are never changed."
    ),
    errors.ScoreUnfounded: _l(
        "A score is 0 to 4, and at most as many as there is evidence for: here %(evidenced)s."
    ),
    errors.ScoresMissing: _l("%(left)s items have no score yet."),
    errors.FeedInvalid: _l("This calendar cannot be read: %(problem)s."),
    errors.ThingInvalid: _l("This shared thing cannot be: %(problem)s."),
    errors.NoteMissing: _l("Please write what was done about it."),
    errors.ReasonMissing: _l("Please write why."),
    errors.ExplanationMissing: _l(
        "Please explain the warning %(rule)s: it is kept with the close."
    ),
    errors.NothingToClose: _l("The books hold nothing yet, so there is no month to close."),
    errors.PeriodNotNext: _l("Months are closed in their order. Next is %(next)s."),
    errors.PeriodNotOver: _l("A month can be closed only after its last day, %(last_day)s."),
    errors.CloseBlocked: _l("The month cannot be closed yet: please look at the list again."),
    errors.SignerInside: _l(
        "Only somebody from outside co-signs: a mentor without any other part in the community."
    ),
    errors.CaseInvalid: _l("This finding cannot be raised so: %(problem)s."),
    errors.AccusedCloses: _l(
        "Whom a finding is about, or who has another part in the community, does not end it. Another"
        " mentor can."
    ),
    errors.SampleEmpty: _l(
        "No booking was split in this month, so there is nothing to draw a sample from."
    ),
    errors.SignOffBlocked: _l(
        "This month cannot be signed off yet. Below is what stands in the way, and what to do."
        " Nothing was signed."
    ),
    errors.KeyLocked: _l("This password does not open your key. Nothing was signed."),
    errors.EventRefused: _l("This message was not accepted."),
    errors.ProviderDown: _l(
        "The payment service does not answer at the moment. Nothing was charged. Please try again in"
        " a minute, or choose another way to pay."
    ),
    errors.AnswerWrong: _l(
        "The payment service gave an answer that cannot be right. Nothing was booked, and a person"
        " of the community will look at it."
    ),
    errors.AnswerUnknown: _l(
        "The payment service gave an answer that cannot be right. Nothing was booked, and a person"
        " of the community will look at it."
    ),
    errors.ChoiceWaits: _l(
        "The party of booking %(reference)s has not chosen yet what becomes of its money."
    ),
    errors.GoodwillWaits: _l(
        "A second person must first agree to the goodwill for %(reference)s, or refuse it."
    ),
    errors.PromiseWaits: _l(
        "The guest of %(reference)s promised to pay in cash. Please write down that it was taken, or"
        " that they did not come, before this departure is settled."
    ),
    errors.AccountTaken: _l("This account is another community's already."),
    errors.SecondPersonNeeded: _l("A second person must do this, not the one who began it."),
    errors.DisputeOpen: _l(
        "The bank of a guest disputes the payment for %(reference)s. This departure is settled once"
        " that is decided."
    ),
    errors.AmountInvalid: _l("Please enter an amount in baht, for example 1,250.50."),
    errors.AmountNotPositive: _l("An amount in the books must be above zero."),
    errors.SameAccount: _l("Money cannot move from an account to itself."),
    errors.AccountUnknown: _l("The books have no such account."),
    errors.TextNotCanonical: _l("A line break is not allowed here."),
    errors.PolicyInvalid: _l("This split policy breaks a rule and cannot be adopted."),
    errors.PolicyTooEarly: _l(
        "A policy applies to what is sold from its first day on: %(earliest)s at the earliest."
    ),
    errors.PolicyOverlaps: _l(
        "Another policy that was adopted starts only then. This one can start on %(earliest)s at the"
        " earliest."
    ),
    errors.PolicyOvertaken: _l(
        "Another policy was adopted since this was proposed. Please propose it again, so that the"
        " members see what it changes now."
    ),
    errors.ResolutionInvalid: _l("This resolution cannot have been adopted: %(problem)s."),
    errors.PriceListInvalid: _l("The price list of %(option)s cannot be sold: %(problem)s."),
    errors.CostsExceedIncome: _l(
        "Outside costs and fees are more than what was paid. Please check the price list."
    ),
    errors.HouseholdUnknown: _l("This household is not in the community's register."),
    errors.ShareInvalid: _l("This change of the share register cannot be: %(problem)s."),
    errors.AssetInvalid: _l("This cannot be recorded: %(problem)s."),
    errors.WorkInvalid: _l("Row %(row)s: %(problem)s. Nothing was saved."),
    errors.TurnInvalid: _l("This cannot be written down: %(problem)s."),
    errors.WordsMissing: _l("Please write in a few words what it is about, at most 500 letters."),
    errors.WageInvalid: _l(
        "Please enter the daily wage in baht (100 to 5,000), a day at most a year ahead, and where it"
        " stands."
    ),
    errors.ConsentInvalid: _l("Please choose a day from %(earliest)s to %(latest)s."),
    errors.FundUseInvalid: _l("The money of this fund is not for that."),
    errors.LoanInvalid: _l(
        "Please choose 1 to 60 monthly instalments, the first on a day that is still to come."
    ),
    errors.FundDayInvalid: _l("Please enter a day of the last year, at the latest today."),
    errors.EvidenceMissing: _l("Please add the evidence: a receipt, a certificate or a photo."),
    errors.EvidenceInvalid: _l(
        "The evidence must be a PDF or a picture (JPEG or PNG) of at most 5 MB."
    ),
    errors.NothingToExport: _l(
        "No payout that is still to be paid fits into a file of this kind. It holds neither cash nor"
        " what was paid already."
    ),
    errors.CeilingExceeded: _l(
        "The community set a ceiling for this purpose. At most %(most_satang)s can be asked for now."
    ),
    errors.FreeTooLow: _l("The fund has only %(free_satang)s that is free now."),
    errors.PayeeInvalid: _l("Nobody can be paid that way. Please look at the number and the name."),
    errors.PayoutDayInvalid: _l("Please enter a day from %(earliest)s until today."),
    errors.BatchOpen: _l(
        "Batch %(number)s waits for a second person. Approve it or give it up first."
    ),
    errors.NothingToPay: _l("No household has earned enough to be paid out now."),
    errors.CorrectionInvalid: _l(
        "People may move money only between funds and households, to end a difference of the cash"
        " box, or to waive a debt at a fund's cost; and for a day that has come."
    ),
    errors.PromptPayIdInvalid: _l("PromptPay does not know this kind of number."),
    errors.StatementUnreadable: _l("This bank statement cannot be read: %(problem)s."),
    errors.StatementLineUnreadable: _l(
        "Line %(line)s of this bank statement cannot be read: %(problem)s. Nothing of it was taken in."
    ),
    errors.StatementCurrency: _l(
        "This bank statement holds money in another currency (%(currency)s); only baht can be taken in."
    ),
    errors.StatementColumnsUnknown: _l(
        "Please say which column of this statement means what. The next file of this kind is then read"
        " at once."
    ),
    errors.StatementOfSeveral: _l(
        "This file holds statements of %(accounts)s bank accounts. Please export the community's own"
        " account alone."
    ),
    errors.StatementKnown: _l(
        "This very file was read in on %(day)s already. Nothing was added, and nothing counts twice."
    ),
    errors.LineAmountDiffers: _l(
        "The bank shows %(line_satang)s, but %(known_satang)s is known here. Nothing was matched."
    ),
    errors.SlipUnreadable: _l("This code cannot be used: %(problem)s."),
    errors.DemoFileInvalid: _l("This file does not describe a sample community."),
    errors.DetailsIncomplete: _l("Please tell us your name and how to reach you before you pay."),
    errors.CommunityNotSample: _l("Only sample communities can take pretended payments."),
    errors.Refused: _l("This is not possible right now."),
    errors.DepartureFull: _l("Too few places for your party: this departure has %(left)s left."),
    errors.DepartureGone: _l("This departure has begun or is closed. Please choose another day."),
    errors.SalesClosed: _l(
        "Booking for this departure has closed, so that the hosts can prepare. Please choose another day."
    ),
    errors.DepartureCalledOff: _l("The community has called this departure off."),
    errors.SlotFull: _l("There is no room that day: %(thing)s. Please choose another day."),
    errors.CapacityBelowSold: _l("%(sold)s places are sold already; it cannot be less."),
    errors.CodeNotValid: _l("The code %(code)s is not valid here, or not any more."),
    errors.ExtensionUsed: _l("The time was extended once already."),
    errors.OnRequestOnly: _l(
        "The community answers requests for this trip first. Please ask for places there, and cancel"
        " this booking once they agree."
    ),
    errors.BookingChanged: _l(
        "This booking was changed elsewhere since you opened this page. Nothing was overwritten;"
        " please look at it again."
    ),
    errors.OfferGone: _l("This offer was not taken up in time. You keep your place in line."),
    errors.HoldLapsed: _l(
        "The time to hold your places is over, and they were given back. Please choose again; nothing was paid."
    ),
    errors.StateForbids: _l("This was done before, so nothing was changed."),
    errors.AlreadySettled: _l(
        "This departure is settled already. Its record can no longer be changed. If it is wrong,"
        " please tell the treasurer: what was shared out is put right by a new entry."
    ),
    errors.PeriodClosed: _l(
        "The month up to %(on)s is closed, so its work can no longer be changed. Please tell the"
        " treasurer: what belongs to it is put right in the open month."
    ),
    errors.WorkChanged: _l(
        "The work record was changed since you looked. Please read it again; nothing was confirmed."
    ),
    errors.WorkDisputed: _l(
        "Household %(household)s says that the work record is wrong. Somebody who did not write it"
        " down must answer by %(day)s; after that this departure can be settled."
    ),
    errors.WorkUnconfirmed: _l(
        "Nobody has confirmed the work of %(households)s yet. Please ask the household or a second"
        " person to confirm it; without that it can be settled from %(day)s on."
    ),
    errors.NotYetBegun: _l(
        "This trip has not begun yet, so its work can neither be confirmed nor disputed."
    ),
    errors.NotYetDelivered: _l("This departure is not over yet, so it cannot be settled."),
    errors.PreviewOutdated: _l(
        "Something changed since you looked: a payment came in, or the work record was changed."
        " Please read the new figures and settle again."
    ),
    errors.NothingToSettle: _l("There is no paid booking on this departure."),
    errors.NoWorkRecorded: _l(
        "Please record who worked first; without it the money cannot be shared out."
    ),
    errors.NobodyToShare: _l(
        "No household was a member of the community on that day, so there is nobody to pay the"
        " dividend to."
    ),
    errors.FeeNotReported: _l(
        "The fee for the payment of booking %(reference)s is not known yet. Please settle once the"
        " payment provider has reported it."
    ),
    errors.NoPolicyInForce: _l(
        "The community has not adopted a split policy yet, so bookings are not open."
    ),
    errors.MethodClosed: _l("This way to pay is not open at the moment. Please choose another."),
    errors.ProposalWaits: _l(
        "A change of this account waits for a second person already. Withdraw it before you propose"
        " another."
    ),
    errors.AccountChanged: _l(
        "The account was changed since this was proposed, so nothing was changed now. Please propose"
        " it again."
    ),
    errors.AccountInUse: _l(
        "Payments were made to this account and are looked up there, so it cannot be replaced. It can"
        " be closed."
    ),
    errors.PromiseOpen: _l(
        "You have promised cash for another booking here. Please pay this one now, or ask the"
        " community."
    ),
    errors.ReferenceDiffers: _l(
        "The first person noted another bank reference: %(reference)s. Please look again together."
    ),
    errors.ReferenceUsed: _l("The bank reference %(reference)s already proves another payment."),
    errors.SaidAlready: _l(
        "You wrote down the same a moment ago, so it was not written again. If it is another one,"
        " please wait ten minutes."
    ),
    errors.RefundTooLarge: _l("%(amount_satang)s would be more than what was paid."),
    errors.NameTaken: _l("There is one of this name already: %(code)s."),
    errors.CreditSpent: _l("There is no credit %(code)s here, or nothing is left of it."),
    errors.EntryConflict: _l("The same event stands in the books with other content."),
    errors.BalanceTooLow: _l("An account would fall below zero, so nothing was posted."),
    errors.NotByNote: _l(
        "A note is not enough here: it leaves the list once it is settled at its own page."
    ),
    errors.FundTooLow: _l(
        "The management fund does not hold %(amount_satang)s, so it cannot bear this. Nothing was posted."
    ),
    errors.SignInFailed: _l("The name and the password do not belong together. Please check both."),
    errors.BundleCell: _l(
        "A record cannot be written into the auditor's bundle as it stands: %(table)s, %(column)s."
    ),
    errors.RecordDamaged: _l(
        "A record that this page needs is damaged, so nothing is shown rather than something wrong."
        " Please tell the community's mentor; the audit names the record."
    ),
    errors.LedgerUnprotected: _l(
        "The books are not protected on this server, so it does not serve."
    ),
}

TITLES = {
    400: _l("This form was open for too long"),
    403: _l("Not for you"),
    404: _l("Not found"),
    405: _l("Not found"),
    409: _l("Not possible any more"),
    413: _l("Too large"),
    422: _l("Please check what you entered"),
    429: _l("Please wait a moment"),
    500: _l("Something went wrong on our side"),
    503: _l("Not ready"),
}
_TEXTS = {
    400: _l(
        "Please go back, load the page again and send the form once more. Nothing was changed."
    ),
    404: _l("There is nothing at this address."),
    405: _l("There is nothing at this address."),
    413: _l("What you sent is too large. Nothing was taken in. A bank statement may hold 10 MB."),
    429: _l("There were many tries in a short time. Please try again in a few minutes."),
    500: _l(
        "Nothing was charged because of this. Please try again; if it stays, tell the community."
    ),
}


def message_for(error: CbtError) -> str:
    """The sentence that explains a refusal to the reader."""
    facts = {name: _fact_words(name, value) for name, value in error.facts.items()}
    text = str(MESSAGES[type(error)])
    return text % facts if "%(" in text else text


def _fact_words(name: str, value: object) -> object:
    """A fact as the reader's language says it: money, the word for a code, a community's own text."""
    if name.endswith("_satang") and isinstance(value, int):
        return format_baht(value)
    if type(value) in labels.LABELS and isinstance(value, StrEnum):
        return labels.label(value)
    if isinstance(value, date):
        return format_day(value)
    return pick(value) if isinstance(value, dict) else value


def init_errors(app: Flask) -> None:
    app.register_error_handler(CbtError, show_refusal)
    app.register_error_handler(CSRFError, show_stale_form)
    app.register_error_handler(HTTPException, show_http_error)
    app.register_error_handler(Exception, show_failure)


def show_refusal(error: CbtError) -> ResponseReturnValue:
    _speak_the_readers_language()
    return show_page(error.status, message_for(error))


def show_stale_form(_error: CSRFError) -> ResponseReturnValue:
    _speak_the_readers_language()
    return show_page(400, str(_TEXTS[400]))


def show_http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:  # a redirect
        return error.get_response()
    _speak_the_readers_language()
    status = error.code or 500
    page = show_page(status, str(_TEXTS.get(status, _TEXTS[404] if status < 500 else _TEXTS[500])))
    if isinstance(error, TooManyRequests):
        return page[0], page[1], {"Retry-After": "60"}
    return page


def show_failure(error: Exception) -> ResponseReturnValue:
    """Anything unforeseen: tell where, never what was sent (it may be personal)."""
    _speak_the_readers_language()
    db.session.rollback()
    log.error("unexpected %s at %s", type(error).__name__, request.endpoint, exc_info=error)
    return show_page(500, str(_TEXTS[500]))


def _speak_the_readers_language() -> None:
    """The language of the address; outside of those, what the browser asks for."""
    first = request.path.strip("/").split("/")[0]
    asked = request.accept_languages.best_match(list(LANGUAGES)) or SOURCE_LANGUAGE
    set_language(first if first in LANGUAGES else asked)


def show_page(status: int, text: str) -> tuple[str, int]:
    title = TITLES.get(status, TITLES[404 if status < 500 else 500])
    return render_template("error.html", status=status, title=title, text=text), status
