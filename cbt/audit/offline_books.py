"""From the facts of a bundle to the entries that must stand in the books. Standard library alone.

The entries under examination are never read here. Each fact calls for an entry with a key of its own; what
the entry carries beside its legs is the SHA-256 of the facts as text, so that no fact can change unseen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from cbt.audit import offline_rules as rules
from cbt.audit.offline_rules import Booking, CannotCompute, Departure, Leg, Policy

Row = dict[str, Any]
Tables = dict[str, list[Row]]
Payment = tuple[str, str]
"""A payment by its provider and the provider's own name for it."""


class Expected(NamedTuple):
    """An entry that the facts call for."""

    kind: str
    subject: str
    on: str
    key: str
    legs: list[Leg]
    policy: str = ""
    input: str = ""


class Records:
    """The facts of a bundle, found by what they are about."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.policies: dict[str, Policy | None] = {}
        for row in tables["policies.jsonl"]:
            try:
                self.policies[row["sha256"]] = rules.read_policy(row["text"])
            except (CannotCompute, ValueError):
                self.policies[row["sha256"]] = None
        self.booking = {row["booking"]: row for row in tables["bookings.csv"]}
        self.departure = {row["departure"]: row for row in tables["departures.csv"]}
        self.capture: dict[Payment, Row] = {
            (row["provider"], row["payment"]): row for row in tables["captures.csv"]
        }
        self.on_departure = _by("departure", tables["bookings.csv"])
        self.work = _by("departure", tables["work.csv"])
        self.prepared = _by("departure", tables["preparation.csv"])
        self.costs = _by("booking", tables["costs.csv"])
        self.captures = _by("booking", tables["captures.csv"])
        self.credits = _by("booking", tables["credits.csv"])
        self.credit_uses = _by("booking", tables["credit_uses.csv"])
        self.refunds = self._by_booking("refunds.csv")
        self.disputes = self._by_booking("disputes.csv")
        self.take_backs = _by("booking", tables["take_backs.csv"])
        self.register = [
            row["household"]
            for row in sorted(tables["households.csv"], key=lambda row: int(row["place"]))
        ]

    def _by_booking(self, table: str) -> dict[Any, list[Row]]:
        found: dict[Any, list[Row]] = defaultdict(list)
        for row in self.tables[table]:
            payment = self.capture.get((row["provider"], row["payment"]))
            if payment is not None:
                found[payment["booking"]].append(row)
        return found

    # --- a booking's money -----------------------------------------------------------------------

    def bought(self, row: Row) -> bool:
        """Whether the payment that a refund or dispute is about bought its booking."""
        payment = self.capture.get((row["provider"], row["payment"]))
        return payment is not None and bool(payment["buys"])

    def kept(self, booking: str) -> int:
        """What was taken for a booking and is there for the trip."""
        came = sum(row["amount"] for row in self.captures[booking] if row["buys"])
        came += sum(row["amount"] for row in self.credit_uses[booking])
        went = sum(row["amount"] for row in self.credits[booking])
        for row in self.refunds[booking]:
            if self.bought(row) and not row["was_split"]:
                went += row["amount"]
        for row in self.disputes[booking]:
            if self.bought(row) and not row["was_split"] and row["state"] != "open":
                went += row["fund"] if row["state"] == "won" else row["reserved"]
        return int(came - went)

    def fees(self, booking: str) -> int:
        """What providers kept of it, less what they gave back, and what disputes cost before the split."""
        fees = sum(row["fee"] or 0 for row in self.captures[booking] if row["buys"])
        for row in self.disputes[booking]:
            if self.bought(row) and not row["was_split"]:
                fees += row["fee"]
        for row in self.refunds[booking]:
            if self.bought(row):
                fees -= row["fee_returned"]
        return int(fees)

    # --- what splits and sharing-outs are computed from ------------------------------------------

    def bookings_of(self, departure: int) -> list[Booking]:
        """The facts of each split of a departure: of paid bookings, and of cancelled ones that left some."""
        found: list[Booking] = []
        cancelled: list[int] = []
        service_on = self.departure[departure]["service_on"]
        for row in self.on_departure[departure]:
            policy, name = self.policies.get(row["policy"]), row["booking"]
            if row["state"] not in ("confirmed", "settled", "cancelled"):
                continue
            kept, fee = self.kept(name), self.fees(name)
            if row["state"] == "cancelled" and kept <= 0:
                continue
            if policy is None:
                raise CannotCompute("policy")
            if row["state"] == "cancelled":
                left = kept - rules.intermediary_of(kept, policy).amount
                cancelled.append(len(found))
                booking = Booking(name, service_on, kept, min(fee, left), [], policy)
                found.append(booking)
                continue
            bearer = row["bearer"] if row["bearer"] in rules.ORDER and row["discount"] else ""
            costs = [(each["code"], each["amount"]) for each in self.costs[name]]
            discount = row["discount"] if bearer else 0
            whole = Booking(name, service_on, max(0, kept), fee, costs, policy, discount, bearer)
            found.append(rules.if_short(whole, row["price"]))
        available = [
            max(
                0,
                each.captured - each.fee - rules.intermediary_of(each.captured, each.policy).amount,
            )
            for each in (found[number] for number in cancelled)
        ]
        drawn = rules.draw(sum(self.preparation_of(departure).values()), available)
        for number, amount in zip(cancelled, drawn):  # noqa: B905  (older Pythons lack `strict`)
            found[number] = found[number]._replace(preparation=amount)
        return found

    def preparation_of(self, departure: int) -> dict[str, int]:
        """What each household prepared, in the register's order."""
        costs = {
            code: sum(row["cost"] for row in self.prepared[departure] if row["household"] == code)
            for code in self.register
        }
        return {code: cost for code, cost in costs.items() if cost}

    def sharing_of(self, departure: int, bookings: list[Booking]) -> Departure:
        row = self.departure[departure]
        number, day = row["settlement"], row["service_on"]
        work = [
            (each["household"], each["task"], each["units"], each["minutes"])
            for each in self.work[departure]
        ]
        worked = {household for household, *_what in work}
        paid = sum(booking.preparation for booking in bookings)
        dividends = rules.money_by_policy(bookings, "dividend")
        has_owners = any(amount for _policy, amount in dividends)
        return Departure(
            departure=departure,
            service_on=day,
            number=number,
            pools=rules.money_by_policy(bookings, "provider"),
            work=work,
            register=[code for code in self.register if code in worked],
            prepared=rules.pay_preparation(self.preparation_of(departure), paid, number),
            dividends=dividends,
            shares=self.shares_on(row["experience"], day) if has_owners else {},
            members=self.members_on(day) if has_owners else [],
        )

    def members_on(self, day: str) -> list[str]:
        rows = sorted(self.tables["households.csv"], key=lambda row: int(row["place"]))
        return [
            row["household"]
            for row in rows
            if row["active_from"] <= day and (not row["active_until"] or day < row["active_until"])
        ]

    def shares_on(self, experience: int, day: str) -> dict[str, int]:
        """What each household held that day of what the experience is owned by."""
        for row in self.tables["assets.csv"]:
            if row["experience"] == experience:
                own = self._held(row["asset"], day)
                if own:
                    return own
        used = [
            row["asset"]
            for row in sorted(self.tables["uses.csv"], key=lambda row: str(row["effective_on"]))
            if row["experience"] == experience
            and row["decision"] == "confirmed"
            and row["effective_on"] <= day
        ]
        return self._held(used[-1], day) if used and used[-1] is not None else {}

    def _held(self, asset: int, day: str) -> dict[str, int]:
        held: dict[str, int] = defaultdict(int)
        for row in self.tables["shares.csv"]:
            is_it = row["asset"] == asset and row["decision"] == "confirmed"
            if is_it and row["effective_on"] <= day:
                if row["source"]:
                    held[row["source"]] -= row["shares"]
                if row["target"]:
                    held[row["target"]] += row["shares"]
        return {code: held[code] for code in sorted(held) if held[code]}

    def losses_of(self, booking: str) -> list[rules.Loss]:
        """Each change of what a booking has lost, with who bore what before it."""
        found: list[rules.Loss] = []
        earlier: list[tuple[str, str, int]] = []
        for row in self.take_backs[booking]:
            turn, shares = self._shares_at(booking, row["found_at"])
            about = (row["number"], row["lost"], row["cost"])
            loss = rules.Loss(booking, *about, shares, list(earlier), turn, row["found_on"])
            found.append(loss)
            earlier += rules.bear(loss)
        return found

    def _shares_at(self, booking: str, at: str) -> tuple[int, dict[str, int]]:
        departure = self.departure[self.booking[booking]["departure"]]
        if departure["settlement"] is None or departure["settled_at"] > at:
            return 0, {}
        bookings = self.bookings_of(departure["departure"])
        sharing = self.sharing_of(departure["departure"], bookings)
        own = [each for each in bookings if each.reference == booking]
        shares = rules.shares_of(own[0], sharing) if own else {}
        return departure["settlement"], shares


def _by(column: str, rows: list[Row]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return found


# --- the entries of money ------------------------------------------------------------------------


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _text(kind: str, told: Row) -> str:
    """Facts as text: one a line; what is None is left out."""
    lines = [
        f"cbt-{kind}/1",
        *(f"{key}:{value}" for key, value in told.items() if value is not None),
    ]
    return "".join(line + "\n" for line in lines)


def _entry(kind: str, told: Row, subject: str, name: str, on: str, legs: list[Leg]) -> Expected:
    moved = [leg for leg in legs if leg[2]]
    return Expected(kind, subject, on, f"{kind}:{name}", moved, "", digest(_text(kind, told)))


def money_entries(records: Records) -> Iterator[Expected]:
    """Payments, fees, refunds, disputes, credits, cash, and what providers and banks moved."""
    for row in records.tables["captures.csv"]:
        yield from _of_capture(row)
    yield from _of_refunds(records)
    for row in records.tables["disputes.csv"]:
        payment = records.capture.get((row["provider"], row["payment"]))
        if payment is not None:
            yield from _of_dispute(row, payment["booking"])
    yield from _of_credits(records)
    yield from _of_cash(records)
    yield from _of_accounts(records)


def _of_capture(row: Row) -> Iterator[Expected]:
    subject, name = f"booking:{row['booking']}", f"{row['provider']}:{row['payment']}"
    about = {
        "reference": row["booking"],
        "provider": row["provider"],
        "payment_id": row["payment"],
    }
    account = f"payment:{row['provider']}"
    told = {**about, "amount_satang": row["amount"], "paid_on": row["paid_on"]}
    legs: list[Leg] = [(account, "guest_deposit", row["amount"], "captured")]
    yield _entry("capture", told, subject, name, row["paid_on"], legs)
    if row["fee"]:
        told = {**about, "fee_satang": row["fee"], "reported_on": row["fee_on"]}
        legs = [("payment_fee", account, row["fee"], "fee")]
        yield _entry("fee", told, subject, name, row["fee_on"] or "", legs)


def _of_refunds(records: Records) -> Iterator[Expected]:
    """Each time that a refund was made, each time that it came back, and what the bank paid instead."""
    returns: dict[Any, list[Row]] = defaultdict(list)
    for row in records.tables["refund_returns.csv"]:
        returns[row["provider"], row["payment"], row["number"]].append(row)
    for row in records.tables["refunds.csv"]:
        payment = records.capture.get((row["provider"], row["payment"]))
        if payment is None:
            continue
        booking, fee_before = payment["booking"], 0
        came_back = returns[row["provider"], row["payment"], row["number"]]
        for each in came_back:
            yield _refund(row, booking, each, each["returned"] - 1)
            yield _refund_return(row, booking, each)
            fee_before += each["fee_returned"]
        if row["state"] == "succeeded":
            made = {**row, "fee_returned": row["fee_returned"] - fee_before}
            yield _refund(row, booking, made, len(came_back))
        if row["by_dispute"] and not row["was_split"]:
            yield _refund_by_bank(row, booking)


def _refund(row: Row, booking: str, made: Row, returned: int) -> Expected:
    provider, paid_from = row["provider"], made["paid_from"] or row["provider"]
    told = {
        "reference": booking,
        "provider": provider,
        "payment_id": row["payment"],
        "number": row["number"],
        "amount_satang": made["amount"],
        "fee_returned_satang": made["fee_returned"],
        "made_on": made["made_on"],
        "paid_from": paid_from if paid_from != provider else None,
        "returned": returned or None,
        "was_split": row["was_split"] or None,
    }
    account = f"payment:{paid_from}"
    source = "given_back" if row["was_split"] else "guest_deposit"
    legs: list[Leg] = [
        (source, account, made["amount"], "refunded"),
        (account, "payment_fee", made["fee_returned"], "fee_returned"),
    ]
    name = f"{provider}:{row['payment']}:{row['number']}" + (f":{returned}" if returned else "")
    return _entry("refund", told, f"booking:{booking}", name, made["made_on"] or "", legs)


def _refund_return(row: Row, booking: str, back: Row) -> Expected:
    told = {
        "reference": booking,
        "provider": row["provider"],
        "payment_id": row["payment"],
        "number": row["number"],
        "returned": back["returned"],
        "amount_satang": back["amount"],
        "paid_from": back["paid_from"],
        "returned_on": back["returned_on"],
        "was_split": row["was_split"] or None,
    }
    target = "given_back" if row["was_split"] else "guest_deposit"
    legs: list[Leg] = [(f"payment:{back['paid_from']}", target, back["amount"], "refund_came_back")]
    name = f"{row['provider']}:{row['payment']}:{row['number']}:{back['returned']}"
    return _entry("refund_return", told, f"booking:{booking}", name, back["returned_on"], legs)


def _refund_by_bank(row: Row, booking: str) -> Expected:
    told = {
        "reference": booking,
        "provider": row["provider"],
        "payment_id": row["payment"],
        "number": row["number"],
        "amount_satang": row["amount"],
        "dispute": row["by_dispute"],
        "noted_on": row["by_bank_on"],
    }
    legs: list[Leg] = [("guest_deposit", "given_back", row["amount"], "refund_by_bank")]
    name = f"{row['provider']}:{row['payment']}:{row['number']}"
    return _entry("refund_by_bank", told, f"booking:{booking}", name, row["by_bank_on"] or "", legs)


def _of_dispute(row: Row, booking: str) -> Iterator[Expected]:
    provider, amount = row["provider"], row["amount"]
    account, name = f"payment:{provider}", f"{provider}:{row['dispute']}"
    subject = f"booking:{booking}"
    about = {"reference": booking, "provider": provider, "dispute": row["dispute"]}
    told = {**about, "amount_satang": amount, "opened_on": row["opened_on"]}
    legs: list[Leg] = [("disputed", account, amount, "disputed")]
    yield _entry("dispute", told, subject, name, row["opened_on"], legs)
    if row["fee"]:
        told = {**about, "fee_satang": row["fee"], "was_split": row["was_split"]}
        told["opened_on"] = row["opened_on"]
        cost = "given_back" if row["was_split"] else "payment_fee"
        legs = [(cost, account, row["fee"], "dispute_fee")]
        yield _entry("dispute_fee", told, subject, name, row["opened_on"], legs)
    if row["closed_on"] is None:
        return
    deposit, credit = 0 if row["was_split"] else row["reserved"], row["credit"]
    told = {**about, "amount_satang": amount, "deposit_satang": deposit}
    told |= {"closed_on": row["closed_on"], "credit_satang": credit or None}
    if row["state"] == "won" and row["reinstated_on"] is None:
        legs = [(account, "disputed", amount, "dispute_won")]
        yield _entry("dispute_won", told, subject, name, row["closed_on"], legs)
        return
    legs = [
        ("guest_deposit", "disputed", deposit, "dispute_lost"),
        ("guest_credit", "disputed", credit, "dispute_lost"),
        ("given_back", "disputed", amount - deposit - credit, "dispute_lost"),
    ]
    yield _entry("dispute_lost", told, subject, name, row["closed_on"], legs)
    if row["reinstated_on"] is not None:
        fund = row["fund"]
        into = deposit - fund + row["covered"]
        told = {**about, "amount_satang": amount, "deposit_satang": into, "credit_satang": credit}
        told |= {"fund_satang": fund, "reinstated_on": row["reinstated_on"]}
        rest = amount - into - credit - fund
        legs = [
            (account, "guest_deposit", into, "dispute_reinstated"),
            (account, "guest_credit", credit, "dispute_reinstated"),
            (account, "fund:mgmt", fund, "dispute_reinstated"),
            (account, "given_back", rest, "dispute_reinstated"),
        ]
        on = row["reinstated_on"]
        yield _entry("dispute_reinstated", told, subject, name, on, legs)


def _of_credits(records: Records) -> Iterator[Expected]:
    for row in records.tables["credits.csv"]:
        told = {"reference": row["booking"], "credit_id": row["credit"]}
        told |= {"amount_satang": row["amount"], "issued_on": row["issued_on"]}
        legs: list[Leg] = [("guest_deposit", "guest_credit", row["amount"], "credited")]
        subject = f"booking:{row['booking']}"
        yield _entry("credit", told, subject, str(row["credit"]), row["issued_on"], legs)
    for row in records.tables["credit_uses.csv"]:
        told = {"reference": row["booking"], "credit_id": row["credit"], "number": row["number"]}
        told |= {"amount_satang": row["amount"], "used_on": row["used_on"]}
        legs = [("guest_credit", "guest_deposit", row["amount"], "credit_used")]
        subject = f"booking:{row['booking']}"
        name = f"{row['credit']}:{row['booking']}:{row['number']}"
        yield _entry("credit_use", told, subject, name, row["used_on"], legs)


def _of_cash(records: Records) -> Iterator[Expected]:
    for row in records.tables["cash_counts.csv"]:
        over = row["counted"] - row["expected"]
        told = {"count_id": row["count"], "expected_satang": row["expected"]}
        told |= {"counted_satang": row["counted"], "agreed_on": row["agreed_on"]}
        box, other = "payment:cash", "cash_difference"
        legs: list[Leg] = [
            (box, other, over, "cash_difference")
            if over > 0
            else (other, box, -over, "cash_difference")
        ]
        name = str(row["count"])
        yield _entry("cash_count", told, f"cash_count:{name}", name, row["agreed_on"], legs)
    for row in records.tables["cash_banked.jsonl"]:
        name, amount = str(row["banked"]), row["amount"]
        told = {"banked_id": row["banked"], "amount_satang": amount}
        told |= {"bank_reference": row["reference"], "banked_on": row["banked_on"]}
        legs = [("cash_on_the_way", "payment:cash", amount, "banked")]
        yield _entry("cash_banked", told, f"cash_banked:{name}", name, row["banked_on"], legs)
        if row["cleared_on"] is not None:
            told = {"banked_id": row["banked"], "amount_satang": amount}
            told |= {"is_back": row["is_back"], "cleared_on": row["cleared_on"]}
            account = "payment:cash" if row["is_back"] else "payment:promptpay"
            rule = "cash_back" if row["is_back"] else "cash_arrived"
            legs = [(account, "cash_on_the_way", amount, rule)]
            yield _entry(
                "cash_cleared", told, f"cash_cleared:{name}", name, row["cleared_on"], legs
            )


def _of_accounts(records: Records) -> Iterator[Expected]:
    for row in records.tables["provider_payouts.csv"]:
        account, subject = f"payment:{row['provider']}", f"payout:{row['payout']}"
        name = f"{row['provider']}:{row['payout']}"
        about = {"provider": row["provider"], "payout_id": row["payout"]}
        about["amount_satang"] = row["amount"]
        legs: list[Leg] = [("payment:promptpay", account, row["amount"], "paid_out")]
        on = row["arrives_on"]
        yield _entry("payout", {**about, "on": on}, subject, name, on, legs)
        if row["failed_on"] is not None:
            on = row["failed_on"]
            legs = [(account, "payment:promptpay", row["amount"], "payout_returned")]
            yield _entry("payout_failed", {**about, "on": on}, subject, name, on, legs)
    for row in records.tables["unexplained.csv"]:
        account, subject = f"payment:{row['provider']}", f"transaction:{row['transaction']}"
        name = f"{row['provider']}:{row['transaction']}"
        about = {"provider": row["provider"], "transaction_id": row["transaction"]}
        told = {**about, "amount_satang": row["amount"], "moved_on": row["moved_on"]}
        legs = [_signed(account, "suspense", row["amount"], "unexplained")]
        yield _entry("suspense", told, subject, name, row["moved_on"], legs)
        if row["cleared_on"] is not None:
            told = {**about, "amount_satang": row["cleared"], "how": row["how"]}
            told["cleared_on"] = row["cleared_on"]
            other = "payment:promptpay" if row["how"] == "returned" else "fund:mgmt"
            rule = f"suspense_{row['how']}"
            legs = [_signed("suspense", other, row["cleared"] or 0, rule)]
            on = row["cleared_on"]
            yield _entry("suspense_cleared", told, subject, name, on, legs)


def _signed(source: str, target: str, amount: int, rule: str) -> Leg:
    return (source, target, amount, rule) if amount > 0 else (target, source, -amount, rule)


# --- the entries after the sharing-out -----------------------------------------------------------


def split_entry(booking: Booking) -> Expected:
    legs = rules.split_legs(booking)
    key, subject = f"split:{booking.reference}", f"booking:{booking.reference}"
    text = digest(rules.split_text(booking))
    return Expected("split", subject, booking.service_on, key, legs, booking.policy.sha, text)


def sharing_entry(facts: Departure) -> Expected:
    policies = ",".join(policy.sha for policy, _pool in facts.pools)
    key, subject = f"sharing_out:{facts.departure}", f"departure:{facts.departure}"
    legs, text = rules.sharing_legs(facts), digest(rules.sharing_text(facts))
    return Expected("sharing_out", subject, facts.service_on, key, legs, policies, text)


def loss_entry(loss: rules.Loss) -> Expected:
    key, subject = f"take_back:{loss.reference}:{loss.number}", f"booking:{loss.reference}"
    text = digest(rules.loss_text(loss))
    return Expected("take_back", subject, loss.found_on, key, rules.loss_legs(loss), "", text)


def recovery_entry(row: Row) -> Expected:
    code, key = row["household"], f"recovery:{row['recovery']}"
    source, target = f"household:{code}", f"receivable:{code}"
    legs: list[Leg] = [(source, target, row["amount"], f"recovered:{row['kind']}")]
    return Expected("recovery", f"household:{code}", row["recovered_on"], key, legs)


def correction_entry(row: Row) -> Expected:
    kind, _colon, code = row["source"].partition(":")
    source = f"receivable:{code}" if kind == "household" else row["source"]
    key = f"correction:{row['correction']}"
    lines = ["cbt-correction/1", key, f"from:{row['source']}", f"to:{row['target']}"]
    lines += [f"amount:{row['amount']}", f"reason:{row['reason']}"]
    lines.append(f"concerns_on:{row['concerns_on']}")
    text = digest("".join(line + "\n" for line in lines))
    legs: list[Leg] = [(source, row["target"], row["amount"], "corrected")]
    return Expected("correction", key, row["decided_on"], key, legs, "", text)


def payout_entry(step: Row, household: str) -> Expected:
    owed, way, number = f"household:{household}", "payout_transit", step["payout"]
    account = f"payment:{step['paid_from']}" if step["paid_from"] else ""
    ways = {
        "ordered": (owed, way),
        "paid": (way, account),
        "stopped": (way, owed),
        "returned": (account, owed),
    }
    if step["step"] not in ways:
        raise CannotCompute("step")
    legs: list[Leg] = [(*ways[step["step"]], step["amount"], f"payout:{number}")]
    kind = f"payout_{step['step']}"
    return Expected(kind, f"household:{household}", step["on"], f"{kind}:{number}", legs)


def fund_entry(row: Row) -> Expected:
    fund, event = f"fund:{row['fund']}", row["event"]
    money = f"payment:{row['account']}" if row["account"] else ""
    ways = {
        "contribution": (money, fund),
        "claim_paid": (fund, money),
        "loan_paid": ("loans", money),
        "loan_repaid": (money, "loans"),
        "loan_waived": (fund, "loans"),
    }
    if event not in ways:
        raise CannotCompute("event")
    legs: list[Leg] = [(*ways[event], row["amount"], f"fund:{event}")]
    return Expected(event, fund, row["on"], f"{event}:{row['number']}", legs)
