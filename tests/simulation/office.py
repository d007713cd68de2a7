"""What the treasurer and those beside them do: months, payouts, funds, the policy, the register."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.communities import services as communities
from cbt.communities.models import Household
from cbt.communities.queries import get_household
from cbt.db import Condition
from cbt.errors import CbtError
from cbt.revenue import close, fund_use, line_disputes, pay_out, payout_queries, services
from cbt.revenue.close_facts import AuditFacts, StepCode, list_steps
from cbt.revenue.closed import CloseDraft, LineDispute, Period
from cbt.revenue.fund_models import Contribution, FundApproval, FundClaim, Loan, Repayment
from cbt.revenue.funds import ClaimState, Evidence, LoanState
from cbt.revenue.models import PolicyVersion
from cbt.revenue.paying_out import BatchState, LineState, PayeeState
from cbt.revenue.paying_out import Step as Stage
from cbt.revenue.payout_models import Payee, PayoutBatch, PayoutLine, PayoutReceipt, PayoutStep
from cbt.revenue.policy import DEFAULT, canonical
from cbt.revenue.records import Resolution
from cbt.revenue.statements import get_statement
from tests import factories
from tests.revenue import closing
from tests.simulation.guests import counting
from tests.simulation.world import Effects, Step, World, kind

LEAST = 1_000
PAPER = Evidence("certificate.pdf", b"%PDF-1.7 certificate")
CLEAN = AuditFacts(is_clean=True, audited_seq=10**9)


# --- months --------------------------------------------------------------------------------------


@kind("prepares a close", 24)
def prepare_close(world: World, session: Session) -> Step | None:
    month = close.next_month_to_close(session, world.card)
    waiting = (CloseDraft.used_at.is_(None), CloseDraft.withdrawn_at.is_(None))
    if month is None or counting(*waiting, of=CloseDraft)(session):
        return None
    steps = list_steps(session, world.card, month, CLEAN, world.now)
    if not all(step.is_done for step in steps):
        nudge(world, {step.code for step in steps if not step.is_done})
        return None
    world.soon.append("closes a month")
    is_prepared = counting(CloseDraft.month == month, *waiting, of=CloseDraft)

    def do(now: datetime) -> None:
        closing.prepare(world.office, month, now)

    return Step("prepares a close", do, is_prepared)


_FIRST = {
    StepCode.TRIPS_SETTLED: ("records work", "confirms work", "settles"),
    StepCode.NOTHING_OPEN: (
        *("works off the list", "explains money", "gives money back by hand"),
        *("sees cash in the bank", "a dispute is won"),
    ),
    StepCode.LOSSES_BORNE: ("contributes to a fund", "worker: let shares bear losses"),
    StepCode.CASH_COUNTED: ("counts the cash",),
    StepCode.DISPUTES_ANSWERED: ("answers about a line",),
}


def nudge(world: World, open_: set[StepCode]) -> None:
    """Once a month is over, its treasurer does first what it cannot be closed without."""
    if StepCode.MONTH_OVER in open_ or world.soon:
        return
    world.soon.extend(each for code in sorted(open_) for each in _FIRST.get(code, ()))


@kind("closes a month", 8)
def close_month(world: World, session: Session) -> Step | None:
    row = session.execute(
        select(CloseDraft.id, CloseDraft.month).where(
            CloseDraft.used_at.is_(None), CloseDraft.withdrawn_at.is_(None)
        )
    ).one_or_none()
    if row is None:
        return None
    draft_id, month = row

    def do(now: datetime) -> None:
        try:
            closing.confirm(world.office, draft_id, now, key=world.key)
        except CbtError:
            with_new_figures(world, now)
            raise

    is_closed = counting(Period.month == month, of=Period)
    return Step("closes a month", do, is_closed, in_parts=True)


def with_new_figures(world: World, now: datetime) -> None:
    """What was prepared does not fit any more: it is set aside, and prepared anew one day."""
    close.withdraw_close(world.village.id, now)


@kind("disputes a line", 2)
def dispute_line(world: World, session: Session) -> Step | None:
    code = world.chance.choice(world.village.households)
    months = session.scalars(select(Period.month).order_by(Period.month)).all()
    month = world.pick(months)
    if month is None:
        return None
    household = get_household(session, world.village.id, code)
    lines = get_statement(session, world.card, household, month).lines
    line = world.pick(lines)
    if line is None:
        return None
    what, item = world.name("wrong"), line.item

    def do(now: datetime) -> None:
        line_disputes.dispute_line(
            world.village.id, code, item.entry_seq, item.leg, what, world.member, now
        )

    return Step("disputes a line", do, counting(LineDispute.what == what, of=LineDispute))


@kind("answers about a line", 2)
def answer_line(world: World, session: Session) -> Step | None:
    is_open = (LineDispute.answered_at.is_(None), LineDispute.decided_at.is_(None))
    dispute_id = world.pick(session.scalars(select(LineDispute.id).where(*is_open)).all())
    if dispute_id is None:
        return None

    def do(now: datetime) -> None:
        treasurer = world.treasurer
        line_disputes.answer_line(world.village.id, dispute_id, "we looked", treasurer, now)

    is_answered = (LineDispute.id == dispute_id) & LineDispute.answered_at.is_not(None)
    return Step("answers about a line", do, counting(is_answered, of=LineDispute))


@kind("is content with an answer", 2)
def accept_answer(world: World, session: Session) -> Step | None:
    row = session.execute(
        select(LineDispute.id, Household.code)
        .join(Household, Household.id == LineDispute.household_id)
        .where(LineDispute.answered_at.is_not(None), LineDispute.accepted_at.is_(None))
        .order_by(LineDispute.id)
    ).first()
    if row is None:
        return None
    dispute_id, code = row

    def do(now: datetime) -> None:
        line_disputes.accept_answer(world.village.id, code, dispute_id, now)

    is_accepted = (LineDispute.id == dispute_id) & LineDispute.accepted_at.is_not(None)
    return Step("is content with an answer", do, counting(is_accepted, of=LineDispute))


# --- payouts -------------------------------------------------------------------------------------


@kind("names a payee", 2)
def name_payee(world: World, session: Session) -> Step | None:
    code = world.chance.choice(world.village.households)
    holder = world.name("Holder")

    def do(now: datetime) -> None:
        treasurer = world.treasurer
        pay_out.name_payee(
            world.village.id, code, "phone", "", "081-234-5678", holder, treasurer, now
        )

    return Step("names a payee", do, any_of(counting(Payee.holder == holder, of=Payee)))


def any_of(effects: Effects) -> Effects:
    """Saying the same anew takes the place of what was said: at least once is once."""
    return lambda session: min(1, effects(session))


@kind("agrees to a payee", 2)
def agree_payee(world: World, session: Session) -> Step | None:
    payee_id = session.scalar(select(Payee.id).where(Payee.state == PayeeState.NAMED).limit(1))
    if payee_id is None:
        return None

    def do(now: datetime) -> None:
        pay_out.agree_payee(world.village.id, payee_id, world.second, now)

    is_agreed = (Payee.id == payee_id) & (Payee.state == PayeeState.AGREED)
    return Step("agrees to a payee", do, counting(is_agreed, of=Payee))


@kind("drafts a payout", 3)
def draft_batch(world: World, session: Session) -> Step | None:
    planned = pay_out.plan_now(session, world.village.id, world.card.book_id, LEAST)
    drafted = counting(PayoutBatch.state == BatchState.DRAFTED, of=PayoutBatch)
    if not planned.lines or drafted(session):
        return None
    world.soon_perhaps("approves a payout")

    def do(now: datetime) -> None:
        pay_out.draft_batch(world.village.id, LEAST, world.treasurer, now)

    return Step("drafts a payout", do, drafted)


def drafted(session: Session) -> PayoutBatch | None:
    return session.scalar(select(PayoutBatch).where(PayoutBatch.state == BatchState.DRAFTED))


def in_state(number: int, state: BatchState) -> Effects:
    return counting(PayoutBatch.number == number, PayoutBatch.state == state, of=PayoutBatch)


@kind("approves a payout", 3)
def approve_batch(world: World, session: Session) -> Step | None:
    batch = drafted(session)
    if batch is None:
        return None
    number = batch.number
    total = payout_queries.get_batch(session, world.village.id, number).total_satang

    def do(now: datetime) -> None:
        pay_out.approve_batch(world.village.id, number, total, world.second, now)

    return Step("approves a payout", do, in_state(number, BatchState.APPROVED))


@kind("withdraws a payout", 1)
def withdraw_batch(world: World, session: Session) -> Step | None:
    batch = drafted(session)
    if batch is None:
        return None
    number = batch.number

    def do(now: datetime) -> None:
        pay_out.withdraw_batch(world.village.id, number, world.treasurer, now)

    return Step("withdraws a payout", do, in_state(number, BatchState.WITHDRAWN))


def line_in(world: World, session: Session, state: LineState) -> PayoutLine | None:
    rows = session.scalars(
        select(PayoutLine).where(PayoutLine.state == state).order_by(PayoutLine.id).limit(6)
    )
    return world.pick(rows.all())


def stage(line_id: int, step: Stage) -> Effects:
    return counting(PayoutStep.line_id == line_id, PayoutStep.step == step, of=PayoutStep)


@kind("pays a household", 8)
def pay_line(world: World, session: Session) -> Step | None:
    line = line_in(world, session, LineState.ORDERED)
    if line is None:
        return None
    line_id, reference, on = line.id, world.name("PAY"), world.today

    def do(now: datetime) -> None:
        treasurer = world.treasurer
        pay_out.note_paid(world.village.id, line_id, "promptpay", reference, on, treasurer, now)

    return Step("pays a household", do, stage(line_id, Stage.PAID))


@kind("stops a payout", 1)
def stop_line(world: World, session: Session) -> Step | None:
    line = line_in(world, session, LineState.ORDERED)
    if line is None:
        return None
    line_id = line.id

    def do(now: datetime) -> None:
        pay_out.stop_line(world.village.id, line_id, "not now", world.treasurer, now)

    return Step("stops a payout", do, stage(line_id, Stage.STOPPED))


@kind("has a payout returned", 2)
def return_line(world: World, session: Session) -> Step | None:
    line = line_in(world, session, LineState.PAID)
    if line is None:
        return None
    line_id, on = line.id, world.today

    def do(now: datetime) -> None:
        pay_out.note_returned(world.village.id, line_id, "closed", on, world.treasurer, now)

    return Step("has a payout returned", do, stage(line_id, Stage.RETURNED))


@kind("confirms a payout", 3)
def confirm_line(world: World, session: Session) -> Step | None:
    line = line_in(world, session, LineState.PAID)
    if line is None:
        return None
    line_id, household_id = line.id, line.household_id

    def do(now: datetime) -> None:
        pay_out.confirm_line(world.village.id, household_id, line_id, world.member, now)

    received = counting(PayoutReceipt.line_id == line_id, of=PayoutReceipt)
    return Step("confirms a payout", do, received)


# --- funds ---------------------------------------------------------------------------------------


@kind("contributes to a fund", 2)
def contribute(world: World, session: Session) -> Step | None:
    fund = world.chance.choice(("welfare", "revolve", "conserve", "mgmt", "mgmt"))
    note, on = world.name("grant"), world.today
    account, reference = ("promptpay", note) if world.happens(0.5) else ("cash", "")

    def do(now: datetime) -> None:
        fund_use.contribute(
            *(world.village.id, fund, "local_government", "", 50_000, account),
            *(reference, note, on, world.treasurer, now),
        )

    is_given = Contribution.note == note
    return Step("contributes to a fund", do, counting(is_given, of=Contribution))


@kind("asks a fund", 3)
def request_claim(world: World, session: Session) -> Step | None:
    code, what = world.chance.choice(world.village.households), world.name("hospital")

    def do(now: datetime) -> None:
        fund_use.request_claim(
            *(world.village.id, "welfare", "illness", code, "Ms Payee", what, 1_500),
            *("certificate", PAPER, world.member, now),
        )

    return Step("asks a fund", do, counting(FundClaim.what == what, of=FundClaim))


def claim_in(world: World, session: Session, state: ClaimState) -> FundClaim | None:
    rows = session.scalars(select(FundClaim).where(FundClaim.state == state).order_by(FundClaim.id))
    return world.pick(rows.all())


def approver(world: World, session: Session, *conditions: Condition) -> int:
    before = session.scalars(select(FundApproval.person_id).where(*conditions)).all()
    people = (world.treasurer, world.second, world.coordinator)
    return next(each for each in people if each not in before)


@kind("agrees to a request", 5)
def approve_claim(world: World, session: Session) -> Step | None:
    claim = claim_in(world, session, ClaimState.REQUESTED)
    if claim is None:
        return None
    claim_id = claim.id
    person_id = approver(world, session, FundApproval.claim_id == claim_id)

    def do(now: datetime) -> None:
        fund_use.approve_claim(world.village.id, claim_id, person_id, now)

    of_person = (FundApproval.claim_id == claim_id, FundApproval.person_id == person_id)
    return Step("agrees to a request", do, counting(*of_person, of=FundApproval))


@kind("refuses a request", 1)
def refuse_claim(world: World, session: Session) -> Step | None:
    claim = claim_in(world, session, ClaimState.REQUESTED)
    if claim is None:
        return None
    claim_id = claim.id

    def do(now: datetime) -> None:
        fund_use.refuse_claim(world.village.id, claim_id, "insured", world.treasurer, now)

    is_refused = (FundClaim.id == claim_id, FundClaim.state == ClaimState.REFUSED)
    return Step("refuses a request", do, counting(*is_refused, of=FundClaim))


@kind("pays a request", 4)
def pay_claim(world: World, session: Session) -> Step | None:
    claim = claim_in(world, session, ClaimState.APPROVED)
    if claim is None:
        return None
    claim_id, reference, on = claim.id, world.name("CLAIM"), world.today

    def do(now: datetime) -> None:
        treasurer = world.treasurer
        fund_use.pay_claim(world.village.id, claim_id, "promptpay", reference, on, treasurer, now)

    is_paid = FundClaim.bank_reference == reference
    return Step("pays a request", do, counting(is_paid, of=FundClaim))


@kind("confirms a request", 2)
def confirm_claim(world: World, session: Session) -> Step | None:
    claim = claim_in(world, session, ClaimState.PAID)
    if claim is None or claim.household_id is None:
        return None
    claim_id, household_id = claim.id, claim.household_id

    def do(now: datetime) -> None:
        fund_use.confirm_claim(world.village.id, household_id, claim_id, world.member, now)

    is_confirmed = (FundClaim.id == claim_id, FundClaim.state == ClaimState.CONFIRMED)
    return Step("confirms a request", do, counting(*is_confirmed, of=FundClaim))


@kind("asks for a loan", 1)
def request_loan(world: World, session: Session) -> Step | None:
    code, what = world.chance.choice(world.village.households), world.name("net")
    due_on = world.today + timedelta(days=30)

    def do(now: datetime) -> None:
        fund_use.request_loan(
            world.village.id, code, "Ms Borrower", what, 9_000, 3, due_on, world.member, now
        )

    return Step("asks for a loan", do, counting(Loan.what == what, of=Loan))


def loan_in(world: World, session: Session, state: LoanState) -> Loan | None:
    rows = session.scalars(select(Loan).where(Loan.state == state).order_by(Loan.id))
    return world.pick(rows.all())


@kind("agrees to a loan", 3)
def approve_loan(world: World, session: Session) -> Step | None:
    loan = loan_in(world, session, LoanState.REQUESTED)
    if loan is None:
        return None
    loan_id = loan.id
    person_id = approver(world, session, FundApproval.loan_id == loan_id)

    def do(now: datetime) -> None:
        fund_use.approve_loan(world.village.id, loan_id, person_id, now)

    of_person = (FundApproval.loan_id == loan_id, FundApproval.person_id == person_id)
    return Step("agrees to a loan", do, counting(*of_person, of=FundApproval))


@kind("lends", 3)
def pay_loan(world: World, session: Session) -> Step | None:
    loan = loan_in(world, session, LoanState.APPROVED)
    if loan is None:
        return None
    loan_id, reference, on = loan.id, world.name("LOAN"), world.today

    def do(now: datetime) -> None:
        treasurer = world.treasurer
        fund_use.pay_loan(world.village.id, loan_id, "promptpay", reference, on, treasurer, now)

    return Step("lends", do, counting(Loan.bank_reference == reference, of=Loan))


@kind("repays", 2)
def repay_loan(world: World, session: Session) -> Step | None:
    loan = loan_in(world, session, LoanState.LENT)
    if loan is None:
        return None
    loan_id, on = loan.id, world.today
    account, reference = ("promptpay", world.name("REPAY")) if world.happens(0.5) else ("cash", "")
    amount = 1_000 + next(world.numbers)

    def do(now: datetime) -> None:
        fund_use.repay_loan(
            world.village.id, loan_id, amount, account, reference, on, world.treasurer, now
        )

    of_amount = Repayment.amount_satang == amount
    return Step("repays", do, counting(of_amount, of=Repayment))


# --- the policy and the register -----------------------------------------------------------------


@kind("adopts a policy", 1)
def adopt_policy(world: World, session: Session) -> Step | None:
    last = services.last_version(session, world.village.id)
    from_ = world.today + timedelta(days=2)
    if last is None or last.effective_from >= from_ or last.number > 3:
        return None
    number = last.number + 1
    policy = replace(DEFAULT, name=f"{DEFAULT.name} {number}")
    resolution = Resolution(
        adopted_on=world.today,
        effective_from=from_,
        meeting=factories.text("meeting"),
        households=5,
        present=5,
        voted_for=4,
    )

    def do(now: datetime) -> None:
        services.adopt_policy(world.village.id, canonical(policy), resolution, now)

    return Step("adopts a policy", do, counting(PolicyVersion.number == number, of=PolicyVersion))


@kind("a household joins", 1)
def join(world: World, session: Session) -> Step | None:
    households: Sequence[str] = world.village.households
    known = counting(Household.community_id == world.village.id, of=Household)(session)
    if known > len(households) + 2:
        return None
    code, on = f"J{known:02}", world.today

    def do(_now: datetime) -> None:
        communities.add_household(world.village.id, code, factories.text(code), on)

    return Step("a household joins", do, counting(Household.code == code, of=Household))
