"""Using the funds: contributions, requests that two people approve, loans and their repayment."""

from datetime import date, datetime, time
from hashlib import sha256

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.clock import to_instant, village_day
from cbt.communities.queries import get_household, get_zone
from cbt.communities.services import lock_community
from cbt.db import find_same, transaction
from cbt.errors import (
    AmountInvalid,
    CeilingExceeded,
    EvidenceMissing,
    FreeTooLow,
    FundDayInvalid,
    FundUseInvalid,
    LoanInvalid,
    NoteMissing,
    NotFound,
    ReferenceUsed,
    SaidAlready,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger import services as ledger
from cbt.revenue import fund_queries, funds
from cbt.revenue.bank_references import require_new
from cbt.revenue.fund_models import (
    Contribution,
    FundApproval,
    FundCeiling,
    FundClaim,
    FundEvidence,
    Loan,
    Repayment,
)
from cbt.revenue.funds import (
    APPROVERS,
    OF_FUND,
    ClaimState,
    Evidence,
    FundEvent,
    FundFacts,
    Giver,
    LoanState,
    fund_draft,
)
from cbt.revenue.policy import Bucket

MOST_TEXT = 300
MOST_NAME = 120
MOST_SATANG = 10_000_000_000
ACCOUNTS = ("promptpay", "cash")
"""Where money of funds comes in and goes out: the community's bank account, its cash box."""


# --- ceilings and contributions ------------------------------------------------------------------


def set_ceiling(
    community_id: int,
    fund: str,
    purpose: str,
    once_satang: int,
    yearly_satang: int,
    reason: str,
    person_id: int,
    now: datetime,
) -> None:
    """Set what one request, and one household in a year, may ask for; requests made before stay.

    Raises FundUseInvalid, AmountInvalid, NoteMissing (which meeting decided it); writes nothing then.
    """
    _require_use(fund, purpose)
    if not 0 < once_satang <= yearly_satang <= MOST_SATANG:
        raise AmountInvalid(amount=once_satang)
    told = _line(reason)
    with transaction() as session:
        lock_community(session, community_id)
        session.execute(
            insert(FundCeiling),
            {
                "community_id": community_id,
                "fund": fund,
                "purpose": purpose,
                "once_satang": once_satang,
                "yearly_satang": yearly_satang,
                "reason": told,
                "set_by": person_id,
                "set_at": now,
            },
        )


def contribute(
    community_id: int,
    fund: str,
    giver: str,
    household: str,
    amount_satang: int,
    account: str,
    bank_reference: str,
    note: str,
    given_on: date,
    person_id: int,
    now: datetime,
) -> int:
    """Write down money that was put into a fund beside tourism's share; return its number.

    Raises FundUseInvalid, AmountInvalid, NotFound, ReferenceUsed, FundDayInvalid, NoteMissing for a
    transfer without its reference, SaidAlready for cash that the same person wrote down in the same
    words a moment ago; and then writes nothing.
    """
    if fund not in OF_FUND and fund != Bucket.REVOLVE:
        raise FundUseInvalid(fund=fund)
    if giver not in set(Giver):
        raise FundUseInvalid(fund=fund)
    _require_amount(amount_satang)
    reference = _reference(account, bank_reference)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        _require_proof(session, community_id, reference, given_on, now)
        said = {
            "community_id": community_id,
            "fund": fund,
            "giver": giver,
            "household_id": _household(session, community_id, household),
            "amount_satang": amount_satang,
            "account": account,
            "bank_reference": reference,
            "note": " ".join(note.split())[:MOST_TEXT],
            "given_on": given_on,
            "recorded_by": person_id,
        }
        if find_same(session, Contribution, "recorded_at", now, **said) is not None:
            raise SaidAlready
        number = session.execute(
            insert(Contribution).returning(Contribution.id), {**said, "recorded_at": now}
        ).scalar_one()
        facts = FundFacts(
            FundEvent.CONTRIBUTION, number, Bucket(fund), amount_satang, account, given_on
        )
        _post(session, book_id, facts, person_id, now)
        return number


# --- requests ------------------------------------------------------------------------------------


def request_claim(
    community_id: int,
    fund: str,
    purpose: str,
    household: str,
    payee: str,
    what: str,
    amount_satang: int,
    evidence: str,
    file: Evidence,
    person_id: int,
    now: datetime,
) -> int:
    """Ask for money out of a fund; return the request's number. Nothing moves yet.

    The same form sent once more is the same request. `evidence` says what the file shows. Raises FundUseInvalid (a fund or purpose that does not fit, the
    revolving fund, a benefit for nobody), AmountInvalid, EvidenceMissing, EvidenceInvalid, NoteMissing, CeilingExceeded, FreeTooLow; and then writes nothing.
    """
    _require_use(fund, purpose)
    _require_amount(amount_satang)
    kind = funds.require_evidence(file)
    shows = " ".join(evidence.split())
    if not shows or len(shows) > MOST_TEXT or not shows.isprintable():
        raise EvidenceMissing
    told, paid_to = _line(what), _line(payee)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        household_id = _household(session, community_id, household)
        if household_id is None and fund == Bucket.WELFARE:
            raise FundUseInvalid(fund=fund)
        said = {
            "community_id": community_id,
            "fund": fund,
            "purpose": purpose,
            "household_id": household_id,
            "payee": paid_to,
            "what": told,
            "amount_satang": amount_satang,
            "evidence": shows,
            "evidence_sha256": sha256(file.body).hexdigest(),
            "requested_by": person_id,
            "state": ClaimState.REQUESTED,
        }
        known: int | None = find_same(session, FundClaim, "requested_at", now, **said)
        if known is not None:
            return known
        _require_within(session, community_id, fund, purpose, household_id, amount_satang, now)
        _require_free(session, community_id, book_id, fund, amount_satang)
        claim = FundClaim(**said, requested_at=now)
        session.add(claim)
        session.flush()
        name = "".join(each for each in file.name if each.isprintable())[-MOST_NAME:]
        session.execute(
            insert(FundEvidence),
            {
                "claim_id": claim.id,
                "name": name,
                "kind": kind,
                "size": len(file.body),
                "body": file.body,
            },
        )
        return claim.id


def approve_claim(community_id: int, claim_id: int, person_id: int, now: datetime) -> bool:
    """One of two people approves a request; return whether it is approved now.

    Neither of them may have asked. Raises NotFound, StateForbids, SecondPersonNeeded, FreeTooLow.
    """
    with transaction() as session:
        book_id = lock_community(session, community_id)
        claim = _claim(session, community_id, claim_id)
        _require_state(claim.state, ClaimState.REQUESTED, ClaimState.APPROVED, "claim")
        _approve(session, claim.requested_by, person_id, now, claim_id=claim.id)
        if _approvals(session, FundApproval.claim_id == claim.id) < APPROVERS:
            return False
        _require_free(session, community_id, book_id, claim.fund, claim.amount_satang)
        claim.state = ClaimState.APPROVED
        return True


def refuse_claim(
    community_id: int, claim_id: int, reason: str, person_id: int, now: datetime
) -> None:
    """Turn a request down, or withdraw it, with a reason that its household reads.

    Raises NotFound, StateForbids once it was paid, NoteMissing.
    """
    told = _line(reason)
    with transaction() as session:
        lock_community(session, community_id)
        claim = _claim(session, community_id, claim_id)
        if claim.state not in (ClaimState.REQUESTED, ClaimState.APPROVED):
            raise StateForbids(thing="claim", state=claim.state, wanted=ClaimState.REFUSED)
        claim.state, claim.refused_for = ClaimState.REFUSED, told
        claim.refused_by, claim.refused_at = person_id, now


def pay_claim(
    community_id: int,
    claim_id: int,
    paid_from: str,
    bank_reference: str,
    on: date,
    person_id: int,
    now: datetime,
) -> None:
    """An approved request was paid. Raises what `contribute` raises, StateForbids, BalanceTooLow."""
    reference = _reference(paid_from, bank_reference)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        claim = _claim(session, community_id, claim_id)
        _require_state(claim.state, ClaimState.APPROVED, ClaimState.PAID, "claim")
        _require_proof(session, community_id, reference, on, now)
        claim.state, claim.paid_on, claim.paid_from = ClaimState.PAID, on, paid_from
        claim.bank_reference, claim.paid_by = reference, person_id
        facts = FundFacts(
            FundEvent.CLAIM_PAID, claim.id, Bucket(claim.fund), claim.amount_satang, paid_from, on
        )
        _post(session, book_id, facts, person_id, now)


def confirm_claim(
    community_id: int, household_id: int, claim_id: int, person_id: int, now: datetime
) -> None:
    """The household says that the money arrived; twice is once. Raises NotFound, StateForbids."""
    with transaction() as session:
        lock_community(session, community_id)
        claim = _claim(session, community_id, claim_id)
        if claim.household_id != household_id:
            raise NotFound(thing="claim")
        if claim.state == ClaimState.CONFIRMED:
            return
        _require_state(claim.state, ClaimState.PAID, ClaimState.CONFIRMED, "claim")
        claim.state, claim.confirmed_by = ClaimState.CONFIRMED, person_id
        claim.confirmed_at = now


# --- loans ---------------------------------------------------------------------------------------


def request_loan(
    community_id: int,
    household: str,
    borrower: str,
    what: str,
    amount_satang: int,
    instalments: int,
    first_due_on: date,
    person_id: int,
    now: datetime,
) -> int:
    """Ask for a loan out of the revolving fund; return its number. Nothing moves yet.

    The same form sent once more is the same request.
    Raises AmountInvalid, LoanInvalid (instalments; a first day that is not ahead), NoteMissing,
    NotFound, FreeTooLow; and then writes nothing.
    """
    _require_amount(amount_satang)
    told, lent_to = _line(what), _line(borrower)
    funds.schedule(amount_satang, instalments, first_due_on)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        if first_due_on <= village_day(now, get_zone(session, community_id)):
            raise LoanInvalid(problem="first_due_on")
        said = {
            "community_id": community_id,
            "household_id": _household(session, community_id, household),
            "borrower": lent_to,
            "what": told,
            "amount_satang": amount_satang,
            "instalments": instalments,
            "first_due_on": first_due_on,
            "requested_by": person_id,
            "state": LoanState.REQUESTED,
        }
        known: int | None = find_same(session, Loan, "requested_at", now, **said)
        if known is not None:
            return known
        _require_free(session, community_id, book_id, Bucket.REVOLVE, amount_satang)
        loan = Loan(**said, requested_at=now)
        session.add(loan)
        session.flush()
        return loan.id


def approve_loan(community_id: int, loan_id: int, person_id: int, now: datetime) -> bool:
    """One of two people approves a loan; return whether it is approved now.

    Raises NotFound, StateForbids, SecondPersonNeeded, FreeTooLow.
    """
    with transaction() as session:
        book_id = lock_community(session, community_id)
        loan = _loan(session, community_id, loan_id)
        _require_state(loan.state, LoanState.REQUESTED, LoanState.APPROVED, "loan")
        _approve(session, loan.requested_by, person_id, now, loan_id=loan.id)
        if _approvals(session, FundApproval.loan_id == loan.id) < APPROVERS:
            return False
        _require_free(session, community_id, book_id, Bucket.REVOLVE, loan.amount_satang)
        loan.state = LoanState.APPROVED
        return True


def refuse_loan(
    community_id: int, loan_id: int, reason: str, person_id: int, now: datetime
) -> None:
    """Turn a loan down before it was paid out. Raises NotFound, StateForbids, NoteMissing."""
    told = _line(reason)
    with transaction() as session:
        lock_community(session, community_id)
        loan = _loan(session, community_id, loan_id)
        if loan.state not in (LoanState.REQUESTED, LoanState.APPROVED):
            raise StateForbids(thing="loan", state=loan.state, wanted=LoanState.REFUSED)
        loan.state, loan.refused_for = LoanState.REFUSED, told
        loan.refused_by, loan.refused_at = person_id, now


def pay_loan(
    community_id: int,
    loan_id: int,
    paid_from: str,
    bank_reference: str,
    on: date,
    person_id: int,
    now: datetime,
) -> None:
    """An approved loan was paid out. Raises what `pay_claim` raises."""
    reference = _reference(paid_from, bank_reference)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        loan = _loan(session, community_id, loan_id)
        _require_state(loan.state, LoanState.APPROVED, LoanState.LENT, "loan")
        _require_proof(session, community_id, reference, on, now)
        loan.state, loan.lent_on, loan.paid_from = LoanState.LENT, on, paid_from
        loan.bank_reference, loan.lent_by = reference, person_id
        facts = FundFacts(
            FundEvent.LOAN_PAID, loan.id, Bucket.REVOLVE, loan.amount_satang, paid_from, on
        )
        _post(session, book_id, facts, person_id, now)


def repay_loan(
    community_id: int,
    loan_id: int,
    amount_satang: int,
    account: str,
    bank_reference: str,
    on: date,
    person_id: int,
    now: datetime,
) -> int:
    """Some of a loan came back; return what is left, in satang.

    Raises AmountInvalid for more than that, what `contribute` raises, SaidAlready; writes nothing then.
    """
    _require_amount(amount_satang)
    reference = _reference(account, bank_reference)
    with transaction() as session:
        book_id = lock_community(session, community_id)
        loan = _loan(session, community_id, loan_id)
        _require_state(loan.state, LoanState.LENT, LoanState.REPAID, "loan")
        left = loan.amount_satang - fund_queries.list_repaid(session, [loan.id]).get(loan.id, 0)
        if amount_satang > left:
            raise AmountInvalid(amount=amount_satang)
        _require_proof(session, community_id, reference, on, now)
        number = _write_repayment(
            session, loan.id, amount_satang, account, reference, on, person_id, now
        )
        facts = FundFacts(FundEvent.LOAN_REPAID, number, Bucket.REVOLVE, amount_satang, account, on)
        _post(session, book_id, facts, person_id, now)
        if amount_satang == left:
            loan.state = LoanState.REPAID
        return left - amount_satang


def _write_repayment(
    session: Session,
    loan_id: int,
    amount_satang: int,
    account: str,
    reference: str | None,
    on: date,
    person_id: int,
    now: datetime,
) -> int:
    said = {
        "loan_id": loan_id,
        "amount_satang": amount_satang,
        "account": account,
        "bank_reference": reference,
        "repaid_on": on,
        "recorded_by": person_id,
    }
    if find_same(session, Repayment, "recorded_at", now, **said) is not None:
        raise SaidAlready
    values = {**said, "recorded_at": now}
    try:
        return session.execute(insert(Repayment).returning(Repayment.id), values).scalar_one()
    except IntegrityError:
        raise ReferenceUsed(reference=reference) from None


def waive_loan(community_id: int, loan_id: int, person_id: int, now: datetime) -> bool:
    """One of two people waives the rest of a loan; the fund bears it. Return whether it is waived now.

    Raises NotFound, StateForbids, SecondPersonNeeded, BalanceTooLow.
    """
    with transaction() as session:
        book_id = lock_community(session, community_id)
        loan = _loan(session, community_id, loan_id)
        _require_state(loan.state, LoanState.LENT, LoanState.WAIVED, "loan")
        _approve(session, loan.requested_by, person_id, now, loan_id=loan.id, waives=True)
        waivers = (FundApproval.loan_id == loan.id) & FundApproval.waives.is_(True)
        if _count(session, waivers) < APPROVERS:
            return False
        today = village_day(now, get_zone(session, community_id))
        left = loan.amount_satang - fund_queries.list_repaid(session, [loan.id]).get(loan.id, 0)
        loan.state, loan.waived_on = LoanState.WAIVED, today
        facts = FundFacts(FundEvent.LOAN_WAIVED, loan.id, Bucket.REVOLVE, left, "", today)
        _post(session, book_id, facts, person_id, now)
        return True


# --- steps ---------------------------------------------------------------------------------------


def _post(session: Session, book_id: int, facts: FundFacts, person_id: int, now: datetime) -> None:
    ledger.post(session, book_id, fund_draft(facts, f"person:{person_id}"), now)


def _approve(
    session: Session,
    asked_by: int,
    person_id: int,
    now: datetime,
    *,
    claim_id: int | None = None,
    loan_id: int | None = None,
    waives: bool = False,
) -> None:
    """One more person stands for it. Raises SecondPersonNeeded for who asked or did so before."""
    of = FundApproval.claim_id == claim_id if claim_id else FundApproval.loan_id == loan_id
    before = session.scalar(
        select(FundApproval.id).where(
            of, FundApproval.person_id == person_id, FundApproval.waives.is_(waives)
        )
    )
    if person_id == asked_by or before is not None:
        raise SecondPersonNeeded
    session.execute(
        insert(FundApproval),
        {
            "claim_id": claim_id,
            "loan_id": loan_id,
            "waives": waives,
            "person_id": person_id,
            "approved_at": now,
        },
    )


def _approvals(session: Session, of: object) -> int:
    return _count(session, of & FundApproval.waives.is_(False))  # type: ignore[operator]


def _count(session: Session, condition: object) -> int:
    query = select(func.count()).select_from(FundApproval).where(condition)  # type: ignore[arg-type]
    return session.scalar(query) or 0


def _require_state(state: str, needed: str, wanted: str, thing: str) -> None:
    if state != needed:
        raise StateForbids(thing=thing, state=state, wanted=wanted)


def _require_use(fund: str, purpose: str) -> None:
    if fund not in OF_FUND or purpose not in OF_FUND[Bucket(fund)]:
        raise FundUseInvalid(fund=fund)


def _require_amount(amount_satang: int) -> None:
    if not 0 < amount_satang <= MOST_SATANG:
        raise AmountInvalid(amount=amount_satang)


def _require_proof(
    session: Session, community_id: int, reference: str | None, on: date, now: datetime
) -> None:
    """Money moves on a day that has come, at most a year ago, and its reference proves it alone."""
    today = village_day(now, get_zone(session, community_id))
    if not 0 <= (today - on).days <= 366:
        raise FundDayInvalid(latest=today)
    require_new(session, community_id, reference)


def _require_within(
    session: Session,
    community_id: int,
    fund: str,
    purpose: str,
    household_id: int | None,
    amount_satang: int,
    now: datetime,
) -> None:
    ceiling = fund_queries.find_ceiling(session, community_id, fund, purpose)
    before = 0
    if household_id is not None:
        since = _new_year(session, community_id, now)
        before = fund_queries.asked_this_year(
            session, community_id, fund, purpose, household_id, since
        )
    broken = funds.exceeds(amount_satang, before, ceiling)
    if broken and ceiling:
        most = ceiling.once_satang if broken == "once" else ceiling.yearly_satang - before
        raise CeilingExceeded(which=broken, most_satang=max(0, most))


def _new_year(session: Session, community_id: int, now: datetime) -> datetime:
    """When the year began in the village."""
    zone = get_zone(session, community_id)
    return to_instant(village_day(now, zone).replace(month=1, day=1), time(0), zone)


def _require_free(
    session: Session, community_id: int, book_id: int, fund: str, amount_satang: int
) -> None:
    free = fund_queries.get_fund(session, community_id, book_id, fund).free_satang
    if amount_satang > free:
        raise FreeTooLow(free_satang=free)


def _reference(account: str, bank_reference: str) -> str | None:
    """A transfer's reference; cash has none. Raises FundUseInvalid for any other way, NoteMissing."""
    if account not in ACCOUNTS:
        raise FundUseInvalid(fund=account)
    reference = " ".join(bank_reference.split())
    if account == "cash":
        return None
    if not reference or len(reference) > 40 or not reference.isprintable():
        raise NoteMissing
    return reference


def _line(text: str) -> str:
    told = " ".join(text.split())
    if not told or len(told) > MOST_TEXT or not told.isprintable():
        raise NoteMissing
    return told


def _household(session: Session, community_id: int, code: str) -> int | None:
    """A household's id; None where none was named. Raises NotFound."""
    return get_household(session, community_id, code).id if code else None


def _claim(session: Session, community_id: int, claim_id: int) -> FundClaim:
    claim = session.get(FundClaim, claim_id, populate_existing=True)
    if claim is None or claim.community_id != community_id:
        raise NotFound(thing="claim")
    return claim


def _loan(session: Session, community_id: int, loan_id: int) -> Loan:
    loan = session.get(Loan, loan_id, populate_existing=True)
    if loan is None or loan.community_id != community_id:
        raise NotFound(thing="loan")
    return loan
