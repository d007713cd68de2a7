"""What can be done to a bundle, and which check of the offline verifier must say so.

Each has a name, what is done to the bundle taken apart, the check that must fire, and those that fire
with it: these, and no others. "periods" and "statements" fire with whatever changes the chain's head or a
household's money, since both were signed; "losses" with whatever changes the shares that bore one. The manifest is made anew each time: nothing is found by its hashes alone.
"""

from hashlib import sha256

TABLE = {}


def corruption(name, fires, *companions):
    def keep(alter):
        assert name not in TABLE
        TABLE[name] = (alter, {fires, *companions})
        return alter

    return keep


def legs_of(box, kind):
    seqs = [row["seq"] for row in box.rows["entries.csv"] if row["kind"] == kind]
    return [row for row in box.rows["legs.csv"] if row["entry"] == seqs[0]]


def reseal(box, period):
    """Seal a period's record anew; nobody's signature holds over it."""
    digest = sha256(period["record"].encode()).hexdigest()
    lines = period["seal"].splitlines()
    lines[3] = f"record:{digest}"
    period["seal"] = "".join(line + "\n" for line in lines)


# --- the chain -----------------------------------------------------------------------------------


@corruption(
    "a leg raised by a satang", "chain", "legs", "balances", "sharing", "periods", "statements"
)
def _(box):
    box.add_to(legs_of(box, "sharing_out")[0], "amount", 1)


@corruption("an entry dropped with its legs", "chain", "balances", "deposits", "splits", "periods")
def _(box):
    seq = box.one("entries.csv", kind="split")["seq"]
    box.drop("entries.csv", seq=seq)
    box.rows["legs.csv"] = [row for row in box.rows["legs.csv"] if row["entry"] != seq]


@corruption("two entries swapped", "chain")
def _(box):
    rows = box.rows["entries.csv"]
    rows[3], rows[4] = rows[4], rows[3]


@corruption("two entries exchange their numbers", "chain", "legs", "money")
def _(box):
    rows = box.rows["entries.csv"]
    rows[0]["seq"], rows[1]["seq"] = rows[1]["seq"], rows[0]["seq"]


@corruption("the tail cut off", "chain", "balances", "funds", "periods")
def _(box):
    last = box.rows["entries.csv"].pop()["seq"]
    box.rows["legs.csv"] = [row for row in box.rows["legs.csv"] if row["entry"] != last]


@corruption("the tail cut off and the head put back", "periods", "funds")
def _(box):
    last = box.rows["entries.csv"].pop()["seq"]
    box.rows["legs.csv"] = [row for row in box.rows["legs.csv"] if row["entry"] != last]
    box.rechain()
    box.settle_accounts()


@corruption("the hash before an entry changed", "chain")
def _(box):
    box.rows["entries.csv"][5]["previous"] = "0" * 64


@corruption("another actor put into an entry", "chain")
def _(box):
    box.one("entries.csv", kind="split")["actor"] = "person:999"


@corruption("an entry said to be recorded after the close", "periods", "chain")
def _(box):
    box.rows["entries.csv"][0]["recorded_at"] = "2027-01-01T00:00:00.000000Z"


@corruption("another founding", "chain")
def _(box):
    box.manifest["founding"] = "community:elsewhere"


# --- balanced, and wrong -------------------------------------------------------------------------


@corruption(
    "a satang moved between two households, the chain recomputed",
    "sharing",
    "balances",
    "payouts",
    "periods",
    "statements",
)
def _(box):
    one, two = legs_of(box, "sharing_out")[2:4]
    box.add_to(one, "amount", 1)
    box.add_to(two, "amount", -1)
    box.rechain()
    box.settle_accounts()


@corruption("a satang moved between two funds, the chain recomputed", "splits", "periods")
def _(box):
    funds = [leg for leg in legs_of(box, "split") if leg["target"].startswith("fund:")]
    box.add_to(funds[0], "amount", 1)
    box.add_to(funds[1], "amount", -1)
    box.rechain()
    box.settle_accounts()


@corruption("two legs in another order, the chain recomputed", "splits", "periods")
def _(box):
    one, two = legs_of(box, "split")[:2]
    for column in ("source", "target", "amount", "rule"):
        one[column], two[column] = two[column], one[column]
    box.rechain()


@corruption("a leg's reason changed, the chain recomputed", "splits", "periods")
def _(box):
    legs_of(box, "split")[-1]["rule"] = "bucket:revolve:500bp"
    box.rechain()


@corruption("a leg from an account to itself", "legs", "balances", "money", "deposits", "periods")
def _(box):
    leg = legs_of(box, "capture")[0]
    leg["target"] = leg["source"]
    box.rechain()
    box.settle_accounts()


@corruption("a leg into an account that nobody opened", "legs", "balances", "splits", "periods")
def _(box):
    legs_of(box, "split")[-1]["target"] = "fund:mine"
    box.rechain()


@corruption("an entry that no fact calls for", "entries")
def _(box):
    last = box.rows["entries.csv"][-1]
    seq = str(int(last["seq"]) + 1)
    about = {"seq": seq, "kind": "gift", "subject": "gift:1", "key": "gift:1", "input": ""}
    box.rows["entries.csv"].append({**last, **about})
    leg = {"entry": seq, "line": "1", "source": "fund:mgmt", "target": "household:H05"}
    box.rows["legs.csv"].append({**leg, "amount": "100", "rule": "gift"})
    box.rechain()
    box.settle_accounts()


@corruption("a split posted twice", "entries", "deposits")
def _(box):
    entry = box.one("entries.csv", kind="split")
    seq = str(int(box.rows["entries.csv"][-1]["seq"]) + 1)
    legs = [row for row in box.rows["legs.csv"] if row["entry"] == entry["seq"]]
    box.rows["entries.csv"].append({**entry, "seq": seq})
    box.rows["legs.csv"] += [{**leg, "entry": seq} for leg in legs]
    box.rechain()
    box.settle_accounts()


@corruption("a split by another policy's hash, the chain recomputed", "splits", "periods")
def _(box):
    box.one("entries.csv", kind="split")["policy"] = "f" * 64
    box.rechain()


# --- balances ------------------------------------------------------------------------------------


@corruption("an opening invented", "balances", "periods")
def _(box):
    box.add_to(box.one("accounts.csv", account="payment:promptpay"), "opening", 100)
    box.add_to(box.one("accounts.csv", account="payment:promptpay"), "closing", 100)


@corruption("a closing changed", "balances")
def _(box):
    box.add_to(box.one("accounts.csv", account="fund:mgmt"), "closing", -5)


@corruption("a fund that may go below zero", "balances")
def _(box):
    box.one("accounts.csv", account="fund:welfare")["may_go_negative"] = "1"


@corruption("a deposit invented", "deposits")
def _(box):
    box.rows["deposits.csv"].append({"booking": "B-XXXXXX", "opening": "100"})


# --- policies ------------------------------------------------------------------------------------


@corruption("a policy's text changed", "policies", "splits", "sharing", "losses")
def _(box):
    policy = box.rows["policies.jsonl"][0]
    policy["text"] = policy["text"].replace("bucket: mgmt 700", "bucket: mgmt 701")


@corruption(
    "a policy's text and identity changed everywhere but in the chain",
    "splits",
    "sharing",
    "losses",
)
def _(box):
    policy = box.rows["policies.jsonl"][0]
    old = policy["sha256"]
    policy["text"] = policy["text"].replace("bucket: mgmt 700", "bucket: mgmt 600")
    policy["text"] = policy["text"].replace("bucket: provider 7000", "bucket: provider 7100")
    policy["sha256"] = sha256(policy["text"].encode()).hexdigest()
    for row in box.rows["bookings.csv"]:
        row["policy"] = policy["sha256"] if row["policy"] == old else row["policy"]


@corruption("a policy adopted after its bookings were sold", "policies")
def _(box):
    box.rows["policies.jsonl"][0]["recorded_at"] = "2026-11-30T00:00:00.000000Z"


@corruption("a policy in force before it was adopted", "policies")
def _(box):
    box.rows["policies.jsonl"][0]["adopted_on"] = "2026-06-01"


@corruption("a vote that was no majority", "policies")
def _(box):
    box.rows["policies.jsonl"][0]["voted_for"] = 2


@corruption("a policy that is not what was proposed", "policies")
def _(box):
    box.rows["policies.jsonl"][0]["proposal"] = "e" * 64


# --- facts ---------------------------------------------------------------------------------------


@corruption("units of work raised", "sharing", "losses")
def _(box):
    box.one("work.csv", task="guide")["units"] = "2"


@corruption("minutes of work changed, which move no money", "sharing")
def _(box):
    box.one("work.csv", task="guide")["minutes"] = "61"


@corruption("work said to be another household's", "sharing", "losses")
def _(box):
    box.one("work.csv", task="guide")["household"] = "H04"


@corruption("work of a household that was no member", "work", "sharing")
def _(box):
    box.one("households.csv", household="H02")["active_until"] = "2026-11-01"


@corruption("a record of work dropped", "sharing", "losses")
def _(box):
    box.drop("work.csv", task="cook")


@corruption("the settlement's number changed: another's turn", "sharing", "losses")
def _(box):
    box.one("departures.csv", settlement="1")["settlement"] = "2"


@corruption("a preparation raised", "splits", "sharing")
def _(box):
    box.add_to(box.rows["preparation.csv"][0], "cost", 1)


@corruption("shares in a boat raised", "sharing", "losses")
def _(box):
    box.one("shares.csv", kind="transfer")["shares"] = "5"


@corruption("more shares passed on than held", "work", "sharing", "losses")
def _(box):
    box.one("shares.csv", kind="transfer")["shares"] = "14"


@corruption("a payment raised", "money", "splits", "sharing", "losses")
def _(box):
    box.add_to(box.rows["captures.csv"][2], "amount", 100)


@corruption("a payment taken out", "entries", "splits", "sharing", "losses", "numbers")
def _(box):
    del box.rows["captures.csv"][2]


@corruption(
    "a payment taken out of facts and books",
    "numbers",
    "chain",
    "balances",
    "deposits",
    "splits",
    "sharing",
    "losses",
    "periods",
)
def _(box):
    gone = box.rows["captures.csv"].pop(2)
    keys = {f"{kind}:{gone['provider']}:{gone['payment']}" for kind in ("capture", "fee")}
    seqs = {row["seq"] for row in box.rows["entries.csv"] if row["key"] in keys}
    box.rows["entries.csv"] = [r for r in box.rows["entries.csv"] if r["seq"] not in seqs]
    box.rows["legs.csv"] = [r for r in box.rows["legs.csv"] if r["entry"] not in seqs]
    box.rechain()
    box.settle_accounts()


@corruption("a provider's fee lowered", "money", "splits", "sharing")
def _(box):
    box.add_to(box.rows["captures.csv"][2], "fee", -1)


@corruption("an outside cost lowered", "splits", "sharing", "losses")
def _(box):
    box.add_to(box.rows["costs.csv"][2], "amount", -100)


@corruption("a refund said to be twice as large", "money", "deposits")
def _(box):
    box.one("refunds.csv", was_split="0")["amount"] = "180000"


@corruption("a refund moved to another day", "money")
def _(box):
    box.one("refunds.csv", was_split="0")["made_on"] = "2026-11-26"


@corruption("a return of a refund taken out", "money", "entries")
def _(box):
    box.rows["refund_returns.csv"].clear()


@corruption("a lost dispute said to be won", "money", "entries")
def _(box):
    box.rows["disputes.csv"][0]["state"] = "won"


@corruption("a credit raised", "money", "deposits")
def _(box):
    box.add_to(box.rows["credits.csv"][0], "amount", 100)


@corruption("cash brought to the bank said to be back in the box", "money")
def _(box):
    box.rows["cash_banked.jsonl"][0]["is_back"] = 1


@corruption("a price that is not the sum of its lines", "prices")
def _(box):
    box.add_to(box.rows["bookings.csv"][0], "price", -1)


@corruption("a booking said to be cancelled", "splits", "sharing", "losses")
def _(box):
    box.one("bookings.csv", state="settled")["state"] = "cancelled"


# --- after the sharing-out -----------------------------------------------------------------------


@corruption("a loss lowered", "losses")
def _(box):
    box.add_to(box.rows["take_backs.csv"][0], "lost", -1)


@corruption("a loss numbered anew", "losses", "entries")
def _(box):
    box.rows["take_backs.csv"][0]["number"] = "2"


@corruption("a correction by one person", "people")
def _(box):
    row = box.rows["corrections.csv"][0]
    row["decided_by"] = row["asked_by"]


@corruption("a correction's reason exchanged", "losses")
def _(box):
    box.rows["corrections.csv"][0]["reason"] = "a" * 64


@corruption("a payout raised", "payouts")
def _(box):
    box.add_to(box.one("payout_steps.csv", payout="1", step="paid"), "amount", 100)


@corruption("a payout's return taken out", "entries")
def _(box):
    box.drop("payout_steps.csv", step="returned")


@corruption("more paid out than was owed", "payouts", "balances", "periods", "statements")
def _(box):
    for row in [box.one("payouts.csv", payout="1"), *box.rows["payout_steps.csv"]]:
        if row["payout"] == "1":
            row["amount"] = "9999900"
    for entry in box.rows["entries.csv"]:
        if entry["key"] in ("payout_ordered:1", "payout_paid:1"):
            for leg in box.rows["legs.csv"]:
                if leg["entry"] == entry["seq"]:
                    leg["amount"] = "9999900"
    box.rechain()
    box.settle_accounts()


@corruption("a batch drafted and approved by one", "people")
def _(box):
    for row in box.rows["payouts.csv"]:
        row["decided_by"] = row["drafted_by"]


@corruption("a welfare claim with one approval", "funds")
def _(box):
    box.drop("fund_approvals.csv", what="claim")


@corruption("a loan approved by who asked for it", "funds")
def _(box):
    row = box.one("fund_approvals.csv", what="loan")
    row["person"] = box.one("fund_requests.csv", what="loan")["requested_by"]


@corruption("a claim without its request", "funds")
def _(box):
    box.drop("fund_requests.csv", what="claim")


@corruption("a fund's use taken out of the records", "entries")
def _(box):
    box.drop("fund_events.csv", event="claim_paid")


@corruption("a fund taken below zero", "funds", "balances", "periods")
def _(box):
    row = box.one("fund_events.csv", event="claim_paid")
    row["amount"] = "990000"
    seq = box.one("entries.csv", kind="claim_paid")["seq"]
    box.one("legs.csv", entry=seq)["amount"] = "990000"
    box.rechain()
    box.settle_accounts()


@corruption("an entry said to be an earlier bundle's", "entries", "deposits")
def _(box):
    row = box.one("entries.csv", kind="capture")
    box.rows["earlier.csv"].append({"key": row["key"], "entry": row["seq"]})


# --- the closed month ----------------------------------------------------------------------------


@corruption("a figure of the snapshot changed", "periods")
def _(box):
    box.add_to(box.one("balances.csv", account="fund:mgmt"), "closing", 1)


@corruption("a statement rewritten", "statements")
def _(box):
    row = box.rows["statements.jsonl"][0]
    row["text"] = row["text"].replace("earned:", "earned:1")


@corruption("a leaf exchanged", "statements", "periods")
def _(box):
    box.rows["statements.jsonl"][1]["leaf"] = "b" * 64


@corruption("a statement taken out", "statements", "periods")
def _(box):
    box.rows["statements.jsonl"].pop()


@corruption("two statements change places", "statements", "periods")
def _(box):
    one, two = box.rows["statements.jsonl"][:2]
    one["place"], two["place"] = two["place"], one["place"]


@corruption("another community's root", "statements", "periods", "signatures")
def _(box):
    period = box.rows["periods.jsonl"][0]
    root = next(line for line in period["seal"].splitlines() if line.startswith("statements:"))
    for name in ("record", "seal"):
        period[name] = period[name].replace(root, f"statements:{'1' * 64}")
    reseal(box, period)


@corruption("the record rewritten and sealed anew", "signatures")
def _(box):
    period = box.rows["periods.jsonl"][0]
    period["record"] = period["record"].replace("rules:", "rules:0", 1)[:-1] + "\n"
    reseal(box, period)


@corruption("a closed month made to reach less far", "periods")
def _(box):
    period = box.rows["periods.jsonl"][0]
    period["closing_entry"] -= 1


@corruption("prepared and approved by one person", "people", "periods")
def _(box):
    period = box.rows["periods.jsonl"][0]
    period["approved_by"] = period["prepared_by"]


@corruption("a mentor who is the treasurer", "people", "signatures")
def _(box):
    period = box.rows["periods.jsonl"][0]
    box.one("signatures.jsonl", role="mentor")["person"] = period["prepared_by"]


@corruption("the treasurer's signature changed", "signatures")
def _(box):
    box.one("signatures.jsonl", role="treasurer")["signature"] = "A" * 86


@corruption("the platform's signature taken away", "signatures")
def _(box):
    box.drop("signatures.jsonl", role="platform")


@corruption("a key that the platform never took in", "signatures")
def _(box):
    box.one("keys.jsonl", role="mentor")["endorsement"] = "A" * 86


@corruption("the mentor's key said to be the treasurer's", "signatures")
def _(box):
    mentor = box.one("keys.jsonl", role="mentor")
    mentor["role"] = "treasurer"


@corruption("the closed month taken out", "periods", "statements", "signatures")
def _(box):
    for name in ("periods.jsonl", "balances.csv", "statements.jsonl", "signatures.jsonl"):
        box.rows[name].clear()
