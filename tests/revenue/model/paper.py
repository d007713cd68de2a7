"""A community's money on paper: a small model in dictionaries, which the program is held against.

It knows nothing of the program's code: who is owed what (households, funds, guests, suppliers) and
where the money lies (payment service, bank, cash box), in whole satang, as an auditor with a
notebook would keep it. The two rules of sharing are the slow exact twins of `tests/twins.py`'s kind,
written with fractions.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from math import floor

from tests.twins import slow_rates_first, slow_share

FUNDS = ("mgmt", "welfare", "conserve", "develop", "revolve")
WHOLE = 10_000
CAP_BP = 2_500  # of a payout at most so much goes into a debt
OWNED = ("payment:", "payment_fee", "disputed", "given_back", "cash_", "loans", "receivable:")
"""Accounts whose balance is what the community owns; every other one is what it owes."""


@dataclass(frozen=True)
class Agreed:
    """A policy as the meeting agreed on it, in basis points and satang."""

    name: str
    provider: int
    funds: Mapping[str, int]
    rates: Mapping[str, int]
    intermediary: int = 0
    fixed: Mapping[str, int] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)
    dividend: int = 0
    rates_first: bool = False
    surplus: str = "provider"


@dataclass
class Payment:
    """Money that came for a booking: `fee` is None until the service has named it."""

    number: str
    service: str
    satang: int
    fee: int | None
    fee_back: int = 0


@dataclass
class Refund:
    """Money that goes back out of a payment: asked, due, failed, done or refused."""

    payment: Payment
    satang: int
    state: str
    after_sharing: bool
    is_goodwill: bool = False
    account: str = ""


@dataclass
class Dispute:
    """What a payer's bank took: open, won or lost. `kept` of the payment cannot go back meanwhile.

    `late` of one that was won after all came too late for its booking, and went to the group.
    """

    number: str
    payment: Payment
    satang: int
    fee: int
    kept: int
    credit: int
    after_sharing: bool
    state: str = "open"
    late: int = 0


@dataclass
class Credit:
    satang: int
    used: int = 0
    frozen: int = 0

    @property
    def left(self) -> int:
        return self.satang - self.used - self.frozen


@dataclass
class Booking:
    reference: str
    trip: int
    price: int
    costs: int
    policy: Agreed
    state: str = "held"  # held, booked, choosing, cancelled, settled
    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    from_credit: int = 0
    shares: dict[str, int] = field(default_factory=dict)
    turn: int = 0
    borne: list[tuple[str, str, int]] = field(default_factory=list)
    lost_borne: int = 0
    ended_at: datetime | None = None
    cost_borne: int = 0

    @property
    def captured(self) -> int:
        return sum(each.satang for each in self.payments)

    @property
    def kept(self) -> int:
        """What is there for the trip, of what came before it was shared out."""
        back = sum(e.satang for e in self.refunds if e.state != "refused" and not e.after_sharing)
        lost = sum(e.kept for e in self.disputes if e.state == "lost" and not e.after_sharing)
        lost += sum(e.late for e in self.disputes)
        credited = sum(each.satang for each in self.credits)
        return self.captured + self.from_credit - back - credited - lost

    @property
    def frozen(self) -> int:
        return sum(e.kept for e in self.disputes if e.state == "open" and not e.after_sharing)

    @property
    def returnable(self) -> int:
        later = sum(e.satang for e in self.refunds if e.state != "refused" and e.after_sharing)
        later += sum(e.kept for e in self.disputes if e.state != "won" and e.after_sharing)
        return max(0, self.kept - self.frozen - later)

    @property
    def paid(self) -> int:
        given = sum(
            e.satang
            for e in self.refunds
            if e.is_goodwill and e.state != "refused" and not e.after_sharing
        )
        return self.kept + given

    def going_back(self, payment: Payment) -> int:
        """What of a payment went back, goes back, or may have to."""
        refunds = sum(
            e.satang for e in self.refunds if e.payment is payment and e.state != "refused"
        )
        return refunds + sum(
            e.late if e.state == "won" else e.kept for e in self.disputes if e.payment is payment
        )

    def free(self, payment: Payment) -> int:
        return payment.satang - self.going_back(payment)

    @property
    def fees(self) -> int:
        """What services kept of it before it was shared out."""
        fees = sum((each.fee or 0) - each.fee_back for each in self.payments)
        return fees + sum(each.fee for each in self.disputes if not each.after_sharing)

    @property
    def lost(self) -> int:
        """What it lost that its deposit did not bear: to the guest, or to the payer's bank."""
        refunds = sum(e.satang for e in self.refunds if e.state == "done" and e.after_sharing)
        for each in self.disputes:
            if each.state == "lost":
                refunds += each.satang - each.credit - (0 if each.after_sharing else each.kept)
        return refunds - self.lost_borne

    @property
    def cost(self) -> int:
        return sum(e.fee for e in self.disputes if e.after_sharing) - self.cost_borne


@dataclass
class Line:
    """A household's payout: drafted, ordered, paid, confirmed, returned, stopped or withdrawn."""

    household: str
    satang: int
    recovered: int
    state: str = "drafted"
    account: str = ""


class Paper:
    """The notebook: `held` is every account's balance, `moves` each change with its day."""

    def __init__(
        self, households: Sequence[str], policy: Agreed, since: date, approve_from: int
    ) -> None:
        self.approve_from = approve_from
        self.held: dict[str, int] = defaultdict(int)
        self.moves: list[tuple[date, str, int]] = []
        self.register = list(households)
        self.active: dict[str, tuple[date, date | None]] = dict.fromkeys(households, (since, None))
        self.bookings: dict[str, Booking] = {}
        self.policies: list[tuple[date, Agreed]] = [(since, policy)]
        self.promised: dict[str, int] = defaultdict(int)
        self.prepared: dict[int, dict[str, int]] = {}
        self.lines_in_dispute: list[tuple[str, int]] = []
        self.earned: dict[str, int] = defaultdict(int)
        self.paid_out: dict[str, int] = defaultdict(int)
        self.closings: dict[date, dict[str, int]] = {}

    # --- moving money ----------------------------------------------------------------------------

    def move(self, source: str, target: str, satang: int, day: date) -> None:
        """From one account to another, as a leg of the books says it."""
        if satang:
            self._change(source, -satang, day)
            self._change(target, satang, day)

    def _change(self, account: str, satang: int, day: date) -> None:
        by = -satang if account.startswith(OWNED) else satang
        self.held[account] += by
        self.moves.append((day, account, by))

    def balances(self) -> dict[str, int]:
        return {account: satang for account, satang in self.held.items() if satang}

    def as_of(self, day: date) -> dict[str, int]:
        """What every account held at the end of a day, by the day that each change counts for."""
        sums: dict[str, int] = defaultdict(int)
        for on, account, by in self.moves:
            if on <= day:
                sums[account] += by
        return {account: satang for account, satang in sums.items() if satang}

    def members(self, day: date) -> list[str]:
        return [
            code
            for code in self.register
            if self.active[code][0] <= day
            and (self.active[code][1] is None or day < self.active[code][1])
        ]

    def policy_on(self, day: date) -> Agreed:
        return [policy for since, policy in self.policies if since <= day][-1]

    # --- guests ----------------------------------------------------------------------------------

    def book(self, reference: str, trip: int, price: int, costs: int, day: date) -> Booking:
        policy = self.policy_on(day)
        self.bookings[reference] = Booking(reference, trip, price, costs, policy)
        return self.bookings[reference]

    def pay(
        self, booking: Booking, number: str, service: str, satang: int, fee: int | None, day: date
    ) -> None:
        booking.payments.append(Payment(number, service, satang, None))
        booking.state = "booked"
        self.move(f"payment:{service}", "guest_deposit", satang, day)
        if fee is not None:
            self.tell_fee(booking.payments[-1], fee, day)

    def tell_fee(self, payment: Payment, fee: int, day: date) -> None:
        payment.fee = fee
        self.move("payment_fee", f"payment:{payment.service}", fee, day)

    def cancel(self, booking: Booking, bp: int, day: date, *, as_credit: bool) -> int:
        """The guest cancels: so many basis points of what is there come back. Returns the satang."""
        back = max(0, booking.kept - booking.frozen) * bp // WHOLE
        booking.state = "cancelled"
        if back and as_credit:
            self._issue(booking, back, day)
        elif back:
            self._return(booking, back, day)
        return back

    def _return(self, booking: Booking, satang: int, day: date) -> None:
        """The newest payment first; what came out of a credit becomes one again."""
        left = satang
        state = "asked" if satang >= self.approve_from else "due"
        for payment in reversed(booking.payments):
            part = min(left, booking.free(payment))
            if part:
                booking.refunds.append(Refund(payment, part, state, after_sharing=False))
                left -= part
        if left:
            self._issue(booking, left, day)

    def _issue(self, booking: Booking, satang: int, day: date) -> None:
        booking.credits.append(Credit(satang))
        self.move("guest_deposit", "guest_credit", satang, day)

    def use_credit(self, booking: Booking, credit: Credit, day: date) -> int:
        used = min(booking.price - booking.paid, credit.left)
        credit.used += used
        booking.from_credit += used
        booking.state = "booked"
        self.move("guest_credit", "guest_deposit", used, day)
        return used

    def goodwill(self, booking: Booking, satang: int) -> bool:
        """Given beyond the terms; return whether a second person must agree: many small ones count."""
        left = satang
        given = sum(e.satang for e in booking.refunds if e.is_goodwill and e.state != "refused")
        waits = given + satang >= self.approve_from
        for payment in reversed(booking.payments):
            part = min(left, booking.free(payment))
            if part:
                state = "asked" if waits else "due"
                after = booking.state == "settled" or booking.turn > 0
                booking.refunds.append(Refund(payment, part, state, after, is_goodwill=True))
                left -= part
        return waits

    def refund_done(
        self, booking: Booking, refund: Refund, account: str, fee: int, day: date
    ) -> None:
        """The money has left an account; the service gave back some of its fee, if it still may."""
        refund.state, refund.account = "done", account
        source = "given_back" if refund.after_sharing else "guest_deposit"
        self.move(source, account, refund.satang, day)
        payment = refund.payment
        fee = 0 if booking.turn else min(fee, (payment.fee or 0) - payment.fee_back)
        payment.fee_back += fee
        self.move(account, "payment_fee", fee, day)

    def refund_came_back(self, refund: Refund, day: date) -> None:
        """The guest's bank sent it back: it is owed again. What came back of a fee stays."""
        refund.state = "failed"
        target = "given_back" if refund.after_sharing else "guest_deposit"
        self.move(refund.account, target, refund.satang, day)

    # --- disputes --------------------------------------------------------------------------------

    def dispute(
        self, booking: Booking, payment: Payment, number: str, satang: int, fee: int, day: date
    ) -> Dispute:
        after = booking.turn > 0
        most = min(satang, booking.free(payment))
        credit = 0
        for each in booking.credits:
            part = min(most - credit, each.left)
            each.frozen += part
            credit += part
        kept = most - credit
        if not after:
            kept = min(kept, booking.returnable)
        said = Dispute(number, payment, satang, fee, kept, credit, after)
        booking.disputes.append(said)
        account = f"payment:{payment.service}"
        self.move("disputed", account, satang, day)
        self.move("given_back" if after else "payment_fee", account, fee, day)
        return said

    def dispute_won(self, booking: Booking, dispute: Dispute, day: date) -> None:
        dispute.state = "won"
        self._thaw(booking, dispute.credit)
        self.move(f"payment:{dispute.payment.service}", "disputed", dispute.satang, day)

    def dispute_lost(self, booking: Booking, dispute: Dispute, day: date) -> None:
        dispute.state = "lost"
        own = 0 if dispute.after_sharing else dispute.kept
        self.move("guest_deposit", "disputed", own, day)
        self.move("guest_credit", "disputed", dispute.credit, day)
        rest = dispute.satang - own - dispute.credit
        self.move("given_back", "disputed", rest, day)

    def dispute_reinstated(self, booking: Booking, dispute: Dispute, day: date) -> None:
        """Lost, and won after all. What was shared out without it meanwhile is not shared out anew."""
        dispute.state = "won"
        own = 0 if dispute.after_sharing else dispute.kept
        if own and booking.turn:
            dispute.late, own = own, 0
        self._thaw(booking, dispute.credit)
        account = f"payment:{dispute.payment.service}"
        self.move(account, "guest_deposit", own, day)
        self.move(account, "guest_credit", dispute.credit, day)
        self.move(account, "fund:mgmt", dispute.late, day)
        rest = dispute.satang - own - dispute.credit - dispute.late
        self.move(account, "given_back", rest, day)

    def _thaw(self, booking: Booking, satang: int) -> None:
        for each in booking.credits:
            part = min(satang, each.frozen)
            each.frozen -= part
            satang -= part

    # --- the two rules ---------------------------------------------------------------------------

    def settle(self, trip: int, on: date, work: Sequence[tuple[str, str, int]], turn: int) -> None:
        """Split every booking of a trip, then share its pools out among who worked and who owns."""
        own = [each for each in self.bookings.values() if each.trip == trip]
        parts: dict[str, dict[str, int]] = {}
        wanted = {
            c: self.prepared[trip][c] for c in self.register if c in self.prepared.get(trip, {})
        }
        unpaid = sum(wanted.values())
        for booking in own:
            if booking.state == "booked" or (booking.state == "cancelled" and booking.kept > 0):
                parts[booking.reference] = self._split(booking, on, unpaid)
                unpaid -= parts[booking.reference]["prepared"]
        prepared = self._pay_prepared(wanted, sum(wanted.values()) - unpaid, turn, on)
        pools: dict[str, int] = defaultdict(int)
        owners: dict[str, int] = defaultdict(int)
        agreed = {}
        for reference, each in parts.items():
            policy = self.bookings[reference].policy
            agreed[policy.name] = policy
            pools[policy.name] += each["pool"]
            owners[policy.name] += each["dividend"]
        whole = sum(pools.values())
        became = {
            name: self._share(agreed[name], pool, whole, work, turn, on)
            for name, pool in pools.items()
            if pool
        }
        owned = {name: self._dividend(pool, turn, on) for name, pool in owners.items() if pool}
        for booking in own:
            booking.turn = turn
            if booking.state == "booked":
                booking.state = "settled"
            if booking.reference in parts:
                name = booking.policy.name
                became_of = {"pool": became.get(name, {}), "dividend": owned.get(name, {})}
                booking.shares = _shares(
                    parts[booking.reference], {**became_of, "prepared": prepared}
                )

    def _pay_prepared(
        self, wanted: Mapping[str, int], paid: int, turn: int, on: date
    ) -> dict[str, int]:
        """What households had prepared is paid out of what cancelled bookings left for it."""
        if not paid:
            return {}
        whole = sum(wanted.values())
        got = wanted if paid == whole else slow_share(paid, wanted, list(wanted), turn)
        shared = {f"household:{code}": got[code] for code in wanted if got[code]}
        for account, part in shared.items():
            self.move("pool:provider", account, part, on)
            self.earned[account] += part
        return shared

    def _split(self, booking: Booking, on: date, unpaid: int) -> dict[str, int]:
        policy, net = booking.policy, max(0, booking.kept)
        middle = net * policy.intermediary // WHOLE
        costs, fee, left = booking.costs, booking.fees, net - middle
        if booking.state == "cancelled":
            costs, fee = 0, min(fee, left)
        elif net < booking.price or costs + fee > left:  # what is there pays what it can
            costs = min(costs, left)
            fee = min(fee, left - costs)
        prepared = 0
        if booking.state == "cancelled":
            prepared = min(unpaid, max(0, left - fee))
        money = left - costs - fee - prepared
        fixed, rest = {}, money
        for code in FUNDS:
            if code in policy.fixed:
                fixed[code] = min(policy.fixed[code], rest)
                rest -= fixed[code]
        base, funds = rest, {}
        for code in (*FUNDS, "dividend"):
            bp = policy.dividend if code == "dividend" else policy.funds[code]
            part = floor(Fraction(base * bp, WHOLE))
            funds[code] = min(part, policy.caps.get(code, part), rest)
            rest -= funds[code]
        self.move("guest_deposit", "outside:insurance", costs, on)
        self.move("guest_deposit", "payment_fee", fee, on)
        self.move("guest_deposit", "outside:intermediary", middle, on)
        for code, part in fixed.items():
            self.move("guest_deposit", f"fund:{code}", part, on)
        self.move("guest_deposit", "pool:provider", prepared, on)
        self.move("guest_deposit", "pool:provider", rest, on)
        for code, part in funds.items():
            target = "pool:dividend" if code == "dividend" else f"fund:{code}"
            self.move("guest_deposit", target, part, on)
        named = {f"fixed {code}": part for code, part in fixed.items()}
        return {"prepared": prepared, **named, "pool": rest, **funds}

    def _share(
        self,
        policy: Agreed,
        pool: int,
        whole: int,
        work: Sequence[tuple[str, str, int]],
        turn: int,
        on: date,
    ) -> dict[str, int]:
        weights: dict[str, int] = defaultdict(int)
        for household, task, units in work:
            weights[household] += units * policy.rates.get(task, 0)
        workers = [code for code in self.register if code in weights]
        surplus = 0
        if policy.rates_first:
            to_fund = policy.surplus != "provider"
            got, surplus = slow_rates_first(pool, whole, weights, workers, turn, to_fund=to_fund)
        else:
            got = slow_share(pool, weights, workers, turn)
        shared = {f"household:{code}": got[code] for code in workers}
        if surplus:
            shared[f"fund:{policy.surplus}"] = surplus
        for account, part in shared.items():
            self.move("pool:provider", account, part, on)
            self.earned[account] += part
        return shared

    def _dividend(self, pool: int, turn: int, on: date) -> dict[str, int]:
        """Nobody holds shares: all members of that day have the same part."""
        members = self.members(on)
        got = slow_share(pool, dict.fromkeys(members, 1), members, turn)
        shared = {f"household:{code}": got[code] for code in members}
        for account, part in shared.items():
            self.move("pool:dividend", account, part, on)
            self.earned[account] += part
        return shared

    # --- losses ----------------------------------------------------------------------------------

    def bear_losses(self, day: date) -> int:
        """Every booking's shares bear what it lost since; one whose fund has too little waits."""
        return sum(self._bear(each, day) for each in self.bookings.values() if _is_ready(each))

    def _bear(self, booking: Booking, day: date) -> bool:
        lost, cost = booking.lost, booking.cost
        if not lost and not cost:
            return False
        parts = _borne(booking, lost, cost)
        out: dict[str, int] = defaultdict(int)
        for account, _why, part in parts:
            if account.startswith("fund:"):
                out[account] += part
        if any(self.held[account] < part for account, part in out.items()):
            return False
        for account, _why, part in parts:
            if part > 0:
                source = account.replace("household:", "receivable:")
                self.move(source, "given_back", part, day)
            else:
                self.move("given_back", account, -part, day)
        booking.borne += parts
        booking.lost_borne += lost
        booking.cost_borne += cost
        for account, _why, _part in parts:
            if account.startswith("household:"):
                self._set_off(account.removeprefix("household:"), day)
        return True

    def _set_off(self, code: str, day: date) -> None:
        """What a household owes is paid out of what it was not paid yet."""
        self._recover(
            code, min(self.held[f"household:{code}"], self.held[f"receivable:{code}"]), day
        )

    def correct(self, source: str, target: str, satang: int, day: date) -> None:
        """Two people move a household's earnings to another: it owes them, and pays of what it has."""
        self.move(f"receivable:{source}", f"household:{target}", satang, day)
        self._set_off(source, day)

    def _recover(self, code: str, satang: int, day: date) -> None:
        self.move(f"household:{code}", f"receivable:{code}", satang, day)

    # --- payouts ---------------------------------------------------------------------------------

    def held_back(self) -> dict[str, int]:
        """What open disputes after the sharing-out, and those of a household's lines, keep back."""
        kept: dict[str, int] = defaultdict(int)
        for household, satang in self.lines_in_dispute:
            kept[f"household:{household}"] += satang
        for booking in self.bookings.values():
            for each in booking.disputes:
                if each.state == "open" and each.after_sharing:
                    for account, part in apportion(
                        each.satang - each.credit, booking.shares
                    ).items():
                        kept[account] += part
        return kept

    def plan(self, least: int) -> list[Line]:
        lines = []
        kept = self.held_back()
        for code in self.register:
            free = max(0, self.held[f"household:{code}"] - kept[f"household:{code}"])
            recovered = min(self.held[f"receivable:{code}"], free * CAP_BP // WHOLE)
            if free - recovered >= least:
                lines.append(Line(code, free - recovered, recovered))
        return lines

    def order(self, line: Line, day: date) -> None:
        line.state = "ordered"
        self._recover(line.household, line.recovered, day)
        self.move(f"household:{line.household}", "payout_transit", line.satang, day)

    def pay_line(self, line: Line, account: str, day: date) -> None:
        line.state, line.account = "paid", account
        self.move("payout_transit", account, line.satang, day)
        self.paid_out[line.household] += line.satang

    def stop_line(self, line: Line, day: date) -> None:
        line.state = "stopped"
        self.move("payout_transit", f"household:{line.household}", line.satang, day)

    def return_line(self, line: Line, day: date) -> None:
        line.state = "returned"
        self.move(line.account, f"household:{line.household}", line.satang, day)
        self.paid_out[line.household] -= line.satang

    def free_of(self, fund: str) -> int:
        return self.held[f"fund:{fund}"] - self.promised[fund]


def _is_ready(booking: Booking) -> bool:
    return booking.turn > 0 or booking.state == "cancelled"


def _borne(booking: Booking, lost: int, cost: int) -> list[tuple[str, str, int]]:
    """Who bears a booking's new loss and cost: (account, why, satang)."""
    bore: dict[str, int] = defaultdict(int)
    for account, why, satang in booking.borne:
        bore[account] += satang if why == "share" else 0
    parts: list[tuple[str, str, int]] = []
    if lost > 0:
        left = {account: share - bore[account] for account, share in booking.shares.items()}
        borne = apportion(lost, _turned(left, booking.turn))
        parts = [(account, "share", part) for account, part in borne.items()]
        if uncovered := lost - sum(borne.values()):
            parts.append(("fund:mgmt", "uncovered", uncovered))
    if lost < 0:
        parts = _undone(booking, -lost)
    if cost:
        parts.append(("fund:mgmt", "cost", cost))
    return parts


def _undone(booking: Booking, back: int) -> list[tuple[str, str, int]]:
    """Who gets a loss back that they bore: each in proportion to what they bore so far."""
    bore: dict[str, int] = defaultdict(int)
    for account, why, satang in booking.borne:
        if why != "cost":
            bore[f"{why} {account}"] += satang
    bore = {name: satang for name, satang in bore.items() if satang}
    parts = apportion(back, _turned(bore, booking.turn))
    return [(name.split(" ")[1], name.split(" ")[0], -part) for name, part in parts.items()]


def apportion(satang: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Largest remainders, ties to who is named first; never more than everybody's weight."""
    whole = sum(weights.values())
    satang = min(satang, whole)
    if not satang:
        return {}
    exact = {name: Fraction(satang * weight, whole) for name, weight in weights.items()}
    parts = {name: floor(each) for name, each in exact.items()}
    waiting = list(weights)
    while sum(parts.values()) < satang:
        lucky = max(waiting, key=lambda name: exact[name] - parts[name])
        parts[lucky] += 1
        waiting.remove(lucky)
    return {name: part for name, part in parts.items() if part}


def _turned(amounts: Mapping[str, int], turn: int) -> dict[str, int]:
    names = list(amounts)
    start = turn % len(names) if names else 0
    return {name: amounts[name] for name in names[start:] + names[:start]}


def _shares(parts: Mapping[str, int], pools: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """What a booking's money became, by fund and household: the base of taking back."""
    shares: dict[str, int] = defaultdict(int)
    for name, part in parts.items():
        if not part:
            continue
        if name in pools:
            became = apportion(part, pools[name])
        else:
            became = {f"fund:{name.removeprefix('fixed ')}": part}
        for account, satang in became.items():
            shares[account] += satang
    return dict(shares)
