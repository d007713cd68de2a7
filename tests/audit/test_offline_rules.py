"""The offline twin and the program's rules agree on random departures, and on what they refuse.

2,000 departures in the plain run, 100,000 with CBT_DEEP=1. Both read the same policy texts; nothing else
is shared.
"""

import random
from collections import Counter
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cbt.audit import offline_books as books
from cbt.audit import offline_rules as twin
from cbt.audit.offline_format import TABLES
from cbt.audit.offline_sign import ORDER, is_signed
from cbt.errors import CbtError
from cbt.revenue import posting
from cbt.revenue.frozen import shares_of
from cbt.revenue.policy import (
    ALWAYS,
    Bucket,
    DividendRule,
    Limits,
    Policy,
    ProviderRule,
    Task,
    canonical,
    find_problems,
    identity,
)
from cbt.revenue.posting import (
    BookingFacts,
    SharingFacts,
    dividends_of,
    of_what_is_left,
    pools_of,
    sharing_draft,
    split_draft,
)
from cbt.revenue.preparation import allot
from cbt.revenue.sharing import Work
from cbt.revenue.split import Borne, Cost, intermediary_satang
from cbt.revenue.taking_back import TakeBackFacts, bear, take_back_draft
from tests.conftest import DEEP
from tests.revenue.test_golden import VECTORS

DEPARTURES = 100_000 if DEEP else 2_000
ON = date(2026, 11, 24)
REGISTER = [f"H{number:02}" for number in range(1, 13)]


# --- random policies and facts -------------------------------------------------------------------


def a_policy(chance):
    """Any policy that may be adopted, of either version."""
    while True:
        made = _one_of_two(chance)
        if not find_problems(made):
            return made


def _one_of_two(chance):
    version = chance.choice((1, 2))
    dividend = chance.choice((None, *DividendRule)) if version == 2 else None
    funds = [bucket for bucket in ALWAYS if bucket != Bucket.PROVIDER]
    funds += [Bucket.DIVIDEND] if dividend else []
    provider = chance.choice((5_000, 7_800, chance.randrange(5_000, 9_999)))
    shares, left = {}, 10_000 - provider
    for bucket in funds[:-1]:
        shares[bucket] = chance.randrange(min(left, 2_500) + 1)
        left -= shares[bucket]
    shares |= {funds[-1]: left, Bucket.PROVIDER: provider}
    shares = {bucket: shares[bucket] for bucket in Bucket if bucket in shares}
    most = chance.choice((100, 5_000, 10**6))
    tasks = chance.sample(list(Task), chance.randrange(1, len(Task) + 1))
    rates = {task: chance.choice((1, 7, 30_000, chance.randrange(1, most + 1))) for task in tasks}
    about = {"name": "random", "intermediary_bp": chance.choice((0, 500, 3_000)), "shares": shares}
    if version == 1:
        return Policy(**about, rates=rates)
    rule = chance.choice(list(ProviderRule))
    given = ALWAYS if rule == ProviderRule.RATES_FIRST else (Bucket.PROVIDER,)
    limited = chance.sample(list(shares), chance.randrange(3))
    return Policy(
        **about,
        rates=rates,
        version=2,
        intermediary_cap_satang=chance.choice((None, chance.randrange(1, most + 1))),
        fixed={b: chance.randrange(1, most + 1) for b in funds if not chance.randrange(4)},
        limits={bucket: _limits(chance, bucket, most) for bucket in limited},
        provider_rule=rule,
        surplus=chance.choice(given),
        dividend_rule=dividend,
    )


def _limits(chance, bucket, most):
    low, high = sorted(chance.randrange(1, most + 1) for _each in range(2))
    if bucket == Bucket.PROVIDER:
        return Limits(floor_satang=low)
    return chance.choice((Limits(low, high), Limits(floor_satang=low), Limits(cap_satang=high)))


def a_departure(chance, number):
    """(booking facts, what each booking's price was, preparation, work, shares, members, number)."""
    policies = [a_policy(chance) for _each in range(chance.choice((1, 1, 1, 2)))]
    bookings, prices, cancelled = [], [], set()
    for place in range(chance.randrange(1, 5)):
        policy = chance.choice(policies)
        captured = chance.choice((0, 1, chance.randrange(5_000), chance.randrange(10**6)))
        reference = f"B-{number}-{place}"
        fee = chance.choice((0, 1, captured // 50, chance.randrange(3_000)))
        price = chance.choice((captured, captured, captured + 1, captured * 2))
        if not chance.randrange(4):
            if captured:
                cancelled.add(reference)
                fee = min(fee, captured - intermediary_satang(captured, policy))
                bookings.append(BookingFacts(reference, ON, captured, fee, (), policy))
                prices.append(captured)
            continue
        costs = tuple(
            Cost(code, chance.choice((1, 2_000, captured // 3)))
            for code in chance.sample(["insurance", "park", "boat"], chance.randrange(3))
        )
        costs = tuple(cost for cost in costs if cost.amount_satang)
        bearer = chance.choice((None, None, *policy.buckets))
        borne = Borne(chance.randrange(1, 20_000), bearer) if bearer else None
        bookings.append(BookingFacts(reference, ON, captured, fee, costs, policy, borne))
        prices.append(price)
    workers = chance.sample(REGISTER, chance.randrange(1, 6))
    work = [
        Work(chance.choice(workers), chance.choice(list(Task)), chance.randrange(1, 9), 60)
        for _each in range(chance.randrange(1, 8))
    ]
    prepared = {code: chance.randrange(1, 20_000) for code in chance.sample(REGISTER, 2)}
    held = {code: chance.randrange(1, 50) for code in chance.sample(REGISTER, chance.randrange(4))}
    members = chance.sample(REGISTER, chance.randrange(1, 12))
    return bookings, prices, cancelled, prepared, tuple(work), held, members


# --- both ways -----------------------------------------------------------------------------------


def by_the_program(drawn, number):
    """(splits, sharing-out, who bears two losses of the first booking) as the program computes them."""
    bookings, prices, cancelled, prepared, work, held, members = drawn
    whole = []
    for facts, price in zip(bookings, prices, strict=True):
        kept = facts.captured_satang - intermediary_satang(facts.captured_satang, facts.policy)
        taken = facts.payment_fee_satang + sum(each.amount_satang for each in facts.costs)
        fits = facts.captured_satang >= price and taken <= kept
        own = fits or facts.reference in cancelled
        whole.append(facts if own else of_what_is_left(facts))
    costs = {code: prepared[code] for code in REGISTER if code in prepared}
    left = [
        max(
            0,
            f.captured_satang
            - f.payment_fee_satang
            - intermediary_satang(f.captured_satang, f.policy),
        )
        for f in whole
        if f.reference in cancelled
    ]
    drawn_on = iter(allot(costs, left, tuple(costs), 0).by_booking)
    whole = [
        posting.replace(f, preparation_satang=next(drawn_on)) if f.reference in cancelled else f
        for f in whole
    ]
    paid = [f.preparation_satang for f in whole if f.preparation_satang]
    dividends = dividends_of(whole)
    has_owners = any(amount for _policy, amount in dividends)
    worked = {each.household for each in work}
    sharing = SharingFacts(
        departure_id=7,
        service_on=ON,
        number=number,
        pools=pools_of(whole),
        work=work,
        register=tuple(code for code in REGISTER if code in worked),
        prepared=tuple(allot(costs, paid, tuple(costs), number).by_household.items()),
        dividends=dividends,
        shares=tuple((code, held[code]) for code in sorted(held)) if has_owners else (),
        members=tuple(code for code in REGISTER if code in members) if has_owners else (),
    )
    drafts = [split_draft(facts, "") for facts in whole] + [sharing_draft(sharing, "")]
    if whole:
        shares, earlier = shares_of(whole[0], sharing), ()
        for place, (lost, cost) in enumerate(((whole[0].captured_satang // 3, 0), (-1, 5)), 1):
            loss = TakeBackFacts("B-1", place, lost, cost, shares, earlier, number, ON)
            drafts.append(take_back_draft(loss, ""))
            earlier = (*earlier, *bear(loss))
    return drafts


def by_the_twin(drawn, number):
    """The same from rows as a bundle has them."""
    bookings, prices, cancelled, prepared, work, held, members = drawn
    tables = {name: [] for name in TABLES}
    tables["departures.csv"] = [
        {"departure": 7, "experience": 3, "service_on": ON.isoformat(), "settlement": number}
    ]
    tables["households.csv"] = [
        {
            "household": code,
            "place": place,
            "active_from": "2026-01-01" if code in members else "2027-01-01",
            "active_until": None,
        }
        for place, code in enumerate(REGISTER)
    ]
    tables["policies.jsonl"] = [
        {"sha256": identity(canonical(p)), "text": canonical(p)}
        for p in {id(f.policy): f.policy for f in bookings}.values()
    ]
    for facts, price in zip(bookings, prices, strict=True):
        name, discount = facts.reference, facts.discount
        tables["bookings.csv"].append(
            {
                "booking": name,
                "departure": 7,
                "state": "cancelled" if name in cancelled else "settled",
                "policy": identity(canonical(facts.policy)),
                "price": price,
                "discount": discount.amount_satang if discount else 0,
                "bearer": str(discount.bearer) if discount else None,
            }
        )
        tables["captures.csv"].append(
            {
                "booking": name,
                "provider": "demo",
                "payment": name,
                "amount": facts.captured_satang,
                "buys": True,
                "fee": facts.payment_fee_satang,
            }
        )
        tables["costs.csv"] += [
            {"booking": name, "code": each.code, "amount": each.amount_satang}
            for each in facts.costs
        ]
    tables["work.csv"] = [
        {
            "departure": 7,
            "household": w.household,
            "task": str(w.task),
            "units": w.units,
            "minutes": w.minutes,
        }
        for w in work
    ]
    tables["preparation.csv"] = [
        {"departure": 7, "household": code, "cost": cost} for code, cost in prepared.items()
    ]
    tables["assets.csv"] = [{"asset": 1, "experience": 3}]
    tables["shares.csv"] = [
        {
            "asset": 1,
            "source": None,
            "target": code,
            "shares": each,
            "effective_on": "2026-01-01",
            "decision": "confirmed",
        }
        for code, each in held.items()
    ]
    records = books.Records(tables)
    found = records.bookings_of(7)
    sharing = records.sharing_of(7, found)
    entries = [books.split_entry(each) for each in found] + [books.sharing_entry(sharing)]
    if found:
        shares, earlier = twin.shares_of(found[0], sharing), []
        for place, (lost, cost) in enumerate(((found[0].captured // 3, 0), (-1, 5)), 1):
            loss = twin.Loss(
                "B-1", place, lost, cost, shares, list(earlier), number, ON.isoformat()
            )
            entries.append(books.loss_entry(loss))
            earlier += twin.bear(loss)
    return entries


def as_plain(draft):
    legs = [(leg.source, leg.target, leg.amount_satang, leg.rule) for leg in draft.legs]
    about = (draft.kind, draft.subject, draft.effective_on.isoformat(), draft.key)
    return (*about, legs, draft.policy_hash, draft.input_hash)


def computed(way, drawn, number):
    """What a way gives, or that it refuses."""
    try:
        return way(drawn, number)
    except (CbtError, twin.CannotCompute):
        return None


def test_both_give_the_same_entries_to_the_last_letter():
    chance = random.Random(20_261_124)
    seen: Counter[str] = Counter()
    for number in range(1, DEPARTURES + 1):
        drawn = a_departure(chance, number)
        program = computed(by_the_program, drawn, number)
        ours = computed(by_the_twin, drawn, number)
        assert (program is None) == (ours is None), (number, drawn)
        if program is None or ours is None:
            seen["refused"] += 1
            continue
        assert [as_plain(each) for each in program] == [tuple(each) for each in ours], number
        for draft in program:
            seen.update(word for leg in draft.legs for word in leg.rule.split(":"))
    words = {"preparation", "cap", "floor", "short", "fixed", "by_work", "rates_first", "surplus"}
    words |= {"by_shares", "equal", "uncovered", "share", "cost", "refused", "intermediary"}
    assert {word for word in words if seen[word] < DEPARTURES // 400} == set(), seen


def test_a_text_that_is_not_written_as_policies_are_is_read_by_neither():
    text = canonical(_one_of_two(random.Random(1)))
    for altered in (
        text[:-1],
        text + "\n",
        text.replace("cbt-policy", "cbt-policies"),
        text.replace("provider_rule: ", "provider_rule:"),
        text + "bucket: mgmt 5\n",
        text.replace("bucket: mgmt", "bucket: nobody"),
        "",
    ):
        with pytest.raises((twin.CannotCompute, ValueError)):
            twin.read_policy(altered)


@pytest.mark.parametrize("number", range(0, len(VECTORS), 1 if DEEP else 4))
def test_the_twin_knows_the_vectors_that_an_earlier_release_wrote(number):
    """What was agreed under the first version gives the same for ever, here as well."""
    vector = VECTORS[number]
    policy = twin.read_policy(vector["policy"])
    assert policy.sha == vector["identity"]
    on = date(2027, 1, 1 + number % 28).isoformat()
    bearer, amount = vector["discount"] or ("", 0)
    booking = twin.Booking(
        reference=f"B-{number:04}",
        service_on=on,
        captured=vector["net"],
        fee=vector["fee"],
        costs=[tuple(each) for each in vector["costs"]],
        policy=policy,
        discount=amount,
        bearer=bearer,
        preparation=vector["preparation"],
    )
    if isinstance(vector["split"], str):
        with pytest.raises(twin.CannotCompute):
            twin.split_legs(booking)
    else:
        assert [list(leg) for leg in twin.split_legs(booking)] == vector["split"]
        assert books.digest(twin.split_text(booking)) == vector["split_facts"]


VECTORS_OF_RFC_8032 = [  # section 7.1: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
        "454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
        "3dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS_OF_RFC_8032)
def test_the_signature_check_knows_the_vectors_of_rfc_8032(public, message, signature):
    key, said, by = (bytes.fromhex(each) for each in (public, message, signature))
    assert is_signed(said, by, key)
    assert not is_signed(said + b"x", by, key)
    assert not is_signed(said, by[:-1] + bytes([by[-1] ^ 1]), key)
    assert not is_signed(said, bytes([by[0] ^ 1]) + by[1:], key)
    answer = int.from_bytes(by[32:], "little") + ORDER
    assert not is_signed(said, by[:32] + answer.to_bytes(32, "little"), key)  # never two of one
    for wrong in (b"", by[:-1], by + b"x"):
        assert not is_signed(said, wrong, key)
    for wrong in (b"", key[:-1], b"\xff" * 32):
        assert not is_signed(said, by, wrong)


def test_the_signature_check_agrees_with_the_programs_library():
    chance = random.Random(8032)
    for _number in range(40):
        private = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        public, said = (
            private.public_key().public_bytes_raw(),
            chance.randbytes(chance.randrange(80)),
        )
        by = private.sign(said)
        assert is_signed(said, by, public)
        place = chance.randrange(64)
        altered = by[:place] + bytes([by[place] ^ 1 << chance.randrange(8)]) + by[place + 1 :]
        assert not is_signed(said, altered, public)
